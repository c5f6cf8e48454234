"""Starts, kills and restarts the venue's process, always at the same place."""

import asyncio
import json
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.simulation.crash_wire import Key
from tests.simulation.crash_world import OPERATOR, TRADERS

READY_S = 60.0
EXIT_S = 60.0


class VenueDied(Exception):
    """The venue ended when it should have served; the text ends with its log."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class VenueProcess:
    """One venue over all its lives."""

    def __init__(self, directory: Path) -> None:
        self.data_dir = directory / "venue"
        self.log = directory / "venue.log"
        self.grpc_port, self.admin_port = free_ports(2)
        self.keys = {account: Key() for account in (*TRADERS, OPERATOR)}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def target(self) -> str:
        """Address of the public listener."""
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def admin_target(self) -> str:
        """Address of the operator's listener."""
        return f"127.0.0.1:{self.admin_port}"

    async def spawn(self, *arguments: str) -> None:
        """Start the process, without waiting until it serves."""
        public_keys = {account: key.public_key.hex() for account, key in self.keys.items()}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.simulation.crash_venue",
                str(self.data_dir),
                f"--grpc-port={self.grpc_port}",
                f"--admin-port={self.admin_port}",
                f"--public-keys={json.dumps(public_keys)}",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )

    async def ready(self) -> None:
        """Wait until it serves.

        Raises VenueDied.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), READY_S)
        if not line:
            code = await self._process.wait()
            raise VenueDied(f"the venue did not start, exit code {code}:\n{self.log_tail()}")
        for account, key_id in json.loads(line).items():
            self.keys[account].key_id = key_id

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; False when the process has ended by itself."""
        assert self._process is not None
        if self._process.returncode is not None:
            return False
        self._process.send_signal(number)
        return True

    async def ended(self) -> int:
        """Wait for its end and return the exit code, that of a signal negative."""
        assert self._process is not None
        code = await asyncio.wait_for(self._process.wait(), EXIT_S)
        # What it printed is read to the end, so that the pipe is closed.
        await self._process.communicate()
        return code

    @property
    def is_running(self) -> bool:
        """Tell whether the process has not ended yet."""
        return self._process is not None and self._process.returncode is None

    def log_tail(self, size: int = 3_000) -> str:
        """Return the end of the log of all its lives."""
        return self.log.read_text(errors="replace")[-size:]
