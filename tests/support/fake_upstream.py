"""What stands behind Envoy when something is wrong there: servers that misbehave in one way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from tradewire_envoy.process import EnvoyProcess, find_binary
from tradewire_envoy.render import EnvoySettings

Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NOBODY = 9


@asynccontextmanager
async def envoy_before(directory: Path, **settings: Any) -> AsyncIterator[EnvoyProcess]:
    """Run Envoy before whatever is at the sockets of a directory; calls go to `edge.sock` unless
    `calls` says otherwise.
    """
    chosen = {"calls": None, "port": 0, "http_port": NOBODY, **settings}
    process = EnvoyProcess(
        replace(EnvoySettings.beside(directory), **chosen),
        directory,
        binary=find_binary(),
    )
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


@asynccontextmanager
async def listening(path: Path, connection: Connection) -> AsyncIterator[None]:
    """Do this with every connection to a socket, until the context ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await connection(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, str(path))
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def authz_answering(
    answer: bytes = b"HTTP/1.1 200 OK\r\nx-tradewire-handle: h\r\ncontent-length: 0\r\n\r\n",
    seen: list[bytes] | None = None,
) -> Connection:
    """Return a service that answers every check with this, and notes what it is asked."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if seen is not None:
                seen.append(head + body)
            writer.write(answer)

    return connection


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything in and say nothing."""
    while await reader.read(1 << 16):
        pass


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection when the first request has come."""
    # Of HTTP/2, too: preface, settings and headers come together.
    await reader.read(1 << 16)


@asynccontextmanager
async def grpc_answering(path: Path, message: bytes) -> AsyncIterator[list[dict[str, Any]]]:
    """Answer every call with these bytes; yields the metadata of the calls."""
    calls: list[dict[str, Any]] = []

    async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        calls.append(dict(context.invocation_metadata() or ()))
        return message

    class Everything(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((Everything(),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield calls
    finally:
        await server.stop(None)
