"""A copy of an order book, kept from a snapshot and its updates, and checked at each step.

Pure: no stream, no clock. Every update names the state it continues, and carries the CRC32 of the
state it leads to, over the text `price:quantity` of bid 1, ask 1, bid 2, ask 2, ... of the best ten
levels, joined by `|`. The text is that of the message, so levels are kept as they came and compared
as decimals.

The checksum covers ten levels whatever depth was asked for; so a copy has at least ten
(`DEPTH_MIN`).
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from tradewire_client._errors import ProtocolViolation
from tradewire_client._gen.tradewire import v1
from tradewire_client._values import PriceLevel

DEPTH_MIN = 10
DEPTH_MAX = 1000

_CHECKED_LEVELS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An order book at one moment, best levels first."""

    symbol: str
    epoch: int
    """Life of the venue's process; sequences continue only within one epoch."""
    sequence: int
    """Ascending number of this state."""
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]

    @property
    def best_bid(self) -> PriceLevel | None:
        """The highest bid, None when there is none."""
        return self.bids[0] if self.bids else None

    @property
    def best_ask(self) -> PriceLevel | None:
        """The lowest ask, None when there is none."""
        return self.asks[0] if self.asks else None


class OutOfSync(ProtocolViolation):
    """An update does not continue the copy, or leads to another state than the venue's."""


class LocalBook:
    """The copy of one book."""

    def __init__(self, symbol: str, *, depth: int) -> None:
        self._symbol = symbol
        self._bids = _Side(descending=True, depth=depth)
        self._asks = _Side(descending=False, depth=depth)
        self._epoch = 0
        self._sequence: int | None = None

    def apply(self, message: v1.OrderBook) -> None:
        """Take a snapshot or an update.

        Raises:
            OutOfSync: the copy is lost until the next snapshot.
        """
        if message.snapshot:
            self._bids.clear()
            self._asks.clear()
        elif self._sequence is None:
            raise OutOfSync(f"{self._symbol}: an update came before the first snapshot")
        elif (message.epoch, message.previous_sequence) != (self._epoch, self._sequence):
            expected, self._sequence = f"{self._epoch}/{self._sequence}", None
            received = f"{message.epoch}/{message.previous_sequence}"
            raise OutOfSync(
                f"{self._symbol}: an update continues {received}, the copy is at {expected}"
            )
        self._bids.update(message.bids)
        self._asks.update(message.asks)
        self._epoch, self._sequence = message.epoch, message.sequence
        computed = checksum(self._bids.texts(), self._asks.texts())
        if computed != message.checksum:
            self._sequence = None
            raise OutOfSync(
                f"{self._symbol}: checksum {computed} at {message.sequence}, "
                f"the venue has {message.checksum}"
            )

    def view(self, depth: int) -> Book:
        """Return the best levels as they are now."""
        assert self._sequence is not None, "there is a view only after a snapshot"
        return Book(
            symbol=self._symbol,
            epoch=self._epoch,
            sequence=self._sequence,
            bids=tuple(islice(self._bids.levels(), depth)),
            asks=tuple(islice(self._asks.levels(), depth)),
        )


def book_of(message: v1.OrderBook, *, depth: int) -> Book:
    """Return the best levels of a snapshot as a value.

    Raises:
        OutOfSync: its checksum does not fit.
    """
    local = LocalBook(message.symbol, depth=DEPTH_MAX)
    local.apply(message)
    return local.view(depth)


def checksum(bids: Iterable[str], asks: Iterable[str]) -> int:
    """Return the CRC32 over the best ten levels of each side, given as `price:quantity`."""
    texts: list[str] = []
    left, right = islice(bids, _CHECKED_LEVELS), islice(asks, _CHECKED_LEVELS)
    for _ in range(_CHECKED_LEVELS):
        texts.extend(text for text in (next(left, ""), next(right, "")) if text)
    return zlib.crc32("|".join(texts).encode("ascii"))


class _Side:
    """The levels of one side, best first, no more than `depth`."""

    def __init__(self, *, descending: bool, depth: int) -> None:
        self._sign = -1 if descending else 1
        self._depth = depth
        # Ascending by key, which is the price, or its negative for bids: so the best comes first
        # on both sides.
        self._keys: list[Decimal] = []
        self._levels: dict[Decimal, tuple[str, PriceLevel]] = {}

    def clear(self) -> None:
        self._keys.clear()
        self._levels.clear()

    def update(self, messages: Iterable[v1.PriceLevel]) -> None:
        for message in messages:
            level = PriceLevel.from_message(message)
            key = self._sign * level.price
            if level.quantity:
                if key not in self._levels:
                    insort(self._keys, key)
                self._levels[key] = (f"{message.price}:{message.quantity}", level)
            elif self._levels.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
        # A better level pushes the last one out of view without further notice.
        for key in self._keys[self._depth :]:
            del self._levels[key]
        del self._keys[self._depth :]

    def levels(self) -> Iterator[PriceLevel]:
        return (self._levels[key][1] for key in self._keys)

    def texts(self) -> Iterator[str]:
        return (self._levels[key][0] for key in self._keys)
