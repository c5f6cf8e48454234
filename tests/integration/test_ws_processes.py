"""WebSocket as it is run: by `tradewire up` with Envoy, and as a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tradewire_server.auth.encoding import decode_base64url

from tests.support.command_line import venue_process
from tests.support.venue import Credential, RunningVenue
from tests.support.waiting import eventually
from tests.support.ws import GatewayEdge, WsClient, order, reason_of

COMMAND = (sys.executable, "-m", "tradewire_gateway.web", "--rest-url", "https://api.example")


def demo_key(data_dir: Path) -> Credential:
    """Return the first key of `tradewire up`."""
    account = json.loads((data_dir / "demo.json").read_bytes())["accounts"][0]
    seed = decode_base64url(account["private_key"])
    assert seed is not None
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return Credential(account["account"], account["api_key"], key)


async def test_up_serves_it_through_envoy_and_says_when_it_ends(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        ready = await asyncio.to_thread(venue.wait_until_ready)
        ports, credential = ready["ports"], demo_key(data_dir)
        await eventually(lambda: "/v1/ws" in venue.printed)
        direct = f"ws://127.0.0.1:{ports['http']}/v1/ws"
        urls = [direct]
        if ready["rest"]:
            urls.append(ready["rest"].replace("http", "ws", 1) + "/v1/ws")
        for url in urls:
            async with WsClient.connect(url, compression="deflate") as client:
                await client.sign_in(credential)
                placed = await client.call("orders.place", order(f"a{len(url)}"))
                assert placed["order"]["orderId"]
        async with WsClient.connect(urls[-1]) as client:
            await client.sign_in(credential)
            number = await client.subscribe("executions.stream")
            await client.call("orders.place", order("b"))
            async with httpx.AsyncClient() as http:
                metrics = (await http.get(ready["metrics"])).text
            assert "tradewire_websocket_connections 1.0" in metrics
            venue.process.send_signal(signal.SIGTERM)
            closing = await client.notified("connection.closing")
            assert reason_of(closing["status"]) == "SERVER_DRAINING"
            assert await client.closed() == (1001, "SERVER_DRAINING")
            assert client.messages(number)
        assert await asyncio.to_thread(venue.process.wait, 30) == 0


@asynccontextmanager
async def gateway_process(venue: RunningVenue, *arguments: str) -> AsyncIterator[Any]:
    """Run a gateway as a process of its own; yields it, with where it is as `edge`."""
    trusted = venue.app.sockets.directory / "own.sock"
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("--upstream", f"unix:{venue.app.sockets.edge}", "--port", "0"),
        *("--envoy-socket", str(trusted), "--origin", "https://console.example"),
        *("--drain-s", "0.3", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        address = line.rpartition("http://")[2].strip()
        assert address, await process.communicate()
        yield process, GatewayEdge(None, address, trusted)  # type: ignore[arg-type]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_gateway_that_is_killed_takes_its_orders_with_it(venue: RunningVenue) -> None:
    alice, account = venue.credentials["alice"], venue.app.state.accounts["alice"]
    async with (
        gateway_process(venue) as (process, edge),
        edge.client(alice) as client,
        edge.client(alice) as other,
    ):
        await client.call("connection.configure", cancelOnDisconnect=True)
        for number in range(3):
            await client.call("orders.place", order(f"a{number}"))
        await other.call("orders.place", order("stays"))
        assert len(account.orders) == 4
        process.kill()
        await eventually(lambda: len(account.orders) == 1)
        assert next(iter(account.orders.values())).client_order_id == "stays"


async def test_a_gateway_of_its_own_believes_only_its_socket(venue: RunningVenue) -> None:
    key = await venue.create_key("alice", addresses=["192.0.2.1/32"])
    async with gateway_process(venue) as (process, edge):
        mode = (await asyncio.to_thread(edge.trusted.stat)).st_mode & 0o777
        assert mode == 0o600
        async with edge.client_at("192.0.2.1", key) as client:
            assert (await client.call("orders.list"))["orders"] == []
        process.send_signal(signal.SIGTERM)
        _, complaints = await process.communicate()
        assert (process.returncode, complaints) == (0, b"")
        assert not await asyncio.to_thread(edge.trusted.exists)


async def test_a_gateway_of_its_own_says_when_it_ends(venue: RunningVenue) -> None:
    async with (
        gateway_process(venue) as (process, edge),
        edge.client(venue.credentials["alice"]) as client,
    ):
        await client.call("orders.place", order("a"))
        process.send_signal(signal.SIGTERM)
        closing = await client.notified("connection.closing")
        assert reason_of(closing["status"]) == "SERVER_DRAINING"
        # There is time to finish.
        await client.call("orders.cancelAll")
        assert await client.closed() == (1001, "SERVER_DRAINING")


async def test_bad_flags_are_explained() -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("--upstream", "127.0.0.1:1", "--origin", "https://app.example/"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaints = await process.communicate()
    assert process.returncode == 2
    assert b"did you mean 'https://app.example'?" in complaints
