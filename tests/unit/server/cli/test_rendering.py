"""What answers look like: JSON for programs, tables for people."""

import io
import json
from decimal import Decimal

import pytest
from rich.console import Console
from tradewire_client import Balance, Order, OrderStatus, PriceLevel, Reason, Side, Ticker
from tradewire_server.cli.rendering import (
    cell,
    clock_text,
    plain,
    print_json,
    print_json_line,
    record,
    table,
    time_text,
)

NS = 1_430_438_404_518_000_007


def _text(renderable: object) -> str:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(renderable)
    return console.export_text()


def test_json_has_the_contracts_names_and_no_float() -> None:
    order = Order(
        order_id="7",
        side=Side.BUY,
        status=OrderStatus.PARTIALLY_FILLED,
        reason=Reason.UNSPECIFIED,
        price=Decimal("100.10"),
        filled_quantity=Decimal("1E-8"),
        create_time_ns=NS,
    )
    content = plain(order)
    assert {name: content[name] for name in ("side", "status", "reason", "price")} == {
        "side": "buy",
        "status": "partially_filled",
        "reason": None,
        "price": "100.10",
    }
    assert content["filled_quantity"] == "0.00000001"
    assert content["create_time"] == "2015-05-01T00:00:04.518000007Z"
    assert content["expire_time"] is None
    assert not any(name.endswith("_ns") for name in content)


def test_inner_values_and_lists_are_written_out() -> None:
    ticker = Ticker(symbol="A-B", best_bid=PriceLevel(price=Decimal(1), quantity=Decimal(2)))
    assert plain(ticker)["best_bid"] == {"price": "1", "quantity": "2"}
    assert plain(ticker)["best_ask"] is None
    assert plain([Balance(asset="X"), {"n": 1}])[1] == {"n": 1}


def test_answers_are_indented_and_streams_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1]})
    print_json_line({"a": Decimal(1)})
    printed = capsys.readouterr().out
    assert printed.endswith('}\n{"a": "1"}\n')
    assert json.loads(printed.partition("}")[0] + "}") == {"a": [1]}


def test_times_are_exact_in_json_and_short_in_tables() -> None:
    assert time_text(1_000_000_001) == "1970-01-01T00:00:01.000000001Z"
    assert clock_text(NS) == "2015-05-01 00:00:04"
    assert clock_text(None) == ""


def test_cells_show_what_people_say() -> None:
    values = (None, True, Side.SELL, (Side.BUY, Side.SELL), Decimal("1E+3"), "[red]x")
    assert [cell(value) for value in values] == ["", "yes", "sell", "buy, sell", "1000", "\\[red]x"]


def test_a_table_has_a_row_per_item_or_says_that_there_is_none() -> None:
    columns = (("Asset", "asset"), ("Total", "total"))
    text = _text(table([Balance(asset="USD", total=Decimal("12.5"))], columns))
    assert "Asset" in text
    assert "12.5" in text
    assert _text(table([], columns, empty="no balances")) == "no balances\n"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Console:
    """Make standard output a narrow screen."""
    console = Console(width=30, file=io.StringIO())
    monkeypatch.setattr("tradewire_server.cli.rendering.console", lambda: console)
    return console


ORDER_COLUMNS = (
    ("Order", "order_id"),
    ("Client", "client_order_id"),
    ("Symbol", "symbol"),
    ("Price", "price"),
    ("Reason", "reason"),
)
ORDER = Order(order_id="7", client_order_id="x" * 20, symbol="BTC-USD", price=Decimal(1))


def test_columns_in_which_nothing_stands_are_left_out() -> None:
    text = _text(table([ORDER], ORDER_COLUMNS))
    assert "Client" in text
    assert "Reason" not in text


@pytest.mark.usefixtures("narrow")
def test_on_a_narrow_screen_optional_columns_go_first() -> None:
    text = _text(table([ORDER], ORDER_COLUMNS, optional=("symbol", "client_order_id")))
    assert "Client" not in text
    assert "BTC-USD" in text


@pytest.mark.usefixtures("narrow")
def test_what_does_not_fit_is_shown_item_by_item() -> None:
    lines = [line.split() for line in _text(table([ORDER], ORDER_COLUMNS)).splitlines()]
    assert lines[:4] == [
        ["Order", "7"],
        ["Client", "x" * 20],
        ["Symbol", "BTC-USD"],
        ["Price", "1"],
    ]


def test_a_record_leaves_out_what_is_absent() -> None:
    text = _text(record(Order(order_id="7", create_time_ns=NS)))
    assert "order id" in text
    assert "2015-05-01 00:00:04" in text
    assert "expire time" not in text
    assert "quote quantity" not in text
