"""Lines that can be pasted."""

import sys
from pathlib import Path

import pytest
from tradewire_server.cli.commands import command_line, program
from tradewire_server.cli.connection import DATA_DIR


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    executable = tmp_path / "a b" / "bin" / "tradewire"
    executable.parent.mkdir(parents=True)
    executable.write_text("#!/bin/sh\n")
    executable.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(executable)])
    monkeypatch.setenv("PATH", "/nowhere")
    return executable


def test_below_the_current_directory_the_path_is_short(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(installed.parents[1])
    assert program() == "bin/tradewire"


def test_elsewhere_it_is_whole_and_quoted(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setattr(Path, "cwd", lambda: Path("/usr"))
    assert program() == f"'{installed}'"


def test_on_the_path_the_name_is_enough(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))
    assert program() == "tradewire"


def test_run_as_a_module_it_is_named_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/cli/__main__.py"])
    assert program() == f"{sys.executable} -m tradewire_server.cli"


def test_another_directory_is_part_of_the_line(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(installed.parents[1])
    assert command_line(DATA_DIR)("book A-B") == "bin/tradewire book A-B"
    assert command_line(Path("/my venue"))("book A-B") == (
        "bin/tradewire book A-B --data-dir '/my venue'"
    )
