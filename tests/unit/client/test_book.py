"""The copy of a book is the venue's book, or known not to be."""

import zlib
from decimal import Decimal
from typing import Any

import pytest
import tradewire_client as tw
from hypothesis import given
from hypothesis import strategies as st
from tradewire_client._book import LocalBook, OutOfSync, book_of, checksum
from tradewire_client._gen.tradewire import v1


def levels(text: Any) -> Any:
    """Return levels written as `price:quantity price:quantity`."""
    pairs = [part.split(":") for part in text.split()]
    return [v1.PriceLevel(price=price, quantity=quantity) for price, quantity in pairs]


def message(
    sequence: Any, bids: Any = "", asks: Any = "", *, crc: Any, previous: Any = 0, epoch: Any = 1
) -> Any:
    return v1.OrderBook(
        symbol="BTC-USD",
        epoch=epoch,
        sequence=sequence,
        previous_sequence=previous,
        snapshot=previous == 0,
        bids=levels(bids),
        asks=levels(asks),
        checksum=crc if isinstance(crc, int) else zlib.crc32(crc.encode()),
    )


def shown(book: Any) -> Any:
    return (
        [(str(level.price), str(level.quantity)) for level in book.bids],
        [(str(level.price), str(level.quantity)) for level in book.asks],
    )


def test_the_published_vector() -> None:
    assert checksum(["100.5:2", "100:1.5"], ["101:3"]) == 492654767
    book = book_of(message(1, "100.5:2 100:1.5", "101:3", crc=492654767), depth=10)
    assert shown(book) == ([("100.5", "2"), ("100", "1.5")], [("101", "3")])


def test_an_empty_book_has_the_checksum_of_nothing() -> None:
    book = book_of(message(1, crc=0), depth=10)
    assert (book.best_bid, book.best_ask) == (None, None)


def test_updates_add_change_and_remove_levels() -> None:
    local = LocalBook("BTC-USD", depth=10)
    local.apply(message(5, "100:1 99:2", "101:3", crc="100:1|101:3|99:2"))
    local.apply(
        message(8, "100.5:4 99:0", "101:5 102:1", previous=5, crc="100.5:4|101:5|100:1|102:1")
    )
    book = local.view(10)
    assert shown(book) == ([("100.5", "4"), ("100", "1")], [("101", "5"), ("102", "1")])
    assert (book.epoch, book.sequence) == (1, 8)
    assert book.best_bid == tw.PriceLevel(price=Decimal("100.5"), quantity=Decimal(4))
    assert book.best_ask == tw.PriceLevel(price=Decimal(101), quantity=Decimal(5))


def test_a_view_shows_the_best_levels_only() -> None:
    local = LocalBook("BTC-USD", depth=10)
    local.apply(message(1, "100:1 99:2 98:3", "101:1 102:2", crc="100:1|101:1|99:2|102:2|98:3"))
    assert shown(local.view(1)) == ([("100", "1")], [("101", "1")])


def test_a_level_that_is_pushed_out_of_view_is_forgotten() -> None:
    local = LocalBook("BTC-USD", depth=2)
    local.apply(message(1, "100:1 99:1", "", crc="100:1|99:1"))
    local.apply(message(2, "101:1", "", previous=1, crc="101:1|100:1"))
    # Removing what is no longer in view is nothing to wonder about.
    local.apply(message(3, "99:0", "", previous=2, crc="101:1|100:1"))
    assert shown(local.view(2)) == ([("101", "1"), ("100", "1")], [])


def test_other_spellings_of_a_price_are_the_same_level() -> None:
    local = LocalBook("BTC-USD", depth=10)
    local.apply(message(1, "100.50:1", "", crc="100.50:1"))
    local.apply(message(2, "100.5:2", "", previous=1, crc="100.5:2"))
    assert shown(local.view(10)) == ([("100.5", "2")], [])


@pytest.mark.parametrize(
    ("update", "problem"),
    [
        (message(7, previous=6, crc=0), "an update continues 1/6, the copy is at 1/5"),
        (message(7, previous=5, crc=0, epoch=2), "an update continues 2/5, the copy is at 1/5"),
        (message(7, "99:1", previous=5, crc=1), "checksum .* at 7, the venue has 1"),
    ],
)
def test_a_copy_that_is_lost_stays_lost_until_the_next_snapshot(update: Any, problem: Any) -> None:
    local = LocalBook("BTC-USD", depth=10)
    local.apply(message(5, "100:1", "", crc="100:1"))

    with pytest.raises(OutOfSync, match=problem):
        local.apply(update)
    with pytest.raises(OutOfSync, match="before the first snapshot"):
        local.apply(message(8, previous=7, crc=0))
    local.apply(message(9, "98:1", "", crc="98:1", epoch=2))
    assert local.view(10).sequence == 9


PRICES = st.integers(1, 30)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["bids", "asks"]), PRICES, st.integers(0, 3)), max_size=8
)


@given(st.lists(CHANGES, max_size=20))
def test_a_copy_kept_by_updates_equals_the_book_that_sent_them(rounds: Any) -> None:
    """The venue: whole sides as dictionaries; it sends what changed in the best `depth` levels."""
    depth = 3
    sides: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}

    def best(side: Any) -> Any:
        ordered = sorted(sides[side].items(), reverse=side == "bids")
        return [(str(price), str(quantity)) for price, quantity in ordered[:depth]]

    local = LocalBook("BTC-USD", depth=depth)
    local.apply(message(1, crc=0))
    before: dict[str, list[tuple[str, str]]] = {"bids": [], "asks": []}
    for sequence, changes in enumerate(rounds, start=2):
        for side, price, quantity in changes:
            sides[side][price] = quantity
            if not quantity:
                del sides[side][price]
        after = {side: best(side) for side in sides}
        differences = {
            side: [level for level in after[side] if level not in before[side]]
            + [
                (price, "0")
                for price, _ in before[side]
                if price not in {kept for kept, _ in after[side]}
            ]
            for side in sides
        }
        texts = {side: [f"{price}:{quantity}" for price, quantity in after[side]] for side in sides}
        local.apply(
            message(
                sequence,
                " ".join(map(":".join, differences["bids"])),
                " ".join(map(":".join, differences["asks"])),
                previous=sequence - 1,
                crc=checksum(texts["bids"], texts["asks"]),
            )
        )
        assert shown(local.view(depth)) == (after["bids"], after["asks"])
        before = after
