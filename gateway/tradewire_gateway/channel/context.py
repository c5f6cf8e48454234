"""The servicer context of a call that came through the in-process channel.

It is the `grpc.aio.ServicerContext` that handlers and interceptors know, with grpc.aio's order of
precedence:
what `abort` is given overrides what was set before, an exception keeps a code that was set, and a
handler that swallows its own abort is stopped at the next thing it does. As on the network, `done`
and `cancelled` speak of the status that the server sent: a handler learns that its client is gone
by CancelledError.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

import grpc
import grpc.aio

from tradewire_gateway.channel.exchange import Exchange, Status
from tradewire_gateway.channel.isolation import Deserializer, Serializer, freeze
from tradewire_gateway.channel.metadata import Pairs, checked, require_pairs

_LOGGER = logging.getLogger(__name__)
_INVALID_METADATA: Final = Status(grpc.StatusCode.INTERNAL, "Invalid metadata")
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_AUTH_CONTEXT: Final[Mapping[str, Iterable[bytes]]] = {"transport_security_type": [b"in_process"]}


class ClientGone(grpc.aio.InternalError):
    """A handler goes on although its client has ended the call."""

    def __init__(self) -> None:
        super().__init__("The client has ended the call.")


class InProcessContext(grpc.aio.ServicerContext[Any, Any]):
    """What a handler can ask and tell about its call."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._request_deserializer: Deserializer | None = None
        self._response_serializer: Serializer | None = None
        self._code: Any = None
        self._details = ""
        self._trailing_metadata: tuple[tuple[str, str | bytes], ...] = ()
        self._abort_error: grpc.aio.AbortError | None = None
        self._done_callbacks: list[Callable[[Any], object]] = []

    # Messages

    async def read(self) -> Any:
        self.raise_for_termination()
        message = await self._exchange.next_request(self._request_deserializer)
        self.raise_for_termination()
        return message

    async def write(self, message: Any) -> None:
        self.raise_for_termination()
        frame = freeze(message, self._response_serializer)
        self._exchange.send_initial_metadata(())
        if not await self._exchange.responses.put(frame):
            raise ClientGone

    # Metadata

    def invocation_metadata(self) -> Pairs:  # type: ignore[override]
        return self._exchange.invocation_metadata

    async def send_initial_metadata(self, initial_metadata: Iterable[tuple[Any, Any]]) -> None:
        self.raise_for_termination()
        if self._exchange.abandoned:
            raise ClientGone
        if self._exchange.initial_metadata.value is not None:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        try:
            self._exchange.send_initial_metadata(checked(initial_metadata))
        except grpc.aio.InternalError:
            self._exchange.end(_INVALID_METADATA)
            raise

    def set_trailing_metadata(self, trailing_metadata: Iterable[tuple[Any, Any]]) -> None:
        self._trailing_metadata = require_pairs(trailing_metadata)

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:  # type: ignore[override]
        return self._trailing_metadata

    # Status

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> Any:
        return self._code

    def set_details(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Iterable[tuple[Any, Any]] = (),
    ) -> NoReturn:
        if self._abort_error is not None:
            raise grpc.aio.UsageError("Abort already called!")
        if as_status_code(code) is grpc.StatusCode.OK:
            # As the synchronous stack; grpc.aio would leave the client waiting.
            code, details = grpc.StatusCode.UNKNOWN, ""
        self._trailing_metadata = require_pairs(trailing_metadata) or self._trailing_metadata
        self._details = details or self._details
        self._code = code
        self._abort_error = grpc.aio.AbortError("Locally aborted.")
        self._exchange.end(self.final_status())
        raise self._abort_error

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata)

    # The call

    def time_remaining(self) -> float | None:  # type: ignore[override]
        return self._exchange.time_remaining()

    def peer(self) -> str:
        return self._exchange.peer

    def peer_identities(self) -> Iterable[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return _AUTH_CONTEXT

    def set_compression(self, compression: grpc.Compression) -> None:
        """Do nothing: nothing is encoded that could be compressed."""

    def disable_next_message_compression(self) -> None:
        """Do nothing: nothing is encoded that could be compressed."""

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self._done_callbacks.append(callback)

    def cancelled(self) -> bool:
        return as_status_code(self._code) is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._exchange.status_sent

    # For the server that runs the handler

    def serve_with(
        self, *, request_deserializer: Deserializer | None, response_serializer: Serializer | None
    ) -> None:
        """Read and write from now on the messages of the handler that was found."""
        self._request_deserializer = request_deserializer
        self._response_serializer = response_serializer
        self._exchange.response_serializer = response_serializer

    def raise_for_termination(self) -> None:
        """Stop a handler that goes on although its call has ended."""
        if self._abort_error is not None:
            raise self._abort_error
        if self._exchange.status_sent:
            raise grpc.aio.UsageError("RPC already finished.")

    def is_own_abort(self, error: grpc.aio.AbortError) -> bool:
        """Say whether it was this context's `abort` that raised the error."""
        return error is self._abort_error

    def final_status(self) -> Status:
        """Return the status to send after a handler that came to its end."""
        return self._status(as_status_code(self._code), self._details)

    def status_of(self, error: BaseException) -> Status:
        """Return the status to send after a handler that raised: a code that was set stays."""
        code = as_status_code(self._code)
        if code is grpc.StatusCode.OK:
            code = grpc.StatusCode.UNKNOWN
        return self._status(code, f"Unexpected {type(error)}: {error}")

    def _status(self, code: grpc.StatusCode, details: str) -> Status:
        if code is grpc.StatusCode.OK:
            # The transport sends no text with OK.
            details = ""
        if not self._trailing_metadata:
            return Status(code, details)
        try:
            return Status(code, details, checked(self._trailing_metadata))
        except (grpc.aio.InternalError, TypeError):
            return _INVALID_METADATA

    def run_done_callbacks(self) -> None:
        """Call back whoever wanted to know that the handler is done."""
        for callback in self._done_callbacks:
            try:
                callback(self)
            except Exception:
                # A callback belongs to the application; the others must still run.
                _LOGGER.exception("Error in callback for method [%s]", self._exchange.method)


def as_status_code(code: Any) -> grpc.StatusCode:
    """Return the status code that was meant: gRPC takes numbers too, None stands for OK."""
    if isinstance(code, grpc.StatusCode):
        return code
    if code is None:
        return grpc.StatusCode.OK
    return _CODES.get(code, grpc.StatusCode.UNKNOWN)
