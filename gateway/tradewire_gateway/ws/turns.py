"""Who is read next, when more came than is taken at once.

A client costs the gateway more than it costs the client: a few hundred bytes inflate to a batch of
256 requests. So what came is taken for a few milliseconds, and what is left waits here for the next
turn. One connection has a turn each time the event loop turns, so whoever else is connected is held
up by one turn, however many send too much. Addresses take turns, and the connections of an address
do among themselves: a thousand connections of one address get no more than one would.
"""

import asyncio
from collections import deque
from typing import Final, Protocol

from tradewire_gateway.ws.addresses import Address

# About a hundred orders, or one message of the largest size.
TURN_S: Final = 0.002


class Reader(Protocol):
    """A connection of which not all that came has been taken."""

    def take_turn(self) -> None:
        """Take of it for a turn; it comes back here when there is more."""


class Turns:
    """The connections that wait for a turn; no connection is in here twice."""

    def __init__(self) -> None:
        self._waiting: dict[Address, deque[Reader]] = {}
        self._is_due = False

    def __contains__(self, address: Address) -> bool:
        """Say whether connections of an address wait: others of it then wait behind them."""
        return address in self._waiting

    def wait(self, address: Address, reader: Reader) -> None:
        """Let a connection have a turn, when those before it have had theirs."""
        self._waiting.setdefault(address, deque()).append(reader)
        self._call()

    def _call(self) -> None:
        if self._waiting and not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_due = False
        address, readers = next(iter(self._waiting.items()))
        del self._waiting[address]
        reader = readers.popleft()
        if readers:
            self._waiting[address] = readers
        try:
            reader.take_turn()
        finally:
            self._call()
