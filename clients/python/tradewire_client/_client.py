"""The client: builds every part once, in the order in which calls pass through them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc.aio

from tradewire_client._account import AccountReader, Executions
from tradewire_client._calls import Caller
from tradewire_client._channel import Tls, open_channel
from tradewire_client._entry import EntryOptions, OrderEntry
from tradewire_client._enums import enum_value
from tradewire_client._errors import ConfigurationError
from tradewire_client._gen import stubs
from tradewire_client._gen.tradewire import v1
from tradewire_client._keyring import Keys, ScopeLike
from tradewire_client._market import Market
from tradewire_client._orders import Orders
from tradewire_client._retry import Effect, Retrier, RetryPolicy
from tradewire_client._session import Session
from tradewire_client._signing import Key, key_from_mapping
from tradewire_client._streams import Plumbing, StreamPolicy
from tradewire_client._tickets import Tickets, TicketSource
from tradewire_client._values import CreateTicketResponse, Execution, RateLimit
from tradewire_client._wire import FastChannel
from tradewire_client._world import World

_BACKFILL_PAGE = 1000


class Client:
    """A client of one venue, for one key: `async with Client("127.0.0.1:50051", key=key)`.

    Args:
        target: host and port of the venue.
        key: what signs in; without one, and without a ticket, only market data can be read.
        ticket: what signs in for somebody who has the key, in its place: a ticket of
            `create_ticket`, which begins one session, or a function that gets one whenever a
            session is needed.
        environment: the venue's name for itself, which is part of every signature. Unless given,
            the venue is asked; give it where a signature must never be good for another venue.
        tls: how to know the venue. Without it this machine is spoken to in the clear, and any
            other with TLS.
        allow_plaintext: speak in the clear to another machine, too.
        retry: how unary calls are repeated.
        streams: how streams are watched and opened again.
        channel: a channel to use in place of an own one; it is not closed with the client.
        world: clocks and random numbers, for tests.
    """

    def __init__(
        self,
        target: str = "",
        *,
        key: Key | None = None,
        ticket: str | TicketSource | None = None,
        environment: str = "",
        tls: Tls | None = None,
        allow_plaintext: bool = False,
        retry: RetryPolicy | None = None,
        streams: StreamPolicy | None = None,
        channel: grpc.aio.Channel | None = None,
        world: World | None = None,
    ) -> None:
        if (channel is None) == (not target):
            raise ConfigurationError("give either a target or a channel")
        if key is not None and ticket is not None:
            raise ConfigurationError("give either a key or a ticket")
        self._target = target
        self._tls = tls
        self._allow_plaintext = allow_plaintext
        self._world = world or World()
        self._owns_channel = channel is None
        self._channel = channel or open_channel(target, tls=tls, allow_plaintext=allow_plaintext)
        fast: Any = FastChannel(self._channel)
        retrier = Retrier(retry or RetryPolicy(), self._world)
        self._session_stub = stubs.SessionServiceStub(fast)
        self.session = Session(
            self._session_stub,
            Tickets(ticket) if ticket is not None else key,
            environment=environment,
            retrier=retrier,
            world=self._world,
        )
        self._caller = Caller(self.session, retrier)
        self._plumbing = Plumbing(self.session, streams or StreamPolicy(), self._world)
        order_stub = stubs.OrderServiceStub(fast)
        self._enter_orders = order_stub.enter_orders
        self.market = Market(stubs.MarketDataServiceStub(fast), self._caller, self._plumbing)
        self.account = AccountReader(stubs.AccountServiceStub(fast), self._caller, self._plumbing)
        self.executions = Executions(
            stubs.ExecutionServiceStub(fast), self._caller, self._plumbing, self.account
        )
        self.orders = Orders(order_stub, self._caller, self._world, self._open_entry)
        self.keys = Keys(stubs.KeyServiceStub(fast), self._caller)

    @classmethod
    def from_demo(
        cls,
        path: str | os.PathLike[str] = ".tradewire/demo.json",
        *,
        account: str = "demo-1",
        **options: Any,
    ) -> Self:
        """Make a client of the venue that `tradewire up` started, with the key of one of its
        accounts.

        Raises:
            ConfigurationError: the file is not what `tradewire up` writes, or has no such account.
            OSError: the file cannot be read.
        """
        demo = _read_demo(path)
        try:
            entries = {str(entry["account"]): entry for entry in demo["accounts"]}
            target, environment = str(demo["grpc"]), str(demo["environment"])
        except (KeyError, TypeError) as error:
            raise ConfigurationError(f"{path}: not written by `tradewire up`: {error!r}") from error
        if account not in entries:
            raise ConfigurationError(
                f"{path}: no account {account!r}, there are {', '.join(sorted(entries))}"
            )
        key = key_from_mapping(entries[account])
        return cls(target, key=key, **{"environment": environment, **options})

    @property
    def target(self) -> str:
        """Host and port of the venue, empty when a channel was given."""
        return self._target

    @property
    def rate_limit(self) -> RateLimit | None:
        """State of the tightest rate limit, as the last unary call told it."""
        return self._caller.rate_limit

    async def create_ticket(self, *, scopes: Iterable[ScopeLike] = ()) -> CreateTicketResponse:
        """Make a ticket: it begins one session within 30 seconds, for a page or a program that is
        not to have the key. It has these scopes, or all of this session's; it ends with this
        session, and with the key.

        Raises:
            PermissionDenied: this session has not these scopes, or was begun with a ticket itself.
            UnknownOutcome: there may be a ticket that nobody got; ask for another.
        """
        request = v1.CreateTicketRequest(
            scopes=[enum_value(v1.Scope, scope, name="scopes") for scope in scopes]
        )
        response = await self._caller.call(
            self._session_stub.create_ticket, request, effect=Effect.ONCE
        )
        return CreateTicketResponse.from_message(response)

    async def __aenter__(self) -> Self:
        try:
            if self.session.can_sign_in:
                await self.session.sign_in()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the session and the connection; streams that are still open end, too."""
        await self.session.close()
        if self._owns_channel:
            await self._channel.close()

    def __repr__(self) -> str:
        return f"Client({self._target!r}, account={self.session.account!r})"

    def _open_entry(self, *, resend_within: float, account: str, **options: Any) -> OrderEntry:
        async def fetch(after: int) -> tuple[Execution, ...]:
            return (await self.executions.page(account, _BACKFILL_PAGE, after)).items

        return OrderEntry(
            self._enter_orders,
            EntryOptions(account=account, patience=resend_within, **options),
            self._plumbing,
            ask_journal_id=partial(self.account.journal_id, account),
            fetch_executions=fetch,
        )


def _read_demo(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    try:
        demo = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from error
    if not isinstance(demo, dict):
        raise ConfigurationError(f"{path}: not written by `tradewire up`")
    return demo
