"""The answers of the venue as frozen, typed values.

Generated from the contract by generate_values.py. Do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from tradewire_client._decimals import read_decimal, read_optional_decimal
from tradewire_client._gen.tradewire import v1
from tradewire_client._times import datetime_of, nanoseconds_of
from tradewire_client._value import Value


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Order(Value):
    """Order is an order and its state."""

    order_id: str = ""
    """The venue's id, a decimal number; opaque to clients. OrderID(37)."""
    client_order_id: str = ""
    """The client's latest id of the order: that of its last amend or of its placing. ClOrdID(11).
    """
    original_client_order_id: str = ""
    """The client's id with which the order was placed, empty while it is the same as
    client_order_id. OrigClOrdID(41).
    """
    account: str = ""
    """The account that owns the order. Account(1)."""
    symbol: str = ""
    """Instrument, e.g. `BTC-USD`. Symbol(55)."""
    side: v1.Side = v1.Side.UNSPECIFIED
    """Buy or sell. Side(54)."""
    type: v1.OrderType = v1.OrderType.UNSPECIFIED
    """Market or limit. OrdType(40)."""
    time_in_force: v1.TimeInForce = v1.TimeInForce.UNSPECIFIED
    """How long the order works. TimeInForce(59)."""
    quantity: Decimal | None = None
    """Quantity in units of base, decimal; absent for a market order by quote quantity.
    OrderQty(38).
    """
    quote_quantity: Decimal | None = None
    """Greatest notional in units of quote of a market order, fees not included, decimal.
    CashOrderQty(152).
    """
    price: Decimal | None = None
    """Limit price in units of quote per unit of base, decimal. Price(44)."""
    expire_time_ns: int | None = None
    """End of a GTD or DAY order. ExpireTime(126). Nanoseconds since the epoch."""
    post_only: v1.PostOnly = v1.PostOnly.UNSPECIFIED
    """Post-only mode. ExecInst(18)."""
    self_trade_prevention: v1.SelfTradePrevention = v1.SelfTradePrevention.UNSPECIFIED
    """Self-trade prevention mode, user-defined tag 20003."""
    status: v1.OrderStatus = v1.OrderStatus.UNSPECIFIED
    """Life cycle state. OrdStatus(39)."""
    reason: v1.Reason = v1.Reason.UNSPECIFIED
    """Why a closed order ended, user-defined tag 20002; unset while it works or when it was filled.
    """
    filled_quantity: Decimal = Decimal(0)
    """Quantity traded so far, in units of base, decimal. CumQty(14)."""
    leaves_quantity: Decimal = Decimal(0)
    """Quantity that still works, in units of base, decimal; 0 when closed. LeavesQty(151)."""
    average_price: Decimal = Decimal(0)
    """Average price of its trades, rounded half up to eight decimals beyond the tick; 0 before the
    first trade. AvgPx(6).
    """
    fee: Decimal = Decimal(0)
    """Fees charged so far, in units of quote, decimal, rounded up; user-defined tag 20009."""
    create_time_ns: int = 0
    """Engine time at which the order was accepted or rejected; user-defined tag 20010. Nanoseconds
    since the epoch.
    """
    cancel_on_disconnect: bool = False
    """True when the order is canceled with the connection that placed it; user-defined tag 20008.
    """

    @property
    def expire_time(self) -> datetime | None:
        """End of a GTD or DAY order. ExpireTime(126)."""
        return None if self.expire_time_ns is None else datetime_of(self.expire_time_ns)

    @property
    def create_time(self) -> datetime:
        """Engine time at which the order was accepted or rejected; user-defined tag 20010."""
        return datetime_of(self.create_time_ns)

    @classmethod
    def from_message(cls, message: v1.Order, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            order_id=message.order_id,
            client_order_id=message.client_order_id,
            original_client_order_id=message.original_client_order_id,
            account=message.account,
            symbol=message.symbol,
            side=message.side,
            type=message.type,
            time_in_force=message.time_in_force,
            quantity=read_optional_decimal(message.quantity),
            quote_quantity=read_optional_decimal(message.quote_quantity),
            price=read_optional_decimal(message.price),
            expire_time_ns=nanoseconds_of(message.expire_time, absent=None),
            post_only=message.post_only,
            self_trade_prevention=message.self_trade_prevention,
            status=message.status,
            reason=message.reason,
            filled_quantity=read_decimal(message.filled_quantity),
            leaves_quantity=read_decimal(message.leaves_quantity),
            average_price=read_decimal(message.average_price),
            fee=read_decimal(message.fee),
            create_time_ns=nanoseconds_of(message.create_time, absent=0),
            cancel_on_disconnect=message.cancel_on_disconnect,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Balance(Value):
    """Balance is the holding of one asset: available + held = total."""

    asset: str = ""
    """Asset, e.g. `BTC`. Currency(15)."""
    total: Decimal = Decimal(0)
    """All of it, decimal; user-defined tag 20041."""
    available: Decimal = Decimal(0)
    """What orders and withdrawals can use, decimal; user-defined tag 20042."""
    held: Decimal = Decimal(0)
    """What open orders hold, decimal; user-defined tag 20043."""

    @classmethod
    def from_message(cls, message: v1.Balance, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            asset=message.asset,
            total=read_decimal(message.total),
            available=read_decimal(message.available),
            held=read_decimal(message.held),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Position(Value):
    """Position is the net result of an account's trades in one instrument."""

    symbol: str = ""
    """Instrument. Symbol(55)."""
    quantity: Decimal = Decimal(0)
    """Bought minus sold, decimal with a sign. LongQty(704) or ShortQty(705)."""
    average_entry_price: Decimal = Decimal(0)
    """Average price of what is open, fees not included; 0 when flat. User-defined tag 20044."""
    realized_pnl: Decimal = Decimal(0)
    """Profit of what was closed, in units of quote, fees not included, decimal with a sign;
    user-defined tag 20045.
    """
    unrealized_pnl: Decimal = Decimal(0)
    """Profit of what is open at the price of the last trade, in units of quote, decimal with a
    sign; user-defined tag 20046.
    """
    fees: Decimal = Decimal(0)
    """Fees paid in this instrument, in units of quote; user-defined tag 20047."""

    @classmethod
    def from_message(cls, message: v1.Position, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            symbol=message.symbol,
            quantity=read_decimal(message.quantity),
            average_entry_price=read_decimal(message.average_entry_price),
            realized_pnl=read_decimal(message.realized_pnl),
            unrealized_pnl=read_decimal(message.unrealized_pnl),
            fees=read_decimal(message.fees),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AccountSnapshot(Value):
    """AccountSnapshot is an account at one execution sequence."""

    orders: tuple[Order, ...] = ()
    """Working orders, by ascending order_id."""
    balances: tuple[Balance, ...] = ()
    """Balances of all assets held."""
    positions: tuple[Position, ...] = ()
    """Positions that are not flat or have realised a profit or loss."""
    as_of_sequence: int = 0
    """The execution sequence at which all of it is true."""
    as_of_ledger_sequence: int = 0
    """The ledger sequence at which all of it is true."""
    journal_id: str = ""
    """Identity of the journal."""

    @classmethod
    def from_message(cls, message: v1.AccountSnapshot, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            orders=tuple(Order.from_message(item) for item in message.orders),
            balances=tuple(Balance.from_message(item) for item in message.balances),
            positions=tuple(Position.from_message(item) for item in message.positions),
            as_of_sequence=message.as_of_sequence,
            as_of_ledger_sequence=message.as_of_ledger_sequence,
            journal_id=message.journal_id,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Candle(Value):
    """Candle sums up the trades of an interval; intervals without a trade have none."""

    open_time_ns: int = 0
    """Begin of the interval. Nanoseconds since the epoch."""
    open_price: Decimal = Decimal(0)
    """First price, decimal."""
    high_price: Decimal = Decimal(0)
    """Highest price, decimal."""
    low_price: Decimal = Decimal(0)
    """Lowest price, decimal."""
    close_price: Decimal = Decimal(0)
    """Last price, decimal."""
    volume: Decimal = Decimal(0)
    """Quantity, in units of base, decimal."""
    trade_count: int = 0
    """Number of trades."""

    @property
    def open_time(self) -> datetime:
        """Begin of the interval."""
        return datetime_of(self.open_time_ns)

    @classmethod
    def from_message(cls, message: v1.Candle, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            open_time_ns=nanoseconds_of(message.open_time, absent=0),
            open_price=read_decimal(message.open_price),
            high_price=read_decimal(message.high_price),
            low_price=read_decimal(message.low_price),
            close_price=read_decimal(message.close_price),
            volume=read_decimal(message.volume),
            trade_count=message.trade_count,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CancelAllOrdersResponse(Value):
    """CancelAllOrdersResponse answers CancelAllOrders; the orders' own executions are in the
    execution stream.
    """

    canceled_count: int = 0
    """How many orders were canceled. TotalAffectedOrders(533)."""
    as_of_sequence: int = 0
    """The account's execution sequence up to which the answer is true; user-defined tag 20013."""

    @classmethod
    def from_message(cls, message: v1.CancelAllOrdersResponse, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            canceled_count=message.canceled_count,
            as_of_sequence=message.as_of_sequence,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ApiKey(Value):
    """ApiKey is a key and its permissions; secrets are never part of it."""

    api_key: str = ""
    """The key's id, public."""
    account: str = ""
    """The account to which it belongs."""
    algorithm: v1.KeyAlgorithm = v1.KeyAlgorithm.UNSPECIFIED
    """How it signs."""
    public_key: str = ""
    """Ed25519 public key, 32 bytes, base64url without padding; empty for HMAC."""
    scopes: tuple[v1.Scope, ...] = ()
    """Permissions."""
    addresses: tuple[str, ...] = ()
    """Addresses from which it may be used, as CIDR; none means any."""
    label: str = ""
    """What the owner calls it."""
    create_time_ns: int = 0
    """When it was made. Nanoseconds since the epoch."""
    expire_time_ns: int | None = None
    """When it ends; absent means never. Nanoseconds since the epoch."""
    revoke_time_ns: int | None = None
    """When it was revoked; absent means it is live. Nanoseconds since the epoch."""

    @property
    def create_time(self) -> datetime:
        """When it was made."""
        return datetime_of(self.create_time_ns)

    @property
    def expire_time(self) -> datetime | None:
        """When it ends; absent means never."""
        return None if self.expire_time_ns is None else datetime_of(self.expire_time_ns)

    @property
    def revoke_time(self) -> datetime | None:
        """When it was revoked; absent means it is live."""
        return None if self.revoke_time_ns is None else datetime_of(self.revoke_time_ns)

    @classmethod
    def from_message(cls, message: v1.ApiKey, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            api_key=message.api_key,
            account=message.account,
            algorithm=message.algorithm,
            public_key=message.public_key,
            scopes=tuple(message.scopes),
            addresses=tuple(message.addresses),
            label=message.label,
            create_time_ns=nanoseconds_of(message.create_time, absent=0),
            expire_time_ns=nanoseconds_of(message.expire_time, absent=None),
            revoke_time_ns=nanoseconds_of(message.revoke_time, absent=None),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CreateKeyResponse(Value):
    """CreateKeyResponse answers CreateKey."""

    key: ApiKey = ApiKey()
    """The key."""
    secret: str = ""
    """HMAC secret, `tws_...`, shown this once; the whole text is the HMAC key. Empty for Ed25519.
    """

    @classmethod
    def from_message(cls, message: v1.CreateKeyResponse, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            key=ApiKey.from_message(message.key or v1.ApiKey()),
            secret=message.secret,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CreateTicketResponse(Value):
    """CreateTicketResponse answers CreateTicket."""

    ticket: str = ""
    """The ticket, opaque."""
    expire_time_ns: int | None = None
    """When it is of no use any more. Nanoseconds since the epoch."""

    @property
    def expire_time(self) -> datetime | None:
        """When it is of no use any more."""
        return None if self.expire_time_ns is None else datetime_of(self.expire_time_ns)

    @classmethod
    def from_message(cls, message: v1.CreateTicketResponse, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            ticket=message.ticket,
            expire_time_ns=nanoseconds_of(message.expire_time, absent=None),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Execution(Value):
    """Execution is one step in the life of an order, ExecutionReport(8). Executions of an account
    are numbered 1, 2, 3, ... without a gap, the same on every protocol, across restarts.
    """

    sequence: int = 0
    """Number within the account, from 1; user-defined tag 20001."""
    execution_id: str = ""
    """Unique id, ascending. ExecID(17)."""
    type: v1.ExecutionType = v1.ExecutionType.UNSPECIFIED
    """What happened. ExecType(150)."""
    order: Order = Order()
    """The order after it happened."""
    transact_time_ns: int = 0
    """Engine time, the same for everything that one batch did. TransactTime(60). Nanoseconds since
    the epoch.
    """
    last_quantity: Decimal | None = None
    """Traded quantity, in units of base; only of a trade. LastQty(32)."""
    last_price: Decimal | None = None
    """Traded price; only of a trade. LastPx(31)."""
    trade_id: int | None = None
    """Number of the trade within the instrument; only of a trade. User-defined tag 20004."""
    liquidity: v1.Liquidity = v1.Liquidity.UNSPECIFIED
    """Maker or taker; only of a trade. LastLiquidityInd(851)."""
    last_fee: Decimal | None = None
    """Fee of this trade, in units of quote. MiscFeeAmt(137)."""
    reason: v1.Reason = v1.Reason.UNSPECIFIED
    """Why, when it was not simply asked for; user-defined tag 20002."""
    counter_order_id: str = ""
    """The other order of self-trade prevention; user-defined tag 20005."""
    command_client_order_id: str = ""
    """The client's id of the cancel or amend that did this, empty if none; ClOrdID(11) of its
    report.
    """
    priority_kept: bool | None = None
    """Of an amend: true when the order kept its place in the queue; user-defined tag 20006."""
    replaced_client_order_id: str = ""
    """Of an amend: the client's id that the order had until then. OrigClOrdID(41) of its report."""

    @property
    def transact_time(self) -> datetime:
        """Engine time, the same for everything that one batch did. TransactTime(60)."""
        return datetime_of(self.transact_time_ns)

    @classmethod
    def from_message(cls, message: v1.Execution, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            sequence=message.sequence,
            execution_id=message.execution_id,
            type=message.type,
            order=Order.from_message(message.order or v1.Order()),
            transact_time_ns=nanoseconds_of(message.transact_time, absent=0),
            last_quantity=read_optional_decimal(message.last_quantity),
            last_price=read_optional_decimal(message.last_price),
            trade_id=message.trade_id,
            liquidity=message.liquidity,
            last_fee=read_optional_decimal(message.last_fee),
            reason=message.reason,
            counter_order_id=message.counter_order_id,
            command_client_order_id=message.command_client_order_id,
            priority_kept=message.priority_kept,
            replaced_client_order_id=message.replaced_client_order_id,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Account(Value):
    """Account is what trades: it owns orders, balances, positions and keys."""

    account: str = ""
    """Name of the account. Account(1)."""
    maker_fee_rate: Decimal = Decimal(0)
    """Fee of a maker as a fraction of the notional, decimal, e.g. `0.001` for 0.1 %."""
    taker_fee_rate: Decimal = Decimal(0)
    """Fee of a taker as a fraction of the notional, decimal."""
    open_order_limit: int = 0
    """Greatest number of open orders."""
    open_order_count: int = 0
    """Open orders now."""
    trading_disabled: bool = False
    """True when the kill switch is engaged: orders were canceled, new ones are rejected."""
    rate_limit_exempt: bool = False
    """True when rate limits do not apply."""

    @classmethod
    def from_message(cls, message: v1.Account, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            account=message.account,
            maker_fee_rate=read_decimal(message.maker_fee_rate),
            taker_fee_rate=read_decimal(message.taker_fee_rate),
            open_order_limit=message.open_order_limit,
            open_order_count=message.open_order_count,
            trading_disabled=message.trading_disabled,
            rate_limit_exempt=message.rate_limit_exempt,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetAccountResponse(Value):
    """GetAccountResponse answers GetAccount."""

    account: Account = Account()
    """The account."""
    as_of_sequence: int = 0
    """The account's execution sequence up to which the answer is true."""
    journal_id: str = ""
    """Identity of the journal."""

    @classmethod
    def from_message(cls, message: v1.GetAccountResponse, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            account=Account.from_message(message.account or v1.Account()),
            as_of_sequence=message.as_of_sequence,
            journal_id=message.journal_id,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LimitState(Value):
    """LimitState is one limit and what is left of it."""

    name: str = ""
    """What it limits: `key`, `account` or `address`; `ban`, when there is one, of which only
    `reset_ms` says anything.
    """
    rate_per_second: int = 0
    """Units per second that flow back."""
    limit: int = 0
    """Burst, in units."""
    remaining: int = 0
    """Units left now."""
    reset_ms: int = 0
    """Milliseconds until the limit is whole again."""
    reserve: int = 0
    """Units of the burst that only calls that reduce risk may use."""

    @classmethod
    def from_message(cls, message: v1.LimitState, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            name=message.name,
            rate_per_second=message.rate_per_second,
            limit=message.limit,
            remaining=message.remaining,
            reset_ms=message.reset_ms,
            reserve=message.reserve,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnfilledOrderCount(Value):
    """UnfilledOrderCount is how many orders the account placed in an interval without a fill. New
    orders are refused with RATE_LIMITED at the limit, until the interval ends or orders are filled.
    """

    interval_seconds: int = 0
    """Length of the interval in seconds; intervals are aligned to the epoch."""
    limit: int = 0
    """Greatest number of orders."""
    remaining: int = 0
    """Orders left in this interval."""
    reset_ms: int = 0
    """Milliseconds until the interval ends."""

    @classmethod
    def from_message(cls, message: v1.UnfilledOrderCount, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            interval_seconds=message.interval_seconds,
            limit=message.limit,
            remaining=message.remaining,
            reset_ms=message.reset_ms,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetLimitsResponse(Value):
    """GetLimitsResponse answers GetLimits."""

    limits: tuple[LimitState, ...] = ()
    """The limits that apply to this call."""
    open_order_limit: int = 0
    """Greatest number of open orders of the account."""
    open_order_count: int = 0
    """Open orders now."""
    rate_limit_exempt: bool = False
    """True when rate limits do not apply to the account."""
    unfilled_orders: tuple[UnfilledOrderCount, ...] = ()
    """Orders placed and not filled, by interval; a fill gives back."""

    @classmethod
    def from_message(cls, message: v1.GetLimitsResponse, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            limits=tuple(LimitState.from_message(item) for item in message.limits),
            open_order_limit=message.open_order_limit,
            open_order_count=message.open_order_count,
            rate_limit_exempt=message.rate_limit_exempt,
            unfilled_orders=tuple(
                UnfilledOrderCount.from_message(item) for item in message.unfilled_orders
            ),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetServerTimeResponse(Value):
    """GetServerTimeResponse answers GetServerTime."""

    time_ns: int = 0
    """Server time. Nanoseconds since the epoch."""
    time_ms: int = 0
    """The same in milliseconds since the epoch."""
    environment: str = ""
    """Name of the environment, which is part of every string to sign."""

    @property
    def time(self) -> datetime:
        """Server time."""
        return datetime_of(self.time_ns)

    @classmethod
    def from_message(cls, message: v1.GetServerTimeResponse, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            time_ns=nanoseconds_of(message.time, absent=0),
            time_ms=message.time_ms,
            environment=message.environment,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Instrument(Value):
    """Instrument is a spot pair and its rules."""

    symbol: str = ""
    """Name, e.g. `BTC-USD`. Symbol(55)."""
    base_asset: str = ""
    """Asset that is bought and sold, user-defined tag 20030."""
    quote_asset: str = ""
    """Asset in which prices and fees are expressed. Currency(15)."""
    tick_size: Decimal = Decimal(0)
    """Step of prices, decimal; user-defined tag 20031."""
    lot_size: Decimal = Decimal(0)
    """Step of quantities, decimal; user-defined tag 20032."""
    minimum_quantity: Decimal = Decimal(0)
    """Smallest quantity of an order, decimal; user-defined tag 20033."""
    maximum_quantity: Decimal = Decimal(0)
    """Greatest quantity of an order, decimal; user-defined tag 20034."""
    minimum_notional: Decimal = Decimal(0)
    """Smallest price times quantity of a limit order, decimal; user-defined tag 20035."""
    maximum_notional: Decimal = Decimal(0)
    """Greatest price times quantity of an order, decimal; user-defined tag 20036."""
    price_band_percent: Decimal = Decimal(0)
    """Greatest distance of a limit price from the last trade, in percent, decimal; 0 means no band.
    User-defined tag 20037.
    """
    market_protection_percent: Decimal = Decimal(0)
    """Greatest distance of a market order's price from the best opposite price, in percent,
    decimal; user-defined tag 20038.
    """
    status: v1.InstrumentStatus = v1.InstrumentStatus.UNSPECIFIED
    """What the instrument accepts. SecurityTradingStatus(326)."""

    @classmethod
    def from_message(cls, message: v1.Instrument, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            symbol=message.symbol,
            base_asset=message.base_asset,
            quote_asset=message.quote_asset,
            tick_size=read_decimal(message.tick_size),
            lot_size=read_decimal(message.lot_size),
            minimum_quantity=read_decimal(message.minimum_quantity),
            maximum_quantity=read_decimal(message.maximum_quantity),
            minimum_notional=read_decimal(message.minimum_notional),
            maximum_notional=read_decimal(message.maximum_notional),
            price_band_percent=read_decimal(message.price_band_percent),
            market_protection_percent=read_decimal(message.market_protection_percent),
            status=message.status,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LedgerChange(Value):
    """LedgerChange is the effect of a ledger entry on one asset."""

    asset: str = ""
    """Asset."""
    amount: Decimal = Decimal(0)
    """What was added, decimal with a sign, fees included."""
    total: Decimal = Decimal(0)
    """Total after it."""

    @classmethod
    def from_message(cls, message: v1.LedgerChange, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            asset=message.asset,
            amount=read_decimal(message.amount),
            total=read_decimal(message.total),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LedgerEntry(Value):
    """LedgerEntry is one movement of money of an account."""

    ledger_sequence: int = 0
    """Number within the account's ledger: 1, 2, 3, ... without a gap."""
    type: v1.LedgerEntryType = v1.LedgerEntryType.UNSPECIFIED
    """What moved it."""
    time_ns: int = 0
    """Engine time. Nanoseconds since the epoch."""
    changes: tuple[LedgerChange, ...] = ()
    """One change per asset."""
    request_id: str = ""
    """Request id of a deposit or withdrawal."""
    symbol: str = ""
    """Instrument of a trade."""
    trade_id: int = 0
    """Trade number of a trade."""
    order_id: str = ""
    """Order of a trade."""
    fee: Decimal = Decimal(0)
    """Fee of a trade, in units of quote, contained in the change of the quote asset."""

    @property
    def time(self) -> datetime:
        """Engine time."""
        return datetime_of(self.time_ns)

    @classmethod
    def from_message(cls, message: v1.LedgerEntry, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            ledger_sequence=message.ledger_sequence,
            type=message.type,
            time_ns=nanoseconds_of(message.time, absent=0),
            changes=tuple(LedgerChange.from_message(item) for item in message.changes),
            request_id=message.request_id,
            symbol=message.symbol,
            trade_id=message.trade_id,
            order_id=message.order_id,
            fee=read_decimal(message.fee),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RateLimit(Value):
    """RateLimit is the state of the tightest rate limit of the caller, as the RateLimit headers say
    it.
    """

    limit: int = 0
    """Burst, in rate-limit units; user-defined tag 20014."""
    remaining: int = 0
    """Units left now, user-defined tag 20015."""
    reset_ms: int = 0
    """Milliseconds until the limit is whole again, user-defined tag 20016."""

    @classmethod
    def from_message(cls, message: v1.RateLimit, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            limit=message.limit,
            remaining=message.remaining,
            reset_ms=message.reset_ms,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RotateKeyResponse(Value):
    """RotateKeyResponse answers RotateKey."""

    key: ApiKey = ApiKey()
    """The successor."""
    secret: str = ""
    """HMAC secret, `tws_...`, shown this once; the whole text is the HMAC key. Empty for Ed25519.
    """
    replaced: ApiKey = ApiKey()
    """The replaced key with its new expire_time."""

    @classmethod
    def from_message(cls, message: v1.RotateKeyResponse, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            key=ApiKey.from_message(message.key or v1.ApiKey()),
            secret=message.secret,
            replaced=ApiKey.from_message(message.replaced or v1.ApiKey()),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PriceLevel(Value):
    """PriceLevel is all quantity at one price."""

    price: Decimal = Decimal(0)
    """Price, decimal. MDEntryPx(270)."""
    quantity: Decimal = Decimal(0)
    """Sum of the leaves quantities, decimal; 0 in an update removes the level. MDEntrySize(271)."""

    @classmethod
    def from_message(cls, message: v1.PriceLevel, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            price=read_decimal(message.price),
            quantity=read_decimal(message.quantity),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ticker(Value):
    """Ticker sums up an instrument."""

    symbol: str = ""
    """Instrument. Symbol(55)."""
    best_bid: PriceLevel | None = None
    """Best bid, absent when there is none."""
    best_ask: PriceLevel | None = None
    """Best ask, absent when there is none."""
    last_price: Decimal | None = None
    """Price of the last trade, absent before the first."""
    last_quantity: Decimal | None = None
    """Quantity of the last trade."""
    open_price: Decimal | None = None
    """First price of the last 24 hours."""
    high_price: Decimal | None = None
    """Highest price of the last 24 hours."""
    low_price: Decimal | None = None
    """Lowest price of the last 24 hours."""
    volume: Decimal = Decimal(0)
    """Quantity traded in the last 24 hours, in units of base."""
    trade_count: int = 0
    """Trades in the last 24 hours."""
    time_ns: int = 0
    """Server time. Nanoseconds since the epoch."""

    @property
    def time(self) -> datetime:
        """Server time."""
        return datetime_of(self.time_ns)

    @classmethod
    def from_message(cls, message: v1.Ticker, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            symbol=message.symbol,
            best_bid=None
            if message.best_bid is None
            else PriceLevel.from_message(message.best_bid),
            best_ask=None
            if message.best_ask is None
            else PriceLevel.from_message(message.best_ask),
            last_price=read_optional_decimal(message.last_price),
            last_quantity=read_optional_decimal(message.last_quantity),
            open_price=read_optional_decimal(message.open_price),
            high_price=read_optional_decimal(message.high_price),
            low_price=read_optional_decimal(message.low_price),
            volume=read_decimal(message.volume),
            trade_count=message.trade_count,
            time_ns=nanoseconds_of(message.time, absent=0),
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trade(Value):
    """Trade is a public trade."""

    trade_id: int = 0
    """Number within the instrument: 1, 2, 3, ... without a gap. User-defined tag 20004."""
    symbol: str = ""
    """Instrument. Symbol(55)."""
    price: Decimal = Decimal(0)
    """Price, decimal. MDEntryPx(270)."""
    quantity: Decimal = Decimal(0)
    """Quantity, decimal. MDEntrySize(271)."""
    taker_side: v1.Side = v1.Side.UNSPECIFIED
    """Side of the taker, user-defined tag 20020."""
    time_ns: int = 0
    """Engine time. MDEntryDate(272) and MDEntryTime(273). Nanoseconds since the epoch."""

    @property
    def time(self) -> datetime:
        """Engine time. MDEntryDate(272) and MDEntryTime(273)."""
        return datetime_of(self.time_ns)

    @classmethod
    def from_message(cls, message: v1.Trade, **more: Any) -> Self:
        """Convert a message of the wire; `more` fills the fields of a subclass."""
        return cls(
            trade_id=message.trade_id,
            symbol=message.symbol,
            price=read_decimal(message.price),
            quantity=read_decimal(message.quantity),
            taker_side=message.taker_side,
            time_ns=nanoseconds_of(message.time, absent=0),
            **more,
        )
