"""The engine's words of the contract: enumerations with the contract's own names and numbers.

The engine imports no protobuf, so the numbers stand here a second time; a test holds them against
the contract. The meaning of each member is the comment in `proto/tradewire/v1/`.
"""

import enum


class Side(enum.IntEnum):
    """Side(54)."""

    BUY = 1
    SELL = 2


class OrderType(enum.IntEnum):
    """OrdType(40)."""

    MARKET = 1
    LIMIT = 2


class TimeInForce(enum.IntEnum):
    """TimeInForce(59)."""

    DAY = 1
    GTC = 2
    IOC = 3
    FOK = 4
    GTD = 5


class PostOnly(enum.IntEnum):
    """What a post-only order does that would trade."""

    UNSPECIFIED = 0
    REJECT = 1
    REPRICE = 2


class SelfTradePrevention(enum.IntEnum):
    """What an incoming order does that meets its own account."""

    UNSPECIFIED = 0
    CANCEL_NEWEST = 1
    CANCEL_OLDEST = 2
    CANCEL_BOTH = 3
    DECREMENT = 4


class OrderStatus(enum.IntEnum):
    """OrdStatus(39)."""

    NEW = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    CANCELED = 4
    EXPIRED = 5
    REJECTED = 6


class ExecutionType(enum.IntEnum):
    """ExecType(150)."""

    NEW = 1
    TRADE = 2
    CANCELED = 3
    REPLACED = 4
    REJECTED = 5
    EXPIRED = 6
    RESTATED = 7


class Liquidity(enum.IntEnum):
    """LastLiquidityInd(851)."""

    UNSPECIFIED = 0
    MAKER = 1
    TAKER = 2


class InstrumentStatus(enum.IntEnum):
    """SecurityTradingStatus(326)."""

    TRADING = 1
    HALTED = 2
    CANCEL_ONLY = 3
    POST_ONLY = 4


class LedgerEntryType(enum.IntEnum):
    """What moved money."""

    DEPOSIT = 1
    WITHDRAWAL = 2
    TRADE = 3


class Reason(enum.IntEnum):
    """The catalogue of reasons, whole, so that the server speaks of one enumeration."""

    UNSPECIFIED = 0
    FIELD_INVALID = 1
    MESSAGE_MALFORMED = 2
    FRAME_TOO_LARGE = 3
    UNAUTHENTICATED = 4
    SIGNATURE_INVALID = 5
    TIMESTAMP_OUT_OF_WINDOW = 6
    NONCE_REUSED = 7
    NONCE_CACHE_FULL = 8
    KEY_REVOKED = 9
    KEY_EXPIRED = 10
    ADDRESS_NOT_ALLOWED = 11
    TOKEN_INVALID = 12
    TOKEN_EXPIRED = 13
    SCOPE_MISSING = 14
    RATE_LIMITED = 15
    OVERLOADED = 16
    DEADLINE_PASSED = 17
    NOT_SERVING = 18
    KEY_LIMIT = 19
    SCOPE_NOT_GRANTABLE = 20
    INTERNAL = 21
    ANSWER_LATE = 22
    ANSWER_LOST = 23
    STREAM_LIMIT = 24
    TICKET_INVALID = 25
    ORIGIN_NOT_ALLOWED = 26
    CONNECTION_LIMIT = 27
    SUBSCRIPTION_NOT_FOUND = 28
    CONNECTION_IN_USE = 29
    ACCOUNT_NOT_FOUND = 30
    INSTRUMENT_NOT_FOUND = 31
    ORDER_NOT_FOUND = 32
    ASSET_NOT_FOUND = 33
    KEY_NOT_FOUND = 34
    ALREADY_EXISTS = 35
    SEQUENCE_OUT_OF_RANGE = 36
    METHOD_NOT_FOUND = 37
    METHOD_NOT_ALLOWED = 38
    REQUEST_TOO_LARGE = 39
    CLIENT_ORDER_ID_REUSED = 40
    ID_CAPACITY_REACHED = 41
    REQUEST_ID_REUSED = 42
    PRICE_OFF_TICK = 50
    QUANTITY_OFF_LOT = 51
    QUANTITY_OUT_OF_RANGE = 52
    NOTIONAL_OUT_OF_RANGE = 53
    PRICE_OUT_OF_RANGE = 54
    FIELDS_CONFLICT = 55
    EXPIRE_TIME_INVALID = 56
    INSUFFICIENT_FUNDS = 60
    INSTRUMENT_HALTED = 61
    INSTRUMENT_CANCEL_ONLY = 62
    INSTRUMENT_POST_ONLY = 63
    POST_ONLY_WOULD_TRADE = 64
    PRICE_OUT_OF_BAND = 65
    OPEN_ORDER_LIMIT = 66
    TRADING_DISABLED = 67
    ORDER_CLOSED = 70
    QUANTITY_BELOW_FILLED = 71
    ORDER_NOT_AMENDABLE = 72
    USER_CANCELED = 80
    MASS_CANCELED = 81
    SELF_TRADE_PREVENTED = 82
    DISCONNECTED = 83
    EXPIRED = 84
    IMMEDIATE_OR_CANCEL = 85
    FILL_OR_KILL = 86
    NO_LIQUIDITY = 87
    PRICE_PROTECTION = 88
    ADMIN_CANCELED = 89
    KILL_SWITCH = 90
    REPRICED = 91
    SLOW_CONSUMER = 100
    STREAM_LIFETIME = 101
    SERVER_DRAINING = 102
    CREDENTIAL_ENDED = 103
    CONNECTION_IDLE = 104


# Until Python 3.12 it takes 0.1 us to look a member up in its class, and an order needs dozens:
# those of the hot paths have names of their own.
BUY, SELL = Side.BUY, Side.SELL
LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
DAY, GTD = TimeInForce.DAY, TimeInForce.GTD
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
TRADING = InstrumentStatus.TRADING
DECREMENT = SelfTradePrevention.DECREMENT
MAKER, TAKER = Liquidity.MAKER, Liquidity.TAKER
NO_REASON = Reason.UNSPECIFIED
SELF_TRADE_PREVENTED = Reason.SELF_TRADE_PREVENTED
