"""Starts the processes that a benchmark measures, and ends them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.fix_peers.quickfix import build, write_settings


class Venue(NamedTuple):
    """Where the venue listens and what opens it."""

    target: str
    metadata: tuple[tuple[str, str], ...]


@contextmanager
def _process(*arguments: str) -> Iterator[str]:
    """Run a module of this package; yield the first line that it prints."""
    with _program(sys.executable, "-m", *arguments) as line:
        yield line


@contextmanager
def _program(*command: str) -> Iterator[str]:
    """Run a program that ends with its input; yield the first line that it prints."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # It says so whenever Envoy is started.
        env={**os.environ, "GRPC_VERBOSITY": "ERROR"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"{command} ended before it was ready")
            yield line
        finally:
            process.stdin.close()
            process.wait(30)


@contextmanager
def venue(data_dir: Path) -> Iterator[Venue]:
    """Run a venue with one exempt account."""
    with _process("tests.bench.venue", str(data_dir)) as line:
        ready = json.loads(line)
        yield Venue(ready["target"], (("authorization", f"Bearer {ready['token']}"),))


class Gateway(NamedTuple):
    """A venue's REST port, and what opens it."""

    port: int
    token: str
    ed25519_key: str
    ed25519_seed: str
    hmac_key: str
    hmac_secret: str


@contextmanager
def gateway(data_dir: Path) -> Iterator[Gateway]:
    """Run a venue behind Envoy, with an exempt account."""
    with _process("tests.bench.gateway", str(data_dir)) as line:
        yield Gateway(**json.loads(line))


class FixGateway(NamedTuple):
    """A venue's FIX port, and what logs on to it."""

    port: int
    pid: int
    key_id: str
    seed: str


@contextmanager
def fix_gateway(data_dir: Path) -> Iterator[FixGateway]:
    """Run a venue with a FIX gateway, with an exempt account."""
    with _process("tests.bench.fix_venue", str(data_dir)) as line:
        yield FixGateway(**json.loads(line))


class WebSocketGateway(NamedTuple):
    """A venue's WebSocket port, what opens it, and the processes that answer there."""

    port: int
    pids: list[int]
    token: str


@contextmanager
def websocket_gateway(data_dir: Path, deployment: str) -> Iterator[WebSocketGateway]:
    """Run a venue with a WebSocket gateway, `one` process or the gateway in its `own`."""
    with _process("tests.bench.ws_venue", str(data_dir), deployment) as line:
        yield WebSocketGateway(**json.loads(line))


class Executor(NamedTuple):
    """The peer of FIX."""

    port: int
    pid: int


@contextmanager
def executor(directory: Path, sender: str, target: str) -> Iterator[Executor]:
    """Run the peer of FIX, whose counterparty is `sender`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = write_settings(
        directory, target, sender, ConnectionType="acceptor", SocketAcceptPort=port
    )
    with _program(str(build("executor", directory)), str(settings)) as line:
        yield Executor(port, int(line))


@contextmanager
def fastapi(database: Path) -> Iterator[int]:
    """Run the peer of REST; yield its port."""
    with _process("tests.bench.fastapi_peer", str(database)) as line:
        yield int(line)


@contextmanager
def echo(response: bytes) -> Iterator[str]:
    """Run the bare echo; yield its address."""
    with _process("tests.bench.echo", response.hex()) as line:
        yield f"127.0.0.1:{int(line)}"


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken so far, in seconds."""
    # Behind the name, which may hold anything: state is field 3, utime and stime 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fdatasync_ms(directory: Path, *, rounds: int = 200) -> float:
    """Return the median time of an fdatasync after a small write, in milliseconds."""
    times = []
    path = directory / "fdatasync"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for _ in range(rounds):
            os.write(descriptor, b"x" * 512)
            started = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()
    return sorted(times)[rounds // 2] * 1000
