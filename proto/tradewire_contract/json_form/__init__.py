"""The JSON form of the contract's messages, read strictly: the same for every edge that takes JSON.

    text    a text as JSON: bounded, nothing that JSON does not have, no key lost that stands twice
    fields  the fields of a message by both their names, which texts and numbers each takes, and the
            words for what it does not take
    check   a value as a message: what is wrong with it, field by field

What protobuf's JSON mapping allows is allowed: both names of a field, null, numbers as strings,
enum values by name or number.
"""

from tradewire_contract.json_form.check import check_message
from tradewire_contract.json_form.fields import Findings, Given
from tradewire_contract.json_form.text import (
    VALUES_MAX,
    Doubled,
    JsonInvalid,
    members_of,
    parse_json,
)

__all__ = [
    "VALUES_MAX",
    "Doubled",
    "Findings",
    "Given",
    "JsonInvalid",
    "check_message",
    "members_of",
    "parse_json",
]
