"""Messages and enums of the contract as JSON Schema, by the JSON rules of protobuf and Envoy.

- Names are lowerCamelCase; requests with the contract's own snake_case names are accepted as well.
- 64-bit integers are strings in answers. In a request's body both a string and a number are read.
- Enums are the names of their values; bytes are base64; a Timestamp is a date-time.
- An answer prints every field that has no presence, also when it is empty: it is required there. A
  field with presence (`optional`, a message, a member of a oneof) is left out while it is not set.
- A request has no field beside those of the contract. An answer may get new ones, and so may enums.

A message has one schema, so that it is either sent or received: DESIGN keeps the two apart.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    OneofDescriptor,
)
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from tradewire_contract.methods import ContractError
from tradewire_contract.openapi.comments import Comments
from tradewire_contract.openapi.rules import (
    Schema,
    check_message_rules,
    enum_numbers,
    is_oneof_required,
    is_required,
    keywords,
)

INT64_BOUNDS = (-(2**63), 2**63 - 1)
_INTEGERS = {
    FieldDescriptor.TYPE_INT32: ("int32", (-(2**31), 2**31 - 1)),
    FieldDescriptor.TYPE_UINT32: ("uint32", (0, 2**32 - 1)),
    FieldDescriptor.TYPE_INT64: ("int64", INT64_BOUNDS),
    FieldDescriptor.TYPE_UINT64: ("uint64", (0, 2**64 - 1)),
}
_STATUS = "Status"
# With padding, as protobuf writes it; the alphabet for addresses and none at all are read as well.
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


class Direction(Enum):
    """Which way a message goes."""

    REQUEST = "request"
    ANSWER = "answer"


class Place(Enum):
    """Where a value stands: what is text anyway needs no quotes around its numbers."""

    BODY = "body"
    ADDRESS = "address"


class Schemas:
    """The schemas of a document, made as they are referred to."""

    def __init__(self, comments: Comments) -> None:
        self.components: dict[str, Schema] = {}
        self._comments = comments
        self._directions: dict[str, Direction] = {}

    def message(self, message: Descriptor, direction: Direction) -> Schema:
        """Return a reference to a message's schema.

        Raises ContractError when the message is both sent and received.
        """
        if message.full_name == status_pb2.Status.DESCRIPTOR.full_name:
            return reference(_STATUS)
        known = self._directions.setdefault(message.name, direction)
        if known is not direction:
            raise ContractError(f"{message.name} is in requests and in answers")
        if message.name not in self.components:
            # Before its fields, in case one of them leads back to it.
            self.components[message.name] = {}
            self.components[message.name] = self.object(
                message,
                message.fields,
                direction,
                description=self._comments.text(message.full_name),
            )
        return reference(message.name)

    def object(
        self,
        message: Descriptor,
        fields: Sequence[FieldDescriptor],
        direction: Direction,
        *,
        description: str,
    ) -> Schema:
        """Return the schema of a message of which only these fields are sent."""
        check_message_rules(message)
        sent = direction is Direction.REQUEST
        required = [
            field.json_name
            for field in fields
            if (is_required(field) if sent else not field.has_presence)
        ]
        schema: Schema = {
            "type": "object",
            "description": description,
            "properties": {field.json_name: self.property(field, direction) for field in fields},
        }
        if required:
            schema["required"] = required
        if sent:
            schema["additionalProperties"] = False
        for oneof in real_oneofs(message):
            if oneof.fields[0] in fields:
                schema |= _one_of(oneof, is_whole=len(oneof.fields) == len(fields), sent=sent)
        return schema

    def property(self, field: FieldDescriptor, direction: Direction) -> Schema:
        """Return the schema of a field in a JSON object, with its description."""
        value = self.value(field, direction, Place.BODY)
        description = self._comments.text(field.full_name)
        if field.GetOptions().deprecated:
            value = {**value, "deprecated": True}
        return {**value, "description": description} if description else value

    def value(self, field: FieldDescriptor, direction: Direction, place: Place) -> Schema:
        """Return the schema of a field's value, with its rules if it is sent."""
        found = keywords(field) if direction is Direction.REQUEST else {}
        if not field.is_repeated:
            return self._single(field, found, direction, place)
        items = found.pop("items", {})
        return {"type": "array", "items": self._single(field, items, direction, place), **found}

    def enum(self, enum: EnumDescriptor) -> Schema:
        """Return a reference to an enum with all its values."""
        if enum.name not in self.components:
            self.components[enum.name] = {
                "type": "string",
                "description": self._describe(enum, [value.number for value in enum.values]),
                "enum": [value.name for value in enum.values],
            }
        return reference(enum.name)

    def _single(
        self, field: FieldDescriptor, rules: Schema, direction: Direction, place: Place
    ) -> Schema:
        if field.message_type is not None:
            return self._message_value(field.message_type, direction, place)
        if field.enum_type is not None:
            return self._enum_value(field, direction)
        if field.type in _INTEGERS:
            return _integer(field, rules, direction, place)
        if field.type == FieldDescriptor.TYPE_STRING:
            return {"type": "string", **rules}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64", "pattern": _BASE64, **rules}
        if field.type == FieldDescriptor.TYPE_BOOL:
            return {"type": "boolean", **rules}
        raise ContractError(f"{field.full_name} has a type that is not used here")

    def _message_value(self, message: Descriptor, direction: Direction, place: Place) -> Schema:
        if message.full_name == Timestamp.DESCRIPTOR.full_name:
            if direction is Direction.REQUEST:
                return {"type": "string", "format": "date-time"}
            return {"type": "string", "format": "date-time", "pattern": "Z$"}
        if message.full_name == Struct.DESCRIPTOR.full_name:
            return {"type": "object"}
        if place is Place.ADDRESS:
            raise ContractError(f"{message.full_name} cannot stand in a path or query")
        return self.message(message, direction)

    def _enum_value(self, field: FieldDescriptor, direction: Direction) -> Schema:
        enum = field.enum_type
        assert enum is not None, "called for an enum only"
        numbers = enum_numbers(field) if direction is Direction.REQUEST else []
        if direction is Direction.ANSWER or len(numbers) == len(enum.values):
            return self.enum(enum)
        names = [enum.values_by_number[number].name for number in numbers]
        return {"type": "string", "enum": names}

    def _describe(self, enum: EnumDescriptor, numbers: Iterable[int]) -> str:
        lines = [
            f"- `{value.name}`: {self._comments.text(f'{enum.full_name}.{value.name}')}"
            for number in numbers
            for value in [enum.values_by_number[number]]
        ]
        return "\n".join([self._comments.text(enum.full_name), "", *lines])


def reference(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def real_oneofs(message: Descriptor) -> list[OneofDescriptor]:
    """Return the oneofs that are written as such: an `optional` field is one for itself."""
    return [
        oneof
        for oneof in message.oneofs
        if len(oneof.fields) > 1 or oneof.name != f"_{oneof.fields[0].name}"
    ]


def real_oneof(field: FieldDescriptor) -> OneofDescriptor | None:
    """Return the oneof in which a field is written, None if it is in none."""
    assert field.containing_type is not None, "a field of a message"
    found = [oneof for oneof in real_oneofs(field.containing_type) if field in oneof.fields]
    return found[0] if found else None


def _one_of(oneof: OneofDescriptor, *, is_whole: bool, sent: bool) -> Schema:
    """Return what says that one field of a oneof is set: required of a request if the rule says so,
    of an answer never, since a later version may set one that is not known yet.
    """
    is_needed = sent and is_oneof_required(oneof)
    if is_whole:
        return {"maxProperties": 1, **({"minProperties": 1} if is_needed else {})}
    choices: list[Schema] = [{"required": [field.json_name]} for field in oneof.fields]
    if not is_needed:
        choices.append({"not": {"anyOf": list(choices)}})
    return {"oneOf": choices}


def _integer(
    field: FieldDescriptor, rules: Schema, direction: Direction, place: Place
) -> dict[str, Any]:
    name, (least, greatest) = _INTEGERS[field.type]
    is_text = name.endswith("64") and place is Place.BODY
    text = {"pattern": f"^{'-?' if least < 0 else ''}[0-9]{{1,20}}$"}
    if is_text and direction is Direction.ANSWER:
        return {"type": "string", "format": name, **text}
    bounds = dict(rules)
    if not rules.keys() & {"minimum", "exclusiveMinimum"}:
        bounds["minimum"] = least
    if not rules.keys() & {"maximum", "exclusiveMaximum"}:
        bounds["maximum"] = greatest
    if not is_text:
        return {"type": "integer", "format": name, **bounds}
    return {"type": ["string", "integer"], "format": name, **_text(field, bounds), **bounds}


def _text(field: FieldDescriptor, bounds: Schema) -> Schema:
    """Return the pattern of a 64-bit number that is sent as text: JSON Schema cannot compare it.

    Raises ContractError for bounds that a pattern cannot say.
    """
    if bounds.get("minimum", 0) == INT64_BOUNDS[0]:
        pattern = "^-?[0-9]{1,19}$"
    elif bounds.get("minimum") == 0:
        pattern = "^[0-9]{1,20}$"
    elif bounds.get("exclusiveMinimum") == 0:
        pattern = "^[1-9][0-9]{0,19}$"
    else:
        raise ContractError(f"{field.full_name}: its bounds cannot be said of a number as text")
    return {"pattern": pattern}
