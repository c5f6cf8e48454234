"""The composition root of the server: builds every object once, in the order in which data flows.
 journal -> state -> encoder -> sequencer -> streams -> auth -> edge -> servicers -> listeners.
Nothing else constructs these objects. `tradewire up` adds the gateways, which are clients of an
in-process server that has the same handlers and the same edge.
"""

import asyncio
import contextlib
import gc
import itertools
import logging
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tradewire_server import __version__
from tradewire_server.api.admission import Admission
from tradewire_server.api.edge import Edge
from tradewire_server.api.encoder import MessageEncoder
from tradewire_server.api.health import Health
from tradewire_server.api.key_messages import key_of
from tradewire_server.api.keys import apply_key
from tradewire_server.api.market_data import BookEncoder
from tradewire_server.api.registry import ADMIN_SERVICES, PUBLIC_SERVICES, Services
from tradewire_server.api.rest.calls import CallListener
from tradewire_server.api.rest.check import RequestCheck
from tradewire_server.api.rest.listener import AuthorisationListener
from tradewire_server.api.sessions import PRODUCTION
from tradewire_server.api.venue import Venue
from tradewire_server.auth.authenticator import Authenticator
from tradewire_server.auth.handles import HandleTable
from tradewire_server.auth.keys import KeyRing
from tradewire_server.auth.limit_policy import EdgePolicy, LimitPolicy
from tradewire_server.auth.limits import Limiter
from tradewire_server.auth.master_key import load_or_create_master_key
from tradewire_server.auth.provisioning import KeyMaker
from tradewire_server.auth.replay import ReplayGuard, ReplayPolicy, floor_after_restart
from tradewire_server.auth.sealing import Sealer
from tradewire_server.auth.throttle import SignInThrottle
from tradewire_server.auth.tokens import TokenAuthority
from tradewire_server.auth.unfilled_orders import UnfilledOrders
from tradewire_server.certificates import certificate_problem
from tradewire_server.engine.commands import CancelOrphans
from tradewire_server.engine.events import AccountUpdated, KeyStored
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.journal.sqlite import SqliteJournal
from tradewire_server.metrics import Metrics
from tradewire_server.recovery import recover, write_snapshot
from tradewire_server.sequencer import Lane, NotServing, Published, Sequencer, Submission
from tradewire_server.snapshotter import Snapshotter
from tradewire_server.sockets import SocketError, Sockets
from tradewire_server.streams.hub import Hub, HubBounds
from tradewire_server.streams.market_data import MarketBounds, MarketData

logger = logging.getLogger("tradewire.app")

# Of the journal's connections; the hub has some, and the event loop needs one.
READERS = 1

HEALTH = "/grpc.health.v1."
REFLECTION = "/grpc.reflection."
CHANNELZ = "/grpc.channelz."

# Orders are freed when their last reference goes; cycles are rare here, as of a call that failed.
# With Python's own thresholds (700, 10, 10) a book that fills was walked through again and again:
# a twelfth of what an order costs.
GC_THRESHOLDS = (50_000, 20, 20)

EDGE = EdgePolicy()
Options = tuple[tuple[str, int], ...]

SERVER_OPTIONS: Options = (
    # A taken port is an error, not a shared one.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", EDGE.message_bytes_max),
    ("grpc.max_metadata_size", EDGE.metadata_bytes_max),
    ("grpc.absolute_max_metadata_size", 2 * EDGE.metadata_bytes_max),
    ("grpc.max_concurrent_streams", EDGE.streams_per_connection_max),
    # Clients ping quiet connections every 30 seconds; more often is abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


# A REST request has headers of a browser, and its path stands among them once more.
EDGE_OPTIONS: Options = (
    *(option for option in SERVER_OPTIONS if "metadata" not in option[0]),
    ("grpc.max_metadata_size", 32 << 10),
    ("grpc.absolute_max_metadata_size", 64 << 10),
)


Listener = tuple[socket.socket, ssl.SSLContext | None]


class ListenError(Exception):
    """A listener cannot be opened; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files of a listener. With `client_ca` only clients with a certificate of it get in."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def check(self) -> None:
        """Look whether the files are what they are given for.

        Raises ListenError.
        """
        problem = certificate_problem(self.certificate, self.key, self.client_ca)
        if problem:
            raise ListenError(problem)

    def credentials(self) -> grpc.ServerCredentials:
        """Read the files."""
        client_ca = self.client_ca.read_bytes() if self.client_ca is not None else None
        return grpc.ssl_server_credentials(
            [(self.key.read_bytes(), self.certificate.read_bytes())],
            root_certificates=client_ca,
            require_client_auth=client_ca is not None,
        )

    def context(self) -> ssl.SSLContext:
        """Read the files for a listener that is not gRPC's."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cafile=self.client_ca)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a venue runs. Port 0 takes any free one.

    Envoy on this machine reaches the server by unix sockets (`socket_dir`, else where they fit).
    For Envoy elsewhere, `edge_address` (gRPC) and `authz_address` (HTTPS) take `host:port`; whoever
    connects there is believed when it says who the client is, so `peer_tls` has to name the
    authority of the certificates that it needs. `reflection` None is: but in production.
    """

    data_dir: Path
    environment: str = "sandbox"
    host: str = "127.0.0.1"
    grpc_port: int = 50051
    admin_port: int = 50052
    tls: Tls | None = None
    allow_plaintext: bool = False
    socket_dir: Path | None = None
    edge_address: str | None = None
    authz_address: str | None = None
    peer_tls: Tls | None = None
    reflection: bool | None = None
    master_key: bytes | None = None
    heartbeat_s: float = 10.0
    limits: LimitPolicy = field(default_factory=LimitPolicy)
    drain_s: float = 5.0
    snapshot_events: int = 500_000


class Application:
    """A venue: made by `open`, then started, then drained."""

    def __init__(self, settings: Settings, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Open the journal and recover.

        Raises JournalError (locked, damaged, behind its head), RecoveryError, MasterKeyError.
        """
        self.settings = settings
        self.clock_ns = clock_ns
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.journal = SqliteJournal.open(settings.data_dir, now_ns=clock_ns())
        try:
            self.state = recover(self.journal)
        except BaseException:
            self.journal.close()
            raise
        self.metrics = Metrics()
        self.failure: BaseException | None = None
        self.stopped = asyncio.Event()
        # Known when it has started.
        self._sockets: Sockets | None = None
        self.edge_port = self.authz_port = 0
        self._epoch = self.journal.epoch
        self._tasks: list[asyncio.Task[None]] = []
        self._servers: list[grpc.aio.Server] = []
        self._health = Health()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="journal-reader")
        self._make_core()
        self._make_auth()
        self._make_api()

    def _make_core(self) -> None:
        limits = self.settings.limits
        self.unfilled_orders = UnfilledOrders(limits)
        self.sequencer = Sequencer(
            self.state,
            self.journal,
            MessageEncoder(self.state),
            unfilled_orders=self.unfilled_orders,
            clock_ns=self.clock_ns,
            monotonic=time.monotonic,
            publish=self._publish,
            on_settings=self._apply_settings,
            on_failure=self._fail,
        )
        self.snapshotter = Snapshotter(
            self.settings.data_dir,
            events=self.settings.snapshot_events,
            last_event=self.state.event_number,
        )
        bounds = HubBounds(subscriptions_per_owner_max=limits.streams_per_account)
        self._replays = ThreadPoolExecutor(bounds.replay_threads, thread_name_prefix="replay")
        self.hub = Hub(
            replay=self.journal.read_feed,
            feed_range=self.journal.feed_range,
            bounds=bounds,
            executor=self._replays,
        )
        self._books = BookEncoder(self.state)
        self.market_data = MarketData(
            levels=self._books.levels,
            encode_book=self._books.encode,
            checksum=self._books.checksum,
            epoch=self._epoch,
            sequence=self.state.event_number,
            clock_ns=time.monotonic_ns,
            settled=lambda: self.sequencer.is_settled,
            bounds=MarketBounds(subscriptions_per_owner_max=limits.market_streams_per_address),
        )

    def _make_auth(self) -> None:
        settings = self.settings
        master_key = settings.master_key or load_or_create_master_key(
            settings.data_dir / "master.key"
        )
        sealer = Sealer(master_key)
        self.ring = KeyRing()
        for record in self.state.keys.values():
            self.ring.add(key_of(record))
        self.maker = KeyMaker(self.ring, sealer)
        replay = ReplayPolicy()
        floor_ms = 0
        if self.state.event_number:
            floor_ms = floor_after_restart(self.clock_ns(), replay)
        authenticator = Authenticator(
            environment=settings.environment,
            keys=self.ring,
            sealer=sealer,
            # A fresh key: sessions end with the process, keys do not.
            tokens=TokenAuthority(
                environment=settings.environment,
                issuer="tradewire",
                private_key=secrets.token_bytes(32),
            ),
            replay=ReplayGuard(replay, floor_ms=floor_ms),
            throttle=SignInThrottle(settings.limits),
        )
        authenticator.check_secrets()
        self.limiter = Limiter(settings.limits)
        self._admission = {
            admin: Admission(authenticator, self.limiter, clock_ns=self.clock_ns, allow_admin=admin)
            for admin in (False, True)
        }
        handles = HandleTable()
        self._edge_admission, self._calls_admission = (
            Admission(
                authenticator,
                self.limiter,
                clock_ns=self.clock_ns,
                allow_admin=False,
                handles=handles,
                needs_handle=needs_handle,
            )
            for needs_handle in (False, True)
        )
        check = RequestCheck(
            authenticator,
            self.limiter,
            handles,
            clock_ns=self.clock_ns,
            measure=self.metrics.call,
        )
        self._authorisation = AuthorisationListener(check.decide)
        for account in self.state.accounts.values():
            self.limiter.set_exempt(account.name, account.rate_limit_exempt)

    def _make_api(self) -> None:
        numbers = itertools.count(1)
        venue = Venue(
            state=self.state,
            sequencer=self.sequencer,
            journal=self.journal,
            hub=self.hub,
            market_data=self.market_data,
            unfilled_orders=self.unfilled_orders,
            clock_ns=self.clock_ns,
            new_connection=lambda: f"{self._epoch}-{next(numbers)}",
            environment=self.settings.environment,
            version=__version__,
            start_time_ns=self.clock_ns(),
            heartbeat_s=self.settings.heartbeat_s,
            readers=self._readers,
        )
        self._services = Services(
            venue,
            public=self._admission[False],
            admin=self._admission[True],
            books=self._books,
            maker=self.maker,
            ring=self.ring,
            epoch=self._epoch,
        )
        self.venue = venue
        self._calls = CallListener(self._edge(self._calls_admission), self.add_public)

    # --- listeners --------------------------------------------------------------------------------

    def public_edge(self) -> Edge:
        """Return an interceptor for a server of the public services."""
        return self._edge(self._admission[False])

    def _edge(self, admission: Admission) -> Edge:
        return Edge(
            admission,
            services=PUBLIC_SERVICES,
            standard=(HEALTH, REFLECTION),
            measure=self.metrics.call,
        )

    def add_public(self, server: grpc.aio.Server) -> None:
        """Add the public services to a server, of the network or in process."""
        self._services.add_public(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)

    def _public_server(self, admission: Admission, options: Options) -> grpc.aio.Server:
        server = grpc.aio.server(interceptors=[self._edge(admission)], options=options)
        self.add_public(server)
        settings = self.settings
        if settings.reflection or (
            settings.reflection is None and settings.environment != PRODUCTION
        ):
            health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
            reflection.enable_server_reflection([*sorted(PUBLIC_SERVICES), health], server)
        return server

    def _admin_server(self) -> grpc.aio.Server:
        edge = Edge(
            self._admission[True],
            services=ADMIN_SERVICES,
            standard=(HEALTH, REFLECTION, CHANNELZ),
            measure=self.metrics.call,
            charges_standard=False,
        )
        server = grpc.aio.server(interceptors=[edge], options=SERVER_OPTIONS)
        self._services.add_admin(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        channelz.add_channelz_servicer(server)
        reflection.enable_server_reflection(sorted(ADMIN_SERVICES), server)
        return server

    @property
    def sockets(self) -> Sockets:
        """The unix sockets of the gateway, once the application has started."""
        assert self._sockets is not None, "they are made by start"
        return self._sockets

    async def start(self) -> tuple[int, int]:
        """Start everything and return the ports of the public and the admin listener.

        Raises ListenError when a port is taken or plaintext would leave the machine.
        """
        settings = self.settings
        public = self._public_server(self._admission[False], SERVER_OPTIONS)
        edge = self._public_server(self._edge_admission, EDGE_OPTIONS)
        admin = self._admin_server()
        grpc_port = self._bind(
            public, settings.host, settings.grpc_port, flag="--grpc-port", tls=settings.tls
        )
        admin_port = self._bind(
            admin, "127.0.0.1", settings.admin_port, flag="--admin-port", tls=None
        )
        authorisation, calls = self._bind_gateway(edge)
        self._tasks.append(asyncio.create_task(self.sequencer.run(), name="sequencer"))
        # Before anybody is let in: connections of the former process cannot be alive.
        await self._settle_orphans()
        await self.set_health(serving=True)
        for server in (public, edge, admin):
            await server.start()
            self._servers.append(server)
        for listener, context in authorisation:
            await self._authorisation.start(listener, context)
        await self._calls.start(calls)
        # What is there now lives long; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        return grpc_port, admin_port

    def _bind(
        self, server: grpc.aio.Server, host: str, port: int, *, flag: str, tls: Tls | None
    ) -> int:
        address = f"{host}:{port}"
        loopback = host in ("127.0.0.1", "localhost", "::1", "[::1]")
        if tls is None and not loopback and not self.settings.allow_plaintext:
            raise ListenError(
                f"{address} is not a loopback address: give --tls-certificate and --tls-key, or "
                "--allow-plaintext if something in front of it speaks TLS"
            )
        if tls is not None:
            tls.check()
        try:
            if tls is not None:
                return server.add_secure_port(address, tls.credentials())
            return server.add_insecure_port(address)
        except RuntimeError as error:
            raise ListenError(
                f"port {port} on {host} cannot be opened, probably another process has it: "
                f"stop that one or choose another port with {flag}"
            ) from error

    def _bind_gateway(self, edge: grpc.aio.Server) -> tuple[list[Listener], socket.socket]:
        """Bind what Envoy reaches; returns the listeners of the authorisation service, and that of
        calls over HTTP/1.1.

        Raises ListenError.
        """
        settings, tls = self.settings, self.settings.peer_tls
        listeners: list[Listener] = []
        if settings.edge_address or settings.authz_address:
            if tls is None or tls.client_ca is None:
                raise ListenError(
                    "whoever reaches the listeners of the gateway is believed when it says who the "
                    "client is: they need a certificate, and the authority of the gateway's own"
                )
            if settings.edge_address:
                host, _, port = settings.edge_address.rpartition(":")
                self.edge_port = self._bind(edge, host, int(port), flag="--edge-address", tls=tls)
            if settings.authz_address:
                listener = self._bind_authz(settings.authz_address)
                self.authz_port = listener.getsockname()[1]
                tls.check()
                listeners.append((listener, tls.context()))
        try:
            sockets = self._sockets = Sockets(settings.data_dir, settings.socket_dir)
            with sockets.making(sockets.edge) as path:
                edge.add_insecure_port(f"unix:{path}")
            listeners.append((sockets.bind(sockets.authz), None))
            calls = sockets.bind(sockets.calls)
        except (SocketError, OSError, RuntimeError) as error:
            for listener, _ in listeners:
                listener.close()
            raise ListenError(f"the gateway's sockets cannot be opened: {error}") from error
        return listeners, calls

    def _bind_authz(self, address: str) -> socket.socket:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, int(port)), family=family)
        except OSError as error:
            raise ListenError(
                f"{address} cannot be opened ({error.strerror}): choose another --authz-address"
            ) from error

    async def _settle_orphans(self) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane = Lane(lambda results: done.set_result(None))
        self.sequencer.enter(lane, [Submission(CancelOrphans())])
        await done

    async def set_health(self, *, serving: bool) -> None:
        """Say on the health service whether the venue serves."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if serving
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in ("", *PUBLIC_SERVICES, *ADMIN_SERVICES):
            self._health.set(service, status)

    # --- while it runs ----------------------------------------------------------------------------

    def _publish(self, published: Published) -> None:
        self.hub.publish(published.chunks)
        self.market_data.changed(published.changed_books, published.event_number, published.chunks)
        self.snapshotter.published(published.event_number)
        metrics = self.metrics
        metrics.batches.inc()
        metrics.events.set(published.event_number)
        metrics.open_orders.set(len(self.state.orders))
        metrics.queue_length.set(self.sequencer.queue_length)
        metrics.subscriptions.set(self.hub.subscription_count)

    def _apply_settings(self, event: KeyStored | AccountUpdated) -> None:
        """Take over a durable change of a key or an account."""
        if isinstance(event, KeyStored):
            apply_key(self.ring, event.key)
        else:
            self.limiter.set_exempt(event.account, event.rate_limit_exempt)

    def _fail(self, error: BaseException) -> None:
        """Stop for good: nothing more is answered, the process is to end."""
        logger.critical("the venue stops: %s", error, exc_info=error)
        self.failure = error
        self.stopped.set()

    # --- the end ----------------------------------------------------------------------------------

    async def _finish_waiting(self) -> None:
        """Let what was taken be answered while there are streams to answer on."""
        with contextlib.suppress(NotServing):
            while self.sequencer.queue_length:
                await self.sequencer.settled()
                # Now the next batch is taken.
                await asyncio.sleep(0)
            await self.sequencer.settled()

    async def drain(self) -> None:
        """End in order: refuse the new, finish what waits, tell the streams, write a snapshot."""
        await self.set_health(serving=False)
        self.sequencer.stop_accepting()
        await self._finish_waiting()
        self.hub.close_all(Reason.SERVER_DRAINING)
        self.market_data.close_all(Reason.SERVER_DRAINING)
        grace = 0.0 if self.failure is not None else self.settings.drain_s
        await self._authorisation.close()
        await asyncio.gather(
            self._calls.close(grace), *(server.stop(grace) for server in self._servers)
        )
        if self._sockets is not None:
            self._sockets.remove()
        self.sequencer.stop()
        await asyncio.gather(*self._tasks)
        self.sequencer.close()
        await self.snapshotter.stop()
        self._replays.shutdown(cancel_futures=True)
        if self.failure is None:
            await asyncio.to_thread(write_snapshot, self.journal, self.state)
        self._readers.shutdown(wait=True)
        self.journal.close()
