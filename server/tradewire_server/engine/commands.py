"""What the engine can be asked. Decimals are still text here: their meaning depends on the
instrument.

Who may ask is decided before: `account` is one that the caller's credential covers.
"""

from typing import NamedTuple

from tradewire_server.engine.events import KeyRecord
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.vocabulary import (
    InstrumentStatus,
    OrderType,
    PostOnly,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)


class PlaceOrder(NamedTuple):
    """NewOrderSingle(D). Absent decimals are empty; `connection` is set for cancel on
    disconnect.
    """

    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: str = ""
    quote_quantity: str = ""
    price: str = ""
    expire_time_ns: int = 0
    post_only: PostOnly = PostOnly.UNSPECIFIED
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.UNSPECIFIED
    connection: str = ""


class AmendOrder(NamedTuple):
    """OrderCancelReplaceRequest(G). The order is named by id, or by a client order id when that is
    0.
    """

    account: str
    client_order_id: str
    order_id: int = 0
    original_client_order_id: str = ""
    quantity: str = ""
    price: str = ""


class CancelOrder(NamedTuple):
    """OrderCancelRequest(F). The order is named by id, or by a client order id when that is 0."""

    account: str
    client_order_id: str = ""
    order_id: int = 0
    original_client_order_id: str = ""


class CancelAllOrders(NamedTuple):
    """OrderMassCancelRequest(q); empty symbol and no side mean all."""

    account: str
    symbol: str = ""
    side: Side | None = None


class CancelConnection(NamedTuple):
    """Cancels the orders that a connection placed with cancel on disconnect."""

    connection: str


class CancelOrphans(NamedTuple):
    """Cancels the orders of all connections: asked once at recovery, when none can be alive."""


class ExpireOrders(NamedTuple):
    """Ends the orders whose time has come; asked at the beginning of every batch."""


class CreateAsset(NamedTuple):
    """Names an asset; `precision` is its number of decimals."""

    asset: str
    precision: int


class CreateInstrument(NamedTuple):
    """Lists an instrument."""

    instrument: Instrument


class SetInstrumentStatus(NamedTuple):
    """Changes what an instrument accepts."""

    symbol: str
    status: InstrumentStatus


class CreateAccount(NamedTuple):
    """Opens an account. Rates are fractions of the notional in units of 1e-7."""

    account: str
    maker_rate: int
    taker_rate: int
    open_order_limit: int
    rate_limit_exempt: bool = False


class UpdateAccount(NamedTuple):
    """Changes an account; None keeps a value."""

    account: str
    maker_rate: int | None = None
    taker_rate: int | None = None
    open_order_limit: int | None = None
    rate_limit_exempt: bool | None = None
    trading_disabled: bool | None = None


class SetKillSwitch(NamedTuple):
    """Stops or allows all trading; stopping cancels every order."""

    engaged: bool


class Deposit(NamedTuple):
    """Credits an account; `amount` is decimal text."""

    account: str
    asset: str
    amount: str
    request_id: str


class Withdraw(NamedTuple):
    """Debits an account; `amount` is decimal text."""

    account: str
    asset: str
    amount: str
    request_id: str


class CreateKey(NamedTuple):
    """Adds an API key to an account."""

    key: KeyRecord


class SetKeyExpiry(NamedTuple):
    """Lets a key end at a time."""

    account: str
    key_id: str
    expires_ns: int


class RevokeKey(NamedTuple):
    """Ends a key at once; the empty account stands for any."""

    account: str
    key_id: str


class Refused(NamedTuple):
    """The answer to a command that had no effect. `field` is the contract's field that is to blame,
    if one is.
    """

    reason: Reason
    text: str
    field: str = ""
    metadata: tuple[tuple[str, str], ...] = ()


Command = (
    PlaceOrder
    | AmendOrder
    | CancelOrder
    | CancelAllOrders
    | CancelConnection
    | CancelOrphans
    | ExpireOrders
    | CreateAsset
    | CreateInstrument
    | SetInstrumentStatus
    | CreateAccount
    | UpdateAccount
    | SetKillSwitch
    | Deposit
    | Withdraw
    | CreateKey
    | SetKeyExpiry
    | RevokeKey
)
