"""What the HTTP edge knows of WebSocket: who takes over a connection that is upgraded."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Upgrades(Protocol):
    """What takes over connections that become WebSocket."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Serve while the context lasts; at its end the connections are closed."""

    def make_protocol(self, **uvicorn: Any) -> asyncio.Protocol:
        """Return what an upgraded connection is handed to, with the head of its request."""
