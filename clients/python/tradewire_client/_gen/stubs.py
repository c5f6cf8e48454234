"""Typed grpc.aio stubs over the generated messages. Do not edit."""

from __future__ import annotations

import grpc.aio

from .tradewire import v1


class OrderServiceStub:
    """OrderService takes orders, amends and cancels, and answers what became of them. An answer means that its effect is durable. A request is either refused (no event, the client order id stays free) or rejected (an execution with a sequence number, the client order id is taken), never both; both are status errors whose ErrorInfo says which in `outcome`. A retry with equal content returns the first answer."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.place_order: grpc.aio.UnaryUnaryMultiCallable[
            v1.PlaceOrderRequest, v1.PlaceOrderResponse
        ] = channel.unary_unary(
            "/tradewire.v1.OrderService/PlaceOrder",
            request_serializer=v1.PlaceOrderRequest.SerializeToString,
            response_deserializer=v1.PlaceOrderResponse.FromString,
        )
        """PlaceOrder places an order. After a time-out, send it again with the same client_order_id, or ask GetOrder."""
        self.amend_order: grpc.aio.UnaryUnaryMultiCallable[
            v1.AmendOrderRequest, v1.AmendOrderResponse
        ] = channel.unary_unary(
            "/tradewire.v1.OrderService/AmendOrder",
            request_serializer=v1.AmendOrderRequest.SerializeToString,
            response_deserializer=v1.AmendOrderResponse.FromString,
        )
        """AmendOrder changes price, quantity or both of a working limit order. It keeps its place in the queue when only the quantity goes down; otherwise it goes to the end of its price and may trade at once."""
        self.cancel_order: grpc.aio.UnaryUnaryMultiCallable[
            v1.CancelOrderRequest, v1.CancelOrderResponse
        ] = channel.unary_unary(
            "/tradewire.v1.OrderService/CancelOrder",
            request_serializer=v1.CancelOrderRequest.SerializeToString,
            response_deserializer=v1.CancelOrderResponse.FromString,
        )
        """CancelOrder cancels a working order."""
        self.cancel_all_orders: grpc.aio.UnaryUnaryMultiCallable[
            v1.CancelAllOrdersRequest, v1.CancelAllOrdersResponse
        ] = channel.unary_unary(
            "/tradewire.v1.OrderService/CancelAllOrders",
            request_serializer=v1.CancelAllOrdersRequest.SerializeToString,
            response_deserializer=v1.CancelAllOrdersResponse.FromString,
        )
        """CancelAllOrders cancels the account's working orders, all of them or those of one instrument or side."""
        self.place_orders: grpc.aio.UnaryUnaryMultiCallable[
            v1.PlaceOrdersRequest, v1.PlaceOrdersResponse
        ] = channel.unary_unary(
            "/tradewire.v1.OrderService/PlaceOrders",
            request_serializer=v1.PlaceOrdersRequest.SerializeToString,
            response_deserializer=v1.PlaceOrdersResponse.FromString,
        )
        """PlaceOrders places several orders with one answer, which comes when all of them are durable. Each is checked, refused, rejected or placed by itself, in their order, and the call succeeds whatever became of them: look at each result. It costs its own weight and what its orders cost."""
        self.cancel_orders: grpc.aio.UnaryUnaryMultiCallable[
            v1.CancelOrdersRequest, v1.CancelOrdersResponse
        ] = channel.unary_unary(
            "/tradewire.v1.OrderService/CancelOrders",
            request_serializer=v1.CancelOrdersRequest.SerializeToString,
            response_deserializer=v1.CancelOrdersResponse.FromString,
        )
        """CancelOrders cancels several orders with one answer, each by itself, as PlaceOrders places them."""
        self.get_order: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetOrderRequest, v1.GetOrderResponse
        ] = channel.unary_unary(
            "/tradewire.v1.OrderService/GetOrder",
            request_serializer=v1.GetOrderRequest.SerializeToString,
            response_deserializer=v1.GetOrderResponse.FromString,
        )
        """GetOrder returns an order, working or closed, by the venue's id or by any client order id of its chain."""
        self.list_orders: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListOrdersRequest, v1.ListOrdersResponse
        ] = channel.unary_unary(
            "/tradewire.v1.OrderService/ListOrders",
            request_serializer=v1.ListOrdersRequest.SerializeToString,
            response_deserializer=v1.ListOrdersResponse.FromString,
        )
        """ListOrders lists the account's orders, newest last."""
        self.enter_orders: grpc.aio.StreamStreamMultiCallable[
            v1.EnterOrdersRequest, v1.EnterOrdersResponse
        ] = channel.stream_stream(
            "/tradewire.v1.OrderService/EnterOrders",
            request_serializer=v1.EnterOrdersRequest.SerializeToString,
            response_deserializer=v1.EnterOrdersResponse.FromString,
        )
        """EnterOrders is order entry as a stream: frames of commands in, results and the account's executions out, in one stream in journal order. A result never comes before the executions up to its `as_of_sequence`. Commands reach the engine in the order in which they were sent. A bad command becomes its own result; a frame that is too long or cannot be parsed ends the stream. To open it costs 1, and may use the reserve of the rate limit. Each command costs what its unary method costs; an empty frame behind the first costs 1, and ends the stream with RATE_LIMITED when nothing is left."""


class AccountServiceStub:
    """AccountService reads the caller's account. Reads carry the sequence up to which they are true and never show what could still be lost."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.get_account: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetAccountRequest, v1.GetAccountResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AccountService/GetAccount",
            request_serializer=v1.GetAccountRequest.SerializeToString,
            response_deserializer=v1.GetAccountResponse.FromString,
        )
        """GetAccount returns the account and its fees."""
        self.list_balances: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListBalancesRequest, v1.ListBalancesResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AccountService/ListBalances",
            request_serializer=v1.ListBalancesRequest.SerializeToString,
            response_deserializer=v1.ListBalancesResponse.FromString,
        )
        """ListBalances returns the balances of all assets held."""
        self.list_positions: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListPositionsRequest, v1.ListPositionsResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AccountService/ListPositions",
            request_serializer=v1.ListPositionsRequest.SerializeToString,
            response_deserializer=v1.ListPositionsResponse.FromString,
        )
        """ListPositions returns the positions."""
        self.list_ledger_entries: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListLedgerEntriesRequest, v1.ListLedgerEntriesResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AccountService/ListLedgerEntries",
            request_serializer=v1.ListLedgerEntriesRequest.SerializeToString,
            response_deserializer=v1.ListLedgerEntriesResponse.FromString,
        )
        """ListLedgerEntries returns the movements of money after a number."""
        self.get_limits: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetLimitsRequest, v1.GetLimitsResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AccountService/GetLimits",
            request_serializer=v1.GetLimitsRequest.SerializeToString,
            response_deserializer=v1.GetLimitsResponse.FromString,
        )
        """GetLimits returns the caller's limits and how much of them is left."""
        self.stream_account: grpc.aio.UnaryStreamMultiCallable[
            v1.StreamAccountRequest, v1.StreamAccountResponse
        ] = channel.unary_stream(
            "/tradewire.v1.AccountService/StreamAccount",
            request_serializer=v1.StreamAccountRequest.SerializeToString,
            response_deserializer=v1.StreamAccountResponse.FromString,
        )
        """StreamAccount sends the movements of money after a number, then as they come; each has the totals after it. Its numbers, in requests, `caught_up`, `heartbeat` and `closing`, are ledger sequences."""


class AdminServiceStub:
    """AdminService is for the people who run the venue. It answers on the admin listener only, to keys with the scope SCOPE_ADMIN, and has no REST path."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.create_account: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateAccountRequest, v1.CreateAccountResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/CreateAccount",
            request_serializer=v1.CreateAccountRequest.SerializeToString,
            response_deserializer=v1.CreateAccountResponse.FromString,
        )
        """CreateAccount opens an account; a repeat with equal content changes nothing."""
        self.list_accounts: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListAccountsRequest, v1.ListAccountsResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/ListAccounts",
            request_serializer=v1.ListAccountsRequest.SerializeToString,
            response_deserializer=v1.ListAccountsResponse.FromString,
        )
        """ListAccounts lists the accounts."""
        self.update_account: grpc.aio.UnaryUnaryMultiCallable[
            v1.UpdateAccountRequest, v1.UpdateAccountResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/UpdateAccount",
            request_serializer=v1.UpdateAccountRequest.SerializeToString,
            response_deserializer=v1.UpdateAccountResponse.FromString,
        )
        """UpdateAccount changes fees, limits or the kill switch of an account; engaging the switch cancels its orders."""
        self.create_deposit: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateDepositRequest, v1.CreateDepositResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/CreateDeposit",
            request_serializer=v1.CreateDepositRequest.SerializeToString,
            response_deserializer=v1.CreateDepositResponse.FromString,
        )
        """CreateDeposit credits an account; exactly once per request id."""
        self.create_withdrawal: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateWithdrawalRequest, v1.CreateWithdrawalResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/CreateWithdrawal",
            request_serializer=v1.CreateWithdrawalRequest.SerializeToString,
            response_deserializer=v1.CreateWithdrawalResponse.FromString,
        )
        """CreateWithdrawal debits an account; exactly once per request id."""
        self.create_asset: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateAssetRequest, v1.CreateAssetResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/CreateAsset",
            request_serializer=v1.CreateAssetRequest.SerializeToString,
            response_deserializer=v1.CreateAssetResponse.FromString,
        )
        """CreateAsset names an asset and its precision."""
        self.create_instrument: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateInstrumentRequest, v1.CreateInstrumentResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/CreateInstrument",
            request_serializer=v1.CreateInstrumentRequest.SerializeToString,
            response_deserializer=v1.CreateInstrumentResponse.FromString,
        )
        """CreateInstrument lists an instrument; a repeat with equal content changes nothing."""
        self.set_instrument_status: grpc.aio.UnaryUnaryMultiCallable[
            v1.SetInstrumentStatusRequest, v1.SetInstrumentStatusResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/SetInstrumentStatus",
            request_serializer=v1.SetInstrumentStatusRequest.SerializeToString,
            response_deserializer=v1.SetInstrumentStatusResponse.FromString,
        )
        """SetInstrumentStatus changes what an instrument accepts."""
        self.set_kill_switch: grpc.aio.UnaryUnaryMultiCallable[
            v1.SetKillSwitchRequest, v1.SetKillSwitchResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/SetKillSwitch",
            request_serializer=v1.SetKillSwitchRequest.SerializeToString,
            response_deserializer=v1.SetKillSwitchResponse.FromString,
        )
        """SetKillSwitch stops or allows trading of the whole venue; engaging it cancels all orders."""
        self.create_account_key: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateAccountKeyRequest, v1.CreateAccountKeyResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/CreateAccountKey",
            request_serializer=v1.CreateAccountKeyRequest.SerializeToString,
            response_deserializer=v1.CreateAccountKeyResponse.FromString,
        )
        """CreateAccountKey makes a key for any account."""
        self.list_account_keys: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListAccountKeysRequest, v1.ListAccountKeysResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/ListAccountKeys",
            request_serializer=v1.ListAccountKeysRequest.SerializeToString,
            response_deserializer=v1.ListAccountKeysResponse.FromString,
        )
        """ListAccountKeys lists the keys of an account."""
        self.revoke_account_key: grpc.aio.UnaryUnaryMultiCallable[
            v1.RevokeAccountKeyRequest, v1.RevokeAccountKeyResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/RevokeAccountKey",
            request_serializer=v1.RevokeAccountKeyRequest.SerializeToString,
            response_deserializer=v1.RevokeAccountKeyResponse.FromString,
        )
        """RevokeAccountKey ends a key of any account, its sessions and its streams."""
        self.list_account_balances: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListAccountBalancesRequest, v1.ListAccountBalancesResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/ListAccountBalances",
            request_serializer=v1.ListAccountBalancesRequest.SerializeToString,
            response_deserializer=v1.ListAccountBalancesResponse.FromString,
        )
        """ListAccountBalances returns the balances of an account."""
        self.get_venue_status: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetVenueStatusRequest, v1.GetVenueStatusResponse
        ] = channel.unary_unary(
            "/tradewire.v1.AdminService/GetVenueStatus",
            request_serializer=v1.GetVenueStatusRequest.SerializeToString,
            response_deserializer=v1.GetVenueStatusResponse.FromString,
        )
        """GetVenueStatus tells how the venue is."""


class ExecutionServiceStub:
    """ExecutionService gives the executions of an account in their one gapless sequence."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.list_executions: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListExecutionsRequest, v1.ListExecutionsResponse
        ] = channel.unary_unary(
            "/tradewire.v1.ExecutionService/ListExecutions",
            request_serializer=v1.ListExecutionsRequest.SerializeToString,
            response_deserializer=v1.ListExecutionsResponse.FromString,
        )
        """ListExecutions returns executions after a number."""
        self.stream_executions: grpc.aio.UnaryStreamMultiCallable[
            v1.StreamExecutionsRequest, v1.StreamExecutionsResponse
        ] = channel.unary_stream(
            "/tradewire.v1.ExecutionService/StreamExecutions",
            request_serializer=v1.StreamExecutionsRequest.SerializeToString,
            response_deserializer=v1.StreamExecutionsResponse.FromString,
        )
        """StreamExecutions sends what came after a number, then what comes, without a gap or a duplicate."""


class KeyServiceStub:
    """KeyService manages the keys of the caller's account. Two keys can be live for a rotation without a pause."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.create_key: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateKeyRequest, v1.CreateKeyResponse
        ] = channel.unary_unary(
            "/tradewire.v1.KeyService/CreateKey",
            request_serializer=v1.CreateKeyRequest.SerializeToString,
            response_deserializer=v1.CreateKeyResponse.FromString,
        )
        """CreateKey makes a key. Give the public half of an Ed25519 pair, or ask for an HMAC secret, which is shown once."""
        self.list_keys: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListKeysRequest, v1.ListKeysResponse
        ] = channel.unary_unary(
            "/tradewire.v1.KeyService/ListKeys",
            request_serializer=v1.ListKeysRequest.SerializeToString,
            response_deserializer=v1.ListKeysResponse.FromString,
        )
        """ListKeys lists the account's keys, revoked ones included."""
        self.rotate_key: grpc.aio.UnaryUnaryMultiCallable[
            v1.RotateKeyRequest, v1.RotateKeyResponse
        ] = channel.unary_unary(
            "/tradewire.v1.KeyService/RotateKey",
            request_serializer=v1.RotateKeyRequest.SerializeToString,
            response_deserializer=v1.RotateKeyResponse.FromString,
        )
        """RotateKey makes a successor with the same permissions; the old key ends after the overlap."""
        self.revoke_key: grpc.aio.UnaryUnaryMultiCallable[
            v1.RevokeKeyRequest, v1.RevokeKeyResponse
        ] = channel.unary_unary(
            "/tradewire.v1.KeyService/RevokeKey",
            request_serializer=v1.RevokeKeyRequest.SerializeToString,
            response_deserializer=v1.RevokeKeyResponse.FromString,
        )
        """RevokeKey ends a key, its sessions and its streams within a second."""


class MarketDataServiceStub:
    """MarketDataService gives instruments, books, trades and candles to everybody."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.list_instruments: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListInstrumentsRequest, v1.ListInstrumentsResponse
        ] = channel.unary_unary(
            "/tradewire.v1.MarketDataService/ListInstruments",
            request_serializer=v1.ListInstrumentsRequest.SerializeToString,
            response_deserializer=v1.ListInstrumentsResponse.FromString,
        )
        """ListInstruments lists the instruments and their rules."""
        self.get_instrument: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetInstrumentRequest, v1.GetInstrumentResponse
        ] = channel.unary_unary(
            "/tradewire.v1.MarketDataService/GetInstrument",
            request_serializer=v1.GetInstrumentRequest.SerializeToString,
            response_deserializer=v1.GetInstrumentResponse.FromString,
        )
        """GetInstrument returns one instrument."""
        self.get_order_book: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetOrderBookRequest, v1.GetOrderBookResponse
        ] = channel.unary_unary(
            "/tradewire.v1.MarketDataService/GetOrderBook",
            request_serializer=v1.GetOrderBookRequest.SerializeToString,
            response_deserializer=v1.GetOrderBookResponse.FromString,
        )
        """GetOrderBook returns the best levels of a book."""
        self.list_trades: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListTradesRequest, v1.ListTradesResponse
        ] = channel.unary_unary(
            "/tradewire.v1.MarketDataService/ListTrades",
            request_serializer=v1.ListTradesRequest.SerializeToString,
            response_deserializer=v1.ListTradesResponse.FromString,
        )
        """ListTrades returns public trades after a number, or the newest ones."""
        self.get_ticker: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetTickerRequest, v1.GetTickerResponse
        ] = channel.unary_unary(
            "/tradewire.v1.MarketDataService/GetTicker",
            request_serializer=v1.GetTickerRequest.SerializeToString,
            response_deserializer=v1.GetTickerResponse.FromString,
        )
        """GetTicker sums up the last 24 hours."""
        self.list_candles: grpc.aio.UnaryUnaryMultiCallable[
            v1.ListCandlesRequest, v1.ListCandlesResponse
        ] = channel.unary_unary(
            "/tradewire.v1.MarketDataService/ListCandles",
            request_serializer=v1.ListCandlesRequest.SerializeToString,
            response_deserializer=v1.ListCandlesResponse.FromString,
        )
        """ListCandles returns candles, oldest first."""
        self.stream_market_data: grpc.aio.UnaryStreamMultiCallable[
            v1.StreamMarketDataRequest, v1.StreamMarketDataResponse
        ] = channel.unary_stream(
            "/tradewire.v1.MarketDataService/StreamMarketData",
            request_serializer=v1.StreamMarketDataRequest.SerializeToString,
            response_deserializer=v1.StreamMarketDataResponse.FromString,
        )
        """StreamMarketData sends for each instrument a snapshot of the book, then its updates and the trades. A client that reads slowly gets fewer, merged updates: a fresh snapshot in place of what it missed."""


class SessionServiceStub:
    """SessionService turns a signature into a short token, so that sessions are verified and not every order."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.create_session: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateSessionRequest, v1.CreateSessionResponse
        ] = channel.unary_unary(
            "/tradewire.v1.SessionService/CreateSession",
            request_serializer=v1.CreateSessionRequest.SerializeToString,
            response_deserializer=v1.CreateSessionResponse.FromString,
        )
        """CreateSession verifies a proof and returns a token of at most 15 minutes for `authorization: Bearer`. Create the next one before it expires; streams outlive the token that opened them and end on revocation of the key."""
        self.create_ticket: grpc.aio.UnaryUnaryMultiCallable[
            v1.CreateTicketRequest, v1.CreateTicketResponse
        ] = channel.unary_unary(
            "/tradewire.v1.SessionService/CreateTicket",
            request_serializer=v1.CreateTicketRequest.SerializeToString,
            response_deserializer=v1.CreateTicketResponse.FromString,
        )
        """CreateTicket returns a ticket that begins one session within 30 seconds, with some or all of the caller's scopes: a server that has the key gives it to a page or a program that is not to have it."""
        self.end_session: grpc.aio.UnaryUnaryMultiCallable[
            v1.EndSessionRequest, v1.EndSessionResponse
        ] = channel.unary_unary(
            "/tradewire.v1.SessionService/EndSession",
            request_serializer=v1.EndSessionRequest.SerializeToString,
            response_deserializer=v1.EndSessionResponse.FromString,
        )
        """EndSession makes the caller's token useless at once."""
        self.get_server_time: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetServerTimeRequest, v1.GetServerTimeResponse
        ] = channel.unary_unary(
            "/tradewire.v1.SessionService/GetServerTime",
            request_serializer=v1.GetServerTimeRequest.SerializeToString,
            response_deserializer=v1.GetServerTimeResponse.FromString,
        )
        """GetServerTime returns the server's clock, to measure one's own offset."""
        self.check_signature: grpc.aio.UnaryUnaryMultiCallable[
            v1.CheckSignatureRequest, v1.CheckSignatureResponse
        ] = channel.unary_unary(
            "/tradewire.v1.SessionService/CheckSignature",
            request_serializer=v1.CheckSignatureRequest.SerializeToString,
            response_deserializer=v1.CheckSignatureResponse.FromString,
        )
        """CheckSignature says which part of a signed request differs, for those who write a client. It uses up no nonce, and tells only who has the key. On a sandbox only: elsewhere there is no such method."""
        self.get_token_keys: grpc.aio.UnaryUnaryMultiCallable[
            v1.GetTokenKeysRequest, v1.GetTokenKeysResponse
        ] = channel.unary_unary(
            "/tradewire.v1.SessionService/GetTokenKeys",
            request_serializer=v1.GetTokenKeysRequest.SerializeToString,
            response_deserializer=v1.GetTokenKeysResponse.FromString,
        )
        """GetTokenKeys returns the public keys of the session tokens, as a JSON Web Key Set (RFC 7517, RFC 8037)."""
