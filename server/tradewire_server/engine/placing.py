"""From a new order to its events: refused, rejected, or accepted with what it trades at once.
 Rules are checked in the order in which they stand here. An amend meets the same rules; see
`working`.
"""

from tradewire_server.engine.book import BookSide
from tradewire_server.engine.commands import (
    PlaceOrder,
    Refused,
)
from tradewire_server.engine.decimals import parse_decimal
from tradewire_server.engine.events import (
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderReduced,
    OrderRejected,
    OrderTraded,
    make,
)
from tradewire_server.engine.instrument import PARTS_PER_MILLION, Instrument
from tradewire_server.engine.ledger import fee_of
from tradewire_server.engine.matching import Fill, Incoming, Match, match
from tradewire_server.engine.refusals import (
    TIME_BOUND_NS,
    bad_notional,
    bad_number,
    id_reused,
    no_account,
    no_instrument,
)
from tradewire_server.engine.state import AccountState, Market, State
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

Events = list[Event]

STATUS_REJECTS = {
    InstrumentStatus.HALTED: Reason.INSTRUMENT_HALTED,
    InstrumentStatus.CANCEL_ONLY: Reason.INSTRUMENT_CANCEL_ONLY,
    InstrumentStatus.POST_ONLY: Reason.INSTRUMENT_POST_ONLY,
}


def place(state: State, command: PlaceOrder, now_ns: int) -> Events | Refused:
    """Return the events of a new order, or why it is none."""
    name, client_order_id, symbol, side, order_type, time_in_force = command[:6]
    quantity, quote_quantity, price, _, post_only, prevention, connection = command[6:]
    market = state.markets.get(symbol)
    if market is None:
        return no_instrument(symbol)
    account = state.accounts.get(name)
    if account is None:
        return no_account(name)
    if client_order_id in account.client_order_ids:
        return id_reused(client_order_id)
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
            return bad_number(instrument, ticks, "price")
    if quantity:
        lots = market.parse_quantity(quantity)
        if isinstance(lots, Reason):
            return bad_number(instrument, lots, "quantity")
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
        return bad_notional(instrument, "price" if ticks else "quote_quantity")
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
    reason = standing_reject(state, account, market.instrument, terms.post_only)
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
    reason, ticks = priced(market, terms, terms.price_ticks, terms.quantity_lots)
    if reason:
        return [_rejected(terms, reason)]
    asset, needed, fee_hold = hold(market, terms, ticks, terms.quantity_lots)
    if account.available(asset) < needed:
        return [_rejected(terms, Reason.INSUFFICIENT_FUNDS)]
    if fee_hold or ticks != terms.price_ticks:
        note = NO_REASON if ticks == terms.price_ticks else Reason.REPRICED
        terms = make(OrderAccepted, (*terms[:7], ticks, *terms[8:16], fee_hold, note))
    events: Events = [terms]
    met = walk(account, market, terms, ticks, terms.quantity_lots)
    if met is None:
        filled, leaves = 0, terms.quantity_lots
    else:
        filled, leaves = met.filled_lots, met.leaves_lots
    if terms.time_in_force is FOK and filled < terms.quantity_lots:
        return [terms, OrderCanceled(terms.order_id, Reason.FILL_OR_KILL)]
    if met is not None:
        append_steps(events, terms, market, met, fee_hold if terms.side is BUY else -1)
    if met is not None and met.stopped_by:
        events.append(OrderCanceled(terms.order_id, met.stopped_by, "", met.counter_order_id))
    elif leaves and terms.time_in_force is IOC:
        events.append(OrderCanceled(terms.order_id, Reason.IMMEDIATE_OR_CANCEL))
    return events


def _crosses(opposite: BookSide, ticks: int) -> bool:
    """Tell whether a price trades with the best of the opposite side."""
    return bool(opposite.keys) and opposite.keys[-1] >= ticks * opposite.sign


def priced(market: Market, terms: OrderAccepted, ticks: int, lots: int) -> tuple[Reason, int]:
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


def hold(market: Market, terms: OrderAccepted, ticks: int, lots: int) -> tuple[str, int, int]:
    """Return the asset that a limit order holds, how much, and the part of it that is for fees."""
    if terms.side is SELL:
        return market.base_asset, lots * market.base_units_per_lot, 0
    notional = ticks * lots * market.quote_units_per_tick_lot
    fee_hold = fee_of(notional, max(terms.maker_rate, terms.taker_rate))
    return market.quote_asset, notional + fee_hold, fee_hold


def walk(
    account: AccountState, market: Market, terms: OrderAccepted, ticks: int, lots: int
) -> Match | None:
    """Return what a limit order meets, None for nothing: by far the most frequent case."""
    opposite = market.book.opposite(terms.side)
    if not _crosses(opposite, ticks):
        return None
    fields = (account, ticks * opposite.sign, lots, 0, terms.self_trade_prevention)
    incoming = make(Incoming, fields)
    return match(incoming, opposite, market.quote_units_per_tick_lot)


def standing_reject(
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
    append_steps(events, terms, market, met, -1)
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


def append_steps(
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
