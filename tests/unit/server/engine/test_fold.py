"""What events do: money to the last unit, executions, ledger entries, and what cannot have been."""

from collections.abc import Callable

import pytest
from tradewire_server.engine.commands import CancelAllOrders, UpdateAccount
from tradewire_server.engine.events import (
    Event,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderReduced,
    OrderRejected,
    OrderTraded,
    Withdrawn,
)
from tradewire_server.engine.fold import LATEST_IDS_MAX, fold
from tradewire_server.engine.listener import Listener
from tradewire_server.engine.vocabulary import (
    ExecutionType,
    Liquidity,
    OrderStatus,
    PostOnly,
    Reason,
    Side,
    TimeInForce,
)

from tests.support.bare_venue import START_NS, BareVenue, amend, cancel, limit, market

BUY, SELL = Side.BUY, Side.SELL


def venue_with_fees() -> BareVenue:
    """Return a venue where ann sells (maker 0.1 %, taker 0.3 %) and bob buys (0.2 %, 0.4 %)."""
    venue = BareVenue()
    venue.account("ann", maker_rate=10_000, taker_rate=30_000, BTC="100")
    venue.account("bob", maker_rate=20_000, taker_rate=40_000, USD="10000")
    return venue


# --- money ----------------------------------------------------------------------------------------


def test_trade_moves_base_against_quote_and_fees() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "5@100"))
    assert venue.total("ann", "BTC") == (100_000, 5_000)
    assert venue.entries(lambda: venue.tell(limit("bob", "b1", BUY, "2@101"))) == [
        "bob TRADE BTC +2000=2000 USD -20080=979920 fee 80",
        "ann TRADE BTC -2000=98000 USD +19980=19980 fee 20",
    ]
    assert venue.total("ann", "BTC") == (98_000, 3_000)
    assert venue.total("bob", "USD") == (9_799_20, 0)
    assert venue.total("fees", "USD") == (100, 0)


def test_better_price_frees_the_difference_at_the_end() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "2@100"))
    # 5 x 110 = 550.00 and 0.4 % of it are held.
    venue.tell(limit("bob", "b1", BUY, "5@110"))
    # 2 x 100 were paid with 0.80; 3 x 110 and what is left of the fee hold stay.
    assert venue.total("bob", "USD") == (10_000_00 - 200_00 - 80, 330_00 + 220 - 80)
    venue.tell(cancel("bob", "b1"))
    assert venue.total("bob", "USD") == (9_799_20, 0)


def test_maker_fee_of_a_purchase_comes_out_of_its_hold() -> None:
    venue = venue_with_fees()
    venue.tell(limit("bob", "b1", BUY, "5@100"))
    assert venue.total("bob", "USD") == (10_000_00, 500_00 + 200)
    assert venue.tell(limit("ann", "a1", SELL, "2@100"))[1:] == [
        "ann TRADE a1 sell 2/2@100 FILLED, taker 2@100 fee 60",
        "bob TRADE b1 buy 2/5@100 PARTIALLY_FILLED leaves 3, maker 2@100 fee 40",
    ]
    assert venue.total("bob", "USD") == (9_799_60, 300_00 + 160)


@pytest.mark.parametrize("taking", [False, True])
def test_rounded_fees_of_many_fills_never_exceed_the_hold(taking: bool) -> None:
    venue = BareVenue()
    venue.account("ann", BTC="100")
    # Each fill of 1 USD costs 0.15 cents: one when rounded up. Ten at once: 1.5, rounded up two.
    venue.account("bob", maker_rate=15_000, taker_rate=15_000, USD="10.02")
    sales = [limit("ann", f"a{number}", SELL, "1@1") for number in range(10)]
    purchase = limit("bob", "b1", BUY, "10@1")
    lines = venue.tell(*sales, purchase) if taking else venue.tell(purchase, *sales)
    fees = [int(line.rpartition("fee ")[2]) for line in lines if line.startswith("bob TRADE")]
    assert fees == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert venue.total("bob", "USD") == (0, 0)
    assert venue.total("fees", "USD") == (2, 0)


def test_market_purchase_pays_each_fee_rounded_up() -> None:
    venue = BareVenue()
    venue.account("ann", BTC="100")
    venue.account("bob", taker_rate=15_000, USD="1000")
    for number in range(3):
        venue.tell(limit("ann", f"a{number}", SELL, "1@1"))
    venue.tell(market("bob", "b1", BUY, "3"))
    assert venue.total("bob", "USD") == (1_000_00 - 3_00 - 3, 0)


def test_nothing_stays_held_when_all_is_closed() -> None:
    venue = venue_with_fees()
    venue.account("cat", maker_rate=70_001, taker_rate=3, USD="5000", BTC="50")
    venue.tell(
        limit("ann", "a1", SELL, "5@100"),
        limit("cat", "c1", BUY, "7@99"),
        limit("bob", "b1", BUY, "3@101"),
        limit("cat", "c2", SELL, "9@99"),
        limit("bob", "b2", BUY, "3@103", TimeInForce.IOC),
        CancelAllOrders("ann"),
        CancelAllOrders("bob"),
        CancelAllOrders("cat"),
    )
    for account in venue.state.accounts.values():
        assert {asset: b.held for asset, b in account.balances.items() if b.held} == {}
    for asset, paid_in in (("BTC", 150_000), ("USD", 15_000_00)):
        totals = [account.balance(asset).total for account in venue.state.accounts.values()]
        assert sum(totals) == paid_in


def test_new_fees_hold_for_new_orders() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "1@100"))
    venue.accept(UpdateAccount("ann", maker_rate=500_000))
    venue.tell(limit("ann", "a2", SELL, "1@100"))
    lines = venue.tell(limit("bob", "b1", BUY, "2@100"))
    assert [line.rpartition("fee ")[2] for line in lines if line.startswith("ann")] == ["10", "500"]


def test_positions_follow_the_trades() -> None:
    venue = venue_with_fees()
    venue.account("cat", BTC="10", USD="10000")
    venue.tell(
        limit("ann", "a1", SELL, "2@100"),
        limit("bob", "b1", BUY, "2@100"),
        limit("bob", "b2", SELL, "1@120"),
        limit("cat", "c1", BUY, "1@120"),
    )
    bob, ann = venue.position("bob"), venue.position("ann")
    assert (bob.quantity_lots, bob.cost, bob.realized) == (1, 100_00, 20_00)
    assert bob.unrealized(110_00) == 10_00
    # 0.4 % of 200 USD as taker and 0.2 % of 120 USD as maker.
    assert bob.fees == 80 + 24
    assert (ann.quantity_lots, ann.cost, ann.realized, ann.fees) == (-2, -200_00, 0, 20)


# --- executions -----------------------------------------------------------------------------------


def test_execution_tells_the_order_after_the_step() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "5@100"), limit("ann", "a2", SELL, "5@101"))
    venue.now_ns += 7
    venue.tell(limit("bob", "b1", BUY, "6@101"))
    taker, maker = venue.recorder.executions[-2:]
    trade = venue.state.event_number
    assert (taker.execution_id, maker.execution_id) == (2 * trade, 2 * trade + 1)
    assert (taker.sequence, maker.sequence) == (3, 4)
    assert (taker.type, taker.liquidity, maker.liquidity) == (
        ExecutionType.TRADE,
        Liquidity.TAKER,
        Liquidity.MAKER,
    )
    assert (taker.trade_id, maker.trade_id) == (2, 2)
    assert (taker.time_ns, taker.create_time_ns) == (START_NS + 7, START_NS + 7)
    assert (maker.time_ns, maker.create_time_ns) == (START_NS + 7, START_NS)
    assert (taker.filled_lots, taker.filled_tick_lots) == (6, 5 * 100 + 101)
    assert (taker.last_lots, taker.last_ticks, taker.last_fee) == (1, 101, 41)
    assert taker.fee == 200 + 41
    assert (taker.status, maker.status) == (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED)
    assert {row.order_reason for row in (taker, maker)} == {Reason.UNSPECIFIED}


def test_closed_order_carries_its_reason() -> None:
    venue = venue_with_fees()
    venue.tell(
        limit("ann", "a1", SELL, "5@100"),
        cancel("ann", "a1", "x1"),
        limit("ann", "a2", SELL, "999@100"),
    )
    new, canceled, rejected = venue.recorder.executions
    last = venue.state.event_number
    assert [row.execution_id for row in venue.recorder.executions] == [
        2 * last - 4,
        2 * last - 2,
        2 * last,
    ]
    assert new.execution_id == 2 * new.order_id
    assert (new.order_reason, new.reason) == (Reason.UNSPECIFIED, Reason.UNSPECIFIED)
    assert (canceled.order_reason, canceled.reason) == (Reason.USER_CANCELED, Reason.USER_CANCELED)
    assert (canceled.leaves_lots, canceled.command_client_order_id) == (0, "x1")
    assert rejected.order_reason is rejected.reason is Reason.INSUFFICIENT_FUNDS
    assert (rejected.status, rejected.leaves_lots) == (OrderStatus.REJECTED, 0)


def test_rejected_order_leaves_only_its_sequence() -> None:
    venue = venue_with_fees()
    before = venue.state.accounts["ann"].sequence
    venue.tell(limit("ann", "a1", SELL, "999@100"))
    account = venue.state.accounts["ann"]
    assert (account.sequence, account.orders, account.client_order_ids) == (before + 1, {}, {})
    assert venue.book() == ([], [])


def test_amended_order_is_known_by_its_first_and_latest_ids() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "first", SELL, "100@100"))
    for number in range(1, 31):
        venue.tell(amend("ann", "first", f"x{number}", f"{100 - number}@"))
    account = venue.state.accounts["ann"]
    latest = [f"x{number}" for number in range(31 - LATEST_IDS_MAX, 31)]
    assert list(account.client_order_ids) == ["first", *latest]
    order = account.client_order_ids["first"]
    assert order.client_order_ids == ("first", *latest)
    assert (order.client_order_id, order.original_client_order_id) == ("x30", "first")
    venue.tell(cancel("ann", "x20"))
    assert account.client_order_ids == {}


def test_changed_books_are_noted() -> None:
    venue = venue_with_fees()
    changed = venue.state.changed_books

    def changes(action: Callable[[], object]) -> bool:
        changed.clear()
        action()
        return changed == {"BTC-USD"}

    venue.account("cat", BTC="10", USD="1000")
    assert changes(lambda: venue.tell(limit("ann", "a1", SELL, "5@100")))
    assert changes(lambda: venue.tell(amend("ann", "a1", "a2", "4@")))
    assert changes(lambda: venue.tell(limit("bob", "b1", BUY, "1@100")))
    assert not changes(lambda: venue.tell(limit("bob", "b2", BUY, "1@99", TimeInForce.IOC)))
    assert not changes(lambda: venue.tell(market("cat", "c1", SELL, "1")))
    assert not changes(lambda: venue.tell(limit("bob", "b3", BUY, "9@9999")))
    assert changes(lambda: venue.tell(cancel("ann", "a1")))


def test_null_listener_hears_nothing_and_state_is_the_same() -> None:
    loud = venue_with_fees()
    loud.tell(limit("ann", "a1", SELL, "5@100"), limit("bob", "b1", BUY, "6@100"))
    silent = BareVenue()
    for event, time_ns in loud.events[silent.state.event_number :]:
        fold(silent.state, event, time_ns, Listener())
    assert silent.state.state_hash() == loud.state.state_hash()
    assert silent.recorder.executions == []


# --- what cannot have happened --------------------------------------------------------------------


def _accepted(venue: BareVenue) -> OrderAccepted:
    answer = venue.decide(limit("bob", "new", BUY, "1@90"))
    assert isinstance(answer, list)
    assert isinstance(answer[0], OrderAccepted)
    return answer[0]


def _rejected(venue: BareVenue) -> OrderRejected:
    answer = venue.decide(limit("bob", "new", BUY, "1@9999", post_only=PostOnly.REJECT))
    assert isinstance(answer, list)
    assert isinstance(answer[0], OrderRejected)
    return answer[0]


IMPOSSIBLE: list[tuple[str, Callable[[BareVenue, int, int], Event]]] = [
    (
        "number of its event",
        lambda venue, a1, b1: _accepted(venue)._replace(order_id=venue.state.event_number),
    ),
    (
        "number of its event",
        lambda venue, a1, b1: _rejected(venue)._replace(order_id=venue.state.event_number + 2),
    ),
    (
        "holds more than there is",
        lambda venue, a1, b1: _accepted(venue)._replace(quantity_lots=10_000),
    ),
    ("traded more than its leaves", lambda venue, a1, b1: OrderTraded(b1, a1, 100, 4, 0, 0)),
    (
        "spent more than there is",
        lambda venue, a1, b1: OrderTraded(b1, a1, 100, 3, 10_000_00, 0),
    ),
    ("spent more than there is", lambda venue, a1, b1: OrderTraded(b1, a1, 100, 3, 0, 301_00)),
    (
        "holds more than there is",
        lambda venue, a1, b1: OrderAmended(a1, "x", 100, 200, 0, False),
    ),
    (
        "lost more than its leaves",
        lambda venue, a1, b1: OrderReduced(a1, 6, b1, Reason.SELF_TRADE_PREVENTED),
    ),
    ("was debited more than there is", lambda venue, a1, b1: Withdrawn("ann", "BTC", 95_001, "w")),
]


@pytest.mark.parametrize(("what", "make"), IMPOSSIBLE)
def test_impossible_event_stops_the_fold(
    what: str, make: Callable[[BareVenue, int, int], Event]
) -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "5@100"), limit("bob", "b1", BUY, "3@99"))
    a1, b1 = venue.order_id("ann", "a1"), venue.order_id("bob", "b1")
    with pytest.raises(AssertionError, match=what):
        venue.fold(make(venue, a1, b1))


def test_sale_of_what_is_not_there_stops_the_fold() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "5@100"), limit("bob", "b1", BUY, "3@99"))
    venue.state.accounts["ann"].balance("BTC").total = 2_000
    trade = OrderTraded(venue.order_id("bob", "b1"), venue.order_id("ann", "a1"), 99, 3, 0, 0)
    with pytest.raises(AssertionError, match="sold more than there is"):
        venue.fold(trade)


def test_release_of_what_is_not_held_stops_the_fold() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "5@100"))
    venue.state.accounts["ann"].balance("BTC").held = 4_999
    with pytest.raises(AssertionError, match="freed more than was held"):
        venue.fold(OrderCanceled(venue.order_id("ann", "a1"), Reason.USER_CANCELED))


def test_place_in_the_queue_cannot_be_kept_by_what_does_not_rest() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "5@100"))
    order = venue.state.accounts["ann"].client_order_ids["a1"]
    venue.state.markets["BTC-USD"].book.asks.remove(order)
    with pytest.raises(AssertionError):
        venue.fold(OrderAmended(order.order_id, "x", 100, 4, 0, True))


def test_closed_order_is_no_longer_known_to_events() -> None:
    venue = venue_with_fees()
    venue.tell(limit("ann", "a1", SELL, "5@100"))
    a1 = venue.order_id("ann", "a1")
    venue.tell(cancel("ann", "a1"))
    with pytest.raises(KeyError):
        venue.fold(OrderCanceled(a1, Reason.USER_CANCELED))
