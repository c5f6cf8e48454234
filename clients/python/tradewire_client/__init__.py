"""The Python client of the Tradewire trading API.

    from tradewire_client import Client

    async with Client.from_demo(account="demo-1") as client:
        order = await client.orders.place(
            symbol="BTC-USD", side="buy", type="limit", quantity="0.5", price="100.25"
        )

Everything public is here; the README beside this package shows what it is for.
"""

from tradewire_client._batches import NewOrder, OrderCancel, OrderResult
from tradewire_client._book import Book
from tradewire_client._channel import Tls
from tradewire_client._client import Client
from tradewire_client._commands import CanceledOrders, OrderAnswer
from tradewire_client._entry import OrderEntry
from tradewire_client._errors import (
    AlreadyExists,
    AuthenticationError,
    BookCorrupted,
    ClientClosed,
    ConfigurationError,
    DeadlinePassed,
    Exhausted,
    FailedPrecondition,
    FieldViolation,
    InvalidRequest,
    JournalChanged,
    NotFound,
    NotServing,
    OutOfRange,
    PermissionDenied,
    ProtocolViolation,
    RateLimited,
    Refused,
    Rejected,
    SequenceGap,
    SequenceRepeated,
    ServerFault,
    StreamClosed,
    TimedOut,
    TooManyPending,
    TradewireError,
    Unavailable,
    UnknownOutcome,
)
from tradewire_client._feed import ExecutionFeed
from tradewire_client._follow import ExecutionStream, LedgerStream
from tradewire_client._gen.tradewire.v1 import (
    CandleInterval,
    ExecutionType,
    InstrumentStatus,
    KeyAlgorithm,
    LedgerEntryType,
    Liquidity,
    OrderFilter,
    OrderStatus,
    OrderType,
    PostOnly,
    Reason,
    Scope,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from tradewire_client._market import BookStream
from tradewire_client._pages import Listing, Pages
from tradewire_client._retry import RetryPolicy
from tradewire_client._session import Session
from tradewire_client._signing import Ed25519Key, HmacKey, Key, session_payload
from tradewire_client._streams import StreamPolicy
from tradewire_client._values import (
    Account,
    AccountSnapshot,
    ApiKey,
    Balance,
    Candle,
    CreateKeyResponse,
    CreateTicketResponse,
    Execution,
    GetAccountResponse,
    GetLimitsResponse,
    GetServerTimeResponse,
    Instrument,
    LedgerChange,
    LedgerEntry,
    LimitState,
    Order,
    Position,
    PriceLevel,
    RateLimit,
    RotateKeyResponse,
    Ticker,
    Trade,
    UnfilledOrderCount,
)
from tradewire_client._world import World

__version__ = "0.1.0"

__all__ = [
    "Account",
    "AccountSnapshot",
    "AlreadyExists",
    "ApiKey",
    "AuthenticationError",
    "Balance",
    "Book",
    "BookCorrupted",
    "BookStream",
    "CanceledOrders",
    "Candle",
    "CandleInterval",
    "Client",
    "ClientClosed",
    "ConfigurationError",
    "CreateKeyResponse",
    "CreateTicketResponse",
    "DeadlinePassed",
    "Ed25519Key",
    "Execution",
    "ExecutionFeed",
    "ExecutionStream",
    "ExecutionType",
    "Exhausted",
    "FailedPrecondition",
    "FieldViolation",
    "GetAccountResponse",
    "GetLimitsResponse",
    "GetServerTimeResponse",
    "HmacKey",
    "Instrument",
    "InstrumentStatus",
    "InvalidRequest",
    "JournalChanged",
    "Key",
    "KeyAlgorithm",
    "LedgerChange",
    "LedgerEntry",
    "LedgerEntryType",
    "LedgerStream",
    "LimitState",
    "Liquidity",
    "Listing",
    "NewOrder",
    "NotFound",
    "NotServing",
    "Order",
    "OrderAnswer",
    "OrderCancel",
    "OrderEntry",
    "OrderFilter",
    "OrderResult",
    "OrderStatus",
    "OrderType",
    "OutOfRange",
    "Pages",
    "PermissionDenied",
    "Position",
    "PostOnly",
    "PriceLevel",
    "ProtocolViolation",
    "RateLimit",
    "RateLimited",
    "Reason",
    "Refused",
    "Rejected",
    "RetryPolicy",
    "RotateKeyResponse",
    "Scope",
    "SelfTradePrevention",
    "SequenceGap",
    "SequenceRepeated",
    "ServerFault",
    "Session",
    "Side",
    "StreamClosed",
    "StreamPolicy",
    "Ticker",
    "TimeInForce",
    "TimedOut",
    "Tls",
    "TooManyPending",
    "Trade",
    "TradewireError",
    "Unavailable",
    "UnfilledOrderCount",
    "UnknownOutcome",
    "World",
    "session_payload",
]
