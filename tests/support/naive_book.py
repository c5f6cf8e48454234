"""An oracle of book and ledger: what the contract's comments say, as plainly as it can be written.

It shares the words of the engine (commands, enumerations) and none of its methods: money and
prices are fractions of real units and not integers, the book is sorted anew each time it is looked
at, what an account holds is summed over its orders, and what may not leave a trace is tried on a
copy. It is slow. Where several rules are broken the first one answers, in the order in which they
stand here.
"""

import math
from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from tradewire_server.engine.commands import AmendOrder, CancelAllOrders, CancelOrder, PlaceOrder
from tradewire_server.engine.vocabulary import (
    ExecutionType,
    InstrumentStatus,
    Liquidity,
    OrderStatus,
    OrderType,
    PostOnly,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

ONE_DAY = 86_400 * 10**9
ZERO = Fraction(0)
# What an order is called: its account and the client order id with which it was placed.
Name = tuple[str, str]
NOBODY: Name = ("", "")


class Step(NamedTuple):
    """An execution: the order after it, and what happened."""

    type: ExecutionType
    order: Name
    status: OrderStatus
    price: Fraction
    quantity: Fraction
    filled: Fraction
    leaves: Fraction
    fee: Fraction
    reason: Reason = Reason.UNSPECIFIED
    last_quantity: Fraction = ZERO
    last_price: Fraction = ZERO
    liquidity: Liquidity = Liquidity.UNSPECIFIED
    last_fee: Fraction = ZERO
    counter: Name = NOBODY
    command_id: str = ""
    priority_kept: bool | None = None


class Trade(NamedTuple):
    """A trade as everybody sees it."""

    symbol: str
    price: Fraction
    quantity: Fraction
    taker_side: Side


@dataclass(frozen=True)
class Rules:
    """An instrument, in real units; band and protection are fractions."""

    symbol: str
    base: str
    quote: str
    tick: Fraction
    lot: Fraction
    quote_unit: Fraction
    minimum_quantity: Fraction
    maximum_quantity: Fraction
    minimum_notional: Fraction
    maximum_notional: Fraction
    band: Fraction
    protection: Fraction
    status: InstrumentStatus = InstrumentStatus.TRADING


@dataclass(frozen=True)
class Settings:
    """An account."""

    maker_rate: Fraction
    taker_rate: Fraction
    open_order_limit: int
    disabled: bool = False


@dataclass(eq=False)
class Order:
    """An order; `worst` is the worst price it accepts, `place` its place in the queue."""

    name: Name
    symbol: str
    buys: bool
    is_limit: bool
    time_in_force: TimeInForce
    price: Fraction
    quantity: Fraction
    post_only: PostOnly
    prevention: SelfTradePrevention
    maker_rate: Fraction
    taker_rate: Fraction
    connection: str
    expires: int
    ids: list[str]
    worst: Fraction = ZERO
    leaves: Fraction = ZERO
    filled: Fraction = ZERO
    fee: Fraction = ZERO
    fee_hold: Fraction = ZERO
    place: int = 0
    status: OrderStatus = OrderStatus.NEW

    @property
    def account(self) -> str:
        return self.name[0]


@dataclass
class Walk:
    """What an incoming order met: how much, what it paid, what is left of its quote amount."""

    left: Fraction
    met: Fraction = ZERO
    paid: Fraction = ZERO
    cannot_afford: bool = False
    stopped_by: Name | None = None


@dataclass
class NaiveVenue:
    """Accounts, orders and what was told. A method that returns a reason refuses or rejects."""

    rules: dict[str, Rules] = field(default_factory=dict)
    settings: dict[str, Settings] = field(default_factory=dict)
    totals: dict[tuple[str, str], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    bought: dict[tuple[str, str], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    received: dict[tuple[str, str], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    last: dict[str, Fraction] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    stopped: bool = False
    places: int = 0

    # --- money --------------------------------------------------------------------------------

    def hold(self, order: Order) -> tuple[str, Fraction]:
        """Return what it holds: a sale its base, a purchase price x quantity and its fees."""
        rules = self.rules[order.symbol]
        if not order.is_limit:
            return rules.quote, ZERO
        if order.buys:
            return rules.quote, order.price * order.leaves + order.fee_hold
        return rules.base, order.leaves

    def held(self, account: str, asset: str) -> Fraction:
        holds = (self.hold(order) for order in self.orders if order.account == account)
        return sum((amount for held, amount in holds if held == asset), ZERO)

    def available(self, account: str, asset: str) -> Fraction:
        return self.totals[account, asset] - self.held(account, asset)

    def fee(self, rules: Rules, notional: Fraction, rate: Fraction) -> Fraction:
        """Return a fee, rounded up to the quote asset's smallest unit."""
        return math.ceil(notional * rate / rules.quote_unit) * rules.quote_unit

    def highest_fee(self, order: Order) -> Fraction:
        if not order.buys:
            return ZERO
        rate = max(order.maker_rate, order.taker_rate)
        return self.fee(self.rules[order.symbol], order.price * order.leaves, rate)

    # --- the book -----------------------------------------------------------------------------

    def side(self, symbol: str, *, buys: bool) -> list[Order]:
        """Resting orders, best price first, then the earliest; IOC and the like never rest."""
        at_once = (TimeInForce.IOC, TimeInForce.FOK)
        resting = [
            order
            for order in self.orders
            if (order.symbol, order.buys) == (symbol, buys) and order.time_in_force not in at_once
        ]
        return sorted(resting, key=lambda o: (-o.price if buys else o.price, o.place))

    def meets(self, order: Order) -> Order | None:
        """Return the resting order with which it would trade next."""
        best = next(iter(self.side(order.symbol, buys=not order.buys)), None)
        if best is None:
            return None
        fits = best.price <= order.worst if order.buys else best.price >= order.worst
        return best if fits else None

    def walk(self, order: Order, budget: Fraction | None = None) -> Walk:
        """Let an incoming order meet the book until nothing of it is left, or nothing to meet."""
        rules = self.rules[order.symbol]
        walk = Walk(left=budget or ZERO)
        while order.leaves and (other := self.meets(order)):
            quantity = min(order.leaves, other.leaves)
            if budget is not None:
                quantity = min(quantity, walk.left / other.price // rules.lot * rules.lot)
                if not quantity:
                    walk.cannot_afford = True
                    break
            own = order.prevention and other.account == order.account
            if own and self.prevent(order, other, quantity):
                walk.stopped_by = other.name
            if not own:
                walk.paid += other.price * quantity + self.trade(order, other, quantity)
            if not own or order.prevention is SelfTradePrevention.DECREMENT:
                walk.met += quantity
                walk.left -= other.price * quantity
            if walk.stopped_by:
                break
        return walk

    def tried(self, order: Order, budget: Fraction | None = None) -> tuple[Order, Walk]:
        """Return what would become of a new order, by letting its copy walk in a copy."""
        venue = replace(
            self,
            orders=deepcopy(self.orders),
            totals=self.totals.copy(),
            bought=self.bought.copy(),
            received=self.received.copy(),
            last=self.last.copy(),
            steps=[],
            trades=[],
        )
        copy = deepcopy(order)
        venue.orders.append(copy)
        return copy, venue.walk(copy, budget)

    def prevent(self, order: Order, other: Order, quantity: Fraction) -> bool:
        """Do what the incoming order's mode says; True when the incoming order must end."""
        mode, why = order.prevention, Reason.SELF_TRADE_PREVENTED
        if mode is SelfTradePrevention.DECREMENT:
            # Both lose the smaller quantity; the smaller order is canceled.
            ends = quantity == other.leaves
            for loser in [order] if ends else [other, order]:
                loser.leaves -= quantity
                loser.quantity -= quantity
                counter = other if loser is order else order
                self.tell(ExecutionType.RESTATED, loser, why, counter=counter.name)
            if ends:
                self.end(other, why, counter=order.name)
            return not order.leaves
        if mode is not SelfTradePrevention.CANCEL_NEWEST:
            self.end(other, why, counter=order.name)
        return mode is not SelfTradePrevention.CANCEL_OLDEST

    def trade(self, taker: Order, maker: Order, quantity: Fraction) -> Fraction:
        """Trade at the maker's price; return the taker's fee."""
        rules, price = self.rules[taker.symbol], maker.price
        side = Side.BUY if taker.buys else Side.SELL
        self.last[taker.symbol] = price
        self.trades.append(Trade(taker.symbol, price, quantity, side))
        fees = [
            self.fill(rules, order, price, quantity, liquidity, rate)
            for order, liquidity, rate in (
                (taker, Liquidity.TAKER, taker.taker_rate),
                (maker, Liquidity.MAKER, maker.maker_rate),
            )
        ]
        return fees[0]

    def fill(
        self,
        rules: Rules,
        order: Order,
        price: Fraction,
        quantity: Fraction,
        liquidity: Liquidity,
        rate: Fraction,
    ) -> Fraction:
        notional = price * quantity
        fee = self.fee(rules, notional, rate)
        if order.buys and order.is_limit:
            # Many fees rounded up must not cost more than was held for them.
            fee = min(fee, order.fee_hold)
            order.fee_hold -= fee
        sign = 1 if order.buys else -1
        self.totals[order.account, rules.base] += sign * quantity
        self.totals[order.account, rules.quote] -= sign * notional + fee
        self.totals["fees", rules.quote] += fee
        self.bought[order.account, order.symbol] += sign * quantity
        self.received[order.account, order.symbol] -= sign * notional
        order.leaves -= quantity
        order.filled += quantity
        order.fee += fee
        order.status = OrderStatus.PARTIALLY_FILLED if order.leaves else OrderStatus.FILLED
        if not order.leaves:
            self.orders.remove(order)
        self.tell(
            ExecutionType.TRADE,
            order,
            last_quantity=quantity,
            last_price=price,
            liquidity=liquidity,
            last_fee=fee,
        )
        return fee

    # --- telling ------------------------------------------------------------------------------

    def tell(
        self,
        kind: ExecutionType,
        order: Order,
        reason: Reason = Reason.UNSPECIFIED,
        *,
        last_quantity: Fraction = ZERO,
        last_price: Fraction = ZERO,
        liquidity: Liquidity = Liquidity.UNSPECIFIED,
        last_fee: Fraction = ZERO,
        counter: Name = NOBODY,
        command_id: str = "",
        priority_kept: bool | None = None,
    ) -> None:
        state = (order.status, order.price, order.quantity, order.filled, order.leaves, order.fee)
        last = (last_quantity, last_price, liquidity, last_fee)
        rest = (counter, command_id, priority_kept)
        self.steps.append(Step(kind, order.name, *state, reason, *last, *rest))

    def end(
        self, order: Order, reason: Reason, *, counter: Name = NOBODY, command_id: str = ""
    ) -> None:
        expired = reason is Reason.EXPIRED
        self.orders.remove(order)
        order.leaves = ZERO
        order.status = OrderStatus.EXPIRED if expired else OrderStatus.CANCELED
        kind = ExecutionType.EXPIRED if expired else ExecutionType.CANCELED
        self.tell(kind, order, reason, counter=counter, command_id=command_id)

    def end_each(self, orders: list[Order], reason: Reason) -> None:
        for order in orders:
            self.end(order, reason)

    # --- new orders ---------------------------------------------------------------------------

    def place(self, command: PlaceOrder, now: int) -> Reason | None:
        """Return why the order is refused; a rejected one is told."""
        rules, settings = self.rules.get(command.symbol), self.settings.get(command.account)
        if rules is None:
            return Reason.INSTRUMENT_NOT_FOUND
        if settings is None:
            return Reason.ACCOUNT_NOT_FOUND
        if self.find(command.account, command.client_order_id):
            return Reason.CLIENT_ORDER_ID_REUSED
        price, quantity, amount = command.price, command.quantity, command.quote_quantity
        wrong = self.conflict(command) or self.bad_numbers(rules, price, quantity, amount)
        if wrong:
            return wrong
        notional = Fraction(amount or 0) + Fraction(price or 0) * Fraction(quantity or 0)
        if (amount or price) and not self.notional_fits(rules, notional):
            return Reason.NOTIONAL_OUT_OF_RANGE
        expires = self.ends_at(command, now)
        if expires is None:
            return Reason.EXPIRE_TIME_INVALID
        order = Order(
            name=(command.account, command.client_order_id),
            symbol=command.symbol,
            buys=command.side is Side.BUY,
            is_limit=command.type is OrderType.LIMIT,
            time_in_force=command.time_in_force,
            price=Fraction(command.price or 0),
            quantity=Fraction(command.quantity or 0),
            post_only=command.post_only,
            prevention=command.self_trade_prevention,
            maker_rate=settings.maker_rate,
            taker_rate=settings.taker_rate,
            connection=command.connection,
            expires=expires,
            ids=[command.client_order_id],
        )
        asked = replace(order, status=OrderStatus.REJECTED)
        order.worst, order.leaves = order.price, order.quantity
        rejected = self.standing(order) or self.crowded(order)
        if not rejected and order.is_limit:
            rejected = self.enter_limit(order)
        elif not rejected:
            rejected = self.enter_market(order, Fraction(command.quote_quantity or 0) or None)
        if rejected:
            self.tell(ExecutionType.REJECTED, asked, rejected)
        return None

    def conflict(self, command: PlaceOrder) -> Reason | None:
        """Check that limit has price and quantity, market one quantity, and that it never rests."""
        at_once = command.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
        price, quantity, amount = command.price, command.quantity, command.quote_quantity
        if command.type is OrderType.LIMIT:
            fits = price and quantity and not amount and not (command.post_only and at_once)
        else:
            fits = not price and not command.post_only and bool(quantity) is not bool(amount)
            fits = fits and at_once and not (amount and command.time_in_force is TimeInForce.FOK)
        return None if fits else Reason.FIELDS_CONFLICT

    def bad_numbers(self, rules: Rules, price: str, quantity: str, amount: str) -> Reason | None:
        if price and Fraction(price) % rules.tick:
            return Reason.PRICE_OFF_TICK
        if price and not 0 < Fraction(price) * rules.lot <= rules.maximum_notional:
            return Reason.PRICE_OUT_OF_RANGE
        if quantity and Fraction(quantity) % rules.lot:
            return Reason.QUANTITY_OFF_LOT
        if quantity and not self.within(
            rules.minimum_quantity, Fraction(quantity), rules.maximum_quantity
        ):
            return Reason.QUANTITY_OUT_OF_RANGE
        if amount and Fraction(amount) % rules.quote_unit:
            return Reason.FIELD_INVALID
        return None

    def within(self, low: Fraction, value: Fraction, high: Fraction) -> bool:
        return low <= value <= high

    def notional_fits(self, rules: Rules, notional: Fraction) -> bool:
        return notional > 0 and self.within(
            rules.minimum_notional, notional, rules.maximum_notional
        )

    def ends_at(self, command: PlaceOrder, now: int) -> int | None:
        if command.time_in_force is TimeInForce.GTD:
            return command.expire_time_ns if now < command.expire_time_ns < 2**63 else None
        if command.expire_time_ns:
            return None
        return now - now % ONE_DAY + ONE_DAY if command.time_in_force is TimeInForce.DAY else 0

    def standing(self, order: Order) -> Reason | None:
        """Return why the venue takes no such order now."""
        if self.stopped or self.settings[order.account].disabled:
            return Reason.TRADING_DISABLED
        return {
            InstrumentStatus.TRADING: None,
            InstrumentStatus.HALTED: Reason.INSTRUMENT_HALTED,
            InstrumentStatus.CANCEL_ONLY: Reason.INSTRUMENT_CANCEL_ONLY,
            InstrumentStatus.POST_ONLY: None if order.post_only else Reason.INSTRUMENT_POST_ONLY,
        }[self.rules[order.symbol].status]

    def crowded(self, order: Order) -> Reason | None:
        count = sum(other.account == order.account for other in self.orders)
        limit = self.settings[order.account].open_order_limit
        return Reason.OPEN_ORDER_LIMIT if count >= limit else None

    def set_price(self, order: Order, price: Fraction) -> Reason | None:
        """Give a price to an order, or one behind the best; return why it may not have it."""
        rules, last = self.rules[order.symbol], self.last.get(order.symbol)
        order.price = order.worst = price
        # A band is a greatest distance from the last trade's price.
        if last and rules.band and abs(price - last) > last * rules.band:
            return Reason.PRICE_OUT_OF_BAND
        best = self.meets(order)
        if not order.post_only or not best:
            return None
        behind = best.price - rules.tick if order.buys else best.price + rules.tick
        if order.post_only is PostOnly.REJECT or not self.notional_fits(
            rules, behind * order.quantity
        ):
            return Reason.POST_ONLY_WOULD_TRADE
        return self.set_price(order, behind)

    def enter_limit(self, order: Order) -> Reason | None:
        asked = order.price
        rejected = self.set_price(order, asked)
        if rejected:
            return rejected
        order.fee_hold = self.highest_fee(order)
        asset, amount = self.hold(order)
        if self.available(order.account, asset) < amount:
            return Reason.INSUFFICIENT_FUNDS
        killed = order.time_in_force is TimeInForce.FOK and (
            self.tried(order)[0].filled < order.quantity
        )
        self.enqueue(order)
        self.orders.append(order)
        repriced = Reason.UNSPECIFIED if order.price == asked else Reason.REPRICED
        self.tell(ExecutionType.NEW, order, repriced)
        if killed:
            self.end(order, Reason.FILL_OR_KILL)
            return None
        self.go(order)
        if order.leaves and order.time_in_force is TimeInForce.IOC:
            self.end(order, Reason.IMMEDIATE_OR_CANCEL)
        return None

    def enqueue(self, order: Order) -> None:
        self.places += 1
        order.place = self.places

    def go(self, order: Order, budget: Fraction | None = None) -> None:
        """Let an order walk, and end it when self-trade prevention says so."""
        walk = self.walk(order, budget)
        if walk.stopped_by:
            self.end(order, Reason.SELF_TRADE_PREVENTED, counter=walk.stopped_by)

    def enter_market(self, order: Order, amount: Fraction | None) -> Reason | None:
        """Let it pay what its trades cost; a sale must have all of its quantity."""
        rules = self.rules[order.symbol]
        opposite = self.side(order.symbol, buys=not order.buys)
        best = opposite[0].price if opposite else ZERO
        order.worst = best * (1 + rules.protection * (1 if order.buys else -1))
        if amount:
            order.quantity = order.leaves = self.quantity_for(order, best, amount)
        result, walk = self.tried(order, amount)
        asset, needed = (rules.quote, walk.paid) if order.buys else (rules.base, order.quantity)
        if self.available(order.account, asset) < needed:
            return Reason.INSUFFICIENT_FUNDS
        self.orders.append(order)
        self.tell(ExecutionType.NEW, order)
        if order.time_in_force is TimeInForce.FOK and result.filled < order.quantity:
            self.end(order, Reason.FILL_OR_KILL)
            return None
        self.go(order, amount)
        if order in self.orders:
            beyond = order.leaves and self.side(order.symbol, buys=not order.buys)
            self.end(order, Reason.PRICE_PROTECTION if beyond else Reason.NO_LIQUIDITY)
        return None

    def quantity_for(self, order: Order, best: Fraction, amount: Fraction) -> Fraction:
        """Return the lots that a quote amount buys: what it meets, and, when it does not find
        enough, what the rest would buy at the best price.
        """
        rules = self.rules[order.symbol]
        bound = rules.maximum_quantity
        _, walk = self.tried(replace(order, quantity=bound, leaves=bound), amount)
        if walk.cannot_afford or not best:
            return walk.met
        if walk.stopped_by and order.prevention is SelfTradePrevention.DECREMENT:
            return walk.met
        return min(bound, walk.met + walk.left / best // rules.lot * rules.lot)

    # --- working orders -----------------------------------------------------------------------

    def find(self, account: str, client_order_id: str) -> Order | None:
        for order in self.orders:
            if order.account == account and client_order_id in order.ids:
                return order
        return None

    def amend(self, command: AmendOrder) -> Reason | None:
        """Return why the amend is refused; the order is unchanged then."""
        if command.account not in self.settings:
            return Reason.ACCOUNT_NOT_FOUND
        order = self.find(command.account, command.original_client_order_id)
        if order is None:
            return Reason.ORDER_NOT_FOUND
        if self.find(command.account, command.client_order_id):
            return Reason.CLIENT_ORDER_ID_REUSED
        rules, before = self.rules[order.symbol], replace(order)
        price = Fraction(command.price or order.price)
        after = replace(order, quantity=Fraction(command.quantity or order.quantity))
        wrong = self.bad_numbers(rules, command.price, command.quantity, "")
        if wrong:
            return wrong
        if not self.notional_fits(rules, price * after.quantity):
            return Reason.NOTIONAL_OUT_OF_RANGE
        after.leaves += after.quantity - order.quantity
        if after.leaves <= 0:
            return Reason.QUANTITY_BELOW_FILLED
        refused = self.standing(order) or self.set_price(after, price)
        repriced = Reason.UNSPECIFIED if after.price == price else Reason.REPRICED
        after.fee_hold = self.highest_fee(after)
        asset, amount = self.hold(after)
        short = self.available(order.account, asset) + self.hold(order)[1] < amount
        same = (after.price, after.quantity) == (order.price, order.quantity)
        if refused or short or same:
            return Reason.ORDER_NOT_AMENDABLE
        order.price = order.worst = after.price
        order.quantity, order.leaves, order.fee_hold = after.quantity, after.leaves, after.fee_hold
        kept = order.price == before.price and order.quantity < before.quantity
        if not kept:
            self.enqueue(order)
        order.ids.append(command.client_order_id)
        self.tell(
            ExecutionType.REPLACED,
            order,
            repriced,
            command_id=command.client_order_id,
            priority_kept=kept,
        )
        if not kept:
            self.go(order)
        return None

    def cancel(self, command: CancelOrder) -> Reason | None:
        """Return why the cancel is refused."""
        if command.account not in self.settings:
            return Reason.ACCOUNT_NOT_FOUND
        order = self.find(command.account, command.original_client_order_id)
        if order is None:
            return Reason.ORDER_NOT_FOUND
        self.end(order, Reason.USER_CANCELED, command_id=command.client_order_id)
        return None

    def cancel_all(self, command: CancelAllOrders) -> Reason | None:
        """Return why the mass cancel is refused."""
        if command.account not in self.settings:
            return Reason.ACCOUNT_NOT_FOUND
        if command.symbol and command.symbol not in self.rules:
            return Reason.INSTRUMENT_NOT_FOUND
        chosen = [
            order
            for order in self.orders
            if order.account == command.account
            and command.symbol in ("", order.symbol)
            and (command.side is None or order.buys is (command.side is Side.BUY))
        ]
        self.end_each(chosen, Reason.MASS_CANCELED)
        return None

    def expire(self, now: int) -> None:
        due = [order for order in self.orders if order.expires and order.expires <= now]
        self.end_each(sorted(due, key=lambda order: order.expires), Reason.EXPIRED)

    def disconnect(self, *connections: str) -> None:
        lost = [order for order in self.orders if order.connection in connections]
        self.end_each(lost, Reason.DISCONNECTED)

    def move(self, account: str, asset: str, amount: Fraction, unit: Fraction) -> Reason | None:
        """Pay in, or out when negative; return why not."""
        if account not in self.settings:
            return Reason.ACCOUNT_NOT_FOUND
        if not amount or amount % unit:
            return Reason.FIELD_INVALID
        if self.available(account, asset) + amount < 0:
            return Reason.INSUFFICIENT_FUNDS
        self.totals[account, asset] += amount
        return None
