"""The FIX gateway as a process of its own, beside a server that `tradewire serve` runs.

For example: `python -m tradewire_gateway.fix --upstream unix:/var/lib/tradewire/edge.sock --store
/var/lib/tradewire-fix/fix.db --host 0.0.0.0 --tls-certificate fix.pem --tls-key fix.key`.

Over the server's edge socket the addresses of clients count there, for allow-lists and limits; over
its public listener all of them are the gateway's. The store is the memory of the sessions: one
gateway uses it at a time, and whoever takes over needs it.
"""

import argparse
import asyncio
import ssl
import sys
from pathlib import Path

from tradewire_gateway.channel import PlaintextRefused
from tradewire_gateway.fix.acceptor import Acceptor
from tradewire_gateway.fix.sqlite_store import SqliteStores, StoreError
from tradewire_gateway.process import add_upstream, open_upstream, told_to_end

DEFAULT_PORT = 9876
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main() -> int:
    """Serve until a signal comes; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tradewire_gateway.fix", description="Serve FIX 4.4 for a venue."
    )
    add_upstream(parser)
    parser.add_argument("--store", type=Path, required=True, help="file of the sessions' memory")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes any free one")
    parser.add_argument("--tls-certificate", type=Path, help="PEM file, with --tls-key")
    parser.add_argument("--tls-key", type=Path, help="PEM file, with --tls-certificate")
    arguments = parser.parse_args()
    if (arguments.tls_certificate is None) != (arguments.tls_key is None):
        parser.error("give both, --tls-certificate and --tls-key")
    if arguments.tls_certificate is None and arguments.host not in LOOPBACK:
        parser.error(f"{arguments.host} is not a loopback address: give a certificate and its key")
    try:
        asyncio.run(_serve(arguments))
    except (OSError, PlaintextRefused, StoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    tls = None
    if arguments.tls_certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load_cert_chain(arguments.tls_certificate, arguments.tls_key)
    told = told_to_end()
    with SqliteStores(arguments.store) as stores:
        async with open_upstream(arguments) as channel:
            acceptor = Acceptor(channel, stores)
            port = await acceptor.start(arguments.host, arguments.port, tls=tls)
            print(f"FIX for {arguments.upstream}: {arguments.host}:{port}", flush=True)
            try:
                await told.wait()
            finally:
                await acceptor.stop()


if __name__ == "__main__":
    sys.exit(main())
