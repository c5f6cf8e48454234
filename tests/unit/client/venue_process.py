"""The real venue in this process, with the accounts of `tradewire up`, and a line to cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tradewire_server.app import Application, Settings
from tradewire_server.cli.founding import found_demo, save_demo
from tradewire_server.cli.venue_files import DEMO_FILE

ENVIRONMENT = "sandbox"


@contextlib.asynccontextmanager
async def running_venue(folder: Path, *, grpc_port: int = 0) -> AsyncIterator[str]:
    """Run a venue with its data in a folder, where `demo.json` is, too; give its address."""
    settings = Settings(
        data_dir=folder, environment=ENVIRONMENT, grpc_port=grpc_port, admin_port=0, drain_s=0.5
    )
    app = Application(settings)
    port, admin_port = await app.start()
    address = f"127.0.0.1:{port}"
    founded = await found_demo(app)
    save_demo(
        folder,
        founded,
        environment=ENVIRONMENT,
        grpc=address,
        admin=f"127.0.0.1:{admin_port}",
    )
    assert (folder / DEMO_FILE).exists()
    try:
        yield address
    finally:
        await app.drain()


class Line:
    """A TCP line to an address. It can be cut, and counts the bytes that came back over it."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host, int(port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._budget: int | None = None
        self.cuts = 0

    @property
    def address(self) -> str:
        """Where it begins."""
        assert self._server is not None, "the line is open"
        port: int = self._server.sockets[0].getsockname()[1]
        return f"127.0.0.1:{port}"

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *args: object) -> None:
        assert self._server is not None, "the line is open"
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Reset every connection."""
        self.cuts += 1
        for writer in list(self._writers):
            writer.transport.abort()

    def cut_after(self, answered_bytes: int) -> None:
        """Cut when so many more bytes have come back, in the middle of what is under way."""
        self._budget = answered_bytes

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(
                self._carry(reader, far_writer, counted=False),
                self._carry(far_reader, writer, counted=True),
            )
        finally:
            self._writers -= {writer, far_writer}
            for end in (writer, far_writer):
                end.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if counted and self._budget is not None:
                    self._budget -= len(data)
                    if self._budget < 0:
                        self._budget = None
                        self.cut()
                        return
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
