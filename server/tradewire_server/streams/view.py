"""Views: the best levels of one book as the subscribers of one depth know them.

A view remembers the levels of its last message. An update is the difference between them and the
levels of now, whatever happened in between; so it is as large as the change, not as the traffic.
"""

from __future__ import annotations

from typing import Protocol

Level = tuple[int, int]
"""Price in ticks and quantity in lots; in an update, quantity 0 removes the price."""


class Levels(Protocol):
    """Gives the best levels of a book, best first: (bids, asks)."""

    def __call__(self, symbol: str, depth: int, /) -> tuple[list[Level], list[Level]]: ...


class Checksum(Protocol):
    """Computes the checksum of a book's levels."""

    def __call__(self, symbol: str, bids: list[Level], asks: list[Level], /) -> int: ...


class EncodeBook(Protocol):
    """Encodes a snapshot or an update; called with keyword arguments."""

    def __call__(
        self,
        *,
        symbol: str,
        epoch: int,
        sequence: int,
        previous_sequence: int,
        snapshot: bool,
        bids: list[Level],
        asks: list[Level],
        checksum: int,
    ) -> bytes: ...


def changes(before: list[Level], after: list[Level], *, descending: bool) -> list[Level]:
    """Return the levels that turn one side of a book into another, best first."""
    old, new = dict(before), dict(after)
    changed = [(price, lots) for price, lots in new.items() if old.get(price) != lots]
    changed += [(price, 0) for price in old if price not in new]
    changed.sort(reverse=descending)
    return changed


class View:
    """The levels of a book down to a depth, as last sent; depth 0 has none and sends no book."""

    __slots__ = (
        "_asks",
        "_bids",
        "_checksum",
        "_encode_book",
        "_epoch",
        "_snapshot",
        "depth",
        "ready",
        "sequence",
        "symbol",
    )

    def __init__(
        self,
        symbol: str,
        depth: int,
        *,
        epoch: int,
        encode_book: EncodeBook,
        checksum: Checksum,
    ) -> None:
        self.symbol = symbol
        self.depth = depth
        self.ready = depth == 0
        self.sequence = 0
        self._epoch = epoch
        self._encode_book = encode_book
        self._checksum = checksum
        self._bids: list[Level] = []
        self._asks: list[Level] = []
        self._snapshot: bytes | None = None

    def start(self, bids: list[Level], asks: list[Level], sequence: int) -> None:
        """Begin with these levels."""
        self._bids = bids[: self.depth]
        self._asks = asks[: self.depth]
        self.sequence = sequence
        self.ready = True

    def advance(self, bids: list[Level], asks: list[Level], sequence: int) -> bytes | None:
        """Go on to these levels; return the update, None when nothing changed or before `start`."""
        if not self.ready:
            return None
        bids, asks = bids[: self.depth], asks[: self.depth]
        bids_same, asks_same = bids == self._bids, asks == self._asks
        if bids_same and asks_same:
            return None
        assert sequence > self.sequence, f"{self.symbol}: the book changed without a new sequence"
        update = self._encode_book(
            symbol=self.symbol,
            epoch=self._epoch,
            sequence=sequence,
            previous_sequence=self.sequence,
            snapshot=False,
            bids=[] if bids_same else changes(self._bids, bids, descending=True),
            asks=[] if asks_same else changes(self._asks, asks, descending=False),
            checksum=self._checksum(self.symbol, bids, asks),
        )
        self._bids, self._asks, self.sequence = bids, asks, sequence
        self._snapshot = None
        return update

    def snapshot(self) -> bytes | None:
        """Return all levels as last sent, encoded once; None at depth 0."""
        if self._snapshot is None and self.depth:
            self._snapshot = self._encode_book(
                symbol=self.symbol,
                epoch=self._epoch,
                sequence=self.sequence,
                previous_sequence=0,
                snapshot=True,
                bids=self._bids,
                asks=self._asks,
                checksum=self._checksum(self.symbol, self._bids, self._asks),
            )
        return self._snapshot
