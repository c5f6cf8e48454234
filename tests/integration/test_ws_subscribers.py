"""Many subscribers over WebSocket, of whom some do not read: all others get everything."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tradewire.v1 import market_data_service_pb2
from tradewire_gateway.ws import WebSocketLimits
from tradewire_gateway.ws.json_form import reader
from tradewire_server.streams.hub import HubBounds
from tradewire_server.streams.subscription import QueueBounds

from tests.support.book_mirror import BookMirror
from tests.support.venue import RunningVenue, running_venue
from tests.support.waiting import eventually
from tests.support.ws import GatewayEdge, WsClient, gateway_beside, order, reason_of
from tests.unit.gateway.ws.json_form.samples import descriptor_of

EXECUTIONS, MARKET_DATA = "executions.stream", "marketData.stream"
FOLLOWERS = 40
# A venue allows one address fewer streams than are wanted here.
PER_ADDRESS = 25
LEVELS = 50
ROUNDS_MAX = 200
LAST_PRICE = "77.77"
LIMITS = WebSocketLimits(websocket_buffer_bytes=8 << 10)
# Small, so that little traffic is too much for who does not read.
SMALL = HubBounds(queue=QueueBounds(bytes_max=32 << 10, read_bytes_max=16 << 10))


@pytest.mark.parametrize("count", [200, pytest.param(1_000, marks=pytest.mark.slow)])
async def test_a_book_comes_whole_to_all_who_read(data_dir: Path, count: int) -> None:
    async with _gateway(data_dir) as (edge, venue, stack):
        bounds = venue.app.market_data._bounds
        venue.app.market_data._bounds = replace(bounds, interval_ns=10**6, messages_max=4)
        clients = await _subscribers(stack, edge, count)
        numbers = [await client.subscribe(MARKET_DATA, _MARKET) for client in clients]
        trader = await _signed_in(stack, edge, venue)
        clients[0].socket.transport.pause_reading()
        await _change_the_book(trader, venue)

        # All others have everything before the one that did not read does so again.
        for client in clients[1:]:
            await eventually(partial(_has_the_end, client))
        mirror = _mirror(clients[1], numbers[1])
        assert (mirror.bids, mirror.snapshots) == ([(LAST_PRICE, "0.01")], 1)
        everything = _batches(clients[1], numbers[1])
        for client, number in zip(clients[2:], numbers[2:], strict=True):
            assert _batches(client, number) == everything
        # It gets a fresh snapshot for what it has missed, and has the same book in the end.
        clients[0].socket.transport.resume_reading()
        await eventually(lambda: _has_the_end(clients[0]))
        late = _mirror(clients[0], numbers[0])
        assert late.bids == [(LAST_PRICE, "0.01")]
        assert late.snapshots > 1
        assert len(clients[0].messages(numbers[0])) < len(clients[1].messages(numbers[1]))


async def test_executions_come_whole_to_all_who_read(data_dir: Path) -> None:
    async with _gateway(data_dir) as (edge, venue, stack):
        venue.app.hub.bounds = SMALL
        clients = [await _signed_in(stack, edge, venue) for _ in range(FOLLOWERS)]
        numbers = [await client.subscribe(EXECUTIONS) for client in clients]
        trader = await _signed_in(stack, edge, venue)
        clients[0].socket.transport.pause_reading()
        placed = 0
        while not venue.app.hub.overflow_count:
            orders = [order(f"e-{placed + each}") for each in range(20)]
            answer = await trader.call("orders.batchPlace", {"orders": orders})
            placed = int(answer["asOfSequence"])
            assert placed < 10_000, "who does not read is told some day"

        for client, number in list(zip(clients, numbers, strict=True))[1:]:
            await eventually(partial(_has_all, client, number, placed))
            assert _sequences(client, number) == list(range(1, placed + 1))
            assert not [each for each in client.notifications if each["method"] != EXECUTIONS]
        # It is told, and where to resume.
        clients[0].socket.transport.resume_reading()
        await clients[0].notified("subscription.closed")
        closing = clients[0].messages(numbers[0])[-1]["closing"]
        assert reason_of(closing["status"]) == "SLOW_CONSUMER"
        position = int(closing["resumeAfter"])
        assert position == len(_sequences(clients[0], numbers[0])) < placed
        again = await clients[0].subscribe(EXECUTIONS, {"afterSequence": str(position)})
        await eventually(lambda: len(_sequences(clients[0], again)) == placed - position)


@asynccontextmanager
async def _gateway(
    data_dir: Path,
) -> AsyncIterator[tuple[GatewayEdge, RunningVenue, AsyncExitStack]]:
    """Run a venue and its gateway; what is put on the stack ends before them."""
    async with running_venue(data_dir) as venue:
        await venue.provision(["alice", "bob"], exempt=True)
        async with gateway_beside(venue, limits=LIMITS) as edge, AsyncExitStack() as stack:
            yield edge, venue, stack


def _has_the_end(client: WsClient) -> bool:
    """Say whether the last change has come; a heartbeat may have followed."""
    return any(f'"{LAST_PRICE}"' in json.dumps(each) for each in client.notifications[-3:])


_MARKET = {"symbols": ["BTC-USD"], "depth": 1000}


async def _subscribers(stack: AsyncExitStack, edge: GatewayEdge, count: int) -> list[WsClient]:
    """Open connections from as many addresses as they need; the first takes in little."""
    found = [await _slow_socket(stack, edge)]
    for number in range(1, count):
        address = f"198.51.100.{number // PER_ADDRESS}"
        found.append(await stack.enter_async_context(edge.client_at(address)))
    return found


def small_socket(edge: GatewayEdge) -> socket.socket:
    """Return a socket of a client that takes in little."""
    host, port = edge.address.split(":")
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    found.connect((host, int(port)))
    found.setblocking(False)
    return found


async def _slow_socket(stack: AsyncExitStack, edge: GatewayEdge, **options: Any) -> WsClient:
    client: WsClient = await stack.enter_async_context(
        edge.client(sock=await asyncio.to_thread(small_socket, edge), **options)
    )
    return client


async def _signed_in(stack: AsyncExitStack, edge: GatewayEdge, venue: RunningVenue) -> WsClient:
    return await _slow_socket(stack, edge, credential=venue.credentials["alice"])


async def _change_the_book(trader: WsClient, venue: RunningVenue) -> None:
    """Change the book until who does not read it is behind; the last change is known by its
    price.
    """
    lags = venue.app.market_data.lag_count
    for number in range(ROUNDS_MAX):
        orders = [
            order(f"{number}-{level}", price=f"{100 + level}.{number % 100:02d}")
            for level in range(LEVELS)
        ]
        await trader.call("orders.batchPlace", {"orders": orders})
        await trader.call("orders.cancelAll")
        if venue.app.market_data.lag_count > lags:
            break
    assert venue.app.market_data.lag_count == lags + 1, "the one that does not read, and no other"
    await trader.call("orders.place", order("last", price=LAST_PRICE))


def _has_all(client: WsClient, subscription: int, count: int) -> bool:
    return len(_sequences(client, subscription)) == count


def _sequences(client: WsClient, subscription: int) -> list[int]:
    return [
        int(execution["sequence"])
        for message in client.messages(subscription)
        for execution in message.get("batch", {}).get("executions", [])
    ]


def _batches(client: WsClient, subscription: int) -> list[dict[str, Any]]:
    return [each for each in client.messages(subscription) if "batch" in each]


def _mirror(client: WsClient, subscription: int) -> BookMirror:
    """Follow what a subscription has brought; a gap in it would be an error."""
    mirror = BookMirror("BTC-USD")
    read = reader(descriptor_of(market_data_service_pb2.StreamMarketDataResponse))
    messages: list[Any] = [read(each) for each in _batches(client, subscription)]
    mirror.follow([message.batch for message in messages])
    return mirror
