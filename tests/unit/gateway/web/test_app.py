"""The routes of the HTTP edge: what is answered, with which headers, and what is not there."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tradewire_contract import reasons
from tradewire_gateway.channel import InProcessChannel, InProcessServer
from tradewire_gateway.web import app as edge
from tradewire_gateway.web.app import CONTENT_SECURITY_POLICY, make_app
from tradewire_gateway.web.health import KEPT_S
from tradewire_gateway.web.portal import Portal

from tests.support.portal import options

BROWSER = {"accept": "text/html,application/xhtml+xml"}


class Health(health_pb2_grpc.HealthServicer):
    """Answers what it is told to."""

    def __init__(self) -> None:
        self.status: int = health_pb2.HealthCheckResponse.SERVING
        self.asked = 0
        self.now_s = 100.0

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the contract's name
        self.asked += 1
        return health_pb2.HealthCheckResponse(status=self.status)


@pytest.fixture
def venue() -> Health:
    return Health()


@pytest_asyncio.fixture
async def client(venue: Health) -> AsyncIterator[httpx.AsyncClient]:
    server = InProcessServer()
    health_pb2_grpc.add_HealthServicer_to_server(venue, server)
    await server.start()
    async with InProcessChannel(server) as channel:
        transport = httpx.ASGITransport(make_app(options(channel), clock=lambda: venue.now_s))
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            yield client
    await server.stop(None)


async def test_the_root_leads_to_the_documentation(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
    answer = await client.get("/docs/")
    assert (answer.status_code, answer.headers["location"]) == (308, "/docs")


async def test_pages_are_html(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Overview</h1>" in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/docs/explorer", "/healthz", "/v1/ws", "/nothing", "/docs/openapi.json"]
)
async def test_every_answer_is_hardened(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert len(headers.get_list("content-security-policy")) == 1
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe-eval" not in policy
    assert "http:" not in policy
    assert "https:" not in policy
    assert ("'unsafe-inline'" in policy) <= (path == "/docs/explorer")
    assert "server" not in headers


async def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    assert "*" not in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


async def test_what_a_client_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/docs")
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await client.get("/docs", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    other = await client.get("/docs", headers={"if-none-match": '"other"'})
    assert other.status_code == 200


async def test_packed_and_plain_answers_are_told_apart(client: httpx.AsyncClient) -> None:
    packed = await client.get("/docs", headers={"accept-encoding": "gzip, br"})
    plain = await client.get("/docs", headers={"accept-encoding": "gzip;q=0, identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]
    assert {a.headers["vary"] for a in (packed, plain)} == {"accept-encoding"}
    crossed = await client.get(
        "/docs",
        headers={"accept-encoding": "identity", "if-none-match": packed.headers["etag"]},
    )
    assert crossed.status_code == 200


async def test_head_says_what_get_would_send(client: httpx.AsyncClient) -> None:
    for path in ("/docs", "/docs/openapi.json", "/healthz", "/nothing"):
        head, get = await client.head(path), await client.get(path)
        assert head.content == b""
        assert head.status_code == get.status_code
        assert head.headers == get.headers
    raw = await client.send(client.build_request("GET", "/docs"), stream=True)
    content = b"".join([part async for part in raw.aiter_raw()])
    assert len(content) == int(raw.headers["content-length"])
    assert gzip.decompress(content)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_pages_are_for_reading(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/docs")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["details"][0]["reason"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("path", ["/console/no", "/v1/ws/no", "/nothing", "/docs/nothing"])
async def test_what_is_not_there_is_the_catalogues_error(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    entry = next(entry for entry in reasons().values() if entry.name == "METHOD_NOT_FOUND")
    assert answer.status_code == entry.http_status == 404
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()
    assert error["code"] == entry.code
    detail = error["details"][0]
    assert detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (detail["reason"], detail["domain"]) == ("METHOD_NOT_FOUND", "tradewire")
    assert detail["metadata"] == {
        "outcome": "refused",
        "retryable": "false",
        "advice": entry.advice,
    }


async def test_people_get_a_page_and_programs_json(client: httpx.AsyncClient) -> None:
    for path in ("/console/nothing", "/docs/nothing"):
        answer = await client.get(path, headers=BROWSER)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
    call = await client.get("/v1/nothing", headers=BROWSER)
    assert call.headers["content-type"] == "application/json"


async def test_who_does_not_ask_for_a_websocket_is_told_to(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/ws", headers=BROWSER)
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert answer.json()["details"][0]["reason"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    "path",
    [
        "/docs/../../../etc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs/assets/..%2f..%2fapp.py",
        "/docs/assets/../app.py",
        "/docs/proto/../../pyproject.toml",
        "/docs/assets//portal.css",
        "/docs/assets/portal.css/",
        "/docs/assets/portal.css%00",
        "//etc/passwd",
    ],
)
async def test_a_path_never_reaches_a_folder(client: httpx.AsyncClient, path: str) -> None:
    request = client.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.encode())
    assert (await client.send(request)).status_code == 404


@pytest.mark.parametrize("host", [b"", b"a@b", b"a/b", b"x:y"])
async def test_the_path_is_that_of_the_request_whatever_the_host(
    client: httpx.AsyncClient, host: bytes
) -> None:
    # As uvicorn has it of a unix socket: without a usable Host its path would be part of the URL.
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    app, sent = transport.app, list[Any]()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": "/console/",
        "raw_path": b"/console/",
        "query_string": b"",
        "headers": [(b"host", host)],
        "client": None,
        "server": ("/var/lib/venue/http.sock", None),
    }
    await app(scope, cast("Any", None), cast("Any", send))
    body = b"".join(each.get("body", b"") for each in sent)
    assert sent[0]["status"] == 405
    assert b"/console/ is read with" in body
    assert b"http.sock" not in body


async def test_health_is_what_the_venue_says(client: httpx.AsyncClient, venue: Health) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "SERVING"})
    assert answer.headers["cache-control"] == "no-store"
    venue.status = health_pb2.HealthCheckResponse.NOT_SERVING
    venue.now_s += KEPT_S
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "NOT_SERVING"})


async def test_the_venue_is_asked_once_a_second_whoever_asks(
    client: httpx.AsyncClient, venue: Health
) -> None:
    answers = await asyncio.gather(*(client.get("/healthz") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert venue.asked == 1
    venue.now_s += KEPT_S * 0.99
    await client.get("/healthz")
    assert venue.asked == 1
    venue.now_s += KEPT_S * 0.01
    await client.get("/healthz")
    assert venue.asked == 2


async def test_the_page_of_what_is_missing_is_made_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = Portal.missing_page

    def counted(portal: Portal, path: str) -> Any:
        made.append(path)
        return make(portal, path)

    monkeypatch.setattr(Portal, "missing_page", counted)
    for path in ("/nothing", "/docs/<b>", "/docs/nothing", "/nothing"):
        answer = await client.get(path, headers=BROWSER)
        assert answer.status_code == 404
        assert "<code>" not in answer.text.partition("<main")[2].partition("is on the left")[0]
    assert made == [""]


async def test_a_large_body_is_sent_in_parts() -> None:
    """So that what one reader does not read is not held for it."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/docs/openapi.json",
        "headers": [],
        "query_string": b"",
        "raw_path": b"/docs/openapi.json",
        "http_version": "1.1",
    }
    await make_app(options())(scope, receive, send)
    start, *parts = sent
    length = int(dict(start["headers"])[b"content-length"])
    assert length > 200_000
    assert sum(len(part["body"]) for part in parts) == length
    assert max(len(part["body"]) for part in parts) == 65_536
    assert [part["more_body"] for part in parts] == [True] * (len(parts) - 1) + [False]


async def test_a_venue_that_does_not_answer_is_unhealthy() -> None:
    server = InProcessServer()
    await server.start()
    async with InProcessChannel(server) as channel:
        transport = httpx.ASGITransport(make_app(options(channel)))
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            answer = await client.get("/healthz")
    await server.stop(None)
    assert answer.status_code == 503
    assert answer.json() == {"status": "UNREACHABLE", "cause": "UNIMPLEMENTED"}


async def test_a_page_that_cannot_be_made_is_an_error_of_the_catalogue(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Portal):
        def find(self, path: str) -> Any:
            raise RuntimeError("out of paper")

    monkeypatch.setattr(edge, "Portal", Broken)
    transport = httpx.ASGITransport(make_app(options()))
    with caplog.at_level(logging.ERROR):
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            answer = await client.get("/docs")
    assert answer.status_code == 500
    assert answer.json()["details"][0]["reason"] == "INTERNAL"
    assert "out of paper" not in answer.text
    assert "out of paper" in caplog.text


async def test_the_collection_is_json_for_the_address_of_rest(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/tradewire.postman_collection.json")
    variables = {entry["key"]: entry["value"] for entry in answer.json()["variable"]}
    assert variables["baseUrl"] == options().rest_url()
    assert variables["apiSecret"] == ""
    assert json.dumps(answer.json())
