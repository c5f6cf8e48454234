"""The FIX gateway as a process of its own, for tests."""

import asyncio
import signal
import sys
from contextlib import suppress

from tests.support.fix import FixClient, Peer

COMMAND = (sys.executable, "-m", "tradewire_gateway.fix", "--port", "0")
START_S = 30


class GatewayProcess:
    """A process, and how to connect to it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self._port = port

    @classmethod
    async def start(cls, *arguments: str) -> "GatewayProcess":
        """Start one and wait until it listens."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        return cls(process, int(line.rpartition(b":")[2]))

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return await self.process.wait()

    async def connect(self, peer: Peer) -> FixClient:
        """Open a connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        return FixClient(peer, reader, writer)

    async def log_on(self, peer: Peer) -> FixClient:
        """Log a client on."""
        client = await self.connect(peer)
        client.log_on()
        await client.established()
        return client
