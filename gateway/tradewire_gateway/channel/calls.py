"""The client's half of the in-process channel: call objects with the interface of grpc.aio's.

A call object owns nothing but its Exchange, plus a task that feeds an iterator of requests if there
is one. A call with a stream of responses that is dropped before its end is cancelled, so that an
abandoned subscription does not keep its handler alive.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable
from typing import Any, Protocol, Self

import grpc
import grpc.aio

from tradewire_gateway.channel.exchange import COLLECTED, LOCALLY_CANCELLED, Exchange
from tradewire_gateway.channel.isolation import freeze

_LOGGER = logging.getLogger(__name__)

MetadataLike = Iterable[tuple[Any, Any]]
RequestIterator = AsyncIterable[Any] | Iterable[Any]


class _Style(enum.Enum):
    """How one direction of a stream is used; grpc.aio forbids to mix the two ways."""

    ITERATOR = enum.auto()
    READ_WRITE = enum.auto()


def _mixed_styles() -> grpc.aio.UsageError:
    return grpc.aio.UsageError("The iterator and read/write APIs may not be mixed on a single RPC.")


class _Call(grpc.aio.Call):
    """What all four kinds of call have in common: status, metadata, cancellation."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __repr__(self) -> str:
        status = self._exchange.status.value
        outcome = "under way" if status is None else f"{status.code.name} {status.details!r}"
        return f"<in-process call of {self._exchange.method}: {outcome}>"

    def cancel(self) -> bool:
        return self._exchange.abandon(LOCALLY_CANCELLED, locally=True)

    def cancelled(self) -> bool:
        status = self._exchange.status.value
        return status is not None and status.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._exchange.status.value is not None

    def time_remaining(self) -> float | None:
        return self._exchange.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self._exchange.when_settled(functools.partial(callback, self))

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*await self._exchange.initial_metadata.wait())

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*(await self._exchange.status.wait()).trailing_metadata)

    async def code(self) -> grpc.StatusCode:
        return (await self._exchange.status.wait()).code

    async def details(self) -> str:
        return (await self._exchange.status.wait()).details

    async def debug_error_string(self) -> str:
        status = await self._exchange.status.wait()
        return "" if status.code is grpc.StatusCode.OK else f"{status.code.name}:{status.details}"

    def _raise_for_status(self) -> None:
        """Raise what the status of a call that is done demands."""
        status = self._exchange.status.value
        assert status is not None, "the status is asked for before the call has ended"
        if self._exchange.locally_cancelled:
            raise asyncio.CancelledError
        if status.code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                status.code,
                grpc.aio.Metadata(*(self._exchange.initial_metadata.value or ())),
                grpc.aio.Metadata(*status.trailing_metadata),
                details=status.details,
                debug_error_string=f"{status.code.name}:{status.details}",
            )


class _UnaryResponse(_Call):
    """The side of a call that awaits one response."""

    _response: Any = None

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.done():
            try:
                yield from self._exchange.status.wait().__await__()
            except asyncio.CancelledError:
                self.cancel()
                raise
        self._raise_for_status()
        if self._response is None:
            self._response = self._exchange.only_response()
        return self._response

    async def wait_for_connection(self) -> None:
        await self._exchange.status.wait()
        self._raise_for_status()


class _StreamResponse(_Call):
    """The side of a call that reads a stream of responses."""

    _read_style: _Style | None = None

    def __aiter__(self) -> Self:
        self._use_for_reading(_Style.ITERATOR)
        return self

    async def __anext__(self) -> Any:
        message = await self._next()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message

    async def read(self) -> Any:
        if self.done():
            self._raise_for_status()
            return grpc.aio.EOF
        self._use_for_reading(_Style.READ_WRITE)
        return await self._next()

    async def wait_for_connection(self) -> None:
        await self._exchange.initial_metadata.wait()
        if self.done():
            self._raise_for_status()

    async def _next(self) -> Any:
        try:
            message = await self._exchange.next_response()
        except asyncio.CancelledError:
            # As on the network: whoever gives up a read gives up the call.
            self.cancel()
            raise
        if message is grpc.aio.EOF:
            self._raise_for_status()
        return message

    def _use_for_reading(self, style: _Style) -> None:
        if self._read_style not in (None, style):
            raise _mixed_styles()
        self._read_style = style

    def __del__(self) -> None:
        # The collector may run anywhere, in another thread too, so the loop is only told.
        loop = self._exchange.loop
        if not self.done() and not loop.is_closed():
            loop.call_soon_threadsafe(self._exchange.abandon, COLLECTED)


class _StreamRequest(_Call):
    """The side of a call that writes a stream of requests."""

    _feeder: asyncio.Task[None] | None = None
    _half_closed = False

    def feed(self, requests: RequestIterator | None) -> Self:
        """Send what an iterator yields, if there is one; otherwise the caller writes."""
        if requests is not None:
            self._feeder = self._exchange.loop.create_task(self._feed_from(requests))
        return self

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled and self._feeder is not None:
            self._feeder.cancel()
        return cancelled

    async def write(self, request: Any) -> None:
        self._require_no_iterator()
        await self._send(request)

    async def done_writing(self) -> None:
        self._require_no_iterator()
        self._half_close()

    async def wait_for_connection(self) -> None:
        if self.done():
            self._raise_for_status()

    async def _send(self, request: Any) -> bool:
        """Send one request; False says that the server has ended the call and reads no more."""
        if self.done():
            raise asyncio.InvalidStateError("RPC already finished.")
        if self._half_closed:
            raise asyncio.InvalidStateError('RPC is half closed after calling "done_writing".')
        frame = freeze(request, self._exchange.request_serializer)
        try:
            accepted = await self._exchange.requests.put(frame)
        except asyncio.CancelledError:
            self.cancel()
            raise
        if not accepted and self.done():
            self._raise_for_status()
        return accepted

    def _half_close(self) -> None:
        self._half_closed = True
        self._exchange.requests.close()

    def _require_no_iterator(self) -> None:
        if self._feeder is not None:
            raise _mixed_styles()

    async def _feed_from(self, requests: RequestIterator) -> None:
        try:
            async for request in _iterate(requests):
                if not await self._send(request):
                    return
            self._half_close()
        except grpc.aio.AioRpcError:
            # The call has ended meanwhile; whoever waits for its responses is told why.
            return
        except (Exception, asyncio.CancelledError):
            # An iterator of the application may raise anything: the call cannot be completed.
            _LOGGER.debug("The request iterator of a call raised", exc_info=True)
            self.cancel()


async def _iterate(requests: RequestIterator) -> AsyncIterator[Any]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request


class UnaryUnaryCall(_UnaryResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """A call with one request and one response."""


class UnaryStreamCall(_StreamResponse, grpc.aio.UnaryStreamCall[Any, Any]):
    """A call with one request and a stream of responses."""


class StreamUnaryCall(_StreamRequest, _UnaryResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """A call with a stream of requests and one response."""


class StreamStreamCall(_StreamRequest, _StreamResponse, grpc.aio.StreamStreamCall[Any, Any]):
    """A call with a stream of requests and a stream of responses."""


class OpenExchange(Protocol):
    """How a method of a stub starts a call: the channel, with all bound that does not change."""

    def __call__(
        self,
        *,
        request: Any = None,
        timeout: float | None,
        metadata: MetadataLike | None,
        credentials: grpc.CallCredentials | None,
    ) -> Exchange: ...


class _UnaryRequestMethod:
    """A method of a stub that is called with its one request."""

    call_type: type[UnaryUnaryCall | UnaryStreamCall]

    def __init__(self, open_exchange: OpenExchange) -> None:
        self._open = open_exchange

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        return self.call_type(
            self._open(request=request, timeout=timeout, metadata=metadata, credentials=credentials)
        )


class _StreamRequestMethod:
    """A method of a stub that is called with an iterator of requests, or without to write them."""

    call_type: type[StreamUnaryCall | StreamStreamCall]

    def __init__(self, open_exchange: OpenExchange) -> None:
        self._open = open_exchange

    def __call__(
        self,
        request_iterator: RequestIterator | None = None,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        exchange = self._open(timeout=timeout, metadata=metadata, credentials=credentials)
        return self.call_type(exchange).feed(request_iterator)


class UnaryUnaryMethod(_UnaryRequestMethod, grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    """A method of a stub: one request, one response."""

    call_type = UnaryUnaryCall


class UnaryStreamMethod(_UnaryRequestMethod, grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    """A method of a stub: one request, a stream of responses."""

    call_type = UnaryStreamCall


class StreamUnaryMethod(_StreamRequestMethod, grpc.aio.StreamUnaryMultiCallable[Any, Any]):
    """A method of a stub: a stream of requests, one response."""

    call_type = StreamUnaryCall


class StreamStreamMethod(_StreamRequestMethod, grpc.aio.StreamStreamMultiCallable[Any, Any]):
    """A method of a stub: a stream of requests, a stream of responses."""

    call_type = StreamStreamCall
