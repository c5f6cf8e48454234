"""The command line for tests: venues as processes of their own, commands in this process."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tradewire_server.cli import rendering
from tradewire_server.cli.main import main

START_TIMEOUT_S = 60.0
END_TIMEOUT_S = 30.0
FREE_PORTS = ("--grpc-port", "0", "--admin-port", "0", "--metrics-port", "0")
FREE_REST_PORTS = ("--rest-port", "0", "--http-port", "0", "--fix-port", "0")


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer of a command with `--json`."""
        assert self.exit_code == 0, self.err
        return json.loads(self.out)


def run_command(*arguments: str) -> Result:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    rendering.console.cache_clear()
    rendering.error_console.cache_clear()
    code: object = 0
    try:
        with (
            mock.patch.object(sys, "argv", ["tradewire", *arguments]),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            main()
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        rendering.console.cache_clear()
        rendering.error_console.cache_clear()
    assert isinstance(code, int)
    return Result(code, out.getvalue(), err.getvalue())


class VenueProcess:
    """`tradewire up` or `serve` as a process; what it prints goes to a file.

    The ports of REST and FIX are free ones, unless others are given.
    """

    def __init__(self, data_dir: Path, *arguments: str, command: str = "up") -> None:
        rest = FREE_REST_PORTS if command == "up" else ()
        self.data_dir = data_dir
        self._log = data_dir.parent / f"{data_dir.name}.log"
        environment = {**os.environ, "COLUMNS": "200"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tradewire_server.cli", command),
                    *("--data-dir", str(data_dir)),
                    *rest,
                    *arguments,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
            )

    @property
    def printed(self) -> str:
        """Everything on standard output and standard error so far."""
        return self._log.read_text()

    def wait_until_ready(self) -> dict[str, Any]:
        """Wait for the ready marker and return it."""
        deadline = time.monotonic() + START_TIMEOUT_S
        marker = self.data_dir / "venue.json"
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.printed
            if marker.exists():
                content: dict[str, Any] = json.loads(marker.read_bytes())
                # One of a former process may still be there.
                if content["pid"] == self.process.pid:
                    return content
            time.sleep(0.02)
        raise AssertionError(f"not ready in {START_TIMEOUT_S} s: {self.printed}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(END_TIMEOUT_S)


@contextmanager
def venue_process(
    data_dir: Path, *arguments: str, command: str = "up", ports: tuple[str, ...] = FREE_PORTS
) -> Iterator[VenueProcess]:
    """Run a venue on free ports; it is ended with the context, if it has not ended before."""
    venue = VenueProcess(data_dir, *ports, *arguments, command=command)
    try:
        venue.wait_until_ready()
        yield venue
    finally:
        if venue.process.poll() is None:
            venue.process.kill()
            venue.process.wait()
