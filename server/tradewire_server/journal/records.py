"""What goes into a journal and comes out of it, and what a journal is.

A batch is what one commit makes durable: events (opaque here, see `codec`), the feed entries that
follow from them, and the rows by which later commands find their answers. Numbers start at 1 and
have no gap: events over the whole journal, feed entries per feed.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from tradewire_server.feeds import FeedChunk as FeedChunk
from tradewire_server.feeds import FeedKind as FeedKind


class ClientIdRow(NamedTuple):
    """What a client's id was used for, and where its first answer stands."""

    account: str
    client_order_id: str
    content_hash: bytes
    order_id: int
    sequence: int


class ClosedOrderRow(NamedTuple):
    """Where the final state of an order stands in its account's executions."""

    account: str
    order_id: int
    symbol: str
    sequence: int


class CandleRow(NamedTuple):
    """Trades of one minute (since the epoch), in ticks and lots; rows of equal minutes merge."""

    symbol: str
    minute: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trade_count: int


class Batch(NamedTuple):
    """What one append makes durable, as a whole or not at all."""

    first_event: int
    last_event: int
    time_ns: int
    payload: bytes
    chunks: list[FeedChunk]
    client_ids: list[ClientIdRow]
    closed_orders: list[ClosedOrderRow]
    candles: list[CandleRow]


class StoredBatch(NamedTuple):
    """The part of a batch that recovery reads."""

    first_event: int
    last_event: int
    time_ns: int
    payload: bytes


class Snapshot(NamedTuple):
    """The state after `event_number`, packed by whoever wrote it."""

    event_number: int
    time_ns: int
    state_hash: bytes
    data: bytes


class Journal(Protocol):
    """The durable, ordered record of one venue.

    `append` belongs to one thread at a time, `find_client_ids` to another one (the event loop's);
    everything else may be called from any thread.
    """

    @property
    def journal_id(self) -> str:
        """Random, made with the journal: another or restored venue is noticed by it."""

    @property
    def epoch(self) -> int:
        """One more at each opening for writing."""

    def append(self, batch: Batch) -> None:
        """Return when the batch is durable. After any error the caller stops.

        Raises `JournalWriteFailed`.
        """

    def last_event(self) -> int:
        """Return the number of the last durable event, 0 before the first."""

    def last_time_ns(self) -> int:
        """Return the time of the last durable batch, 0 before the first."""

    def batches(self, after_event: int) -> Iterator[StoredBatch]:
        """Yield what follows `after_event`, the end of a batch, each proven to continue the chain.

        Raises `JournalDamaged`.
        """

    def read_feed(self, kind: FeedKind, key: str, *, after: int, max_bytes: int) -> list[FeedChunk]:
        """Return the entries after `after`, at most `max_bytes` of them, but at least one if any.

        Raises `FeedOutOfRange` and `JournalDamaged`.
        """

    def feed_range(self, kind: FeedKind, key: str) -> tuple[int, int]:
        """Return the first entry that is available (1 in an empty feed) and the last (0)."""

    def find_client_ids(
        self, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], ClientIdRow]:
        """Return those of the (account, client id) pairs that were used within retention."""

    def client_id_count(self, now_ns: int = 0) -> int:
        """Count the ids that are retained at `now_ns`, or at the last batch if that is later."""

    def closed_order(self, account: str, order_id: int) -> ClosedOrderRow | None:
        """Return where a closed order of the account ended."""

    def closed_orders(
        self, account: str, *, after_order_id: int, symbol: str | None, limit: int
    ) -> list[ClosedOrderRow]:
        """Return closed orders of the account in the order of their ids."""

    def candles(
        self, symbol: str, *, start_minute: int, end_minute: int, limit: int, minutes: int = 1
    ) -> list[CandleRow]:
        """Return the candles of `start_minute` up to, not including, `end_minute`.

        One that is longer than a minute begins at a multiple of its length, and is made of those
        of its minutes that are asked for.
        """

    def write_snapshot(
        self, event_number: int, time_ns: int, state_hash: bytes, data: bytes
    ) -> None:
        """Return when the snapshot is durable; `event_number` is the end of a durable batch.

        Raises `JournalWriteFailed`.
        """

    def latest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot that is whole and belongs to this journal."""

    def close(self) -> None:
        """Give everything back; what was appended is durable already."""
