"""Values are the contract's messages, frozen, with decimals and exact times."""

import dataclasses
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tradewire_client as tw
from hypothesis import given
from hypothesis import strategies as st
from tradewire.v1 import account_pb2, market_pb2
from tradewire_client import _values
from tradewire_client._gen.google.protobuf import Timestamp
from tradewire_client._gen.tradewire import v1
from tradewire_client._times import datetime_of, nanoseconds_of

from tests.unit.client.fake_venue import execution, order

ROOT = Path(__file__).resolve().parents[3]
GENERATOR = ROOT / "clients" / "python" / "generate_values.py"


def test_the_values_are_those_of_the_contract_as_it_is() -> None:
    result = subprocess.run(
        [sys.executable, GENERATOR, "--check"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, ""), "run clients/python/generate_values.py"


def test_an_execution_is_read_whole() -> None:
    message = execution(
        7,
        last_quantity="0.25",
        last_price="100.50",
        trade_id=3,
        liquidity=2,
        last_fee="0.02513",
        reason=82,
        counter_order_id="99",
        priority_kept=False,
    )
    value = tw.Execution.from_message(v1.Execution.parse(message.SerializeToString()))

    assert value == tw.Execution(
        sequence=7,
        execution_id="7",
        type=tw.ExecutionType.NEW,
        order=tw.Order(
            order_id="7",
            client_order_id="c7",
            account="demo-1",
            symbol="BTC-USD",
            side=tw.Side.BUY,
            type=tw.OrderType.LIMIT,
            time_in_force=tw.TimeInForce.GTC,
            quantity=Decimal("0.5"),
            price=Decimal("100.25"),
            status=tw.OrderStatus.NEW,
            leaves_quantity=Decimal("0.5"),
        ),
        transact_time_ns=1_760_000_000_123_456_789,
        last_quantity=Decimal("0.25"),
        last_price=Decimal("100.50"),
        trade_id=3,
        liquidity=tw.Liquidity.TAKER,
        last_fee=Decimal("0.02513"),
        reason=tw.Reason.SELF_TRADE_PREVENTED,
        counter_order_id="99",
        priority_kept=False,
    )


def test_times_are_aware_and_keep_their_nanoseconds() -> None:
    value = tw.Execution.from_message(v1.Execution.parse(execution(1).SerializeToString()))
    assert value.transact_time == datetime(2025, 10, 9, 8, 53, 20, 123456, tzinfo=UTC)
    assert value.transact_time_ns == 1_760_000_000_123_456_789


def test_what_may_be_absent_is_none() -> None:
    value = tw.Order.from_message(v1.Order.parse(order(price=None).SerializeToString()))
    assert (value.price, value.quote_quantity, value.expire_time) == (None, None, None)
    ticker = tw.Ticker.from_message(v1.Ticker.parse(b""))
    assert (ticker.best_bid, ticker.last_price) == (None, None)


def test_signed_decimals_are_read() -> None:
    message = account_pb2.Position(symbol="BTC-USD", quantity="-0.5", realized_pnl="-12.25")
    value = tw.Position.from_message(v1.Position.parse(message.SerializeToString()))
    assert (value.quantity, value.realized_pnl) == (Decimal("-0.5"), Decimal("-12.25"))


def test_an_enum_value_of_a_newer_contract_is_kept() -> None:
    message = market_pb2.Instrument(symbol="BTC-USD")
    raw = message.SerializeToString() + bytes([12 << 3, 77])
    value = tw.Instrument.from_message(v1.Instrument.parse(raw))
    assert int(value.status) == 77


@pytest.mark.parametrize("name", [n for n in tw.__all__ if hasattr(_values, n)])
def test_values_are_frozen_and_can_be_made_by_users(name: Any) -> None:
    value = getattr(tw, name)()
    first = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, first, None)
    assert dataclasses.replace(value) == value


def test_every_value_is_public() -> None:
    defined = {name for name, value in vars(_values).items() if dataclasses.is_dataclass(value)}
    # Known by the name that says what it is.
    assert tw.CanceledOrders is _values.CancelAllOrdersResponse
    assert defined - {"CancelAllOrdersResponse"} <= set(tw.__all__)


@given(st.integers(0, 4_102_444_800 * 10**9))
def test_every_nanosecond_survives_the_wire(nanoseconds: Any) -> None:
    seconds, nanos = divmod(nanoseconds, 10**9)
    wrapped = Timestamp.parse(bytes(Timestamp(seconds=seconds, nanos=nanos))).to_wrapped()
    assert nanoseconds_of(wrapped, absent=0) == nanoseconds
    assert datetime_of(nanoseconds) == wrapped


def test_a_plain_datetime_counts_in_microseconds() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert datetime_of(nanoseconds_of(moment, absent=0)) == moment
    elsewhere = moment.astimezone(tz=datetime.now().astimezone().tzinfo)
    assert nanoseconds_of(elsewhere, absent=0) == nanoseconds_of(moment, absent=0)
    assert (
        nanoseconds_of(moment + timedelta(days=1), absent=0) - nanoseconds_of(moment, absent=0)
        == 86_400 * 10**9
    )


def test_a_value_shows_what_is_set() -> None:
    value = tw.Order(order_id="7", side=tw.Side.BUY, price=Decimal("100.25"))
    assert repr(value) == "Order(order_id='7', side=Side.BUY, price=Decimal('100.25'))"
    answer = tw.OrderAnswer(order_id="7", as_of_sequence=3)
    assert repr(answer) == "OrderAnswer(order_id='7', as_of_sequence=3)"
