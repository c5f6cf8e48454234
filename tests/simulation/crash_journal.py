"""Looks into the data directory of a venue that was killed: on a copy, as a restart would."""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tradewire_server.engine.fold import fold
from tradewire_server.engine.listener import Listener
from tradewire_server.engine.state import State
from tradewire_server.feeds import FeedKind
from tradewire_server.journal.codec import decode_events
from tradewire_server.journal.reader import JournalReader
from tradewire_server.journal.sqlite import SqliteJournal
from tradewire_server.journal.verify import verify
from tradewire_server.recovery import recover

COPY_TRIES = 5


class Autopsy(NamedTuple):
    """What a dead venue left: `durable` is the head of each account's executions, and `booked`
    that of its ledger.

    `state` is the fold of all events from the first, whatever snapshots there are.
    """

    journal_id: str
    durable: dict[str, int]
    booked: dict[str, int]
    state: State
    snapshots: int
    findings: list[str]


def copy_of(data_dir: Path, directory: Path) -> Path:
    """Copy the data directory of a dead venue.

    A process that it has left behind may still write a snapshot, and remove the oldest one.
    """
    # Nor can the sockets be copied that it has left behind.
    unfinished = shutil.ignore_patterns("*.unfinished", "*.sock")
    for _ in range(COPY_TRIES):
        with contextlib.suppress(shutil.Error):
            shutil.copytree(data_dir, directory, ignore=unfinished)
            return directory
        shutil.rmtree(directory)
    raise RuntimeError(f"{data_dir} changes all the time")


def examine(directory: Path, accounts: Sequence[str]) -> Autopsy:
    """Verify a copy, recover it, and fold it from its beginning."""
    findings = [f"journal: {finding}" for finding in verify(directory)]
    snapshots = len(list((directory / "snapshots").glob("*.snapshot")))
    journal = SqliteJournal.open(directory, now_ns=0)
    with contextlib.closing(journal):
        recovered = recover(journal)
        durable = {name: journal.feed_range(FeedKind.EXECUTIONS, name)[1] for name in accounts}
        booked = {name: journal.feed_range(FeedKind.LEDGER, name)[1] for name in accounts}
    with contextlib.closing(JournalReader(directory)) as reader:
        state = State()
        fold_until(state, reader, event_number=journal.last_event())
        if state.state_hash() != recovered.state_hash():
            findings.append(
                f"journal: recovery of event {recovered.event_number} with {snapshots} snapshots "
                "gives another state than all events"
            )
        return Autopsy(reader.journal_id, durable, booked, state, snapshots, findings)


def fold_until(state: State, reader: JournalReader, *, event_number: int) -> None:
    """Apply the events up to a number, the end of a batch."""
    nobody = Listener()
    for batch in reader.batches(state.event_number):
        if batch.last_event > event_number:
            break
        for event in decode_events(batch.payload):
            fold(state, event, batch.time_ns, nobody)
    state.changed_books = set()


def check_state_hash(
    state: State, data_dir: Path, *, event_number: int, state_hash: str
) -> list[str]:
    """Hold the state of a running venue against a fold of its journal that began at `state`."""
    with contextlib.closing(JournalReader(data_dir)) as reader:
        fold_until(state, reader, event_number=event_number)
    if state.event_number != event_number:
        return [f"the venue is at event {event_number}, its journal at {state.event_number}"]
    if state.state_hash().hex() != state_hash:
        return [f"the venue's state at event {event_number} is not the fold of its journal"]
    return []
