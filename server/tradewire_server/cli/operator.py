"""A client of the admin service, for commands and for the replay.

It signs in as every client does, with a key that has the scope `admin`, on the admin listener. The
messages are the SDK's own: the command line and the SDK are released together.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import grpc.aio
from tradewire_client import (
    Account,
    ApiKey,
    Balance,
    Client,
    Ed25519Key,
    Instrument,
    InstrumentStatus,
    RetryPolicy,
    Scope,
)
from tradewire_client._calls import perform
from tradewire_client._enums import enum_value
from tradewire_client._gen.stubs import AdminServiceStub
from tradewire_client._gen.tradewire import v1
from tradewire_client._times import nanoseconds_of

CALL_TIMEOUT_S = 10.0
PAGE_SIZE = 1000

Request = TypeVar("Request")
Response = TypeVar("Response")


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueStatus:
    """How the venue is."""

    journal_id: str
    event_number: int
    state_hash: str
    open_order_count: int
    account_count: int
    queue_length: int
    start_time_ns: int
    version: str
    kill_switch_engaged: bool


class Operator:
    """Performs admin calls; each is one attempt, for the next step is a person's decision."""

    def __init__(self, client: Client, stub: AdminServiceStub) -> None:
        self._client = client
        self._stub = stub

    async def accounts(self) -> list[Account]:
        """List all accounts by name."""
        found: list[Account] = []
        token = ""
        while True:
            request = v1.ListAccountsRequest(page_size=PAGE_SIZE, page_token=token)
            response = await self._call(self._stub.list_accounts, request)
            found += map(Account.from_message, response.accounts)
            token = response.next_page_token
            if not token:
                return found

    async def create_account(
        self,
        account: str,
        *,
        maker_fee_rate: str | None = None,
        taker_fee_rate: str | None = None,
        open_order_limit: int = 0,
        rate_limit_exempt: bool = False,
    ) -> Account:
        """Open an account; a repeat with equal content changes nothing."""
        request = v1.CreateAccountRequest(
            account=account,
            maker_fee_rate=maker_fee_rate,
            taker_fee_rate=taker_fee_rate,
            open_order_limit=open_order_limit,
            rate_limit_exempt=rate_limit_exempt,
        )
        response = await self._call(self._stub.create_account, request)
        return Account.from_message(response.account or v1.Account())

    async def update_account(
        self,
        account: str,
        *,
        maker_fee_rate: str | None = None,
        taker_fee_rate: str | None = None,
        open_order_limit: int | None = None,
        rate_limit_exempt: bool | None = None,
        trading_disabled: bool | None = None,
    ) -> tuple[Account, int]:
        """Change what is given; return the account and how many orders its kill switch canceled."""
        request = v1.UpdateAccountRequest(
            account=account,
            maker_fee_rate=maker_fee_rate,
            taker_fee_rate=taker_fee_rate,
            open_order_limit=open_order_limit,
            rate_limit_exempt=rate_limit_exempt,
            trading_disabled=trading_disabled,
        )
        response = await self._call(self._stub.update_account, request)
        return Account.from_message(response.account or v1.Account()), response.canceled_count

    async def deposit(
        self, account: str, asset: str, amount: Decimal | str, *, request_id: str = ""
    ) -> tuple[Balance, int]:
        """Credit an account, once per request id; return the balance and the ledger sequence."""
        request = v1.CreateDepositRequest(
            request_id=request_id or new_request_id(),
            account=account,
            asset=asset,
            amount=_text(amount),
        )
        response = await self._call(self._stub.create_deposit, request)
        return Balance.from_message(response.balance or v1.Balance()), response.ledger_sequence

    async def withdraw(
        self, account: str, asset: str, amount: Decimal | str, *, request_id: str = ""
    ) -> tuple[Balance, int]:
        """Debit an account, once per request id; return the balance and the ledger sequence."""
        request = v1.CreateWithdrawalRequest(
            request_id=request_id or new_request_id(),
            account=account,
            asset=asset,
            amount=_text(amount),
        )
        response = await self._call(self._stub.create_withdrawal, request)
        return Balance.from_message(response.balance or v1.Balance()), response.ledger_sequence

    async def balances(self, account: str) -> list[Balance]:
        """Return the balances of an account."""
        request = v1.ListAccountBalancesRequest(account=account)
        response = await self._call(self._stub.list_account_balances, request)
        return [Balance.from_message(balance) for balance in response.balances]

    async def create_asset(self, asset: str, precision: int) -> None:
        """Name an asset and its number of decimals."""
        request = v1.CreateAssetRequest(asset=asset, precision=precision)
        await self._call(self._stub.create_asset, request)

    async def create_instrument(
        self,
        symbol: str,
        *,
        tick_size: str,
        lot_size: str,
        minimum_quantity: str = "",
        maximum_quantity: str,
        minimum_notional: str = "0",
        maximum_notional: str,
        price_band_percent: str = "0",
        market_protection_percent: str = "100",
    ) -> Instrument:
        """List an instrument; a repeat with equal content changes nothing."""
        base, _, quote = symbol.partition("-")
        request = v1.CreateInstrumentRequest(
            instrument=v1.Instrument(
                symbol=symbol,
                base_asset=base,
                quote_asset=quote,
                tick_size=tick_size,
                lot_size=lot_size,
                minimum_quantity=minimum_quantity or lot_size,
                maximum_quantity=maximum_quantity,
                minimum_notional=minimum_notional,
                maximum_notional=maximum_notional,
                price_band_percent=price_band_percent,
                market_protection_percent=market_protection_percent,
            )
        )
        response = await self._call(self._stub.create_instrument, request)
        return Instrument.from_message(response.instrument or v1.Instrument())

    async def set_instrument_status(self, symbol: str, status: str) -> Instrument:
        """Change what an instrument accepts."""
        request = v1.SetInstrumentStatusRequest(
            symbol=symbol, status=enum_value(InstrumentStatus, status, name="status")
        )
        response = await self._call(self._stub.set_instrument_status, request)
        return Instrument.from_message(response.instrument or v1.Instrument())

    async def set_kill_switch(self, *, engaged: bool) -> int:
        """Stop or allow trading; return how many orders were canceled."""
        request = v1.SetKillSwitchRequest(engaged=engaged)
        return (await self._call(self._stub.set_kill_switch, request)).canceled_count

    async def create_key(
        self, account: str, *, public_key: str, scopes: Iterable[str] = (), label: str = ""
    ) -> ApiKey:
        """Make an Ed25519 key of any account; nobody but the caller has its private half."""
        request = v1.CreateAccountKeyRequest(
            account=account,
            algorithm=v1.KeyAlgorithm.ED25519,
            public_key=public_key,
            scopes=[enum_value(Scope, scope, name="scope") for scope in scopes],
            label=label,
        )
        response = await self._call(self._stub.create_account_key, request)
        return ApiKey.from_message(response.key or v1.ApiKey())

    async def keys(self, account: str) -> list[ApiKey]:
        """List the keys of an account, revoked ones included."""
        found: list[ApiKey] = []
        token = ""
        while True:
            request = v1.ListAccountKeysRequest(
                account=account, page_size=PAGE_SIZE, page_token=token
            )
            response = await self._call(self._stub.list_account_keys, request)
            found += map(ApiKey.from_message, response.keys)
            token = response.next_page_token
            if not token:
                return found

    async def revoke_key(self, api_key: str) -> ApiKey:
        """End a key of any account."""
        request = v1.RevokeAccountKeyRequest(api_key=api_key)
        response = await self._call(self._stub.revoke_account_key, request)
        return ApiKey.from_message(response.key or v1.ApiKey())

    async def status(self, *, with_state_hash: bool = False) -> VenueStatus:
        """Tell how the venue is; the hash of its state takes time and is made if asked for."""
        request = v1.GetVenueStatusRequest(with_state_hash=with_state_hash)
        response = await self._call(self._stub.get_venue_status, request)
        return VenueStatus(
            journal_id=response.journal_id,
            event_number=response.event_number,
            state_hash=response.state_hash,
            open_order_count=response.open_order_count,
            account_count=response.account_count,
            queue_length=response.queue_length,
            start_time_ns=nanoseconds_of(response.start_time, absent=0),
            version=response.version,
            kill_switch_engaged=response.kill_switch_engaged,
        )

    async def _call(self, method: Callable[..., Awaitable[Response]], request: Request) -> Response:
        metadata = await self._client.session.authorization()
        stub: Any = method
        response: Response = await perform(stub, request, CALL_TIMEOUT_S, metadata)
        return response


@asynccontextmanager
async def open_operator(
    target: str, key: Ed25519Key, *, environment: str = ""
) -> AsyncIterator[Operator]:
    """Connect to the admin listener, which is on this machine, and sign in."""
    patience = RetryPolicy(attempts=3, deadline=8.0)
    async with (
        grpc.aio.insecure_channel(target) as channel,
        Client(channel=channel, key=key, environment=environment, retry=patience) as client,
    ):
        yield Operator(client, AdminServiceStub(channel))


def new_request_id() -> str:
    """Return an id that nobody used."""
    return secrets.token_hex(16)


def _text(amount: Decimal | str) -> str:
    return format(amount, "f") if isinstance(amount, Decimal) else amount
