"""What people type, made into values: wrong arguments are usage errors, with exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

Symbol = Annotated[str, typer.Argument(help="Instrument, e.g. BTC-USD.", metavar="SYMBOL")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def as_typed() -> Iterator[None]:
    """Turn what the SDK says about an argument into a usage error."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


def time_of(text: str | None) -> datetime | None:
    """Return a time as typed; without a zone it is UTC."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time; write e.g. 2030-01-31T12:00:00Z") from error
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def deadline(seconds: float | None) -> datetime | None:
    """Return the time so many seconds from now."""
    return None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
