"""The HTTP service that Envoy asks: each request on a connection is answered by one function.

It is written on the parser and not on a web server, because a web server hands over a target that
it has taken apart: put together again, `/v1/time?` is `/v1/time`, which is not what was signed. The
function does not wait for anything, so an answer follows its request at once and in order.

Only Envoy connects: over a unix socket that belongs to this user, or with a certificate.
"""

import asyncio
import http
import socket
import ssl
from collections.abc import Callable
from typing import cast

import httptools

from tradewire_server.api.rest.request import BODY_MAX, Answer, RawRequest

# Beyond these a connection is closed: Envoy has lower bounds.
TARGET_MAX = 64 << 10
HEADERS_MAX = 1_000
BACKLOG = 1_024

Decide = Callable[[RawRequest], Answer]


class AuthorisationListener:
    """Listens until it is closed."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._servers: list[asyncio.Server] = []
        self._connections: set[_Connection] = set()

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Serve on one more socket, which is bound."""
        loop = asyncio.get_running_loop()
        if listener.family == socket.AF_UNIX:
            server = await loop.create_unix_server(self._connect, sock=listener, backlog=BACKLOG)
        else:
            server = await loop.create_server(
                self._connect, sock=listener, ssl=tls, backlog=BACKLOG
            )
        self._servers.append(server)

    async def close(self) -> None:
        """Stop at once: every request that came whole has been answered."""
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.close()
        await asyncio.gather(*(server.wait_closed() for server in self._servers))

    def _connect(self) -> asyncio.Protocol:
        return _Connection(self._decide, self._connections)


class _Connection(asyncio.Protocol):
    """One connection and the request that is being received."""

    def __init__(self, decide: Decide, connections: "set[_Connection]") -> None:
        self._decide = decide
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._start()

    def _start(self) -> None:
        self._target = bytearray()
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()

    def close(self) -> None:
        """Close once what was answered is sent."""
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.Protocol -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)

    def pause_writing(self) -> None:
        # Who does not read the answers asks nothing more meanwhile.
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # Not HTTP, or too much of it: Envoy takes a broken connection for a refusal.
            self.close()

    # --- the parser's callbacks -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._start()

    def on_url(self, part: bytes) -> None:
        self._target += part
        if len(self._target) > TARGET_MAX:
            raise ValueError("the target is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))
        if len(self._headers) > HEADERS_MAX:
            raise ValueError("there are too many headers")

    def on_body(self, part: bytes) -> None:
        # One byte more than is allowed tells that it is too long.
        room = BODY_MAX + 1 - len(self._body)
        self._body += part[:room]

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        target = self._target.decode("latin-1")
        request = RawRequest(method, target, tuple(self._headers), bytes(self._body))
        answer = self._decide(request)
        if self._transport is None:
            return
        # The answer to HEAD has no body, whatever its length.
        body = b"" if method == "HEAD" else answer.body
        self._transport.write(_head(answer) + body)
        if not self._parser.should_keep_alive():
            self.close()


def _head(answer: Answer) -> bytes:
    phrase = http.HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines += [f"content-length: {len(answer.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1")
