"""Unary calls: one request, one answer, each a task; more than a few wait for their turn."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc.aio
from google.protobuf.message import Message
from tradewire.v1 import session_service_pb2
from tradewire_contract.statuses import make_status

from tradewire_gateway.ws.credential import Credential, Metadata
from tradewire_gateway.ws.json_rpc import Failure
from tradewire_gateway.ws.methods import targets
from tradewire_gateway.ws.requests import Request
from tradewire_gateway.ws.upstream import failure_of, rate_limit_of

if TYPE_CHECKING:
    from tradewire_gateway.ws.connection import Connection

logger = logging.getLogger("tradewire.websocket")

Done = Callable[[Request, Message | None], Failure | None]


class Calls:
    """The unary calls of one connection."""

    def __init__(self, connection: "Connection", *, at_once_max: int, timeout_s: float) -> None:
        self._connection = connection
        self._at_once_max = at_once_max
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[Request, Done]] = deque()

    def start(self, request: Request, done: Done) -> None:
        """Make a call, now or when there is room. `done` gets the response, None of an error; it is
        called before the answer is sent, which is the failure that it returns, if it does.
        """
        if len(self._tasks) >= self._at_once_max:
            self._waiting.append((request, done))
            return
        task = asyncio.get_running_loop().create_task(self._call(request, done))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Give up all calls. What they do at the venue is done, and answered to nobody."""
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._waiting and not self._connection.has_ended:
            self.start(*self._waiting.popleft())

    async def _call(self, request: Request, done: Done) -> None:
        connection = self._connection
        try:
            call: Any = connection.upstream.unary(request.target)(
                request.message, timeout=self._timeout_s, metadata=connection.metadata()
            )
            response: Message = await call
            rate_limit = rate_limit_of(await call.initial_metadata())
            text = request.target.write(response)
        except grpc.aio.AioRpcError as error:
            done(request, None)
            # A call that is refused for its rate has cost no weight, and the gateway as much.
            connection.charge(1)
            await connection.room()
            request.fail(failure_of(error), rate_limit_of(error.initial_metadata()))
        except grpc.aio.UsageError:
            # The channel is closed: this process ends.
            done(request, None)
            request.fail(Failure(make_status("NOT_SERVING", "the gateway ends")))
        except Exception:
            logger.exception("%s failed", request.target.name)
            done(request, None)
            text = "the gateway broke one of its own rules"
            request.fail(Failure(make_status("INTERNAL", text)))
        else:
            failure = done(request, response)
            if failure is not None:
                await self._undo(request, response)
            await connection.room()
            if failure is None:
                request.succeed(text, rate_limit)
            else:
                request.fail(failure, rate_limit)

    async def _undo(self, request: Request, response: Message) -> None:
        """End the session that a sign-in has made, which the connection does not take; also when
        the connection ends meanwhile.
        """
        message = request.message
        if not isinstance(message, session_service_pb2.CreateSessionRequest):
            return
        if message.WhichOneof("proof") == "token":
            # It is one that was there before.
            return
        assert isinstance(response, session_service_pb2.CreateSessionResponse), "it has signed in"
        metadata = self._connection.metadata_of(Credential.of_session(response))
        task = asyncio.get_running_loop().create_task(self._end_session(metadata))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def _end_session(self, metadata: Metadata) -> None:
        target = next(target for target in targets().values() if target.is_sign_out)
        try:
            await self._connection.upstream.unary(target)(
                target.request(), timeout=self._timeout_s, metadata=metadata
            )
        except (grpc.aio.AioRpcError, grpc.aio.UsageError) as error:
            # It ends by itself, within its lifetime.
            logger.warning("a session that nobody uses was not ended: %r", error)
