"""One client without a credential takes what it can of Envoy; another one does not notice.

The attacker and the good client have addresses of their own, on the same machine.
"""

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import pytest_asyncio
from google.protobuf import json_format
from google.rpc import status_pb2
from tradewire_envoy.administration import Administration

from tests.support.envoy import RestVenue, data_directory, running_rest_venue
from tests.support.failures import Failure, failure_of
from tests.support.rest import failure_of_response

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # Elsewhere a machine has one address of its own.
    pytest.mark.skipif(sys.platform != "linux", reason="needs the addresses 127.0.0.0/8"),
]

ATTACKER, GOOD = "127.0.0.66", "127.0.0.77"
PATIENCE_S = 30
CONNECTIONS, STREAMS = 8, 100
# What streams themselves need, and far less than all of their answers.
HELD_BYTES_MAX = 100 << 20
FIRST_BYTES_S = 1.0
FLUSH_S = 1.0
IDLE = 200


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rest() -> AsyncIterator[RestVenue]:
    """Share a venue with pages; who does not read or says nothing is given little time."""
    async with (
        data_directory() as path,
        running_rest_venue(
            path,
            pages=True,
            first_bytes_timeout_s=FIRST_BYTES_S,
            stream_flush_timeout_s=FLUSH_S,
            request_bytes_timeout_s=FIRST_BYTES_S,
            connections_max=IDLE + 100,
        ) as running,
    ):
        yield running


@contextmanager
def connected(rest: RestVenue, count: int) -> Iterator[list[socket.socket]]:
    """Hold connections of the attacker."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                socket.create_connection(
                    ("127.0.0.1", rest.envoy.port), PATIENCE_S, source_address=(ATTACKER, 0)
                )
            )
            for _ in range(count)
        ]


def client_at(rest: RestVenue, address: str) -> httpx.AsyncClient:
    """Return a client with this address."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=rest.url, transport=transport, timeout=PATIENCE_S)


async def others_are_answered(rest: RestVenue, kept: httpx.AsyncClient) -> None:
    """Check that both a connection from before and a new one work, on every route."""
    async with client_at(rest, GOOD) as fresh:
        for client in (kept, fresh):
            for path in ("/v1/time", "/healthz", "/docs", "/v1/instruments"):
                assert (await client.get(path)).status_code == 200, path


async def statistic(rest: RestVenue, path: str, name: str) -> int:
    """Return a number of Envoy's administration interface."""
    admin = Administration(rest.envoy.settings.admin_socket)
    answer = (await admin._ask("GET", path)).body.decode()
    lines = (line for line in answer.splitlines() if f'{name}"' in line or f"{name}:" in line)
    # What has never happened is not there.
    return sum(int("".join(filter(str.isdigit, line.rpartition(":")[2]))) for line in lines)


async def held_bytes(rest: RestVenue) -> int:
    return await statistic(rest, "/memory", "allocated")


def raw_failure(received: bytes) -> tuple[int, Failure]:
    """Return what an answer says that was received whole."""
    head, _, body = received.partition(b"\r\n\r\n")
    status = json_format.Parse(body, status_pb2.Status())
    return int(head.split(b" ")[1]), failure_of(status)


def http2(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame of HTTP/2."""
    head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
    return head + struct.pack(">I", stream) + payload


def unread_requests(
    count: int, path: str, *, method: str = "", begun: bool = False, **headers: str
) -> bytes:
    """Return requests over HTTP/2 whose answers the client has no window for.

    Those that have only `begun` have a body to come.
    """
    method = method or ("POST" if begun else "GET")
    fields = {":method": method, ":scheme": "http", ":path": path, ":authority": "a", **headers}
    block = b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )
    no_window = struct.pack(">HI", 4, 0)
    end_headers, end_stream = 4, 0 if begun else 1
    return b"".join(
        [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            http2(4, 0, 0, no_window),
            *(http2(1, end_headers | end_stream, 1 + 2 * n, block) for n in range(count)),
        ]
    )


@pytest.mark.parametrize("path", ["/docs/openapi.json", "/v1/instruments", "/docs/nothing"])
async def test_answers_that_nobody_reads(rest: RestVenue, path: str) -> None:
    """Each of them was held whole: some thousands were all the memory that Envoy may have."""
    async with client_at(rest, GOOD) as kept:
        await others_are_answered(rest, kept)
        before = await held_bytes(rest)
        with connected(rest, CONNECTIONS) as connections:
            for connection in connections:
                connection.sendall(unread_requests(STREAMS, path))
            await others_are_answered(rest, kept)
            assert await held_bytes(rest) - before < HELD_BYTES_MAX
            # One address cannot have more of them: the rest was refused at once.
            await others_are_answered(rest, kept)
    await all_gone(rest)


async def test_bodies_that_never_end(rest: RestVenue) -> None:
    """What is there of a body is held until it is whole."""
    head = b"POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-length: 262144\r\n\r\n"
    async with client_at(rest, GOOD) as kept:
        await others_are_answered(rest, kept)
        with connected(rest, IDLE // 2) as connections:
            for connection in connections:
                connection.sendall(head + bytes(100_000))
            await others_are_answered(rest, kept)
            # Each is told, within the time that a request has to come in.
            for connection in connections:
                received = await asyncio.to_thread(connection.recv, 65_536)
                status, found = raw_failure(received)
                assert (status, found.reason) == (504, "DEADLINE_PASSED")
            await others_are_answered(rest, kept)


@pytest.mark.parametrize("length", [{"content-length": "32768"}, {}], ids=["large", "unknown"])
async def test_large_bodies_have_a_limit_of_their_own(
    rest: RestVenue, length: dict[str, str]
) -> None:
    """Those without a length might become large."""
    async with client_at(rest, ATTACKER) as attacker, client_at(rest, GOOD) as good:
        with connected(rest, CONNECTIONS) as connections:
            refused = await refused_count(rest)
            for connection in connections:
                begun = unread_requests(STREAMS, "/v1/orders", begun=True, **length)
                connection.sendall(begun)
            # Of 800, 400 at once, and 100 in a second.
            async with asyncio.timeout(PATIENCE_S):
                while await refused_count(rest) < refused + 100:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            answer = await attacker.post("/v1/orders", content=b" " * 32_767)
            assert answer.status_code != 429
            for content in (b" " * 32_768, chunks(b"{}")):
                answer = await good.post("/v1/orders", content=content)
                assert answer.status_code != 429
    await all_gone(rest)


async def refused_count(rest: RestVenue) -> int:
    """Return how many requests a limit of Envoy has refused."""
    name = "flood.http_local_rate_limit.rate_limited"
    return await statistic(rest, f"/stats?filter={name}", name)


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    """Yield a body whose length nobody knows beforehand."""
    yield content


async def test_connections_on_which_nothing_is_said(rest: RestVenue) -> None:
    """They kept others out for as long as an idle connection may last."""
    async with client_at(rest, GOOD) as kept:
        with connected(rest, IDLE) as connections:
            await others_are_answered(rest, kept)
            for connection in connections:
                assert await asyncio.to_thread(connection.recv, 1) == b""
            await others_are_answered(rest, kept)


@pytest.mark.parametrize(
    ("path", "most"), [("/healthz", 200), ("/docs/nothing", 200), ("/v1/ws", 500)]
)
async def test_whoever_wants_too_many_pages_waits_alone(
    rest: RestVenue, path: str, most: int
) -> None:
    async with client_at(rest, ATTACKER) as attacker, client_at(rest, GOOD) as good:
        refused = None
        while refused is None:
            answers = await asyncio.gather(*(attacker.get(path) for _ in range(most)))
            refused = next((answer for answer in answers if answer.status_code == 429), None)
        assert failure_of_response(refused).reason == "RATE_LIMITED"
        assert refused.headers["retry-after"] == "1"
        # Its other requests have their own limit.
        assert (await attacker.get("/v1/time")).status_code == 200
        await others_are_answered(rest, good)


async def all_gone(rest: RestVenue) -> None:
    """Wait until nothing of an attack is under way any more."""
    admin = Administration(rest.envoy.settings.admin_socket)
    async with asyncio.timeout(PATIENCE_S):
        while await admin.requests_under_way():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)


BODY_BYTES, BODIES, SENDERS = 60_000, 16, 150
SCARCE_BYTES = 100 << 20


@pytest.mark.slow
async def test_when_memory_is_scarce_those_end_who_hold_most() -> None:
    """And the others are not refused."""
    async with (
        data_directory() as path,
        running_rest_venue(path, pages=True, heap_bytes_max=SCARCE_BYTES) as rest,
        client_at(rest, GOOD) as good,
    ):
        await others_are_answered(rest, good)
        name = "envoy.overload_actions.reset_high_memory_stream.count"
        frames = [
            http2(0, 0, 1 + 2 * stream, bytes(part))
            for stream in range(BODIES)
            for part in (16_384, 16_384, 16_384, BODY_BYTES - 3 * 16_384)
        ]
        # The bodies of GETs have no limit of their own.
        begun = unread_requests(BODIES, "/v1/time", begun=True, method="GET")
        bodies = begun + b"".join(frames)
        ended = 0
        with connected(rest, SENDERS) as connections:
            for connection in connections:
                await asyncio.to_thread(connection.sendall, bodies)
                await others_are_answered(rest, good)
                ended = await statistic(rest, f"/stats?filter={name}", name)
                if ended:
                    break
            assert ended
            await others_are_answered(rest, good)
        await all_gone(rest)
