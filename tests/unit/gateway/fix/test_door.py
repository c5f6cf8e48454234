"""Who may connect, and who has to make room."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import ClassVar

import pytest
import uvloop
from tradewire_gateway.fix.door import Door, Guest, place_of

from tests.support.certificates import Authority

HERE = "127.0.0.1"


async def greet(guest: Guest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the first word, as one that is known from then on; end at the second."""
    writer.write(await reader.read(100))
    guest.is_known = True
    await writer.drain()
    await reader.read(100)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def opened(
    *, connections_max: int = 100, connections_per_address: int = 100, tls: ssl.SSLContext | None
) -> AsyncIterator[int]:
    """Open a door; yield its port."""
    door = Door(
        greet,
        connections_max=connections_max,
        connections_per_address=connections_per_address,
    )
    port = await door.open(HERE, 0, tls)
    try:
        yield port
    finally:
        for visitor in Visitor.came:
            visitor.writer.transport.abort()
        Visitor.came.clear()
        door.close()
        tasks = door.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Visitor:
    """A client that is on good terms with the door, or says nothing at all."""

    came: ClassVar[list["Visitor"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.came.append(self)

    @classmethod
    async def come(cls, port: int, tls: ssl.SSLContext | None = None) -> "Visitor":
        """Connect."""
        return cls(*await asyncio.open_connection(HERE, port, ssl=tls))

    async def is_answered(self) -> bool:
        """Say a word; return whether there is an answer to it."""
        with suppress(OSError):
            self.writer.write(b"hello")
            return await asyncio.wait_for(self.reader.read(100), 10) == b"hello"
        return False

    async def is_out(self) -> bool:
        """Wait for the end of a connection that says nothing."""
        with suppress(OSError):
            return await asyncio.wait_for(self.reader.read(100), 10) == b""
        return True


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return how a server and a client speak TLS with each other."""
    authority = Authority(tmp_path)
    pair = authority.certify("venue", "localhost", HERE)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pair.certificate, pair.key)
    return server, ssl.create_default_context(cafile=str(authority.certificate))


@pytest.mark.parametrize("bounds", [{"connections_max": 3}, {"connections_per_address": 3}])
async def test_who_says_nothing_makes_room(bounds: dict[str, int]) -> None:
    async with opened(**bounds, tls=None) as port:
        known = await Visitor.come(port)
        assert await known.is_answered()
        silent = [await Visitor.come(port) for _ in range(2)]
        for _ in range(5):
            visitor = await Visitor.come(port)
            assert await visitor.is_answered()
            visitor.writer.close()
        assert await silent[0].is_out()
        # Those that are known stay, and they alone make it full.
        others = [await Visitor.come(port) for _ in range(2)]
        assert [await each.is_answered() for each in others] == [True, True]
        assert not await (await Visitor.come(port)).is_answered()
        known.writer.write(b"bye")
        assert await known.is_out()
        assert await (await Visitor.come(port)).is_answered()


async def test_a_handshake_that_is_not_finished_makes_room(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = contexts
    async with opened(connections_max=2, tls=server) as port:
        half_open = [await Visitor.come(port) for _ in range(4)]
        # Two of them had to go for the two that came behind.
        for each in half_open[:2]:
            assert await each.is_out()
        visitors = [await Visitor.come(port, client) for _ in range(2)]
        assert [await each.is_answered() for each in visitors] == [True, True]
        for each in half_open[2:]:
            assert await each.is_out()


async def test_who_speaks_no_tls_is_forgotten(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = contexts
    async with opened(connections_max=1, tls=server) as port:
        for _ in range(3):
            assert not await (await Visitor.come(port)).is_answered()
        assert await (await Visitor.come(port, client)).is_answered()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_comes_with_the_connection_is_not_lost(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def main() -> None:
        async with opened(tls=None) as port:
            for _ in range(20):
                with socket.create_connection((HERE, port)) as early:
                    # It is there before the door looks.
                    early.sendall(b"early")
                    early.setblocking(False)
                    loop = asyncio.get_running_loop()
                    answer = await asyncio.wait_for(loop.sock_recv(early, 100), 10)
                    assert answer == b"early"

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with opened(tls=None) as port:
        door = Door(greet, connections_max=1, connections_per_address=1)
        with pytest.raises(OSError, match="in use"):
            await door.open(HERE, port, None)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
    ],
)
def test_addresses_of_one_network_count_as_one(address: str, place: str) -> None:
    assert place_of((address, 4711)) == place


def test_a_peer_without_an_address_has_a_place_too() -> None:
    assert place_of("") == ""
