"""AdminService: operation of the venue, on a listener of its own."""

from google.protobuf.message import Message
from tradewire.v1 import account_pb2, admin_service_pb2, admin_service_pb2_grpc, options_pb2

from tradewire_server.api.convert import instrument_of, rate, status_of, time_ns
from tradewire_server.api.edge import Context
from tradewire_server.api.encode import (
    account_message,
    balance_message,
    balance_messages,
    instrument_message,
    timestamp,
)
from tradewire_server.api.errors import make_error
from tradewire_server.api.key_messages import key_message, key_request, record_of
from tradewire_server.api.keys import list_keys
from tradewire_server.api.pages import name_page
from tradewire_server.api.venue import Venue
from tradewire_server.auth.provisioning import KeyMaker
from tradewire_server.engine.commands import (
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    RevokeKey,
    SetInstrumentStatus,
    SetKillSwitch,
    UpdateAccount,
    Withdraw,
)
from tradewire_server.engine.decimals import normalize_decimal
from tradewire_server.engine.state import AccountState
from tradewire_server.engine.vocabulary import Reason

DEFAULT_MAKER_RATE = "0.001"
DEFAULT_TAKER_RATE = "0.002"
DEFAULT_OPEN_ORDER_LIMIT = 1000
ADMIN_ACCOUNT = "admin"


class AdminService(admin_service_pb2_grpc.AdminServiceServicer):
    """See the contract. Every change is a command of the sequencer and an event of the journal."""

    def __init__(self, venue: Venue, maker: KeyMaker) -> None:
        self._venue = venue
        self._maker = maker

    async def CreateAccount(
        self, request: admin_service_pb2.CreateAccountRequest, context: Context
    ) -> admin_service_pb2.CreateAccountResponse:
        maker = request.maker_fee_rate if _has(request, "maker_fee_rate") else DEFAULT_MAKER_RATE
        taker = request.taker_fee_rate if _has(request, "taker_fee_rate") else DEFAULT_TAKER_RATE
        await self._venue.submit(
            CreateAccount(
                request.account,
                rate(maker, "maker_fee_rate"),
                rate(taker, "taker_fee_rate"),
                request.open_order_limit or DEFAULT_OPEN_ORDER_LIMIT,
                request.rate_limit_exempt,
            )
        )
        account = self._venue.account(request.account)
        return admin_service_pb2.CreateAccountResponse(account=account_message(account))

    async def ListAccounts(
        self, request: admin_service_pb2.ListAccountsRequest, context: Context
    ) -> admin_service_pb2.ListAccountsResponse:
        accounts, token = name_page(
            self._venue.state.accounts, request.page_token, request.page_size
        )
        response = admin_service_pb2.ListAccountsResponse(
            accounts=map(account_message, accounts), next_page_token=token
        )
        await self._venue.sequencer.settled()
        return response

    async def UpdateAccount(
        self, request: admin_service_pb2.UpdateAccountRequest, context: Context
    ) -> admin_service_pb2.UpdateAccountResponse:
        done = await self._venue.submit(
            UpdateAccount(
                request.account,
                rate(request.maker_fee_rate, "maker_fee_rate")
                if _has(request, "maker_fee_rate")
                else None,
                rate(request.taker_fee_rate, "taker_fee_rate")
                if _has(request, "taker_fee_rate")
                else None,
                request.open_order_limit if _has(request, "open_order_limit") else None,
                request.rate_limit_exempt if _has(request, "rate_limit_exempt") else None,
                request.trading_disabled if _has(request, "trading_disabled") else None,
            )
        )
        account = self._venue.account(request.account)
        return admin_service_pb2.UpdateAccountResponse(
            account=account_message(account), canceled_count=done.canceled_count
        )

    async def CreateDeposit(
        self, request: admin_service_pb2.CreateDepositRequest, context: Context
    ) -> admin_service_pb2.CreateDepositResponse:
        done = await self._venue.submit(
            Deposit(
                request.account,
                request.asset,
                normalize_decimal(request.amount),
                request.request_id,
            )
        )
        return admin_service_pb2.CreateDepositResponse(
            balance=self._balance(request.account, request.asset),
            ledger_sequence=done.ledger_sequence,
        )

    async def CreateWithdrawal(
        self, request: admin_service_pb2.CreateWithdrawalRequest, context: Context
    ) -> admin_service_pb2.CreateWithdrawalResponse:
        done = await self._venue.submit(
            Withdraw(
                request.account,
                request.asset,
                normalize_decimal(request.amount),
                request.request_id,
            )
        )
        return admin_service_pb2.CreateWithdrawalResponse(
            balance=self._balance(request.account, request.asset),
            ledger_sequence=done.ledger_sequence,
        )

    async def CreateAsset(
        self, request: admin_service_pb2.CreateAssetRequest, context: Context
    ) -> admin_service_pb2.CreateAssetResponse:
        await self._venue.submit(CreateAsset(request.asset, request.precision))
        return admin_service_pb2.CreateAssetResponse()

    async def CreateInstrument(
        self, request: admin_service_pb2.CreateInstrumentRequest, context: Context
    ) -> admin_service_pb2.CreateInstrumentResponse:
        await self._venue.submit(
            CreateInstrument(instrument_of(request.instrument, self._venue.state.assets))
        )
        return admin_service_pb2.CreateInstrumentResponse(
            instrument=instrument_message(
                self._venue.state.markets[request.instrument.symbol].instrument
            )
        )

    async def SetInstrumentStatus(
        self, request: admin_service_pb2.SetInstrumentStatusRequest, context: Context
    ) -> admin_service_pb2.SetInstrumentStatusResponse:
        await self._venue.submit(SetInstrumentStatus(request.symbol, status_of(request)))
        return admin_service_pb2.SetInstrumentStatusResponse(
            instrument=instrument_message(self._venue.state.markets[request.symbol].instrument)
        )

    async def SetKillSwitch(
        self, request: admin_service_pb2.SetKillSwitchRequest, context: Context
    ) -> admin_service_pb2.SetKillSwitchResponse:
        done = await self._venue.submit(SetKillSwitch(request.engaged))
        return admin_service_pb2.SetKillSwitchResponse(canceled_count=done.canceled_count)

    async def CreateAccountKey(
        self, request: admin_service_pb2.CreateAccountKeyRequest, context: Context
    ) -> admin_service_pb2.CreateAccountKeyResponse:
        if options_pb2.SCOPE_ADMIN in request.scopes and request.account != ADMIN_ACCOUNT:
            text = f"a key with SCOPE_ADMIN belongs to the account {ADMIN_ACCOUNT}"
            raise make_error(Reason.FIELD_INVALID, text, field="scopes")
        created = self._maker.create(
            key_request(
                account=request.account,
                algorithm=request.algorithm,
                public_key=request.public_key,
                scopes=list(request.scopes),
                addresses=list(request.addresses),
                expires_ns=time_ns(request, "expire_time"),
                label=request.label,
            ),
            creator_scopes=None,
            now_ns=self._venue.clock_ns(),
        )
        record = record_of(created.key)
        await self._venue.submit(CreateKey(record))
        return admin_service_pb2.CreateAccountKeyResponse(
            key=key_message(record), secret=created.secret
        )

    async def ListAccountKeys(
        self, request: admin_service_pb2.ListAccountKeysRequest, context: Context
    ) -> admin_service_pb2.ListAccountKeysResponse:
        self._account(request.account)
        records, token = list_keys(
            self._venue, request.account, request.page_token, request.page_size
        )
        await self._venue.sequencer.settled()
        return admin_service_pb2.ListAccountKeysResponse(
            keys=map(key_message, records), next_page_token=token
        )

    async def RevokeAccountKey(
        self, request: admin_service_pb2.RevokeAccountKeyRequest, context: Context
    ) -> admin_service_pb2.RevokeAccountKeyResponse:
        await self._venue.submit(RevokeKey("", request.api_key))
        return admin_service_pb2.RevokeAccountKeyResponse(
            key=key_message(self._venue.state.keys[request.api_key])
        )

    async def ListAccountBalances(
        self, request: admin_service_pb2.ListAccountBalancesRequest, context: Context
    ) -> admin_service_pb2.ListAccountBalancesResponse:
        response = admin_service_pb2.ListAccountBalancesResponse(
            balances=balance_messages(self._venue.state, self._account(request.account))
        )
        await self._venue.sequencer.settled()
        return response

    async def GetVenueStatus(
        self, request: admin_service_pb2.GetVenueStatusRequest, context: Context
    ) -> admin_service_pb2.GetVenueStatusResponse:
        venue = self._venue
        response = admin_service_pb2.GetVenueStatusResponse(
            journal_id=venue.journal_id,
            event_number=venue.state.event_number,
            state_hash=venue.state.state_hash().hex() if request.with_state_hash else "",
            open_order_count=len(venue.state.orders),
            account_count=len(venue.state.accounts),
            queue_length=venue.sequencer.queue_length,
            start_time=timestamp(venue.start_time_ns),
            version=venue.version,
            kill_switch_engaged=venue.state.kill_switch,
        )
        await venue.sequencer.settled()
        return response

    def _account(self, name: str) -> AccountState:
        account = self._venue.state.accounts.get(name)
        if account is None:
            text = f"there is no account {name}"
            raise make_error(Reason.ACCOUNT_NOT_FOUND, text, field="account")
        return account

    def _balance(self, account: str, asset: str) -> account_pb2.Balance:
        state = self._venue.state
        return balance_message(asset, state.accounts[account].balance(asset), state.assets[asset])


def _has(request: Message, field: str) -> bool:
    return request.HasField(field)
