"""A book keeps price, then time; levels know their sums; the ends are the best."""

import random

import pytest
from tradewire_server.engine.book import Book, BookSide
from tradewire_server.engine.events import OrderAccepted
from tradewire_server.engine.order import Order
from tradewire_server.engine.state import AccountState, Market
from tradewire_server.engine.vocabulary import (
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

from tests.support.bare_venue import BTC_USD

ACCOUNT, MARKET = AccountState("ann"), Market(BTC_USD)


def new_order(order_id: int, side: Side, ticks: int, lots: int) -> Order:
    terms = OrderAccepted(
        order_id,
        "ann",
        f"a{order_id}",
        "BTC-USD",
        side,
        OrderType.LIMIT,
        TimeInForce.GTC,
        ticks,
        lots,
        0,
        0,
        PostOnly.UNSPECIFIED,
        SelfTradePrevention.UNSPECIFIED,
        "",
        0,
        0,
        0,
    )
    return Order(terms, ACCOUNT, MARKET, 0)


def queue(side: BookSide) -> list[list[int]]:
    """Return the order ids of each level, best level first."""
    return [[order.order_id for order in side.levels[key]] for key in reversed(side.keys)]


def test_bids_are_best_when_high_and_asks_when_low() -> None:
    bids, asks = BookSide(Side.BUY), BookSide(Side.SELL)
    for order_id, ticks in enumerate((100, 102, 101), start=1):
        bids.add(new_order(order_id, Side.BUY, ticks, order_id))
        asks.add(new_order(order_id, Side.SELL, ticks, order_id))
    assert (bids.best_ticks(), asks.best_ticks()) == (102, 100)
    assert bids.top(10) == [(102, 2), (101, 3), (100, 1)]
    assert asks.top(10) == [(100, 1), (101, 3), (102, 2)]


def test_empty_side_has_no_best() -> None:
    side = BookSide(Side.BUY)
    assert (side.best_ticks(), side.top(5)) == (0, [])


@pytest.mark.parametrize(("depth", "levels"), [(0, []), (1, [(102, 2)]), (2, [(102, 2), (101, 3)])])
def test_top_shows_so_many_levels(depth: int, levels: list[tuple[int, int]]) -> None:
    side = BookSide(Side.BUY)
    for order_id, ticks in enumerate((100, 102, 101), start=1):
        side.add(new_order(order_id, Side.BUY, ticks, order_id))
    assert side.top(depth) == levels


def test_first_come_first_served_within_a_level() -> None:
    side = BookSide(Side.SELL)
    orders = [new_order(order_id, Side.SELL, 100, 5) for order_id in (1, 2, 3, 4)]
    for order in orders:
        side.add(order)
    assert queue(side) == [[1, 2, 3, 4]]
    side.remove(orders[1])
    assert queue(side) == [[1, 3, 4]]
    side.remove(orders[0])
    assert queue(side) == [[3, 4]]
    side.remove(orders[3])
    assert queue(side) == [[3]]
    side.add(orders[0])
    assert queue(side) == [[3, 1]]
    assert side.top(1) == [(100, 10)]


def test_empty_level_goes_away_wherever_it_is() -> None:
    side = BookSide(Side.BUY)
    orders = {ticks: new_order(ticks, Side.BUY, ticks, 1) for ticks in (98, 99, 100, 101)}
    for order in orders.values():
        side.add(order)
    for ticks, left in ((101, [100, 99, 98]), (99, [100, 98]), (98, [100]), (100, [])):
        side.remove(orders[ticks])
        assert [price for price, _ in side.top(9)] == left
        assert side.levels.keys() == set(side.keys)


def test_removed_order_has_no_neighbours() -> None:
    side = BookSide(Side.BUY)
    orders = [new_order(order_id, Side.BUY, 100, 1) for order_id in (1, 2, 3)]
    for order in orders:
        side.add(order)
    side.remove(orders[1])
    assert (orders[1].level, orders[1].previous, orders[1].next) == (None, None, None)


def test_order_that_does_not_rest_cannot_be_removed() -> None:
    with pytest.raises(AssertionError, match="order 7 does not rest"):
        BookSide(Side.BUY).remove(new_order(7, Side.BUY, 100, 1))


def test_book_knows_where_an_order_rests_and_with_what_it_trades() -> None:
    book = Book()
    assert (book.side(Side.BUY), book.opposite(Side.BUY)) == (book.bids, book.asks)
    assert (book.side(Side.SELL), book.opposite(Side.SELL)) == (book.asks, book.bids)


@pytest.mark.parametrize("side", Side)
def test_any_mixture_of_adding_and_removing_keeps_the_queue(side: Side) -> None:
    chance, book_side, kept = random.Random(4), BookSide(side), dict[int, Order]()
    for order_id in range(1, 800):
        order = new_order(order_id, side, chance.randint(95, 105), chance.randint(1, 9))
        book_side.add(order)
        kept[order_id] = order
        if chance.random() < 0.6:
            book_side.remove(kept.pop(chance.choice(list(kept))))
    sign = -1 if side is Side.BUY else 1
    expected = sorted(kept.values(), key=lambda o: (sign * o.price_ticks, o.order_id))
    assert [i for level in queue(book_side) for i in level] == [o.order_id for o in expected]
    sums = dict.fromkeys(dict.fromkeys(o.price_ticks for o in expected), 0)
    for order in expected:
        sums[order.price_ticks] += order.leaves_lots
    assert book_side.top(100) == list(sums.items())
