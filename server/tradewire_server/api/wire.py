"""Joins messages that are already serialised: protobuf fields around unparsed bytes."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

_LENGTH_DELIMITED = 2

# A message given as its bytes, where the generated code expects the message: see `passing_bytes`.
Preencoded = Any


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# Nearly all lengths and tags are below this.
_VARINTS_COUNT = 1 << 14
VARINTS = [_encode_varint(value) for value in range(_VARINTS_COUNT)]


def varint(value: int) -> bytes:
    """Return a number as a base-128 varint."""
    if value < _VARINTS_COUNT:
        return VARINTS[value]
    return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80)) + varint(value >> 14)


def tag_of(field_number: int) -> bytes:
    """Return what stands before the length of a field that is a text or a message."""
    return varint(field_number << 3 | _LENGTH_DELIMITED)


def embed(field_number: int, message: bytes) -> bytes:
    """Return the bytes of a field that holds `message`."""
    return varint(field_number << 3 | _LENGTH_DELIMITED) + varint(len(message)) + message


def varint_field(field_number: int, value: int) -> bytes:
    """Return the bytes of a field that holds a number, none when it is 0."""
    return varint(field_number << 3) + varint(value) if value else b""


def embedded(message: bytes, field_number: int) -> bytes:
    """Return the bytes of a message's field that holds a message, just as they stand there.

    The other fields are numbers or have a length. Raises ValueError when the field is not there.
    """
    position = 0
    while position < len(message):
        tag, position = _decode_varint(message, position)
        # The length of what follows, or a number.
        size, start = _decode_varint(message, position)
        if tag & 7 == _LENGTH_DELIMITED:
            if tag >> 3 == field_number:
                return message[start : start + size]
            start += size
        position = start
    raise ValueError(f"the message has no field {field_number}")


def _decode_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def passing_bytes(serialize: Callable[[object], bytes]) -> Callable[[object], bytes]:
    """Return a serializer that lets bytes pass as the message that they are."""

    def serialize_unless_bytes(message: object) -> bytes:
        return message if isinstance(message, bytes) else serialize(message)

    return serialize_unless_bytes


class Malformed:
    """Stands for a message that could not be parsed, so that the edge can answer with the
    catalogue's error.
    """


def tolerant(deserialize: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Return a deserializer that gives Malformed in place of raising."""

    def deserialize_or_malformed(data: bytes) -> object:
        try:
            return deserialize(data)
        except DecodeError:
            return Malformed()

    return deserialize_or_malformed
