"""The TypeScript client against a venue: its page's programs, an outage, and a real browser."""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support.command_line import FREE_PORTS, VenueProcess, run_command, venue_process
from tests.support.node import CHROMIUM, needs_browser, program
from tests.support.typescript import EXAMPLES, bundle, needs_client, needs_node, offer, run_program

pytestmark = [needs_client, needs_node]

SUPPORT = Path(__file__).resolve().parents[1] / "support"
# What shows that a program did what it is about.
SHOWS = {
    "first_order": "CANCELED",
    "errors": "PRICE_OFF_TICK",
    "several_orders": "CANCELED",
    "many_orders": "50 orders",
    "executions": "3n CANCELED",
    "snapshot": "BTC 10 0",
    "order_book": "BTC-USD 0.01",
    "keys": "3 balances",
    "signed_rest": "canceledCount",
}
IN_A_PAGE = "page"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder in which a venue was started, so its directory is the default one."""
    folder = tmp_path_factory.mktemp("typescript")
    with venue_process(folder / ".tradewire"):
        yield folder


def test_there_is_a_test_for_every_example() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.ts")} == {*SHOWS, IN_A_PAGE}


# In the order of the page: a later one sees the executions of the first.
@pytest.mark.parametrize("name", SHOWS)
def test_a_program_of_the_page_runs(folder: Path, name: str) -> None:
    assert SHOWS[name] in run_program(EXAMPLES / f"{name}.ts", folder)


def test_orders_of_a_connection_end_with_it_if_that_was_asked_for(folder: Path) -> None:
    at = ("--data-dir", str(folder / ".tradewire"), "--json")
    placed = run_program(EXAMPLES / "many_orders.ts", folder)
    assert "50 orders" in placed
    assert run_command("orders", "list", *at).json == []
    closed = run_command("orders", "list", "--closed", *at).json
    ended = [order["reason"] for order in closed if order["cancel_on_disconnect"]]
    assert len(ended) >= 50
    assert set(ended) == {"disconnected"}


@needs_browser
def test_a_page_trades_in_a_real_browser(folder: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "page.ts", tmp_path)
    bundle(tmp_path / "page.ts", tmp_path / "page.js")
    venue = json.loads((folder / ".tradewire" / "venue.json").read_text())["rest"]
    token = run_command("token", "--data-dir", str(folder / ".tradewire")).out.strip()
    handler = partial(_Site, tmp_path / "page.js", venue, token)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{site.server_port}"
        task = {"chromium": CHROMIUM, "url": origin}
        done = subprocess.run(
            ["node", str(SUPPORT / "typescript_page.mjs")],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        site.shutdown()
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["errors"] == []
    assert seen["connection"] == "live"
    price, asset = seen["output"].split()
    assert float(price) > 0
    assert asset == "BTC"


class _Site(BaseHTTPRequestHandler):
    """A page's own server: it has the key, here a token, and hands out tickets."""

    def __init__(self, script: Path, venue: str, token: str, *arguments: object) -> None:
        self._script, self._venue, self._token = script, venue, token
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with the page, its program, or a ticket."""
        if self.path == "/ticket":
            answer = httpx.post(
                f"{self._venue}/v1/sessions:ticket",
                json={},
                headers={"authorization": f"Bearer {self._token}"},
            )
            self._send("text/plain", answer.raise_for_status().json()["ticket"])
        elif self.path == "/page.js":
            self._send("text/javascript", self._script.read_text())
        else:
            body = f'<body data-venue="{self._venue}"><output></output>'
            script = '<script type="module" src="/page.js"></script>'
            self._send("text/html", f'<!doctype html><link rel="icon" href="data:,">{body}{script}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        # What the terminal's pages have: nothing is made of text at run time.
        self.send_header("content-security-policy", "script-src 'self'")
        self.end_headers()
        self.wfile.write(content)


def test_a_venue_that_ends_costs_neither_an_order_nor_an_execution(tmp_path: Path) -> None:
    data_dir = tmp_path / ".tradewire"
    ends = (signal.SIGTERM, signal.SIGKILL)
    venue = VenueProcess(data_dir, *FREE_PORTS, "--no-bots")
    venue.wait_until_ready()
    ports = _ports(data_dir)
    offer(tmp_path)
    shutil.copy(SUPPORT / "typescript_outage.ts", tmp_path / "outage.mts")
    with subprocess.Popen(
        [program("tsx"), "outage.mts"],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1", "TRADEWIRE_RESUMES": str(len(ends))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as trader:
        try:
            assert trader.stdout is not None
            for end in ends:
                assert trader.stdout.read(20) == b"." * 20
                venue.end(end)
                venue = VenueProcess(data_dir, *ports, "--no-bots")
                venue.wait_until_ready()
                # Every stream has gone on before the next end.
                assert trader.stdout.readline().endswith(b"\n")
            shown, complaints = trader.communicate(timeout=60)
        finally:
            trader.kill()
            venue.end()
    assert trader.returncode == 0, complaints.decode()
    seen = json.loads(shown.decode().splitlines()[-1])
    assert seen["placed"] >= 80
    assert (seen["once"], seen["gapless"]) == (True, True)
    assert seen["known"] == seen["asOfSequence"] == seen["placed"]
    assert seen["received"] == [seen["placed"]] * 2
    assert seen["entries"] > 0
    assert seen["resumes"] >= 2 * len(ends)
    assert seen["connects"] == 1 + len(ends)
    assert seen["resyncs"] == 0
    assert seen["bookStates"] > 0
    assert seen["phases"] == ["connecting", "live", "waiting"]


def _ports(data_dir: Path) -> tuple[str, ...]:
    """Return the flags with which a venue listens where the one before it did."""
    ports = json.loads((data_dir / "venue.json").read_text())["ports"]
    return tuple(text for name in ports for text in (f"--{name}-port", str(ports[name])))
