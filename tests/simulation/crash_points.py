"""Places at which a venue kills itself: between two steps that a kill at random rarely separates.

A point is a method; the process dies right before or right behind one of its calls. The count
begins when the point is armed: at once, or by a signal when the clients begin.
"""

import os
import signal
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from tradewire_server.journal import snapshots
from tradewire_server.journal.client_ids import ClientIdIndex
from tradewire_server.journal.head import HeadFile
from tradewire_server.journal.sqlite import SqliteJournal
from tradewire_server.streams.hub import Hub

ARM: Final = signal.SIGUSR1


class Point(NamedTuple):
    """A method of a class or module, and how often it is called while clients work."""

    owner: Any
    name: str
    calls: int


POINTS: Final = {
    # Before: nothing of the batch is written. Behind: all of it is, and nobody knows.
    "append": Point(SqliteJournal, "append", 100),
    # Before: committed, and the head file says less.
    "head": Point(HeadFile, "record", 100),
    # Between the journal and the index of client ids.
    "ids": Point(ClientIdIndex, "add", 100),
    # Around the transaction of the index, which is behind the journal by many batches.
    "flush": Point(ClientIdIndex, "_flush", 3),
    "stage": Point(ClientIdIndex, "_stage", 3),
    # Before: durable, and nobody was told. Behind: the streams were told, and no caller was.
    "publish": Point(Hub, "publish", 100),
    # A snapshot is written when the venue drains; before and behind its name is durable.
    "snapshot": Point(snapshots, "write", 1),
    "sync": Point(snapshots, "sync_directory", 1),
}

# Those that are passed by a venue that drains.
DRAINING: Final = frozenset({"snapshot", "sync"})


def dying_at(name: str, *, call: int, behind: bool, armed: bool) -> Callable[[], None]:
    """Let the process die around a call of a point; return what arms it."""
    owner, method, _ = POINTS[name]
    original = getattr(owner, method)
    is_armed, count = armed, 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def arm() -> None:
        nonlocal is_armed
        is_armed = True

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += is_armed
        is_last = is_armed and count == call
        if is_last and not behind:
            die()
        result = original(*arguments, **options)
        if is_last:
            die()
        return result

    setattr(owner, method, counted)
    return arm
