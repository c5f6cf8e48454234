"""Every way in which a new order is refused: reason, text and field; and nothing happens."""

from typing import Any

import pytest
from tradewire_server.engine.commands import PlaceOrder, Refused
from tradewire_server.engine.events import OrderAccepted
from tradewire_server.engine.vocabulary import (
    OrderType,
    PostOnly,
    Reason,
    Side,
    TimeInForce,
)

from tests.support.bare_venue import START_NS, BareVenue, limit, market

BUY = Side.BUY
LIMIT_TIMES = [TimeInForce.GTC, TimeInForce.GTD, TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK]


def small_venue() -> BareVenue:
    """Return a venue where ann has money and an order called `taken`."""
    venue = BareVenue()
    venue.account("ann", BTC="10", USD="10000")
    venue.tell(limit("ann", "taken", BUY, "1@90"))
    return venue


GOOD = limit("ann", "new", BUY, "1@90")
GOOD_MARKET = market("ann", "new", BUY, "1")
GOOD_AMOUNT = market("ann", "new", BUY, quote_quantity="100")
CONFLICT = Reason.FIELDS_CONFLICT
EXPIRE_TIME_WRONG = Refused(
    Reason.EXPIRE_TIME_INVALID,
    "expire_time must be set for GTD only, in the future and before the year 2262",
    "expire_time",
)
NEVER_RESTS = Refused(
    CONFLICT, "a market order never rests: time_in_force must be IOC or FOK", "time_in_force"
)
EITHER = Refused(CONFLICT, "a market order needs either quantity or quote_quantity", "quantity")
OUT_OF_NOTIONAL = "price times quantity is not between 1 and 1000000 USD"

REFUSALS: list[tuple[PlaceOrder, dict[str, Any], Refused]] = [
    (
        GOOD,
        {"symbol": "NO-NO"},
        Refused(Reason.INSTRUMENT_NOT_FOUND, "there is no instrument NO-NO", "symbol"),
    ),
    (
        GOOD,
        {"account": "nobody"},
        Refused(Reason.ACCOUNT_NOT_FOUND, "there is no account nobody", "account"),
    ),
    (
        GOOD,
        {"client_order_id": "taken"},
        Refused(
            Reason.CLIENT_ORDER_ID_REUSED,
            "a working order has the client order id taken",
            "client_order_id",
        ),
    ),
    # A limit order.
    (GOOD, {"price": ""}, Refused(CONFLICT, "a limit order needs a price", "price")),
    (GOOD, {"quantity": ""}, Refused(CONFLICT, "a limit order needs a quantity", "quantity")),
    (
        GOOD,
        {"quote_quantity": "5"},
        Refused(CONFLICT, "quote_quantity is for market orders only", "quote_quantity"),
    ),
    *(
        (
            GOOD,
            {"post_only": post_only, "time_in_force": time_in_force},
            Refused(CONFLICT, "a post-only order cannot be IOC or FOK", "post_only"),
        )
        for post_only in (PostOnly.REJECT, PostOnly.REPRICE)
        for time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
    ),
    # A market order.
    (GOOD_MARKET, {"price": "90"}, Refused(CONFLICT, "a market order has no price", "price")),
    (GOOD_MARKET, {"quantity": ""}, EITHER),
    (GOOD_MARKET, {"quote_quantity": "5"}, EITHER),
    *(
        (GOOD_MARKET, {"time_in_force": time_in_force}, NEVER_RESTS)
        for time_in_force in (TimeInForce.GTC, TimeInForce.GTD, TimeInForce.DAY)
    ),
    (
        GOOD_AMOUNT,
        {"time_in_force": TimeInForce.FOK},
        Refused(CONFLICT, "a market order by quote_quantity must be IOC", "time_in_force"),
    ),
    (
        GOOD_MARKET,
        {"post_only": PostOnly.REJECT},
        Refused(CONFLICT, "a market order cannot be post-only", "post_only"),
    ),
    # Numbers.
    (
        GOOD,
        {"price": "90.5"},
        Refused(Reason.PRICE_OFF_TICK, "price is not a multiple of the tick size 1", "price"),
    ),
    (
        GOOD,
        {"price": "0.000"},
        Refused(Reason.PRICE_OUT_OF_RANGE, "price is zero or too large", "price"),
    ),
    (
        GOOD,
        {"price": "1000001"},
        Refused(Reason.PRICE_OUT_OF_RANGE, "price is zero or too large", "price"),
    ),
    (
        GOOD,
        {"quantity": "1.5"},
        Refused(
            Reason.QUANTITY_OFF_LOT, "quantity is not a multiple of the lot size 1", "quantity"
        ),
    ),
    (
        GOOD_MARKET,
        {"quantity": "0"},
        Refused(Reason.QUANTITY_OUT_OF_RANGE, "quantity is not between 1 and 1000", "quantity"),
    ),
    (
        GOOD_MARKET,
        {"quantity": "1001"},
        Refused(Reason.QUANTITY_OUT_OF_RANGE, "quantity is not between 1 and 1000", "quantity"),
    ),
    (
        GOOD,
        {"quantity": "1000", "price": "1001"},
        Refused(Reason.NOTIONAL_OUT_OF_RANGE, OUT_OF_NOTIONAL, "price"),
    ),
    (
        GOOD_AMOUNT,
        {"quote_quantity": "0.99"},
        Refused(Reason.NOTIONAL_OUT_OF_RANGE, OUT_OF_NOTIONAL, "quote_quantity"),
    ),
    (
        GOOD_AMOUNT,
        {"quote_quantity": "0"},
        Refused(Reason.NOTIONAL_OUT_OF_RANGE, OUT_OF_NOTIONAL, "quote_quantity"),
    ),
    (
        GOOD_AMOUNT,
        {"quote_quantity": "1000000.01"},
        Refused(Reason.NOTIONAL_OUT_OF_RANGE, OUT_OF_NOTIONAL, "quote_quantity"),
    ),
    (
        GOOD_AMOUNT,
        {"quote_quantity": "10.001"},
        Refused(Reason.FIELD_INVALID, "quote_quantity has more than 2 decimals", "quote_quantity"),
    ),
    # Times.
    (GOOD, {"time_in_force": TimeInForce.GTD}, EXPIRE_TIME_WRONG),
    (GOOD, {"time_in_force": TimeInForce.GTD, "expire_time_ns": START_NS}, EXPIRE_TIME_WRONG),
    (GOOD, {"time_in_force": TimeInForce.GTD, "expire_time_ns": 1 << 63}, EXPIRE_TIME_WRONG),
    *(
        (
            GOOD,
            {"time_in_force": time_in_force, "expire_time_ns": START_NS + 1},
            EXPIRE_TIME_WRONG,
        )
        for time_in_force in LIMIT_TIMES
        if time_in_force is not TimeInForce.GTD
    ),
    (GOOD_MARKET, {"expire_time_ns": START_NS + 1}, EXPIRE_TIME_WRONG),
]


@pytest.mark.parametrize(("good", "changes", "refused"), REFUSALS)
def test_refused_order_leaves_no_trace(
    good: PlaceOrder, changes: dict[str, Any], refused: Refused
) -> None:
    venue = small_venue()
    before = venue.state.state_hash()
    assert venue.do(good._replace(**changes)) == refused
    assert venue.state.state_hash() == before
    assert len(venue.recorder.executions) == 1


@pytest.mark.parametrize("good", [GOOD, GOOD_MARKET, GOOD_AMOUNT])
def test_the_orders_of_the_table_are_good_without_the_change(good: PlaceOrder) -> None:
    assert isinstance(small_venue().accept(good)[0], OrderAccepted)


@pytest.mark.parametrize(
    "changes",
    [
        {"time_in_force": TimeInForce.GTD, "expire_time_ns": START_NS + 1},
        {"time_in_force": TimeInForce.GTD, "expire_time_ns": (1 << 63) - 1},
        {"time_in_force": TimeInForce.DAY},
        {"time_in_force": TimeInForce.IOC},
        {"time_in_force": TimeInForce.FOK},
        {"post_only": PostOnly.REJECT, "time_in_force": TimeInForce.DAY},
        {"price": "1", "quantity": "1"},
        {"price": "9", "quantity": "1000"},
        {"price": "0090.00", "quantity": "01.0"},
        {"type": OrderType.MARKET, "price": "", "time_in_force": TimeInForce.FOK},
    ],
)
def test_bounds_are_accepted(changes: dict[str, Any]) -> None:
    assert isinstance(small_venue().accept(GOOD._replace(**changes))[0], OrderAccepted)


def test_client_order_id_is_free_again_when_the_order_is_closed() -> None:
    """The look-up before the engine remembers for longer; the engine only guards its index."""
    venue = small_venue()
    venue.account("bob", BTC="10")
    venue.tell(limit("bob", "b1", Side.SELL, "1@90"))
    assert isinstance(venue.accept(GOOD._replace(client_order_id="taken"))[0], OrderAccepted)
