"""Who waits as it is told is never banned, by whatever it sends orders; who does not is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio
import pytest
from google.rpc import status_pb2
from tradewire.v1 import order_service_pb2
from tradewire.v1.account_service_pb2 import GetLimitsRequest
from tradewire_server.api import enter_orders
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.integration.conftest import Floor, LimitedFloor
from tests.support.failures import failure, failure_of, failure_of_call
from tests.support.trading import Trader, limit

# The second refusal that counts is a ban, and none is ever forgiven. The limit flows so slowly that
# the real time of a test is nothing.
STRICT = LimitPolicy(key=Gcra(10, 20), refusals=Gcra(1, 1, 10**6))
BATCH = 8
ROUNDS = 30
WAYS = pytest.mark.parametrize("way", ["single", "batch", "batch by its header", "frames"])


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait in real time."""
    monkeypatch.setattr(enter_orders, "PAUSE_MAX_MS", 0)


# Sends orders once and returns for how many milliseconds it was told to wait, 0 if it was not.
Sender = Callable[[], Awaitable[int]]


def told(statuses: list[status_pb2.Status]) -> int:
    """Return the longest wait of what was refused by a limit."""
    waits = [0]
    for status in statuses:
        found = failure_of(status)
        if found.reason == "RATE_LIMITED":
            assert found.metadata["scope"] == "key"
            waits.append(int(found.metadata["retry_after_ms"]))
    return max(waits)


@asynccontextmanager
async def sender_of(way: str, floor: Floor) -> AsyncIterator[Sender]:
    """Return one connection of alice's, as it were: they know nothing of each other."""
    alice = Trader(floor.stubs, floor.alice.credential)
    orders = [limit("bad id") for _ in range(BATCH)]

    async def single() -> int:
        refused = await failure(alice.place(orders[0]))
        if refused.reason != "RATE_LIMITED":
            return 0
        assert refused.metadata["scope"] == "key"
        return int(refused.metadata["retry_after_ms"])

    async def batch() -> int:
        by_header = way != "batch"
        request = order_service_pb2.PlaceOrdersRequest(orders=orders)
        call = floor.stubs.orders.PlaceOrders(request, metadata=alice.credential.metadata)
        headers = {str(name): str(value) for name, value in await call.initial_metadata()}
        try:
            wait_ms = told([result.error for result in (await call).results])
        except grpc.aio.AioRpcError as error:
            found = failure_of_call(error)
            assert (found.reason, found.metadata["scope"]) == ("RATE_LIMITED", "key")
            wait_ms = int(found.metadata["retry_after_ms"])
        header_ms = int(headers.get("retry-after", "0")) * 1_000
        assert header_ms == -(-wait_ms // 1_000) * 1_000
        return header_ms if by_header else wait_ms

    if way != "frames":
        yield single if way == "single" else batch
        return
    async with alice.enter() as entry:
        await entry.live()

        async def send_frame() -> int:
            return told([result.error for result in await entry.do(*orders)])

        yield send_frame


async def is_banned(floor: Floor) -> bool:
    """Ask for the limits, which passes even while banned."""
    limits = await floor.alice(floor.stubs.accounts.GetLimits, GetLimitsRequest())
    return "ban" in [state.name for state in limits.limits]


@pytest.mark.parametrize("connections", [1, 4])
@WAYS
async def test_who_waits_as_told_is_never_banned(
    limited: LimitedFloor, way: str, connections: int
) -> None:
    async with limited(STRICT, "in_process") as floor, AsyncExitStack() as stack:
        senders = [
            await stack.enter_async_context(sender_of(way, floor)) for _ in range(connections)
        ]
        ready_ns = [0] * connections
        refusals = 0
        for _ in range(ROUNDS * connections):
            turn = min(range(connections), key=ready_ns.__getitem__)
            floor.clock.advance(max(ready_ns[turn] - floor.clock(), 0) / 10**9)
            wait_ms = await senders[turn]()
            refusals += wait_ms > 0
            ready_ns[turn] = floor.clock() + wait_ms * 10**6
        assert refusals > 4 * connections
        assert not await is_banned(floor)


async def go_on(send: Sender) -> None:
    """Send again at once, whatever is told."""
    for _ in range(10 * STRICT.waits_at_once):
        await send()


@WAYS
async def test_who_does_not_wait_is_banned(limited: LimitedFloor, way: str) -> None:
    async with limited(STRICT, "in_process") as floor:
        async with sender_of(way, floor) as send:
            with pytest.raises(AssertionError, match="ban"):
                await go_on(send)
        assert await is_banned(floor)
