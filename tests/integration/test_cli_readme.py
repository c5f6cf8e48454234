"""The README's examples: every command and every program in it runs as it stands there."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tradewire_server.cli.venue_files import RunningVenue

from tests.support.command_line import Result, run_command, venue_process
from tests.support.typescript import needs_client, offer

README = Path(__file__).resolve().parents[2] / "README.md"
PROGRAM = ".venv/bin/tradewire "
# Their recordings are the reader's own.
NEEDS_A_FILE = "events.log.xz"


def _blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


SHELL = _blocks("sh")
# Commands one by one, and what `curl` sends as the reader's shell would run it.
COMMANDS = [line for block in SHELL if "curl" not in block for line in block.splitlines()]
SCRIPTS = [block for block in SHELL if "curl" in block]
PROGRAMS = _blocks("python")
TYPESCRIPT = _blocks("ts")
REST = "http://127.0.0.1:8080"
STREAM = "curl -N "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder in which a venue was started, so its directory is the default one."""
    folder = tmp_path_factory.mktemp("readme")
    with venue_process(folder / ".tradewire"):
        yield folder


def test_there_are_examples() -> None:
    assert len(COMMANDS) > 10
    assert (len(SCRIPTS), len(PROGRAMS), len(TYPESCRIPT)) == (1, 2, 1)
    assert all(command.startswith(PROGRAM) for command in COMMANDS)


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if NEEDS_A_FILE not in command]
)
def test_a_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(folder)
    result: Result = run_command(*shlex.split(command.removeprefix(PROGRAM)))
    assert (result.exit_code, result.err) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_curl_sends_is_understood(folder: Path, script: str) -> None:
    """The port is another one, the program that of these tests, and the stream is left when its
    first event has come.
    """
    running = RunningVenue.load(folder / ".tradewire")
    assert running is not None
    assert REST in script
    here = f"{shlex.quote(sys.executable)} -m tradewire_server.cli "
    lines = script.replace(REST, running.rest).replace(PROGRAM, here)
    calls, before, stream = lines.rpartition(STREAM)
    assert before, "the stream is the last one"
    sign_in = calls.partition("\n")[0]
    done = subprocess.run(
        ["bash", "-euc", calls.replace("curl ", "curl -sS ")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    decoder = json.JSONDecoder()
    placed, end = decoder.raw_decode(done.stdout)
    found, _ = decoder.raw_decode(done.stdout[end:].lstrip())
    assert placed["order"]["clientOrderId"] == found["order"]["clientOrderId"] == "my-order-1"
    # It waits in the book, far below the market that moves.
    assert found["order"]["status"] == "ORDER_STATUS_NEW"
    with subprocess.Popen(
        ["bash", "-euc", f"{sign_in}\nexec {STREAM}-sS {stream}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline().startswith("data: {")
        following.kill()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_runs(folder: Path, program: str) -> None:
    running = RunningVenue.load(folder / ".tradewire")
    assert running is not None
    done = subprocess.run(
        [sys.executable, "-c", program.replace("ws://127.0.0.1:8080", ws_url(running))],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"order \d+ is (ORDER_STATUS_)?NEW\n", done.stdout)
    assert re.search(r"order \d+ is (ORDER_STATUS_)?CANCELED\n$", done.stdout)


def ws_url(running: RunningVenue) -> str:
    """Return where WebSockets are, without a path."""
    return running.rest.replace("http", "ws", 1)


@needs_client
@pytest.mark.parametrize("program", TYPESCRIPT)
def test_a_program_in_typescript_runs(folder: Path, program: str) -> None:
    """Nothing in it is TypeScript's own, so Node takes it as it stands."""
    offer(folder)
    (folder / "program.mjs").write_text(program, encoding="utf-8")
    done = subprocess.run(
        ["node", "program.mjs"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"order \d+ is NEW\n", done.stdout)
    assert re.search(r"\d+ NEW \d+\n", done.stdout)
    assert re.search(r"order \d+ is CANCELED\n$", done.stdout)


def test_the_banner_is_that_of_the_venue(folder: Path) -> None:
    """Every line of it that says where something is."""
    shown = re.findall(r"^    │  (\w+(?: [\w.]+)?)  +\S", README.read_text("utf-8"), re.MULTILINE)
    printed = (folder / ".tradewire.log").read_text(encoding="utf-8")
    assert {"gRPC", "REST", "WebSocket", "terminal", "FIX 4.4"} <= set(shown)
    for name in shown:
        assert re.search(rf"│ +{re.escape(name)} +\S", printed), name
