"""The FIX gateway in the venue's process: what `tradewire up` runs."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
from tradewire_gateway.fix.acceptor import Acceptor
from tradewire_gateway.fix.sqlite_store import SqliteStores, StoreError

from tradewire_server.app import Tls
from tradewire_server.cli.failure import CommandFailed

STORE_FILE = "fix.db"


@asynccontextmanager
async def fix_gateway(
    channel: grpc.aio.Channel, *, data_dir: Path, host: str, port: int, tls: Tls | None
) -> AsyncIterator[int]:
    """Serve FIX while the context lasts; yields the port. At its end clients are logged out.

    Raises CommandFailed when the port is taken, or the memory of the sessions cannot be used.
    """
    try:
        stores = SqliteStores(data_dir / STORE_FILE)
    except StoreError as error:
        raise CommandFailed(f"the memory of the FIX sessions cannot be used: {error}") from error
    with stores:
        acceptor = Acceptor(channel, stores)
        try:
            taken = await acceptor.start(host, port, tls=None if tls is None else tls.context())
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise CommandFailed(
                f"port {port} on {host} cannot be opened, another process has it: stop that one or "
                "choose another port with --fix-port"
            ) from error
        try:
            yield taken
        finally:
            await acceptor.stop("The venue ends")
