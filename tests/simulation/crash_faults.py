"""Breaks a venue on purpose: a checker that has never found anything proves nothing.

Each fault breaks one promise, in the process that `crash_venue --fault NAME` starts, and every run
with it has to be found out.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tradewire_server.engine import decide
from tradewire_server.engine.commands import CancelOrphans
from tradewire_server.feeds import FeedChunk
from tradewire_server.journal.records import Batch, ClientIdRow
from tradewire_server.journal.sqlite import SqliteJournal
from tradewire_server.streams.subscription import Subscription

BEHIND_S = 0.05
NOT_OFFERED = 40


def acknowledge_early() -> None:
    """Answer before the write: what was answered last is lost with the process."""
    append = SqliteJournal.append
    writer = ThreadPoolExecutor(1)

    def later(self: SqliteJournal, batch: Batch, due_s: float) -> None:
        time.sleep(max(due_s - time.monotonic(), 0))
        append(self, batch)

    def early(self: SqliteJournal, batch: Batch) -> None:
        writer.submit(later, self, batch, time.monotonic() + BEHIND_S)

    SqliteJournal.append = early  # type: ignore[method-assign]


def forget_ids() -> None:
    """Take a repeated command for a new one."""

    def nothing(
        self: SqliteJournal, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], ClientIdRow]:
        return {}

    SqliteJournal.find_client_ids = nothing  # type: ignore[method-assign]


def keep_orphans() -> None:
    """Leave the orders of lost connections in the book."""

    def no_events(*arguments: Any) -> list[Any]:
        return []

    decide._DECIDERS[CancelOrphans] = no_events


def skip_offers() -> None:
    """Hand followers all chunks but some."""
    offer = Subscription.offer
    count = 0

    def sometimes(self: Subscription, pieces: Sequence[FeedChunk], size: int) -> None:
        nonlocal count
        count += 1
        if count % NOT_OFFERED:
            offer(self, pieces, size)

    Subscription.offer = sometimes  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "acknowledge-early": acknowledge_early,
    "forget-ids": forget_ids,
    "keep-orphans": keep_orphans,
    "skip-offers": skip_offers,
}
