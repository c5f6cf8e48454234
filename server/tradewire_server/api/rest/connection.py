"""One HTTP connection, requests in and bytes out: what the listeners of this package share.

It is written on the parser and not on a web server, because a web server hands over a target that
it has taken apart: put together again, `/v1/time?` is `/v1/time`, which is not what was signed.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import cast

import httptools

from tradewire_server.api.rest.request import RawRequest

# Beyond these a connection is closed: Envoy has lower bounds.
TARGET_MAX = 64 << 10
HEADERS_MAX = 1_000
BACKLOG = 1_024


class HttpConnection(ABC, asyncio.Protocol):
    """One connection and the request that is being received; `body_max` is how much of it is kept.

    It is in `connections` for as long as it is open.
    """

    def __init__(self, connections: "set[HttpConnection]", *, body_max: int) -> None:
        self._connections = connections
        self._body_max = body_max
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._start()

    def _start(self) -> None:
        self._target = bytearray()
        self._headers: list[tuple[str, str]] = []
        self._in_head = True
        self._body = bytearray()

    @abstractmethod
    def received(self, request: RawRequest) -> None:
        """Take a request that came whole; `respond` answers it."""

    def respond(self, response: bytes) -> None:
        """Send an answer, unless the connection is gone."""
        if self._transport is None:
            return
        self._transport.write(response)
        if not self._parser.should_keep_alive():
            self.close()

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
        if not self._in_head:
            # A trailer, which is no header: nobody has looked at it.
            return
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))
        if len(self._headers) > HEADERS_MAX:
            raise ValueError("there are too many headers")

    def on_headers_complete(self) -> None:
        self._in_head = False

    def on_body(self, part: bytes) -> None:
        # One byte more than is allowed tells that it is too long.
        room = self._body_max + 1 - len(self._body)
        self._body += part[:room]

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        target = self._target.decode("latin-1")
        self.received(RawRequest(method, target, tuple(self._headers), bytes(self._body)))
