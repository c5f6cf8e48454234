"""The gRPC edge: one interceptor around every method of the contract.
 In this order: authenticate, authorise by the contract's scope, limit by its weight, validate by
its rules, then the servicer; then log and measure. Every reply says what is left of the limits: in
the initial metadata, or with the status where a stream has no first message. A method that is not
in the contract does not exist here, except the standard services that the listener names. The
wrapped handler of a method is made once.

EnterOrders is limited and validated per command by its servicer, with the same functions.
"""

import contextlib
import inspect
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import grpc
import grpc.aio
from google.rpc import code_pb2
from grpc_status import rpc_status
from tradewire_contract import Method, methods

from tradewire_server.api.admission import Admission, Admitted, auth_error, validate
from tradewire_server.api.call import enter_call
from tradewire_server.api.errors import ApiError, make_status
from tradewire_server.api.reply_headers import deprecation_headers, failure_headers, limit_headers
from tradewire_server.api.wire import passing_bytes, tolerant
from tradewire_server.auth.buckets import EXEMPT
from tradewire_server.auth.errors import AuthError
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.sequencer import NotServing, Overloaded

logger = logging.getLogger("tradewire.edge")

OK, CANCELLED = int(code_pb2.OK), int(code_pb2.CANCELLED)

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    # Generic in the stubs only.
    Handler = grpc.RpcMethodHandler
    Context = grpc.aio.ServicerContext


class Measure(Protocol):
    """Takes what a finished call cost."""

    def __call__(self, method: str, code: int, seconds: float, /) -> None: ...


class Edge(grpc.aio.ServerInterceptor):
    """See the module's docstring. `standard` are prefixes of services that need no credential; what
    they cost, the address pays, unless this is a listener for this machine only.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        services: frozenset[str],
        standard: tuple[str, ...],
        measure: Measure,
        charges_standard: bool = True,
    ) -> None:
        self._admission = admission
        self._charges_standard = charges_standard
        self._standard = standard
        self._measure = measure
        self._methods = {
            path: method for path, method in methods().items() if method.service in services
        }
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler of a call, wrapped."""
        path = handler_call_details.method
        wrapped = self._wrapped.get(path)
        if wrapped is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is not None and path.startswith(self._standard):
            if self._charges_standard:
                handler = self._wrapped[path] = self._wrap_standard(handler)
            return handler
        method = self._methods.get(path)
        if handler is None or method is None:
            return _NO_METHOD
        wrapped = self._wrapped[path] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: Method, handler: Handler) -> Handler:
        serializer = passing_bytes(cast(Callable[[object], bytes], handler.response_serializer))
        deserializer = tolerant(cast(Callable[[bytes], object], handler.request_deserializer))
        if method.server_streaming:
            behavior = handler.stream_stream if method.client_streaming else handler.unary_stream
            assert inspect.isasyncgenfunction(behavior), f"{method.path} is an async generator"
            stream = self._stream(method, cast(Any, behavior))
            make = (
                grpc.stream_stream_rpc_method_handler
                if method.client_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(stream, deserializer, serializer)
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method, cast(Any, handler.unary_unary)),
            deserializer,
            serializer,
        )

    def _unary(
        self, method: Method, behavior: Callable[[Any, Context], Awaitable[Any]]
    ) -> Callable[[Any, Context], Awaitable[Any]]:
        announced = deprecation_headers(method.deprecation)

        async def unary(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            # Unless it comes to an end of its own.
            code = CANCELLED
            state = EXEMPT
            try:
                call, state, refusal = self._admit(method, context)
                if refusal is not None:
                    raise refusal
                assert call is not None, "what has no call has an error"
                enter_call(call)
                try:
                    validate(request)
                    response = await behavior(request, context)
                finally:
                    # What its parts cost may have been taken meanwhile.
                    state = call.limit_state
                head = (*limit_headers(state), *announced)
                if head:
                    await context.send_initial_metadata(head)
                code = OK
                return response
            except Exception as error:  # noqa: BLE001 - the outermost loop of a call
                status = error_of(error, method).status
                code = status.code
                head = (*failure_headers(status, state), *announced)
                if head:
                    await context.send_initial_metadata(head)
                await context.abort_with_status(rpc_status.to_status(status))
            finally:
                self._measure(method.path, code, time.perf_counter() - started)

        return unary

    def _stream(
        self, method: Method, behavior: Callable[[Any, Context], AsyncGenerator[Any]]
    ) -> Callable[[Any, Context], AsyncIterator[Any]]:
        announced = deprecation_headers(method.deprecation)

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            started = time.perf_counter()
            # Unless it comes to an end of its own.
            code = CANCELLED
            state = EXEMPT
            is_open = False
            try:
                call, state, refusal = self._admit(method, context)
                if refusal is not None:
                    raise refusal
                assert call is not None, "what has no call has an error"
                enter_call(call)
                if not method.client_streaming:
                    validate(request)
                # Closed here and not by the collector: what it has begun ends with the call.
                async with contextlib.aclosing(behavior(request, context)) as messages:
                    async for message in messages:
                        if not is_open:
                            is_open = True
                            # Not earlier: nothing may precede an error before the first message.
                            head = (*limit_headers(state), *announced)
                            if head:
                                await context.send_initial_metadata(head)
                        yield message
                code = OK
            except Exception as error:  # noqa: BLE001 - the outermost loop of a call
                answer = error_of(error, method).status
                head = (*failure_headers(answer, state), *announced)
                status = rpc_status.to_status(answer)
                code = answer.code
                await context.abort(status.code, status.details, (*head, *status.trailing_metadata))
            finally:
                self._measure(method.path, code, time.perf_counter() - started)

        return stream

    def _admit(self, method: Method, context: Context) -> Admitted:
        return self._admission.admit(
            method,
            cast(Any, context.invocation_metadata()),
            peer=context.peer(),
            time_remaining_s=context.time_remaining(),
        )

    def _wrap_standard(self, handler: Handler) -> Handler:
        """Let the calls of a standard service cost their address something."""

        async def pay(context: Context) -> None:
            error = self._admission.admit_standard(
                cast(Any, context.invocation_metadata()), peer=context.peer()
            )
            if error is not None:
                await context.abort_with_status(rpc_status.to_status(auth_error(error).status))

        if handler.unary_unary is not None:
            unary = cast(Any, handler.unary_unary)

            async def paid_unary(request: Any, context: Context) -> Any:
                await pay(context)
                return await unary(request, context)

            make: Any = grpc.unary_unary_rpc_method_handler
            paid: Any = paid_unary
        else:
            stream = cast(Any, handler.unary_stream or handler.stream_stream)

            async def paid_stream(request: Any, context: Context) -> AsyncIterator[Any]:
                await pay(context)
                async for message in stream(request, context):
                    yield message

            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.unary_stream is None
                else grpc.unary_stream_rpc_method_handler
            )
            paid = paid_stream
        wrapped: Handler = make(paid, handler.request_deserializer, handler.response_serializer)
        return wrapped


async def _no_method(requests: Any, context: Context) -> None:
    """Answer a call of what is no method of this listener, whatever its shape."""
    text = "this listener has no such method"
    status = make_status(Reason.METHOD_NOT_FOUND, text)
    await context.abort_with_status(rpc_status.to_status(status))


_NO_METHOD: Handler = grpc.stream_stream_rpc_method_handler(cast(Any, _no_method))


def error_of(error: Exception, method: Method) -> ApiError:
    """Return what the caller is told of an exception."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, AuthError):
        return auth_error(error)
    if isinstance(error, Overloaded):
        return ApiError(make_status(Reason.OVERLOADED, "the venue's queue is full"))
    if isinstance(error, NotServing):
        return ApiError(make_status(Reason.NOT_SERVING, "the venue takes no commands now"))
    if isinstance(error, grpc.aio.AbortError | grpc.aio.BaseError):
        raise error
    logger.exception("%s failed", method.path, exc_info=error)
    return ApiError(make_status(Reason.INTERNAL, "the server broke one of its own rules"))
