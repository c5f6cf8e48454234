"""`tradewire journal`: prove a journal and show it, while the venue runs or when it has stopped."""

from pathlib import Path
from typing import Annotated

import typer

from tradewire_server.cli.arguments import Json
from tradewire_server.cli.connection import DATA_DIR, DataDir
from tradewire_server.cli.failure import CommandFailed

# Longer batches there are, but rarely; behind one the dump is read from the beginning.
BATCH_EVENTS_MAX = 10_000

app = typer.Typer(no_args_is_help=True, help="Prove a journal and show what is in it.")


@app.command()
def verify(data_dir: DataDir = DATA_DIR, json: Json = False) -> None:
    """Hold every row of the journal against its hash chain and list what does not match.

    Ends with exit code 22 when something does not. Example: `tradewire journal verify`
    """
    from tradewire_server.cli.rendering import error_console, print_json, show
    from tradewire_server.journal.errors import JournalDamaged
    from tradewire_server.journal.verify import summary
    from tradewire_server.journal.verify import verify as findings_of

    _must_exist(data_dir)
    about = summary(data_dir)
    with error_console().status("Reading the whole journal"):
        findings = list(findings_of(data_dir))
    if json:
        print_json({**about._asdict(), "findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            show(f"{finding.place}: {finding.finding}")
        show(
            f"{data_dir}: {about.last_event} events, journal {about.journal_id}: "
            + (f"{len(findings)} findings" if findings else "sound")
        )
    if findings:
        raise CommandFailed(
            f"{data_dir} is damaged: keep a copy of the whole directory and restore the newest "
            "sound one",
            exit_code=JournalDamaged.exit_code,
        )


@app.command()
def dump(
    data_dir: DataDir = DATA_DIR,
    after: Annotated[int, typer.Option(min=0, help="Only events after this number.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Greatest number of events.")] = None,
) -> None:
    """Print the events, one JSON object per line.

    Example: `tradewire journal dump --after 100 --limit 20`
    """
    import itertools

    from tradewire_server.journal.verify import dump as lines_of

    _must_exist(data_dir)
    begin = _batch_end(data_dir, after)
    lines = itertools.islice(lines_of(data_dir, after_event=begin), after - begin, None)
    for line in itertools.islice(lines, limit):
        typer.echo(line)


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(help="A data directory.", metavar="DIRECTORY")],
    second: Annotated[Path, typer.Argument(help="Another one.", metavar="DIRECTORY")],
) -> None:
    """Say where two journals part; exit code 1 when they do.

    Example: `tradewire journal diff .tradewire /backup/tradewire`
    """
    from tradewire_server.journal.verify import diff as lines_of

    _must_exist(first)
    _must_exist(second)
    lines = list(lines_of(first, second))
    for line in lines:
        typer.echo(line)
    if lines:
        raise typer.Exit(1)


def _batch_end(data_dir: Path, event: int) -> int:
    """Return the last batch end that is not behind an event: a journal is read from there only."""
    import contextlib

    from tradewire_server.journal.reader import JournalReader

    with contextlib.closing(JournalReader(data_dir)) as reader:
        for number in range(event, max(0, event - BATCH_EVENTS_MAX), -1):
            if reader.hash_at(number) is not None:
                return number
    return 0


def _must_exist(data_dir: Path) -> None:
    from tradewire_server.journal.database import FILE_NAME

    if not (data_dir / FILE_NAME).exists():
        raise CommandFailed(
            f"there is no journal in {data_dir}: name its directory with --data-dir"
        )
