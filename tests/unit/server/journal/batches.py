"""Makes batches as a sequencer would: numbers without a gap, content that follows from them."""

from pathlib import Path

from tradewire_server import feeds
from tradewire_server.engine.events import Deposited, Event
from tradewire_server.feeds import FeedChunk, FeedKind
from tradewire_server.journal import codec
from tradewire_server.journal.records import (
    Batch,
    CandleRow,
    ClientIdRow,
    ClosedOrderRow,
)
from tradewire_server.journal.sqlite import DAY_NS, SqliteJournal

START_NS = 20_000 * DAY_NS
ACCOUNTS = ("alice", "bob")
SYMBOL = "BTC-USD"


def open_journal(directory: Path) -> SqliteJournal:
    return SqliteJournal.open(directory, now_ns=START_NS)


def event_of(number: int) -> Event:
    return Deposited("alice", "USD", number, f"request-{number}")


def execution_of(account: str, number: int) -> bytes:
    """Return the message of one execution; its length varies with the number."""
    return f"execution {number} of {account} ".encode() + b"." * (number % 200)


def chunk_of(kind: FeedKind, key: str, first: int, last: int) -> FeedChunk:
    numbers = range(first, last + 1)
    data = b"".join(feeds.wrap(execution_of(key, number)) for number in numbers)
    return FeedChunk(kind, key, first, last, data)


def client_id_of(number: int) -> ClientIdRow:
    account = ACCOUNTS[number % 2]
    return ClientIdRow(account, f"id-{number}", number.to_bytes(16, "big"), number, number)


def batch_of(first: int, last: int, *, time_ns: int | None = None) -> Batch:
    """Return the batch of some events: each has an execution per account and a client id."""
    numbers = range(first, last + 1)
    return Batch(
        first,
        last,
        START_NS + first if time_ns is None else time_ns,
        codec.encode_events([event_of(number) for number in numbers]),
        [
            *(chunk_of(FeedKind.EXECUTIONS, account, first, last) for account in ACCOUNTS),
            chunk_of(FeedKind.TRADES, SYMBOL, first, last),
        ],
        [client_id_of(number) for number in numbers],
        [ClosedOrderRow("alice", number, SYMBOL, number) for number in numbers if number % 3 == 0],
        [CandleRow(SYMBOL, first // 100, first, last, first, last, len(numbers), len(numbers))],
    )


def fill(journal: SqliteJournal, count: int, *, events: int = 3) -> list[Batch]:
    """Append batches behind what is there and return them."""
    appended = []
    for _ in range(count):
        first = journal.last_event() + 1
        batch = batch_of(first, first + events - 1)
        journal.append(batch)
        appended.append(batch)
    return appended
