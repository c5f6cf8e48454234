"""Resting orders of one instrument, by price, then by time.

Each side keeps its levels in a dictionary and their keys in a sorted list whose *last* element is
the best: the key of a bid is its price, that of an ask its negated price. The ends of a list are
cheap, and a market moves at its best prices. A level is a doubly linked list through the orders
themselves, so that taking an order out of the middle costs the same as taking the first.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from tradewire_server.engine.order import Order
from tradewire_server.engine.vocabulary import BUY, SELL, Side


class Level:
    """All orders at one price, first come first served."""

    __slots__ = ("first", "key", "last", "quantity_lots")

    def __init__(self, key: int) -> None:
        self.key = key
        self.quantity_lots = 0
        self.first: Order | None = None
        self.last: Order | None = None

    def __iter__(self) -> Iterator[Order]:
        order = self.first
        while order is not None:
            yield order
            order = order.next


class BookSide:
    """The bids or the asks."""

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, side: Side) -> None:
        self.sign = 1 if side is BUY else -1
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}

    def best_ticks(self) -> int:
        """Return the best price, 0 if there is none."""
        return self.keys[-1] * self.sign if self.keys else 0

    def add(self, order: Order) -> None:
        """Put an order at the end of its price level."""
        key = order.price_ticks * self.sign
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level(key)
            insort(self.keys, key)
        order.level = level
        order.previous = last = level.last
        if last is None:
            level.first = order
        else:
            last.next = order
        level.last = order
        level.quantity_lots += order.leaves_lots

    def remove(self, order: Order) -> None:
        """Take an order out of its price level."""
        level = order.level
        assert level is not None, f"order {order.order_id} does not rest"
        before, after = order.previous, order.next
        if before is None:
            level.first = after
        else:
            before.next = after
        if after is None:
            level.last = before
        else:
            after.previous = before
        order.level = order.previous = order.next = None
        level.quantity_lots -= order.leaves_lots
        if level.first is None:
            del self.levels[level.key]
            keys = self.keys
            if keys[-1] == level.key:
                keys.pop()
            else:
                del keys[bisect_left(keys, level.key)]

    def top(self, depth: int) -> list[tuple[int, int]]:
        """Return (price in ticks, quantity in lots) of the best levels, best first."""
        keys = self.keys
        return [
            (key * self.sign, self.levels[key].quantity_lots)
            for key in reversed(keys[-depth:] if depth else [])
        ]


class Book:
    """Both sides."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = BookSide(BUY)
        self.asks = BookSide(SELL)

    def side(self, side: Side) -> BookSide:
        """Return the side on which such an order rests."""
        return self.bids if side is BUY else self.asks

    def opposite(self, side: Side) -> BookSide:
        """Return the side with which such an order trades."""
        return self.asks if side is BUY else self.bids
