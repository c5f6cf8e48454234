"""The mirror: a book that is made of executions alone, compared at the right moment."""

from collections import Counter
from decimal import Decimal

from tradewire_server.cli.replay.mirror import Agreement, BookMirror, Step
from tradewire_server.cli.replay.recording import BookSeen, Level, Side

WHOLE = Agreement(best_bid=True, best_ask=True, top5_bid=True, top5_ask=True)


def _step(
    command: int | None,
    order: str,
    side: Side,
    price: int,
    leaves: int,
    traded: tuple[int, int] | None = None,
) -> Step:
    pair = None if traded is None else (Decimal(traded[0]), Decimal(traded[1]))
    return Step(command, order, side, Decimal(price), Decimal(leaves), pair)


def _book(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> BookSeen:
    return BookSeen(
        tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in bids),
        tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in asks),
    )


def test_levels_add_up_what_orders_leave() -> None:
    mirror = BookMirror()
    mirror.take(_step(1, "a", "buy", 10, 5))
    mirror.take(_step(2, "b", "buy", 10, 3))
    mirror.take(_step(3, "c", "buy", 9, 1))
    mirror.take(_step(None, "a", "buy", 10, 2))
    assert mirror.top("buy", 5) == [Level(Decimal(10), Decimal(5)), Level(Decimal(9), Decimal(1))]
    mirror.take(_step(None, "a", "buy", 10, 0))
    mirror.take(_step(4, "b", "buy", 10, 0))
    assert mirror.top("buy", 5) == [Level(Decimal(9), Decimal(1))]


def test_asks_are_best_when_low_and_only_the_best_are_shown() -> None:
    mirror = BookMirror()
    for number, price in enumerate((14, 12, 13, 11), 1):
        mirror.take(_step(number, str(number), "sell", price, 1))
    assert [level.price for level in mirror.top("sell", 2)] == [Decimal(11), Decimal(12)]


def test_a_book_is_compared_when_a_later_command_shows_and_not_before() -> None:
    mirror = BookMirror()
    mirror.expect(1, _book([(10, 5)], []))
    mirror.expect(2, _book([(10, 3)], []))
    mirror.take(_step(1, "a", "buy", 10, 5))
    assert mirror.agreements == []
    # Command 2 takes from "a"; the book in between is nobody's business.
    mirror.take(_step(2, "b", "sell", 10, 2))
    assert mirror.agreements == [WHOLE]
    mirror.take(_step(None, "b", "sell", 10, 0, traded=(10, 2)))
    mirror.take(_step(None, "a", "buy", 10, 3))
    assert mirror.agreements == [WHOLE]
    mirror.finish()
    assert mirror.agreements == [WHOLE, WHOLE]


def test_commands_without_an_effect_leave_the_book_as_it_was() -> None:
    mirror = BookMirror()
    mirror.take(_step(1, "a", "buy", 10, 5))
    # Commands 2 and 3 were refused: no execution names them.
    mirror.expect(3, _book([(10, 5)], []))
    mirror.take(_step(4, "b", "buy", 11, 5))
    assert mirror.agreements == [WHOLE]


def test_agreement_tells_best_prices_from_whole_levels() -> None:
    mirror = BookMirror()
    mirror.expect(1, _book([(10, 4)], [(20, 1)]))
    mirror.take(_step(1, "a", "buy", 10, 5))
    mirror.finish()
    assert mirror.agreements == [
        Agreement(best_bid=True, best_ask=False, top5_bid=False, top5_ask=False)
    ]


def test_five_levels_are_compared_however_many_were_recorded() -> None:
    mirror = BookMirror()
    levels = [(price, 1) for price in range(20, 10, -1)]
    for number, (price, quantity) in enumerate(levels[:5], 1):
        mirror.take(_step(number, str(number), "buy", price, quantity))
    mirror.expect(5, _book(levels, []))
    mirror.finish()
    assert mirror.agreements == [WHOLE]


def test_trades_are_counted_by_price_and_quantity() -> None:
    mirror = BookMirror()
    mirror.take(_step(1, "a", "buy", 10, 5))
    for number in (2, 3):
        mirror.take(_step(number, str(number), "sell", 9, 1))
        mirror.take(_step(None, str(number), "sell", 9, 0, traded=(10, 1)))
        mirror.take(_step(None, "a", "buy", 10, 6 - number))
    assert mirror.trades == Counter({(Decimal(10), Decimal(1)): 2})
