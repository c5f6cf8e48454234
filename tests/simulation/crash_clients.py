"""The clients of a crash run: unary callers, order entry streams, followers of executions.

Each lives as long as the venue's process does and notes what it is told as it is told. What one
learns from one process is held against what the next one says.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from typing import Final

import grpc
import grpc.aio
from tradewire.v1 import order_pb2, order_service_pb2, stream_pb2

from tests.simulation.crash_checks import Copy
from tests.simulation.crash_orders import OrderSource
from tests.simulation.crash_wire import Connection, Stream, failure_in, fields, result_of
from tests.support.history import (
    PASSING_REFUSALS,
    Answer,
    Attempt,
    Failure,
    History,
    Kind,
    Operation,
    Result,
)

BATCH, CAUGHT_UP, HEARTBEAT, CLOSING = 1, 3, 4, 5
EXECUTIONS, RESULTS = 1, 2
IN_FLIGHT_MAX: Final = 48
RETRY_SHARE: Final = 0.04
REUSE_SHARE: Final = 0.01
HURRY_SHARE: Final = 0.02

COMMAND_FIELDS: Final = {
    Kind.PLACE: "place",
    Kind.AMEND: "amend",
    Kind.CANCEL: "cancel",
    Kind.CANCEL_ALL: "cancel_all",
}


class Account:
    """What the clients of one account share, over all lives of the venue."""

    def __init__(self, name: str, history: History, chance: random.Random) -> None:
        self.name = name
        self.history = history
        self.chance = chance
        self.source = OrderSource(name, chance)
        self.repeatable: list[Operation] = []
        self.life = 0

    def next_operation(self) -> Operation:
        """Return a new operation, sometimes one that was sent before."""
        if self.repeatable and self.chance.random() < RETRY_SHARE:
            return self.chance.choice(self.repeatable)
        idea = self.source.next()
        operation = self.history.begin(
            self.name, idea.kind, idea.request, client_order_id=idea.client_order_id
        )
        if idea.client_order_id:
            self.repeatable.append(operation)
        return operation

    def invoke(self, operation: Operation, *, cancel_on_disconnect: bool = False) -> Attempt:
        """Note that an operation is sent to the present life of the venue."""
        return self.history.invoke(
            operation, life=self.life, cancel_on_disconnect=cancel_on_disconnect
        )

    def complete(self, operation: Operation, attempt: Attempt, result: Result) -> None:
        """Note a result."""
        self.history.complete(operation, attempt, result)
        if isinstance(result, Answer):
            self.source.learned(result)


class UnaryClient:
    """Sends one command after the other by unary calls, until nobody answers any more."""

    def __init__(self, account: Account, connection: Connection) -> None:
        self._account = account
        self._connection = connection

    async def run(self) -> None:
        """Send commands as long as the venue lives."""
        account = self._account
        while True:
            if account.chance.random() < REUSE_SHARE and not await self._reuse():
                return
            operation = account.next_operation()
            hurried = account.chance.random() < HURRY_SHARE
            timeout_s = account.chance.uniform(0.0005, 0.01) if hurried else 20.0
            attempt = account.invoke(operation)
            result = await self._connection.command(
                operation.kind, operation.request, timeout_s=timeout_s
            )
            if result is not None:
                account.complete(operation, attempt, result)
                if isinstance(result, Failure) and result.reason == "NOT_SERVING":
                    await asyncio.sleep(0.02)
            elif not hurried:
                return

    async def _reuse(self) -> bool:
        """Use an acknowledged id for something else; False when nobody answers."""
        account = self._account
        known = [operation for operation in account.repeatable[-50:] if operation.first_answer]
        if not known:
            return True
        operation = account.chance.choice(known)
        request = order_service_pb2.PlaceOrderRequest(
            client_order_id=operation.client_order_id,
            symbol="BTC-USD",
            side=order_pb2.SIDE_BUY,
            type=order_pb2.ORDER_TYPE_LIMIT,
            quantity="0.7777",
            price="55.55",
        )
        result = await self._connection.command(Kind.PLACE, request)
        if result is None:
            return False
        if not isinstance(result, Failure) or result.reason not in (
            "CLIENT_ORDER_ID_REUSED",
            "NOT_SERVING",
        ):
            account.history.violate(f"{operation}: its id was taken for another order: {result}")
        return True


class CopyBuilder:
    """Puts an account's executions together as they come, over any number of streams."""

    def __init__(self, name: str, account: str, history: History) -> None:
        self.name = name
        self._account = account
        self._history = history
        self._journal_id = ""
        self._is_broken = False
        self.executions: list[bytes] = []

    def copy(self, *, complete: bool) -> Copy:
        """Return what came so far."""
        return Copy(self.name, self._account, self.executions, complete)

    def add(self, execution: bytes) -> None:
        """Take the next execution."""
        sequence = next(value for number, value in fields(execution) if number == 1)
        if sequence != len(self.executions) + 1:
            self._complain(f"execution {sequence} follows {len(self.executions)}")
        self.executions.append(execution)

    def take(self, number: int, data: bytes) -> bool:
        """Take what a stream says about itself; False when it says that it ends."""
        if number == CAUGHT_UP:
            caught_up = stream_pb2.CaughtUp.FromString(data)
            self._expect("caught up", caught_up.as_of_sequence)
            self._journal_id = self._journal_id or caught_up.journal_id
            if caught_up.journal_id != self._journal_id:
                self._complain("the journal has another id")
        elif number == HEARTBEAT:
            self._expect("heartbeat", stream_pb2.Heartbeat.FromString(data).as_of_sequence)
        elif number == CLOSING:
            self._expect("closing", stream_pb2.Closing.FromString(data).resume_after)
            return False
        return True

    @contextlib.contextmanager
    def until_failure(self) -> Iterator[None]:
        """End quietly when a call fails because the venue has died, or does not serve."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            failure = failure_in(error)
            if failure is not None and failure.reason not in PASSING_REFUSALS:
                self._complain(f"is refused after {len(self.executions)}: {failure}")
        except asyncio.InvalidStateError:
            # What gRPC says to a write behind the end of the call.
            pass

    def _expect(self, name: str, sequence: int) -> None:
        if sequence != len(self.executions):
            self._complain(f"{name} says {sequence}, {len(self.executions)} executions came")

    def _complain(self, text: str) -> None:
        """Note the first thing that is wrong; what follows from it is not worth a word."""
        if not self._is_broken:
            self._is_broken = True
            self._history.violate(f"follower {self.name} of {self._account}: {text}")

    async def reaches(self, sequence: int, *, within_s: float = 20.0) -> None:
        """Wait until everything up to a sequence has come."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + within_s
        while len(self.executions) < sequence and not self._is_broken:
            if loop.time() > give_up:
                self._complain(f"has {len(self.executions)} of {sequence} executions, and waits")
                return
            await asyncio.sleep(0.01)


class Follower:
    """Follows an account by StreamExecutions; leaves and comes back at random."""

    def __init__(self, name: str, account: Account, *, restless: bool) -> None:
        self.builder = CopyBuilder(name, account.name, account.history)
        self._account = account
        self._restless = restless

    async def run(self, connection: Connection) -> None:
        """Follow as long as the venue lives."""
        # It may fail at any message: what came before counts.
        with self.builder.until_failure():
            while True:
                await self._follow_once(connection)

    async def _follow_once(self, connection: Connection) -> None:
        builder, chance = self.builder, self._account.chance
        messages_left = chance.randint(5, 60) if self._restless else -1
        call = connection.follow(len(builder.executions))
        try:
            async for message in call:
                for number, data in fields(message):
                    if number == BATCH:
                        for field, execution in fields(data):
                            if field == EXECUTIONS:
                                builder.add(execution)
                    else:
                        builder.take(number, data)
                messages_left -= 1
                if messages_left == 0:
                    return
        finally:
            call.cancel()


class EntryClient:
    """Enters orders by EnterOrders, connection after connection.

    It resumes the account's executions each time, so it is a follower too.
    """

    def __init__(self, name: str, account: Account, *, cancel_on_disconnect: bool) -> None:
        self.builder = CopyBuilder(name, account.name, account.history)
        self._account = account
        self._cancel_on_disconnect = cancel_on_disconnect

    async def run(self, connection: Connection) -> None:
        """Enter orders as long as the venue lives."""
        # It may fail at any message: what has no result by then is unknown.
        with self.builder.until_failure():
            while True:
                await _EntryStream(self._account, self.builder, connection).run(
                    cancel_on_disconnect=self._cancel_on_disconnect
                )


class _EntryStream:
    """One connection of an entry client."""

    def __init__(self, account: Account, builder: CopyBuilder, connection: Connection) -> None:
        self._account = account
        self._builder = builder
        self._call: Stream = connection.enter_orders()
        self._in_flight: dict[int, tuple[Operation, Attempt]] = {}
        self._sent = 0
        self._results = 0
        self._told_to_end = False
        self._is_over = False
        self._room = asyncio.Event()

    async def run(self, *, cancel_on_disconnect: bool) -> None:
        """Enter frames for a while, then leave in one of two ways.

        Raises AioRpcError when the venue does not answer any more.
        """
        reader = asyncio.create_task(self._read())
        try:
            await self._enter(cancel_on_disconnect=cancel_on_disconnect)
            if self._account.chance.random() < 0.5:
                await self._call.done_writing()
                await reader
                if self._in_flight and not self._told_to_end:
                    self._complain(f"half-closed, {len(self._in_flight)} results never came")
        finally:
            reader.cancel()
            self._call.cancel()
            outcomes = await asyncio.gather(reader, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _enter(self, *, cancel_on_disconnect: bool) -> None:
        chance = self._account.chance
        first = order_service_pb2.EnterOrdersRequest(
            after_sequence=len(self._builder.executions),
            cancel_on_disconnect=cancel_on_disconnect,
        )
        await self._call.write(first)
        for _ in range(chance.randint(20, 150)):
            operations = [self._account.next_operation() for _ in range(chance.randint(1, 24))]
            frame = order_service_pb2.EnterOrdersRequest(commands=map(_command_of, operations))
            for operation in operations:
                self._sent += 1
                attempt = self._account.invoke(operation, cancel_on_disconnect=cancel_on_disconnect)
                self._in_flight[self._sent] = (operation, attempt)
            await self._call.write(frame)
            await asyncio.sleep(chance.uniform(0, 0.02))
            while len(self._in_flight) > IN_FLIGHT_MAX and not self._is_over:
                self._room.clear()
                await self._room.wait()

    async def _read(self) -> None:
        """Take what comes until the stream ends.

        Raises AioRpcError.
        """
        try:
            async for message in self._call:
                for number, data in fields(message):
                    if number == BATCH:
                        self._take_batch(data)
                    elif not self._builder.take(number, data):
                        self._told_to_end = True
                        return
        finally:
            self._is_over = True
            self._room.set()

    def _take_batch(self, data: bytes) -> None:
        for number, value in fields(data):
            if number == EXECUTIONS:
                self._builder.add(value)
            elif number == RESULTS:
                self._take_result(value)
        self._room.set()

    def _take_result(self, data: bytes) -> None:
        result = result_of(data)
        self._results += 1
        if result.number != self._results:
            self._complain(f"result {result.number} comes in place of {self._results}")
        if result.as_of_sequence > len(self._builder.executions):
            self._complain(f"result {result.number} precedes execution {result.as_of_sequence}")
        operation, attempt = self._in_flight.pop(result.number)
        if result.client_order_id != operation.client_order_id:
            self._complain(f"result {result.number} is of {result.client_order_id}")
        self._account.complete(operation, attempt, result.result)

    def _complain(self, text: str) -> None:
        self._account.history.violate(f"stream {self._builder.name}: {text}")


def _command_of(operation: Operation) -> order_service_pb2.OrderCommand:
    command = order_service_pb2.OrderCommand()
    getattr(command, COMMAND_FIELDS[operation.kind]).CopyFrom(operation.request)
    return command
