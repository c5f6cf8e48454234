"""The maker's ladder: what is wanted, and one command per slot at a time."""

from random import Random

from tradewire_server.cli.bots.quotes import (
    Amend,
    Ladder,
    Place,
    Quote,
    Shape,
    Slot,
    wanted_quotes,
)

SHAPE = Shape(levels=3, spread_ticks=10, gap_ticks=5, quantity_lots=100, tolerance_ticks=4)
BID = Slot("buy", 0)
ASK = Slot("sell", 0)


def test_the_ladder_stands_around_the_price() -> None:
    wanted = wanted_quotes(SHAPE, 1_000, skew_ticks=0, random=Random(1))
    prices = {slot: quote.price for slot, quote in wanted.items()}
    assert prices == {
        Slot("buy", 0): 990,
        Slot("sell", 0): 1_010,
        Slot("buy", 1): 985,
        Slot("sell", 1): 1_015,
        Slot("buy", 2): 980,
        Slot("sell", 2): 1_020,
    }
    for slot, quote in wanted.items():
        size = SHAPE.quantity_lots * (slot.level + 1)
        assert size // 2 <= quote.quantity <= size * 3 // 2


def test_inventory_moves_the_whole_ladder() -> None:
    wanted = wanted_quotes(SHAPE, 1_000, skew_ticks=-7, random=Random(1))
    assert (wanted[BID].price, wanted[ASK].price) == (983, 1_003)


def test_prices_and_quantities_are_never_zero() -> None:
    shape = Shape(levels=3, spread_ticks=10, gap_ticks=5, quantity_lots=1, tolerance_ticks=4)
    wanted = wanted_quotes(shape, 12, skew_ticks=0, random=Random(1))
    assert min(quote.price for quote in wanted.values()) == 1
    assert min(quote.quantity for quote in wanted.values()) == 1


def test_an_empty_slot_is_filled_once() -> None:
    ladder = Ladder(SHAPE)
    wanted = {BID: Quote(990, 100)}
    assert list(ladder.actions(wanted)) == [Place(BID, Quote(990, 100))]
    assert list(ladder.actions(wanted)) == []


def test_an_order_is_moved_when_the_price_has_gone_far_enough() -> None:
    ladder = Ladder(SHAPE)
    list(ladder.actions({BID: Quote(990, 100)}))
    ladder.working(BID, "7", 990)
    assert list(ladder.actions({BID: Quote(994, 100)})) == []
    assert list(ladder.actions({BID: Quote(995, 100)})) == [Amend(BID, "7", 995)]
    assert list(ladder.actions({BID: Quote(980, 100)})) == []
    ladder.working(BID, "7", 995)
    assert list(ladder.actions({BID: Quote(980, 100)})) == [Amend(BID, "7", 980)]


def test_deeper_orders_are_moved_less_often() -> None:
    ladder = Ladder(SHAPE)
    deep = Slot("buy", 2)
    list(ladder.actions({deep: Quote(980, 100)}))
    ladder.working(deep, "7", 980)
    assert list(ladder.actions({deep: Quote(992, 100)})) == []
    assert list(ladder.actions({deep: Quote(993, 100)})) == [Amend(deep, "7", 993)]


def test_a_slot_is_free_again_when_its_order_ends_or_its_command_fails() -> None:
    ladder = Ladder(SHAPE)
    wanted = {BID: Quote(990, 100)}
    list(ladder.actions(wanted))
    ladder.failed(BID)
    assert list(ladder.actions(wanted)) == [Place(BID, Quote(990, 100))]
    ladder.working(BID, "7", 990)
    ladder.ended("7")
    assert list(ladder.actions(wanted)) == [Place(BID, Quote(990, 100))]


def test_an_order_that_ended_before_its_answer_came_takes_no_slot() -> None:
    ladder = Ladder(SHAPE)
    wanted = {BID: Quote(990, 100)}
    list(ladder.actions(wanted))
    ladder.ended("7")
    ladder.working(BID, "7", 990)
    assert list(ladder.actions(wanted)) == [Place(BID, Quote(990, 100))]


def test_the_end_of_a_replaced_order_does_not_free_its_slot() -> None:
    ladder = Ladder(SHAPE)
    list(ladder.actions({BID: Quote(990, 100)}))
    ladder.working(BID, "7", 990)
    ladder.working(BID, "8", 990)
    ladder.ended("7")
    assert list(ladder.actions({BID: Quote(990, 100)})) == []
