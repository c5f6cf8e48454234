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
    assert (len(SCRIPTS), len(PROGRAMS)) == (1, 1)
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
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"order \d+ is NEW\n", done.stdout)
    assert re.search(r"order \d+ is CANCELED\n$", done.stdout)
