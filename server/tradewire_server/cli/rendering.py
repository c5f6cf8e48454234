"""How answers look: JSON for programs, tables for people.

JSON has the contract's field names. Decimals are text, times RFC 3339 with nanoseconds, enum values
their short names in lower case, as the commands take them; what is absent is null. A list is one
array, a stream one object per line.
"""

import dataclasses
import enum
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

NS_PER_S = 10**9
# Tables in pipes and files are not folded to the width of a screen that nobody looks at.
PIPE_WIDTH = 200
WIDTH_MAX = 10_000
_TIME_SUFFIX = "_time_ns"

Column = tuple[str, str]


@cache
def console() -> Console:
    """Return standard output."""
    return Console(
        width=None if sys.stdout.isatty() else PIPE_WIDTH, soft_wrap=False, highlight=False
    )


@cache
def error_console() -> Console:
    """Return standard error."""
    return Console(stderr=True, highlight=False)


def show(content: RenderableType) -> None:
    """Print something for people."""
    console().print(content, crop=False)


def show_line(text: str, *, style: str = "") -> None:
    """Print a line that the terminal may fold where it likes."""
    console().print(text, style=style or None, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one answer, indented."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def print_json_line(value: Any) -> None:
    """Print one item of a stream, at once."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, enum.Enum):
        return enum_name(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dict(
            _plain_field(field.name, getattr(value, field.name))
            for field in dataclasses.fields(value)
        )
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _plain_field(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith(_TIME_SUFFIX) or name == "time_ns":
        return name.removesuffix("_ns"), time_text(value) if value is not None else None
    return name, plain(value)


def enum_name(value: enum.Enum) -> str | None:
    """Return the short name of an enum value, None for the unset one."""
    if not value.value:
        return None
    return str(value.name).lstrip("_").lower()


def time_text(nanoseconds: int) -> str:
    """Return a time as RFC 3339, in UTC with nanoseconds."""
    seconds, rest = divmod(nanoseconds, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def clock_text(nanoseconds: int | None) -> str:
    """Return a time for people, to the second."""
    return "" if nanoseconds is None else time_text(nanoseconds)[:19].replace("T", " ")


def cell(value: Any) -> str:
    """Return a value for a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, enum.Enum):
        return (enum_name(value) or "").replace("_", " ")
    if isinstance(value, tuple | list):
        return ", ".join(map(cell, value))
    if hasattr(value, "price") and hasattr(value, "quantity"):
        return f"{cell(value.quantity)} at {cell(value.price)}"
    return escape(str(plain(value)))


def table(
    items: Iterable[Any],
    columns: Sequence[Column],
    *,
    optional: Sequence[str] = (),
    empty: str = "",
) -> RenderableType:
    """Return a table of items: each column is a header and the name of a field, dotted if it is of
    an inner value.

    Columns in which nothing stands are left out. On a narrow screen the `optional` ones go first,
    the last of them before the others; what does not fit even then is shown item by item.
    """
    rows = list(items)
    if not rows:
        return empty
    shown = [columns[0], *(c for c in columns[1:] if any(_text(row, c) for row in rows))]
    droppable = [column for name in optional for column in shown if column[1] == name]
    unbounded = console().options.update(width=WIDTH_MAX)
    while True:
        result = _grid(rows, shown)
        if Measurement.get(console(), unbounded, result).maximum <= console().width:
            return result
        if not droppable:
            return Group(*(_item(row, shown) for row in rows))
        shown.remove(droppable.pop())


def _grid(rows: list[Any], columns: Sequence[Column]) -> Table:
    result = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for header, name in columns:
        values = [_field(row, name) for row in rows]
        numeric = all(_is_number(value) for value in values if value is not None)
        result.add_column(header, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        result.add_row(*(_text(row, column) for column in columns), style=row_style(row))
    return result


def _item(row: Any, columns: Sequence[Column]) -> RenderableType:
    lines = Table.grid(padding=(0, 2))
    for column in columns:
        text = _text(row, column)
        if text:
            lines.add_row(column[0], text, style=row_style(row))
    lines.add_row("")
    return lines


def _text(item: Any, column: Column) -> str:
    value = _field(item, column[1])
    return clock_text(value) if column[1].endswith("time_ns") else cell(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Decimal | int) and not isinstance(value, bool | enum.Enum)


def record(value: Any) -> RenderableType:
    """Return one value as a table of two columns, absent fields left out."""
    result = Table.grid(padding=(0, 2))
    result.add_column(style="bold")
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        if content is None or content == "":
            continue
        if field.name.endswith("time_ns"):
            content = clock_text(content)
        text = cell(content)
        if text:
            result.add_row(field.name.removesuffix("_ns").replace("_", " "), text)
    return result


def _field(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = getattr(item, name)
    return item


def row_style(item: Any) -> str:
    """Return how a row looks: buys green, sells red."""
    order = getattr(item, "order", item)
    side = getattr(order, "side", getattr(order, "taker_side", None))
    name = getattr(side, "name", "")
    return {"BUY": "green", "SELL": "red"}.get(name, "")
