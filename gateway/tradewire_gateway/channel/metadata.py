"""Metadata checked and normalised as gRPC's HTTP/2 transport does it.

Keys are lower case. Values of `-bin` keys are bytes, all others printable ASCII; bytes given for a
text key arrive as text. Illegal keys and values raise `grpc.aio.InternalError`, wrong types raise
TypeError, which are the exceptions of grpc.aio.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import grpc
import grpc.aio

_KEY = re.compile(r"[0-9a-z_.-]+")
_TEXT = re.compile(r"[ -~]*")
# Headers of the transport: gRPC drops an application's own.
_TRANSPORT_KEYS = frozenset({"user-agent", "te"})


class Metadatum(NamedTuple):
    """One entry of metadata, with the attribute names of grpc.aio's."""

    key: str
    value: str | bytes


Pairs = tuple[Metadatum, ...]

_USER_AGENT = Metadatum("user-agent", f"grpc-python-asyncio/{grpc.__version__} (in-process)")
_ONLY_USER_AGENT: Pairs = (_USER_AGENT,)


def checked(metadata: Iterable[tuple[Any, Any]]) -> Pairs:
    """Return the metadata as it would arrive at the other side."""
    return tuple([_checked_pair(key, value) for key, value in metadata])


def for_invocation(metadata: Iterable[tuple[Any, Any]] | None) -> Pairs:
    """Return what a handler sees when a client calls with this metadata."""
    if not metadata:
        return _ONLY_USER_AGENT
    sent = checked(metadata)
    return (_USER_AGENT, *(pair for pair in sent if pair.key not in _TRANSPORT_KEYS))


def require_pairs(metadata: Any) -> tuple[tuple[str, str | bytes], ...]:
    """Return trailing metadata as a tuple of pairs; more is only checked when it is sent."""
    if isinstance(metadata, dict) or not isinstance(metadata, Iterable):
        raise TypeError(f"Trailing metadata must be pairs of key and value, got {metadata!r}")
    pairs = tuple(metadata)
    for pair in pairs:
        if not (
            isinstance(pair, tuple)
            and len(pair) == 2
            and isinstance(pair[0], str)
            and isinstance(pair[1], str | bytes)
        ):
            raise TypeError(f"Trailing metadata must be pairs of key and value, got {pair!r}")
    return pairs


def _checked_pair(key: Any, value: Any) -> Metadatum:
    if not isinstance(key, str):
        raise TypeError(f"Expected str, not {type(key)}")
    if not _KEY.fullmatch(key):
        raise grpc.aio.InternalError(
            f"Illegal metadata key {key!r}: lower-case letters, digits, '-', '_' and '.' only."
        )
    if key.endswith("-bin"):
        if not isinstance(value, bytes):
            raise TypeError(f'Binary metadata key="{key}" expected bytes, got {type(value)}')
        return Metadatum(key, value)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        raise TypeError(f"Expected str, not {type(value)}")
    if not _TEXT.fullmatch(value):
        # The value is not named: it may be a credential.
        raise grpc.aio.InternalError(
            f"Illegal value of metadata key {key!r}: printable ASCII only."
        )
    return Metadatum(key, value)
