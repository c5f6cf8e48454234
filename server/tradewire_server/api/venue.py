"""What the servicers work with: the venue's parts, and how a command goes in and its answer comes
out.
"""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from google.rpc import status_pb2

from tradewire_server.api.call import current_call, current_caller
from tradewire_server.api.errors import ApiError, refused_status, rejected_status
from tradewire_server.auth.unfilled_orders import UnfilledOrders
from tradewire_server.engine.commands import Command, Refused
from tradewire_server.engine.state import AccountState, State
from tradewire_server.journal.records import Journal
from tradewire_server.sequencer import Done, Outcome, Sequencer
from tradewire_server.streams.hub import Hub
from tradewire_server.streams.market_data import MarketData

ArgsT = ParamSpec("ArgsT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Venue:
    """The parts, all made by `app`. `new_connection` names a connection uniquely, also across
    restarts; a stream that is quiet for `heartbeat_s` says that it lives.
    """

    state: State
    sequencer: Sequencer
    journal: Journal
    hub: Hub
    market_data: MarketData
    unfilled_orders: UnfilledOrders
    clock_ns: Callable[[], int]
    new_connection: Callable[[], str]
    environment: str
    version: str
    start_time_ns: int
    readers: Executor
    heartbeat_s: float

    async def read(
        self, function: Callable[ArgsT, ResultT], /, *args: ArgsT.args, **kwargs: ArgsT.kwargs
    ) -> ResultT:
        """Run a function that reads the journal, on one of a few threads.

        The journal has a bounded number of connections, and the event loop must always find one
        free.
        """
        call = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.readers, call)

    @property
    def journal_id(self) -> str:
        """Identity of the journal."""
        return self.journal.journal_id

    def account(self, name: str) -> AccountState:
        """Return the state of an account that exists."""
        return self.state.accounts[name]

    async def submit(self, command: Command, *, valid_until_ns: int = 0) -> Done:
        """Send a command of the current call through the sequencer and return what it did, durably.

        Raises ApiError when it was refused or rejected.
        """
        until_ns, is_own = earliest(valid_until_ns, current_call().valid_until_ns)
        caller = current_caller()
        outcome = await self.sequencer.submit(
            command,
            lane=caller.account,
            valid_until_ns=until_ns,
            api_key=caller.key_id,
            is_deadline_own=is_own,
        )
        status = error_status(outcome)
        if status is not None:
            raise ApiError(status)
        assert isinstance(outcome, Done)
        return outcome


def earliest(own_ns: int, call_ns: int) -> tuple[int, bool]:
    """Return the deadline of a command and whether it is its own: a repeat has that again, but not
    the deadline of the call it came with. 0 is none.
    """
    if own_ns and (not call_ns or own_ns <= call_ns):
        return own_ns, True
    return call_ns, False


def error_status(outcome: Outcome) -> status_pb2.Status | None:
    """Return the error that an outcome is, None when the command was done."""
    if isinstance(outcome, Refused):
        return refused_status(outcome)
    if outcome.rejected:
        return rejected_status(
            outcome.rejected, order_id=outcome.order_id, sequence=outcome.as_of_sequence
        )
    return None
