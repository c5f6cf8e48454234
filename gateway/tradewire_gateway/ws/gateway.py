"""All WebSocket connections of a process: who may open one, their clock, and their end."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from tradewire_contract.statuses import make_status

from tradewire_gateway.ws.addresses import Addresses
from tradewire_gateway.ws.connection import CLOSE_GOING_AWAY
from tradewire_gateway.ws.meters import Meters
from tradewire_gateway.ws.options import WebSocketOptions
from tradewire_gateway.ws.transport import WebSocketProtocol
from tradewire_gateway.ws.turns import Turns
from tradewire_gateway.ws.upstream import Upstream

logger = logging.getLogger("tradewire.websocket")

TICK_S = 1.0
# Time for clients to answer the close frame.
CLOSING_S = 1.0
# Within which clients of a gateway that ends come back, so that they do not come all at once.
RETRY_MIN_MS, RETRY_MAX_MS = 500, 2_500
DRAINING = "the gateway ends; connect again"


class Gateway:
    """What the connections of a process share."""

    def __init__(self, options: WebSocketOptions) -> None:
        self.options = options
        self.limits = options.limits
        self.upstream = Upstream(options.channel, open_channel=options.open_channel)
        self.meters = options.meters or Meters()
        self.addresses = Addresses(
            each_max=options.limits.websocket_address_connections_max,
            all_max=options.limits.websocket_connections_max,
        )
        self.turns = Turns()
        self.is_draining = False
        self._open: set[WebSocketProtocol] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the connections' clock while the context lasts; at its end they are closed."""
        ticking = asyncio.create_task(self._tick(), name="websocket clock")
        try:
            yield
        finally:
            try:
                await self.drain()
            finally:
                ticking.cancel()
                await self.upstream.close()

    def make_protocol(self, **uvicorn: Any) -> WebSocketProtocol:
        """Return what takes over a connection; uvicorn's own objects are not needed."""
        return WebSocketProtocol(self)

    def enter(self, protocol: WebSocketProtocol) -> None:
        """Take note of a connection that is open."""
        self._open.add(protocol)
        self._empty.clear()
        self.meters.connections.inc()

    def leave(self, protocol: WebSocketProtocol) -> None:
        """Take note that it is no more."""
        if protocol in self._open:
            self._open.remove(protocol)
            self.meters.connections.dec()
            if not self._open:
                self._empty.set()

    async def drain(self) -> None:
        """Tell the clients that the gateway ends, give them time to finish, and close."""
        self.is_draining = True
        if not self._open:
            return
        status = make_status("SERVER_DRAINING", DRAINING)
        for protocol in tuple(self._open):
            if protocol.connection is not None:
                protocol.connection.notify_closing(
                    status, in_s=self.options.notice_s, retry_after_ms=_retry_after_ms()
                )
        await self._wait(self.options.notice_s)
        for protocol in tuple(self._open):
            if protocol.connection is not None:
                protocol.connection.end(status, CLOSE_GOING_AWAY, is_announced=True)
        await self._wait(CLOSING_S)
        for protocol in tuple(self._open):
            protocol.abort()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            for protocol in tuple(self._open):
                try:
                    protocol.tick(now_s)
                except Exception:
                    logger.exception("the clock of a connection failed")
                    protocol.abort()


def _retry_after_ms() -> int:
    return random.randint(RETRY_MIN_MS, RETRY_MAX_MS)
