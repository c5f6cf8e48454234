"""`tradewire serve`: the server alone, as it runs in production.

No demo accounts, no bots, no gateways in the process: those connect over the network. The first
start makes the account `admin` and one key for it; everything else is made with that key.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from rich.console import RenderableType

from tradewire_server.cli.commands import command_line
from tradewire_server.cli.founding import found_admin
from tradewire_server.cli.hosting import Hosted, HostOptions, run_venue


def run(options: HostOptions, *, new_admin_key: bool) -> None:
    """Run the server until it is told to stop."""
    run_venue(options, partial(_residents, new_admin_key=new_admin_key))


@asynccontextmanager
async def _residents(hosted: Hosted, *, new_admin_key: bool) -> AsyncIterator[RenderableType]:
    running = hosted.running
    founded = await found_admin(hosted.app, new_key=new_admin_key)
    line = command_line(hosted.options.data_dir)
    lines = [
        f"Tradewire {running.environment}, journal {running.journal_id}",
        f"gRPC {running.grpc}, admin {running.admin}, metrics {running.metrics}",
        f"For REST run `{line('envoy run')}`; its sockets are in {running.sockets}",
        *founded.notes,
    ]
    yield "\n".join(lines)
