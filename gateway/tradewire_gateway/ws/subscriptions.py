"""Subscriptions: streams of the venue as notifications, each with a task of its own.

A stream is read no further while the client has no room: what waits for the client waits at the
venue, which conflates market data and ends a stream of executions in band. So a client that reads
slowly holds a bounded buffer here and nobody up.
"""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import grpc.aio
from google.rpc import status_pb2
from tradewire.v1 import websocket_pb2
from tradewire_contract.statuses import make_status

from tradewire_gateway.ws import json_rpc
from tradewire_gateway.ws.credential import Metadata
from tradewire_gateway.ws.json_form import writer
from tradewire_gateway.ws.json_rpc import Failure
from tradewire_gateway.ws.methods import Kind, notification_name
from tradewire_gateway.ws.rendering import renderer
from tradewire_gateway.ws.requests import Request
from tradewire_gateway.ws.upstream import StreamChannel, failure_of, lost, rate_limit_of

if TYPE_CHECKING:
    from tradewire_gateway.ws.connection import Connection

logger = logging.getLogger("tradewire.websocket")

_write_closed = writer(websocket_pb2.SubscriptionClosed.DESCRIPTOR)
_write_subscription = writer(websocket_pb2.Subscription.DESCRIPTOR)
_TAIL: Final = b"}}"


class Subscription:
    """One subscription of a connection. It answers its request when the first message is there."""

    def __init__(self, connection: "Connection", number: int, request: Request) -> None:
        self._connection = connection
        self._tenure = connection.tenure
        # What it was opened with, None before.
        self.metadata: Metadata | None = None
        self._ended_with: status_pb2.Status | None = None
        self.number = number
        self.target = request.target
        self._request: Request | None = request
        self._first = request.message
        name = json_rpc.quoted(request.target.name)
        self._head = (
            f'{{"jsonrpc":"2.0","method":{name},"params":{{"subscription":{number},"message":'
        ).encode()
        self._is_canceled = False
        self._has_begun = False
        self._was_refused = False
        self._sends: deque[Request] = deque()
        self._more = asyncio.Event()
        # The client knows the number before it reads of it, also when it subscribes in a batch.
        self._then = request.then
        self._is_known = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def takes_messages(self) -> bool:
        """Whether the client may send further messages."""
        return self.target.kind is Kind.PIPE and not self._is_canceled

    def send(self, request: Request) -> None:
        """Send a further message, behind those before; it is answered when it was taken."""
        self._sends.append(request)
        self._more.set()

    def cancel(self) -> None:
        """End it for the client. What it has sent before is answered first."""
        if self._is_canceled:
            return
        self._is_canceled = True
        self._more.set()
        if self.target.kind is not Kind.PIPE:
            self._cancel_task()

    def finish(self, status: status_pb2.Status) -> None:
        """End it for a reason that the client is told."""
        self._ended_with = status
        self._is_canceled = True
        self._cancel_task()

    def stop(self) -> None:
        """End it with its connection: nothing more is said."""
        self._is_canceled = True
        self._sends.clear()
        self._cancel_task()

    def _cancel_task(self) -> None:
        # A task that is canceled before its first step never takes one, and nobody would be told.
        if self._has_begun:
            self._task.cancel()

    async def _run(self) -> None:
        self._has_begun = True
        if self._is_canceled and (
            self.target.kind is not Kind.PIPE
            or self._connection.has_ended
            or self._ended_with is not None
        ):
            self._end(self._ended_with)
            return
        status: status_pb2.Status | None = None
        channel = self._connection.upstream.lease()
        call: Any = None
        writing: asyncio.Task[None] | None = None
        try:
            call = self._open(channel)
            if self.target.kind is Kind.PIPE:
                writing = asyncio.get_running_loop().create_task(self._write(call))
            await self._read(call)
        except asyncio.CancelledError:
            # By the client, or with the connection, which then says nothing any more.
            status = self._ended_with
        except grpc.aio.AioRpcError as error:
            status = self._refuse(failure_of(error), rate_limit_of(error.initial_metadata()))
        except grpc.aio.UsageError:
            status = self._refuse(lost())
        except Exception:
            logger.exception("%s failed", self.target.name)
            text = "the gateway broke one of its own rules"
            status = self._refuse(Failure(make_status("INTERNAL", text)))
        finally:
            if writing is not None:
                writing.cancel()
            if call is not None:
                call.cancel()
            channel.give_back()
            self._end(status)

    def _open(self, channel: StreamChannel) -> Any:
        self.metadata = self._connection.metadata()
        stub = channel.stream(self.target)
        if self.target.kind is Kind.PIPE:
            return stub(metadata=self.metadata)
        return stub(self._first, metadata=self.metadata)

    async def _read(self, call: Any) -> None:
        connection, render = self._connection, renderer(self.target.response.DESCRIPTOR)
        head, closing_tag = self._head, self.target.closing_tag
        data = await call.read()
        self._accept(rate_limit_of(await call.initial_metadata()))
        await self._is_known.wait()
        while data is not grpc.aio.EOF:
            text = render(data)
            if not connection.has_room:
                await connection.room()
            connection.send(head + text + _TAIL)
            if closing_tag is not None and data.startswith(closing_tag):
                connection.look_for_end(data, self.target, self._tenure)
            data = await call.read()

    async def _write(self, call: Any) -> None:
        """Send what the client sends, from its first message on."""
        try:
            await call.write(self._first.SerializeToString())
            while True:
                while self._sends:
                    request = self._sends[0]
                    await call.write(request.message.SerializeToString())
                    self._sends.popleft()
                    request.succeed("{}")
                if self._is_canceled:
                    await call.done_writing()
                    return
                self._more.clear()
                await self._more.wait()
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            # The stream has ended: its reader says why.
            return

    def _accept(self, rate_limit: str) -> None:
        request, self._request = self._request, None
        assert request is not None, "the first message comes once"
        number = websocket_pb2.Subscription(subscription=self.number)
        request.succeed(_write_subscription(number), rate_limit)
        self._then(self._is_known.set)

    def _refuse(self, failure: Failure, rate_limit: str = "") -> status_pb2.Status | None:
        """Answer the request with an error, or return the status that ends the subscription."""
        request, self._request = self._request, None
        if request is None:
            return failure.status
        self._was_refused = True
        request.fail(failure, rate_limit)
        return None

    def _end(self, status: status_pb2.Status | None) -> None:
        """Take leave: of what was sent nothing more is said, and nothing was begun without this."""
        connection = self._connection
        connection.forget(self)
        if connection.has_ended:
            return
        request, self._request = self._request, None
        if request is not None:
            # Canceled by a client that has guessed its number, if for nothing else.
            why = status or make_status("SUBSCRIPTION_NOT_FOUND", "it was canceled")
            request.fail(Failure(why))
            return
        for each in self._sends:
            each.fail(lost())
        self._sends.clear()
        if self._was_refused:
            return
        closed = websocket_pb2.SubscriptionClosed(subscription=self.number, status=status)
        name = notification_name(websocket_pb2.SubscriptionClosed.DESCRIPTOR)
        text = json_rpc.notification(name, _write_closed(closed)).encode()
        self._then(lambda: connection.send(text))
