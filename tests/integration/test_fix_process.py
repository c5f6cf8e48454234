"""The FIX gateway as a process of its own, which is killed."""

import asyncio
import signal
from pathlib import Path

from tradewire.v1 import order_pb2

from tests.support.fix import Peer
from tests.support.fix_process import COMMAND, GatewayProcess
from tests.support.trading import Trader, limit
from tests.support.venue import RunningVenue, Stubs


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
