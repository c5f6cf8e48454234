"""A venue in a process of its own: prints its port and a token, ends with its input."""

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from tests.support.venue import running_venue


async def serve(data_dir: Path) -> None:
    """Serve until standard input ends."""
    async with running_venue(data_dir) as venue:
        await venue.provision(["bench"], exempt=True)
        print(
            json.dumps({"target": venue.target, "token": venue.credentials["bench"].token}),
            flush=True,
        )
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
