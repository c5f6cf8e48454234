"""Proving a whole journal, and showing it as text. Both only read, and work while a venue runs.

`verify` follows the chain from its first hash to its last and holds everything else against it:
each feed chunk, closed order and client id must be what the annex of a batch says, and there must
be none that no annex knows. It goes on behind damage, so that all of it is listed. While SQLite
checks its own structure, which is one long read, the log of a running venue cannot start again.

`dump` shows each event as one line of JSON. `diff` says where two journals part.
"""

import contextlib
import enum
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from tradewire_server import feeds
from tradewire_server.feeds import FeedKind
from tradewire_server.journal import chain, client_ids, codec, database, snapshots
from tradewire_server.journal.chain import Annex, BatchRow, ChainCheck, ChunkDigest
from tradewire_server.journal.errors import JournalDamaged, JournalError
from tradewire_server.journal.head import read as read_head
from tradewire_server.journal.reader import JournalReader
from tradewire_server.journal.records import ClientIdRow, ClosedOrderRow
from tradewire_server.journal.sqlite import DAY_NS, check_end

_STRUCTURE_FINDINGS_MAX: Final = 100
_KIND_NAMES: Final = {kind.value: kind.name for kind in FeedKind}

_FEED_TALLY: Final = """
SELECT kind, key, count(*), min(first), max(last), sum(last - first + 1)
FROM feed_chunks GROUP BY kind, key
"""
_CHUNK: Final = "SELECT last, crc, data FROM feed_chunks WHERE kind = ? AND key = ? AND first = ?"
_CLOSED_ORDER: Final = (
    "SELECT symbol, sequence FROM closed_orders WHERE account = ? AND order_id = ?"
)
_CLIENT_ID: Final = "SELECT content_hash, order_id, sequence FROM client_ids WHERE key = ?"

_encode_json = msgspec.json.Encoder().encode


class Finding(NamedTuple):
    """Something that is not as it was written."""

    place: str
    finding: str


class Summary(NamedTuple):
    """What a journal says about itself."""

    journal_id: str
    created_ns: int
    epoch: int
    last_event: int
    last_time_ns: int
    last_hash: str
    head_event: int
    snapshot_events: tuple[int, ...]


def summary(directory: Path) -> Summary:
    """Describe a journal, without proving it.

    Raises `JournalError`.
    """
    with contextlib.closing(JournalReader(directory)) as reader:
        last = reader.last_batch()
        head = read_head(directory)
        return Summary(
            reader.journal_id,
            reader.created_ns,
            reader.epoch,
            last.last_event if last else 0,
            last.time_ns if last else 0,
            last.hash.hex() if last else chain.genesis(reader.journal_id).hex(),
            head.last_event if head else 0,
            tuple(header.event_number for _, header in snapshots.whole_headers(directory)),
        )


def verify(directory: Path) -> Iterator[Finding]:
    """Yield everything that is wrong with a journal; nothing when it is sound.

    Raises `JournalError` if there is no journal of a known version.
    """
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(contextlib.closing(JournalReader(directory)))
        connection = stack.enter_context(
            contextlib.closing(database.connect_reader(directory / database.FILE_NAME))
        )
        yield from _Verification(directory, reader, connection).findings()


class _FeedTally(NamedTuple):
    chunks: int
    first: int
    last: int
    entries: int


class _Verification:
    """One pass over a journal, up to where it ended when the pass began."""

    def __init__(
        self, directory: Path, reader: JournalReader, connection: sqlite3.Connection
    ) -> None:
        self._directory = directory
        self._reader = reader
        self._connection = connection
        self._end = 0
        self._pruned_to = 0
        # What the annexes make one expect: chunks and closed orders that are still there.
        self._chunks_seen: Counter[tuple[int, str]] = Counter()
        self._closed_orders_seen = 0

    def findings(self) -> Iterator[Finding]:
        """Yield what each step finds; where a step cannot go on, the next one begins."""
        for step in (
            self._structure,
            self._content,
            self._client_ids,
            self._end_of_journal,
            self._snapshots,
        ):
            try:
                yield from step()
            except JournalDamaged as damage:
                yield Finding(damage.place, damage.finding)
            except JournalError as error:
                yield Finding(str(self._directory), str(error))

    def _structure(self) -> Iterator[Finding]:
        with database.reading("the structure of the database"):
            rows = self._connection.execute(
                f"PRAGMA integrity_check({_STRUCTURE_FINDINGS_MAX})"
            ).fetchall()
        for (text,) in rows:
            if text != "ok":
                yield Finding("the structure of the database", text)

    def _content(self) -> Iterator[Finding]:
        tallies, closed_orders = self._tallies()
        yield from self._batches()
        yield from self._compare_feeds(tallies)
        if closed_orders != self._closed_orders_seen:
            yield Finding(
                "closed orders",
                f"there are {closed_orders}, the batches hold {self._closed_orders_seen}",
            )

    def _end_of_journal(self) -> Iterator[Finding]:
        check_end(self._reader, read_head(self._directory))
        yield from ()

    def _tallies(self) -> tuple[dict[tuple[int, str], _FeedTally], int]:
        """Count what the tables hold, all at one moment."""
        with _one_moment(self._connection, "the tables"):
            end, pruned_to, closed_orders = self._connection.execute(
                "SELECT (SELECT coalesce(max(last_event), 0) FROM batches),"
                " (SELECT feeds_pruned_to FROM meta), (SELECT count(*) FROM closed_orders)"
            ).fetchone()
            tallies = {
                (kind, key): _FeedTally(*tally)
                for kind, key, *tally in self._connection.execute(_FEED_TALLY)
            }
        self._end, self._pruned_to = end, pruned_to
        return tallies, closed_orders

    def _batches(self) -> Iterator[Finding]:
        check = ChainCheck(last_event=0, last_hash=chain.genesis(self._reader.journal_id))
        for row, annex in self._reader.rows_with_annex(0):
            if row.first_event > self._end:
                break
            try:
                check.follow(row)
            except JournalDamaged as damage:
                yield Finding(damage.place, damage.finding)
                check.resume_after(row)
            yield from self._annex(row, annex)
        if check.last_event != self._end:
            yield Finding(f"event {self._end}", "no batch ends with it")

    def _annex(self, row: BatchRow, data: bytes) -> Iterator[Finding]:
        if chain.digest(data) != row.chunks_hash:
            yield Finding(row.place, "the hash of its annex does not match")
            return
        try:
            annex = chain.decode_annex(data, row.place)
            for finding in self._rows_of(row, annex):
                yield Finding(row.place, finding)
        except JournalDamaged as damage:
            yield Finding(damage.place, damage.finding)

    def _rows_of(self, row: BatchRow, annex: Annex) -> Iterator[str]:
        """Hold what an annex says against what is looked up elsewhere."""
        with _one_moment(self._connection, row.place):
            for chunk in annex.chunks:
                stored = self._connection.execute(_CHUNK, chunk[:3]).fetchone()
                if stored is None and row.last_event <= self._pruned_to:
                    continue
                self._chunks_seen[chunk.kind, chunk.key] += 1
                yield from _compare_chunk(chunk, stored)
            for closed in annex.closed_orders:
                self._closed_orders_seen += 1
                key = (closed.account, closed.order_id)
                yield from _compare_closed_order(
                    closed, self._connection.execute(_CLOSED_ORDER, key).fetchone()
                )

    def _compare_feeds(self, tallies: dict[tuple[int, str], _FeedTally]) -> Iterator[Finding]:
        for (kind, key), tally in tallies.items():
            place = f"feed {_KIND_NAMES.get(kind, kind)} of {key}"
            if self._chunks_seen[kind, key] != tally.chunks:
                yield Finding(
                    place,
                    f"there are {tally.chunks} chunks, the batches hold "
                    f"{self._chunks_seen[kind, key]}",
                )
            if tally.entries != tally.last - tally.first + 1:
                yield Finding(place, "its entries leave a gap or overlap")
            elif tally.first != 1 and not self._pruned_to:
                yield Finding(place, f"it begins with entry {tally.first}")

    def _client_ids(self) -> Iterator[Finding]:
        """Hold the index of client ids against the annexes, as far as it says it is complete."""
        path = self._directory / client_ids.FILE_NAME
        if not path.exists():
            return  # It is made again at the next start.
        last = self._reader.last_batch()
        since_ns = ((last.time_ns if last else 0) // DAY_NS - 1) * DAY_NS
        with contextlib.closing(database.connect_reader(path)) as connection:
            with database.reading(str(path)):
                journal_id, complete_to = connection.execute(
                    "SELECT journal_id, event FROM progress"
                ).fetchone()
            if journal_id != self._reader.journal_id:
                return  # The same.
            for stored in self._reader.annexes(0, since_ns=since_ns):
                if stored.last_event > complete_to:
                    break
                with _one_moment(connection, str(path)):
                    yield from _missing_client_ids(
                        connection, stored.time_ns, stored.annex.client_ids
                    )

    def _snapshots(self) -> Iterator[Finding]:
        for path in snapshots.paths(self._directory):
            try:
                header, _ = snapshots.read(path)
            except snapshots.SnapshotDamaged as error:
                yield Finding(str(path), str(error))
                continue
            if header.journal_id != self._reader.journal_id:
                yield Finding(str(path), f"it belongs to journal {header.journal_id}")
            elif self._reader.hash_at(header.event_number) != header.chain_hash:
                yield Finding(str(path), "it stands behind another history than this journal's")


@contextlib.contextmanager
def _one_moment(connection: sqlite3.Connection, place: str) -> Iterator[None]:
    """Let several look-ups see the same state, and lock the file once for all of them."""
    with database.reading(place):
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


def _compare_chunk(chunk: ChunkDigest, stored: tuple[int, int, bytes] | None) -> Iterator[str]:
    name = f"entries {chunk.first} to {chunk.last} of feed {chunk.kind.name} of {chunk.key}"
    if stored is None:
        yield f"{name} are missing"
        return
    last, crc, data = stored
    if last != chunk.last:
        yield f"{name} end with {last}"
    if chain.digest(data) != chunk.digest:
        yield f"the hash of {name} does not match"
        return
    if crc != chain.chunk_crc(chunk.kind, chunk.key, first=chunk.first, last=last, data=data):
        yield f"the CRC of {name} does not match"
    with contextlib.suppress(feeds.EntriesMalformed):
        if feeds.count(data) == chunk.last - chunk.first + 1:
            return
    yield f"{name} are not that many"


def _compare_closed_order(closed: ClosedOrderRow, stored: tuple[str, int] | None) -> Iterator[str]:
    if stored is None:
        yield f"closed order {closed.order_id} of {closed.account} is missing"
    elif stored != (closed.symbol, closed.sequence):
        yield f"closed order {closed.order_id} of {closed.account} does not match"


def _missing_client_ids(
    connection: sqlite3.Connection, time_ns: int, rows: list[ClientIdRow]
) -> Iterator[Finding]:
    for row in rows:
        key = client_ids.key_of(time_ns // client_ids.PERIOD_NS, row.account, row.client_order_id)
        if connection.execute(_CLIENT_ID, (key,)).fetchone() != row[2:]:
            yield Finding(
                client_ids.FILE_NAME,
                f"client id {row.client_order_id} of {row.account} is missing or does not match; "
                "remove the file while the venue is stopped, it is made again",
            )


def _readable(value: Any, name: str = "") -> Any:
    """Return a field as JSON shows it best; secrets are not shown, not even sealed."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bytes):
        return f"{len(value)} bytes" if "secret" in name else value.hex()
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        if fields is None:
            return [_readable(item) for item in value]
        return {field: _readable(item, field) for field, item in zip(fields, value, strict=True)}
    if isinstance(value, int) and value.bit_length() > 63:
        return str(value)
    return value


def dump(directory: Path, *, after_event: int = 0, until_event: int | None = None) -> Iterator[str]:
    """Yield the events as lines of JSON, from the batch behind `after_event` on.

    Raises `JournalDamaged`.
    """
    with contextlib.closing(JournalReader(directory)) as reader:
        for batch in reader.batches(after_event):
            events = codec.decode_events(batch.payload)
            for number, event in enumerate(events, batch.first_event):
                if until_event is not None and number > until_event:
                    return
                head = {"event": number, "time_ns": batch.time_ns, "type": type(event).__name__}
                yield _encode_json(head | _readable(event)).decode()


def diff(first: Path, second: Path) -> Iterator[str]:
    """Yield where two journals part: nothing if they hold the same events at the same times.

    Raises `JournalDamaged`.
    """
    for number, (ours, theirs) in enumerate(itertools.zip_longest(dump(first), dump(second)), 1):
        if ours != theirs:
            yield f"event {number} differs"
            yield f"- {ours if ours is not None else 'the journal ends'}"
            yield f"+ {theirs if theirs is not None else 'the journal ends'}"
            return
