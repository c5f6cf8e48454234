"""From a command to its events, changing nothing.

`decide(state, command, now_ns)` returns the events of the command, or `Refused`. Refused leaves no
trace; a
*rejected* order is an event. Rules are checked in the order in which they stand here, so that one
bad order
always gets the same answer. Time is an argument; nothing here reads a clock, and nothing here is
read again at recovery: the fold only sees the events.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

from tradewire_server.engine.book import BookSide
from tradewire_server.engine.commands import (
    AmendOrder,
    CancelAllOrders,
    CancelConnection,
    CancelOrder,
    CancelOrphans,
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    ExpireOrders,
    PlaceOrder,
    Refused,
    RevokeKey,
    SetInstrumentStatus,
    SetKeyExpiry,
    SetKillSwitch,
    UpdateAccount,
    Withdraw,
)
from tradewire_server.engine.decimals import parse_decimal
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
from tradewire_server.engine.instrument import AMOUNT_BOUND, PARTS_PER_MILLION, Instrument
from tradewire_server.engine.ledger import RATE_SCALE, fee_of
from tradewire_server.engine.matching import Fill, Incoming, Match, match
from tradewire_server.engine.order import Order
from tradewire_server.engine.state import AccountState, Market, State, due_entries
from tradewire_server.engine.vocabulary import (
    BUY,
    DAY,
    DECREMENT,
    FOK,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    NO_REASON,
    SELF_TRADE_PREVENTED,
    SELL,
    TRADING,
    InstrumentStatus,
    PostOnly,
    Reason,
    Side,
)

DAY_NS = 86_400 * 10**9
# The end of 63-bit times, in the year 2262: later ones do not fit the journal.
TIME_BOUND_NS = 1 << 63
LIVE_KEYS_MAX = 20

Events = list[Event]

STATUS_REJECTS = {
    InstrumentStatus.HALTED: Reason.INSTRUMENT_HALTED,
    InstrumentStatus.CANCEL_ONLY: Reason.INSTRUMENT_CANCEL_ONLY,
    InstrumentStatus.POST_ONLY: Reason.INSTRUMENT_POST_ONLY,
}

TEXTS = {
    Reason.PRICE_OFF_TICK: "price is not a multiple of the tick size {tick}",
    Reason.PRICE_OUT_OF_RANGE: "price is zero or too large",
    Reason.QUANTITY_OFF_LOT: "quantity is not a multiple of the lot size {lot}",
    Reason.QUANTITY_OUT_OF_RANGE: "quantity is not between {minimum} and {maximum}",
}


def decide(state: State, command: Command, now_ns: int) -> Events | Refused:
    """Return what a command does, or why it does nothing."""
    return _DECIDERS[type(command)](state, command, now_ns)


# --- orders: place --------------------------------------------------------------------------------


def _place(state: State, command: PlaceOrder, now_ns: int) -> Events | Refused:
    name, client_order_id, symbol, side, order_type, time_in_force = command[:6]
    quantity, quote_quantity, price, _, post_only, prevention, connection = command[6:]
    market = state.markets.get(symbol)
    if market is None:
        return _no_instrument(symbol)
    account = state.accounts.get(name)
    if account is None:
        return _no_account(name)
    if client_order_id in account.client_order_ids:
        return _id_reused(client_order_id)
    conflict = _conflict(command)
    if conflict is not None:
        return conflict
    instrument = market.instrument
    ticks: int | Reason = 0
    lots: int | Reason = 0
    quote_amount = 0
    if price:
        ticks = market.parse_price(price)
        if isinstance(ticks, Reason):
            return _bad_number(instrument, ticks, "price")
    if quantity:
        lots = market.parse_quantity(quantity)
        if isinstance(lots, Reason):
            return _bad_number(instrument, lots, "quantity")
    else:
        units = parse_decimal(quote_quantity, instrument.quote_precision)
        if units is None:
            return Refused(
                Reason.FIELD_INVALID,
                f"quote_quantity has more than {instrument.quote_precision} decimals",
                "quote_quantity",
            )
        quote_amount = units
    notional = quote_amount or ticks * lots * market.quote_units_per_tick_lot
    # The notional of a market order by quantity is not known before it trades.
    if (ticks or quote_quantity) and not instrument.notional_fits(notional):
        return _bad_notional(instrument, "price" if ticks else "quote_quantity")
    expire_time_ns = _expire_time(command, now_ns)
    if expire_time_ns < 0:
        return Refused(
            Reason.EXPIRE_TIME_INVALID,
            "expire_time must be set for GTD only, in the future and before the year 2262",
            "expire_time",
        )
    order_id = state.event_number + 1
    terms = make(
        OrderAccepted,
        (
            order_id,
            name,
            client_order_id,
            symbol,
            side,
            order_type,
            time_in_force,
            ticks,
            lots,
            quote_amount,
            expire_time_ns,
            post_only,
            prevention,
            connection,
            account.maker_rate,
            account.taker_rate,
            0,
            NO_REASON,
        ),
    )
    return _enter(state, account, market, terms)


def _conflict(command: PlaceOrder) -> Refused | None:
    """Return what does not fit together in the fields of an order."""
    if command.type is LIMIT:
        if not command.price:
            return Refused(Reason.FIELDS_CONFLICT, "a limit order needs a price", "price")
        if not command.quantity:
            return Refused(Reason.FIELDS_CONFLICT, "a limit order needs a quantity", "quantity")
        if command.quote_quantity:
            text = "quote_quantity is for market orders only"
            return Refused(Reason.FIELDS_CONFLICT, text, "quote_quantity")
        if command.post_only and command.time_in_force in (IOC, FOK):
            text = "a post-only order cannot be IOC or FOK"
            return Refused(Reason.FIELDS_CONFLICT, text, "post_only")
        return None
    if command.price:
        return Refused(Reason.FIELDS_CONFLICT, "a market order has no price", "price")
    if bool(command.quantity) == bool(command.quote_quantity):
        text = "a market order needs either quantity or quote_quantity"
        return Refused(Reason.FIELDS_CONFLICT, text, "quantity")
    if command.time_in_force not in (IOC, FOK):
        text = "a market order never rests: time_in_force must be IOC or FOK"
        return Refused(Reason.FIELDS_CONFLICT, text, "time_in_force")
    if command.quote_quantity and command.time_in_force is FOK:
        text = "a market order by quote_quantity must be IOC"
        return Refused(Reason.FIELDS_CONFLICT, text, "time_in_force")
    if command.post_only:
        return Refused(Reason.FIELDS_CONFLICT, "a market order cannot be post-only", "post_only")
    return None


def _expire_time(command: PlaceOrder, now_ns: int) -> int:
    """Return when an order ends, 0 for never, -1 when the request is wrong."""
    if command.time_in_force is GTD:
        return command.expire_time_ns if now_ns < command.expire_time_ns < TIME_BOUND_NS else -1
    if command.expire_time_ns:
        return -1
    if command.time_in_force is DAY:
        return (now_ns // DAY_NS + 1) * DAY_NS
    return 0


def _enter(state: State, account: AccountState, market: Market, terms: OrderAccepted) -> Events:
    """Return the events of a well-formed order: rejected, or accepted and what it trades."""
    reason = _standing_reject(state, account, market.instrument, terms.post_only)
    if not reason and len(account.orders) >= account.open_order_limit:
        reason = Reason.OPEN_ORDER_LIMIT
    if reason:
        return [_rejected(terms, reason)]
    if terms.type is MARKET:
        return _enter_market(account, market, terms)
    return _enter_limit(account, market, terms)


def _enter_limit(account: AccountState, market: Market, terms: OrderAccepted) -> Events:
    """Return the events of a limit order: rejected, or what it trades and what rests or is
    canceled.
    """
    reason, ticks = _priced(market, terms, terms.price_ticks, terms.quantity_lots)
    if reason:
        return [_rejected(terms, reason)]
    asset, needed, fee_hold = _hold(market, terms, ticks, terms.quantity_lots)
    if account.available(asset) < needed:
        return [_rejected(terms, Reason.INSUFFICIENT_FUNDS)]
    if fee_hold or ticks != terms.price_ticks:
        note = NO_REASON if ticks == terms.price_ticks else Reason.REPRICED
        terms = make(OrderAccepted, (*terms[:7], ticks, *terms[8:16], fee_hold, note))
    events: Events = [terms]
    met = _walk(account, market, terms, ticks, terms.quantity_lots)
    if met is None:
        filled, leaves = 0, terms.quantity_lots
    else:
        filled, leaves = met.filled_lots, met.leaves_lots
    if terms.time_in_force is FOK and filled < terms.quantity_lots:
        return [terms, OrderCanceled(terms.order_id, Reason.FILL_OR_KILL)]
    if met is not None:
        _append_steps(events, terms, market, met, fee_hold if terms.side is BUY else -1)
    if met is not None and met.stopped_by:
        events.append(OrderCanceled(terms.order_id, met.stopped_by, "", met.counter_order_id))
    elif leaves and terms.time_in_force is IOC:
        events.append(OrderCanceled(terms.order_id, Reason.IMMEDIATE_OR_CANCEL))
    return events


def _crosses(opposite: BookSide, ticks: int) -> bool:
    """Tell whether a price trades with the best of the opposite side."""
    return bool(opposite.keys) and opposite.keys[-1] >= ticks * opposite.sign


def _priced(market: Market, terms: OrderAccepted, ticks: int, lots: int) -> tuple[Reason, int]:
    """Return why a limit order cannot have a price now, and the price that it gets.

    A post-only order that would trade is rejected or gets the best price at which it does not
    trade, if an order may have that price.
    """
    instrument, last_ticks = market.instrument, market.last_ticks
    if not instrument.within_band(ticks, last_ticks):
        return Reason.PRICE_OUT_OF_BAND, ticks
    if not terms.post_only:
        return NO_REASON, ticks
    opposite = market.book.opposite(terms.side)
    if not _crosses(opposite, ticks):
        return NO_REASON, ticks
    behind = opposite.best_ticks() + opposite.sign
    notional = behind * lots * market.quote_units_per_tick_lot
    if terms.post_only is PostOnly.REJECT or not instrument.notional_fits(notional):
        return Reason.POST_ONLY_WOULD_TRADE, ticks
    if not instrument.within_band(behind, last_ticks):
        return Reason.PRICE_OUT_OF_BAND, ticks
    return NO_REASON, behind


def _hold(market: Market, terms: OrderAccepted, ticks: int, lots: int) -> tuple[str, int, int]:
    """Return the asset that a limit order holds, how much, and the part of it that is for fees."""
    if terms.side is SELL:
        return market.base_asset, lots * market.base_units_per_lot, 0
    notional = ticks * lots * market.quote_units_per_tick_lot
    fee_hold = fee_of(notional, max(terms.maker_rate, terms.taker_rate))
    return market.quote_asset, notional + fee_hold, fee_hold


def _walk(
    account: AccountState, market: Market, terms: OrderAccepted, ticks: int, lots: int
) -> Match | None:
    """Return what a limit order meets, None for nothing: by far the most frequent case."""
    opposite = market.book.opposite(terms.side)
    if not _crosses(opposite, ticks):
        return None
    fields = (account, ticks * opposite.sign, lots, 0, terms.self_trade_prevention)
    incoming = make(Incoming, fields)
    return match(incoming, opposite, market.quote_units_per_tick_lot)


def _standing_reject(
    state: State, account: AccountState, instrument: Instrument, post_only: PostOnly
) -> Reason:
    """Return why the venue takes no such order now, whatever its price."""
    if state.kill_switch or account.trading_disabled:
        return Reason.TRADING_DISABLED
    status = instrument.status
    if status is TRADING or (status is InstrumentStatus.POST_ONLY and post_only):
        return NO_REASON
    return STATUS_REJECTS[status]


def _enter_market(account: AccountState, market: Market, terms: OrderAccepted) -> Events:
    """Return the events of a market order: it pays what its trades cost and never rests."""
    asked, opposite = terms, market.book.opposite(terms.side)
    limit_ticks = _protection_limit(market.instrument, opposite.best_ticks(), terms.side)
    limit_key = limit_ticks * opposite.sign
    if terms.quote_amount:
        lots = _lots_for_amount(account, market, terms, limit_key)
        terms = terms._replace(quantity_lots=lots)
    incoming = Incoming(account, limit_key, terms.quantity_lots, 0, terms.self_trade_prevention)
    met = match(incoming, opposite, market.quote_units_per_tick_lot)
    events: Events = [terms]
    _append_steps(events, terms, market, met, -1)
    if not _covers(account, market, terms, events):
        return [_rejected(asked, Reason.INSUFFICIENT_FUNDS)]
    if terms.time_in_force is FOK and met.filled_lots < terms.quantity_lots:
        return [terms, OrderCanceled(terms.order_id, Reason.FILL_OR_KILL)]
    if met.stopped_by:
        events.append(OrderCanceled(terms.order_id, met.stopped_by, "", met.counter_order_id))
    elif met.leaves_lots:
        protected = opposite.keys and opposite.keys[0] < limit_key
        reason = Reason.PRICE_PROTECTION if protected else Reason.NO_LIQUIDITY
        events.append(OrderCanceled(terms.order_id, reason))
    elif not terms.quantity_lots:
        events.append(OrderCanceled(terms.order_id, Reason.NO_LIQUIDITY))
    return events


def _lots_for_amount(
    account: AccountState, market: Market, terms: OrderAccepted, limit_key: int
) -> int:
    """Return how many lots a market order by quote amount is for.

    That is what the amount buys (or a sale of it takes) in the book as it is, and, when there is
    too little in it, what the rest of the amount would buy at the best price. The amount decides
    nothing after this: the order walks again, for so many lots.
    """
    opposite, unit = market.book.opposite(terms.side), market.quote_units_per_tick_lot
    best_ticks = opposite.best_ticks()
    if best_ticks == 0:
        return 0
    bound = market.instrument.maximum_quantity_lots
    mode = terms.self_trade_prevention
    met = match(Incoming(account, limit_key, bound, terms.quote_amount, mode), opposite, unit)
    unmet = min(met.leaves_lots, met.quote_units_left // (best_ticks * unit))
    return met.filled_lots + met.prevented_lots + unmet


def _protection_limit(instrument: Instrument, best_ticks: int, side: Side) -> int:
    """Return the worst price of a market order, in ticks; 0 when there is nothing to trade with."""
    ppm = instrument.market_protection_ppm
    if side is BUY:
        return best_ticks * (PARTS_PER_MILLION + ppm) // PARTS_PER_MILLION
    return -(-best_ticks * (PARTS_PER_MILLION - ppm) // PARTS_PER_MILLION)


def _covers(account: AccountState, market: Market, terms: OrderAccepted, events: Events) -> bool:
    """Tell whether a market order can pay: a sale its whole quantity, a purchase what its trades
    cost.
    """
    if terms.side is SELL:
        needed = terms.quantity_lots * market.base_units_per_lot
        return account.available(market.base_asset) >= needed
    unit = market.quote_units_per_tick_lot
    cost = sum(
        event.price_ticks * event.quantity_lots * unit + event.taker_fee
        for event in events
        if isinstance(event, OrderTraded)
    )
    return account.available(market.quote_asset) >= cost


def _append_steps(
    events: Events, terms: OrderAccepted, market: Market, met: Match, fee_hold: int
) -> None:
    """Append the trades and preventions of a walk.

    `fee_hold` is what the incoming order holds for fees, which bounds what it pays; -1 for no hold.
    """
    order_id, taker_rate, side = terms.order_id, terms.taker_rate, terms.side
    for step in met.steps:
        maker, lots = step
        if isinstance(step, Fill):
            ticks = maker.price_ticks
            notional = ticks * lots * market.quote_units_per_tick_lot
            taker_fee = fee_of(notional, taker_rate)
            maker_fee = fee_of(notional, maker.terms.maker_rate)
            # The sum of rounded fees may exceed the rounded hold by some units: the hold is the
            # bound.
            if side is SELL:
                maker_fee = min(maker_fee, maker.fee_hold)
            elif fee_hold >= 0:
                taker_fee = min(taker_fee, fee_hold)
                fee_hold -= taker_fee
            fields = (order_id, maker.order_id, ticks, lots, taker_fee, maker_fee)
            events.append(make(OrderTraded, fields))
        elif lots:
            events.append(OrderReduced(maker.order_id, lots, order_id, SELF_TRADE_PREVENTED))
            events.append(OrderReduced(order_id, lots, maker.order_id, SELF_TRADE_PREVENTED))
        else:
            if terms.self_trade_prevention is DECREMENT:
                events.append(
                    OrderReduced(order_id, maker.leaves_lots, maker.order_id, SELF_TRADE_PREVENTED)
                )
            events.append(OrderCanceled(maker.order_id, SELF_TRADE_PREVENTED, "", order_id))


def _rejected(terms: OrderAccepted, reason: Reason) -> OrderRejected:
    return OrderRejected(*terms[:13], reason)


# --- orders: amend, cancel, expire ----------------------------------------------------------------


def _amend(state: State, command: AmendOrder, now_ns: int) -> Events | Refused:
    account = state.accounts.get(command.account)
    if account is None:
        return _no_account(command.account)
    order = account.find_order(command.order_id, command.original_client_order_id)
    if order is None:
        return _no_order(command.order_id, command.original_client_order_id)
    if command.client_order_id in account.client_order_ids:
        return _id_reused(command.client_order_id)
    market, terms = order.market, order.terms
    instrument = market.instrument
    wanted = _wanted(command, order)
    if isinstance(wanted, Refused):
        return wanted
    ticks, lots = wanted
    leaves = order.leaves_lots + lots - order.quantity_lots
    if leaves <= 0:
        filled = instrument.format_quantity(order.filled_lots)
        return Refused(
            Reason.QUANTITY_BELOW_FILLED,
            f"quantity must be above what is filled ({filled}); cancel the order in place of this",
            "quantity",
        )
    asked_ticks = ticks
    reason = _standing_reject(state, account, instrument, terms.post_only)
    if not reason:
        reason, ticks = _priced(market, terms, ticks, lots)
    if ticks == order.price_ticks and lots == order.quantity_lots:
        return _not_amendable("the amend changes nothing")
    asset, needed, fee_hold = _hold(market, terms, ticks, leaves)
    if not reason and account.available(asset) + order.hold()[1] < needed:
        reason = Reason.INSUFFICIENT_FUNDS
    if reason:
        return _not_amendable(f"as a new order it would be rejected: {reason.name}", reason)
    kept = ticks == order.price_ticks and lots < order.quantity_lots
    note = NO_REASON if ticks == asked_ticks else Reason.REPRICED
    events: Events = [
        OrderAmended(order.order_id, command.client_order_id, ticks, lots, fee_hold, kept, note)
    ]
    met = None if kept else _walk(account, market, terms, ticks, leaves)
    if met is not None:
        _append_steps(events, terms, market, met, fee_hold if terms.side is BUY else -1)
        if met.stopped_by:
            events.append(OrderCanceled(order.order_id, met.stopped_by, "", met.counter_order_id))
    return events


def _wanted(command: AmendOrder, order: Order) -> tuple[int, int] | Refused:
    """Return the price in ticks and the quantity in lots that an amend asks for."""
    instrument = order.market.instrument
    price: int | Reason = order.price_ticks
    quantity: int | Reason = order.quantity_lots
    if command.price:
        price = order.market.parse_price(command.price)
    if command.quantity:
        quantity = order.market.parse_quantity(command.quantity)
    if isinstance(price, Reason):
        return _bad_number(instrument, price, "price")
    if isinstance(quantity, Reason):
        return _bad_number(instrument, quantity, "quantity")
    notional = price * quantity * order.market.quote_units_per_tick_lot
    if not instrument.notional_fits(notional):
        return _bad_notional(instrument, "price" if command.price else "quantity")
    return price, quantity


def _cancel(state: State, command: CancelOrder, now_ns: int) -> Events | Refused:
    account = state.accounts.get(command.account)
    if account is None:
        return _no_account(command.account)
    order = account.find_order(command.order_id, command.original_client_order_id)
    if order is None:
        return _no_order(command.order_id, command.original_client_order_id)
    return [OrderCanceled(order.order_id, Reason.USER_CANCELED, command.client_order_id)]


def _cancel_all(state: State, command: CancelAllOrders, now_ns: int) -> Events | Refused:
    account = state.accounts.get(command.account)
    if account is None:
        return _no_account(command.account)
    if command.symbol and command.symbol not in state.markets:
        return _no_instrument(command.symbol)
    chosen = (
        order
        for order in account.orders.values()
        if (not command.symbol or order.terms.symbol == command.symbol)
        and (command.side is None or order.terms.side is command.side)
    )
    return _cancel_each(chosen, Reason.MASS_CANCELED)


def _cancel_connection(state: State, command: CancelConnection, now_ns: int) -> Events:
    orders = state.connections.get(command.connection, {})
    return _cancel_each(orders.values(), Reason.DISCONNECTED)


def _cancel_orphans(state: State, command: CancelOrphans, now_ns: int) -> Events:
    orphans = (order for order in state.orders.values() if order.terms.connection)
    return _cancel_each(orphans, Reason.DISCONNECTED)


def _cancel_each(orders: Iterable[Order], reason: Reason) -> Events:
    return [OrderCanceled(order.order_id, reason) for order in orders]


def _expire(state: State, command: ExpireOrders, now_ns: int) -> Events:
    due = sorted(due_entries(state.expiries, now_ns))
    return [
        OrderCanceled(order_id, Reason.EXPIRED) for _, order_id in due if order_id in state.orders
    ]


# --- the venue ------------------------------------------------------------------------------------


def _create_asset(state: State, command: CreateAsset, now_ns: int) -> Events | Refused:
    known = state.assets.get(command.asset)
    if known == command.precision:
        return []
    if known is not None:
        return _exists(f"asset {command.asset} exists with precision {known}")
    return [AssetCreated(command.asset, command.precision)]


def _create_instrument(state: State, command: CreateInstrument, now_ns: int) -> Events | Refused:
    instrument = command.instrument
    for asset, precision in (
        (instrument.base_asset, instrument.base_precision),
        (instrument.quote_asset, instrument.quote_precision),
    ):
        known = state.assets.get(asset)
        if known is None:
            return _no_asset(asset)
        if known != precision:
            text = f"asset {asset} has the precision {known}, not {precision}"
            return Refused(Reason.FIELD_INVALID, text, "instrument")
    market = state.markets.get(instrument.symbol)
    if market is not None:
        if market.instrument._replace(status=instrument.status) == instrument:
            return []
        return _exists(f"instrument {instrument.symbol} exists with other rules")
    broken = instrument.rule_broken()
    if broken:
        return Refused(Reason.FIELD_INVALID, broken, "instrument")
    return [InstrumentListed(instrument)]


def _set_status(state: State, command: SetInstrumentStatus, now_ns: int) -> Events | Refused:
    market = state.markets.get(command.symbol)
    if market is None:
        return _no_instrument(command.symbol)
    if market.instrument.status is command.status:
        return []
    return [InstrumentStatusChanged(command.symbol, command.status)]


def _create_account(state: State, command: CreateAccount, now_ns: int) -> Events | Refused:
    wrong = _bad_rates(command.maker_rate, command.taker_rate)
    if wrong is not None:
        return wrong
    account = state.accounts.get(command.account)
    event = AccountUpdated(*command, trading_disabled=False)
    if account is None:
        return [event]
    if settings_of(account)[:-1] == event[:-1]:
        return []
    return _exists(f"account {command.account} exists with other settings; use UpdateAccount")


def _update_account(state: State, command: UpdateAccount, now_ns: int) -> Events | Refused:
    account = state.accounts.get(command.account)
    if account is None:
        return _no_account(command.account)
    old = settings_of(account)
    changes = {name: value for name, value in command._asdict().items() if value is not None}
    new = old._replace(**changes)
    wrong = _bad_rates(new.maker_rate, new.taker_rate)
    if wrong is not None:
        return wrong
    if new == old:
        return []
    events: Events = [new]
    if new.trading_disabled and not old.trading_disabled:
        events += _cancel_each(account.orders.values(), Reason.KILL_SWITCH)
    return events


def settings_of(account: AccountState) -> AccountUpdated:
    """Return the settings of an account, as the event that would set them."""
    return AccountUpdated(
        account.name,
        account.maker_rate,
        account.taker_rate,
        account.open_order_limit,
        account.rate_limit_exempt,
        account.trading_disabled,
    )


def _set_kill_switch(state: State, command: SetKillSwitch, now_ns: int) -> Events:
    if state.kill_switch == command.engaged:
        return []
    events: Events = [KillSwitchSet(command.engaged)]
    if command.engaged:
        events += _cancel_each(state.orders.values(), Reason.KILL_SWITCH)
    return events


def _move_money(state: State, command: Deposit | Withdraw) -> int | Refused:
    """Return the amount in the asset's smallest unit."""
    if command.account not in state.accounts:
        return _no_account(command.account)
    precision = state.assets.get(command.asset)
    if precision is None:
        return _no_asset(command.asset)
    amount = parse_decimal(command.amount, precision)
    if amount is None:
        text = f"amount has more than {precision} decimals"
        return Refused(Reason.FIELD_INVALID, text, "amount")
    if not 0 < amount < AMOUNT_BOUND:
        text = "amount must be positive and fit 62 bits of the smallest unit"
        return Refused(Reason.FIELD_INVALID, text, "amount")
    return amount


def _deposit(state: State, command: Deposit, now_ns: int) -> Events | Refused:
    amount = _move_money(state, command)
    if isinstance(amount, Refused):
        return amount
    return [Deposited(command.account, command.asset, amount, command.request_id)]


def _withdraw(state: State, command: Withdraw, now_ns: int) -> Events | Refused:
    amount = _move_money(state, command)
    if isinstance(amount, Refused):
        return amount
    if state.accounts[command.account].available(command.asset) < amount:
        text = "the available balance does not cover the withdrawal"
        return Refused(Reason.INSUFFICIENT_FUNDS, text, "amount")
    return [Withdrawn(command.account, command.asset, amount, command.request_id)]


def _create_key(state: State, command: CreateKey, now_ns: int) -> Events | Refused:
    key = command.key
    account = state.accounts.get(key.account)
    if account is None:
        return _no_account(key.account)
    if key.expires_ns >= TIME_BOUND_NS:
        return _too_late()
    if key.key_id in state.keys:
        return _exists(f"key {key.key_id} exists")
    live = sum(
        1
        for other in account.keys.values()
        if not other.revoked_ns and (not other.expires_ns or other.expires_ns > now_ns)
    )
    if live >= LIVE_KEYS_MAX:
        return Refused(Reason.KEY_LIMIT, f"the account has {LIVE_KEYS_MAX} live keys")
    return [KeyStored(key)]


def _set_key_expiry(state: State, command: SetKeyExpiry, now_ns: int) -> Events | Refused:
    key = state.keys.get(command.key_id)
    if key is None or key.account != command.account:
        return _no_key(command.key_id)
    if command.expires_ns >= TIME_BOUND_NS:
        return _too_late()
    if key.expires_ns and key.expires_ns <= command.expires_ns:
        return []
    return [KeyStored(key._replace(expires_ns=command.expires_ns))]


def _revoke_key(state: State, command: RevokeKey, now_ns: int) -> Events | Refused:
    key = state.keys.get(command.key_id)
    if key is None or command.account not in ("", key.account):
        return _no_key(command.key_id)
    if key.revoked_ns:
        return []
    return [KeyStored(key._replace(revoked_ns=now_ns))]


# --- refusals -------------------------------------------------------------------------------------


def _bad_number(instrument: Instrument, reason: Reason, field: str) -> Refused:
    text = TEXTS[reason].format(
        tick=instrument.format_price(1),
        lot=instrument.format_quantity(1),
        minimum=instrument.format_quantity(instrument.minimum_quantity_lots),
        maximum=instrument.format_quantity(instrument.maximum_quantity_lots),
    )
    return Refused(reason, text, field)


def _bad_notional(instrument: Instrument, field: str) -> Refused:
    low = instrument.format_quote(instrument.minimum_notional)
    high = instrument.format_quote(instrument.maximum_notional)
    text = f"price times quantity is not between {low} and {high} {instrument.quote_asset}"
    return Refused(Reason.NOTIONAL_OUT_OF_RANGE, text, field)


def _bad_rates(maker_rate: int, taker_rate: int) -> Refused | None:
    for field, rate in (("maker_fee_rate", maker_rate), ("taker_fee_rate", taker_rate)):
        if not 0 <= rate < RATE_SCALE:
            return Refused(Reason.FIELD_INVALID, "a fee rate must be below 1", field)
    return None


def _not_amendable(text: str, because: Reason = NO_REASON) -> Refused:
    metadata = (("because", because.name),) if because else ()
    return Refused(Reason.ORDER_NOT_AMENDABLE, text, "", metadata)


def _no_account(account: str) -> Refused:
    return Refused(Reason.ACCOUNT_NOT_FOUND, f"there is no account {account}", "account")


def _no_instrument(symbol: str) -> Refused:
    return Refused(Reason.INSTRUMENT_NOT_FOUND, f"there is no instrument {symbol}", "symbol")


def _no_asset(asset: str) -> Refused:
    return Refused(Reason.ASSET_NOT_FOUND, f"there is no asset {asset}", "asset")


def _no_key(key_id: str) -> Refused:
    return Refused(Reason.KEY_NOT_FOUND, f"there is no key {key_id}", "api_key")


def _too_late() -> Refused:
    return Refused(Reason.FIELD_INVALID, "a time must be before the year 2262", "expire_time")


def _no_order(order_id: int, client_order_id: str) -> Refused:
    if order_id:
        return Refused(Reason.ORDER_NOT_FOUND, f"there is no order {order_id}", "order_id")
    text = f"there is no order with the client order id {client_order_id}"
    return Refused(Reason.ORDER_NOT_FOUND, text, "original_client_order_id")


def _id_reused(client_order_id: str) -> Refused:
    text = f"a working order has the client order id {client_order_id}"
    return Refused(Reason.CLIENT_ORDER_ID_REUSED, text, "client_order_id")


def _exists(text: str) -> Refused:
    return Refused(Reason.ALREADY_EXISTS, text)


_Decider = Callable[[State, Any, int], Events | Refused]

_DECIDERS: dict[type, _Decider] = {
    PlaceOrder: cast(_Decider, _place),
    AmendOrder: cast(_Decider, _amend),
    CancelOrder: cast(_Decider, _cancel),
    CancelAllOrders: cast(_Decider, _cancel_all),
    CancelConnection: cast(_Decider, _cancel_connection),
    CancelOrphans: cast(_Decider, _cancel_orphans),
    ExpireOrders: cast(_Decider, _expire),
    CreateAsset: cast(_Decider, _create_asset),
    CreateInstrument: cast(_Decider, _create_instrument),
    SetInstrumentStatus: cast(_Decider, _set_status),
    CreateAccount: cast(_Decider, _create_account),
    UpdateAccount: cast(_Decider, _update_account),
    SetKillSwitch: cast(_Decider, _set_kill_switch),
    Deposit: cast(_Decider, _deposit),
    Withdraw: cast(_Decider, _withdraw),
    CreateKey: cast(_Decider, _create_key),
    SetKeyExpiry: cast(_Decider, _set_key_expiry),
    RevokeKey: cast(_Decider, _revoke_key),
}
