"""The server's half of the in-process channel: run a handler, give its call exactly one end."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from tradewire_gateway.channel.context import ClientGone, InProcessContext
from tradewire_gateway.channel.exchange import Exchange, Status
from tradewire_gateway.channel.isolation import freeze

_LOGGER = logging.getLogger(__name__)
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Any], Any]

METHOD_NOT_FOUND: Final = Status(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
_NO_REQUEST: Final = Status(grpc.StatusCode.INTERNAL, "The handler takes a request, none was sent.")
_HANDLER_CANCELLED: Final = Status(grpc.StatusCode.CANCELLED, "Cancelled by the handler.")
_NOT_IMPLEMENTED: Final = "Method not implemented!"


def serveable(method: str, handler: Handler) -> Handler:
    """Return the handler to register for a method.

    The methods that a generated servicer class brings along are synchronous; what they do, refuse
    the call, is done here by a coroutine.

    Raises:
        TypeError: the handler is synchronous.
    """
    behaviour = behaviour_of(handler)
    if getattr(behaviour, "__module__", "").endswith("_pb2_grpc"):
        # Of this kind because it answers without waiting for a request.
        return grpc.stream_stream_rpc_method_handler(_unimplemented)
    if not inspect.iscoroutinefunction(behaviour) and not (
        handler.response_streaming and inspect.isasyncgenfunction(behaviour)
    ):
        raise TypeError(_must_be_async(method, behaviour))
    return handler


def behaviour_of(handler: Handler) -> Behaviour:
    """Return the one function that a method handler holds."""
    if handler.request_streaming:
        behaviour = handler.stream_stream if handler.response_streaming else handler.stream_unary
    else:
        behaviour = handler.unary_stream if handler.response_streaming else handler.unary_unary
    assert behaviour is not None, "a method handler has the function of its kind"
    return behaviour


async def serve(exchange: Exchange, find_handler: Callable[[], Awaitable[Handler | None]]) -> None:
    """Find the handler of a call and run it; the body of the call's task.

    This is the outermost loop of a call: whatever the application raises becomes the call's status.
    """
    context = InProcessContext(exchange)
    try:
        handler = await find_handler()
        if handler is None:
            exchange.end(METHOD_NOT_FOUND)
        else:
            await _run(handler, exchange, context)
    except asyncio.CancelledError:
        # The client or the deadline has ended the call, unless the handler has cancelled itself.
        if not exchange.abandoned:
            exchange.end(_HANDLER_CANCELLED)
    except Exception as error:
        if isinstance(error, grpc.aio.AbortError) and context.is_own_abort(error):
            return
        if isinstance(error, ClientGone):
            # It has missed that it was cancelled, and there is nobody to tell.
            _LOGGER.debug("The client of [%s] is gone", exchange.method)
            return
        _LOGGER.exception(
            "Unexpected [%s] raised by servicer method [%s]", type(error).__name__, exchange.method
        )
        exchange.end(context.status_of(error))
    finally:
        context.run_done_callbacks()


async def _run(handler: Handler, exchange: Exchange, context: InProcessContext) -> None:
    context.serve_with(
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    behaviour = behaviour_of(handler)
    request: Any = _Requests(context) if handler.request_streaming else await context.read()
    if request is grpc.aio.EOF:
        exchange.end(_NO_REQUEST)
    elif handler.response_streaming:
        await _run_stream(behaviour, request, context)
        context.raise_for_termination()
        exchange.end(context.final_status())
    else:
        if not inspect.iscoroutinefunction(behaviour):
            raise TypeError(_must_be_async(exchange.method, behaviour))
        response = await behaviour(request, context)
        context.raise_for_termination()
        status = context.final_status()
        if status.code is grpc.StatusCode.OK:
            exchange.end(status, freeze(response, handler.response_serializer))
        else:
            exchange.end(status)


async def _run_stream(behaviour: Behaviour, request: Any, context: InProcessContext) -> None:
    if inspect.iscoroutinefunction(behaviour):
        await behaviour(request, context)
    elif inspect.isasyncgenfunction(behaviour):
        # Closed here and not by the collector: a cancelled generator is done when its task is.
        async with contextlib.aclosing(behaviour(request, context)) as responses:
            async for response in responses:
                await context.write(response)
    else:
        raise TypeError(_must_be_async("a streaming method", behaviour))


class _Requests:
    """The request iterator of a handler, another face of `context.read`."""

    def __init__(self, context: InProcessContext) -> None:
        self._context = context

    def __aiter__(self) -> _Requests:
        return self

    async def __anext__(self) -> Any:
        request = await self._context.read()
        if request is grpc.aio.EOF:
            raise StopAsyncIteration
        return request


async def _unimplemented(request: Any, context: Any) -> None:
    context.set_code(grpc.StatusCode.UNIMPLEMENTED)
    context.set_details(_NOT_IMPLEMENTED)
    raise NotImplementedError(_NOT_IMPLEMENTED)


def _must_be_async(method: str, behaviour: Behaviour) -> str:
    return (
        f"To be served in process the handler of {method} must be a coroutine function, "
        f"or an async generator function if it streams, not {behaviour!r}"
    )
