"""Venues for the integration tests: a fresh one for each test, audited at its end."""

import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import pytest
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import LimitPolicy

from tests.support.audit import audit
from tests.support.front import Front, front_of
from tests.support.trading import Trader
from tests.support.venue import Clock, RunningVenue, Stubs, running_venue


class Complaints(logging.Handler):
    """Collects what was logged as an error, by the venue, asyncio or gRPC."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        # gRPC says so of itself whenever a client goes while it is being written to.
        if not record.getMessage().startswith("ExecuteBatchError raised in core"):
            self.records.append(record)

    def clear(self) -> None:
        """Forget what the test expected."""
        self.records.clear()


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Fail a test in which something logs an error, unless the test clears it away."""
    handler = Complaints()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    assert not handler.records, [record.getMessage() for record in handler.records]


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the test's venue."""
    return Clock()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a directory for a venue, in memory where there is such a thing: no test here is about
    the disk, and waiting for it would take most of the time.
    """
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as path:
        yield Path(path)


@pytest.fixture
async def venue(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> AsyncIterator[RunningVenue]:
    """Start a venue with the accounts alice, bob and admin; audit it at the end."""
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice", "bob"])
        yield venue
    audit(venue.app)


@dataclass
class Floor:
    """A venue over one channel, and who trades there."""

    venue: RunningVenue
    stubs: Stubs
    kind: str
    clock: Clock
    alice: Trader
    bob: Trader


@pytest.fixture(params=["network", "in_process"])
async def floor(
    request: pytest.FixtureRequest, venue: RunningVenue, clock: Clock
) -> AsyncIterator[Floor]:
    """Return the test's venue over one of the two channels."""
    async with venue.connect(request.param) as channel:
        stubs = Stubs(channel)
        yield Floor(
            venue,
            stubs,
            request.param,
            clock,
            alice=Trader(stubs, venue.credentials["alice"]),
            bob=Trader(stubs, venue.credentials["bob"]),
        )


LimitedFloor = Callable[..., AbstractAsyncContextManager[Floor]]


@pytest.fixture
def limited(data_dir: Path, clock: Clock, complaints: Complaints) -> LimitedFloor:
    """Return what makes a venue with a policy of its own and yields its floor."""

    @asynccontextmanager
    async def make(policy: LimitPolicy, kind: str = "network") -> AsyncIterator[Floor]:
        settings = Settings(
            data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=0.2, limits=policy
        )
        async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
            await venue.provision(["alice", "bob"])
            async with venue.connect(kind) as channel:
                stubs = Stubs(channel)
                alice, bob = (Trader(stubs, venue.credentials[name]) for name in ("alice", "bob"))
                yield Floor(venue, stubs, kind, clock, alice, bob)
        audit(venue.app)

    return make


@pytest.fixture
def alice(floor: Floor) -> Trader:
    """Return a trader."""
    return floor.alice


@pytest.fixture
def bob(floor: Floor) -> Trader:
    """Return another trader."""
    return floor.bob


@pytest.fixture
async def lazy(floor: Floor) -> AsyncIterator[Trader]:
    """Return alice, without limits, over a channel that takes in little before it is read."""
    floor.venue.app.limiter.set_exempt("alice", True)
    credential = floor.alice.credential
    if floor.kind == "in_process":
        yield Trader(floor.stubs, credential)
        return
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16 << 10)]
    async with grpc.aio.insecure_channel(floor.venue.target, options=options) as channel:
        yield Trader(Stubs(channel), credential)


@pytest.fixture(params=["edge.sock", "calls.sock"])
async def front(
    request: pytest.FixtureRequest, venue: RunningVenue, clock: Clock
) -> AsyncIterator[Front]:
    """Return what stands for the gateway before the test's venue, over one of the two sockets."""
    async with front_of(venue, clock, over=request.param) as front:
        yield front
