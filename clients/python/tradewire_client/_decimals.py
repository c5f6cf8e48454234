"""Decimals between people and the wire, where they are text; a float never gets in.

A float is refused even where it looks exact: `0.1 + 0.2` does too. Text goes out as it was given,
so that a retry has equal content and an error names what the caller wrote.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from tradewire_client._errors import ProtocolViolation

DecimalLike: TypeAlias = "Decimal | str | int"
"""What can be passed where a decimal is wanted."""

# As the contract's validation rule has it.
_TEXT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)


def write_decimal(value: DecimalLike, *, name: str) -> str:
    """Return the text of a decimal for the wire.

    Raises:
        TypeError: it is a float, or no number at all.
        ValueError: it is negative, not finite, or has more than 18 digits on a side of the point.
    """
    if isinstance(value, float):
        text = repr(value)
        raise TypeError(
            f"{name}: a float is not exact; write {text!r} in quotes or Decimal({text!r})"
        )
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise TypeError(f"{name}: wanted a Decimal, str or int, got {type(value).__name__}")
    text = format(value, "f") if isinstance(value, Decimal) else str(value).strip()
    if _TEXT.fullmatch(text) is None:
        raise ValueError(
            f"{name}: {text!r} is not a decimal of at most 18 digits on each side of the point"
        )
    return text


def write_optional_decimal(value: DecimalLike | None, *, name: str) -> str | None:
    """Return the text of a decimal, or None for None."""
    return None if value is None else write_decimal(value, name=name)


def read_decimal(text: str) -> Decimal:
    """Return a decimal of the wire; a field that was not sent is zero.

    Raises:
        ProtocolViolation: the venue sent something else.
    """
    if not text:
        return Decimal(0)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ProtocolViolation(f"the venue sent {text!r} where a decimal belongs") from None


def read_optional_decimal(text: str | None) -> Decimal | None:
    """Return a decimal of the wire, or None when it was not sent."""
    return None if text is None else read_decimal(text)
