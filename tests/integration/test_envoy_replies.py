"""What Envoy answers by itself: each in the contract's form, with an outcome that is true."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from google.protobuf import json_format
from google.rpc import status_pb2
from tradewire.v1 import session_service_pb2, session_service_pb2_grpc

from tests.support.envoy import data_directory
from tests.support.failures import Failure, failure_of
from tests.support.fake_upstream import (
    authz_answering,
    closing,
    envoy_before,
    grpc_answering,
    listening,
    silent,
)
from tests.support.rest import failure_of_response, rest_client

ORDER = b'{"clientOrderId":"a","symbol":"BTC-USD"}'
TIME = session_service_pb2.GetServerTimeResponse(time_ms=5).SerializeToString()


@pytest.fixture
async def directory() -> AsyncIterator[Path]:
    async with data_directory() as path:
        yield path


async def request(
    url: str, method: str = "GET", path: str = "/v1/time", **more: Any
) -> httpx.Response:
    """Send one request."""
    async with rest_client(url) as client:
        return await client.request(method, path, **more)


async def raw(port: int, sent: bytes) -> bytes:
    """Send bytes and return everything that comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await reader.read()
    finally:
        writer.close()


def raw_failure(received: bytes) -> tuple[int, Failure]:
    """Return what an answer says that was received whole."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head, received
    status = json_format.Parse(body, status_pb2.Status())
    return int(head.split(b" ")[1]), failure_of(status)


# --- something is wrong behind Envoy --------------------------------------------------------------


# Transcoded calls reach a venue on this machine over the second one.
over_both = pytest.mark.parametrize("calls", ["edge.sock", "calls.sock"])


def calls_to(directory: Path, name: str) -> Path | None:
    """Return the setting of Envoy that lets calls go to this socket."""
    return None if name == "edge.sock" else directory / name


@over_both
async def test_without_a_venue_nothing_has_happened(directory: Path, calls: str) -> None:
    async with (
        listening(directory / "authz.sock", authz_answering()),
        envoy_before(directory, calls=calls_to(directory, calls)) as envoy,
    ):
        found = failure_of_response(await request(envoy.url, "POST", "/v1/orders", content=ORDER))
        assert (found.reason, found.outcome) == ("NOT_SERVING", "refused")
        # Of what is before a venue nothing is told: no paths, no errors of the system.
        assert "sock" not in found.text
        pages = failure_of_response(await request(envoy.url, path="/docs"))
        assert pages.reason == "NOT_SERVING"


@over_both
async def test_a_connection_that_is_lost_leaves_the_outcome_open(
    directory: Path, calls: str
) -> None:
    async with (
        listening(directory / "authz.sock", authz_answering()),
        listening(directory / calls, closing),
        envoy_before(directory, calls=calls_to(directory, calls)) as envoy,
    ):
        found = failure_of_response(await request(envoy.url, "POST", "/v1/orders", content=ORDER))
    assert (found.reason, found.outcome) == ("ANSWER_LOST", "unknown")


@over_both
async def test_an_answer_that_does_not_come_leaves_the_outcome_open(
    directory: Path, calls: str
) -> None:
    async with (
        listening(directory / "authz.sock", authz_answering()),
        listening(directory / calls, silent),
        envoy_before(directory, answer_timeout_s=0.2, calls=calls_to(directory, calls)) as envoy,
    ):
        found = failure_of_response(await request(envoy.url, "POST", "/v1/orders", content=ORDER))
    assert (found.reason, found.outcome) == ("ANSWER_LATE", "unknown")


@pytest.mark.parametrize("broken", ["absent", "closing", "not_http"])
async def test_without_its_check_no_request_passes(directory: Path, broken: str) -> None:
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(grpc_answering(directory / "edge.sock", TIME))
        if broken != "absent":
            service = closing if broken == "closing" else authz_answering(b"yes\r\n\r\n")
            await stack.enter_async_context(listening(directory / "authz.sock", service))
        envoy = await stack.enter_async_context(envoy_before(directory))
        for method, path in (("GET", "/v1/time"), ("POST", "/v1/orders"), ("GET", "/v1/nothing")):
            found = failure_of_response(await request(envoy.url, method, path))
            assert (found.reason, found.outcome) == ("NOT_SERVING", "refused")
        assert calls == []


@pytest.mark.parametrize("status", [401, 405, 429, 500, 503])
async def test_what_the_check_says_is_passed_on_as_it_is(directory: Path, status: int) -> None:
    body = b'{"code":7,"message":"its own words","details":[]}'
    lines = [
        f"HTTP/1.1 {status} Whatever",
        "content-type: application/json",
        "server: python",
        "date: yesterday",
        "x-tradewire-handle: a-secret",
        "allow: GET",
        "retry-after: 7",
        "ratelimit-remaining: 0",
        "www-authenticate: Bearer",
        f"content-length: {len(body)}",
    ]
    answer = "\r\n".join([*lines, "", ""]).encode() + body
    async with (
        listening(directory / "authz.sock", authz_answering(answer)),
        grpc_answering(directory / "edge.sock", TIME) as calls,
        envoy_before(directory) as envoy,
    ):
        response = await request(envoy.url)
    assert calls == []
    if status >= 500:
        # To Envoy that is a broken service; it says so itself.
        assert failure_of_response(response).reason == "NOT_SERVING"
        return
    assert (response.status_code, response.content) == (status, body)
    assert response.headers["content-type"] == "application/json"
    for name, value in (
        *(("allow", "GET"), ("retry-after", "7"), ("ratelimit-remaining", "0")),
        ("www-authenticate", "Bearer"),
    ):
        assert response.headers.get_list(name) == [value]
    assert "server" not in response.headers
    assert "x-tradewire-handle" not in response.headers
    assert response.headers["date"] != "yesterday"


LARGE = session_service_pb2.CreateSessionResponse(token="a" * 17_000_000).SerializeToString()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(LARGE, "INTERNAL", id="too large"),
        pytest.param(TIME, "ANSWER_LOST", id="another message"),
    ],
)
async def test_an_answer_that_cannot_be_passed_on_leaves_the_outcome_open(
    directory: Path, message: bytes, reason: str
) -> None:
    async with (
        listening(directory / "authz.sock", authz_answering()),
        grpc_answering(directory / "edge.sock", message),
        envoy_before(directory) as envoy,
    ):
        response = await request(envoy.url, "POST", "/v1/sessions", content=b"{}")
    found = failure_of_response(response)
    assert (found.reason, found.outcome) == (reason, "unknown")


# --- something is wrong with the request ----------------------------------------------------------


async def test_a_request_that_does_not_end_is_given_up_without_effect(directory: Path) -> None:
    async with (
        listening(directory / "authz.sock", authz_answering()),
        grpc_answering(directory / "edge.sock", TIME) as calls,
        envoy_before(directory, request_bytes_timeout_s=0.2) as envoy,
    ):
        head = b"POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{"
        status, found = raw_failure(await raw(envoy.port, head))
    assert (status, found.reason, found.outcome) == (504, "DEADLINE_PASSED", "refused")
    assert calls == []


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        pytest.param(b"GET /v1/time HTTP/1.1\r\n\r\n", 400, "MESSAGE_MALFORMED", id="no host"),
        pytest.param(b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "MESSAGE_MALFORMED", id="no http"),
        pytest.param(
            b"GET /v1/time HTTP/1.0\r\nhost: a\r\n\r\n", 400, "MESSAGE_MALFORMED", id="http 1.0"
        ),
        pytest.param(
            b"GET /v1/time HTTP/1.1\r\nhost: a\r\nx_api_key: 1\r\n\r\n",
            400,
            "MESSAGE_MALFORMED",
            id="underscore",
        ),
        pytest.param(
            b"GET /v1/time HTTP/1.1\r\nhost: a\r\nx: " + b"a" * (16 << 10) + b"\r\n\r\n",
            431,
            "REQUEST_TOO_LARGE",
            id="long header",
        ),
        pytest.param(
            b"GET /v1/time HTTP/1.1\r\nhost: a\r\n" + b"x: 1\r\n" * 101 + b"\r\n",
            431,
            "REQUEST_TOO_LARGE",
            id="many headers",
        ),
        pytest.param(
            b"POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
            b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "MESSAGE_MALFORMED",
            id="two lengths",
        ),
        pytest.param(
            b"POST /v1/orders HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
            400,
            "MESSAGE_MALFORMED",
            id="unknown transfer coding",
        ),
        *(
            pytest.param(
                f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode(),
                400,
                "MESSAGE_MALFORMED",
                id=path,
            )
            for path in (
                *("/v1/../v1/time", "/v1/./time", "//v1/time", "/v1//time", "/docs/../v1/time"),
                *("/v1/%2e%2E/time", "/docs/%2e/x", "/v1/orders/.", "/v1/orders/.."),
                *("/v1/orders/a%2fb", "/v1/orders/a%5Cb", "/v1/orders/a%00", "/v1/time#x"),
            )
        ),
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused_before_anybody_reads_it(
    directory: Path, sent: bytes, status: int, reason: str
) -> None:
    seen: list[bytes] = []
    async with (
        listening(directory / "authz.sock", authz_answering(seen=seen)),
        grpc_answering(directory / "edge.sock", TIME) as calls,
        envoy_before(directory) as envoy,
    ):
        found_status, found = raw_failure(await raw(envoy.port, sent))
    assert (found_status, found.reason, found.outcome) == (status, reason, "refused")
    assert (seen, calls) == ([], [])


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_taken_up_to_its_bound_and_no_further(
    directory: Path, chunked: bool
) -> None:
    def body(size: int) -> Any:
        text = b'{"idempotency": "' + b"a" * (size - 19) + b'"}'

        async def parts() -> AsyncIterator[bytes]:
            yield text[: size // 2]
            yield text[size // 2 :]

        return parts() if chunked else text

    seen: list[bytes] = []
    async with (
        listening(directory / "authz.sock", authz_answering(seen=seen)),
        grpc_answering(directory / "edge.sock", b""),
        envoy_before(directory) as envoy,
    ):
        fits = await request(envoy.url, "POST", "/v1/sessions", content=body(256 << 10))
        assert fits.status_code == 200, fits.text
        assert len(seen[0].partition(b"\r\n\r\n")[2]) == 256 << 10
        too_large = await request(envoy.url, "POST", "/v1/sessions", content=body((256 << 10) + 1))
        assert failure_of_response(too_large).reason == "REQUEST_TOO_LARGE"
        assert len(seen) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        # The transcoder is the second one to look; here the first one lets everything pass.
        ("GET", "/v1/nothing", None, 404, "METHOD_NOT_FOUND"),
        ("PUT", "/v1/orders", None, 404, "METHOD_NOT_FOUND"),
        ("GET", "/v1/time?symbol=a", None, 400, "FIELD_INVALID"),
        ("GET", "/v1/orders?page_size=x", None, 400, "FIELD_INVALID"),
        ("POST", "/v1/sessions", "{", 400, "FIELD_INVALID"),
        ("POST", "/v1/sessions", '{"signature": 5}', 400, "FIELD_INVALID"),
        ("POST", "/v1/orders", '{"side": "NORTH"}', 400, "FIELD_INVALID"),
        # These it does not see.
        ("GET", "/nothing", None, 404, "METHOD_NOT_FOUND"),
        ("GET", "/docsx", None, 404, "METHOD_NOT_FOUND"),
        ("POST", "/tradewire.v1.OrderService/PlaceOrder", "{}", 404, "METHOD_NOT_FOUND"),
        ("POST", "/tradewire.v1.AdminService/GetVenue", "{}", 404, "METHOD_NOT_FOUND"),
    ],
)
async def test_what_is_no_request_of_the_contract_reaches_nobody(
    directory: Path, method: str, path: str, body: str | None, status: int, reason: str
) -> None:
    async with (
        listening(directory / "authz.sock", authz_answering()),
        grpc_answering(directory / "edge.sock", TIME) as calls,
        envoy_before(directory) as envoy,
    ):
        response = await request(envoy.url, method, path, content=body)
    found = failure_of_response(response)
    assert (response.status_code, found.reason, found.outcome) == (status, reason, "refused")
    assert calls == []


# --- too much -------------------------------------------------------------------------------------


async def test_a_flood_of_one_address_is_refused_before_the_venue_hears_of_it(
    directory: Path,
) -> None:
    seen: list[bytes] = []
    async with (
        listening(directory / "authz.sock", authz_answering(seen=seen)),
        grpc_answering(directory / "edge.sock", TIME) as calls,
        envoy_before(directory, requests_per_second=3) as envoy,
    ):
        async with rest_client(envoy.url) as client:
            responses = [await client.get("/v1/time") for _ in range(60)]
        refused = [response for response in responses if response.status_code != 200]
        # Some come back meanwhile, ten in a second, but not all.
        assert 0 < len(refused) < 60
        for response in refused:
            assert response.headers["retry-after"] == "1"
            found = failure_of_response(response)
            assert (found.reason, found.outcome) == ("RATE_LIMITED", "refused")
            assert found.metadata == {"retry_after_ms": "1000"}
        assert len(seen) == len(calls) == 60 - len(refused)
        code = await _first_error(envoy.port, tries=60)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def _first_error(port: int, *, tries: int) -> grpc.StatusCode:
    """Call until a call is refused."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = session_service_pb2_grpc.SessionServiceStub(channel)
        for _ in range(tries):
            try:
                await stub.GetServerTime(session_service_pb2.GetServerTimeRequest(), timeout=10)
            except grpc.aio.AioRpcError as error:
                return error.code()
    return grpc.StatusCode.OK


async def test_an_unknown_method_of_http_is_answered_with_those_that_there_are(
    directory: Path,
) -> None:
    seen: list[bytes] = []
    async with (
        listening(directory / "authz.sock", authz_answering(seen=seen)),
        envoy_before(directory) as envoy,
    ):
        # In HTTP/2 a method is any text; the parser of HTTP/1.1 knows its methods.
        for version, reason in (
            ("--http1.1", "MESSAGE_MALFORMED"),
            ("--http2-prior-knowledge", "METHOD_NOT_ALLOWED"),
        ):
            head, body = await asyncio.to_thread(_curl, envoy.url, "BREW", version)
            found = failure_of(json_format.Parse(body, status_pb2.Status()))
            assert found.reason == reason
            if reason == "METHOD_NOT_ALLOWED":
                assert "allow: GET, POST, PATCH, DELETE" in head
    assert seen == []


def _curl(url: str, method: str, version: str) -> tuple[str, str]:
    """Send a request of a version of HTTP; a method may be any text."""
    done = subprocess.run(
        ["curl", "-sS", "-i", version, "-X", method, f"{url}/v1/time"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    return head, body
