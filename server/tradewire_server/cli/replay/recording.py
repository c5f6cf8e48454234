"""Reads recordings in the Bitstamp format: one event per line, `<received, ms> <kind> <JSON>`.

Numbers in the JSON are text, or floats whose last digits are noise (`236.61000000000001`); both
become decimals, rounded to cents and to 10^-8 of the asset. A line that is not understood is an
error that names its number: a recording with holes would compare like a venue with bugs.
"""

import contextlib
import json
import lzma
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

PRICE_STEP = Decimal("0.01")
QUANTITY_STEP = Decimal("0.00000001")
LINE_CHARACTERS_MAX = 1 << 20

Side = Literal["buy", "sell"]
_SIDES: dict[int, Side] = {0: "buy", 1: "sell"}


class Level(NamedTuple):
    """A price and all quantity at it."""

    price: Decimal
    quantity: Decimal


class OrderCreated(NamedTuple):
    """An order came in."""

    order: int
    side: Side
    price: Decimal
    quantity: Decimal


class OrderChanged(NamedTuple):
    """An order traded in part; `quantity` is left."""

    order: int
    side: Side
    price: Decimal
    quantity: Decimal


class OrderDeleted(NamedTuple):
    """An order ended with `quantity` left: 0 says that it was filled."""

    order: int
    side: Side
    price: Decimal
    quantity: Decimal


class Traded(NamedTuple):
    """A trade."""

    price: Decimal
    quantity: Decimal


class BookSeen(NamedTuple):
    """The exchange's own snapshot, best levels first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


RecordedEvent = OrderCreated | OrderChanged | OrderDeleted | Traded | BookSeen


class RecordingError(Exception):
    """A recording cannot be read; the text names the file and the line."""


def read_recording(path: Path, *, limit: int | None = None) -> Iterator[RecordedEvent]:
    """Yield the events of a recording, plain or `.xz`, at most those of `limit` lines.

    Raises RecordingError.
    """
    number = 0
    try:
        with _open(path) as lines:
            while line := lines.readline(LINE_CHARACTERS_MAX):
                number += 1
                if limit is not None and number > limit:
                    return
                yield _parse(line)
    except (_Malformed, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}, line {max(number, 1)}: {error}") from error
    except (EOFError, lzma.LZMAError) as error:
        raise RecordingError(f"{path}, after line {number}: {error}") from error
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error


def _open(path: Path) -> contextlib.AbstractContextManager[TextIO]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


class _Malformed(Exception):
    """What is wrong with a line."""


def _parse(line: str) -> RecordedEvent:
    parts = line.split(" ", 2)
    if len(parts) != 3 or not parts[0].isdecimal():
        raise _Malformed("wanted `<milliseconds> <kind> <JSON>`")
    kind = parts[1]
    try:
        # A float's text is exact; the float is not.
        content = json.loads(parts[2], parse_float=Decimal)
    except ValueError as error:
        raise _Malformed(f"the JSON is broken: {error}") from error
    if not isinstance(content, dict):
        raise _Malformed("the JSON is no object")
    try:
        return _event(kind, content)
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise _Malformed(f"{kind}: {_reason(error)}") from error


def _event(kind: str, content: dict[str, Any]) -> RecordedEvent:
    if kind == "trade":
        return Traded(_price(content["price"]), _quantity(content["amount"]))
    if kind == "order_book":
        return BookSeen(_levels(content["bids"]), _levels(content["asks"]))
    if kind not in _ORDER_EVENTS:
        raise _Malformed(f"the kind {kind!r} is none of {', '.join(KINDS)}")
    side = _SIDES.get(content["order_type"])
    if side is None:
        raise _Malformed(f"order_type is {content['order_type']!r}, wanted 0 or 1")
    return _ORDER_EVENTS[kind](
        int(content["id"]), side, _price(content["price"]), _quantity(content["amount"])
    )


_ORDER_EVENTS: dict[str, type[OrderCreated] | type[OrderChanged] | type[OrderDeleted]] = {
    "order_created": OrderCreated,
    "order_changed": OrderChanged,
    "order_deleted": OrderDeleted,
}
KINDS = (*_ORDER_EVENTS, "trade", "order_book")


def _levels(rows: list[list[Any]]) -> tuple[Level, ...]:
    return tuple(Level(_price(price), _quantity(quantity)) for price, quantity in rows)


def _price(value: Any) -> Decimal:
    return _rounded(value, PRICE_STEP)


def _quantity(value: Any) -> Decimal:
    return _rounded(value, QUANTITY_STEP)


def _rounded(value: Any, step: Decimal) -> Decimal:
    decimal = Decimal(value)
    if not decimal.is_finite() or decimal < 0:
        raise _Malformed(f"{value!r} is no price or amount")
    return decimal.quantize(step)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    if isinstance(error, InvalidOperation):
        return "a price or amount is no decimal number"
    return str(error)
