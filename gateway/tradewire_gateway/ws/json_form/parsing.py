"""A frame as JSON, strictly.

The fast reader takes the last of two members with one name, and numbers of any length. So what it
has read is counted: only where it is certain that nothing was lost is its answer used, else the
strict reader of the contract decides.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from tradewire_contract.json_form import VALUES_MAX, Doubled, JsonInvalid, members_of, parse_json

# The contract nests its requests five deep at most.
DEPTH_MAX: Final = 32

_CONTAINERS: Final = (dict, list)
_INTEGER_MAX: Final = 1 << 64
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Doubt(Exception):
    """There is something in it that the fast reader is not asked about."""


def _doubt_float(text: str) -> float:
    # Not read here at all: the fast reader takes 40 µs for a number like 1e300, a frame 200 ms.
    raise _Doubt


_decode = msgspec.json.Decoder(float_hook=_doubt_float).decode


def parse(text: bytes | bytearray | str) -> Any:
    """Return the value of a JSON text; an object is a dict, a Doubled if a key stands twice.

    Raises:
        JsonInvalid: it is no JSON, has more than 5,000 values, is nested deeper than 32, or has a
            number of more than 40 digits.
    """
    body = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    # A shorter text cannot have too many values.
    if len(body) <= VALUES_MAX or _separators(body) <= VALUES_MAX:
        try:
            value = _decode(body)
            if type(value) not in _CONTAINERS or _lost_nothing(value, _keys(value, 1), body):
                return value
        except (msgspec.MsgspecError, RecursionError, _Doubt, UnicodeError):
            pass
    value = parse_json(body)
    _check_depth(value)
    return value


def doubled(value: object) -> str | None:
    """Return a key that stands twice in an object, None if there is none or it is no object.

    The first of several; what is nested inside is not looked at.
    """
    if not isinstance(value, Doubled):
        return None
    seen = set[str]()
    for name, _ in value.pairs:
        if name in seen:
            return name
        seen.add(name)
    return None


def is_text(value: object) -> bool:
    """Say whether a value is a text that can be sent: JSON can also write half a character."""
    return isinstance(value, str) and _SURROGATE.search(value) is None


def _separators(body: bytes) -> int:
    return body.count(b"{") + body.count(b"[") + body.count(b",")


def _keys(container: Any, depth: int) -> int:
    """Return how many members the objects in a value have.

    Raises _Doubt when it is too deep, or has a number that needs a closer look.
    """
    if depth > DEPTH_MAX:
        raise _Doubt
    if type(container) is dict:
        keys, values = len(container), container.values()
    else:
        keys, values = 0, container
    for value in values:
        kind = type(value)
        if kind is dict or kind is list:
            keys += _keys(value, depth + 1)
        elif kind is float or (kind is int and not -_INTEGER_MAX < value < _INTEGER_MAX):
            raise _Doubt
    return keys


def _lost_nothing(value: Any, keys: int, body: bytes) -> bool:
    """Say whether a text has as many members as were read of it.

    There is a colon behind every key. So with as many colons as keys, and as there are colons in
    the names and texts that were read, no key was lost; an escape could write one more.
    """
    more = body.count(b":") - keys
    return more == 0 or (b"\\" not in body and more == _colons(value))


def _colons(container: Any) -> int:
    """Return how many colons the names and texts in a value have."""
    if type(container) is dict:
        colons, values = "".join(container).count(":"), container.values()
    else:
        colons, values = 0, container
    for value in values:
        kind = type(value)
        if kind is str:
            if ":" in value:
                colons += value.count(":")
        elif kind is dict or kind is list:
            colons += _colons(value)
    return colons


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [inner for each in level for inner in _inner(each)]
    if any(isinstance(each, dict | list) for each in level):
        raise JsonInvalid(f"it is nested deeper than {DEPTH_MAX}")


def _inner(value: Any) -> list[Any]:
    """Return what stands inside of a value."""
    if isinstance(value, dict):
        return [inner for _, inner in members_of(value)]
    return value if isinstance(value, list) else []
