"""Envoy beside a venue: what `tradewire up` runs, and what `tradewire envoy` prints and runs.

A venue does not need it. Where Envoy cannot run, everything but REST works, and that is said.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tradewire_envoy.process import EnvoyFailed, EnvoyMissing, EnvoyProcess, PortTaken, find_binary
from tradewire_envoy.render import EnvoySettings, ServerTls

from tradewire_server.app import Tls
from tradewire_server.auth.limit_policy import EdgePolicy, Gcra
from tradewire_server.cli.failure import CommandFailed

logger = logging.getLogger("tradewire.rest")

LOOPBACK = ("127.0.0.1", "::1")
# For what is under way when the venue has drained.
GRACE_S = 1.0
BURST_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOptions:
    """What the flags say of REST."""

    host: str = "127.0.0.1"
    port: int = 8080
    http_port: int = 8081
    cors_origins: tuple[str, ...] = ()
    workers: int = 1
    requests_per_second: int = EdgePolicy().rest_requests.rate
    demo_for_all: bool = False
    """Whether pages of other machines may sign in as the demo account, too."""

    @property
    def address(self) -> str:
        """The host as Envoy takes it: an address without brackets."""
        return "127.0.0.1" if self.host == "localhost" else self.host.strip("[]")

    @property
    def is_local(self) -> bool:
        """Whether only this machine gets there."""
        return self.address in LOOPBACK

    def check(self, *, tls: Tls | None, allow_plaintext: bool) -> None:
        """Refuse what would send credentials in the clear to other machines.

        Raises CommandFailed.
        """
        if tls is None and not self.is_local and not allow_plaintext:
            raise CommandFailed(
                f"--rest-host {self.host} is not a loopback address: give --tls-certificate and "
                "--tls-key, or --allow-plaintext if something in front of it speaks TLS"
            )

    def published(self) -> EdgePolicy:
        """Return the bounds that Envoy enforces, for the table of limits."""
        rate = self.requests_per_second
        return EdgePolicy(rest_requests=Gcra(rate, rate * BURST_S))

    def settings(self, sockets: Path, *, tls: Tls | None) -> EnvoySettings:
        """Return what is put into Envoy's configuration."""
        origins: tuple[str, ...] | None = self.cors_origins
        if not origins and self.is_local:
            # As in the file: pages of this machine.
            origins = None
        return EnvoySettings.beside(
            sockets,
            host=self.address,
            port=self.port,
            http_port=self.http_port,
            tls=None if tls is None else server_tls(tls),
            cors_origins=origins,
            requests_per_second=self.requests_per_second,
        )


def server_tls(tls: Tls) -> ServerTls:
    """Return the files of the gRPC listener for Envoy's."""
    return ServerTls(certificate=tls.certificate, key=tls.key, client_ca=tls.client_ca)


class RestEdge:
    """Envoy of a venue, or why there is none."""

    def __init__(self, process: EnvoyProcess | None, *, note: str = "") -> None:
        self._process = process
        self.note = note

    @property
    def url(self) -> str:
        """Where REST is, empty when it is not."""
        return "" if self._process is None else self._process.url

    @property
    def port(self) -> int:
        """Its port, 0 when there is none."""
        return 0 if self._process is None else self._process.port

    async def stop_listening(self) -> None:
        """Take no more connections."""
        if self._process is not None:
            await self._process.stop_listening()


@asynccontextmanager
async def rest_edge(
    options: RestOptions, *, data_dir: Path, sockets: Path, http_port: int, tls: Tls | None
) -> AsyncIterator[RestEdge]:
    """Run Envoy while the context lasts. It ends when what is under way has had time to end.

    Raises CommandFailed when the port is taken.
    """
    try:
        binary = find_binary()
    except EnvoyMissing as error:
        yield RestEdge(None, note=f"no REST: {error}")
        return
    settings = replace(options.settings(sockets, tls=tls), http_port=http_port)
    process = EnvoyProcess(settings, data_dir, binary=binary, concurrency=options.workers)
    try:
        await process.start()
    except PortTaken as error:
        raise CommandFailed(
            f"port {options.port} on {options.address} cannot be opened, another process has it: "
            "stop that one or choose another port with --rest-port"
        ) from error
    except EnvoyFailed as error:
        yield RestEdge(None, note=f"no REST, Envoy does not start: {error}")
        return
    try:
        yield RestEdge(process)
    finally:
        await process.stop(grace_s=GRACE_S)
