"""Envoy as a process: started, watched, started again, ended, and never left behind."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
from tradewire_envoy import process as envoy_process
from tradewire_envoy import tether
from tradewire_envoy.process import (
    EnvoyFailed,
    EnvoyMissing,
    EnvoyProcess,
    PortTaken,
    command_line,
    find_binary,
)
from tradewire_envoy.render import EnvoySettings
from tradewire_envoy.restarts import RestartPolicy
from tradewire_server.cli import rest as rest_command
from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.rest import RestOptions, rest_edge

from tests.support.certificates import Authority
from tests.support.command_line import FREE_PORTS, VenueProcess, run_command, venue_process
from tests.support.envoy import data_directory, running_rest_venue
from tests.support.rest import failure_of_response, rest_client
from tests.support.waiting import eventually

PATIENCE_S = 30
QUICK = RestartPolicy(
    first_delay_s=0.01, check_interval_s=0.05, check_timeout_s=0.3, unready_max_s=0.5
)


@pytest.fixture
async def directory() -> AsyncIterator[Path]:
    async with data_directory() as path:
        yield path


def make(directory: Path, binary: Path | None = None, **changes: object) -> EnvoyProcess:
    """Return Envoy before a venue that is not there."""
    settings = replace(EnvoySettings.beside(directory), port=0, **changes)  # type: ignore[arg-type]
    return EnvoyProcess(settings, directory, binary=binary or find_binary(), policy=QUICK)


def is_running(pid: int) -> bool:
    """Return whether a process runs: one that ended and that nobody has asked about does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


async def answers(envoy: EnvoyProcess) -> bool:
    """Return whether Envoy answers on its port."""
    async with rest_client(envoy.url) as client:
        try:
            response = await client.get("/nothing")
        except httpx.TransportError:
            return False
    return failure_of_response(response).reason == "METHOD_NOT_FOUND"


async def test_it_serves_as_soon_as_it_is_started_and_leaves_nothing_when_it_is_stopped(
    directory: Path,
) -> None:
    envoy = make(directory)
    await envoy.start()
    assert envoy.port
    assert await answers(envoy)
    pid = envoy.pid
    assert pid is not None
    for name in ("envoy.yaml", "envoy.sock"):
        assert (directory / name).stat().st_mode & 0o777 == 0o600
    await envoy.stop()
    assert not is_running(pid)
    assert envoy.pid is None
    assert not await answers(envoy)
    assert not (directory / "envoy.sock").exists()
    assert (directory / "envoy.log").stat().st_mode & 0o777 == 0o600
    # A second time nothing is left to stop.
    await envoy.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_killed_it_comes_back_at_the_same_port(
    directory: Path, number: signal.Signals
) -> None:
    envoy = make(directory)
    await envoy.start()
    port = envoy.port
    for count in (1, 2):
        pid = envoy.pid
        assert pid is not None
        os.kill(pid, number)
        await eventually(lambda count=count: envoy.restart_count == count and envoy.is_ready)  # type: ignore[misc]
        assert envoy.pid not in (None, pid)
        assert envoy.port == port
        assert await answers(envoy)
    await envoy.stop()


async def test_stuck_it_is_ended_and_comes_back(directory: Path) -> None:
    envoy = make(directory)
    await envoy.start()
    pid = envoy.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await eventually(lambda: envoy.restart_count == 1 and envoy.is_ready)
    assert not is_running(pid)
    assert await answers(envoy)
    await envoy.stop()


async def test_a_port_that_was_lost_meanwhile_is_waited_for(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    envoy = make(directory)
    await envoy.start()
    pid = envoy.pid
    assert pid is not None
    envoy.settings.admin_socket.unlink()
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await eventually(lambda: _bound(thief, envoy.port))
        thief.listen()
        await eventually(lambda: "does not start" in caplog.text)
    await eventually(lambda: envoy.is_ready)
    assert await answers(envoy)
    await envoy.stop()


def _bound(thief: socket.socket, port: int) -> bool:
    try:
        thief.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


async def test_a_taken_port_is_told(directory: Path) -> None:
    first = make(directory)
    await first.start()
    other = directory / "other"
    other.mkdir()
    second = EnvoyProcess(
        replace(EnvoySettings.beside(other), port=first.port), other, binary=find_binary()
    )
    with pytest.raises(PortTaken, match=str(first.port)):
        await second.start()
    assert second.pid is None
    # It is not shared: all requests still come to the first one.
    assert await answers(first)
    await first.stop()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo one; echo the reason >&2; exit 1", "the reason"),
        ("exit 3", "it ended without a word"),
    ],
)
async def test_a_program_that_does_not_start_says_why(
    directory: Path, script: str, words: str
) -> None:
    binary = directory / "envoy"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    with pytest.raises(EnvoyFailed, match=words):
        await make(directory, binary).start()


async def test_a_full_log_is_changed_for_a_new_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envoy_process, "LOG_BYTES_MAX", 1_000)
    binary = directory / "envoy"
    binary.write_text("#!/bin/sh\nfor i in $(seq 2000); do echo a line of some length $i; done\n")
    binary.chmod(0o755)
    with pytest.raises(EnvoyFailed, match="a line of some length 2000"):
        await make(directory, binary).start()
    modes = _modes(directory, "envoy.log*")
    assert 1 < len(modes) <= 1 + envoy_process.LOG_FILES_KEPT
    assert set(modes) == {0o600}


def _modes(directory: Path, pattern: str) -> list[int]:
    return [path.stat().st_mode & 0o777 for path in directory.glob(pattern)]


async def test_two_venues_live_beside_each_other() -> None:
    async with (
        data_directory() as one,
        data_directory() as other,
        running_rest_venue(one) as first,
        running_rest_venue(other) as second,
        rest_client(first.url) as to_first,
        rest_client(second.url) as to_second,
    ):
        own = {"authorization": f"Bearer {first.alice.token}"}
        mine = await to_first.get("/v1/account", headers=own)
        assert mine.status_code == 200
        # Nor does a session of one mean anything to the other.
        theirs = await to_second.get("/v1/account", headers=own)
        assert failure_of_response(theirs).reason == "TOKEN_INVALID"
        os.kill(first.envoy.pid or 0, signal.SIGKILL)
        assert (await to_second.get("/v1/time")).status_code == 200


# --- with the command line ------------------------------------------------------------------------


def _wait_for(rest: str) -> None:
    """Wait until REST answers."""
    deadline = time.monotonic() + PATIENCE_S
    with httpx.Client(base_url=rest, trust_env=False) as client:
        while True:
            try:
                if client.get("/v1/time").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"{rest} does not answer"
            time.sleep(0.05)


def _envoy_of(venue: VenueProcess) -> int:
    """Return the process of a venue's Envoy."""
    children = Path(f"/proc/{venue.process.pid}/task/{venue.process.pid}/children")
    for pid in children.read_text().split():
        if "envoy.yaml" in Path(f"/proc/{pid}/cmdline").read_text():
            return int(pid)
    raise AssertionError("the venue has no Envoy")


def test_a_venue_that_is_killed_takes_its_envoy_along(tmp_path: Path) -> None:
    with venue_process(tmp_path / "venue", "--no-bots") as venue:
        rest = venue.wait_until_ready()["rest"]
        pid = _envoy_of(venue)
        assert is_running(pid)
        venue.process.kill()
        venue.process.wait()
        asyncio.run(eventually(lambda: not is_running(pid)))
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{rest}/v1/time", timeout=10)


def test_a_venue_that_ends_takes_its_envoy_along(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        venue.wait_until_ready()
        pid = _envoy_of(venue)
        assert venue.end(signal.SIGINT) == 0
        assert not is_running(pid)
    assert not (data_dir / "envoy.sock").exists()


def test_the_venue_brings_back_its_envoy(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        rest = venue.wait_until_ready()["rest"]
        os.kill(_envoy_of(venue), signal.SIGKILL)
        _wait_for(rest)
        assert "started again" in venue.printed
        checks = run_command("doctor", "--json", "--data-dir", str(data_dir)).json
        (rest_check,) = [check for check in checks if check["name"] == "REST"]
        assert (rest_check["verdict"], rest in rest_check["text"]) == ("ok", True)
        assert venue.end() == 0


def test_a_tether_whose_end_is_gone_holds_nothing() -> None:
    done = subprocess.run(
        [sys.executable, tether.__file__, "1" if os.getpid() != 1 else "2", "/bin/echo", "hello"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (tether.EXIT_ORPHANED, b"")


def test_many_can_run_on_one_machine() -> None:
    line = command_line(Path("envoy"), Path("envoy.yaml"), concurrency=3)
    assert "--disable-hot-restart" in line
    assert line[line.index("--concurrency") + 1] == "3"


def test_with_a_certificate_rest_speaks_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.certify("venue", "127.0.0.1", "localhost")
    data_dir = tmp_path / "data"
    arguments = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    with venue_process(data_dir, "--no-bots", *arguments) as venue:
        rest = venue.wait_until_ready()["rest"]
        assert rest.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(authority.certificate))
        with httpx.Client(verify=trusting, trust_env=False) as client:
            assert client.get(f"{rest}/v1/time").json()["environment"] == "sandbox"
            assert client.get(f"{rest}/healthz").status_code == 200
        with httpx.Client(trust_env=False) as client, pytest.raises(httpx.ConnectError):
            client.get(f"{rest}/v1/time")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(rest.replace("https", "http"), trust_env=False)
        assert _alpn(rest, trusting) == ("h2", "TLSv1.3")
        trusting.maximum_version = ssl.TLSVersion.TLSv1_2
        assert _alpn(rest, trusting) == ("h2", "TLSv1.2")
        checks = run_command("doctor", "--json", "--data-dir", str(data_dir)).out
        assert '"REST",\n    "verdict": "ok"' in checks
        assert venue.end() == 0


def _alpn(rest: str, context: ssl.SSLContext) -> tuple[str | None, str | None]:
    context.set_alpn_protocols(["h2", "http/1.1"])
    port = int(rest.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return secured.selected_alpn_protocol(), secured.version()


def test_without_rest_there_is_none(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots", "--no-rest") as venue:
        marker = venue.wait_until_ready()
        assert (marker["rest"], marker["ports"]["rest"], marker["ports"]["http"]) == (None, 0, 0)
        assert venue.end() == 0
    assert not (data_dir / "envoy.yaml").exists()
    assert "curl" not in venue.printed


def test_credentials_do_not_leave_the_machine_in_the_clear(tmp_path: Path) -> None:
    at = ("--data-dir", str(tmp_path / "v"), *FREE_PORTS, "--rest-host", "0.0.0.0")
    refused = run_command("up", *at)
    assert refused.exit_code == 1
    assert "--rest-host 0.0.0.0 is not a loopback address" in refused.err
    assert not (tmp_path / "v").exists()


async def test_where_envoy_cannot_run_that_is_said_and_nothing_else_happens(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise EnvoyMissing("there is none for this platform")

    broken = directory / "envoy"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    for find, words in ((missing, "for this platform"), (lambda: broken, "does not start")):
        monkeypatch.setattr(rest_command, "find_binary", find)
        async with rest_edge(
            RestOptions(port=0), data_dir=directory, sockets=directory, http_port=1, tls=None
        ) as edge:
            assert (edge.url, edge.port) == ("", 0)
            assert edge.note.startswith("no REST")
            assert words in edge.note
            await edge.stop_listening()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1"])
def test_only_loopback_is_local(host: str) -> None:
    with pytest.raises(CommandFailed):
        RestOptions(host=host).check(tls=None, allow_plaintext=False)
    RestOptions(host=host).check(tls=None, allow_plaintext=True)
    for local in ("127.0.0.1", "localhost", "[::1]", "::1"):
        RestOptions(host=local).check(tls=None, allow_plaintext=False)


def test_the_command_becomes_envoy_for_a_venue(tmp_path: Path) -> None:
    """`tradewire serve` and `tradewire envoy run` are two processes, as in production."""
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, command="serve") as venue:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        running = subprocess.Popen(
            [
                *(sys.executable, "-m", "tradewire_server.cli", "envoy", "run"),
                *("--data-dir", str(data_dir), "--rest-port", str(port)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}")
            running.terminate()
            assert running.wait(30) == 0
            assert f"envoy run --data-dir {data_dir}" in venue.printed
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()
        assert venue.end() == 0
