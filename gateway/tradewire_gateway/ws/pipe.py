"""The commands of a connection, in order, through one stream of its own.

Theory of operation. A writer task takes what waits, as many commands as one frame holds, and sends
them; a reader task takes the results and answers the oldest unanswered command with each, as its
unary RPC would. What came together goes together, and what comes while a frame is being sent goes
with the next one: no task and no call is made for a single order.

The stream is opened with the first command and stays until the connection ends. When it ends before
(the venue has ended, for one), what it had under way is answered with ANSWER_LOST, since nobody
here knows what became of it, and the next command opens another one. A stream that is refused
answers each of the commands that it was opened with, none of which has then had an effect.
"""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import grpc.aio
from google.protobuf.message import Message
from tradewire.v1 import stream_pb2
from tradewire_contract.statuses import make_status

from tradewire_gateway.ws.json_form import writer
from tradewire_gateway.ws.json_rpc import Failure
from tradewire_gateway.ws.methods import CommandStream
from tradewire_gateway.ws.requests import Request
from tradewire_gateway.ws.upstream import failure_of, lost, rate_limit_of

if TYPE_CHECKING:
    from tradewire_gateway.ws.connection import Connection

logger = logging.getLogger("tradewire.websocket")

FRAME_COMMANDS_MAX: Final = 256
# Time for the venue to answer what a connection has sent before its end.
STOP_S: Final = 5.0
_write_rate_limit = writer(stream_pb2.RateLimit.DESCRIPTOR)


class CommandPipe:
    """Carries the commands of one connection over one stream of the contract."""

    def __init__(
        self, connection: "Connection", stream: CommandStream, first: dict[str, Any]
    ) -> None:
        """`first` are settings of the stream, which its first frame says."""
        self._connection = connection
        self._tenure = connection.tenure
        self._stream = stream
        self._first = first
        self._waiting: deque[Request] = deque()
        self._sent: deque[Request] = deque()
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_open = False
        self._is_stopping = False

    @property
    def is_idle(self) -> bool:
        """Whether every command has been answered."""
        return not self._waiting and not self._sent

    @property
    def was_used(self) -> bool:
        """Whether a stream has been opened."""
        return self._task is not None

    def put(self, request: Request) -> None:
        """Take a command; it goes with those that come before the loop turns."""
        self._waiting.append(request)
        self._more.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """End the stream: what came before is still done, and answered to nobody."""
        self._is_stopping = True
        self._more.set()
        if self._task is None:
            return
        if self.is_idle:
            self._task.cancel()
        else:
            asyncio.get_running_loop().call_later(STOP_S, self._task.cancel)

    async def _run(self) -> None:
        while not (self._is_stopping and self.is_idle):
            await self._more.wait()
            try:
                await self._serve()
            except grpc.aio.AioRpcError as error:
                self._fail(failure_of(error), rate_limit_of(error.initial_metadata()))
            except (grpc.aio.UsageError, asyncio.InvalidStateError):
                # The channel is closed, or the call ended while a frame was being sent.
                self._fail(lost())
            except Exception:
                logger.exception("the stream of commands failed")
                text = "the gateway broke one of its own rules"
                self._fail(Failure(make_status("INTERNAL", text, outcome="unknown")))

    async def _serve(self) -> None:
        """Open a stream and serve it to its end."""
        self._is_open = False
        channel = self._connection.upstream.lease()
        try:
            call = channel.pipe(self._stream.path)(metadata=self._connection.metadata())
            writing = asyncio.get_running_loop().create_task(self._write(call))
            try:
                await self._read(call)
            finally:
                writing.cancel()
                call.cancel()
        finally:
            channel.give_back()
        self._fail(lost())

    async def _write(self, call: Any) -> None:
        settings = self._first
        waiting, sent = self._waiting, self._sent
        try:
            while True:
                frame = self._stream.frame(**settings)
                settings = {}
                commands = getattr(frame, self._stream.commands)
                for _ in range(min(len(waiting), FRAME_COMMANDS_MAX)):
                    request = waiting.popleft()
                    command = request.target.command
                    assert command is not None, "only commands come here"
                    getattr(commands.add(), command.member).CopyFrom(request.message)
                    sent.append(request)
                await call.write(frame.SerializeToString())
                if not waiting:
                    self._more.clear()
                    if self._is_stopping:
                        await call.done_writing()
                        return
                    await self._more.wait()
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            # The stream has ended: its reader says why.
            return

    async def _read(self, call: Any) -> None:
        connection, stream = self._connection, self._stream
        parse, batch_of = stream.response.FromString, stream.batch
        while True:
            data = await call.read()
            if data is grpc.aio.EOF:
                return
            self._is_open = True
            message = parse(data)
            if not message.HasField(batch_of):
                connection.look_for_end(data, stream, self._tenure)
                continue
            batch = getattr(message, batch_of)
            results = getattr(batch, stream.results)
            if not results:
                continue
            rate_limit = ""
            if stream.rate_limit and batch.HasField(stream.rate_limit):
                rate_limit = _write_rate_limit(getattr(batch, stream.rate_limit))
            for result in results:
                self._answer(result, rate_limit)
            if self.is_idle:
                connection.advance()

    def _answer(self, result: Message, rate_limit: str) -> None:
        request = self._sent.popleft()
        if result.HasField(self._stream.error):
            request.fail(Failure(getattr(result, self._stream.error)), rate_limit)
        else:
            # A result has every field of the response, so it is written as one.
            request.succeed(request.target.write(result), rate_limit)

    def _fail(self, failure: Failure, rate_limit: str = "") -> None:
        """Answer what is under way. What has not been sent waits for the next stream, if this one
        took anything.
        """
        if self._is_open:
            # Something may have been done of what was sent, whatever the stream died of.
            failure = lost()
        failed = self._sent or self._waiting
        requests = tuple(failed)
        failed.clear()
        if not self._waiting:
            self._more.clear()
        for request in requests:
            request.fail(failure, rate_limit)
        if self.is_idle:
            self._connection.advance()
