"""A short run of each target, the same every time: `make fuzz` is the long one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = {"fix_codec": 6_000, "fix_session": 3_000, "fix_translate": 3_000}
MEMORY_MB = 256


def fuzz(target: str, runs: int, findings: Path) -> subprocess.CompletedProcess[str]:
    """Run a target in a process of its own, since the fuzzer ends the one that it runs in."""
    pytest.importorskip("atheris", reason="there is no wheel of atheris for this machine")
    options = ["--runs", str(runs), "--seconds", "0", "--seed", "1", "--findings", str(findings)]
    command = [sys.executable, "-W", "error", "-m", "tests.fuzz", target, *options]
    return subprocess.run(
        # The greatest memory of a process counts what it was before it became another program: a
        # copy of this one, which is large. So a shell starts it, which is small.
        ["/bin/sh", "-c", '"$@"; exit $?', "sh", *command],
        cwd=ROOT,
        # The order of sets would change which inputs are tried.
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("target", RUNS)
def test_no_input_breaks_it(target: str, tmp_path: Path) -> None:
    done = fuzz(target, RUNS[target], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert f"Done {RUNS[target]} runs" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == [f"{target}-corpus"]
    # Without guidance by coverage it would find next to nothing.
    added = re.search(r"new_units_added: +(\d+)", done.stderr)
    assert added is not None
    assert int(added[1]) > 30, done.stderr
    peak = re.search(r"peak_rss_mb: +(\d+)", done.stderr)
    assert peak is not None
    assert int(peak[1]) < MEMORY_MB
