"""The HTTP service that Envoy asks: each request on a connection is answered by one function.

The function does not wait for anything, so an answer follows its request at once and in order.

Only Envoy connects: over a unix socket that belongs to this user, or with a certificate.
"""

import asyncio
import http
import socket
import ssl
from collections.abc import Callable

from tradewire_server.api.rest.connection import BACKLOG, HttpConnection
from tradewire_server.api.rest.request import BODY_MAX, Answer, RawRequest

Decide = Callable[[RawRequest], Answer]


class AuthorisationListener:
    """Listens until it is closed."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._servers: list[asyncio.Server] = []
        self._connections: set[HttpConnection] = set()

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


class _Connection(HttpConnection):
    """A connection on which each request is answered at once."""

    def __init__(self, decide: Decide, connections: set[HttpConnection]) -> None:
        super().__init__(connections, body_max=BODY_MAX)
        self._decide = decide

    def received(self, request: RawRequest) -> None:
        answer = self._decide(request)
        # The answer to HEAD has no body, whatever its length.
        body = b"" if request.method == "HEAD" else answer.body
        self.respond(_head(answer) + body)


def _head(answer: Answer) -> bytes:
    phrase = http.HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines += [f"content-length: {len(answer.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1")
