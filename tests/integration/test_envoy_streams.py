"""Server streams over REST: server-sent events, and where they differ from grpc-gateway's streams.

grpc-gateway writes each message as a line `{"result": ...}` and an error after the first message as
`{"error": ...}`. Here each message is an event `data: {...}`, an error before the first message is
an ordinary error of REST, and later the end is said in band: `{"closing": ...}`.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
from google.protobuf import json_format
from google.rpc import status_pb2
from tradewire_server.app import Settings

from tests.support.command_line import run_command, venue_process
from tests.support.envoy import (
    RestVenue,
    data_directory,
    rest_venue,
    running_rest_venue,
)
from tests.support.failures import failure_of
from tests.support.rest import BearerToken, failure_of_response, rest_client
from tests.support.server_sent import event_stream
from tests.support.trading import Trader, cancel, limit
from tests.support.venue import Stubs
from tests.support.waiting import eventually

__all__ = ["rest_venue"]

shared = pytest.mark.asyncio(loop_scope="module")

PATIENCE_S = 30


@shared
async def test_an_event_is_a_line_of_json(rest_venue: RestVenue) -> None:
    async with (
        rest_client(rest_venue.url, BearerToken(rest_venue.bob.token)) as client,
        client.stream("GET", "/v1/executions:stream?afterSequence=0") as response,
    ):
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-store"
        assert {"ratelimit-limit", "ratelimit-remaining"} <= set(response.headers)
        assert not any(name.startswith("grpc-") for name in response.headers)
        text = await anext(response.aiter_text())
    event, _, rest = text.partition("\n\n")
    assert event.startswith("data: {")
    assert "\n" not in event
    assert set(json.loads(event.removeprefix("data: "))) == {"caughtUp"}
    assert rest == ""


@shared
async def test_past_and_present_come_in_one_stream(rest_venue: RestVenue) -> None:
    async with (
        rest_client(rest_venue.url, BearerToken(rest_venue.alice.token)) as client,
        rest_venue.venue.connect() as channel,
    ):
        alice = Trader(Stubs(channel), rest_venue.alice)
        await alice.place(limit("s-1"))
        async with event_stream(client, "/v1/executions:stream", afterSequence=0) as events:
            past = await anext(events)
            assert [e["sequence"] for e in past["batch"]["executions"]] == ["1"]
            assert past["batch"]["executions"][0]["type"] == "EXECUTION_TYPE_NEW"
            live = await anext(events)
            assert live["caughtUp"]["asOfSequence"] == "1"
            await alice.place(limit("s-2"))
            present = await anext(events)
            assert [e["sequence"] for e in present["batch"]["executions"]] == ["2"]


@shared
async def test_market_data_needs_no_credential(rest_venue: RestVenue) -> None:
    async with (
        rest_client(rest_venue.url) as client,
        event_stream(client, "/v1/marketData:stream", symbols="BTC-USD") as events,
    ):
        first = await anext(events)
        assert first["batch"]["book"]["snapshot"] is True
        assert set(await anext(events)) == {"caughtUp"}


@shared
@pytest.mark.parametrize(
    ("path", "token", "reason"),
    [
        ("/v1/executions:stream", False, "UNAUTHENTICATED"),
        ("/v1/executions:stream?afterSequence=1000000", True, "SEQUENCE_OUT_OF_RANGE"),
        ("/v1/executions:stream?account=bob", True, "ACCOUNT_NOT_FOUND"),
        ("/v1/executions:stream?after=1", True, "FIELD_INVALID"),
        ("/v1/executions:stream?afterSequence=x", True, "FIELD_INVALID"),
        ("/v1/marketData:stream?symbols=XRP-USD", False, "INSTRUMENT_NOT_FOUND"),
        ("/v1/marketData:stream", False, "FIELD_INVALID"),
    ],
)
async def test_an_error_before_the_first_message_is_an_ordinary_one(
    rest_venue: RestVenue, path: str, token: bool, reason: str
) -> None:
    auth = BearerToken(rest_venue.alice.token) if token else None
    async with rest_client(rest_venue.url, auth) as client:
        response = await client.get(path)
    assert failure_of_response(response).reason == reason


@shared
async def test_heartbeats_keep_a_quiet_stream_alive() -> None:
    """Envoy's timeouts are shorter than the pause between two heartbeats."""
    async with data_directory() as path:
        settings = Settings(data_dir=path, grpc_port=0, admin_port=0, drain_s=0.2, heartbeat_s=1.0)
        async with (
            running_rest_venue(
                path,
                settings=settings,
                stream_idle_timeout_s=0.3,
                request_bytes_timeout_s=0.3,
                answer_timeout_s=0.3,
            ) as rest,
            rest_client(rest.url, BearerToken(rest.alice.token)) as client,
        ):
            for stream in ("/v1/executions:stream", "/v1/account:stream"):
                async with event_stream(client, stream) as events:
                    found = [set(await anext(events)) for _ in range(3)]
                assert found == [{"caughtUp"}, {"heartbeat"}, {"heartbeat"}]


def test_the_end_is_said_in_band(tmp_path: Path) -> None:
    """A venue that drains tells its streams, and Envoy passes that on before it ends, too."""
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        rest = venue.wait_until_ready()["rest"]
        token = run_command("token", "--data-dir", str(data_dir)).out.strip()
        headers = {"authorization": f"Bearer {token}"}
        with (
            httpx.Client(base_url=rest, headers=headers, timeout=PATIENCE_S) as client,
            client.stream("GET", "/v1/executions:stream?afterSequence=0") as response,
        ):
            lines = response.iter_lines()
            assert next(lines).startswith('data: {"caughtUp":')
            venue.process.send_signal(signal.SIGTERM)
            (last,) = [line for line in lines if line]
        assert venue.process.wait(PATIENCE_S) == 0
    closing = json.loads(last.removeprefix("data: "))["closing"]
    status = json_format.ParseDict(closing["status"], status_pb2.Status())
    assert failure_of(status).reason == "SERVER_DRAINING"
    assert closing["resumeAfter"] == "0"


class Follower:
    """A client that reads its executions by SSE and goes on after whatever ends the stream."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.sequences: list[int] = []
        self.connections = 0
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Follow until it is cancelled."""
        while True:
            try:
                await self._follow()
            except (httpx.TransportError, AssertionError):
                # Envoy is gone, or not quite there: a client waits a little.
                await asyncio.sleep(0.02)

    async def _follow(self) -> None:
        after = self.sequences[-1] if self.sequences else 0
        path = "/v1/executions:stream"
        async with event_stream(self._client, path, afterSequence=after) as events:
            self.connections += 1
            async for event in events:
                self._take(event)
                async with self._changed:
                    self._changed.notify_all()

    def _take(self, event: dict[str, Any]) -> None:
        for execution in event.get("batch", {}).get("executions", ()):
            self.sequences.append(int(execution["sequence"]))

    async def has(self, count: int) -> None:
        """Wait until so many executions have come."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: len(self.sequences) >= count)


@asynccontextmanager
async def following(client: httpx.AsyncClient) -> AsyncIterator[Follower]:
    """Follow while the context lasts."""
    follower = Follower(client)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@shared
async def test_a_stream_survives_restarts_of_envoy_without_gap_or_duplicate() -> None:
    async with data_directory() as path:
        async with (
            running_rest_venue(path, exempt=True) as rest,
            rest.venue.connect() as channel,
            rest_client(rest.url, BearerToken(rest.alice.token)) as client,
            following(client) as follower,
        ):
            alice = Trader(Stubs(channel), rest.alice)
            await alice.place(limit("r-0"))
            await follower.has(1)
            placed = 1
            for restart in range(1, 4):
                pid = rest.envoy.pid
                assert pid is not None
                # In the middle of what is being sent.
                placing = [
                    asyncio.create_task(alice.place(limit(f"r-{restart}-{number}")))
                    for number in range(20)
                ]
                os.kill(pid, signal.SIGKILL)
                await asyncio.gather(*placing)
                placed += len(placing)
                await follower.has(placed)
                assert rest.envoy.restart_count == restart
                assert rest.envoy.pid not in (pid, None)
        assert follower.sequences == list(range(1, placed + 1))
        assert follower.connections >= 4


@shared
async def test_a_reader_that_goes_ends_its_stream_at_the_venue(rest_venue: RestVenue) -> None:
    hub = rest_venue.venue.app.hub
    before = hub.subscription_count
    async with (
        rest_client(rest_venue.url, BearerToken(rest_venue.bob.token)) as client,
        event_stream(client, "/v1/executions:stream") as events,
    ):
        await anext(events)
        assert hub.subscription_count == before + 1
    await eventually(lambda: hub.subscription_count == before)


STALLED = 40
EXECUTIONS = 8_000


async def test_readers_that_do_not_read_hold_up_nobody_else() -> None:
    """All streams share a connection to the venue. What is not read of one fills its own window
    there, and must never fill the one of the connection.
    """
    async with data_directory() as path, AsyncExitStack() as stack:
        rest = await stack.enter_async_context(running_rest_venue(path, exempt=True))
        direct = await stack.enter_async_context(rest.venue.connect())
        through = await stack.enter_async_context(grpc.aio.insecure_channel(rest.target))
        client = await stack.enter_async_context(
            rest_client(rest.url, BearerToken(rest.alice.token))
        )
        async with Trader(Stubs(direct), rest.alice).enter() as entry:
            for start in range(0, EXECUTIONS // 2, 250):
                numbers = range(start, start + 250)
                await entry.do(*(limit(f"o-{number}") for number in numbers))
                await entry.do(*(cancel(f"o-{number}") for number in numbers))
        request = (
            f"GET /v1/executions:stream?afterSequence=0 HTTP/1.1\r\nhost: a\r\n"
            f"authorization: Bearer {rest.alice.token}\r\n\r\n"
        ).encode()
        for _ in range(STALLED):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.to_thread(reader.connect, ("127.0.0.1", rest.envoy.port))
            reader.sendall(request)
            # Its stream has begun.
            assert (await asyncio.to_thread(reader.recv, 12)) == b"HTTP/1.1 200"
        hub = rest.venue.app.hub
        assert hub.subscription_count > 0
        bob = Trader(Stubs(through), rest.bob)
        await bob.place(limit("while-others-stall"))
        async with event_stream(client, "/v1/executions:stream", afterSequence=0) as events:
            count = 0
            while count < EXECUTIONS:
                event = await asyncio.wait_for(anext(events), PATIENCE_S)
                count += len(event.get("batch", {}).get("executions", ()))


@pytest.mark.slow
async def test_a_reader_that_does_not_read_is_dropped_by_the_venue() -> None:
    """Envoy holds little, so what is not read waits at the venue, which bounds it."""
    async with (
        data_directory() as path,
        running_rest_venue(path, exempt=True) as rest,
        rest.venue.connect() as direct,
        Trader(Stubs(direct), rest.alice).enter() as entry,
    ):
        await entry.live()
        hub = rest.venue.app.hub
        own = hub.subscription_count
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.to_thread(reader.connect, ("127.0.0.1", rest.envoy.port))
            reader.sendall(
                f"GET /v1/executions:stream HTTP/1.1\r\nhost: a\r\n"
                f"authorization: Bearer {rest.alice.token}\r\n\r\n".encode()
            )
            await eventually(lambda: hub.subscription_count == own + 1)
            # More than the queue of a reader holds.
            for start in range(0, 25_000, 250):
                numbers = range(start, start + 250)
                await entry.do(*(limit(f"o-{number}") for number in numbers))
                await entry.do(*(cancel(f"o-{number}") for number in numbers))
            # It is told, and has some time to read that.
            await eventually(lambda: hub.subscription_count == own, within_s=60)
