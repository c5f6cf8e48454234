"""From requests to commands: nothing is lost or invented, equal numbers become equal text."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import market_pb2, order_pb2, order_service_pb2
from tradewire_server.api.convert import (
    amend_command,
    cancel_all_command,
    cancel_command,
    instrument_of,
    place_command,
    rate,
    time_ns,
)
from tradewire_server.api.encode import instrument_message
from tradewire_server.api.errors import ApiError
from tradewire_server.engine import vocabulary
from tradewire_server.engine.commands import AmendOrder, CancelAllOrders, CancelOrder, PlaceOrder
from tradewire_server.engine.vocabulary import (
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

from tests.support.failures import Failure, failure_of
from tests.support.trading import BUY, amend, cancel, limit, market
from tests.support.venue import BTC_USD

ASSETS = {"BTC": 8, "USD": 10}


def refusal(error: ApiError) -> Failure:
    return failure_of(error.status)


@pytest.mark.parametrize(
    ("ours", "contract"),
    [
        (vocabulary.Side, order_pb2.Side),
        (vocabulary.OrderType, order_pb2.OrderType),
        (vocabulary.TimeInForce, order_pb2.TimeInForce),
        (vocabulary.PostOnly, order_pb2.PostOnly),
        (vocabulary.SelfTradePrevention, order_pb2.SelfTradePrevention),
        (vocabulary.OrderStatus, order_pb2.OrderStatus),
        (vocabulary.ExecutionType, order_pb2.ExecutionType),
        (vocabulary.Liquidity, order_pb2.Liquidity),
        (vocabulary.InstrumentStatus, market_pb2.InstrumentStatus),
    ],
)
def test_the_engines_words_are_those_of_the_contract(ours: Any, contract: Any) -> None:
    values = contract.DESCRIPTOR.values
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    named = {value.name.removeprefix(prefix): value.number for value in values}
    found = {member.name: int(member) for member in ours}
    assert found.items() <= named.items()
    assert {name for name, number in named.items() if number} <= found.keys()


def test_an_order_is_taken_over_whole() -> None:
    request = order_service_pb2.PlaceOrderRequest(
        client_order_id="a-1",
        symbol="BTC-USD",
        side=order_pb2.SIDE_SELL,
        type=order_pb2.ORDER_TYPE_LIMIT,
        time_in_force=order_pb2.TIME_IN_FORCE_GTD,
        quantity="01.50",
        price="100.0",
        expire_time=Timestamp(seconds=5, nanos=7),
        post_only=order_pb2.POST_ONLY_REPRICE,
        self_trade_prevention=order_pb2.SELF_TRADE_PREVENTION_DECREMENT,
        account="alice",
        valid_until=Timestamp(seconds=9),
    )
    assert place_command(request, "alice", "1-1") == PlaceOrder(
        "alice",
        "a-1",
        "BTC-USD",
        Side.SELL,
        OrderType.LIMIT,
        TimeInForce.GTD,
        "1.5",
        "",
        "100",
        5_000_000_007,
        PostOnly.REPRICE,
        SelfTradePrevention.DECREMENT,
        "1-1",
    )


def test_the_time_in_force_depends_on_the_type_when_it_is_not_set() -> None:
    assert place_command(limit("a"), "alice", "").time_in_force is TimeInForce.GTC
    assert place_command(market("a", quantity="1"), "alice", "").time_in_force is TimeInForce.IOC


def test_what_is_absent_is_empty_and_what_is_zero_is_there() -> None:
    by_amount = place_command(market("a", BUY, quote_quantity="0.0"), "alice", "")
    assert (by_amount.quantity, by_amount.quote_quantity, by_amount.price) == ("", "0", "")


def test_amends_and_cancels_name_their_order_one_way() -> None:
    assert amend_command(amend("a-2", "a-1", quantity="2.0"), "alice") == AmendOrder(
        "alice", "a-2", 0, "a-1", "2", ""
    )
    by_id = order_service_pb2.AmendOrderRequest(client_order_id="a-2", order_id="17", price="1.10")
    assert amend_command(by_id, "alice") == AmendOrder("alice", "a-2", 17, "", "", "1.1")
    assert cancel_command(cancel("a-1", "a-2"), "alice") == CancelOrder("alice", "a-2", 0, "a-1")


@pytest.mark.parametrize("order_id", ["0", "000"])
def test_the_order_0_is_not_there(order_id: str) -> None:
    with pytest.raises(ApiError) as error:
        cancel_command(order_service_pb2.CancelOrderRequest(order_id=order_id), "alice")
    assert (refusal(error.value).reason, refusal(error.value).fields) == (
        "ORDER_NOT_FOUND",
        ("order_id",),
    )


def test_canceling_all_of_no_side_means_both() -> None:
    request = order_service_pb2.CancelAllOrdersRequest(symbol="BTC-USD")
    assert cancel_all_command(request, "alice") == CancelAllOrders("alice", "BTC-USD", None)
    request.side = order_pb2.SIDE_SELL
    assert cancel_all_command(request, "alice").side is Side.SELL


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (Timestamp(seconds=5, nanos=7), 5_000_000_007),
        (Timestamp(), 1),
        (Timestamp(seconds=-10), 1),
        (Timestamp(seconds=253_402_300_799, nanos=999_999_999), 253_402_300_799_999_999_999),
    ],
)
def test_a_time_that_is_set_is_never_absent(time: Timestamp, expected: int) -> None:
    assert time_ns(limit("a", valid_until=time), "valid_until") == expected


def test_a_time_that_is_not_set_is_absent() -> None:
    assert time_ns(limit("a"), "valid_until") == 0


@pytest.mark.parametrize(
    "time",
    [
        Timestamp(nanos=-1),
        Timestamp(nanos=10**9),
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=-62_135_596_801),
        Timestamp(seconds=-(1 << 63), nanos=-(1 << 31)),
    ],
)
def test_numbers_that_are_no_time_are_refused(time: Timestamp) -> None:
    with pytest.raises(ApiError) as error:
        time_ns(limit("a", valid_until=time), "valid_until")
    assert (refusal(error.value).reason, refusal(error.value).fields) == (
        "FIELD_INVALID",
        ("valid_until",),
    )


def test_rates_have_seven_decimals() -> None:
    assert rate("0.001", "maker_fee_rate") == 10_000
    assert rate("0.0000001", "maker_fee_rate") == 1
    assert rate("0.00000010", "maker_fee_rate") == 1
    with pytest.raises(ApiError) as error:
        rate("0.00000001", "maker_fee_rate")
    assert refusal(error.value).fields == ("maker_fee_rate",)


def test_an_instrument_survives_the_way_out_and_in() -> None:
    assert instrument_of(instrument_message(BTC_USD), ASSETS) == BTC_USD
    odd = BTC_USD._replace(
        tick_units=5,
        lot_units=25,
        lot_decimals=3,
        minimum_quantity_lots=4,
        price_band_ppm=123_456,
        status=vocabulary.InstrumentStatus.POST_ONLY,
    )
    assert instrument_of(instrument_message(odd), ASSETS) == odd


def test_an_instrument_without_a_status_trades() -> None:
    message = instrument_message(BTC_USD)
    message.ClearField("status")
    assert instrument_of(message, ASSETS).status is vocabulary.InstrumentStatus.TRADING


@pytest.mark.parametrize(
    ("field", "value", "blamed", "reason"),
    [
        ("base_asset", "XXX", "base_asset", "ASSET_NOT_FOUND"),
        ("quote_asset", "XXX", "quote_asset", "ASSET_NOT_FOUND"),
        ("symbol", "BTC-EUR", "symbol", "FIELD_INVALID"),
        ("tick_size", "0", "tick_size", "FIELD_INVALID"),
        ("tick_size", "-1", "tick_size", "FIELD_INVALID"),
        ("tick_size", "", "tick_size", "FIELD_INVALID"),
        ("lot_size", "1.2.3", "lot_size", "FIELD_INVALID"),
        ("minimum_quantity", "0.00005", "minimum_quantity", "FIELD_INVALID"),
        ("maximum_notional", "1e5", "maximum_notional", "FIELD_INVALID"),
        ("price_band_percent", "0.00001", "price_band_percent", "FIELD_INVALID"),
    ],
)
def test_the_field_that_makes_an_instrument_impossible_is_named(
    field: str, value: str, blamed: str, reason: str
) -> None:
    message = instrument_message(BTC_USD)
    setattr(message, field, value)
    with pytest.raises(ApiError) as error:
        instrument_of(message, ASSETS)
    found = refusal(error.value)
    assert (found.reason, found.fields) == (reason, (f"instrument.{blamed}",))


def test_a_quantity_that_is_no_multiple_of_the_lot_is_named() -> None:
    message = instrument_message(BTC_USD._replace(lot_units=3))
    message.maximum_quantity = "0.0004"
    with pytest.raises(ApiError) as error:
        instrument_of(message, ASSETS)
    assert refusal(error.value).fields == ("instrument.maximum_quantity",)
