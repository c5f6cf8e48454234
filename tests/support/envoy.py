"""A venue with Envoy before it, on free ports: REST as its clients see it.

`rest_venue` is shared by the tests of a module, which therefore share an event loop:

    pytestmark = pytest.mark.asyncio(loop_scope="module")

`running_rest_venue` makes one with other settings.
"""

import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest_asyncio
from tradewire_envoy.process import EnvoyProcess, find_binary
from tradewire_envoy.render import EnvoySettings
from tradewire_envoy.restarts import RestartPolicy
from tradewire_gateway.channel import InProcessChannel, InProcessServer
from tradewire_server.app import Settings

from tests.support.audit import audit
from tests.support.venue import Credential, RunningVenue, running_venue

ACCOUNTS = ("alice", "bob")
MEMORY = "/dev/shm"
# A port on which nothing listens.
NOBODY = 9


@dataclass
class RestVenue:
    """A venue, its Envoy, and where REST clients find it. `venue.credentials` holds the tokens.

    `http_edge` is the address behind `/docs` and `/healthz`, empty when there is none.
    """

    venue: RunningVenue
    envoy: EnvoyProcess
    http_edge: str

    @property
    def url(self) -> str:
        """Where REST is, without a slash at its end."""
        return self.envoy.url

    @property
    def target(self) -> str:
        """The same place for gRPC."""
        return f"127.0.0.1:{self.envoy.port}"

    @property
    def alice(self) -> Credential:
        """Who trades; the account bob does, too, and admin may not."""
        return self.venue.credentials["alice"]

    @property
    def bob(self) -> Credential:
        """Who trades with alice."""
        return self.venue.credentials["bob"]


def bearer(credential: Credential) -> dict[str, str]:
    """Return the header with which REST requests are made."""
    return {"authorization": f"Bearer {credential.token}"}


@asynccontextmanager
async def running_rest_venue(
    data_dir: Path,
    *,
    settings: Settings | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
    policy: RestartPolicy | None = None,
    exempt: bool = False,
    pages: bool = False,
    **envoy: Any,
) -> AsyncIterator[RestVenue]:
    """Start a venue with the accounts alice, bob and admin, and Envoy before it.

    What is given for `envoy` are fields of EnvoySettings. `exempt` frees alice and bob of limits,
    `pages` starts the HTTP edge, too, with its WebSocket gateway.
    """
    async with AsyncExitStack() as stack:
        venue = await stack.enter_async_context(
            running_venue(data_dir, settings=settings, clock_ns=clock_ns)
        )
        await venue.provision(ACCOUNTS, exempt=exempt)
        http_edge = await stack.enter_async_context(_http_edge(venue)) if pages else ""
        process = EnvoyProcess(
            replace(
                EnvoySettings.beside(venue.app.sockets.directory, port=0),
                **{
                    "http_port": int(http_edge.rpartition(":")[2] or NOBODY),
                    "http": venue.app.sockets.http if pages else None,
                    **envoy,
                },
            ),
            data_dir,
            binary=find_binary(),
            policy=policy or RestartPolicy(check_interval_s=0.1),
        )
        await process.start()
        stack.push_async_callback(process.stop)
        yield RestVenue(venue, process, http_edge)


@asynccontextmanager
async def _http_edge(venue: RunningVenue) -> AsyncIterator[str]:
    # Only where it is wanted: the portal is large.
    from tradewire_gateway.web import WebOptions, serve_web
    from tradewire_gateway.ws import AllowedOrigins, Gateway, WebSocketOptions

    local = InProcessServer(interceptors=[venue.app.public_edge()])
    venue.app.add_public(local)
    await local.start()
    try:
        async with InProcessChannel(local) as channel:
            gateway = Gateway(WebSocketOptions(channel=channel, origins=AllowedOrigins()))
            options = WebOptions(
                channel=channel,
                environment=venue.app.settings.environment,
                rest_url=lambda: "http://127.0.0.1",
                grpc_target=venue.target,
                port=0,
            )
            with venue.app.sockets.making(venue.app.sockets.http) as path:
                trusted = socket.socket(socket.AF_UNIX)
                trusted.bind(path)
                trusted.listen()
            async with serve_web(options, trusted=trusted, upgrades=gateway) as address:
                yield address
    finally:
        await local.stop(None)


@asynccontextmanager
async def data_directory() -> AsyncIterator[Path]:
    """Make a directory in memory, where there is such a thing."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as path:
        yield Path(path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rest_venue() -> AsyncIterator[RestVenue]:
    """Share a venue with Envoy among the tests of a module; audit it at the end."""
    async with data_directory() as path:
        async with running_rest_venue(path) as running:
            yield running
        audit(running.venue.app)
