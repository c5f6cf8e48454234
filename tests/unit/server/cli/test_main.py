"""The program as a whole: every command explains itself, wrong usage is exit code 2."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tradewire_server import __version__
from tradewire_server.cli.main import app, main
from typer.main import get_command
from typer.testing import CliRunner

COMMAND = get_command(app)


def _commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name, found in inner.items():
        yield from _commands(found, (*path, name))


PATHS = sorted(_commands(COMMAND))


def test_the_commands_are_those_that_are_promised() -> None:
    assert {path[0] for path in PATHS} == {
        *("up", "serve", "orders", "book", "trades", "ticker", "candles", "instruments"),
        *("executions", "balances", "positions", "ledger", "limits", "keys", "admin"),
        *("replay", "journal", "doctor", "version", "token", "ticket"),
        "envoy",
    }


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert path == ("version",) or "Example" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["orders", "place"],
        ["orders", "place", "BTC-USD", "buy", "--nonsense"],
        ["book", "BTC-USD", "--depth", "0"],
        ["up", "--grpc-port", "70000"],
        ["up", "--log-level", "loud"],
        ["admin", "kill-switch", "maybe"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["version"]).output == f"{__version__}\n"


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["tradewire", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_what_cannot_be_done_is_one_line_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "journal", "verify", "--data-dir", str(tmp_path)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"tradewire: there is no journal in {tmp_path}: name its directory with --data-dir\n"
    )


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tradewire_server.cli.main.app", interrupt)
    assert _run(monkeypatch) == 130


def test_a_bug_shows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("we broke our own rule")

    monkeypatch.setattr("tradewire_server.cli.main.app", fail)
    with pytest.raises(AssertionError, match="our own rule"):
        main()


def test_data_directories_and_ports_come_from_the_environment_too() -> None:
    text = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["up", "--help"]).output
    for name in ("GRPC_PORT", "ADMIN_PORT", "METRICS_PORT", "DATA_DIR", "REST_PORT", "FIX_PORT"):
        assert f"TRADEWIRE_{name}" in text
    assert isinstance(app, typer.Typer)
