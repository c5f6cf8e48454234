"""A program of the pages goes on across a restart of the venue, with a key of the command line."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tradewire_gateway.web.rendering import EXAMPLES

from tests.support.command_line import END_TIMEOUT_S, run_command, venue_process
from tests.support.node import needs_node, program


def _place(data_dir: Path) -> None:
    order = ("orders", "place", "BTC-USD", "buy", "0.01", "--price", "31000")
    placed = run_command(*order, "--data-dir", str(data_dir))
    assert placed.exit_code == 0, placed.err


def _use_key(folder: Path, data_dir: Path) -> dict[str, str]:
    """Make a key and take it into use as the signing guide says; return what it exports."""
    key_file = folder / "key.json"
    scopes = ("--scope", "read", "--scope", "trade")
    made = run_command(
        "keys", "create", *scopes, "--data-dir", str(data_dir), "--out", str(key_file)
    )
    assert made.exit_code == 0, made.err
    exports = subprocess.run(
        ["bash", str(EXAMPLES / "use_key.sh"), str(key_file)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (line,) = exports.splitlines()
    name, _, value = line.removeprefix("export ").partition("=")
    assert (folder / "tradewire.pem").stat().st_mode & 0o077 == 0
    return {name: value}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "name",
    [
        "follow_executions.py",
        "socket_follow.py",
        pytest.param("follow_executions.mts", marks=needs_node),
    ],
)
def test_executions_are_followed_across_a_restart(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as first:
        rest = first.wait_until_ready()["rest"]
        key = _use_key(tmp_path, data_dir)
        old_token = run_command("token", "--data-dir", str(data_dir)).out.strip()
        _place(data_dir)
        interpreter = [sys.executable, "-W", "error"] if name.endswith(".py") else [program("tsx")]
        with subprocess.Popen(
            [*interpreter, str(EXAMPLES / name), "2"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "TRADEWIRE_URL": rest, **key},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as following:
            assert following.stdout is not None
            assert following.stderr is not None
            try:
                assert following.stdout.readline().startswith("1 EXECUTION_TYPE_NEW")
                assert first.end() == 0
                if name.endswith(".py"):
                    # It has found nobody there, and has not given up.
                    told = iter(following.stderr.readline, "")
                    assert any("refused" in line for line in told), "the program has ended"
                port = rest.rpartition(":")[2]
                with venue_process(data_dir, "--no-bots", "--rest-port", port):
                    headers = {"authorization": f"Bearer {old_token}"}
                    refused = httpx.get(f"{rest}/v1/limits", headers=headers)
                    _place(data_dir)
                    shown, complaints = following.communicate(timeout=END_TIMEOUT_S)
            finally:
                following.kill()
    assert refused.json()["details"][0]["reason"] == "TOKEN_INVALID"
    assert (following.returncode, shown.count("\n")) == (0, 1), complaints
    assert shown.startswith("2 EXECUTION_TYPE_NEW")
