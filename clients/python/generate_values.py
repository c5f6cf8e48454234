"""Writes `tradewire_client/_values.py`: what the contract's answers look like to users of the
client.

    python clients/python/generate_values.py            write
    python clients/python/generate_values.py --check    change nothing, fail if the file is stale

The messages in `_gen` are made for the wire: decimals are text, times lose their nanoseconds, and
everything can be changed. A value is the same message made for people: frozen, decimals as
`Decimal`, times as aware datetimes beside the exact nanoseconds. Nothing of it is written by hand,
so nothing can drift: names, comments and types come from the descriptor set that `make gen` writes.

The contract does not say which strings are decimals, so the fields are listed here by name, and
the ones that are text, too: a new field in neither list stops the generator until somebody has
decided.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

HERE = Path(__file__).resolve().parent
IMAGE = HERE.parents[1] / "proto" / "gen" / "tradewire.binpb"
OUTPUT = HERE / "tradewire_client" / "_values.py"
PACKAGE = "tradewire.v1"
TIMESTAMP = ".google.protobuf.Timestamp"

# What users hold in their hands; the messages inside these follow.
ROOTS = (
    "AccountSnapshot",
    "Candle",
    "CancelAllOrdersResponse",
    "CreateKeyResponse",
    "CreateTicketResponse",
    "Execution",
    "GetAccountResponse",
    "GetLimitsResponse",
    "GetServerTimeResponse",
    "Instrument",
    "LedgerEntry",
    "RateLimit",
    "RotateKeyResponse",
    "Ticker",
    "Trade",
)

# fmt: off
DECIMALS = frozenset({
    "amount", "available", "average_entry_price", "average_price", "close_price", "fee", "fees",
    "filled_quantity", "held", "high_price", "last_fee", "last_price", "last_quantity",
    "leaves_quantity", "lot_size", "low_price", "maker_fee_rate", "market_protection_percent",
    "maximum_notional", "maximum_quantity", "minimum_notional", "minimum_quantity",
    "open_price", "price", "price_band_percent", "quantity", "quote_quantity", "realized_pnl",
    "taker_fee_rate", "tick_size", "total", "unrealized_pnl", "volume",
})
# fmt: on
# fmt: off
TEXTS = frozenset({
    "account", "addresses", "api_key", "asset", "base_asset", "client_order_id",
    "command_client_order_id", "counter_order_id", "environment", "execution_id", "journal_id",
    "label", "name", "order_id", "original_client_order_id", "public_key", "quote_asset",
    "replaced_client_order_id",
    "request_id", "secret", "symbol", "ticket",
})
# fmt: on
# Every other time is always there.
OPTIONAL_TIMES = frozenset({"expire_time", "revoke_time"})

INTEGERS = {
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_UINT32,
    FieldDescriptorProto.TYPE_UINT64,
}
# Position of messages in a file, and of fields in a message, in the paths of comments.
MESSAGES, FIELDS = 4, 2
LINE_MAX = 100

HEADER = '''"""The answers of the venue as frozen, typed values.

Generated from the contract by generate_values.py. Do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from tradewire_client._decimals import read_decimal, read_optional_decimal
from tradewire_client._gen.tradewire import v1
from tradewire_client._times import datetime_of, nanoseconds_of
from tradewire_client._value import Value
'''


class Contract:
    """The messages of the descriptor set, and their comments."""

    def __init__(self, image: FileDescriptorSet) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self.comments: dict[tuple[str, str], str] = {}
        for file in image.file:
            if file.package == PACKAGE:
                self._read(file)

    def _read(self, file: FileDescriptorProto) -> None:
        for message in file.message_type:
            self.messages[message.name] = message
        for location in file.source_code_info.location:
            path = tuple(location.path)
            if path[:1] != (MESSAGES,) or len(path) not in (2, 4):
                continue
            message = file.message_type[path[1]]
            field = message.field[path[3]].name if path[2:3] == (FIELDS,) else ""
            if len(path) == 2 or field:
                comment = " ".join(location.leading_comments.split())
                self.comments[message.name, field] = comment


class Field:
    """One field, as a value has it."""

    def __init__(self, owner: str, field: FieldDescriptorProto) -> None:
        self.name = field.name
        self.repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
        self.optional = field.proto3_optional
        self.type_name = field.type_name.removeprefix(f".{PACKAGE}.")
        self.kind = self._kind(owner, field)

    @staticmethod
    def _kind(owner: str, field: FieldDescriptorProto) -> str:
        if field.type_name == TIMESTAMP:
            return "time"
        if field.type == FieldDescriptorProto.TYPE_MESSAGE:
            return "message"
        if field.type == FieldDescriptorProto.TYPE_ENUM:
            return "enum"
        if field.type == FieldDescriptorProto.TYPE_BOOL:
            return "bool"
        if field.type in INTEGERS:
            return "int"
        if field.type == FieldDescriptorProto.TYPE_STRING and field.name in DECIMALS:
            return "decimal"
        if field.type == FieldDescriptorProto.TYPE_STRING and field.name in TEXTS:
            return "text"
        sys.exit(
            f"{owner}.{field.name}: say in {Path(__file__).name} whether it is a decimal or a text"
        )

    def lines(self, comment: str) -> Iterator[str]:
        """Return the lines that declare it."""
        if self.kind == "time":
            optional = self.name in OPTIONAL_TIMES
            kind, default = ("int | None", "None") if optional else ("int", "0")
            yield f"    {self.name}_ns: {kind} = {default}"
            yield from docstring(f"{comment} Nanoseconds since the epoch.", "    ")
            return
        kind, default = self._declaration()
        yield f"    {self.name}: {kind} = {default}"
        yield from docstring(comment, "    ")

    def _declaration(self) -> tuple[str, str]:
        kind = {
            "message": self.type_name,
            "enum": f"v1.{self.type_name}",
            "decimal": "Decimal",
            "text": "str",
        }.get(self.kind, self.kind)
        if self.repeated:
            return f"tuple[{kind}, ...]", "()"
        if self.optional:
            return f"{kind} | None", "None"
        default = {
            "message": f"{self.type_name}()",
            "enum": f"v1.{self.type_name}.UNSPECIFIED",
            "decimal": "Decimal(0)",
            "text": '""',
            "bool": "False",
            "int": "0",
        }[self.kind]
        return kind, default

    def conversion(self) -> str:
        """Return the keyword argument that fills it from a message."""
        source = f"message.{self.name}"
        if self.kind == "time":
            absent = "None" if self.name in OPTIONAL_TIMES else "0"
            return f"{self.name}_ns=nanoseconds_of({source}, absent={absent})"
        if self.repeated:
            convert = f"{self.type_name}.from_message(item) for item in {source}"
            return f"{self.name}=" + (
                f"tuple({convert})" if self.kind == "message" else f"tuple({source})"
            )
        if self.kind == "message":
            convert = f"{self.type_name}.from_message"
            if self.optional:
                return f"{self.name}=None if {source} is None else {convert}({source})"
            return f"{self.name}={convert}({source} or v1.{self.type_name}())"
        if self.kind == "decimal" and self.optional:
            return f"{self.name}=read_optional_decimal({source})"
        if self.kind == "decimal":
            return f"{self.name}=read_decimal({source})"
        return f"{self.name}={source}"

    def properties(self, comment: str) -> Iterator[str]:
        """Return the lines of what is computed from it."""
        if self.kind != "time":
            return
        optional = self.name in OPTIONAL_TIMES
        yield "    @property"
        yield f"    def {self.name}(self) -> datetime{' | None' if optional else ''}:"
        yield from docstring(comment, "        ")
        value = f"datetime_of(self.{self.name}_ns)"
        guard = f"None if self.{self.name}_ns is None else " if optional else ""
        yield f"        return {guard}{value}"
        yield ""


def docstring(text: str, indent: str) -> Iterator[str]:
    """Return a docstring, wrapped."""
    one_line = f'{indent}"""{text}"""'
    if len(one_line) <= LINE_MAX:
        yield one_line
        return
    words, line = text.split(), f'{indent}"""'
    first = True
    for word in words:
        if len(line) + len(word) + 1 > LINE_MAX:
            yield line
            line, first = indent + word, False
        elif line.endswith('"""') and first:
            line, first = line + word, False
        else:
            line = f"{line} {word}"
    yield line
    yield f'{indent}"""'


def closure(contract: Contract) -> list[str]:
    """Return the roots and the messages inside them, each after what it contains."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        for field in contract.messages[name].field:
            if field.type == FieldDescriptorProto.TYPE_MESSAGE and field.type_name != TIMESTAMP:
                visit(field.type_name.removeprefix(f".{PACKAGE}."))
        ordered.append(name)

    for root in ROOTS:
        visit(root)
    return ordered


def render_class(contract: Contract, name: str) -> Iterator[str]:
    """Return the lines of one value class."""
    fields = [Field(name, field) for field in contract.messages[name].field]
    yield from ("", "", "@dataclass(frozen=True, slots=True, kw_only=True, repr=False)")
    yield f"class {name}(Value):"
    yield from docstring(contract.comments[name, ""], "    ")
    yield ""
    for field in fields:
        yield from field.lines(contract.comments[name, field.name])
    yield ""
    for field in fields:
        yield from field.properties(contract.comments[name, field.name])
    yield "    @classmethod"
    yield f"    def from_message(cls, message: v1.{name}, **more: Any) -> Self:"
    yield '        """Convert a message of the wire; `more` fills the fields of a subclass."""'
    yield "        return cls("
    for field in fields:
        yield f"            {field.conversion()},"
    yield "            **more,"
    yield "        )"


def render() -> str:
    """Return the whole module."""
    contract = Contract(FileDescriptorSet.FromString(IMAGE.read_bytes()))
    lines = HEADER.splitlines()
    for name in closure(contract):
        lines.extend(render_class(contract, name))
    return _formatted("\n".join(lines) + "\n")


def _formatted(source: str) -> str:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--isolated",
        f"--line-length={LINE_MAX}",
        "-",
    ]
    result = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    return result.stdout


def main() -> int:
    """Write or compare; return the exit code."""
    parser = argparse.ArgumentParser(description="Generate the values of the Python client.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail if it is stale")
    arguments = parser.parse_args()
    content = render()
    if OUTPUT.exists() and OUTPUT.read_text() == content:
        return 0
    if arguments.check:
        sys.stderr.write(f"stale: {OUTPUT}\n")
        return 1
    OUTPUT.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
