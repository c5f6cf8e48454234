"""A journal whose appends wait when a test wants them to."""

import asyncio
import threading

from tradewire_server.app import Application
from tradewire_server.journal.records import Batch

TIMEOUT_S = 20.0


class SlowDisk:
    """Stands between the sequencer and the journal of a running venue."""

    def __init__(self, app: Application) -> None:
        self._append = app.journal.append
        self._passes = threading.Semaphore(0)
        self._waits = threading.Event()
        self._slow = False
        app.journal.append = self._slowly  # type: ignore[method-assign]

    def hold(self) -> None:
        """Let every append wait from now on."""
        self._slow = True
        self._waits.clear()

    async def held(self) -> None:
        """Wait until an append waits."""
        assert await asyncio.to_thread(self._waits.wait, TIMEOUT_S), "nothing is appended"

    async def let_one_pass(self) -> None:
        """Let the append that waits go on, and wait until the next one waits."""
        self._waits.clear()
        self._passes.release()
        await self.held()

    def release(self) -> None:
        """Let appends go on as they come."""
        self._slow = False
        self._passes.release()

    def _slowly(self, batch: Batch) -> None:
        if self._slow:
            self._waits.set()
            assert self._passes.acquire(timeout=TIMEOUT_S)
        self._append(batch)
