"""Enum values by name: `side="buy"` reads better than `side=Side.BUY`."""

from __future__ import annotations

from typing import TypeVar

import betterproto2

EnumType = TypeVar("EnumType", bound=betterproto2.Enum)


def enum_value(kind: type[EnumType], value: EnumType | str | None, *, name: str) -> EnumType:
    """Return a member of an enum, given as member or as name in any case; None is the unset value.

    Raises:
        ValueError: there is no member of this name; the text lists those that there are.
        TypeError: it is neither.
    """
    if value is None:
        return kind(0)
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{name}: wanted {kind.__name__} or its name, got {type(value).__name__}")
    wanted = value.strip().upper().replace("-", "_")
    for member in kind:
        # Members whose name would begin with a digit have an underscore in front.
        if member.name.lstrip("_") == wanted and member.value:
            return member
    choices = ", ".join(repr(member.name.lstrip("_").lower()) for member in kind if member.value)
    raise ValueError(f"{name}: {value!r} is none of {choices}")
