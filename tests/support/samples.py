"""A valid request of every method of the contract, to be spoiled one field at a time."""

from dataclasses import dataclass

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import (
    account_service_pb2,
    admin_service_pb2,
    execution_service_pb2,
    key_pb2,
    key_service_pb2,
    market_data_service_pb2,
    market_pb2,
    options_pb2,
    order_pb2,
    order_service_pb2,
    session_service_pb2,
)

from tests.support.venue import SYMBOL, base64url


@dataclass(frozen=True)
class Things:
    """What there is at the venue to be named by a request of an account."""

    account: str
    order_id: str
    client_order_id: str
    key_id: str
    now_ns: int


def samples(things: Things) -> dict[str, Message]:
    """Return a valid request by the path of its method."""
    later = Timestamp()
    later.FromNanoseconds(things.now_ns + 3_600 * 10**9)
    account, own_id = things.account, things.client_order_id
    instrument = market_pb2.Instrument(
        symbol="ETH-BTC",
        base_asset="ETH",
        quote_asset="BTC",
        tick_size="0.01",
        lot_size="0.001",
        minimum_quantity="0.001",
        maximum_quantity="1000",
        minimum_notional="0.01",
        maximum_notional="1000",
        price_band_percent="10",
        market_protection_percent="5",
        status=market_pb2.INSTRUMENT_STATUS_TRADING,
    )
    orders = {
        "PlaceOrder": order_service_pb2.PlaceOrderRequest(
            client_order_id="sample-1",
            symbol=SYMBOL,
            side=order_pb2.SIDE_BUY,
            type=order_pb2.ORDER_TYPE_LIMIT,
            time_in_force=order_pb2.TIME_IN_FORCE_GTD,
            quantity="1",
            price="50",
            expire_time=later,
            post_only=order_pb2.POST_ONLY_REJECT,
            self_trade_prevention=order_pb2.SELF_TRADE_PREVENTION_CANCEL_NEWEST,
            account=account,
            valid_until=later,
        ),
        "AmendOrder": order_service_pb2.AmendOrderRequest(
            client_order_id="sample-2",
            original_client_order_id=own_id,
            quantity="2",
            price="51",
            account=account,
            valid_until=later,
        ),
        "CancelOrder": order_service_pb2.CancelOrderRequest(
            order_id=things.order_id,
            client_order_id="sample-3",
            account=account,
            valid_until=later,
        ),
        "CancelAllOrders": order_service_pb2.CancelAllOrdersRequest(
            symbol=SYMBOL, side=order_pb2.SIDE_BUY, account=account, valid_until=later
        ),
        "PlaceOrders": order_service_pb2.PlaceOrdersRequest(
            orders=[
                order_service_pb2.PlaceOrderRequest(
                    client_order_id="sample-6",
                    symbol=SYMBOL,
                    side=order_pb2.SIDE_BUY,
                    type=order_pb2.ORDER_TYPE_LIMIT,
                    quantity="1",
                    price="49",
                    account=account,
                )
            ],
            account=account,
        ),
        "CancelOrders": order_service_pb2.CancelOrdersRequest(
            cancels=[
                order_service_pb2.CancelOrderRequest(order_id=things.order_id, account=account)
            ],
            account=account,
        ),
        "GetOrder": order_service_pb2.GetOrderRequest(client_order_id=own_id, account=account),
        "ListOrders": order_service_pb2.ListOrdersRequest(
            filter=order_service_pb2.ORDER_FILTER_OPEN,
            symbol=SYMBOL,
            account=account,
            page_size=10,
            page_token="1",
        ),
        "EnterOrders": order_service_pb2.EnterOrdersRequest(account=account),
    }
    executions = {
        "ListExecutions": execution_service_pb2.ListExecutionsRequest(
            after_sequence=1, page_size=10, account=account
        ),
        "StreamExecutions": execution_service_pb2.StreamExecutionsRequest(
            after_sequence=1, account=account
        ),
    }
    market = {
        "ListInstruments": market_data_service_pb2.ListInstrumentsRequest(
            page_size=10, page_token="A"
        ),
        "GetInstrument": market_data_service_pb2.GetInstrumentRequest(symbol=SYMBOL),
        "GetOrderBook": market_data_service_pb2.GetOrderBookRequest(symbol=SYMBOL, depth=5),
        "ListTrades": market_data_service_pb2.ListTradesRequest(
            symbol=SYMBOL, after_trade_id=0, page_size=10
        ),
        "GetTicker": market_data_service_pb2.GetTickerRequest(symbol=SYMBOL),
        "ListCandles": market_data_service_pb2.ListCandlesRequest(
            symbol=SYMBOL,
            interval=market_pb2.CANDLE_INTERVAL_1M,
            start_time=Timestamp(seconds=1_000_000_000),
            end_time=later,
            page_size=10,
        ),
        "StreamMarketData": market_data_service_pb2.StreamMarketDataRequest(
            symbols=[SYMBOL], depth=5
        ),
    }
    accounts = {
        "GetAccount": account_service_pb2.GetAccountRequest(account=account),
        "ListBalances": account_service_pb2.ListBalancesRequest(account=account),
        "ListPositions": account_service_pb2.ListPositionsRequest(account=account),
        "ListLedgerEntries": account_service_pb2.ListLedgerEntriesRequest(
            after_sequence=1, page_size=10, account=account
        ),
        "GetLimits": account_service_pb2.GetLimitsRequest(account=account),
        "StreamAccount": account_service_pb2.StreamAccountRequest(
            after_sequence=1, account=account
        ),
    }
    keys = {
        "CreateKey": key_service_pb2.CreateKeyRequest(
            algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256,
            scopes=[options_pb2.SCOPE_READ],
            addresses=["192.0.2.0/24"],
            expire_time=later,
            label="sample",
        ),
        "ListKeys": key_service_pb2.ListKeysRequest(page_size=10, page_token="1"),
        "RotateKey": key_service_pb2.RotateKeyRequest(
            api_key=things.key_id, public_key=base64url(bytes(range(32))), overlap_seconds=60
        ),
        "RevokeKey": key_service_pb2.RevokeKeyRequest(api_key=things.key_id),
    }
    sessions = {
        "CreateSession": session_service_pb2.CreateSessionRequest(
            signature=session_service_pb2.SessionSignature(
                api_key=things.key_id,
                timestamp_ms=things.now_ns // 10**6,
                nonce="0123456789abcdef",
                signature=base64url(bytes(64)),
                receive_window_ms=1000,
            )
        ),
        "CreateTicket": session_service_pb2.CreateTicketRequest(
            scopes=[options_pb2.SCOPE_READ, options_pb2.SCOPE_TRADE]
        ),
        "EndSession": session_service_pb2.EndSessionRequest(),
        "GetServerTime": session_service_pb2.GetServerTimeRequest(),
        "CheckSignature": session_service_pb2.CheckSignatureRequest(
            api_key=things.key_id,
            timestamp=str(things.now_ns // 10**6),
            nonce="0123456789abcdef",
            signature=base64url(bytes(64)),
            method="POST",
            path="/v1/orders",
            body=b"{}",
            recv_window="5000",
        ),
        "GetTokenKeys": session_service_pb2.GetTokenKeysRequest(),
    }
    admin = {
        "CreateAccount": admin_service_pb2.CreateAccountRequest(
            account="sample",
            maker_fee_rate="0.001",
            taker_fee_rate="0.002",
            open_order_limit=10,
            rate_limit_exempt=True,
        ),
        "ListAccounts": admin_service_pb2.ListAccountsRequest(page_size=10, page_token="a"),
        "UpdateAccount": admin_service_pb2.UpdateAccountRequest(
            account=account, maker_fee_rate="0.003", taker_fee_rate="0.004", open_order_limit=7
        ),
        "CreateDeposit": admin_service_pb2.CreateDepositRequest(
            request_id="sample-4", account=account, asset="USD", amount="1.5"
        ),
        "CreateWithdrawal": admin_service_pb2.CreateWithdrawalRequest(
            request_id="sample-5", account=account, asset="USD", amount="1.5"
        ),
        "CreateAsset": admin_service_pb2.CreateAssetRequest(asset="NEW", precision=4),
        "CreateInstrument": admin_service_pb2.CreateInstrumentRequest(instrument=instrument),
        "SetInstrumentStatus": admin_service_pb2.SetInstrumentStatusRequest(
            symbol=SYMBOL, status=market_pb2.INSTRUMENT_STATUS_HALTED
        ),
        "SetKillSwitch": admin_service_pb2.SetKillSwitchRequest(engaged=True),
        "CreateAccountKey": admin_service_pb2.CreateAccountKeyRequest(
            algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256,
            scopes=[options_pb2.SCOPE_READ, options_pb2.SCOPE_TRADE],
            addresses=["192.0.2.0/24"],
            expire_time=later,
            label="sample",
            account=account,
        ),
        "ListAccountKeys": admin_service_pb2.ListAccountKeysRequest(
            account=account, page_size=10, page_token="1"
        ),
        "RevokeAccountKey": admin_service_pb2.RevokeAccountKeyRequest(api_key=things.key_id),
        "ListAccountBalances": admin_service_pb2.ListAccountBalancesRequest(account=account),
        "GetVenueStatus": admin_service_pb2.GetVenueStatusRequest(with_state_hash=True),
    }
    services: dict[str, dict[str, Message]] = {
        "OrderService": {**orders},
        "ExecutionService": {**executions},
        "MarketDataService": {**market},
        "AccountService": {**accounts},
        "KeyService": {**keys},
        "SessionService": {**sessions},
        "AdminService": {**admin},
    }
    return {
        f"/tradewire.v1.{service}/{name}": request
        for service, requests in services.items()
        for name, request in requests.items()
    }
