"""A venue with a WebSocket gateway, in this process or in one of its own: prints how to reach it,
ends with its input.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import uvloop
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.support.venue import RunningVenue, running_venue
from tests.support.ws import gateway_beside

# All of the load comes from one address.
LIMITS = replace(LimitPolicy(), market_streams_per_address=2_000, address=Gcra(10**5, 10**5))
ONE_PROCESS = "one"


class _Gateway(NamedTuple):
    address: str
    pid: int


async def serve(data_dir: Path, deployment: str) -> None:
    """Serve until standard input ends."""
    settings = Settings(
        data_dir=data_dir,
        grpc_port=0,
        admin_port=0,
        drain_s=0.2,
        limits=LIMITS,
    )
    async with running_venue(data_dir, settings=settings) as venue:
        await venue.provision(["bench"], exempt=True)
        beside = _beside if deployment == ONE_PROCESS else _own_process
        async with beside(venue) as gateway:
            ready = {
                "port": int(gateway.address.rpartition(":")[2]),
                "pids": sorted({os.getpid(), gateway.pid}),
                "token": venue.credentials["bench"].token,
            }
            print(json.dumps(ready), flush=True)
            await asyncio.to_thread(sys.stdin.read)


@contextlib.asynccontextmanager
async def _beside(venue: RunningVenue) -> AsyncIterator[_Gateway]:
    """As `tradewire up` has it."""
    async with gateway_beside(venue) as edge:
        yield _Gateway(edge.address, os.getpid())


@contextlib.asynccontextmanager
async def _own_process(venue: RunningVenue) -> AsyncIterator[_Gateway]:
    """As beside `tradewire serve`."""
    command = ["-m", "tradewire_gateway.web", "--upstream", f"unix:{venue.app.sockets.edge}"]
    command += ["--rest-url", "http://127.0.0.1", "--port", "0", "--drain-s", "0"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode().strip()
        yield _Gateway(line.rpartition("http://")[2], process.pid)
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), sys.argv[2]))
