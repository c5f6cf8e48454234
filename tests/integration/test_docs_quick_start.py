"""The quick start, step by step as a newcomer takes it, against `tradewire up`."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.command_line import venue_process
from tests.support.portal import Page


def test_a_newcomer_gets_to_an_order(tmp_path: Path) -> None:
    # The page speaks of commands below the repository, and of the usual data directory.
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    with venue_process(tmp_path / ".tradewire", "--no-bots") as venue:
        rest = venue.wait_until_ready()["rest"]
        page = Page()
        page.feed(httpx.get(f"{rest}/docs/quick-start").raise_for_status().text)
        commands = [command.strip() for command in page.commands]
        short = [command for command in commands if not command.startswith("#!")]
        scripts = [command for command in commands if command.startswith("#!")]
        assert [command.split()[0] for command in short] == ["export", "curl", "export"]
        assert rest in short[0]
        assert len(scripts) == 2
        steps = "\n".join([*short, *(f"( {script}\n)" for script in scripts)])
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", steps],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        limits = httpx.get(f"{rest}/docs/limits").text
    assert done.returncode == 0, done.stderr
    assert "ORDER_STATUS_CANCELED" in done.stdout
    assert "EXECUTION_TYPE_NEW" in done.stdout
    # The page of limits shows the policy of this very venue.
    for name in ("key", "ban_ladder_s", "rest_body_bytes_max", "streams_per_account"):
        assert f'<tr id="{name}">' in limits
