"""Cancels of one order, of many, of a connection, of orphans; and what ends by itself."""

import pytest
from tradewire_server.engine.commands import (
    CancelAllOrders,
    CancelConnection,
    CancelOrder,
    CancelOrphans,
    Command,
    ExpireOrders,
    Refused,
)
from tradewire_server.engine.decide import decide
from tradewire_server.engine.events import OrderCanceled
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.vocabulary import Reason, Side, TimeInForce

from tests.support.bare_venue import BTC_USD, SECOND_NS, BareVenue, cancel, limit
from tests.support.replay import through_snapshot

BUY, SELL = Side.BUY, Side.SELL
ETH_USD: Instrument = BTC_USD._replace(symbol="ETH-USD", base_asset="ETH")


def venue_with_orders() -> BareVenue:
    """Return a venue in which ann and bob have orders in two instruments, by two connections."""
    venue = BareVenue(BTC_USD, ETH_USD)
    for name in ("ann", "bob"):
        venue.account(name, BTC="100", ETH="100", USD="10000")
    venue.tell(
        limit("ann", "a1", BUY, "1@90", connection="c1"),
        limit("ann", "a2", SELL, "1@110", connection="c2"),
        limit("bob", "b1", BUY, "1@91", connection="c1"),
        limit("ann", "a3", BUY, "1@92", symbol="ETH-USD"),
        limit("ann", "a4", SELL, "1@112", symbol="ETH-USD", connection="c1"),
    )
    return venue


def names(lines: list[str]) -> list[str]:
    """Return the client order ids of lines that all say CANCELED."""
    assert all(line.split()[1] == "CANCELED" for line in lines)
    return [line.split()[2] for line in lines]


def test_cancel_frees_what_was_held() -> None:
    venue = venue_with_orders()
    assert venue.total("ann", "USD") == (10_000_00, 90_00 + 92_00)
    assert venue.tell(cancel("ann", "a1", "x1")) == [
        "ann CANCELED a1 buy 0/1@90 CANCELED, USER_CANCELED, by x1"
    ]
    assert venue.total("ann", "USD") == (10_000_00, 92_00)
    assert venue.tell(cancel("ann", "a2")) == [
        "ann CANCELED a2 sell 0/1@110 CANCELED, USER_CANCELED"
    ]
    assert venue.total("ann", "BTC") == (100_000, 0)


def test_cancel_names_the_order_by_its_id_too() -> None:
    venue = venue_with_orders()
    order_id = venue.order_id("ann", "a3")
    assert venue.accept(CancelOrder("ann", "x1", order_id)) == [
        OrderCanceled(order_id, Reason.USER_CANCELED, "x1")
    ]


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        (
            cancel("nobody", "a1"),
            Refused(Reason.ACCOUNT_NOT_FOUND, "there is no account nobody", "account"),
        ),
        (
            cancel("bob", "a1"),
            Refused(
                Reason.ORDER_NOT_FOUND,
                "there is no order with the client order id a1",
                "original_client_order_id",
            ),
        ),
        (
            CancelOrder("bob", "", 12),
            Refused(Reason.ORDER_NOT_FOUND, "there is no order 12", "order_id"),
        ),
        (
            CancelAllOrders("nobody"),
            Refused(Reason.ACCOUNT_NOT_FOUND, "there is no account nobody", "account"),
        ),
        (
            CancelAllOrders("ann", "NO-NO"),
            Refused(Reason.INSTRUMENT_NOT_FOUND, "there is no instrument NO-NO", "symbol"),
        ),
    ],
)
def test_refused_cancel_names_what_is_wrong(command: Command, refused: Refused) -> None:
    venue = venue_with_orders()
    before = venue.state.state_hash()
    assert venue.do(command) == refused
    assert venue.state.state_hash() == before


def test_closed_order_cannot_be_canceled_again() -> None:
    venue = venue_with_orders()
    venue.tell(cancel("ann", "a1"))
    answer = venue.do(cancel("ann", "a1"))
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.ORDER_NOT_FOUND


@pytest.mark.parametrize(
    ("command", "canceled"),
    [
        (CancelAllOrders("ann"), ["a1", "a2", "a3", "a4"]),
        (CancelAllOrders("ann", "BTC-USD"), ["a1", "a2"]),
        (CancelAllOrders("ann", "", BUY), ["a1", "a3"]),
        (CancelAllOrders("ann", "ETH-USD", SELL), ["a4"]),
        (CancelAllOrders("bob", "ETH-USD"), []),
    ],
)
def test_mass_cancel_takes_what_it_names(command: CancelAllOrders, canceled: list[str]) -> None:
    venue = venue_with_orders()
    lines = venue.tell(command)
    assert names(lines) == canceled
    assert all(line.endswith("CANCELED, MASS_CANCELED") for line in lines)


def test_lost_connection_takes_only_its_own_orders() -> None:
    venue = venue_with_orders()
    assert venue.tell(CancelConnection("c1")) == [
        "ann CANCELED a1 buy 0/1@90 CANCELED, DISCONNECTED",
        "bob CANCELED b1 buy 0/1@91 CANCELED, DISCONNECTED",
        "ann CANCELED a4 sell 0/1@112 CANCELED, DISCONNECTED",
    ]
    assert list(venue.state.connections) == ["c2"]
    assert venue.tell(CancelConnection("c1")) == []


def test_orphans_are_the_orders_of_all_connections_oldest_first() -> None:
    venue = venue_with_orders()
    assert names(venue.tell(CancelOrphans())) == ["a1", "a2", "b1", "a4"]
    assert venue.state.connections == {}
    assert names(venue.tell(CancelAllOrders("ann"))) == ["a3"]


@pytest.mark.parametrize("command", [CancelAllOrders("ann"), CancelOrphans()])
def test_recovered_venue_cancels_in_the_same_order(command: Command) -> None:
    venue = venue_with_orders()
    # a1 goes behind the others in the queue, not in age.
    venue.accept(cancel("ann", "a2"))
    amended = venue.state.accounts["ann"].client_order_ids["a1"]
    amended.priority = 10_000
    recovered = through_snapshot(venue.state)
    assert decide(recovered, command, venue.now_ns) == venue.decide(command)


def test_nothing_is_due_when_nothing_expires() -> None:
    venue = venue_with_orders()
    assert venue.accept(ExpireOrders()) == []


def test_canceled_order_does_not_expire() -> None:
    venue = venue_with_orders()
    for name, seconds in (("e1", 1), ("e2", 2)):
        ends = venue.now_ns + seconds * SECOND_NS
        venue.tell(limit("ann", name, BUY, "1@80", TimeInForce.GTD, expire_time_ns=ends))
    venue.tell(cancel("ann", "e2"))
    venue.now_ns += 5 * SECOND_NS
    assert venue.tell(ExpireOrders()) == ["ann EXPIRED e1 buy 0/1@80 EXPIRED, EXPIRED"]
    assert venue.state.expiries == []
