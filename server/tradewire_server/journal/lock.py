"""One writer per data directory: an advisory lock that ends with its process, however it ends."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from tradewire_server.journal.errors import JournalLocked

FILE_NAME = "lock"


class DirectoryLock:
    """The lock of one data directory, held from construction to `release`."""

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises `JournalLocked`.
        """
        path = directory / FILE_NAME
        # Never unlinked: a second process could lock the file that has just lost its name.
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).strip()
            os.close(self._fd)
            raise JournalLocked(str(path), int(holder) if holder.isdigit() else None) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next writer in. Does nothing the second time."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "DirectoryLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
