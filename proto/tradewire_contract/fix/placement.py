"""Where the fields of the contract's messages stand in FIX, by their annotations."""

from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from tradewire.v1 import options_pb2

from tradewire_contract.fix.rules import Value
from tradewire_contract.methods import ContractError

TIMESTAMP: Final = "google.protobuf.Timestamp"
_FORM_TYPES: Final = {
    options_pb2.FIX_FORM_PRICE: "PRICE",
    options_pb2.FIX_FORM_QUANTITY: "QTY",
    options_pb2.FIX_FORM_AMOUNT: "AMT",
    options_pb2.FIX_FORM_MULTI_VALUE: "MULTIPLEVALUESTRING",
    options_pb2.FIX_FORM_GROUP: "NUMINGROUP",
    options_pb2.FIX_FORM_BOOLEAN: "BOOLEAN",
    options_pb2.FIX_FORM_DATE_AND_TIME: "UTCDATEONLY",
    options_pb2.FIX_FORM_LONG_SHORT: "QTY",
}


class Placed(NamedTuple):
    """An annotated field, and the messages in which it is nested, outermost first."""

    path: tuple[str, ...]
    field: FieldDescriptor
    rule: options_pb2.FixRule


def placed(message: Descriptor, path: tuple[str, ...] = ()) -> Iterator[Placed]:
    """Yield the annotated fields of a message, those of components in their place.

    Where a field of a message and one of its components have the same tag, both are yielded: the
    outer one wins where it is set.
    """
    for field in message.fields:
        rule = field.GetOptions().Extensions[options_pb2.fix]
        if rule.form == options_pb2.FIX_FORM_COMPONENT:
            if field.message_type is None or field.is_repeated or rule.tag:
                raise ContractError(f"{field.full_name}: a component is a message without a tag")
            yield from placed(field.message_type, (*path, field.name))
        elif rule.tag:
            yield Placed(path, field, rule)


def field_type(field: FieldDescriptor, rule: options_pb2.FixRule) -> str:
    """Return the FIX type in which a field is written, as QuickFIX spells it."""
    if rule.form in _FORM_TYPES:
        return _FORM_TYPES[rule.form]
    if field.enum_type is not None:
        values = [value.value for value in enum_values(field.enum_type).values()]
        if any(len(value) > 1 for value in values):
            return "INT" if all(value.isdecimal() for value in values) else "STRING"
        return "CHAR"
    if field.message_type is not None:
        if field.message_type.full_name != TIMESTAMP:
            raise ContractError(f"{field.full_name}: a message is a group or a component")
        return "UTCTIMESTAMP"
    return "STRING" if field.cpp_type == FieldDescriptor.CPPTYPE_STRING else "INT"


@cache
def enum_values(enum: EnumDescriptor) -> dict[int, Value]:
    """Return what each number of an enum is on the wire; 0, which is nothing, is left out.

    An enum without FIX values is written by the names of its values, without the enum's prefix.
    """
    prefix = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.name).lstrip("_") + "_"
    names = {value.number: value.name.removeprefix(prefix) for value in enum.values if value.number}
    written = {
        value.number: value.GetOptions().Extensions[options_pb2.fix_value].value
        for value in enum.values
        if value.number
    }
    if not any(written.values()):
        return {number: Value(name, name) for number, name in names.items()}
    if not all(written.values()):
        raise ContractError(f"{enum.full_name}: some values have no FIX value")
    return {number: Value(written[number], name) for number, name in names.items()}


def is_coded(enum: EnumDescriptor) -> bool:
    """Say whether the values of an enum have codes of their own on FIX."""
    return any(each.value != each.name for each in enum_values(enum).values())
