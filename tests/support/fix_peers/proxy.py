"""Stands between a client and the gateway, so that a test decides what the client still gets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

ANSWER_S = 30.0


class Proxy:
    """One listener; what the gateway sends is passed on, or withheld and kept."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.withheld = b""
        self._is_withholding = False
        self._gateway_port = port
        self._changed = asyncio.Event()
        self._connections: dict[asyncio.Task[None], list[asyncio.Task[None]]] = {}

    def withhold(self) -> None:
        """Let nothing that the gateway sends reach the connection's client any more."""
        self._is_withholding = True

    async def until(self, wanted: Callable[[bytes], bool]) -> None:
        """Wait until what has been withheld is so."""
        async with asyncio.timeout(ANSWER_S):
            while not wanted(self.withheld):
                self._changed.clear()
                await self._changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        # Each is a new try.
        self._is_withholding = False
        served = asyncio.current_task()
        assert served is not None
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._gateway_port)
        both = self._forward(reader, far_writer), self._backward(far_reader, writer)
        ways = [asyncio.ensure_future(way) for way in both]
        self._connections[served] = ways
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        far_writer.close()
        del self._connections[served]

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(2**16):
                writer.write(data)

    async def _backward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(2**16):
                if self._is_withholding:
                    self.withheld += data
                    self._changed.set()
                else:
                    writer.write(data)

    async def cut(self) -> None:
        """End all connections; new ones are served."""
        for ways in self._connections.values():
            for way in ways:
                way.cancel()
        await asyncio.gather(*self._connections)


@asynccontextmanager
async def proxy_before(port: int) -> AsyncIterator[Proxy]:
    """Run a proxy before a port of this machine."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.cut()
