"""The account: executions, balances, positions, ledger, limits."""

from __future__ import annotations

from functools import partial

from tradewire_client._calls import Caller
from tradewire_client._follow import ExecutionStream, LedgerStream
from tradewire_client._gen.stubs import AccountServiceStub, ExecutionServiceStub
from tradewire_client._gen.tradewire import v1
from tradewire_client._pages import Listing, Page, Pages
from tradewire_client._streams import Plumbing
from tradewire_client._values import (
    Balance,
    Execution,
    GetAccountResponse,
    GetLimitsResponse,
    LedgerEntry,
    Position,
)


class AccountReader:
    """Reads the caller's account."""

    def __init__(self, stub: AccountServiceStub, caller: Caller, plumbing: Plumbing) -> None:
        self._stub = stub
        self._caller = caller
        self._plumbing = plumbing

    async def get(self, *, account: str = "") -> GetAccountResponse:
        """Return the account, its fees and its limits on orders."""
        request = v1.GetAccountRequest(account=account)
        response = await self._caller.call(self._stub.get_account, request)
        return GetAccountResponse.from_message(response)

    async def balances(self, *, account: str = "") -> Listing[Balance]:
        """Return the balances of all assets held."""
        request = v1.ListBalancesRequest(account=account)
        response = await self._caller.call(self._stub.list_balances, request)
        return Listing(
            map(Balance.from_message, response.balances),
            as_of_sequence=response.as_of_sequence,
            as_of_ledger_sequence=response.as_of_ledger_sequence,
            journal_id=response.journal_id,
        )

    async def positions(self, *, account: str = "") -> Listing[Position]:
        """Return the positions."""
        request = v1.ListPositionsRequest(account=account)
        response = await self._caller.call(self._stub.list_positions, request)
        return Listing(
            map(Position.from_message, response.positions),
            as_of_sequence=response.as_of_sequence,
            journal_id=response.journal_id,
        )

    def ledger(
        self, *, after_sequence: int = 0, account: str = "", page_size: int = 1000
    ) -> Pages[LedgerEntry]:
        """List the movements of money after a number."""
        return Pages(partial(self._ledger_page, account, page_size, after_sequence))

    async def limits(self, *, account: str = "") -> GetLimitsResponse:
        """Return the limits that apply to this client and how much of them is left."""
        request = v1.GetLimitsRequest(account=account)
        response = await self._caller.call(self._stub.get_limits, request)
        return GetLimitsResponse.from_message(response)

    def follow(
        self,
        *,
        after_sequence: int | None = None,
        snapshot: bool = False,
        journal_id: str = "",
        account: str = "",
    ) -> LedgerStream:
        """Follow the movements of money after a ledger sequence, or from now.

        Works as `Executions.follow` does.
        """
        return LedgerStream(
            self._stub.stream_account,
            account,
            self._plumbing,
            after_sequence=after_sequence,
            snapshot=snapshot,
            journal_id=journal_id,
            ask_journal_id=partial(self.journal_id, account),
        )

    async def journal_id(self, account: str = "") -> str:
        """Return the identity of the venue's journal."""
        return (await self.get(account=account)).journal_id

    async def _ledger_page(self, account: str, page_size: int, after: int) -> Page[LedgerEntry]:
        request = v1.ListLedgerEntriesRequest(
            after_sequence=after, page_size=page_size, account=account
        )
        response = await self._caller.call(self._stub.list_ledger_entries, request)
        items = Listing(
            map(LedgerEntry.from_message, response.entries),
            as_of_ledger_sequence=response.as_of_ledger_sequence,
            journal_id=response.journal_id,
        )
        more = bool(items) and items[-1].ledger_sequence < response.as_of_ledger_sequence
        following = (
            partial(self._ledger_page, account, page_size, items[-1].ledger_sequence)
            if more
            else None
        )
        return Page(items=items, next=following)


class Executions:
    """The executions of an account, in their one gapless sequence."""

    def __init__(
        self,
        stub: ExecutionServiceStub,
        caller: Caller,
        plumbing: Plumbing,
        account_reader: AccountReader,
    ) -> None:
        self._stub = stub
        self._caller = caller
        self._plumbing = plumbing
        self._account_reader = account_reader

    def list(
        self, *, after_sequence: int = 0, account: str = "", page_size: int = 1000
    ) -> Pages[Execution]:
        """List executions after a number, up to the newest one."""
        return Pages(partial(self.page, account, page_size, after_sequence))

    def follow(
        self,
        *,
        after_sequence: int | None = None,
        snapshot: bool = False,
        journal_id: str = "",
        account: str = "",
    ) -> ExecutionStream:
        """Follow executions after a number, from the beginning (0), or from now (None).

        Each comes exactly once and in order, across disconnects, restarts of the venue and slow
        reading: the stream is opened again after the last number. To go on after a restart of your
        own program, keep `sequence` and `journal_id` of the stream and pass them. With
        `snapshot=True` the stream begins with working orders, balances and positions, all true at
        the number after which the executions begin.

        Now is when the stream is entered with `async with`, or when it is read first.

        Raises (while iterating):
            OutOfRange: the number is older than what is kept: follow again with `snapshot=True`.
            SequenceGap, SequenceRepeated, JournalChanged: the venue broke its promise.
        """
        return ExecutionStream(
            self._stub.stream_executions,
            account,
            self._plumbing,
            after_sequence=after_sequence,
            snapshot=snapshot,
            journal_id=journal_id,
            ask_journal_id=partial(self._account_reader.journal_id, account),
        )

    async def page(self, account: str, page_size: int, after: int) -> Page[Execution]:
        """Return the executions after a number, at most `page_size`."""
        request = v1.ListExecutionsRequest(
            after_sequence=after, page_size=page_size, account=account
        )
        response = await self._caller.call(self._stub.list_executions, request)
        items = Listing(
            map(Execution.from_message, response.executions),
            as_of_sequence=response.as_of_sequence,
            journal_id=response.journal_id,
        )
        more = bool(items) and items[-1].sequence < response.as_of_sequence
        following = partial(self.page, account, page_size, items[-1].sequence) if more else None
        return Page(items=items, next=following)
