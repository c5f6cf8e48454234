"""Random commands for a small, crowded venue: few prices, little money, so that much happens.

Where chance comes from is the caller's business: `pick` chooses one of a sequence, by Hypothesis or
by a seeded generator. A value that stands there twice is twice as likely.
"""

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tradewire_server.engine.commands import (
    AmendOrder,
    CancelAllOrders,
    CancelConnection,
    CancelOrder,
    CancelOrphans,
    Command,
    CreateAccount,
    Deposit,
    ExpireOrders,
    PlaceOrder,
    SetInstrumentStatus,
    SetKillSwitch,
    UpdateAccount,
    Withdraw,
)
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.vocabulary import (
    InstrumentStatus,
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

from tests.support.bare_venue import DAY_NS, SECOND_NS
from tests.support.twin import Twin

T = TypeVar("T")


class Pick(Protocol):
    """Chooses one of a sequence."""

    def __call__(self, values: Sequence[T], /) -> T: ...


# The quote asset of one is the base asset of the other: money is shared by two markets.
BTC_USD = Instrument(
    symbol="BTC-USD",
    base_asset="BTC",
    quote_asset="USD",
    base_precision=3,
    quote_precision=2,
    tick_units=5,
    tick_decimals=1,
    lot_units=1,
    lot_decimals=1,
    minimum_quantity_lots=1,
    maximum_quantity_lots=20,
    minimum_notional=1_00,
    maximum_notional=20_00,
    price_band_ppm=150_000,
    market_protection_ppm=60_000,
)
ETH_BTC = Instrument(
    symbol="ETH-BTC",
    base_asset="ETH",
    quote_asset="BTC",
    base_precision=2,
    quote_precision=3,
    tick_units=1,
    tick_decimals=2,
    lot_units=2,
    lot_decimals=1,
    minimum_quantity_lots=2,
    maximum_quantity_lots=15,
    minimum_notional=0,
    maximum_notional=300,
    price_band_ppm=0,
    market_protection_ppm=1_000_000,
)

PRICES = {
    "BTC-USD": ["9", "9.5", "10.00", "10", "10.5", "10.5", "11", "11", "11.5", "12", "12.50"],
    "ETH-BTC": ["0.01", "0.05", "0.06", "0.06", "0.07", "0.07", "0.08", "0.08", "0.09", "0.12"],
}
BAD_PRICES = ["0", "0.001", "10.25", "1000000", "0.0000", "14", "8"]
QUANTITIES = {
    "BTC-USD": ["0.1", "0.2", "0.2", "0.3", "0.5", "0.50", "0.8", "1", "1.3", "2"],
    "ETH-BTC": ["0.4", "0.4", "0.6", "0.6", "0.8", "1", "1.0", "1.4", "2", "3"],
}
BAD_QUANTITIES = ["0", "0.05", "3.1", "0.2000", "0.3", "100"]
AMOUNTS = ["0", "0.01", "0.1", "0.125", "1", "2.5", "5", "7.77", "10", "12.5", "20", "30", "0.001"]

# Rates in units of 1e-7: none, odd, maker above taker, and half of everything.
ACCOUNTS = {
    "alice": (0, 0, 100),
    "bob": (123_457, 333_333, 100),
    "carol": (500_000, 100_000, 4),
    "dave": (3_333_333, 5_000_001, 100),
}
TOTALS = {"USD": "40", "BTC": "3", "ETH": "5"}

TIMES_IN_FORCE = [*[TimeInForce.GTC] * 6, *TimeInForce]
PREVENTIONS = [SelfTradePrevention.UNSPECIFIED, *SelfTradePrevention]
SIDES = list(Side)
STATUSES = [*[InstrumentStatus.TRADING] * 8, *InstrumentStatus]
ONCE_IN_FIVE = [True, False, False, False, False]
ONCE_IN_TEN = [*ONCE_IN_FIVE, *[False] * 5]


class Traffic:
    """Makes commands for a twin that has the instruments and accounts above."""

    def __init__(self, twin: Twin, pick: Pick = random.choice) -> None:
        self.twin = twin
        self.pick = pick
        self.id_count = 0

    def new_id(self) -> str:
        """Return a client order id, now and then one that works already."""
        self.id_count += 1
        if self.id_count % 23 == 0:
            return "id-1"
        return f"id-{self.id_count}"

    def account(self) -> str:
        """Return an account, now and then one that does not exist."""
        return self.pick([*list(ACCOUNTS) * 15, "nobody"])

    def symbol(self) -> str:
        """Return an instrument, now and then one that does not exist."""
        return self.pick([*list(PRICES) * 30, "NO-NO"])

    def price(self, symbol: str) -> str:
        """Return a price, now and then an impossible one."""
        prices = PRICES.get(symbol, ["1"])
        return self.pick([*prices * 8, *BAD_PRICES])

    def quantity(self, symbol: str) -> str:
        """Return a quantity, now and then an impossible one."""
        quantities = QUANTITIES.get(symbol, ["1"])
        return self.pick([*quantities * 8, *BAD_QUANTITIES])

    def limit(self, account: str = "") -> PlaceOrder:
        """Return a limit order that may make sense, of any account or a certain one."""
        symbol, time_in_force = self.symbol(), self.pick(TIMES_IN_FORCE)
        ends = time_in_force is TimeInForce.GTD
        return PlaceOrder(
            account or self.account(),
            self.new_id(),
            symbol,
            self.pick(SIDES),
            OrderType.LIMIT,
            time_in_force,
            quantity=self.quantity(symbol),
            price=self.price(symbol),
            expire_time_ns=self.twin.venue.now_ns
            + self.pick([1, 5, 5, 60, 600, 0, 10**12]) * SECOND_NS
            if ends
            else 0,
            post_only=self.pick([*[PostOnly.UNSPECIFIED] * 4, *PostOnly]),
            self_trade_prevention=self.pick(PREVENTIONS),
            connection=self.pick(["", "", "c1", "c2"]),
        )

    def market(self) -> PlaceOrder:
        """Return a market order, by quantity or by amount."""
        symbol, by_amount = self.symbol(), self.pick([True, False])
        return PlaceOrder(
            self.account(),
            self.new_id(),
            symbol,
            self.pick(SIDES),
            OrderType.MARKET,
            self.pick([TimeInForce.IOC, TimeInForce.IOC, TimeInForce.FOK]),
            quantity="" if by_amount else self.quantity(symbol),
            quote_quantity=self.pick(AMOUNTS) if by_amount else "",
            self_trade_prevention=self.pick(PREVENTIONS),
        )

    def nonsense(self) -> PlaceOrder:
        """Return an order whose fields were chosen without regard to each other."""
        return PlaceOrder(
            self.account(),
            self.new_id(),
            self.symbol(),
            self.pick(SIDES),
            self.pick(list(OrderType)),
            self.pick(list(TimeInForce)),
            quantity=self.pick(["", "0.5", "1"]),
            quote_quantity=self.pick(["", "5"]),
            price=self.pick(["", "10"]),
            expire_time_ns=self.pick([0, 0, self.twin.venue.now_ns + SECOND_NS]),
            post_only=self.pick(list(PostOnly)),
        )

    def target(self) -> tuple[str, str]:
        """Return account and client order id of an open order, now and then of none."""
        orders = list(self.twin.state.orders.values())
        if not orders or self.pick(ONCE_IN_FIVE):
            return self.account(), f"id-{self.pick(range(1, 20))}"
        order = self.pick(orders)
        return order.account.name, self.pick(order.client_order_ids)

    def amend(self) -> AmendOrder:
        """Return an amend of price, quantity or both."""
        account, original = self.target()
        order = self.twin.naive.find(account, original)
        symbol = order.symbol if order else "BTC-USD"
        price = self.pick(["", self.price(symbol)])
        quantity = self.pick(["", self.quantity(symbol)])
        return AmendOrder(account, self.new_id(), 0, original, quantity, price)

    def cancel(self) -> CancelOrder:
        """Return a cancel."""
        account, original = self.target()
        return CancelOrder(account, self.pick(["", self.new_id()]), 0, original)

    def cancel_many(self) -> Command:
        """Return a command that cancels several orders."""
        many: list[Command] = [
            CancelAllOrders(
                self.account(), self.pick(["", self.symbol()]), self.pick([None, *Side])
            ),
            CancelConnection(self.pick(["c1", "c2", "c3"])),
            CancelOrphans(),
        ]
        return self.pick(many)

    def money(self) -> Command:
        """Return a deposit or a withdrawal."""
        kinds: list[type[Deposit] | type[Withdraw]] = [Deposit, Deposit, Withdraw]
        kind = self.pick(kinds)
        amount = self.pick(["0", "0.1", "0.01", "1", "2.50", "0.0001", "7", "30"])
        account = self.pick([*ACCOUNTS, "fees", "nobody"])
        return kind(account, self.pick(list(TOTALS)), amount, self.new_id())

    def venue(self) -> Command:
        """Return a command of those who run the venue."""
        account = self.pick(list(ACCOUNTS))
        commands: list[Command] = [
            SetInstrumentStatus(self.pick(list(PRICES)), self.pick(STATUSES)),
            SetKillSwitch(engaged=self.pick(ONCE_IN_TEN)),
            UpdateAccount(account, trading_disabled=self.pick(ONCE_IN_TEN)),
            UpdateAccount(account, open_order_limit=self.pick([0, 3, 50, 50, 50])),
            UpdateAccount(account, *self.pick([(0, 0), (123_457, 333_333), (999_999, 1)])),
        ]
        return self.pick(commands)

    def rare(self) -> Command:
        """Return a command that changes much at once."""
        return self.pick([self.cancel_many, self.venue])()

    def pass_time(self) -> ExpireOrders:
        """Let time pass, and return what each batch begins with."""
        self.twin.venue.now_ns += self.pick([1, SECOND_NS, SECOND_NS, 10 * SECOND_NS, DAY_NS // 3])
        return ExpireOrders()

    def any(self) -> Command:
        """Return any command, in the proportions of a busy day."""
        usual: list[Callable[[], Command]] = [
            *[self.limit] * 24,
            *[self.market] * 6,
            self.nonsense,
            *[self.amend] * 6,
            *[self.cancel] * 2,
            *[self.money] * 2,
            *[self.pass_time] * 2,
        ]
        return self.pick([*usual * 2, self.rare, self.rare])()


def new_twin() -> Twin:
    """Return a twin with the instruments and accounts above."""
    twin = Twin(BTC_USD, ETH_BTC)
    for name, (maker_rate, taker_rate, limit) in ACCOUNTS.items():
        twin.do(CreateAccount(name, maker_rate, taker_rate, limit))
        for asset, amount in TOTALS.items():
            twin.do(Deposit(name, asset, amount, f"{name}-{asset}"))
    return twin
