"""From an event to the next state; the same function live and at recovery.

The fold decides nothing: what an event says has happened. It asserts what must be true (life cycle,
no negative balance) and stops the process when it is not; a restart replays the journal. Every
event gets the next number; every execution the next sequence of its account, every ledger entry the
next ledger sequence.
"""

from collections.abc import Callable
from typing import Any

from tradewire_server.engine.events import (
    AccountUpdated,
    AssetCreated,
    Deposited,
    Event,
    InstrumentListed,
    InstrumentStatusChanged,
    KeyStored,
    KillSwitchSet,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderReduced,
    OrderRejected,
    OrderTraded,
    Withdrawn,
    make,
)
from tradewire_server.engine.ledger import Balance
from tradewire_server.engine.listener import (
    Execution,
    LedgerChange,
    LedgerEntry,
    Listener,
    PublicTrade,
)
from tradewire_server.engine.order import LIFE_CYCLE, Order, Trigger
from tradewire_server.engine.state import (
    FEES_ACCOUNT,
    AccountState,
    Market,
    State,
    add_key,
    add_order,
    remove_order,
)
from tradewire_server.engine.vocabulary import (
    BUY,
    LIMIT,
    MAKER,
    NO_REASON,
    TAKER,
    ExecutionType,
    LedgerEntryType,
    Liquidity,
    OrderStatus,
    Reason,
)

# An order remembers its first client order id and this many of the latest; the journal's index
# knows the others.
LATEST_IDS_MAX = 16

# Names of their own, for the reason given in `vocabulary`.
NEW, TRADE = ExecutionType.NEW, ExecutionType.TRADE
CANCELED, EXPIRED = ExecutionType.CANCELED, ExecutionType.EXPIRED
FILL_PART, FILL_REST = Trigger.FILL_PART, Trigger.FILL_REST
CANCEL, EXPIRE = Trigger.CANCEL, Trigger.EXPIRE
MONEY_TRADED = LedgerEntryType.TRADE
NO_LIQUIDITY = Liquidity.UNSPECIFIED
TIME_IS_UP = Reason.EXPIRED


def fold(state: State, event: Event, time_ns: int, listener: Listener) -> None:
    """Apply an event of a batch that happened at `time_ns`."""
    state.event_number += 1
    state.time_ns = time_ns
    _FOLDERS[type(event)](state, event, time_ns, listener)


# --- orders ---------------------------------------------------------------------------------------


def _accepted(state: State, event: OrderAccepted, time_ns: int, listener: Listener) -> None:
    assert event.order_id == state.event_number, "an order's id is the number of its event"
    market = state.markets[event.symbol]
    account = state.accounts[event.account]
    order = Order(event, account, market, time_ns)
    add_order(state, order)
    if event.type is LIMIT:
        asset, amount = order.hold()
        balance = account.balance(asset)
        balance.held += amount
        assert balance.held <= balance.total, f"order {order.order_id} holds more than there is"
        if order.level is not None:
            state.changed_books.add(event.symbol)
    _tell(state, order, NEW, time_ns, event.reason, listener)


def _rejected(state: State, event: OrderRejected, time_ns: int, listener: Listener) -> None:
    assert event.order_id == state.event_number, "an order's id is the number of its event"
    account = state.accounts[event.account]
    terms = OrderAccepted(*event[:13], "", 0, 0, 0, event.reason)
    order = Order(terms, account, state.markets[event.symbol], time_ns)
    order.status = OrderStatus.REJECTED
    order.reason = event.reason
    order.leaves_lots = 0
    _tell(state, order, ExecutionType.REJECTED, time_ns, event.reason, listener)


def _traded(state: State, event: OrderTraded, time_ns: int, listener: Listener) -> None:
    taker, maker = state.orders[event.taker_order_id], state.orders[event.maker_order_id]
    market, ticks, lots = maker.market, event.price_ticks, event.quantity_lots
    market.trade_count += 1
    market.last_ticks, market.last_lots = ticks, lots
    state.changed_books.add(market.symbol)
    fees = state.accounts[FEES_ACCOUNT].balance(market.quote_asset)
    fees.total += event.taker_fee + event.maker_fee
    _fill(state, taker, event, event.taker_fee, TAKER, time_ns, listener)
    _fill(state, maker, event, event.maker_fee, MAKER, time_ns, listener)
    side = taker.terms.side
    trade = make(PublicTrade, (market, market.trade_count, ticks, lots, side, time_ns))
    listener.public_trade(trade)


def _fill(
    state: State,
    order: Order,
    event: OrderTraded,
    fee: int,
    liquidity: Liquidity,
    time_ns: int,
    listener: Listener,
) -> None:
    """Book one side of a trade: its order, its money, its position, its execution and ledger
    entry.
    """
    market, account, name = order.market, order.account, order.account.name
    ticks, lots, trade_id = event.price_ticks, event.quantity_lots, market.trade_count
    leaves = order.leaves_lots - lots
    assert leaves >= 0, f"order {order.order_id} traded more than its leaves"
    changes = _settle(order, account, market, ticks, lots, fee)
    order.leaves_lots = leaves
    if order.level is not None:
        order.level.quantity_lots -= lots
    order.filled_lots += lots
    order.filled_tick_lots += ticks * lots
    order.fee += fee
    price = ticks * market.quote_units_per_tick_lot
    account.position(market.symbol).trade(order.terms.side, lots, price, fee)
    order.status = LIFE_CYCLE[order.status, FILL_PART if leaves else FILL_REST]
    if not leaves:
        _release(state, order)
    account.sequence += 1
    account.ledger_sequence += 1
    execution_id = 2 * state.event_number + (liquidity is MAKER)
    listener.execution(
        make(
            Execution,
            (
                name,
                account.sequence,
                execution_id,
                TRADE,
                order,
                time_ns,
                NO_REASON,
                "",
                0,
                lots,
                ticks,
                trade_id,
                liquidity,
                fee,
                None,
            ),
        )
    )
    number, order_id = account.ledger_sequence, order.order_id
    listener.ledger_entry(
        make(
            LedgerEntry,
            (name, number, MONEY_TRADED, time_ns, changes, "", market, trade_id, order_id, fee),
        )
    )


def _settle(
    order: Order, account: AccountState, market: Market, ticks: int, lots: int, fee: int
) -> tuple[LedgerChange, LedgerChange]:
    """Move base against quote and the fee, and free what the order held for it."""
    base, quote = account.balance(market.base_asset), account.balance(market.quote_asset)
    base_amount = lots * market.base_units_per_lot
    unit, terms = market.quote_units_per_tick_lot, order.terms
    notional = ticks * lots * unit
    if terms.side is BUY:
        base_change, quote_change = base_amount, -notional - fee
        if terms.type is LIMIT:
            fee_freed = min(fee, order.fee_hold)
            order.fee_hold -= fee_freed
            quote.held -= order.price_ticks * lots * unit + fee_freed
    else:
        base_change, quote_change = -base_amount, notional - fee
        if terms.type is LIMIT:
            base.held -= base_amount
    base.total += base_change
    quote.total += quote_change
    assert 0 <= base.held <= base.total, f"order {order.order_id} sold more than there is"
    assert 0 <= quote.held <= quote.total, f"order {order.order_id} spent more than there is"
    return (
        make(LedgerChange, (market.base_asset, base_change, base.total)),
        make(LedgerChange, (market.quote_asset, quote_change, quote.total)),
    )


def _sound(balance: Balance) -> bool:
    return 0 <= balance.held <= balance.total


def _amended(state: State, event: OrderAmended, time_ns: int, listener: Listener) -> None:
    order = state.orders[event.order_id]
    account, side = order.account, order.market.book.side(order.terms.side)
    asset, before = order.hold()
    lots_more = event.quantity_lots - order.quantity_lots
    if event.priority_kept:
        assert order.level is not None
        order.level.quantity_lots += lots_more
    else:
        side.remove(order)
        order.priority = state.event_number
    order.price_ticks = event.price_ticks
    order.quantity_lots = event.quantity_lots
    order.leaves_lots += lots_more
    order.fee_hold = event.fee_hold
    if not event.priority_kept:
        side.add(order)
    balance = account.balance(asset)
    balance.held += order.hold()[1] - before
    assert _sound(balance), f"order {order.order_id} holds more than there is"
    order.status = LIFE_CYCLE[order.status, Trigger.AMEND]
    _remember_id(order, event.client_order_id)
    state.changed_books.add(order.terms.symbol)
    _tell(
        state,
        order,
        ExecutionType.REPLACED,
        time_ns,
        event.reason,
        listener,
        event.client_order_id,
        priority_kept=event.priority_kept,
    )


def _remember_id(order: Order, client_order_id: str) -> None:
    """Know the order by another id; forget the oldest between the first and the latest ones."""
    ids = (*order.client_order_ids, client_order_id)
    if len(ids) > LATEST_IDS_MAX + 1:
        del order.account.client_order_ids[ids[1]]
        ids = (ids[0], *ids[2:])
    order.client_order_ids = ids
    order.account.client_order_ids[client_order_id] = order


def _reduced(state: State, event: OrderReduced, time_ns: int, listener: Listener) -> None:
    order = state.orders[event.order_id]
    account, lots = order.account, event.quantity_lots
    assert lots <= order.leaves_lots, f"order {order.order_id} lost more than its leaves"
    asset, before = order.hold()
    order.leaves_lots -= lots
    order.quantity_lots -= lots
    if order.level is not None:
        order.level.quantity_lots -= lots
    account.balance(asset).held += order.hold()[1] - before
    order.status = LIFE_CYCLE[order.status, Trigger.REDUCE]
    state.changed_books.add(order.terms.symbol)
    _tell(
        state,
        order,
        ExecutionType.RESTATED,
        time_ns,
        event.reason,
        listener,
        "",
        event.counter_order_id,
    )


def _canceled(state: State, event: OrderCanceled, time_ns: int, listener: Listener) -> None:
    order = state.orders[event.order_id]
    expired = event.reason is TIME_IS_UP
    order.status = LIFE_CYCLE[order.status, EXPIRE if expired else CANCEL]
    order.reason = event.reason
    if order.level is not None:
        state.changed_books.add(order.terms.symbol)
    _release(state, order)
    order.leaves_lots = 0
    _tell(
        state,
        order,
        EXPIRED if expired else CANCELED,
        time_ns,
        event.reason,
        listener,
        event.client_order_id,
        event.counter_order_id,
    )


def _release(state: State, order: Order) -> None:
    """Free what a closed order still holds and take it out of the state."""
    asset, amount = order.hold()
    if amount:
        balance = order.account.balance(asset)
        balance.held -= amount
        assert balance.held >= 0, f"order {order.order_id} freed more than was held"
    remove_order(state, order)


def _tell(
    state: State,
    order: Order,
    execution_type: ExecutionType,
    time_ns: int,
    reason: Reason,
    listener: Listener,
    client_order_id: str = "",
    counter_order_id: int = 0,
    *,
    priority_kept: bool | None = None,
) -> None:
    """Tell of a step that is no trade, with the next sequence of the account."""
    account = order.account
    account.sequence += 1
    listener.execution(
        make(
            Execution,
            (
                account.name,
                account.sequence,
                2 * state.event_number,
                execution_type,
                order,
                time_ns,
                reason,
                client_order_id,
                counter_order_id,
                0,
                0,
                0,
                NO_LIQUIDITY,
                0,
                priority_kept,
            ),
        )
    )


# --- accounts and instruments ---------------------------------------------------------------------


def _asset_created(state: State, event: AssetCreated, time_ns: int, listener: Listener) -> None:
    state.assets[event.asset] = event.precision


def _listed(state: State, event: InstrumentListed, time_ns: int, listener: Listener) -> None:
    state.markets[event.instrument.symbol] = Market(event.instrument)


def _status(state: State, event: InstrumentStatusChanged, time_ns: int, listener: Listener) -> None:
    market = state.markets[event.symbol]
    market.instrument = market.instrument._replace(status=event.status)


def _account(state: State, event: AccountUpdated, time_ns: int, listener: Listener) -> None:
    account = state.accounts.get(event.account)
    if account is None:
        account = state.accounts[event.account] = AccountState(event.account)
    account.maker_rate = event.maker_rate
    account.taker_rate = event.taker_rate
    account.open_order_limit = event.open_order_limit
    account.rate_limit_exempt = event.rate_limit_exempt
    account.trading_disabled = event.trading_disabled


def _kill_switch(state: State, event: KillSwitchSet, time_ns: int, listener: Listener) -> None:
    state.kill_switch = event.engaged


def _deposited(state: State, event: Deposited, time_ns: int, listener: Listener) -> None:
    _move(state, event, event.amount, LedgerEntryType.DEPOSIT, time_ns, listener)


def _withdrawn(state: State, event: Withdrawn, time_ns: int, listener: Listener) -> None:
    _move(state, event, -event.amount, LedgerEntryType.WITHDRAWAL, time_ns, listener)


def _move(
    state: State,
    event: Deposited | Withdrawn,
    amount: int,
    entry_type: LedgerEntryType,
    time_ns: int,
    listener: Listener,
) -> None:
    account = state.accounts[event.account]
    balance = account.balance(event.asset)
    balance.total += amount
    assert _sound(balance), f"account {event.account} was debited more than there is"
    account.ledger_sequence += 1
    change = LedgerChange(event.asset, amount, balance.total)
    listener.ledger_entry(
        LedgerEntry(
            account.name, account.ledger_sequence, entry_type, time_ns, (change,), event.request_id
        )
    )


def _key(state: State, event: KeyStored, time_ns: int, listener: Listener) -> None:
    add_key(state, event.key)


# --------------------------------------------------------------------------------------------------

_Folder = Callable[[State, Any, int, Listener], None]

_FOLDERS: dict[type, _Folder] = {
    AssetCreated: _asset_created,
    InstrumentListed: _listed,
    InstrumentStatusChanged: _status,
    AccountUpdated: _account,
    KillSwitchSet: _kill_switch,
    Deposited: _deposited,
    Withdrawn: _withdrawn,
    KeyStored: _key,
    OrderAccepted: _accepted,
    OrderRejected: _rejected,
    OrderTraded: _traded,
    OrderAmended: _amended,
    OrderReduced: _reduced,
    OrderCanceled: _canceled,
}
