"""Unary calls: token in, errors of the tree out, repeated where that is safe."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc
import grpc.aio

from tradewire_client._errors import (
    ClientClosed,
    Refused,
    TradewireError,
    Unavailable,
    error_of_call,
    needs_sign_in,
)
from tradewire_client._retry import Answered, Effect, NotSent, Retrier, Work
from tradewire_client._values import RateLimit

logger = logging.getLogger("tradewire_client.calls")

Request = TypeVar("Request")
Response = TypeVar("Response")
Metadata: TypeAlias = "Sequence[tuple[str, str]]"

# Signing in again helps once; a second refusal of a fresh token is an answer.
_SIGN_INS_MAX = 2
_RATE_LIMIT_HEADERS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
_DEPRECATION, _SUNSET, _LINK = "deprecation", "sunset", "link"


class Authority(Protocol):
    """Where calls get their credential from."""

    async def authorization(self) -> Metadata:
        """Return the metadata that authorises a call, empty without a key."""

    def invalidate(self, authorization: Metadata) -> None:
        """Forget this credential: the venue did not take it."""


class Caller:
    """Performs unary calls of one client."""

    def __init__(self, authority: Authority, retrier: Retrier) -> None:
        self._authority = authority
        self._retrier = retrier
        self.rate_limit: RateLimit | None = None
        self._told_deprecated: set[str] = set()

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        effect: Effect = Effect.NONE,
        client_order_id: str = "",
    ) -> Response:
        """Call a method until it is answered, within the bounds of the retry policy.

        Raises:
            TradewireError: see the tree in `_errors`.
        """
        answered = await self.ask(method, request, effect=effect, client_order_id=client_order_id)
        return answered.result

    async def ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        effect: Effect,
        client_order_id: str = "",
    ) -> Answered[Response]:
        """Call a method as `call` does, and tell what is known of earlier attempts.

        Raises:
            TradewireError: see the tree in `_errors`.
        """
        work = Work(
            name=type(request).__name__.removesuffix("Request"),
            effect=effect,
            client_order_id=client_order_id,
        )

        async def attempt(seconds: float) -> Response:
            return await self._signed_in(method, request, seconds)

        return await self._retrier.answer(work, attempt)

    async def _signed_in(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        seconds: float,
    ) -> Response:
        for last in (False,) * (_SIGN_INS_MAX - 1) + (True,):
            try:
                metadata = await self._authority.authorization()
            except TradewireError as error:
                raise NotSent(error) from error
            try:
                return await perform(
                    method, request, seconds, metadata, partial(self._note, request)
                )
            except Refused as error:
                if last or not needs_sign_in(error):
                    raise
                # Refused at the door: nothing happened, so this is no repetition.
                self._authority.invalidate(metadata)
        raise AssertionError("the loop ends by return or raise")

    def _note(self, request: object, received: grpc.aio.Metadata | None) -> None:
        headers = dict(received or ())
        if _DEPRECATION in headers:
            self._tell_deprecated(type(request).__name__.removesuffix("Request"), headers)
        limit, remaining, reset = (str(headers.get(name, "")) for name in _RATE_LIMIT_HEADERS)
        if limit.isdecimal() and remaining.isdecimal() and reset.isdecimal():
            self.rate_limit = RateLimit(
                limit=int(limit), remaining=int(remaining), reset_ms=int(reset) * 1000
            )

    def _tell_deprecated(self, name: str, headers: Mapping[str, str | bytes]) -> None:
        """Log once per method that it will end: for whoever keeps the program, not for its flow."""
        if name in self._told_deprecated:
            return
        self._told_deprecated.add(name)
        end = f" and ends on {headers[_SUNSET]!s}" if _SUNSET in headers else ""
        more = f", see {headers[_LINK]!s}" if _LINK in headers else ""
        logger.warning("%s is deprecated%s%s", name, end, more)


def _ignore(received: grpc.aio.Metadata | None) -> None:
    """Take no notice."""


async def perform(
    method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
    request: Request,
    seconds: float,
    metadata: Metadata = (),
    observe: Callable[[grpc.aio.Metadata | None], None] = _ignore,
) -> Response:
    """Make one attempt; `observe` is shown the initial metadata of the answer, whatever it is.

    Raises:
        TradewireError: the call failed.
    """
    try:
        call: Any = method(request, timeout=seconds, metadata=tuple(metadata))
        response: Response = await call
        observe(await call.initial_metadata())
    except grpc.aio.AioRpcError as error:
        observe(error.initial_metadata())
        raise error_of_call(error) from error
    except grpc.aio.UsageError as error:
        raise ClientClosed("the client is closed") from error
    except asyncio.CancelledError as error:
        # gRPC raises this as well when the channel is closed under a call, but then nobody asked
        # this task to end.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable("the client was closed during the call") from error
    return response
