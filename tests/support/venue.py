"""A venue for tests and benchmarks: real listeners on free ports, accounts, money, keys."""

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tradewire.v1 import (
    account_service_pb2_grpc,
    admin_service_pb2_grpc,
    execution_service_pb2_grpc,
    key_service_pb2_grpc,
    market_data_service_pb2_grpc,
    order_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
)
from tradewire_gateway.channel import InProcessChannel, InProcessServer
from tradewire_server.api.key_messages import record_of
from tradewire_server.app import Application, Settings
from tradewire_server.auth.provisioning import KeyRequest
from tradewire_server.engine.commands import (
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    Refused,
)
from tradewire_server.engine.instrument import Instrument

SYMBOL = "BTC-USD"
BTC_USD = Instrument(
    symbol=SYMBOL,
    base_asset="BTC",
    quote_asset="USD",
    base_precision=8,
    quote_precision=10,
    tick_units=1,
    tick_decimals=2,
    lot_units=1,
    lot_decimals=4,
    minimum_quantity_lots=1,
    maximum_quantity_lots=10_000_000,
    minimum_notional=0,
    maximum_notional=10_000_000 * 10**10,
    price_band_ppm=0,
    market_protection_ppm=50_000,
)
ETH_USD = BTC_USD._replace(symbol="ETH-USD", base_asset="ETH")
DEMO_SCOPES = frozenset({"read", "trade", "transfer"})


class Clock:
    """The time of day, moved ahead when a test wants it to be later."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    def __call__(self) -> int:
        return time.time_ns() + self._ahead_ns

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._ahead_ns += int(seconds * 10**9)


def base64url(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Credential:
    """A key and, once signed in, its token."""

    account: str
    key_id: str
    private_key: Ed25519PrivateKey
    token: str = ""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call carries."""
        return (("authorization", f"Bearer {self.token}"),)


@dataclass
class RunningVenue:
    """A started application and how to reach it."""

    app: Application
    grpc_port: int
    admin_port: int
    credentials: dict[str, Credential] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Address of the public listener."""
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def admin_target(self) -> str:
        """Address of the admin listener."""
        return f"127.0.0.1:{self.admin_port}"

    async def submit(self, command: Command) -> None:
        """Run a command through the sequencer; it must be accepted."""
        outcome = await self.app.sequencer.submit(command, lane="tests")
        assert not isinstance(outcome, Refused), outcome

    @asynccontextmanager
    async def connect(self, kind: str = "network") -> AsyncIterator[grpc.aio.Channel]:
        """Open a channel to the public services: over the network, or in this process."""
        if kind == "network":
            async with grpc.aio.insecure_channel(self.target) as channel:
                yield channel
            return
        server = InProcessServer(interceptors=[self.app.public_edge()])
        self.app.add_public(server)
        await server.start()
        try:
            async with InProcessChannel(server) as channel:
                yield channel
        finally:
            await server.stop(None)

    async def create_key(
        self,
        account: str,
        scopes: frozenset[str] = DEMO_SCOPES,
        *,
        addresses: Sequence[str] = (),
        expires_ns: int | None = None,
    ) -> Credential:
        """Make an Ed25519 key for an account."""
        private_key = Ed25519PrivateKey.generate()
        created = self.app.maker.create(
            KeyRequest(
                account=account,
                scopes=scopes,
                public_key=private_key.public_key().public_bytes_raw(),
                addresses=tuple(addresses),
                expires_ns=expires_ns,
            ),
            creator_scopes=None,
            now_ns=self.app.clock_ns(),
        )
        await self.submit(CreateKey(record_of(created.key)))
        return Credential(account, created.key.key_id, private_key)

    async def provision(self, accounts: Sequence[str], *, exempt: bool = False) -> None:
        """Make assets, instruments, and accounts with money and a key each, and sign in."""
        founding: list[Command] = [
            CreateAsset("BTC", 8),
            CreateAsset("ETH", 8),
            CreateAsset("USD", 10),
            CreateInstrument(BTC_USD),
            CreateInstrument(ETH_USD),
            CreateAccount("admin", 0, 0, 1),
        ]
        for account in accounts:
            founding.append(CreateAccount(account, 10_000, 20_000, 10_000_000, exempt))
            for asset, amount in (("USD", "400000000"), ("BTC", "1000000"), ("ETH", "1000000")):
                founding.append(Deposit(account, asset, amount, f"{account}-{asset}"))
        # Together, so that they share a commit; their lane keeps their order.
        await asyncio.gather(*map(self.submit, founding))
        *traders, admin = await asyncio.gather(
            *map(self.create_key, accounts), self.create_key("admin", frozenset({"admin"}))
        )
        await asyncio.gather(
            *map(self.sign_in, traders), self.sign_in(admin, target=self.admin_target)
        )
        self.credentials |= {trader.account: trader for trader in (*traders, admin)}

    async def sign_in(self, credential: Credential, *, target: str = "") -> None:
        """Create a session over the network."""
        async with grpc.aio.insecure_channel(target or self.target) as channel:
            stub = session_service_pb2_grpc.SessionServiceStub(channel)
            request = session_request(
                credential, self.app.settings.environment, now_ns=self.app.clock_ns()
            )
            response = await stub.CreateSession(request, timeout=10)
        credential.token = response.token


def session_request(
    credential: Credential, environment: str, *, now_ns: int | None = None
) -> session_service_pb2.CreateSessionRequest:
    """Return a signed CreateSessionRequest."""
    timestamp_ms = (time.time_ns() if now_ns is None else now_ns) // 10**6
    nonce = secrets.token_urlsafe(18)
    text = f"TRADEWIRE-V1\n{environment}\n{timestamp_ms}\n{nonce}\nSESSION"
    return session_service_pb2.CreateSessionRequest(
        signature=session_service_pb2.SessionSignature(
            api_key=credential.key_id,
            timestamp_ms=timestamp_ms,
            nonce=nonce,
            signature=base64url(credential.private_key.sign(text.encode())),
        )
    )


@asynccontextmanager
async def running_venue(
    data_dir: Path,
    *,
    settings: Settings | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
) -> AsyncIterator[RunningVenue]:
    """Start a venue on free ports and drain it at the end."""
    app = Application(
        settings or Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=0.2),
        clock_ns=clock_ns,
    )
    grpc_port, admin_port = await app.start()
    try:
        yield RunningVenue(app, grpc_port, admin_port)
    finally:
        await app.drain()


class Stubs:
    """All stubs over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.orders = order_service_pb2_grpc.OrderServiceStub(channel)
        self.executions = execution_service_pb2_grpc.ExecutionServiceStub(channel)
        self.market = market_data_service_pb2_grpc.MarketDataServiceStub(channel)
        self.accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self.keys = key_service_pb2_grpc.KeyServiceStub(channel)
        self.sessions = session_service_pb2_grpc.SessionServiceStub(channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(channel)
