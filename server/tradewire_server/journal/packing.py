"""Plain structures as bytes: MessagePack, with integers of any size.

MessagePack ends at 64 bits, sums of money do not. A larger integer travels as an extension: its
two's complement, big-endian. Only the containers around such an integer are taken apart for it,
the rest is encoded in one go.
"""

import zlib
from typing import Any

import msgspec

# Code of the extension that holds a larger integer; never used for anything else.
_INTEGER = 1

_encoder = msgspec.msgpack.Encoder()


def _widen(value: object) -> object:
    """Return `value`, encoded where that is possible, and taken apart where an integer is large."""
    try:
        return msgspec.Raw(_encoder.encode(value))
    except OverflowError:
        pass
    if isinstance(value, int):
        width = value.bit_length() // 8 + 1
        return msgspec.msgpack.Ext(_INTEGER, value.to_bytes(width, "big", signed=True))
    if isinstance(value, dict):
        return {key: _widen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_widen(item) for item in value]
    raise TypeError(f"{type(value).__name__} holds an integer beyond 64 bits and cannot be packed")


def _ext_hook(code: int, data: memoryview) -> int:
    if code != _INTEGER:
        raise ValueError(f"extension {code} is not known")
    return int.from_bytes(data, "big", signed=True)


_decoder = msgspec.msgpack.Decoder(Any, ext_hook=_ext_hook)


def encode(value: object) -> bytes:
    """Return the value as MessagePack; tuples become lists."""
    try:
        return _encoder.encode(value)
    except OverflowError:
        return _encoder.encode(_widen(value))


def decode(data: bytes | memoryview) -> Any:
    """Return what `encode` was given.

    Raises `ValueError` if it is something else.
    """
    return _decoder.decode(data)


def pack(value: object) -> bytes:
    """Return the value encoded and compressed, for what is large and rarely read."""
    return zlib.compress(encode(value), 1)


def unpack(data: bytes) -> Any:
    """Return what `pack` was given, with lists for tuples.

    Raises `ValueError` if it is something else.
    """
    try:
        return decode(zlib.decompress(data))
    except zlib.error as error:
        raise ValueError(f"not compressed by this journal: {error}") from error
