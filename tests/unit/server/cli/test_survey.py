"""The look ahead: money for every order, and what must have rested before the recording."""

from decimal import Decimal

from tradewire_server.cli.replay.recording import (
    BookSeen,
    Level,
    OrderChanged,
    OrderCreated,
    OrderDeleted,
    RecordedEvent,
)
from tradewire_server.cli.replay.survey import Seed, survey


def test_money_covers_all_orders_as_if_none_ended() -> None:
    events: list[RecordedEvent] = [
        OrderCreated(1, "buy", Decimal(10), Decimal("1.5")),
        OrderDeleted(1, "buy", Decimal(10), Decimal("1.5")),
        OrderCreated(2, "buy", Decimal(20), Decimal(1)),
        OrderCreated(3, "sell", Decimal(30), Decimal("0.25")),
    ]
    found = survey(events)
    assert (found.line_count, found.quote_needed, found.base_needed, found.seeds) == (
        4,
        Decimal(35),
        Decimal("0.25"),
        (),
    )


def test_seeds_are_what_the_first_book_and_later_deletions_show() -> None:
    events: list[RecordedEvent] = [
        # Known to have rested: 11 and 12; 13 ends before the book, 14 was filled.
        OrderDeleted(13, "buy", Decimal(99), Decimal(3)),
        OrderCreated(21, "buy", Decimal(98), Decimal(2)),
        OrderChanged(21, "buy", Decimal(98), Decimal(1)),
        BookSeen(
            bids=(
                Level(Decimal(98), Decimal(1)),
                Level(Decimal(97), Decimal(5)),
            ),
            asks=(Level(Decimal(101), Decimal(4)),),
        ),
        OrderDeleted(11, "buy", Decimal(97), Decimal(2)),
        OrderChanged(12, "sell", Decimal(105), Decimal(7)),
        OrderDeleted(12, "sell", Decimal(105), Decimal(6)),
        OrderDeleted(14, "sell", Decimal(101), Decimal(0)),
        # Its creation is missing, but it came after the first one.
        OrderDeleted(22, "buy", Decimal(96), Decimal(1)),
    ]
    assert survey(events, with_seeds=True).seeds == (
        Seed(0, "buy", Decimal(97), Decimal(3)),
        Seed(0, "sell", Decimal(101), Decimal(4)),
        Seed(11, "buy", Decimal(97), Decimal(2)),
        Seed(12, "sell", Decimal(105), Decimal(7)),
    )


def test_seeds_need_money_too() -> None:
    events: list[RecordedEvent] = [
        OrderCreated(5, "buy", Decimal(1), Decimal(1)),
        BookSeen(bids=(Level(Decimal(2), Decimal(3)),), asks=(Level(Decimal(4), Decimal(6)),)),
    ]
    found = survey(events, with_seeds=True)
    assert (found.quote_needed, found.base_needed) == (Decimal(7), Decimal(6))
