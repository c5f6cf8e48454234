"""What can be wrong with a journal: each error says the place, what does not match and what to do.

JournalError
├── JournalLocked          another process writes to it
├── JournalDamaged         what is stored does not match itself; `place` says where
├── JournalBehindHead      the database ends before what was acknowledged
├── JournalVersionUnknown  a newer release wrote it
├── JournalWriteFailed     an append or snapshot did not become durable: stop, recover by restart
│   └── JournalFull        because there is no room
└── FeedOutOfRange         the wanted entries are older than what is retained

`exit_code` is what the process that cannot go on ends with; the numbers are part of the command
line's interface and stay as they are.
"""

from typing import ClassVar


class JournalError(Exception):
    """The journal cannot do what was asked."""

    exit_code: ClassVar[int] = 20


class JournalLocked(JournalError):
    """Another process has the journal open for writing."""

    exit_code = 21

    def __init__(self, path: str, pid: int | None) -> None:
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"{path} is held by {holder}: only one writes to a journal, stop it first")
        self.pid = pid


class JournalDamaged(JournalError):
    """What is stored at `place` does not match itself."""

    exit_code = 22

    advice: ClassVar[str] = (
        "Nothing was changed. `tradewire journal verify` lists all damage; "
        "the way back is a copy of the data directory from before it"
    )

    def __init__(self, place: str, finding: str, advice: str = advice) -> None:
        super().__init__(f"{place}: {finding}. {advice}")
        self.place = place
        self.finding = finding


class JournalBehindHead(JournalError):
    """The database ends before what was acknowledged, so acknowledged data is missing."""

    exit_code = 23

    def __init__(self, *, last_event: int, head_event: int, witness: str) -> None:
        super().__init__(
            f"the database ends at event {last_event}, but {witness} records event {head_event}: "
            f"acknowledged events {last_event + 1} to {head_event} are missing. Nothing was "
            "changed. Keep a copy of the whole data directory as it is, then restore the newest "
            f"complete one; only who accepts the loss removes {witness}"
        )
        self.last_event = last_event
        self.head_event = head_event


class JournalVersionUnknown(JournalError):
    """A newer release wrote this, or it is something else."""

    exit_code = 24


class JournalWriteFailed(JournalError):
    """A write did not become durable. Whether it is in the journal is known after recovery."""

    exit_code = 25


class JournalFull(JournalWriteFailed):
    """A write did not become durable because there is no room."""

    exit_code = 26


class FeedOutOfRange(JournalError):
    """Entries were wanted that are older than what is retained."""

    exit_code = 27

    def __init__(self, *, wanted: int, first_available: int) -> None:
        super().__init__(
            f"entry {wanted} is no longer retained, the first available is {first_available}"
        )
        self.wanted = wanted
        self.first_available = first_available
