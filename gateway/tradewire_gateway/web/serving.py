"""Runs the HTTP edge in the event loop that is already running, and leaves signals alone."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import uvicorn

from tradewire_gateway.web.app import make_app
from tradewire_gateway.web.options import WebOptions
from tradewire_gateway.web.upgrades import Upgrades

_BACKLOG = 512
# Longer than an idle upstream connection of Envoy lives (one hour), so that Envoy ends it: the
# other way round a request could meet a connection that is being closed.
_KEEP_ALIVE_S = 4_000
_DRAIN_S = 1


@contextlib.asynccontextmanager
async def serve_web(
    options: WebOptions,
    *,
    listener: socket.socket | None = None,
    trusted: socket.socket | None = None,
    upgrades: Upgrades | None = None,
) -> AsyncIterator[str]:
    """Serve while the context lasts; yields the address, `host:port`.

    A listener that is given is used in place of the host and port, and closed at the end; so is
    `trusted`, a listening unix socket that Envoy alone can open: who comes there is believed when
    it says where the client is. `upgrades` takes over what becomes WebSocket.

    Raises OSError when the port cannot be opened.
    """
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(
            contextlib.closing(listener or _listen(options.host, options.port))
        )
        server = _Server(
            uvicorn.Config(
                make_app(options),
                log_config=None,
                access_log=False,
                lifespan="off",
                # As uvicorn's own: makes the protocol that an upgraded connection is handed to.
                ws="none" if upgrades is None else cast(Any, upgrades.make_protocol),
                http="httptools",
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_DRAIN_S,
                backlog=_BACKLOG,
            ),
            trusted=trusted,
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="http edge")
        try:
            await server.ready.wait()
            host, port = listener.getsockname()[:2]
            async with contextlib.nullcontext() if upgrades is None else upgrades.running():
                yield f"[{host}]:{port}" if listener.family == socket.AF_INET6 else f"{host}:{port}"
        finally:
            server.should_exit = True
            await asyncio.shield(serving)


class _Server(uvicorn.Server):
    """A server that says when it is ready, and leaves signals to the process it lives in."""

    def __init__(self, config: uvicorn.Config, *, trusted: socket.socket | None) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._trusted = trusted

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._trusted is not None:
            # uvicorn opens either kind of socket, here it is both.
            server = await asyncio.get_running_loop().create_unix_server(
                self._make_protocol, sock=self._trusted
            )
            self.servers.append(server)
        self.ready.set()

    def _make_protocol(self) -> asyncio.Protocol:
        make = cast(Any, self.config.http_protocol_class)
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
