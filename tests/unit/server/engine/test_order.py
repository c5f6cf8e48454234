"""The life cycle is a table: what is in it happens, everything else cannot."""

import itertools

import pytest
from tradewire_server.engine.events import OrderAccepted
from tradewire_server.engine.order import FINAL_STATUSES, LIFE_CYCLE, Order, Trigger
from tradewire_server.engine.vocabulary import OrderStatus, Side

from tests.support.bare_venue import BareVenue, limit, market

OPEN = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


@pytest.mark.parametrize(("status", "trigger"), list(itertools.product(OrderStatus, Trigger)))
def test_life_cycle(status: OrderStatus, trigger: Trigger) -> None:
    if status not in OPEN:
        with pytest.raises(KeyError):
            LIFE_CYCLE[status, trigger]
        return
    expected = {
        Trigger.FILL_PART: OrderStatus.PARTIALLY_FILLED,
        Trigger.FILL_REST: OrderStatus.FILLED,
        Trigger.AMEND: status,
        Trigger.REDUCE: status,
        Trigger.CANCEL: OrderStatus.CANCELED,
        Trigger.EXPIRE: OrderStatus.EXPIRED,
    }
    assert LIFE_CYCLE[status, trigger] is expected[trigger]


def test_final_statuses_are_those_from_which_nothing_leads_on() -> None:
    assert set(OrderStatus) - {status for status, _ in LIFE_CYCLE} == FINAL_STATUSES


def _order(venue: BareVenue, terms: OrderAccepted) -> Order:
    return Order(terms, venue.state.accounts["ann"], venue.state.markets["BTC-USD"], 5)


def test_order_begins_with_its_terms() -> None:
    venue = BareVenue()
    venue.account("ann", maker_rate=10_000, taker_rate=20_000, USD="1000")
    (terms,) = venue.accept(limit("ann", "a1", Side.BUY, "3@100"))
    assert isinstance(terms, OrderAccepted)
    order = _order(venue, terms)
    assert (order.client_order_id, order.original_client_order_id) == ("a1", "a1")
    assert (order.price_ticks, order.quantity_lots, order.leaves_lots) == (100, 3, 3)
    assert (order.filled_lots, order.filled_tick_lots, order.fee) == (0, 0, 0)
    assert (order.status, order.priority) == (OrderStatus.NEW, order.order_id)


def test_purchase_holds_notional_and_highest_fee() -> None:
    venue = BareVenue()
    venue.account("ann", maker_rate=10_000, taker_rate=20_000, USD="1000")
    venue.accept(limit("ann", "a1", Side.BUY, "3@100"))
    order = venue.state.accounts["ann"].client_order_ids["a1"]
    assert order.hold() == ("USD", 300_00 + 60)


def test_sale_holds_its_base() -> None:
    venue = BareVenue()
    venue.account("ann", taker_rate=20_000, BTC="5")
    venue.accept(limit("ann", "a1", Side.SELL, "3@100"))
    order = venue.state.accounts["ann"].client_order_ids["a1"]
    assert order.hold() == ("BTC", 3_000)


@pytest.mark.parametrize(("side", "asset"), [(Side.BUY, "USD"), (Side.SELL, "BTC")])
def test_market_order_holds_nothing(side: Side, asset: str) -> None:
    venue = BareVenue()
    venue.account("ann", BTC="5")
    terms = venue.accept(market("ann", "a1", side, "3"))[0]
    assert isinstance(terms, OrderAccepted)
    assert _order(venue, terms).hold() == (asset, 0)
