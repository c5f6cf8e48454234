"""A journal in memory, for tests that are not about disks: the same promises, kept by lists.

`before_append` is called by the writer's thread before a batch is taken: it may wait, and it may
raise, which is what a broken disk does.
"""

from collections.abc import Callable, Iterator, Sequence

from tradewire_server.feeds import rest
from tradewire_server.journal.records import (
    Batch,
    CandleRow,
    ClientIdRow,
    ClosedOrderRow,
    FeedChunk,
    FeedKind,
    Snapshot,
    StoredBatch,
)

from tests.support.candles import merge_candles

IdKey = tuple[str, str]


def _nothing(batch: Batch) -> None:
    """Take a batch as it comes."""


class MemoryJournal:
    """See `journal.records.Journal`."""

    journal_id = "memory"
    epoch = 1

    def __init__(self) -> None:
        self.appended: list[Batch] = []
        self.before_append: Callable[[Batch], None] = _nothing
        self.forgotten: set[IdKey] = set()
        self._ids: dict[IdKey, ClientIdRow] = {}
        self._closed: dict[tuple[str, int], ClosedOrderRow] = {}
        self._snapshot: Snapshot | None = None

    def append(self, batch: Batch) -> None:
        self.before_append(batch)
        assert batch.first_event == self.last_event() + 1
        assert batch.time_ns >= self.last_time_ns()
        self.appended.append(batch)
        for row in batch.client_ids:
            key = (row.account, row.client_order_id)
            assert key not in self._ids, f"{key} is used once"
            self._ids[key] = row
        self._closed |= {(row.account, row.order_id): row for row in batch.closed_orders}

    def last_event(self) -> int:
        return self.appended[-1].last_event if self.appended else 0

    def last_time_ns(self) -> int:
        return self.appended[-1].time_ns if self.appended else 0

    def batches(self, after_event: int) -> Iterator[StoredBatch]:
        for batch in self.appended:
            if batch.first_event > after_event:
                yield StoredBatch(*batch[:4])

    def read_feed(self, kind: FeedKind, key: str, *, after: int, max_bytes: int) -> list[FeedChunk]:
        found: list[FeedChunk] = []
        size = 0
        for chunk in self._chunks(kind, key):
            if chunk.last > after:
                wanted = rest(chunk, after=after)
                if found and size + len(wanted.data) > max_bytes:
                    break
                found.append(wanted)
                size += len(wanted.data)
        return found

    def feed_range(self, kind: FeedKind, key: str) -> tuple[int, int]:
        return 1, max((chunk.last for chunk in self._chunks(kind, key)), default=0)

    def find_client_ids(self, keys: Sequence[IdKey]) -> dict[IdKey, ClientIdRow]:
        return {
            key: self._ids[key] for key in keys if key in self._ids and key not in self.forgotten
        }

    def client_id_count(self, now_ns: int = 0) -> int:
        return len(self._ids) - len(self.forgotten)

    def closed_order(self, account: str, order_id: int) -> ClosedOrderRow | None:
        return self._closed.get((account, order_id))

    def closed_orders(
        self, account: str, *, after_order_id: int, symbol: str | None, limit: int
    ) -> list[ClosedOrderRow]:
        rows = [
            row
            for (owner, order_id), row in sorted(self._closed.items())
            if owner == account and order_id > after_order_id and symbol in (None, row.symbol)
        ]
        return rows[:limit]

    def candles(
        self, symbol: str, *, start_minute: int, end_minute: int, limit: int, minutes: int = 1
    ) -> list[CandleRow]:
        rows = [row for batch in self.appended for row in batch.candles if row.symbol == symbol]
        asked_for = [row for row in rows if start_minute <= row.minute < end_minute]
        return merge_candles(asked_for, minutes)[:limit]

    def write_snapshot(
        self, event_number: int, time_ns: int, state_hash: bytes, data: bytes
    ) -> None:
        self._snapshot = Snapshot(event_number, time_ns, state_hash, data)

    def latest_snapshot(self) -> Snapshot | None:
        return self._snapshot

    def close(self) -> None:
        """Keep everything: tests look at it afterwards."""

    def _chunks(self, kind: FeedKind, key: str) -> list[FeedChunk]:
        return [
            chunk
            for batch in self.appended
            for chunk in batch.chunks
            if (chunk.kind, chunk.key) == (kind, key)
        ]
