"""The listener of the FIX gateway: who connects, who may log on, and to what.

TargetCompID(56) names the application: TW-ORDERS for order entry, TW-DROPCOPY to listen to all that
the account does, TW-MARKETDATA for books and trades. SenderCompID(49) is the client's
own choice: sessions are kept by account, SenderCompID and TargetCompID, so that nobody can take or
disturb another's. Each of them is logged on once at a time: when a second connection proves that it
may log on to it, the first is asked for a sign of life, and gives way if there is none.

A Logon(A) without a good credential gets one text whatever is wrong with it; everything else is
explained to clients that have proved who they are.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import grpc
import grpc.aio
from tradewire.v1 import options_pb2, session_service_pb2, session_service_pb2_grpc

from tradewire_gateway.fix import translate
from tradewire_gateway.fix.connection import (
    NOT_REMEMBERED,
    Admitted,
    Connection,
    ConnectionSettings,
    Refused,
)
from tradewire_gateway.fix.door import Door, Guest
from tradewire_gateway.fix.drop_copy import DropCopyApplication
from tradewire_gateway.fix.market_data import MarketDataApplication
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.orders import OrderApplication
from tradewire_gateway.fix.sqlite_store import (
    FAILURES,
    Position,
    SqliteStore,
    SqliteStores,
    TooManySessions,
)
from tradewire_gateway.fix.translate.errors import plain_text
from tradewire_gateway.fix.upstream import CALL_S, CLIENT_ADDRESS, Caller, status_of
from tradewire_gateway.fix.validation import Validator

logger = logging.getLogger("tradewire.fix")

ORDERS: Final = "TW-ORDERS"
DROP_COPY: Final = "TW-DROPCOPY"
MARKET_DATA: Final = "TW-MARKETDATA"
# What a key needs for them.
_SCOPES: Final = {
    ORDERS: {"read": options_pb2.SCOPE_READ, "trade": options_pb2.SCOPE_TRADE},
    DROP_COPY: {"read": options_pb2.SCOPE_READ},
    MARKET_DATA: {"read": options_pb2.SCOPE_READ},
}
CANCEL_ON_DISCONNECT: Final = 20008
OWN_ORDERS_ONLY: Final = 20011
AFTER_SEQUENCE: Final = 20012

NOT_AUTHENTICATED: Final = (
    "Not authenticated: check Username(553), RawData(96), SenderCompID(49), TargetCompID(56) and "
    "the clock"
)
_UNPROVEN: Final = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
)
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptorSettings:
    """The bounds of the listener."""

    connection: ConnectionSettings = field(default_factory=ConnectionSettings)
    connections_max: int = 1_000
    connections_per_address: int = 64
    drain_s: float = 5.0
    """How long clients may take to answer the Logout(5) of a gateway that ends."""


class Acceptor:
    """Serves FIX clients over one listener."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        stores: SqliteStores,
        settings: AcceptorSettings | None = None,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._channel = channel
        self._stores = stores
        self._settings = settings if settings is not None else AcceptorSettings()
        self._clock_ns = clock_ns
        self._validator = Validator(translate.dictionary())
        self._sessions = session_service_pb2_grpc.SessionServiceStub(channel)
        self._live: dict[Key, Connection] = {}
        # Those that came through the door and its handshake.
        self._connections: dict[Connection, Guest] = {}
        self._door = Door(
            self._serve,
            connections_max=self._settings.connections_max,
            connections_per_address=self._settings.connections_per_address,
        )

    async def start(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> int:
        """Listen; return the port.

        Raises OSError.
        """
        return await self._door.open(host, port, tls)

    async def stop(self, reason: str = "The gateway ends") -> None:
        """Take no more connections, and log out those that there are."""
        for connection in list(self._connections):
            connection.end(f"{reason}: log on again later", headline=reason)
        self._door.close()
        tasks = self._door.tasks
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._settings.drain_s)
            for connection, guest in list(self._connections.items()):
                if guest.task in late:
                    connection.drop()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def logged_on(self) -> list[Key]:
        """The sessions that are logged on: account, SenderCompID, TargetCompID."""
        return list(self._live)

    # --- connections ---

    async def _serve(
        self, guest: Guest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connection = Connection(
            reader,
            writer,
            self._validator,
            self._admit,
            self._settings.connection,
            self._clock_ns,
        )
        guest.drop = connection.drop
        self._connections[connection] = guest
        try:
            await connection.run()
        finally:
            del self._connections[connection]

    # --- logon ---

    async def _admit(self, connection: Connection, logon: Message) -> Admitted:
        caller = await self._authenticate(connection, logon)
        sender, target = logon.header.text(49) or "", logon.header.text(56) or ""
        scopes = _SCOPES.get(target)
        if scopes is None:
            raise Refused(NOT_AUTHENTICATED)
        if not all(map(caller.may, scopes.values())):
            raise Refused(f"The key needs the scopes {' and '.join(scopes)} for {target}")
        if logon.body.flag(OWN_ORDERS_ONLY):
            raise Refused(f"OwnOrdersOnly({OWN_ORDERS_ONLY})=Y is not served")
        key = (caller.account, sender, target)
        former = self._live.get(key)
        if former is not None:
            # One that is dead holds the session for as long as its heartbeats say, else.
            await former.gone_or_heard()
        if key in self._live:
            raise Refused(f"{sender} is logged on to {target} already, from one connection at once")
        connection.name = f"{sender}-{target}"
        self._live[key] = connection
        self._connections[connection].is_known = True

        def release() -> None:
            if self._live.get(key) is connection:
                del self._live[key]

        try:
            store = self._stores.open(*key)
            await self._find_position(caller, store, logon)
        except TooManySessions as error:
            release()
            raise Refused(str(error)) from None
        except FAILURES:
            release()
            logger.critical("%s: the store has failed, refused", connection.name, exc_info=True)
            raise Refused(NOT_REMEMBERED) from None
        except BaseException:
            release()
            raise
        return self._application(connection, logon, caller, store, release)

    def _application(
        self,
        connection: Connection,
        logon: Message,
        caller: Caller,
        store: SqliteStore,
        release: Callable[[], None],
    ) -> Admitted:
        target = logon.header.text(56)
        if target == MARKET_DATA:
            market = MarketDataApplication(connection, self._channel, caller)
            return Admitted(store, market, Fields(), release)
        if target == DROP_COPY:
            copy = DropCopyApplication(connection, self._channel, caller, store)
            return Admitted(store, copy, Fields(), release)
        cancels = logon.body.flag(CANCEL_ON_DISCONNECT)
        application = OrderApplication(
            connection, self._channel, caller, store, cancel_on_disconnect=cancels
        )
        body = Fields({CANCEL_ON_DISCONNECT: "Y" if cancels else "N"})
        return Admitted(store, application, body, release)

    async def _authenticate(self, connection: Connection, logon: Message) -> Caller:
        """Find out who wants to log on.

        Raises Refused.
        """
        proof = session_service_pb2.FixLogon(
            api_key=logon.body.text(553) or "",
            sender_comp_id=logon.header.text(49) or "",
            target_comp_id=logon.header.text(56) or "",
            msg_seq_num=logon.header.text(34) or "",
            sending_time=logon.header.text(52) or "",
            raw_data=logon.body.text(96) or "",
        )
        try:
            session = await self._sessions.CreateSession(
                session_service_pb2.CreateSessionRequest(fix_logon=proof),
                metadata=((CLIENT_ADDRESS, connection.address),),
                timeout=CALL_S,
            )
        except grpc.aio.AioRpcError as error:
            if error.code() in _UNPROVEN:
                logger.info("%s: %s", connection.address, error.details())
                raise Refused(NOT_AUTHENTICATED) from None
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise Refused("Too many attempts: try again later") from None
            raise Refused("The venue is not available: try again later") from None
        return Caller(self._channel, session, connection.address)

    async def _find_position(self, caller: Caller, store: SqliteStore, logon: Message) -> None:
        """Decide from which execution on the session gets reports.

        Raises Refused.
        """
        position = store.position
        wanted = logon.body.integer(AFTER_SEQUENCE)
        if logon.body.flag(141):
            # Both sides forget what was: what is reported begins now.
            position = Position()
        after = position.reported if wanted is None else wanted
        try:
            page = await caller.executions(after or 0, 1)
            if position.journal_id and position.journal_id != page.journal_id:
                # Another venue or a restored one: the numbers of its past do not continue ours.
                logger.warning("%s: the venue has another journal", caller.account)
                position, after = Position(), wanted
        except grpc.aio.AioRpcError as error:
            text = plain_text(status_of(error).message)
            if wanted is None and error.code() is grpc.StatusCode.OUT_OF_RANGE:
                text += (
                    ": log on with ResetSeqNumFlag(141)=Y and ask for the orders with "
                    "OrderMassStatusRequest(AF)"
                )
            raise Refused(text) from None
        head = page.as_of_sequence
        lost_until = head if position.resend_until < 0 else position.resend_until
        store.set_position(Position(head if after is None else after, page.journal_id, lost_until))
