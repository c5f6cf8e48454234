"""Cancel on disconnect: however a connection ends, its own orders end with it, and only those."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tradewire.v1 import order_pb2, reason_pb2
from tradewire_server.app import Application, Settings

from tests.integration.conftest import Complaints, Floor
from tests.support.audit import audit
from tests.support.trading import TIMEOUT_S, Entry, Trader, amend, frame, limit
from tests.support.venue import Clock, RunningVenue, Stubs, running_venue

# The promise is 100 ms after the server learns of it; a busy machine gets more.
CANCELED_WITHIN_S = 2.0


async def canceled(trader: Trader, client_order_id: str) -> order_pb2.Order:
    """Wait until an order is canceled, and return it."""
    async with asyncio.timeout(CANCELED_WITHIN_S), trader.follow(after_sequence=0) as follower:
        tape = await follower.until(
            lambda tape: any(
                e.type == order_pb2.EXECUTION_TYPE_CANCELED
                and e.order.client_order_id == client_order_id
                for e in tape.executions
            )
        )
    return tape.executions[-1].order


@asynccontextmanager
async def another_channel(floor: Floor) -> AsyncIterator[Trader]:
    """Connect alice once more, over a channel that can be closed."""
    async with floor.venue.connect(floor.kind) as channel:
        yield Trader(Stubs(channel), floor.alice.credential)


async def client_cancels(entry: Entry) -> None:
    entry.call.cancel()


async def client_half_closes(entry: Entry) -> None:
    await entry.half_close()
    await entry.to_end()


async def client_sends_a_bad_frame(entry: Entry) -> None:
    await entry.send(*(limit(f"x-{number}") for number in range(257)))
    assert (await entry.to_end()).closed.reason == "FRAME_TOO_LARGE"


@pytest.mark.parametrize("end", [client_cancels, client_half_closes, client_sends_a_bad_frame])
async def test_the_end_of_a_stream_cancels_its_orders(
    alice: Trader, end: Callable[[Entry], Awaitable[None]]
) -> None:
    async with alice.enter(cancel_on_disconnect=True) as entry:
        (result,) = await entry.do(limit("a-1"))
        assert result.order.cancel_on_disconnect
        await end(entry)
        order = await canceled(alice, "a-1")
    assert order.reason == reason_pb2.REASON_DISCONNECTED


async def test_a_closed_channel_cancels_the_orders_of_its_streams(
    floor: Floor, alice: Trader
) -> None:
    async with another_channel(floor) as other:
        call = other.stubs.orders.EnterOrders(metadata=other.credential.metadata)
        await call.write(frame(limit("a-1"), cancel_on_disconnect=True))
        while (await alice.orders()).as_of_sequence == 0:
            pass
    assert (await canceled(alice, "a-1")).reason == reason_pb2.REASON_DISCONNECTED
    call.cancel()


async def test_only_the_orders_of_that_stream_are_canceled(floor: Floor, alice: Trader) -> None:
    await alice.place(limit("unary"))
    async with (
        alice.enter(cancel_on_disconnect=True) as staying,
        alice.enter() as keeping,
        alice.enter(cancel_on_disconnect=True) as ending,
    ):
        await staying.do(limit("staying"))
        await keeping.do(limit("keeping"))
        await ending.do(limit("ending-1"), limit("ending-2"), limit("amended", quantity="2"))
        # An amend over another connection does not take the order over.
        await alice.amend(amend("amended-2", "amended", quantity="1"))
        ending.call.cancel()
        keeping.call.cancel()
        await canceled(alice, "amended-2")
        left = {order.client_order_id for order in (await alice.orders()).orders}
    assert left == {"unary", "staying", "keeping"}


async def test_without_the_setting_orders_stay(alice: Trader) -> None:
    async with alice.enter() as entry:
        await entry.do(limit("a-1"))
        await client_half_closes(entry)
    assert (await alice.get("a-1")).order.status == order_pb2.ORDER_STATUS_NEW


async def test_commands_that_were_sent_before_the_end_are_canceled_too(alice: Trader) -> None:
    """The cancel comes behind the commands that wait: nothing of the connection survives it."""
    async with alice.enter(cancel_on_disconnect=True) as entry:
        await entry.live()
        for number in range(20):
            await entry.send(*(limit(f"a-{number}-{i}") for i in range(50)))
        await entry.half_close()
        await entry.to_end()
    await canceled(alice, "a-19-49")
    assert list((await alice.orders()).orders) == []
    assert len(await alice.executions()) == 2000


async def test_a_client_that_does_not_read_is_canceled_when_it_goes(
    floor: Floor, alice: Trader
) -> None:
    """The server waits for the client to read when it goes: that must not keep orders alive."""
    floor.venue.app.limiter.set_exempt("alice", True)
    async with alice.enter(cancel_on_disconnect=True) as entry:
        await entry.live()
        await entry.send(limit("kept"))

        async def send_without_reading() -> None:
            for number in range(30):
                await entry.send(*(limit(f"a-{number}-{i}", price="0.001") for i in range(256)))

        flood = asyncio.create_task(send_without_reading())
        while (await alice.orders()).as_of_sequence == 0:
            pass
        entry.call.cancel()
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)
    assert (await canceled(alice, "kept")).reason == reason_pb2.REASON_DISCONNECTED


async def test_after_a_crash_orphans_are_canceled_before_anybody_is_served(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=0.1)
    app = Application(settings, clock_ns=clock)
    crashed = await run_until_crash(app)
    events = crashed.state.event_number
    async with running_venue(data_dir, clock_ns=clock) as venue:
        # Started means served: by now they are gone, and nothing else is.
        assert venue.app.state.event_number == events + 2
        clock.advance(2)
        credential = await venue.create_key("alice")
        await venue.sign_in(credential)
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), credential)
            left = [order.client_order_id for order in (await alice.orders()).orders]
            assert left == ["kept"]
            for name in ("orphan-1", "orphan-2"):
                order = (await alice.get(name)).order
                assert order.status == order_pb2.ORDER_STATUS_CANCELED
                assert order.reason == reason_pb2.REASON_DISCONNECTED
            assert len(await alice.executions()) == 5
    audit(venue.app)


async def run_until_crash(app: Application) -> Application:
    """Let alice have orders, then end as a killed process does: without draining."""
    grpc_port, admin_port = await app.start()
    venue = RunningVenue(app, grpc_port, admin_port)
    await venue.provision(["alice"])
    async with venue.connect() as channel:
        alice = Trader(Stubs(channel), venue.credentials["alice"])
        async with alice.enter(cancel_on_disconnect=True) as entry:
            await entry.do(limit("orphan-1"), limit("orphan-2"))
            await alice.place(limit("kept"))
            app.sequencer.stop()
            await asyncio.wait_for(asyncio.gather(*app._tasks), TIMEOUT_S)
    app.journal.close()
    for server in app._servers:
        await server.stop(None)
    app.sequencer.close()
    return app
