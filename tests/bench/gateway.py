"""A venue behind Envoy in a process of its own: prints how to reach it, ends with its input."""

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from tests.support.envoy import running_rest_venue
from tests.support.rest import new_hmac_key


async def serve(data_dir: Path) -> None:
    """Serve until standard input ends."""
    # Envoy's own bound per address is of no use where all load comes from one.
    async with running_rest_venue(data_dir, exempt=True, requests_per_second=1_000_000) as running:
        key_id, secret = await new_hmac_key(running.venue, "alice")
        ready = {
            "port": running.envoy.port,
            "token": running.alice.token,
            "ed25519_key": running.alice.key_id,
            "ed25519_seed": running.alice.private_key.private_bytes_raw().hex(),
            "hmac_key": key_id,
            "hmac_secret": secret,
        }
        print(json.dumps(ready), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
