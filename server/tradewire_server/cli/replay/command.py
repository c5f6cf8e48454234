"""`tradewire replay`: connect, run, show the report."""

import asyncio
from pathlib import Path

import uvloop
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tradewire_server.cli.connection import AdminOptions, VenueOptions
from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.rendering import error_console, print_json, show
from tradewire_server.cli.replay.recording import RecordingError
from tradewire_server.cli.replay.report import Report
from tradewire_server.cli.replay.run import Replay


def run(
    path: Path,
    venue: VenueOptions,
    admin: AdminOptions,
    *,
    limit: int | None,
    seed_book: bool,
    keep: bool,
    as_json: bool,
) -> None:
    """Replay a file and print what it has shown.

    Raises CommandFailed.
    """
    try:
        with error_console().status(f"Looking over {path.name}"):
            replay = Replay(path, limit=limit, seed_book=seed_book)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(_run(replay, venue, admin, keep=keep, quiet=as_json))
    except RecordingError as error:
        raise CommandFailed(str(error)) from error
    if as_json:
        print_json(report.as_json())
    else:
        show(report.render())


async def _run(
    replay: Replay, venue: VenueOptions, admin: AdminOptions, *, keep: bool, quiet: bool
) -> Report:
    async with venue.client_and_channel() as (client, channel), admin.operator() as operator:
        await replay.prepare(client, operator)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=error_console(),
            disable=quiet,
            transient=True,
        ) as bars:
            bar = bars.add_task(f"Replaying as {replay.symbol}", total=replay.survey.line_count)
            report = await replay.run(
                client, channel, progress=lambda line: bars.update(bar, completed=line)
            )
        if not keep:
            await replay.tidy(client, operator)
        return report
