"""Streams of numbered entries: executions and the ledger, resumed by number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol, Self, TypeVar

import grpc.aio

from tradewire_client._calls import Metadata
from tradewire_client._cursor import Cursor
from tradewire_client._errors import ClientClosed, ConfigurationError, ProtocolViolation
from tradewire_client._gen.tradewire import v1
from tradewire_client._streams import Plumbing, SupervisedStream
from tradewire_client._values import AccountSnapshot, Execution, LedgerEntry

JournalId = Callable[[], Awaitable[str]]
"""Asks the venue for the identity of its journal."""


class NumberedEvent(Protocol):
    """What the messages of numbered streams have in common."""

    snapshot: v1.AccountSnapshot | None
    caught_up: v1.CaughtUp | None
    heartbeat: v1.Heartbeat | None
    closing: v1.Closing | None


Message = TypeVar("Message", bound=NumberedEvent)
Item = TypeVar("Item")


class NumberedStream(SupervisedStream[Message, Item]):
    """Entries of an account after a number, in order, without a gap or a repetition."""

    def __init__(
        self,
        plumbing: Plumbing,
        *,
        what: str,
        after_sequence: int | None,
        snapshot: bool,
        journal_id: str,
        ask_journal_id: JournalId,
    ) -> None:
        if snapshot and after_sequence is not None:
            raise ConfigurationError("snapshot and after_sequence exclude each other")
        super().__init__(plumbing)
        self._cursor = Cursor(what, last=after_sequence, journal_id=journal_id)
        self._ask_journal_id = ask_journal_id
        self._wants_snapshot = snapshot
        self._snapshot: AccountSnapshot | None = None
        self._handed_out = after_sequence

    @property
    def sequence(self) -> int | None:
        """The number of the entry handed out last: keep it, with `journal_id`, to go on after a
        restart.
        """
        return self._handed_out

    @property
    def journal_id(self) -> str:
        """Identity of the journal, empty before the venue told it."""
        return self._cursor.journal_id

    async def __aenter__(self) -> Self:
        # From now means from here, not from whenever somebody reads.
        while self._cursor.last is None:
            await self._receive()
        return self

    async def snapshot(self) -> AccountSnapshot:
        """Return working orders, balances and positions at the number where the stream begins.

        Raises:
            ConfigurationError: the stream was opened without `snapshot=True`.
            TradewireError: the stream failed.
        """
        if not self._wants_snapshot:
            raise ConfigurationError("follow with snapshot=True to get one")
        while self._snapshot is None:
            try:
                await self._receive()
            except StopAsyncIteration:
                raise ClientClosed("the stream is closed") from None
        return self._snapshot

    @abstractmethod
    def _number(self, item: Item) -> int: ...

    @abstractmethod
    def _items(self, message: Message) -> Iterator[Item]: ...

    @abstractmethod
    def _number_of_snapshot(self, snapshot: AccountSnapshot) -> int: ...

    def _hand_out(self, item: Item) -> Item:
        self._handed_out = self._number(item)
        return item

    async def _before_reopening(self) -> None:
        # The stream tells its journal only after the replay. By then entries of another journal
        # would have been handed out, so it is asked for before.
        if self._cursor.last is not None and self._cursor.journal_id:
            self._cursor.check_journal(await self._ask_journal_id())

    def _accept(self, message: Message) -> Iterator[Item]:
        if message.snapshot is not None:
            self._take_snapshot(AccountSnapshot.from_message(message.snapshot))
        elif message.caught_up is not None:
            self._cursor.check_journal(message.caught_up.journal_id)
            self._cursor.confirm(message.caught_up.as_of_sequence)
        elif message.heartbeat is not None:
            self._cursor.confirm(message.heartbeat.as_of_sequence)
        for item in self._items(message):
            self._cursor.advance(self._number(item))
            yield item

    def _take_snapshot(self, snapshot: AccountSnapshot) -> None:
        if self._snapshot is not None:
            raise ProtocolViolation("a second snapshot came, which was not asked for")
        self._cursor.check_journal(snapshot.journal_id)
        self._cursor.restart(self._number_of_snapshot(snapshot))
        self._handed_out = self._cursor.last
        self._snapshot = snapshot

    @property
    def _asks_for_snapshot(self) -> bool:
        return self._wants_snapshot and self._snapshot is None


class ExecutionStream(NumberedStream[v1.StreamExecutionsResponse, Execution]):
    """The executions of an account; see `Executions.follow`."""

    def __init__(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[
            v1.StreamExecutionsRequest, v1.StreamExecutionsResponse
        ],
        account: str,
        plumbing: Plumbing,
        **options: Any,
    ) -> None:
        super().__init__(plumbing, what="executions", **options)
        self._method = method
        self._account = account

    def _open(
        self, metadata: Metadata
    ) -> grpc.aio.UnaryStreamCall[v1.StreamExecutionsRequest, v1.StreamExecutionsResponse]:
        request = v1.StreamExecutionsRequest(
            after_sequence=self._cursor.last,
            snapshot=self._asks_for_snapshot,
            account=self._account,
        )
        return self._method(request, metadata=tuple(metadata))

    def _items(self, message: v1.StreamExecutionsResponse) -> Iterator[Execution]:
        if message.batch is not None:
            yield from map(Execution.from_message, message.batch.executions)

    def _number(self, item: Execution) -> int:
        return item.sequence

    def _number_of_snapshot(self, snapshot: AccountSnapshot) -> int:
        return snapshot.as_of_sequence


class LedgerStream(NumberedStream[v1.StreamAccountResponse, LedgerEntry]):
    """The movements of money of an account; see `AccountReader.follow`."""

    def __init__(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[
            v1.StreamAccountRequest, v1.StreamAccountResponse
        ],
        account: str,
        plumbing: Plumbing,
        **options: Any,
    ) -> None:
        super().__init__(plumbing, what="ledger entries", **options)
        self._method = method
        self._account = account

    def _open(
        self, metadata: Metadata
    ) -> grpc.aio.UnaryStreamCall[v1.StreamAccountRequest, v1.StreamAccountResponse]:
        request = v1.StreamAccountRequest(
            after_sequence=self._cursor.last,
            snapshot=self._asks_for_snapshot,
            account=self._account,
        )
        return self._method(request, metadata=tuple(metadata))

    def _items(self, message: v1.StreamAccountResponse) -> Iterator[LedgerEntry]:
        if message.batch is not None:
            yield from map(LedgerEntry.from_message, message.batch.entries)

    def _number(self, item: LedgerEntry) -> int:
        return item.ledger_sequence

    def _number_of_snapshot(self, snapshot: AccountSnapshot) -> int:
        return snapshot.as_of_ledger_sequence
