"""A venue with Envoy in a thread of its own, for tests that block while they wait for an answer."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.engine.commands import CreateAccount, Deposit

from tests.support.audit import audit
from tests.support.envoy import RestVenue, data_directory, running_rest_venue
from tests.support.venue import Credential

ResultT = TypeVar("ResultT")

TIMEOUT_S = 60
# What is tested here is what a request means; limits would only hide it. They are tested elsewhere.
ENDLESS = Gcra(1_000_000, 1_000_000)
NO_LIMITS = LimitPolicy(
    address=ENDLESS,
    refusals=ENDLESS,
    sign_in_failures_per_address=ENDLESS,
    sign_in_failures_per_key_prefix=ENDLESS,
    unfilled_orders=((10, 1_000_000),),
)


class ThreadedVenue:
    """A venue whose event loop runs in another thread."""

    def __init__(self) -> None:
        self.running: RestVenue
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    @property
    def url(self) -> str:
        """Where REST is."""
        return self.running.url

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Let the venue's loop do something, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    async def open_account(self, account: str) -> Credential:
        """Make an account with money, exempt from rate limits, and sign in with a key of it."""
        venue = self.running.venue
        await venue.submit(
            CreateAccount(account, 10_000, 20_000, 10_000_000, rate_limit_exempt=True)
        )
        for asset in ("USD", "BTC"):
            await venue.submit(Deposit(account, asset, "1000000", f"{account}-{asset}"))
        credential = await venue.create_key(account)
        await venue.sign_in(credential)
        return credential

    def start(self) -> None:
        """Return when the venue answers."""
        self._thread.start()
        assert self._started.wait(TIMEOUT_S)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End the venue and audit it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(TIMEOUT_S)
        self._loop.close()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as failure:  # noqa: BLE001 - raised where the thread is joined
            self._failure = failure
        finally:
            self._started.set()

    async def _serve(self) -> None:
        async with data_directory() as path:
            settings = Settings(
                data_dir=path, grpc_port=0, admin_port=0, drain_s=0.2, limits=NO_LIMITS
            )
            async with running_rest_venue(
                path, settings=settings, exempt=True, requests_per_second=100_000
            ) as self.running:
                self._started.set()
                await self._stop.wait()
            audit(self.running.venue.app)


@pytest.fixture(scope="module")
def threaded_venue() -> Iterator[ThreadedVenue]:
    """Share a venue among the tests of a module; its accounts are exempt from rate limits."""
    venue = ThreadedVenue()
    venue.start()
    try:
        yield venue
    finally:
        venue.stop()
