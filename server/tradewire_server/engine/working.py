"""What can become of a working order beside a trade: amended, canceled, expired."""

from collections.abc import Iterable

from tradewire_server.engine.commands import (
    AmendOrder,
    CancelAllOrders,
    CancelConnection,
    CancelOrder,
    CancelOrphans,
    ExpireOrders,
    Refused,
)
from tradewire_server.engine.events import (
    OrderAmended,
    OrderCanceled,
)
from tradewire_server.engine.order import Order
from tradewire_server.engine.placing import (
    Events,
    append_steps,
    hold,
    priced,
    standing_reject,
    walk,
)
from tradewire_server.engine.refusals import (
    bad_notional,
    bad_number,
    id_reused,
    no_account,
    no_instrument,
    no_order,
    not_amendable,
)
from tradewire_server.engine.state import State, due_entries
from tradewire_server.engine.vocabulary import (
    BUY,
    NO_REASON,
    Reason,
)


def amend(state: State, command: AmendOrder, now_ns: int) -> Events | Refused:
    """Return the events of an amend: the order changed, and what it trades at once."""
    account = state.accounts.get(command.account)
    if account is None:
        return no_account(command.account)
    order = account.find_order(command.order_id, command.original_client_order_id)
    if order is None:
        return no_order(command.order_id, command.original_client_order_id)
    if command.client_order_id in account.client_order_ids:
        return id_reused(command.client_order_id)
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
    reason = standing_reject(state, account, instrument, terms.post_only)
    if not reason:
        reason, ticks = priced(market, terms, ticks, lots)
    if ticks == order.price_ticks and lots == order.quantity_lots:
        return not_amendable("the amend changes nothing")
    asset, needed, fee_hold = hold(market, terms, ticks, leaves)
    if not reason and account.available(asset) + order.hold()[1] < needed:
        reason = Reason.INSUFFICIENT_FUNDS
    if reason:
        return not_amendable(f"as a new order it would be rejected: {reason.name}", reason)
    kept = ticks == order.price_ticks and lots < order.quantity_lots
    note = NO_REASON if ticks == asked_ticks else Reason.REPRICED
    events: Events = [
        OrderAmended(order.order_id, command.client_order_id, ticks, lots, fee_hold, kept, note)
    ]
    met = None if kept else walk(account, market, terms, ticks, leaves)
    if met is not None:
        append_steps(events, terms, market, met, fee_hold if terms.side is BUY else -1)
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
        return bad_number(instrument, price, "price")
    if isinstance(quantity, Reason):
        return bad_number(instrument, quantity, "quantity")
    notional = price * quantity * order.market.quote_units_per_tick_lot
    if not instrument.notional_fits(notional):
        return bad_notional(instrument, "price" if command.price else "quantity")
    return price, quantity


def cancel(state: State, command: CancelOrder, now_ns: int) -> Events | Refused:
    """Return the event of a cancel."""
    account = state.accounts.get(command.account)
    if account is None:
        return no_account(command.account)
    order = account.find_order(command.order_id, command.original_client_order_id)
    if order is None:
        return no_order(command.order_id, command.original_client_order_id)
    return [OrderCanceled(order.order_id, Reason.USER_CANCELED, command.client_order_id)]


def cancel_all(state: State, command: CancelAllOrders, now_ns: int) -> Events | Refused:
    """Return a cancel for each chosen order of the account."""
    account = state.accounts.get(command.account)
    if account is None:
        return no_account(command.account)
    if command.symbol and command.symbol not in state.markets:
        return no_instrument(command.symbol)
    chosen = (
        order
        for order in account.orders.values()
        if (not command.symbol or order.terms.symbol == command.symbol)
        and (command.side is None or order.terms.side is command.side)
    )
    return cancel_each(chosen, Reason.MASS_CANCELED)


def cancel_connection(state: State, command: CancelConnection, now_ns: int) -> Events:
    """Return a cancel for each order of a connection that ended."""
    orders = state.connections.get(command.connection, {})
    return cancel_each(orders.values(), Reason.DISCONNECTED)


def cancel_orphans(state: State, command: CancelOrphans, now_ns: int) -> Events:
    """Return a cancel for each order of any connection."""
    orphans = (order for order in state.orders.values() if order.terms.connection)
    return cancel_each(orphans, Reason.DISCONNECTED)


def cancel_each(orders: Iterable[Order], reason: Reason) -> Events:
    """Return a cancel for each order."""
    return [OrderCanceled(order.order_id, reason) for order in orders]


def expire(state: State, command: ExpireOrders, now_ns: int) -> Events:
    """Return the end of each order whose time has come, in the order of their times."""
    due = sorted(due_entries(state.expiries, now_ns))
    return [
        OrderCanceled(order_id, Reason.EXPIRED) for _, order_id in due if order_id in state.orders
    ]
