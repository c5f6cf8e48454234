"""The README's examples: every command and every program in it runs as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Result, run_command, venue_process

README = Path(__file__).resolve().parents[2] / "README.md"
PROGRAM = ".venv/bin/tradewire "
# Their recordings are the reader's own.
NEEDS_A_FILE = "events.log.xz"


def _blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


COMMANDS = [line for block in _blocks("sh") for line in block.splitlines()]
PROGRAMS = _blocks("python")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder in which a venue was started, so its directory is the default one."""
    folder = tmp_path_factory.mktemp("readme")
    with venue_process(folder / ".tradewire"):
        yield folder


def test_there_are_examples() -> None:
    assert len(COMMANDS) > 10
    assert len(PROGRAMS) == 1
    assert all(command.startswith(PROGRAM) for command in COMMANDS)


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if NEEDS_A_FILE not in command]
)
def test_a_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(folder)
    result: Result = run_command(*shlex.split(command.removeprefix(PROGRAM)))
    assert (result.exit_code, result.err) == (0, "")


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
