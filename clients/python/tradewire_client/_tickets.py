"""Tickets: signing in without a key, with what somebody who has one gave.

A ticket begins one session, which ends after some minutes and makes no tickets itself. Whoever
needs the next session needs the next ticket: so a client takes either one ticket, or a function
that gets one each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from tradewire_client._errors import ConfigurationError

TicketSource: TypeAlias = Callable[[], Awaitable[str]]


class Tickets:
    """Where the tickets of a client come from: a text that is good once, or a function."""

    def __init__(self, source: str | TicketSource) -> None:
        if not source:
            raise ConfigurationError("the ticket is empty")
        self._source = source
        self._used = False

    @property
    def has_next(self) -> bool:
        """Whether there may be a ticket for another session."""
        return not (self._used and isinstance(self._source, str))

    async def next(self) -> str:
        """Return a ticket to try.

        Raises:
            ConfigurationError: there was one only, and it has begun a session.
        """
        if not isinstance(self._source, str):
            return await self._source()
        if self._used:
            raise ConfigurationError(
                "the session has ended and its ticket is used up: make another client with a new "
                "ticket, or pass a function that gets one"
            )
        return self._source

    def note_used(self) -> None:
        """Take note that a session was begun. Until then an attempt may be repeated."""
        self._used = True
