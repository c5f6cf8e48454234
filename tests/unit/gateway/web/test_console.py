"""The terminal's files, and the demo sign-in: for its own pages, and for nobody else."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tradewire_contract import reasons
from tradewire_gateway.web import demo_sign_in, terminal_files
from tradewire_gateway.web.addresses import UNKNOWN, client_address
from tradewire_gateway.web.app import make_app
from tradewire_gateway.web.demo_sign_in import DemoSignIn, SignInFailed
from tradewire_gateway.web.terminal_files import CONTENT_SECURITY_POLICY, read_terminal

from tests.support.portal import options

BROWSER = {"accept": "text/html,application/xhtml+xml"}
HOST = "127.0.0.1:8080"
PAGE = {"origin": f"http://{HOST}", "host": HOST, "sec-fetch-site": "same-origin"}
SOCKET = None


def write_terminal(folder: Path) -> Path:
    """Write what a build leaves."""
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Terminal</title>")
    (folder / "assets" / "index-3f9ac2.js").write_text("'use strict';" * 200)
    (folder / "assets" / "index-3f9ac2.css").write_text("body{}")
    (folder / "icon.svg").write_text("<svg/>")
    return folder


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the terminal would be; there is none yet."""
    monkeypatch.setattr(terminal_files, "BUILT", tmp_path / "dist")
    monkeypatch.setattr(terminal_files, "INSTALLED", tmp_path / "installed")
    return tmp_path / "dist"


class Time:
    """A clock of seconds that stands."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def edge(
    demo: DemoSignIn | None = None,
    *,
    clock: Callable[[], float] | None = None,
    client: tuple[str, int] | None = ("127.0.0.1", 5),
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve `/console`; `client` None is a peer on a unix socket."""
    app = make_app(replace(options(), demo=demo), clock=clock or Time())
    transport = httpx.ASGITransport(app, client=client)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as found:
        yield found


def reason(answer: httpx.Response) -> str:
    """Return the reason of an error, whose status has to be the catalogue's."""
    error = answer.json()
    name: str = error["details"][0]["reason"]
    entry = next(entry for entry in reasons().values() if entry.name == name)
    assert (answer.status_code, error["code"]) == (entry.http_status, entry.code)
    return name


# --- files ----------------------------------------------------------------------------------------


async def test_the_terminal_is_served_as_it_was_built(dist: Path) -> None:
    write_terminal(dist)
    async with edge() as client:
        moved = await client.get("/console")
        assert (moved.status_code, moved.headers["location"]) == (308, "/console/")
        page = await client.get("/console/")
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        assert page.text == (await client.get("/console/index.html")).text
        script = await client.get("/console/assets/index-3f9ac2.js")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        assert script.headers["content-encoding"] == "gzip"
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        again = await client.get("/console/", headers={"if-none-match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for answer in (page, script, again):
            assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert answer.headers["x-content-type-options"] == "nosniff"
        icon = await client.get("/console/icon.svg")
        assert icon.headers["cache-control"] == "no-cache"


def test_its_policy_lets_nothing_in_that_is_inline_or_from_elsewhere() -> None:
    policy = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/console/../pyproject.toml",
        "/console/%2e%2e/secret.txt",
        "/console/assets/..%2f..%2fsecret.txt",
        "/console/assets/",
        "/console/assets",
        "/console//index.html",
        "/console/index.html/",
        "/console/index.html%00",
        "/console/.hidden.txt",
        "/console/linked.txt",
        "/console/notes.md",
        "/consoles",
    ],
)
async def test_only_what_was_built_is_there(dist: Path, path: str) -> None:
    write_terminal(dist)
    (dist.parent / "secret.txt").write_text("secret")
    (dist / ".hidden.txt").write_text("secret")
    (dist / "notes.md").write_text("secret")
    (dist / "linked.txt").symlink_to(dist.parent / "secret.txt")
    async with edge() as client:
        request = client.build_request("GET", "/")
        request.url = request.url.copy_with(raw_path=path.encode())
        answer = await client.send(request)
    assert reason(answer) == "METHOD_NOT_FOUND"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_files_are_for_reading(dist: Path, method: str) -> None:
    write_terminal(dist)
    async with edge() as client:
        answer = await client.request(method, "/console/")
    assert reason(answer) == "METHOD_NOT_ALLOWED"
    assert answer.headers["allow"] == "GET, HEAD"


async def test_where_it_was_not_built_a_page_says_what_to_do(dist: Path) -> None:
    async with edge() as client:
        page = await client.get("/console/", headers=BROWSER)
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert "make terminal" in page.text
        program = await client.get("/console/")
        assert reason(program) == "METHOD_NOT_FOUND"
        assert "make terminal" in program.json()["message"]
        # And once it is built, it is there.
        write_terminal(dist)
        assert (await client.get("/console/", headers=BROWSER)).status_code == 200
        missing = await client.get("/console/nothing", headers=BROWSER)
        assert missing.status_code == 404
        assert "make terminal" not in missing.text


async def test_one_that_is_built_anew_is_there_at_once(dist: Path) -> None:
    write_terminal(dist)
    async with edge() as client:
        assert "Terminal" in (await client.get("/console/")).text
        (dist / "assets" / "index-3f9ac2.js").rename(dist / "assets" / "index-77aa01.js")
        (dist / "index.html").write_text("another")
        os.utime(dist / "index.html", ns=(1, 1))
        assert (await client.get("/console/")).text == "another"
        assert (await client.get("/console/assets/index-77aa01.js")).status_code == 200
        assert (await client.get("/console/assets/index-3f9ac2.js")).status_code == 404
        (dist / "index.html").unlink()
        assert (await client.get("/console/")).status_code == 404


async def test_an_installed_one_comes_first(dist: Path) -> None:
    write_terminal(dist)
    write_terminal(dist.parent / "installed")
    (dist.parent / "installed" / "index.html").write_text("the installed one")
    async with edge() as client:
        assert (await client.get("/console/")).text == "the installed one"


@pytest.mark.parametrize(("name", "bound"), [("FILES_MAX", 3), ("BYTES_MAX", 1_000)])
def test_what_is_too_much_is_no_terminal(
    dist: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    bound: int,
) -> None:
    write_terminal(dist)
    assert len(read_terminal(dist)) == 5
    monkeypatch.setattr(terminal_files, name, bound)
    assert not read_terminal(dist)
    assert "no terminal" in caplog.text


async def test_what_the_terminal_has_to_know(dist: Path) -> None:
    for demo in (None, desk(Tickets())):
        async with edge(demo) as client:
            answer = await client.get("/console/config.json")
        assert answer.headers["cache-control"] == "no-store"
        found = answer.json()
        assert found.pop("version")
        assert found == {
            "environment": "sandbox",
            "demo": demo is not None,
            "webSocket": "/v1/ws",
            "docs": "/docs",
        }


# --- the demo sign-in -----------------------------------------------------------------------------


class Tickets:
    """Makes tickets, or fails."""

    def __init__(self, error: SignInFailed | None = None) -> None:
        self.made = 0
        self.error = error

    async def __call__(self) -> str:
        if self.error is not None:
            raise self.error
        self.made += 1
        return f"ticket-{self.made}"


def desk(
    make_ticket: Callable[[], Awaitable[str]],
    origins: Callable[[str], bool] = lambda origin: origin.startswith("http://127.0.0.1:"),
) -> DemoSignIn:
    return DemoSignIn(account="demo-1", make_ticket=make_ticket, origins=origins)


async def test_a_page_of_this_place_gets_a_ticket() -> None:
    async with edge(desk(Tickets())) as client:
        answer = await client.post("/console/demo", headers=PAGE)
    assert (answer.status_code, answer.json()) == (
        200,
        {"ticket": "ticket-1", "account": "demo-1"},
    )
    assert answer.headers["cache-control"] == "no-store"
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_browsers_that_do_not_say_more_are_believed_by_their_origin() -> None:
    headers = {name: value for name, value in PAGE.items() if name != "sec-fetch-site"}
    async with edge(desk(Tickets())) as client:
        assert (await client.post("/console/demo", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": ""},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8081"},
        {"origin": "http://127.0.0.1"},
        {"origin": "https://evil.example"},
        {"origin": f"http://{HOST}.evil.example"},
        {"origin": f"http://evil.example@{HOST}"},
        {"origin": f"http://{HOST}/"},
        {"origin": f"file://{HOST}"},
        {"origin": "http://[::1"},
        # A name that was made to lead here.
        {"origin": "http://evil.example:8080", "host": "evil.example:8080"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
    ids=lambda changes: " ".join(f"{name}={value}" for name, value in changes.items()),
)
async def test_no_other_page_gets_one(changes: dict[str, str]) -> None:
    tickets = Tickets()
    headers = {name: value for name, value in {**PAGE, **changes}.items() if value}
    async with edge(desk(tickets)) as client:
        answer = await client.post("/console/demo", headers=headers)
    assert reason(answer) == "ORIGIN_NOT_ALLOWED"
    assert not tickets.made


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_a_ticket_is_posted_for(method: str) -> None:
    async with edge(desk(Tickets())) as client:
        answer = await client.request(method, "/console/demo", headers=PAGE)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_without_a_demo_account_there_is_no_such_path(dist: Path) -> None:
    async with edge() as client:
        assert (await client.post("/console/demo", headers=PAGE)).status_code == 405
        assert reason(await client.get("/console/demo")) == "METHOD_NOT_FOUND"


async def test_why_there_is_no_ticket_is_said() -> None:
    failed = Tickets(SignInFailed("NOT_SERVING", "the venue drains"))
    async with edge(desk(failed)) as client:
        answer = await client.post("/console/demo", headers=PAGE)
    assert reason(answer) == "NOT_SERVING"
    assert answer.json()["message"] == "NOT_SERVING: the venue drains"


async def test_an_address_has_so_many_and_then_waits() -> None:
    clock, tickets = Time(), Tickets()
    async with edge(desk(tickets), clock=clock, client=SOCKET) as client:

        async def ask(address: str) -> httpx.Response:
            headers = {**PAGE, "x-tradewire-client-address": address}
            return await client.post("/console/demo", headers=headers)

        for _ in range(demo_sign_in.BURST):
            assert (await ask("192.0.2.1")).status_code == 200
        refused = await ask("192.0.2.1")
        assert reason(refused) == "RATE_LIMITED"
        assert refused.headers["retry-after"] == "2"
        assert refused.json()["details"][0]["metadata"]["retry_after_ms"] == "2000"
        assert (await ask("192.0.2.2")).status_code == 200
        clock.now_s += 2
        assert (await ask("192.0.2.1")).status_code == 200
        assert (await ask("192.0.2.1")).status_code == 429
    assert tickets.made == demo_sign_in.BURST + 2


async def test_all_addresses_together_have_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, tickets = Time(), Tickets()
    async with edge(desk(tickets), clock=clock, client=SOCKET) as client:
        for number in range(demo_sign_in.ALL_BURST + 5):
            headers = {**PAGE, "x-tradewire-client-address": f"192.0.2.{number}"}
            await client.post("/console/demo", headers=headers)
        assert tickets.made == demo_sign_in.ALL_BURST
        clock.now_s += 1
        monkeypatch.setattr(demo_sign_in, "ADDRESSES_MAX", 20)
        headers = {**PAGE, "x-tradewire-client-address": "198.51.100.1"}
        assert (await client.post("/console/demo", headers=headers)).status_code == 429
        # Those who have used up nothing any more are forgotten, and leave room.
        clock.now_s += 60
        assert (await client.post("/console/demo", headers=headers)).status_code == 200


async def test_who_comes_by_itself_cannot_name_an_address() -> None:
    async with edge(desk(Tickets())) as client:
        answers = [
            await client.post(
                "/console/demo",
                headers={**PAGE, "x-tradewire-client-address": f"192.0.2.{number}"},
            )
            for number in range(demo_sign_in.BURST + 1)
        ]
    assert [answer.status_code for answer in answers].count(429) == 1


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        (("192.0.2.7", 4), [b"198.51.100.1"], "192.0.2.7"),
        (None, [b"198.51.100.1"], "198.51.100.1"),
        (None, [], UNKNOWN),
        (None, [b"198.51.100.1", b"198.51.100.2"], UNKNOWN),
    ],
)
def test_where_a_client_is(peer: Any, headers: list[bytes], expected: str) -> None:
    scope = {
        "client": peer,
        "headers": [(b"x-tradewire-client-address", value) for value in headers],
    }
    assert client_address(scope) == expected
