"""The validation rules of the contract (buf.validate) as JSON Schema.

Rules of this file:

- A rule that has no translation here is a ContractError. None is left out in silence.
- The schema says what the servers enforce. A field without presence is checked also when it is not
  sent, so one whose empty value breaks its rule is required.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from tradewire_contract.methods import ContractError

Schema = dict[str, Any]

INTEGERS = {"int32", "int64", "uint32", "uint64"}
# Beyond these, RE2 and the regular expressions of JSON Schema may mean different things.
_PLAIN_PATTERN = re.compile(r"\^[^\\]*\$")


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """Return the rules that stand at a field; empty ones if there are none."""
    return field.GetOptions().Extensions[validate_pb2.field]


def is_required(field: FieldDescriptor) -> bool:
    """Say whether a request without this field breaks its rules."""
    rules = rules_of(field)
    if rules.required:
        return True
    if field.has_presence or rules.ignore != validate_pb2.IGNORE_UNSPECIFIED:
        return False
    kind = rules.WhichOneof("type")
    return kind is not None and _refuses_empty(kind, getattr(rules, kind))


def is_oneof_required(oneof: OneofDescriptor) -> bool:
    """Say whether one field of a oneof must be set.

    Raises ContractError for another rule at it.
    """
    rules = oneof.GetOptions().Extensions[validate_pb2.oneof]
    _check_known(oneof.full_name, rules, {"required"})
    return bool(rules.required)


def check_message_rules(message: Descriptor) -> None:
    """Raise ContractError if rules stand at the message itself: they have no translation."""
    rules = message.GetOptions().Extensions[validate_pb2.message]
    _check_known(message.full_name, rules, set())


def keywords(field: FieldDescriptor) -> Schema:
    """Return what a field's rules say of its value, and of its items in `items`.

    Raises ContractError for a rule without a translation.
    """
    return _keywords(field, rules_of(field))


def enum_numbers(field: FieldDescriptor) -> list[int]:
    """Return the numbers of its enum that a field may have, those of its items if it is a list."""
    rules = rules_of(field)
    enum = rules.repeated.items.enum if field.is_repeated else rules.enum
    allowed = getattr(enum, "in")
    assert field.enum_type is not None, "asked of an enum only"
    return [
        value.number
        for value in field.enum_type.values
        if value.number not in enum.not_in and (not allowed or value.number in allowed)
    ]


def _keywords(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    kind = rules.WhichOneof("type")
    _check_known(field.full_name, rules, {"ignore", "required", kind or ""})
    if rules.ignore == validate_pb2.IGNORE_ALWAYS or kind is None:
        return {}
    found: Schema = {}
    typed = getattr(rules, kind)
    translations = _TRANSLATIONS.get(kind, {})
    _check_known(field.full_name, typed, set(translations))
    for rule, _ in typed.ListFields():
        found |= translations[rule.name](field, getattr(typed, rule.name))
    if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        return _or_empty(field, found)
    return found


def _check_known(name: str, rules: Message, known: set[str]) -> None:
    unknown = [field.name for field, _ in rules.ListFields() if field.name not in known]
    if unknown or len(UnknownFieldSet(rules)):
        raise ContractError(f"{name}: the rule {unknown or rules} has no translation to OpenAPI")


def _refuses_empty(kind: str, rules: Any) -> bool:
    """Say whether typed rules refuse the value that a field has when it is not sent."""
    if kind == "string":
        pattern = rules.pattern
        return rules.min_len > 0 or bool(pattern and re.fullmatch(pattern, "") is None)
    if kind == "enum":
        allowed = getattr(rules, "in")
        return 0 in rules.not_in or bool(allowed and 0 not in allowed)
    if kind == "repeated":
        return bool(rules.min_items)
    if kind in INTEGERS:
        above = (rules.HasField("gt") and rules.gt >= 0) or (
            rules.HasField("gte") and rules.gte > 0
        )
        below = (rules.HasField("lt") and rules.lt <= 0) or (
            rules.HasField("lte") and rules.lte < 0
        )
        return bool(above or below)
    return False


def _or_empty(field: FieldDescriptor, found: Schema) -> Schema:
    """Return a pattern that also matches the empty text."""
    if set(found) - {"maxLength"} != {"pattern"} or "|" in found["pattern"]:
        raise ContractError(
            f"{field.full_name}: only one plain pattern can be ignored for the empty value"
        )
    return found | {"pattern": f"^({found['pattern'].removeprefix('^').removesuffix('$')})?$"}


def _pattern(field: FieldDescriptor, pattern: str) -> Schema:
    if not _PLAIN_PATTERN.fullmatch(pattern) or "(?" in pattern or "[:" in pattern:
        raise ContractError(f"{field.full_name}: {pattern} may mean something else in JSON Schema")
    return {"pattern": pattern}


def _as(keyword: str) -> Callable[[FieldDescriptor, Any], Schema]:
    return lambda _, value: {keyword: value}


def _base64_length(_: FieldDescriptor, length: int) -> Schema:
    return {"maxLength": -(-length // 3) * 4}


def _items(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    found = _keywords(field, rules)
    return {"items": found} if found else {}


def _by_names(field: FieldDescriptor, _: Any) -> Schema:
    """Say nothing: an enum is given by the names of what is allowed, see `enum_numbers`."""
    return {}


_NUMBER = {
    "gt": _as("exclusiveMinimum"),
    "gte": _as("minimum"),
    "lt": _as("exclusiveMaximum"),
    "lte": _as("maximum"),
}
_TRANSLATIONS: Mapping[str, Mapping[str, Callable[[FieldDescriptor, Any], Schema]]] = {
    "string": {"pattern": _pattern, "min_len": _as("minLength"), "max_len": _as("maxLength")},
    "bytes": {"max_len": _base64_length},
    "enum": {"defined_only": _by_names, "in": _by_names, "not_in": _by_names},
    "repeated": {
        "min_items": _as("minItems"),
        "max_items": _as("maxItems"),
        "unique": _as("uniqueItems"),
        "items": _items,
    },
    **dict.fromkeys(INTEGERS, _NUMBER),
}
