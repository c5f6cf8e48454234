"""`tradewire serve`: the server alone, as it runs in production.

No demo accounts, no bots, no gateways in the process: those connect over the network. The first
start makes the account `admin` and one key for it; everything else is made with that key.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from rich.console import RenderableType

from tradewire_server.app import Application
from tradewire_server.cli.founding import found_admin
from tradewire_server.cli.hosting import HostOptions, run_venue
from tradewire_server.cli.venue_files import RunningVenue


def run(options: HostOptions, *, new_admin_key: bool) -> None:
    """Run the server until it is told to stop."""
    run_venue(options, partial(_residents, new_admin_key=new_admin_key))


@asynccontextmanager
async def _residents(
    app: Application, running: RunningVenue, *, new_admin_key: bool
) -> AsyncIterator[RenderableType]:
    founded = await found_admin(app, new_key=new_admin_key)
    lines = [
        f"Tradewire {running.environment}, journal {running.journal_id}",
        f"gRPC {running.grpc}, admin {running.admin}, metrics {running.metrics}",
        *founded.notes,
    ]
    yield "\n".join(lines)
