"""Messages of every type of the contract, and JSON that may be one."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from google.protobuf import any_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from hypothesis import strategies as st
from tradewire.v1 import websocket_pb2
from tradewire_contract import methods

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}
_SECONDS = (-62_135_596_800, 253_402_300_799)


def descriptor_of(message: type[Message]) -> Descriptor:
    """Return the descriptor of a class of messages."""
    return cast(Descriptor, message.DESCRIPTOR)


def _walk(descriptor: Descriptor, found: dict[str, Descriptor]) -> None:
    if descriptor.full_name in found:
        return
    if descriptor.full_name.startswith("google.protobuf.") or descriptor.GetOptions().map_entry:
        return
    found[descriptor.full_name] = descriptor
    for field in descriptor.fields:
        if field.message_type is not None:
            _walk(field.message_type, found)


def _found() -> dict[str, Descriptor]:
    found: dict[str, Descriptor] = {}
    for method in methods().values():
        _walk(method.request, found)
        _walk(method.response, found)
    for message in websocket_pb2.DESCRIPTOR.message_types_by_name.values():
        _walk(message, found)
    # What errors carry, inside of an Any.
    for detail in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
        _walk(descriptor_of(detail), found)
    return found


DESCRIPTORS = _found()
NAMES = sorted(DESCRIPTORS)
REQUESTS = sorted({method.request.full_name for method in methods().values()})


_PACKED = tuple(
    descriptor_of(each)
    for each in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        status_pb2.Status,
        Timestamp,
    )
)


def any_message() -> st.SearchStrategy[Message]:
    """Messages of all types."""
    return st.sampled_from(NAMES).flatmap(lambda name: messages(DESCRIPTORS[name]))


def full(descriptor: Descriptor, depth: int = 0) -> Message:
    """Return a message with all of its fields, of a oneof the last.

    Maps have one entry: packed into an Any their order would count, and it is any.
    """
    if descriptor.full_name == "google.protobuf.Timestamp":
        return Timestamp(seconds=1_790_000_000, nanos=123_456_000)
    return GetMessageClass(descriptor)(
        **{field.name: _full_value(field, depth) for field in descriptor.fields}
    )


def _full_value(field: FieldDescriptor, depth: int) -> Any:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        return {"key": "value"}
    one = _full_single(field, depth)
    return [one, one] if field.is_repeated else one


def _full_single(field: FieldDescriptor, depth: int) -> Any:
    if field.message_type is not None:
        name = field.message_type.full_name
        if name == "google.protobuf.Struct":
            return _struct({"text": "a", "number": 1.5, "none": None, "list": [True, {}]})
        if name == "google.protobuf.Any":
            return _packed(full(_PACKED[depth % len(_PACKED)], depth + 1))
        return full(field.message_type, depth + 1)
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"\xff\xfe\x00>?"
    if field.type == FieldDescriptor.TYPE_STRING:
        return 'é"\\\n\u2028\U0001f600\x00'
    return True if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else _BOUNDS[field.cpp_type][1]


@cache
def messages(descriptor: Descriptor, depth: int = 0) -> st.SearchStrategy[Any]:
    """Messages of a type, with any of their fields."""
    if descriptor.full_name == "google.protobuf.Timestamp":
        nanos = st.sampled_from([0, 1, 1_000, 1_000_000, 123_456_000]) | st.integers(0, 10**9 - 1)
        return st.builds(Timestamp, seconds=st.integers(*_SECONDS), nanos=nanos)
    if descriptor.full_name == "google.protobuf.Any":
        packed = [each for each in _PACKED if depth < 3 or not _has_any(each)]
        return st.one_of([messages(each, depth + 1).map(_packed) for each in packed])
    if descriptor.full_name == "google.protobuf.Struct":
        return st.dictionaries(TEXT, TEXT | st.booleans(), max_size=3).map(_struct)
    fields = {field.name: _values(field, depth) for field in descriptor.fields}
    return st.fixed_dictionaries({}, optional=fields).map(
        lambda values: GetMessageClass(descriptor)(**values)
    )


def _has_any(descriptor: Descriptor) -> bool:
    return descriptor.full_name == "google.rpc.Status"


def _values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        return st.dictionaries(TEXT, TEXT, max_size=1)
    one = _single(field, depth)
    return st.lists(one, max_size=2) if field.is_repeated else one


def _single(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages(field.message_type, depth)
    if field.enum_type is not None:
        known = [value.number for value in field.enum_type.values]
        return st.sampled_from(known) | st.integers(90_000, 90_010)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=5)
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXT
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return st.integers(*_BOUNDS[field.cpp_type]) | st.integers(0, 3)


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _struct(content: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(content)
    return made
