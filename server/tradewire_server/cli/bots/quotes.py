"""Which orders the maker wants in the book, and how it gets from those it has to those it wants.

Pure: prices are ticks, quantities lots. A *slot* is one side and level of the ladder. `Ladder`
remembers for each slot the order that works there; executions keep it true. A slot with a command
under way is left alone until the answer is there, so the maker never has two orders in one slot.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

Side = Literal["buy", "sell"]
SIDES: tuple[Side, Side] = ("buy", "sell")

# Orders whose end was heard of before the answer to their placing; more are never under way.
EARLY_ENDS_MAX = 1024


class Slot(NamedTuple):
    """A place in the ladder; level 0 is the best."""

    side: Side
    level: int


class Quote(NamedTuple):
    """What shall work in a slot."""

    price: int
    quantity: int


class Place(NamedTuple):
    """Put an order into an empty slot."""

    slot: Slot
    quote: Quote


class Amend(NamedTuple):
    """Move the order of a slot."""

    slot: Slot
    order_id: str
    price: int


Action = Place | Amend


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the ladder looks."""

    levels: int
    spread_ticks: int
    gap_ticks: int
    quantity_lots: int
    # An order is moved when it is off by more than this, times one more than its level: the best
    # levels follow closely, the deep ones seldom, as in a real book.
    tolerance_ticks: int


def wanted_quotes(
    shape: Shape, mid_ticks: int, *, skew_ticks: int, random: Random
) -> dict[Slot, Quote]:
    """Return the ladder around a price; `skew_ticks` moves it against the maker's inventory."""
    center = mid_ticks + skew_ticks
    quotes = {}
    for level in range(shape.levels):
        distance = shape.spread_ticks + level * shape.gap_ticks
        for side in SIDES:
            price = center - distance if side == "buy" else center + distance
            # Deeper levels are larger, as in a real book.
            quantity = shape.quantity_lots * (level + 1) * random.randint(50, 150) // 100
            quotes[Slot(side, level)] = Quote(max(1, price), max(1, quantity))
    return quotes


class Ladder:
    """The maker's orders, slot by slot."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._orders: dict[Slot, tuple[str, int]] = {}
        self._slots: dict[str, Slot] = {}
        self._busy: set[Slot] = set()
        self._early_ends: deque[str] = deque(maxlen=EARLY_ENDS_MAX)

    def actions(self, wanted: dict[Slot, Quote]) -> Iterator[Action]:
        """Yield what is to be done, and consider it under way."""
        for slot, quote in wanted.items():
            if slot in self._busy:
                continue
            working = self._orders.get(slot)
            if working is None:
                self._busy.add(slot)
                yield Place(slot, quote)
            elif abs(working[1] - quote.price) > self._shape.tolerance_ticks * (slot.level + 1):
                self._busy.add(slot)
                yield Amend(slot, working[0], quote.price)

    def working(self, slot: Slot, order_id: str, price: int) -> None:
        """Note the answer to a command: this order works in the slot."""
        self._busy.discard(slot)
        if order_id in self._early_ends:
            return
        self._orders[slot] = (order_id, price)
        self._slots[order_id] = slot

    def failed(self, slot: Slot) -> None:
        """Note the answer to a command: nothing has changed."""
        self._busy.discard(slot)

    def ended(self, order_id: str) -> None:
        """Note that an order works no more."""
        slot = self._slots.pop(order_id, None)
        if slot is None:
            self._early_ends.append(order_id)
        elif self._orders.get(slot, ("",))[0] == order_id:
            del self._orders[slot]
