"""What all values have in common: they show what is set, so that they can be read in a log."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any


class Value:
    """The base of the generated values."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = (
            f"{field.name}={_text(value)}"
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
            if (value := getattr(self, field.name)) != field.default
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def _text(value: Any) -> str:
    if isinstance(value, enum.Enum) and value.name:
        return f"{type(value).__name__}.{value.name}"
    return repr(value)
