"""The FIX gateway as a process of its own, which is killed."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tradewire.v1 import order_pb2

from tests.support.fix import FixClient, Peer
from tests.support.trading import Trader, limit
from tests.support.venue import RunningVenue, Stubs

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

    async def log_on(self, peer: Peer) -> FixClient:
        """Log a client on."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        client = FixClient(peer, reader, writer)
        client.log_on()
        await client.established()
        return client


async def test_a_gateway_process_that_is_killed_gives_what_was_missed(
    venue: RunningVenue, tmp_path: Path
) -> None:
    arguments = ("--upstream", f"unix:{venue.app.sockets.edge}", "--store", str(tmp_path / "fix"))
    alice = Peer(venue.credentials["alice"], sender="ALICE")
    gateway = await GatewayProcess.start(*arguments)
    client = await gateway.log_on(alice)
    client.place("a-1")
    assert (await client.next("8", t11="a-1")).body[20001] == "1"
    await gateway.end(signal.SIGKILL)
    assert await client.closed() == ""
    async with venue.connect() as channel:
        bob = Trader(Stubs(channel), venue.credentials["bob"])
        await bob.place(limit("b-1", order_pb2.SIDE_SELL))

    gateway = await GatewayProcess.start(*arguments)
    client = await gateway.log_on(alice)
    assert (await client.next("8")).body[20001] == "2"
    client.place("a-2")
    assert (await client.next("8")).body[20001] == "3"
    assert client.messages == []

    assert await gateway.end(signal.SIGTERM) == 0
    assert "log on again later" in await client.closed()


async def test_a_second_gateway_on_the_same_memory_is_refused(
    venue: RunningVenue, tmp_path: Path
) -> None:
    arguments = ("--upstream", venue.target, "--store", str(tmp_path / "fix"))
    gateway = await GatewayProcess.start(*arguments)
    second = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, complaints = await second.communicate()
    assert second.returncode == 1
    assert str(tmp_path / "fix").encode() in complaints
    assert await gateway.end(signal.SIGTERM) == 0
