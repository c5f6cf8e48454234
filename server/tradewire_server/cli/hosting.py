"""Runs a venue in this process until it is told to stop: listeners, metrics, signals, drain.

The first SIGINT or SIGTERM drains: new commands are refused, what waits is finished, streams are
told, a snapshot is written. The second one ends the process at once, which loses nothing that was
acknowledged. A venue that fails by itself ends with exit code 3.
"""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import prometheus_client
import uvloop
from rich.console import RenderableType

from tradewire_server import __version__
from tradewire_server.app import Application, ListenError, Settings, Tls
from tradewire_server.cli.failure import EXIT_VENUE_FAILED, CommandFailed
from tradewire_server.cli.rendering import error_console, show
from tradewire_server.cli.rest import RestOptions
from tradewire_server.cli.venue_files import VENUE_FILE, Ports, RunningVenue
from tradewire_server.recovery import RecoveryError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# As shells count a process that a signal has ended.
EXIT_BY_SIGNAL = 128


LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What `up` and `serve` are told by flags and environment."""

    data_dir: Path
    environment: str
    host: str
    grpc_port: int
    admin_port: int
    metrics_port: int
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    allow_plaintext: bool = False
    rest: RestOptions | None = None
    fix_port: int | None = None
    """Port of the FIX gateway, None for none."""
    edge_address: str | None = None
    authz_address: str | None = None
    peer_certificate: Path | None = None
    peer_key: Path | None = None
    peer_ca: Path | None = None

    @property
    def listen_host(self) -> str:
        """The host as it stands before a port: IPv6 addresses in brackets."""
        return f"[{self.host}]" if ":" in self.host and "[" not in self.host else self.host

    def tls(self) -> Tls | None:
        """Return the files of the listeners, which must be there.

        Raises CommandFailed.
        """
        return tls_files(self.tls_certificate, self.tls_key, self.tls_client_ca)

    def peer_tls(self) -> Tls | None:
        """Return the files of the listeners for Envoy on another machine, which must be there.

        Raises CommandFailed.
        """
        return tls_files(self.peer_certificate, self.peer_key, self.peer_ca, prefix="--peer")

    def settings(self) -> Settings:
        """Return the server's part."""
        return Settings(
            data_dir=self.data_dir,
            environment=self.environment,
            host=self.listen_host,
            grpc_port=self.grpc_port,
            admin_port=self.admin_port,
            tls=self.tls(),
            allow_plaintext=self.allow_plaintext,
            edge_address=self.edge_address,
            authz_address=self.authz_address,
            peer_tls=self.peer_tls(),
        )


def tls_files(
    certificate: Path | None, key: Path | None, client_ca: Path | None, *, prefix: str = "--tls"
) -> Tls | None:
    """Return the files that flags name, which must be there, or None when they name none.

    Raises CommandFailed.
    """
    ca_flag = f"{prefix}-client-ca" if prefix == "--tls" else f"{prefix}-ca"
    if certificate is None and key is None:
        if client_ca is not None:
            raise CommandFailed(f"{ca_flag} needs {prefix}-certificate and {prefix}-key")
        return None
    if certificate is None or key is None:
        raise CommandFailed(f"give both, {prefix}-certificate and {prefix}-key")
    for path in (certificate, key, client_ca):
        if path is not None and not path.is_file():
            raise CommandFailed(f"{path}: there is no such file")
    return Tls(certificate=certificate, key=key, client_ca=client_ca)


@dataclass
class Hosted:
    """A venue that listens. Who adds a listener says so in `running`.

    What is entered into `after_drain` ends after the venue has drained: a gateway through which
    streams are told that they end.
    """

    app: Application
    options: HostOptions
    running: RunningVenue
    after_drain: AsyncExitStack


Residents = Callable[[Hosted], AbstractAsyncContextManager[RenderableType]]
"""What lives beside the server: entered when it listens, left before it drains. What it yields is
printed when the venue is ready.
"""


def run_venue(options: HostOptions, residents: Residents) -> None:
    """Run a venue to its end.

    Raises CommandFailed, JournalError, MasterKeyError.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(options, residents))


async def _run(options: HostOptions, residents: Residents) -> None:
    if options.rest is not None:
        options.rest.check(tls=options.tls(), allow_plaintext=options.allow_plaintext)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, _on_signal, told, number, options.data_dir / VENUE_FILE)
    app = _open(options)
    with _metrics(options, app) as metrics_port:
        body = asyncio.create_task(_serve(options, app, residents, metrics_port, told))
        failed = asyncio.create_task(app.stopped.wait())
        try:
            await asyncio.wait({body, failed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failed.cancel()
            # A venue that has failed answers nothing, so who waits for an answer is not awaited.
            body.cancel()
            await asyncio.gather(body, failed, return_exceptions=True)
    if app.failure is not None:
        raise CommandFailed(
            f"the venue has stopped itself: {app.failure}. Nothing acknowledged is lost. Look at "
            f"the log above and at `tradewire doctor --data-dir {options.data_dir}`, then start it "
            "again",
            exit_code=EXIT_VENUE_FAILED,
        )
    if not body.cancelled():
        body.result()


async def _serve(
    options: HostOptions,
    app: Application,
    residents: Residents,
    metrics_port: int,
    told: asyncio.Event,
) -> None:
    """Start everything, wait, end everything."""
    try:
        grpc_port, admin_port = await app.start()
    except ListenError as error:
        app.sequencer.close()
        app.journal.close()
        raise CommandFailed(str(error)) from error
    running = _running(options, app, grpc_port, admin_port, metrics_port)
    async with AsyncExitStack() as after_drain:
        hosted = Hosted(app, options, running, after_drain)
        try:
            async with residents(hosted) as announcement:
                hosted.running.save(options.data_dir)
                show(announcement)
                await told.wait()
                error_console().print("Draining: what waits is finished. Once more ends at once.")
        finally:
            (options.data_dir / VENUE_FILE).unlink(missing_ok=True)
            await asyncio.shield(app.drain())


def _open(options: HostOptions) -> Application:
    try:
        return Application(options.settings())
    except RecoveryError as error:
        raise CommandFailed(str(error)) from error


def _running(
    options: HostOptions, app: Application, grpc_port: int, admin_port: int, metrics_port: int
) -> RunningVenue:
    return RunningVenue(
        pid=os.getpid(),
        environment=options.environment,
        journal_id=app.journal.journal_id,
        version=__version__,
        host=options.listen_host,
        tls=options.tls_certificate is not None,
        ports=Ports(grpc=grpc_port, admin=admin_port, metrics=metrics_port),
        sockets=app.sockets.directory,
    )


@contextmanager
def _metrics(options: HostOptions, app: Application) -> Iterator[int]:
    """Let Prometheus read while the context lasts; yields the port."""
    port = options.metrics_port
    try:
        # On this machine only, whatever the others do: it has neither credentials nor limits.
        server, thread = prometheus_client.start_http_server(
            port, addr=LOOPBACK, registry=app.metrics.registry
        )
    except OSError as error:
        app.sequencer.close()
        app.journal.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise CommandFailed(
            f"port {port} on {LOOPBACK} cannot be opened, another process has it: stop that one or "
            "choose another port with --metrics-port"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _on_signal(told: asyncio.Event, number: signal.Signals, venue_file: Path) -> None:
    if not told.is_set():
        told.set()
        return
    # What was acknowledged is durable; the rest is what the second signal gives up.
    venue_file.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_BY_SIGNAL + number)
