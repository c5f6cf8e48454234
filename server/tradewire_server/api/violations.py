"""What is said of a field that breaks a rule of the contract: in words for who filled it in, not in
those of the rule.
"""

from functools import cache
from typing import NamedTuple

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from protovalidate import Violation
from tradewire_contract import ContractError
from tradewire_contract.openapi.document import contract_files
from tradewire_contract.openapi.examples import Examples

MISSING = "MISSING"
_PATTERN = "string.pattern"
_REQUIRED = "required"
_ENUM_RULES = ("enum.not_in", "enum.defined_only")
# A longer one, of a signature, helps nobody.
_EXAMPLE_SHOWN_MAX = 24
# What an error shows of an enum's values.
_VALUES_SHOWN_MAX = 12


class FieldProblem(NamedTuple):
    """What is wrong with a field, and the rule's id, as `google.rpc.BadRequest` has them."""

    field: str
    description: str
    rule: str


def problem_of(violation: Violation, message: Descriptor) -> FieldProblem:
    """Return what is said of a violated rule of a message."""
    proto = violation.proto
    path = field_path(violation)
    elements = proto.field.elements if proto.field is not None else []
    field = _field(message, tuple(element.field_number for element in elements))
    rule = proto.rule_id
    text = proto.message
    if field is not None:
        is_item = elements[-1].subscript is not None
        if rule == _REQUIRED or (_is_unset(field, violation.field_value) and not is_item):
            return FieldProblem(path, _missing(field), MISSING)
        if rule == _PATTERN:
            text = _unlike(field) or text
        elif rule in _ENUM_RULES and field.enum_type is not None:
            text = f"must be one of {_values(field)}"
    elif rule == _REQUIRED and elements:
        oneof = _oneof(message, [element.field_number for element in elements[:-1]], path)
        if oneof:
            return FieldProblem(path, f"is missing: one of {oneof}", MISSING)
    return FieldProblem(path, text, rule.replace(".", "_").upper())


def field_path(violation: Violation) -> str:
    """Return the path of a violated field, e.g. `commands[3].place.price`."""
    parts = []
    path = violation.proto.field
    for element in path.elements if path is not None else []:
        subscript = element.subscript
        index = f"[{subscript.value}]" if subscript is not None else ""
        parts.append(f"{element.field_name}{index}")
    return ".".join(parts)


def _field(message: Descriptor, numbers: tuple[int, ...]) -> FieldDescriptor | None:
    """Return the field at the end of a path; of a rule for a whole message there is none."""
    field: FieldDescriptor | None = None
    inner: Descriptor | None = message
    for number in numbers:
        # The path of a oneof's rule has the oneof's name and no number.
        field = inner.fields_by_number.get(number) if inner is not None else None
        if field is None:
            return None
        inner = field.message_type
    return field


def _oneof(message: Descriptor, numbers: list[int], path: str) -> str:
    """Return the fields of a oneof that stands at the end of a path."""
    inner: Descriptor | None = message
    for number in numbers:
        inner = inner.fields_by_number[number].message_type if inner is not None else None
    oneof = inner.oneofs_by_name.get(path.rpartition(".")[2]) if inner is not None else None
    return ", ".join(field.name for field in oneof.fields) if oneof is not None else ""


def _is_unset(field: FieldDescriptor, value: object) -> bool:
    """Say whether a value is what a field has that was not sent."""
    return not field.has_presence and not field.is_repeated and value == field.default_value


def _missing(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return f"is missing: one of {_values(field)}"
    example = _example(field)
    return f"is missing, e.g. {example}" if example else "is missing"


def _unlike(field: FieldDescriptor) -> str:
    example = _example(field)
    pattern = _pattern(field)
    return f"does not look like {example} ({pattern})" if example and pattern else ""


@cache
def _pattern(field: FieldDescriptor) -> str:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    return rules.repeated.items.string.pattern if field.is_repeated else rules.string.pattern


@cache
def _example(field: FieldDescriptor) -> str:
    """Return an example of a field's value, empty if the contract has none."""
    if field.message_type is not None:
        return ""
    try:
        value = _examples().value(field, is_sent=True)
    except ContractError:
        return ""
    text = str(value[0] if isinstance(value, list) else value)
    return text if len(text) <= _EXAMPLE_SHOWN_MAX else ""


@cache
def _examples() -> Examples:
    return Examples(contract_files())


@cache
def _values(field: FieldDescriptor) -> str:
    enum = field.enum_type
    assert enum is not None, "only enums are asked for"
    names = [value.name for value in enum.values if value.number]
    more = ", ..." if len(names) > _VALUES_SHOWN_MAX else ""
    return ", ".join(names[:_VALUES_SHOWN_MAX]) + more
