"""What happened. Events are the only input of the fold and the only content of the journal.

An event holds amounts as they were decided (fees, holds), so that history does not change when a
rule does. Fields are appended with a default, never removed or reordered: the journal stores them
by position.
"""

from typing import NamedTuple

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

# `make(OrderTraded, (1, 2, ...))` is `OrderTraded(1, 2, ...)` in half the time, because it does not
# go through a function of Python; all fields must be given. For what an order makes many of.
make = tuple.__new__


class KeyRecord(NamedTuple):
    """An API key as it is kept: the public half of an Ed25519 pair, or a sealed HMAC secret."""

    key_id: str
    account: str
    algorithm: str
    public_key: bytes
    sealed_secret: bytes
    scopes: tuple[str, ...]
    addresses: tuple[str, ...]
    label: str
    created_ns: int
    expires_ns: int = 0
    revoked_ns: int = 0


class AssetCreated(NamedTuple):
    """An asset got its name and precision."""

    asset: str
    precision: int


class InstrumentListed(NamedTuple):
    """An instrument was listed."""

    instrument: Instrument


class InstrumentStatusChanged(NamedTuple):
    """An instrument accepts something else now."""

    symbol: str
    status: InstrumentStatus


class AccountUpdated(NamedTuple):
    """An account was opened or changed; all of its settings."""

    account: str
    maker_rate: int
    taker_rate: int
    open_order_limit: int
    rate_limit_exempt: bool
    trading_disabled: bool


class KillSwitchSet(NamedTuple):
    """Trading of the venue was stopped or allowed."""

    engaged: bool


class Deposited(NamedTuple):
    """Money came in, in the asset's smallest unit."""

    account: str
    asset: str
    amount: int
    request_id: str


class Withdrawn(NamedTuple):
    """Money went out, in the asset's smallest unit."""

    account: str
    asset: str
    amount: int
    request_id: str


class KeyStored(NamedTuple):
    """A key was made, or its expiry or revocation changed."""

    key: KeyRecord


class OrderAccepted(NamedTuple):
    """An order was accepted: its terms. `fee_hold` is the part of a buy's hold that is for fees."""

    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price_ticks: int
    quantity_lots: int
    quote_amount: int
    expire_time_ns: int
    post_only: PostOnly
    self_trade_prevention: SelfTradePrevention
    connection: str
    maker_rate: int
    taker_rate: int
    fee_hold: int
    reason: Reason = Reason.UNSPECIFIED


class OrderRejected(NamedTuple):
    """A well-formed order was rejected; the terms stand as they were asked for."""

    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price_ticks: int
    quantity_lots: int
    quote_amount: int
    expire_time_ns: int
    post_only: PostOnly
    self_trade_prevention: SelfTradePrevention
    reason: Reason


class OrderTraded(NamedTuple):
    """An incoming order traded with a resting one, at the resting one's price."""

    taker_order_id: int
    maker_order_id: int
    price_ticks: int
    quantity_lots: int
    taker_fee: int
    maker_fee: int


class OrderAmended(NamedTuple):
    """An order got a new price or quantity; without priority it went to the end of its price."""

    order_id: int
    client_order_id: str
    price_ticks: int
    quantity_lots: int
    fee_hold: int
    priority_kept: bool
    reason: Reason = Reason.UNSPECIFIED


class OrderReduced(NamedTuple):
    """Self-trade prevention took quantity from an order that goes on."""

    order_id: int
    quantity_lots: int
    counter_order_id: int
    reason: Reason


class OrderCanceled(NamedTuple):
    """An order ended before it was filled."""

    order_id: int
    reason: Reason
    client_order_id: str = ""
    counter_order_id: int = 0


Event = (
    AssetCreated
    | InstrumentListed
    | InstrumentStatusChanged
    | AccountUpdated
    | KillSwitchSet
    | Deposited
    | Withdrawn
    | KeyStored
    | OrderAccepted
    | OrderRejected
    | OrderTraded
    | OrderAmended
    | OrderReduced
    | OrderCanceled
)

EVENT_TYPES: tuple[type[Event], ...] = (
    AssetCreated,
    InstrumentListed,
    InstrumentStatusChanged,
    AccountUpdated,
    KillSwitchSet,
    Deposited,
    Withdrawn,
    KeyStored,
    OrderAccepted,
    OrderRejected,
    OrderTraded,
    OrderAmended,
    OrderReduced,
    OrderCanceled,
)
