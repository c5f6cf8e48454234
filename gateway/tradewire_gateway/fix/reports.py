"""Executions that become messages of a session, in the order of the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from google.rpc import status_pb2
from tradewire.v1 import order_pb2

from tradewire_gateway.fix import translate
from tradewire_gateway.fix.connection import Connection
from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.sqlite_store import SqliteStore
from tradewire_gateway.fix.translate.errors import plain_text

# Executions that are made into reports before others have their turn.
REPORTS_AT_ONCE: Final = 256
POSSIBLE_RESEND: Final = 97


def _nothing(execution: order_pb2.Execution) -> None:
    """Take no note."""


async def report(
    connection: Connection,
    store: SqliteStore,
    executions: Sequence[order_pb2.Execution],
    *,
    note: Callable[[order_pb2.Execution], None] = _nothing,
    tail: str = "",
    is_copy: bool = False,
) -> None:
    """Send a report of each execution; the last one gets the tail.

    Raises NotEstablished.
    """
    resend_until = store.position.resend_until
    for count, execution in enumerate(executions, 1):
        note(execution)
        body = translate.execution_report(execution, is_copy=is_copy)
        if count == len(executions):
            body += tail
        sequence = execution.sequence
        header = Fields({POSSIBLE_RESEND: "Y"}) if sequence <= resend_until else None
        connection.send("8", body, reference=sequence, header=header)
        if count % REPORTS_AT_ONCE == 0:
            connection.perform()
            await asyncio.sleep(0)


def words(status: status_pb2.Status) -> str:
    """Return an error as a text of a Logout(5)."""
    if not status.details:
        # Not the venue's words, but those of a channel without a venue.
        return "The venue is not available: log on again with ResetSeqNumFlag(141)=N"
    return plain_text(status.message)
