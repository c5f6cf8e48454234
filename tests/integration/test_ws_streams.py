"""Subscriptions over WebSocket: readers that are slow, that resume, and the many beside them."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from tradewire.v1 import market_data_service_pb2
from tradewire_gateway.channel import open_channel
from tradewire_gateway.ws import WebSocketLimits
from tradewire_gateway.ws.rendering import KEPT_BYTES_MAX, KEPT_MAX, renderer
from tradewire_server.streams.hub import HubBounds
from tradewire_server.streams.market_data import MarketBounds
from tradewire_server.streams.subscription import QueueBounds

from tests.support.book_mirror import BookMirror
from tests.support.venue import Clock, Credential, RunningVenue, running_venue
from tests.support.waiting import eventually
from tests.support.ws import (
    GatewayEdge,
    RpcError,
    WsClient,
    gateway_beside,
    gateway_over,
    order,
    reason_of,
    request,
)

CHANNELS = ["in process", "network"]
EXECUTIONS, MARKET_DATA = "executions.stream", "marketData.stream"
MARKET = {"symbols": ["BTC-USD"], "depth": 1000}
SMALL = HubBounds(queue=QueueBounds(bytes_max=32 << 10, read_bytes_max=16 << 10))
ORDERS = 2_000


@pytest.fixture(params=CHANNELS)
async def edge(venue: RunningVenue, request: pytest.FixtureRequest) -> AsyncIterator[GatewayEdge]:
    """Run a gateway over either channel."""
    for account in ("alice", "bob"):
        venue.app.limiter.set_exempt(account, True)
    async with gateway_beside(venue, kind=request.param) as edge:
        yield edge


def small_socket(edge: GatewayEdge) -> socket.socket:
    """Return a socket of a client that takes in little."""
    host, port = edge.address.split(":")
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    found.connect((host, int(port)))
    found.setblocking(False)
    return found


def pause(client: WsClient) -> Any:
    """Let a client read nothing; returns its transport, to let it go on."""
    transport = client.socket.transport
    transport.pause_reading()
    return transport


async def trade(client: WsClient, count: int, name: str = "t") -> None:
    """Place many orders, pipelined; not so many at a time that their own results are too much."""
    for start in range(0, count, 10):
        answers = [
            client.ask("orders.place", order(f"{name}{number}", timeInForce="TIME_IN_FORCE_IOC"))
            for number in range(start, min(start + 10, count))
        ]
        for answer in answers:
            await answer


def sequences(client: WsClient, subscription: int) -> list[int]:
    """Return the numbers of the executions that a subscription has brought."""
    return [
        int(execution["sequence"])
        for message in client.messages(subscription)
        for execution in message.get("batch", {}).get("executions", [])
    ]


async def test_slow_reader_of_executions_is_told_and_nobody_is_delayed(
    edge: GatewayEdge, venue: RunningVenue
) -> None:
    venue.app.hub.bounds = SMALL
    alice = venue.credentials["alice"]
    async with (
        edge.client(alice, sock=small_socket(edge)) as slow,
        edge.client(alice) as keen,
        edge.client(alice) as trader,
    ):
        number = await slow.subscribe(EXECUTIONS)
        everything = await keen.subscribe(EXECUTIONS)
        transport = pause(slow)
        await trade(trader, ORDERS)
        await eventually(lambda: len(sequences(keen, everything)) == 2 * ORDERS)
        assert venue.app.hub.overflow_count >= 1
        transport.resume_reading()
        closed = await slow.notified("subscription.closed")
        # The stream itself has said why, and where to go on.
        assert closed == {"subscription": number}
        closing = slow.messages(number)[-1]["closing"]
        assert reason_of(closing["status"]) == "SLOW_CONSUMER"
        position = int(closing["resumeAfter"])
        assert position < 2 * ORDERS
        # The connection goes on, and nothing is missing.
        again = await slow.subscribe(EXECUTIONS, {"afterSequence": position})
        await eventually(lambda: len(sequences(slow, again)) == 2 * ORDERS - position)
        found = sequences(slow, number) + sequences(slow, again)
        assert found == list(range(1, 2 * ORDERS + 1))


async def test_reader_of_market_data_is_conflated_and_never_wrong(
    edge: GatewayEdge, venue: RunningVenue
) -> None:
    venue.app.market_data._bounds = MarketBounds(interval_ns=10**6, messages_max=8)
    alice = venue.credentials["alice"]
    async with (
        edge.client(sock=small_socket(edge)) as slow,
        edge.client() as keen,
        edge.client(alice) as trader,
    ):
        number, everything = (
            await slow.subscribe(MARKET_DATA, MARKET),
            await keen.subscribe(MARKET_DATA, MARKET),
        )
        transport = pause(slow)
        lags = venue.app.market_data.lag_count
        for round_number in range(400):
            orders = [
                order(f"{round_number}-{level}", price=f"{100 + level}.{round_number % 100:02d}")
                for level in range(50)
            ]
            await trader.call("orders.batchPlace", {"orders": orders})
            await trader.call("orders.cancelAll")
            if venue.app.market_data.lag_count > lags:
                break
        assert venue.app.market_data.lag_count > lags
        final = order("last", price="77.77")
        await trader.call("orders.place", final)
        transport.resume_reading()
        mirrors = [BookMirror("BTC-USD"), BookMirror("BTC-USD")]
        for client, subscription, mirror in zip(
            (slow, keen), (number, everything), mirrors, strict=True
        ):
            await client.expect(lambda each: '"77.77"' in json.dumps(each))
            batches = []
            for message in client.messages(subscription):
                parsed = json_format.ParseDict(
                    message, market_data_service_pb2.StreamMarketDataResponse()
                )
                if parsed.HasField("batch"):
                    batches.append(parsed.batch)
            mirror.follow(batches)
            assert mirror.bids == [("77.77", "0.01")]
        assert mirrors[0].snapshots > 1, "a fresh snapshot stands for what was missed"


async def test_client_that_reads_nothing_is_ended(venue: RunningVenue) -> None:
    limits = WebSocketLimits(websocket_stalled_s=1.0)
    alice = venue.credentials["alice"]
    venue.app.limiter.set_exempt("alice", True)
    async with (
        gateway_beside(venue, limits=limits) as edge,
        edge.client(alice) as trader,
        edge.client(alice, sock=small_socket(edge)) as deaf,
    ):
        await deaf.call("connection.configure", cancelOnDisconnect=True)
        await deaf.call("orders.place", order("kept"))
        await deaf.subscribe(EXECUTIONS)
        pause(deaf)
        await trade(trader, 1_000)

        def ended() -> object:
            return edge.gateway.meters.registry.get_sample_value(
                "tradewire_websocket_closed_total", {"reason": "SLOW_CONSUMER"}
            )

        await eventually(ended)
        # What it had placed is canceled, though it has not gone.
        account = venue.app.state.accounts["alice"]
        await eventually(lambda: not account.orders)
        assert "time" in await trader.call("session.time")
        deaf.socket.transport.abort()


async def test_flood_of_requests_by_who_reads_no_answers(venue: RunningVenue) -> None:
    async with (
        gateway_beside(venue) as edge,
        edge.client(sock=small_socket(edge)) as flood,
        edge.client() as other,
    ):
        await flood.subscribe(MARKET_DATA, MARKET)
        (protocol,) = [
            each for each in edge.gateway._open if each.connection and each.connection.subscriptions
        ]
        pause(flood)
        sending = asyncio.create_task(_flood(flood))
        await eventually(lambda: not protocol._may_take)
        for _ in range(20):
            assert "time" in await other.call("session.time")
        # It is read no further, so what waits for it is bounded, and so is what it sends.
        await eventually(lambda: flood.socket.transport.get_write_buffer_size() > 0)
        assert protocol._transport.get_write_buffer_size() < 4 << 20
        sending.cancel()
        flood.socket.transport.abort()


async def _flood(client: WsClient) -> None:
    """Send what is answered, at little cost for who asks."""
    while True:
        await client.send({"jsonrpc": "2.0", "id": "x" * 60, "method": "session.tokenKeys"})


async def test_subscriptions_of_a_connection_are_apart(
    edge: GatewayEdge, venue: RunningVenue
) -> None:
    async with edge.client(venue.credentials["alice"]) as client:
        first = await client.subscribe(EXECUTIONS)
        second = await client.subscribe(EXECUTIONS, {"afterSequence": "0"})
        balances = await client.subscribe("account.stream", {"snapshot": True})
        assert (first, second, balances) == (1, 2, 3)
        await client.call("orders.place", order("a"))
        await eventually(lambda: sequences(client, first) == sequences(client, second) == [1])
        await client.call("subscription.cancel", subscription=first)
        assert await client.notified("subscription.closed") == {"subscription": first}
        await client.call("orders.place", order("b"))
        await eventually(lambda: sequences(client, second) == [1, 2])
        assert sequences(client, first) == [1]
        assert "snapshot" in client.messages(balances)[0]
        with pytest.raises(RpcError) as caught:
            await client.call("subscription.cancel", subscription=first)
        assert caught.value.reason == "SUBSCRIPTION_NOT_FOUND"


async def test_answer_of_a_batch_comes_before_what_its_subscriptions_bring(
    edge: GatewayEdge, venue: RunningVenue
) -> None:
    async with edge.client(venue.credentials["alice"]) as client:
        await client.call("orders.place", order("a"))
        frames: list[Any] = []
        client._take = frames.append
        # More calls than are made at once: the streams have long begun when the last is answered.
        calls = [request("session.time", {}, number) for number in range(10, 110)]
        streams = [request(EXECUTIONS, {"afterSequence": 0}, 1), request(MARKET_DATA, MARKET, 2)]
        await client.send([*streams, *calls])
        await eventually(lambda: len(frames) >= 3 and any(isinstance(one, list) for one in frames))
        assert [type(each) for each in frames[:2]] == [list, dict]
        assert len(frames[0]) == 102


@pytest.mark.parametrize("method", [MARKET_DATA, EXECUTIONS])
async def test_subscription_canceled_before_it_has_begun_is_answered(
    edge: GatewayEdge, venue: RunningVenue, method: str
) -> None:
    async with edge.client(venue.credentials["alice"]) as client:
        subscribe = request(method, MARKET if method == MARKET_DATA else {}, 1001)
        cancel = request("subscription.cancel", {"subscription": 1}, 1002)
        refused, canceled = sorted(
            await client.exchange([subscribe, cancel]), key=lambda each: int(each["id"])
        )
        assert reason_of(refused["error"]["data"]) == "SUBSCRIPTION_NOT_FOUND"
        assert canceled["result"] == {}
        (protocol,) = edge.gateway._open
        assert protocol.connection is not None
        assert protocol.connection.subscriptions == 0
        assert await client.subscribe(MARKET_DATA, MARKET) == 2


async def test_stream_that_cannot_begin_there_is_refused(
    edge: GatewayEdge, venue: RunningVenue
) -> None:
    async with edge.client(venue.credentials["alice"]) as client:
        for params, reason in (
            ({"afterSequence": 99}, "SEQUENCE_OUT_OF_RANGE"),
            ({"afterSequence": 0, "snapshot": True}, "FIELDS_CONFLICT"),
            ({"account": "bob"}, "ACCOUNT_NOT_FOUND"),
            ({"afterSequenc": 0}, "FIELD_INVALID"),
        ):
            with pytest.raises(RpcError) as caught:
                await client.subscribe(EXECUTIONS, params)
            assert caught.value.reason == reason
        assert not client.notifications
        with pytest.raises(RpcError) as caught:
            await client.subscribe(MARKET_DATA, {"symbols": ["NO-PE"]})
        assert caught.value.reason == "INSTRUMENT_NOT_FOUND"


@pytest.mark.parametrize("kind", CHANNELS)
async def test_resume_over_a_restart_of_the_venue(data_dir: Path, clock: Clock, kind: str) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        alice = venue.credentials["alice"]
        # Half of it was seen when the venue ends.
        seen, journal = await _follow(venue, alice, kind, after=0, count=10, name="a")
    # Later, because signatures and tokens of just before a start are not taken.
    clock.advance(5)
    async with running_venue(data_dir, clock_ns=clock) as venue:
        clock.advance(5)
        await venue.sign_in(alice)
        rest, same = await _follow(venue, alice, kind, after=10, count=30, name="b")
    assert seen[:10] + rest == list(range(1, 41))
    assert same == journal


async def _follow(
    venue: RunningVenue, credential: Credential, kind: str, *, after: int, count: int, name: str
) -> tuple[list[int], str]:
    """Place 20 orders; return at least so many executions after a number, and the journal's id."""
    bearer = {"Authorization": f"Bearer {credential.token}"}
    async with gateway_beside(venue, kind=kind) as edge, edge.client(headers=bearer) as client:
        number = await client.subscribe(EXECUTIONS, {"afterSequence": after})
        for each in range(20):
            await client.call("orders.place", order(f"{name}{each}"))
        await eventually(lambda: len(sequences(client, number)) >= count)
        marks = [each["caughtUp"] for each in client.messages(number) if "caughtUp" in each]
        return sequences(client, number), marks[0]["journalId"]


async def test_venue_that_ends_tells_the_streams_of_a_gateway_that_goes_on(
    data_dir: Path, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as until_drained:
        venue = await until_drained.enter_async_context(running_venue(data_dir))
        await venue.provision(["alice"])
        async with (
            open_channel(f"unix:{venue.app.sockets.edge}") as channel,
            gateway_over(channel, tmp_path / "gateway.sock") as edge,
            edge.client(venue.credentials["alice"]) as client,
        ):
            number = await client.subscribe(EXECUTIONS)
            await client.call("orders.place", order("a"))
            await until_drained.aclose()
            assert await client.notified("subscription.closed") == {"subscription": number}
            closing = client.messages(number)[-1]["closing"]
            assert reason_of(closing["status"]) == "SERVER_DRAINING"
            assert int(closing["resumeAfter"]) == 1
            for method, params in (("orders.place", order("b")), ("orders.list", {})):
                with pytest.raises(RpcError) as caught:
                    await client.call(method, params)
                assert (caught.value.code, caught.value.reason) == (14, "ANSWER_LOST")


async def test_same_update_is_rendered_once(edge: GatewayEdge, venue: RunningVenue) -> None:
    renderer.cache_clear()
    rendering = renderer(market_data_service_pb2.StreamMarketDataResponse.DESCRIPTOR)
    count = 0
    write = rendering._write

    def counting(message: Any) -> str:
        nonlocal count
        count += 1
        return write(message)

    rendering._write = counting
    try:
        async with (
            edge.client() as first,
            edge.client() as second,
            edge.client(venue.credentials["alice"]) as trader,
        ):
            for client in (first, second):
                await client.subscribe(MARKET_DATA, MARKET)
            await asyncio.sleep(0.2)
            count, before = 0, [len(each.messages(1)) for each in (first, second)]
            for number in range(5):
                await trader.call("orders.place", order(f"a{number}", price=f"{50 + number}"))
                await asyncio.sleep(0.15)
            after = [len(each.messages(1)) for each in (first, second)]
            updates = [end - start for start, end in zip(before, after, strict=True)]
            assert updates[0] == updates[1] >= 2
            assert count == updates[0]
    finally:
        rendering._write = write


def test_texts_that_are_kept_are_bounded() -> None:
    rendering = renderer(market_data_service_pb2.StreamMarketDataResponse.DESCRIPTOR)
    for number in range(KEPT_MAX + 50):
        message = market_data_service_pb2.StreamMarketDataResponse()
        message.caught_up.as_of_sequence = number
        message.caught_up.journal_id = "x" * 20_000
        assert json.loads(rendering(message.SerializeToString()))["caughtUp"]["journalId"]
    kept = rendering._kept
    assert sum(len(key) + len(text) for key, text in kept.items()) == rendering._bytes
    assert rendering._bytes <= KEPT_BYTES_MAX
    assert 0 < len(kept) <= KEPT_MAX
