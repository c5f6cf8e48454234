"""Breaks a venue on purpose: a checker that has never found anything proves nothing.

Each fault breaks one promise, in the process that `crash_venue --fault NAME` starts, and every run
with it has to be found out.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tradewire_server.engine import decide
from tradewire_server.engine.commands import CancelOrphans
from tradewire_server.feeds import FeedChunk
from tradewire_server.journal.records import ClientIdRow
from tradewire_server.journal.sqlite import SqliteJournal
from tradewire_server.streams.subscription import Subscription

NOT_OFFERED = 40


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
    "forget-ids": forget_ids,
    "keep-orphans": keep_orphans,
    "skip-offers": skip_offers,
}
