"""Messages of the contract in JSON, both ways, compiled once for each descriptor.

    parsing  a frame as JSON, strictly
    reading  parsed JSON as a message, refused exactly as the REST edge refuses a body
    writing  a message as JSON text, as the REST edge writes its answers
    times    RFC 3339, both ways

What is accepted, and the words for what is not, stand in `tradewire_contract.json_form`, which the
REST edge uses too. Here is the way that nearly all messages take: it accepts less, is several times
as fast, and leaves whatever it does not understand to those rules.
"""

from tradewire_contract.json_form import JsonInvalid

from tradewire_gateway.ws.json_form.parsing import DEPTH_MAX, doubled, is_text, parse
from tradewire_gateway.ws.json_form.reading import FormInvalid, reader
from tradewire_gateway.ws.json_form.writing import plain, writer

__all__ = [
    "DEPTH_MAX",
    "FormInvalid",
    "JsonInvalid",
    "doubled",
    "is_text",
    "parse",
    "plain",
    "reader",
    "writer",
]
