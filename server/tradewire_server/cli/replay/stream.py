"""An order entry stream over the generated protobuf code, for a client that sends a lot.

The SDK spends some hundred microseconds on each answer, which is nothing to a person or a strategy,
and most of the time of a replay; protobuf's own code spends a few. So this module alone of all the
command line uses it. It knows frames, results and executions, and nothing of recordings.

A stream that breaks ends the replay: unlike the SDK's it is not opened again, for the next try
starts with an empty book anyway.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import grpc.aio
from google.rpc import status_pb2
from tradewire.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from tradewire_contract.statuses import error_info

from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.replay.mirror import Step
from tradewire_server.cli.replay.recording import Side

FRAME_COMMANDS = 128
# Commands without an answer. It bounds what waits here and at the venue, and keeps both busy.
PENDING_MAX = 4096
_SIDES: dict[int, Side] = {order_pb2.SIDE_BUY: "buy", order_pb2.SIDE_SELL: "sell"}
_SIDE_NUMBERS = {"buy": order_pb2.SIDE_BUY, "sell": order_pb2.SIDE_SELL}
_PLACING = (order_pb2.EXECUTION_TYPE_NEW, order_pb2.EXECUTION_TYPE_REJECTED)


class Refusal(NamedTuple):
    """A command that was refused or rejected."""

    command: int
    reason: str


class Listener(Protocol):
    """Takes what comes out of the stream, in its order."""

    def executed(self, step: Step) -> None:
        """Take the next execution of the account."""

    def refused(self, refusal: Refusal) -> None:
        """Take a command that had no effect, or was rejected."""


class OrderStream:
    """Sends commands in frames; `async with` opens it and waits for all answers at the end.

    Commands are numbered from 1 in the order in which they are given. Client order ids are `run`, a
    hyphen and the number.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        metadata: Sequence[tuple[str, str]],
        listener: Listener,
        *,
        run: str,
        symbol: str,
    ) -> None:
        self._stub = order_service_pb2_grpc.OrderServiceStub(channel)
        self._metadata = tuple(metadata)
        self._listener = listener
        self._run = run
        self._symbol = symbol
        self._frame = order_service_pb2.EnterOrdersRequest()
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._answered = 0
        self._progress = asyncio.Event()
        self.sent = 0
        """Commands given so far: the number of the last one."""

    async def __aenter__(self) -> "OrderStream":
        self._call = self._stub.EnterOrders(metadata=self._metadata)
        await self._call.write(order_service_pb2.EnterOrdersRequest())
        # Executions are complete from here on only.
        first = await self._read()
        assert first is not None
        assert first.HasField("caught_up"), "a stream from now begins where it is"
        self._reader = asyncio.create_task(self._take_all(), name="replay answers")
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        assert self._reader is not None, "it was opened"
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        self._call.cancel()

    async def place(
        self, side: Side, *, price: Decimal, quantity: Decimal, post_only: bool = False
    ) -> int:
        """Place a limit order and return the command's number."""
        place = self._frame.commands.add().place
        place.client_order_id = self._next_name()
        place.symbol = self._symbol
        place.side = _SIDE_NUMBERS[side]
        place.type = order_pb2.ORDER_TYPE_LIMIT
        place.price = format(price, "f")
        place.quantity = format(quantity, "f")
        if post_only:
            place.post_only = order_pb2.POST_ONLY_REJECT
        await self._advance()
        return self.sent

    async def cancel(self, command: int) -> int:
        """Cancel the order that a command placed, and return the command's number."""
        cancel = self._frame.commands.add().cancel
        cancel.original_client_order_id = f"{self._run}-{command}"
        cancel.client_order_id = self._next_name()
        await self._advance()
        return self.sent

    async def flush(self) -> None:
        """Wait until every command has its answer; all executions before it have been taken then.

        Raises CommandFailed when the stream has ended.
        """
        await self._write()
        await self._until(0)

    def _next_name(self) -> str:
        self.sent += 1
        return f"{self._run}-{self.sent}"

    async def _advance(self) -> None:
        if len(self._frame.commands) >= FRAME_COMMANDS:
            await self._write()
            await self._until(PENDING_MAX)

    async def _write(self) -> None:
        if not self._frame.commands:
            return
        frame, self._frame = self._frame, order_service_pb2.EnterOrdersRequest()
        try:
            await self._call.write(frame)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The reader knows why.
            assert self._reader is not None, "it was opened"
            await self._reader

    async def _until(self, pending: int) -> None:
        assert self._reader is not None, "it was opened"
        while self.sent - self._answered > pending:
            if self._reader.done():
                self._reader.result()
                raise CommandFailed("the stream ended before everything was answered: try again")
            self._progress.clear()
            await self._progress.wait()

    async def _read(self) -> order_service_pb2.EnterOrdersResponse | None:
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise CommandFailed(f"the venue ended the stream: {error.details()}") from error
        return None if message is grpc.aio.EOF else message

    async def _take_all(self) -> None:
        try:
            while (message := await self._read()) is not None:
                if message.HasField("closing"):
                    status = message.closing.status
                    raise CommandFailed(f"the venue ended the stream: {status.message}")
                self._take(message.batch)
        finally:
            self._progress.set()

    def _take(self, batch: order_service_pb2.OrderEntryBatch) -> None:
        executed = self._listener.executed
        for execution in batch.executions:
            if execution.order.symbol == self._symbol:
                executed(self._step(execution))
        for result in batch.results:
            self._answered = result.command_number
            if result.HasField("error"):
                self._listener.refused(Refusal(result.command_number, reason_of(result.error)))
        if batch.results:
            self._progress.set()

    def _step(self, execution: order_pb2.Execution) -> Step:
        order = execution.order
        name = (
            order.client_order_id
            if execution.type in _PLACING
            else execution.command_client_order_id
        )
        traded = None
        if execution.liquidity == order_pb2.LIQUIDITY_TAKER:
            traded = (Decimal(execution.last_price), Decimal(execution.last_quantity))
        return Step(
            self._number(name),
            order.order_id,
            _SIDES[order.side],
            Decimal(order.price),
            Decimal(order.leaves_quantity),
            traded,
        )

    def _number(self, name: str) -> int | None:
        run, _, number = name.rpartition("-")
        return int(number) if run == self._run and number.isdecimal() else None


def reason_of(status: status_pb2.Status) -> str:
    """Return the machine-readable reason of an error."""
    return error_info(status).reason or status.message
