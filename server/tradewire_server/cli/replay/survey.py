"""A first look over a recording: how long it is, what money it takes, and what rested before it.

Orders that rested before the recording began are seen only when they end, or as levels of the
exchange's first snapshot. `Survey.seeds` puts both together: each order that is deleted without
having been created gets the quantity with which it was deleted, and what the first snapshot shows
beyond that becomes one anonymous order per level, in front of its queue.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from tradewire_server.cli.replay.recording import (
    BookSeen,
    OrderChanged,
    OrderCreated,
    OrderDeleted,
    RecordedEvent,
    Side,
)


class Seed(NamedTuple):
    """An order that rested before the recording; `order` is 0 when nobody knows its id."""

    order: int
    side: Side
    price: Decimal
    quantity: Decimal


@dataclass
class Survey:
    """What a pass over the recording found."""

    line_count: int = 0
    quote_needed: Decimal = Decimal(0)
    base_needed: Decimal = Decimal(0)
    seeds: tuple[Seed, ...] = ()


@dataclass
class _Past:
    """Collects what is known of the time before the recording."""

    first_book: BookSeen | None = None
    created: set[int] = field(default_factory=set)
    unknown: dict[int, Seed] = field(default_factory=dict)
    # Until the first book only: what it shows of these is no secret, or no longer there.
    open: dict[int, Seed] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)

    def note(self, event: RecordedEvent) -> None:
        """Take the next event."""
        if isinstance(event, OrderCreated):
            self.created.add(event.order)
        elif isinstance(event, OrderChanged | OrderDeleted) and event.order not in self.created:
            self.unknown.setdefault(event.order, Seed(*event))
        if self.first_book is None:
            self._note_early(event)

    def _note_early(self, event: RecordedEvent) -> None:
        match event:
            case BookSeen():
                self.first_book = event
            case OrderDeleted():
                self.open.pop(event.order, None)
                self.ended.add(event.order)
            case OrderCreated() | OrderChanged() if event.order in self.created:
                self.open[event.order] = Seed(*event)

    def seeds(self) -> tuple[Seed, ...]:
        """Return the orders that rested, anonymous ones first, then by age."""
        # Ids ascend: one above the first created order is of an order whose beginning is missing.
        first_created = min(self.created, default=0)
        known = [
            seed
            for order, seed in sorted(self.unknown.items())
            if seed.quantity and order not in self.ended and order < first_created
        ]
        if self.first_book is None:
            return tuple(known)
        at_level: dict[tuple[Side, Decimal], Decimal] = defaultdict(Decimal)
        for seed in (*known, *self.open.values()):
            at_level[seed.side, seed.price] += seed.quantity
        anonymous = []
        sides: tuple[tuple[Side, Iterable[tuple[Decimal, Decimal]]], ...] = (
            ("buy", self.first_book.bids),
            ("sell", self.first_book.asks),
        )
        for side, levels in sides:
            for price, quantity in levels:
                rest = quantity - at_level[side, price]
                if rest > 0:
                    anonymous.append(Seed(0, side, price, rest))
        return (*anonymous, *known)


def survey(events: Iterable[RecordedEvent], *, with_seeds: bool = False) -> Survey:
    """Look over a recording.

    The money covers all orders at once, as if none ever ended: more than needed, but never less.
    """
    found = Survey()
    past = _Past()
    for event in events:
        found.line_count += 1
        if isinstance(event, OrderCreated):
            _add(found, event.side, event.price, event.quantity)
        if with_seeds:
            past.note(event)
    if with_seeds:
        found.seeds = past.seeds()
        for seed in found.seeds:
            _add(found, seed.side, seed.price, seed.quantity)
    return found


def _add(found: Survey, side: Side, price: Decimal, quantity: Decimal) -> None:
    if side == "buy":
        found.quote_needed += price * quantity
    else:
        found.base_needed += quantity
