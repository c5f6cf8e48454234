"""Every example of the documentation runs as it stands, against a venue behind Envoy."""

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from tradewire_client import HmacKey
from tradewire_gateway.web.portal import Portal
from tradewire_gateway.web.rendering import EXAMPLES

from tests.support.ending_sessions import ending_sessions
from tests.support.envoy import RestVenue, bearer, data_directory, running_rest_venue
from tests.support.node import INSTALLED, needs_node, program
from tests.support.portal import options, page_paths, read_page
from tests.support.venue import base64url

pytestmark = pytest.mark.asyncio(loop_scope="module")

HMAC = "sign_hmac"


class SDK:
    """The client for TypeScript: its name for programs that use it, and where it is."""

    name = "tradewire-client"
    folder = Path(__file__).resolve().parents[2] / "clients" / "typescript"


needs_sdk = pytest.mark.skipif(
    not (SDK.folder / "dist" / "index.js").is_file(),
    reason="needs the client that `make typescript` builds where npm is",
)
# What shows that an example did what it is about.
SHOWS = {
    "first_order": "ORDER_STATUS_CANCELED",
    "create_key": "export TRADEWIRE_API_KEY=",
    "sign_request": "DELETE /v1/orders/client/",
    "sign_request.sh": "ORDER_STATUS_CANCELED",
    "sign_hmac": "USD",
    "check_vectors": "ok: place an order",
    "check_signature": "part: environment",
    "create_session": "open orders: 0 of ",
    "create_session.sh": "ey",
    "place_safely": "one order, answered twice: ",
    "follow_executions": "EXECUTION_TYPE_NEW",
    "show_executions": "EXECUTION_TYPE_NEW",
    "use_key": "export TRADEWIRE_SECRET=tws_",
    "keep_book": "checked",
    "sdk_order": "CANCELED",
    "socket_orders.py": "0.02 ORDER_STATUS_CANCELED",
    "socket_orders.mts": "0.02 CANCELED",
    "socket_follow.py": "EXECUTION_TYPE_NEW",
    "socket_follow.mts": "NEW",
    "socket_ticket": "signed in as alice",
}


@dataclass
class Reader:
    """Somebody who follows the pages: a folder, a token, and the keys that the pages make."""

    venue: RestVenue
    folder: Path
    api_key: str = ""
    hmac_key: str = ""
    hmac_secret: str = ""

    def keep_demo_keys(self) -> None:
        """Write what `tradewire up` leaves in its data directory."""
        alice = self.venue.alice
        account = {
            "account": "demo-1",
            "api_key": alice.key_id,
            "algorithm": "ed25519",
            "private_key": base64url(alice.private_key.private_bytes_raw()),
        }
        content = {
            "grpc": self.venue.venue.target,
            "environment": self.venue.venue.app.settings.environment,
            "accounts": [account],
        }
        (self.folder / ".tradewire").mkdir()
        (self.folder / ".tradewire" / "demo.json").write_text(json.dumps(content))

    async def run(self, name: str, *arguments: str, url: str = "") -> str:
        """Run an example as the page says; return what it shows."""
        command = await self._command(name)
        is_hmac = name.startswith(HMAC)
        environment = {
            "PATH": os.environ["PATH"],
            "TRADEWIRE_URL": url or self.venue.url,
            "TRADEWIRE_ENVIRONMENT": self.venue.venue.app.settings.environment,
            "TRADEWIRE_TOKEN": self.venue.alice.token,
            "TRADEWIRE_API_KEY": self.hmac_key if is_hmac else self.api_key,
            "TRADEWIRE_SECRET": self.hmac_secret,
        }
        return await _output(*command, *arguments, cwd=self.folder, env=environment)

    async def _command(self, name: str) -> list[str]:
        example = EXAMPLES / name
        match example.suffix:
            case ".py":
                return [sys.executable, "-W", "error", str(example)]
            case ".sh":
                return ["bash", str(example)]
        # As `npx tsx NAME` in a folder that has no package.json, so that the name decides alone
        # which kind of module it is.
        shutil.copy(example, self.folder)
        return [program("tsx"), name]


async def _output(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    shown, complaints = await process.communicate()
    assert process.returncode == 0, f"{command}: {complaints.decode()}{shown.decode()[:1000]}"
    # Nothing was lost on the way, so nothing had to be taken up again.
    assert b"snapshot" not in complaints, complaints
    assert b"going on" not in complaints, complaints
    return shown.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Reader]:
    """Return a reader who has made a key as the signing guide says, and one for HMAC."""
    async with data_directory() as path, running_rest_venue(path, pages=True) as venue:
        found = Reader(venue, tmp_path_factory.mktemp("reader"))
        found.keep_demo_keys()
        # As `npm install tradewire-client` leaves it there.
        (found.folder / "node_modules").mkdir()
        (found.folder / "node_modules" / SDK.name).symlink_to(SDK.folder)
        line = await found.run("create_key.sh")
        found.api_key = line.strip().partition("=")[2]
        async with httpx.AsyncClient(base_url=venue.url, headers=bearer(venue.alice)) as client:
            answer = await client.post("/v1/keys", json={"algorithm": "KEY_ALGORITHM_HMAC_SHA256"})
        found.hmac_key = answer.json()["key"]["apiKey"]
        found.hmac_secret = answer.json()["secret"]
        yield found


def _examples(*suffixes: str, sdk: bool = False) -> list[str]:
    """Return the examples of a language, those with the SDK of TypeScript or the others."""
    return sorted(
        path.name
        for path in EXAMPLES.iterdir()
        if path.suffix in suffixes and (f'"{SDK.name}"' in path.read_text()) == sdk
    )


@contextlib.asynccontextmanager
async def _trading(reader: Reader) -> AsyncIterator[None]:
    """Change the book again and again, at many prices, while the context lasts."""

    async def trade() -> None:
        async with httpx.AsyncClient(
            base_url=reader.venue.url, headers=bearer(reader.venue.alice)
        ) as client:
            for number in itertools.count():
                client_order_id = f"book-{secrets.token_hex(8)}"
                order = {
                    "clientOrderId": client_order_id,
                    "symbol": "BTC-USD",
                    "side": "SIDE_SELL" if number % 2 else "SIDE_BUY",
                    "type": "ORDER_TYPE_LIMIT",
                    "quantity": "0.1",
                    "price": str(30_100 - number % 20 if number % 2 else 29_900 + number % 20),
                }
                (await client.post("/v1/orders", json=order)).raise_for_status()
                if number % 3 == 0:
                    (await client.delete(f"/v1/orders/client/{client_order_id}")).raise_for_status()

    trading = asyncio.create_task(trade())
    try:
        yield
    finally:
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)
        async with httpx.AsyncClient(
            base_url=reader.venue.url, headers=bearer(reader.venue.alice)
        ) as client:
            (await client.post("/v1/orders:cancelAll", json={})).raise_for_status()


async def _runs(reader: Reader, name: str) -> None:
    stem = name.partition(".")[0]
    arguments: list[str] = []
    if stem == "keep_book":
        async with _trading(reader):
            shown = await reader.run(name, "60")
        assert shown.count("checked") == 60
        return
    if stem == "use_key":
        key_file = reader.folder / "hmac.json"
        HmacKey(reader.hmac_key, reader.hmac_secret).save(key_file)
        arguments = [key_file.name]
    if stem == "show_executions":
        await reader.run("first_order.py")
    if stem in ("follow_executions", "socket_follow"):
        # There have to be some: those of an order that is placed and canceled.
        await reader.run("first_order.py")
        arguments = ["2"]
        # Each language follows from the beginning.
        (reader.folder / "executions.place").unlink(missing_ok=True)
    if stem == "create_key":
        (reader.folder / "tradewire.pem").rename(reader.folder / "kept.pem")
    shown = await reader.run(name, *arguments)
    if stem == "create_key":
        (reader.folder / "kept.pem").rename(reader.folder / "tradewire.pem")
    assert shown.strip(), f"{name} shows nothing"
    assert (SHOWS.get(name) or SHOWS[stem]) in shown
    if stem == "place_safely":
        assert shown.strip().lower().endswith("true")


@pytest.mark.parametrize("name", _examples(".sh", ".py"))
async def test_an_example_runs(reader: Reader, name: str) -> None:
    await _runs(reader, name)


@needs_node
@pytest.mark.parametrize("name", _examples(".mts"))
async def test_an_example_in_typescript_runs(reader: Reader, name: str) -> None:
    await _runs(reader, name)


@needs_node
@needs_sdk
@pytest.mark.parametrize("name", _examples(".mts", sdk=True))
async def test_an_example_with_the_sdk_in_typescript_runs(reader: Reader, name: str) -> None:
    await _runs(reader, name)


@needs_node
@needs_sdk
async def test_the_examples_in_typescript_have_no_type_errors() -> None:
    await _output(program("tsc"), "--project", ".", cwd=INSTALLED.parent)


async def test_a_token_of_the_shell_example_is_one(reader: Reader) -> None:
    token = (await reader.run("create_session.sh")).strip()
    async with httpx.AsyncClient(base_url=reader.venue.url) as client:
        answer = await client.get("/v1/limits", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200


async def test_a_stream_that_ends_is_followed_where_it_was_left(reader: Reader) -> None:
    place = reader.folder / "executions.place"
    place.unlink(missing_ok=True)
    await reader.run("first_order.py")
    first = (await reader.run("follow_executions.py", "1")).split()[0]
    second = (await reader.run("follow_executions.py", "1")).split()[0]
    assert (first, second) == ("1", "2")


@needs_node
@pytest.mark.parametrize("name", ["place_safely.py", "place_safely.mts"])
async def test_an_order_is_placed_although_the_token_ends(reader: Reader, name: str) -> None:
    with ending_sessions(reader.venue.url, before=2) as front:
        shown = await reader.run(name, url=front.url)
    assert shown.strip().lower() == "one order, answered twice: true"
    assert front.statuses == [200, 401, 200]
    assert front.sign_ins == 2


async def test_every_command_in_the_text_runs(reader: Reader) -> None:
    """Also what stands between the examples: short commands, with the address of the venue."""
    portal = Portal(replace(options(), rest_url=lambda: reader.venue.url))
    commands = {
        command
        for path in page_paths(portal)
        for command in read_page(portal, path).commands
        if command.startswith("curl ")
    }
    assert len(commands) >= 3
    for command in sorted(commands):
        assert reader.venue.url in command
        # Streams go on; what they have shown by then is enough.
        shown = await _output(
            "bash",
            "-c",
            f"timeout 3 {command.strip()} --silent --show-error --fail-with-body || (($? == 124))",
            cwd=reader.folder,
            env={"PATH": os.environ["PATH"], "TRADEWIRE_TOKEN": reader.venue.alice.token},
        )
        assert shown.startswith(("{", "data: {", "data:{")), command
