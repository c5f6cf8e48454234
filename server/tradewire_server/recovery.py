"""From the journal to the state: the newest snapshot, then the events after it, through the same
fold.
"""

import gc
import logging
import time
from collections.abc import Iterator
from typing import Protocol

from tradewire_server.engine.fold import fold
from tradewire_server.engine.listener import Listener
from tradewire_server.engine.state import State, dump_state, load_state
from tradewire_server.journal.codec import decode_events
from tradewire_server.journal.packing import pack, unpack
from tradewire_server.journal.records import Journal, Snapshot, StoredBatch

logger = logging.getLogger("tradewire.recovery")


class RecoveryError(Exception):
    """The journal and its snapshot do not fit together; nothing is started from it."""


class Past(Protocol):
    """What recovery reads of a journal."""

    def latest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot, if there is one."""

    def batches(self, after_event: int) -> Iterator[StoredBatch]:
        """Return what came after an event."""


def recover(journal: Past) -> State:
    """Return the state after the last durable batch.

    Raises JournalDamaged when the journal is not what was written, RecoveryError when the snapshot
    is not.
    """
    started = time.monotonic()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        state = _from_snapshot(journal)
        snapshot_event = state.event_number
        nobody = Listener()
        for batch in journal.batches(state.event_number):
            if batch.first_event != state.event_number + 1:
                raise RecoveryError(f"batch {batch.first_event} follows event {state.event_number}")
            for event in decode_events(batch.payload):
                fold(state, event, batch.time_ns, nobody)
    finally:
        if was_enabled:
            gc.enable()
    state.changed_books = set()
    logger.info(
        "recovered %d events in %.2f s, %d of them from a snapshot, %d open orders",
        state.event_number,
        time.monotonic() - started,
        snapshot_event,
        len(state.orders),
    )
    return state


def _from_snapshot(journal: Past) -> State:
    snapshot = journal.latest_snapshot()
    if snapshot is None:
        return State()
    state = load_state(unpack(snapshot.data))
    if state.event_number != snapshot.event_number or state.state_hash() != snapshot.state_hash:
        raise RecoveryError(
            f"the snapshot of event {snapshot.event_number} does not give the state that it was "
            "made of: remove the file and start again, the journal has everything"
        )
    return state


def write_snapshot(journal: Journal, state: State) -> None:
    """Write a snapshot of a state that is durable."""
    journal.write_snapshot(
        state.event_number, state.time_ns, state.state_hash(), pack(dump_state(state))
    )
