"""The application of TW-ORDERS: order entry and the account's executions, over one EnterOrders.

Commands go in as they come, in frames; the next does not wait for the one before. Reports come out
of executions and of refusals, never of results: what was done is in the account's executions, in
the order of the journal, whoever did it. A result only settles its command: from then on its number
is remembered as dealt with. What has no result when the connection ends is not: the client is asked
for it at its next logon, and the venue knows commands by their ClOrdIDs(11), so it does none twice.

A command that the venue had done before comes back as a result without an execution of its own.
If the client repeats it under a new number, or says PossResend(97)=Y, it gets the first report once
more, with the same ExecID(17) and PossResend(97)=Y; if it is only sent again for us, with
PossDupFlag(43)=Y, its report is among the executions that the session gets anyway.

Questions (H, AF, BE, AN) are asked when the commands before them have their results, so that they
see them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

import grpc.aio
from google.protobuf.message import Message as ProtoMessage
from google.rpc import status_pb2
from tradewire.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc, stream_pb2
from tradewire_contract.statuses import error_info

from tradewire_gateway.fix import translate
from tradewire_gateway.fix.connection import Connection
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.questions import OF_ACCOUNT, Questions
from tradewire_gateway.fix.reports import POSSIBLE_RESEND, report, words
from tradewire_gateway.fix.session import NotEstablished
from tradewire_gateway.fix.sqlite_store import SqliteStore
from tradewire_gateway.fix.store import Record
from tradewire_gateway.fix.upstream import Caller, status_of

logger = logging.getLogger("tradewire.fix")

FRAME_COMMANDS: Final = 256
# Commands that wait for their results; with more nothing is read from the client.
WAITING_MAX: Final = 4_096
# Questions to the venue at once that answers to commands need.
LOOKUPS_AT_ONCE: Final = 4
# Client order ids of which the first report is found again; for others the state is reported.
REMEMBERED_MAX: Final = 65_536

_COMMANDS: Final = {
    order_service_pb2.PlaceOrderRequest: "place",
    order_service_pb2.AmendOrderRequest: "amend",
    order_service_pb2.CancelOrderRequest: "cancel",
    order_service_pb2.CancelAllOrdersRequest: "cancel_all",
}
_OF_PLACING: Final = (order_pb2.EXECUTION_TYPE_NEW, order_pb2.EXECUTION_TYPE_REJECTED)


@dataclass(slots=True)
class _Command:
    """A command on its way."""

    number: int
    message: Message
    request: Any
    client_order_id: str
    is_duplicate: bool
    is_reported: bool = False


class OrderApplication:
    """One connection's order entry; see the module's docstring."""

    def __init__(
        self,
        connection: Connection,
        channel: grpc.aio.Channel,
        caller: Caller,
        store: SqliteStore,
        *,
        cancel_on_disconnect: bool,
    ) -> None:
        self._connection = connection
        self._caller = caller
        self._store = store
        self._stub = order_service_pb2_grpc.OrderServiceStub(channel)
        self._cancel_on_disconnect = cancel_on_disconnect
        self._call: Any = None
        # Not yet sent; sent and without result; by their id those of the latter that have one.
        self._queue = deque[_Command]()
        self._waiting = deque[_Command]()
        self._by_id: dict[str, _Command] = {}
        self._wakeup = asyncio.Event()
        self._progress = asyncio.Event()
        self._questions = asyncio.Queue[tuple[int, Message, ProtoMessage, int]](WAITING_MAX)
        self._taken_count = self._settled_count = 0
        self._lookups = 0
        self._may_look_up = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._asking = Questions(channel, caller)
        self._sequences: dict[str, int] = {}
        self._limit: stream_pb2.RateLimit | None = None

    # --- what the connection calls ---

    def start(self) -> None:
        """Open the stream and begin."""
        self._connection.spawn(self._run())
        self._connection.spawn(self._answer_questions())

    def deliver(self, message: Message, number: int) -> None:
        """Take a message of the client."""
        try:
            request = translate.to_request(message)
        except translate.Untranslatable as error:
            self._refuse(message, error.status)
            self._connection.done(number)
            return
        if type(request) in _COMMANDS:
            self._take(message, number, request)
        elif isinstance(request, OF_ACCOUNT):
            try:
                self._questions.put_nowait((number, message, request, self._taken_count))
            except asyncio.QueueFull:
                self._connection.reject_business(message, 4, "Too many questions at once")
                self._connection.done(number)
        else:
            self._connection.reject_business(
                message, 3, f"MsgType(35) {message.type} is not served by TW-ORDERS"
            )
            self._connection.done(number)

    def flush(self) -> None:
        """Send what was delivered."""
        if self._queue:
            self._wakeup.set()

    @property
    def is_full(self) -> bool:
        """Whether as many commands wait as may."""
        return len(self._queue) + len(self._waiting) + self._lookups >= WAITING_MAX

    async def room(self) -> None:
        """Wait until fewer commands wait."""
        while self.is_full:
            self._progress.clear()
            await self._progress.wait()

    async def complete(self, records: list[tuple[int, Record]]) -> list[tuple[int, Record]] | None:
        """Make the reports of executions again."""
        try:
            return await self._caller.complete(records)
        except grpc.aio.AioRpcError as error:
            self._connection.end(words(status_of(error)))
            return None

    async def close(self) -> None:
        """End the stream: with it goes what is to be canceled on disconnect."""
        if self._call is not None:
            self._call.cancel()

    # --- commands in ---

    def _take(self, message: Message, number: int, request: Any) -> None:
        command = _Command(
            number,
            message,
            request,
            getattr(request, "client_order_id", ""),
            message.header.flag(43),
        )
        self._taken_count += 1
        self._queue.append(command)

    async def _run(self) -> None:
        try:
            self._call = self._stub.EnterOrders(metadata=await self._caller.metadata())
            await self._call.write(
                order_service_pb2.EnterOrdersRequest(
                    after_sequence=self._store.position.reported,
                    cancel_on_disconnect=self._cancel_on_disconnect,
                )
            )
            self._connection.spawn(self._send_commands())
            while (response := await self._call.read()) is not grpc.aio.EOF:
                await self._on_response(response)
                # Who takes nothing is not sent more; the venue's own bound is behind this one.
                await self._connection.taken()
        except grpc.aio.AioRpcError as error:
            self._connection.end(words(status_of(error)))
        except NotEstablished:
            # The client is logging out: what it has not been sent it gets at its next logon.
            return
        else:
            self._connection.end("The venue has ended the stream: log on again")

    async def _send_commands(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            while self._queue:
                frame = order_service_pb2.EnterOrdersRequest()
                while self._queue and len(frame.commands) < FRAME_COMMANDS:
                    command = self._queue.popleft()
                    self._waiting.append(command)
                    if command.client_order_id:
                        self._by_id[command.client_order_id] = command
                    kind = _COMMANDS[type(command.request)]
                    getattr(frame.commands.add(), kind).CopyFrom(command.request)
                try:
                    await self._call.write(frame)
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    # Whoever reads the stream says why it has ended.
                    return

    # --- reports out ---

    async def _on_response(self, response: order_service_pb2.EnterOrdersResponse) -> None:
        kind = response.WhichOneof("event")
        if kind == "batch":
            batch = response.batch
            if batch.HasField("rate_limit"):
                self._limit = batch.rate_limit
            await self._report(batch.executions)
            for result in batch.results:
                self._settle(result)
            self._progress.set()
            self._connection.perform()
        elif kind == "closing":
            self._connection.end(words(response.closing.status))

    async def _report(self, executions: Any) -> None:
        limit, self._limit = (self._limit, None) if executions else (None, self._limit)
        tail = "" if limit is None else _limit_fields(limit)
        await report(self._connection, self._store, executions, note=self._note, tail=tail)

    def _note(self, execution: order_pb2.Execution) -> None:
        """See which command an execution reports, if it is one of ours."""
        client_order_id = execution.command_client_order_id
        if execution.type in _OF_PLACING:
            client_order_id = execution.order.client_order_id
        if not client_order_id:
            return
        command = self._by_id.get(client_order_id)
        if command is not None:
            command.is_reported = True
        sequences = self._sequences
        if client_order_id not in sequences:
            if len(sequences) >= REMEMBERED_MAX:
                del sequences[next(iter(sequences))]
            sequences[client_order_id] = execution.sequence

    def _settle(self, result: order_service_pb2.CommandResult) -> None:
        """Take the result of the command that has waited longest."""
        command = self._waiting.popleft()
        if self._by_id.get(command.client_order_id) is command:
            del self._by_id[command.client_order_id]
        self._settled_count += 1
        outcome = result.WhichOneof("outcome")
        if outcome == "error":
            self._settle_error(command, result.error)
            return
        if outcome == "canceled_count":
            response = order_service_pb2.CancelAllOrdersResponse(
                canceled_count=result.canceled_count, as_of_sequence=result.as_of_sequence
            )
            answer = translate.mass_cancel_report(
                command.message, response, now_ns=self._connection.now_ns()
            )
            self._connection.send(answer.type, answer.body)
        elif not command.is_reported and not command.is_duplicate:
            self._look_up(self._repeat(command, result, None))
            return
        self._connection.done(command.number)

    def _settle_error(self, command: _Command, status: status_pb2.Status) -> None:
        is_rejected = error_info(status).metadata.get("outcome") == "rejected"
        if is_rejected and (command.is_reported or command.is_duplicate):
            pass
        elif is_rejected and command.client_order_id in self._sequences:
            self._look_up(self._repeat(command, None, status))
            return
        elif _may_know_order(command, status):
            self._look_up(self._refuse_with_order(command, status))
            return
        else:
            self._refuse(command.message, status)
        self._connection.done(command.number)

    def _look_up(self, answer: Coroutine[Any, Any, None]) -> None:
        """Answer a command when the venue was asked, a few at once; it counts as waiting."""
        self._lookups += 1
        self._connection.spawn(self._answer_looked_up(answer))

    async def _answer_looked_up(self, answer: Coroutine[Any, Any, None]) -> None:
        try:
            async with self._may_look_up:
                await answer
                # What is found is sent as fast as it is taken.
                await self._connection.taken()
        finally:
            answer.close()
            self._lookups -= 1
            self._progress.set()

    async def _repeat(
        self,
        command: _Command,
        result: order_service_pb2.CommandResult | None,
        status: status_pb2.Status | None,
    ) -> None:
        """Report what a repeated command did when it came first."""
        sequence = self._sequences.get(command.client_order_id)
        execution = None if sequence is None else await self._caller.execution(sequence)
        with contextlib.suppress(NotEstablished):
            header = Fields({POSSIBLE_RESEND: "Y"})
            if execution is not None:
                body = translate.execution_report(execution)
                self._connection.send("8", body, header=header)
            elif result is not None:
                body = translate.order_status_report(
                    result.order, command.message, as_of_sequence=result.as_of_sequence
                )
                self._connection.send("8", body, header=header)
            elif status is not None:
                self._refuse(command.message, status)
            self._connection.done(command.number)
        self._connection.perform()

    def _refuse(
        self, message: Message, status: status_pb2.Status, order: order_pb2.Order | None = None
    ) -> None:
        limit, self._limit = self._limit, None
        answer = translate.refusal(
            message,
            status,
            now_ns=self._connection.now_ns(),
            identity=self._connection.identity(message),
            order=order,
            limit=limit,
        )
        self._connection.send(answer.type, answer.body)

    async def _refuse_with_order(self, command: _Command, status: status_pb2.Status) -> None:
        """Refuse a cancel or amend, saying how the order is."""
        request = command.request
        asked = order_service_pb2.GetOrderRequest(
            order_id=request.order_id, account=request.account
        )
        if request.WhichOneof("target") == "original_client_order_id":
            asked.client_order_id = request.original_client_order_id
        order = None
        with contextlib.suppress(grpc.aio.AioRpcError):
            order = (await self._caller.order(asked)).order
        with contextlib.suppress(NotEstablished):
            self._refuse(command.message, status, order)
            self._connection.done(command.number)
        self._connection.perform()

    # --- questions ---

    async def _answer_questions(self) -> None:
        while True:
            number, message, request, commands_before = await self._questions.get()
            while self._settled_count < commands_before:
                self._progress.clear()
                await self._progress.wait()
            try:
                answers = await self._asking.answers(
                    message,
                    request,
                    now_ns=self._connection.now_ns(),
                    identity=self._connection.identity(message),
                )
            except grpc.aio.AioRpcError as error:
                with contextlib.suppress(NotEstablished):
                    self._refuse(message, status_of(error))
            else:
                await self._connection.send_answers(answers)
            self._connection.done(number)
            self._connection.perform()
            await self._connection.taken()


def _may_know_order(command: _Command, status: status_pb2.Status) -> bool:
    """Say whether a refusal is about an order that there is."""
    return (
        isinstance(
            command.request,
            order_service_pb2.AmendOrderRequest | order_service_pb2.CancelOrderRequest,
        )
        and command.request.WhichOneof("target") is not None
        and error_info(status).reason not in ("ORDER_NOT_FOUND", "RATE_LIMITED")
    )


def _limit_fields(limit: stream_pb2.RateLimit) -> str:
    return f"20014={limit.limit}\x0120015={limit.remaining}\x0120016={limit.reset_ms}\x01"
