"""The body of a request, read strictly.

Envoy's transcoder forgives: it drops fields that it does not know, takes the last of two, and reads
JSON that is none. A mistyped `postOnly` would become an order that takes. So the body is read here
first, and what is not exactly a message of the contract is refused, with the path of each field: by
the rules of `tradewire_contract.json_form`, which every edge that takes JSON has.
"""

from google.protobuf.descriptor import Descriptor
from tradewire_contract.json_form import Findings, Given, JsonInvalid, check_message, parse_json

from tradewire_server.api.admission import violation_error
from tradewire_server.api.errors import make_error
from tradewire_server.engine.vocabulary import Reason


def check_body(body: bytes, descriptor: Descriptor, given: Given) -> None:
    """Refuse a body that is not a message of this type; `given` are the fields of the path.

    An empty body is an empty message. Raises ApiError: MESSAGE_MALFORMED, or FIELD_INVALID with a
    violation per field.
    """
    if not body:
        return
    try:
        content = parse_json(body)
    except JsonInvalid as error:
        text = f"the body is not acceptable JSON: {error.text}"
        raise make_error(Reason.MESSAGE_MALFORMED, text) from None
    if not isinstance(content, dict):
        raise make_error(Reason.MESSAGE_MALFORMED, "the body is not a JSON object: {...}")
    findings = Findings()
    check_message(content, descriptor, given, findings)
    if findings.found:
        raise violation_error(findings.found)
