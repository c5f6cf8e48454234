"""A venue with a FIX gateway in a process of its own: prints how to log on, ends with its input."""

import asyncio
import json
import os
import sys
from pathlib import Path

import uvloop
from tradewire_gateway.fix.acceptor import AcceptorSettings
from tradewire_gateway.fix.connection import ConnectionSettings

from tests.support.fix import running_gateway
from tests.support.venue import running_venue


async def serve(data_dir: Path) -> None:
    """Serve until standard input ends."""
    # As `tradewire up` has it, gateway and venue share a process; but one connection may do more.
    connection = ConnectionSettings(messages_per_second=10**6, message_burst=10**6)
    settings = AcceptorSettings(connection=connection)
    async with running_venue(data_dir) as venue:
        await venue.provision(["bench"], exempt=True)
        credential = venue.credentials["bench"]
        async with running_gateway(venue, data_dir, settings=settings) as gateway:
            ready = {
                "port": gateway.port,
                "pid": os.getpid(),
                "key_id": credential.key_id,
                "seed": credential.private_key.private_bytes_raw().hex(),
            }
            print(json.dumps(ready), flush=True)
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
