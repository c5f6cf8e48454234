"""Writes a snapshot beside a running venue: `python -m tradewire_server.snapshotter DATA_DIR`.
 A snapshot bounds the time of a recovery. Making one means walking over the whole state, which
would stop a venue with a million orders for seconds. So a process of its own does it, at low
priority: it recovers from the journal as a restart would, which also proves that a restart can, and
writes what it got. The journal is only read; the snapshot is a new file.
"""

import asyncio
import logging
import os
import sys
from pathlib import Path

from tradewire_server.engine.state import dump_state
from tradewire_server.journal import snapshots
from tradewire_server.journal.packing import pack
from tradewire_server.journal.reader import JournalReader
from tradewire_server.journal.records import Snapshot
from tradewire_server.recovery import recover

logger = logging.getLogger("tradewire.snapshotter")

NICENESS = 10


def write_snapshot_of(directory: Path) -> int:
    """Write a snapshot of the journal's end; return its event number.

    Raises JournalError when the journal is not what was written or the snapshot cannot be.
    """
    reader = JournalReader(directory)
    try:
        state = recover(reader)
        chain_hash = reader.hash_at(state.event_number)
        if chain_hash is not None:
            snapshot = Snapshot(
                state.event_number, state.time_ns, state.state_hash(), pack(dump_state(state))
            )
            snapshots.write(
                directory, snapshot, journal_id=reader.journal_id, chain_hash=chain_hash
            )
    finally:
        reader.close()
    return state.event_number


class Snapshotter:
    """Starts the process whenever enough has happened since the last time."""

    def __init__(self, directory: Path, *, events: int, last_event: int) -> None:
        """Write a snapshot about every so many events; `last_event` is that of the last one."""
        self._directory = directory
        self._events = events
        self._last_event = last_event
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def published(self, event_number: int) -> None:
        """Take note of a durable batch."""
        if self._task is None and event_number - self._last_event >= self._events:
            self._last_event = event_number
            self._task = asyncio.create_task(self._run(), name="snapshotter")

    async def _run(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tradewire_server.snapshotter", str(self._directory)
        )
        code = await self._process.wait()
        if code > 0:
            # The venue goes on: a snapshot makes a restart fast, not possible.
            logger.error("the snapshot failed with exit code %d; see its log above", code)
        self._process = self._task = None

    async def stop(self) -> None:
        """End the process, so that nobody else writes snapshots."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._task is not None:
            await self._task


def main() -> None:
    """Write one snapshot of the data directory that is the only argument."""
    logging.basicConfig(level=logging.INFO)
    os.nice(NICENESS)
    event_number = write_snapshot_of(Path(sys.argv[1]))
    logger.info("snapshot of event %d written", event_number)


if __name__ == "__main__":
    main()
