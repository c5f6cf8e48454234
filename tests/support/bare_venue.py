"""An engine without a server: a command goes in, its events are folded, what was told is kept.

Units of the ready-made instrument BTC-USD: one tick is 1 USD, one lot 1 BTC; BTC has three
decimals, USD two. So 5 lots at 100 ticks are 50,000 units of USD, and prices and quantities as text
are ticks and lots.
"""

from collections.abc import Callable

from tradewire_server.engine.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    Deposit,
    PlaceOrder,
    Refused,
)
from tradewire_server.engine.decide import decide
from tradewire_server.engine.events import Event
from tradewire_server.engine.fold import fold
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.ledger import Position
from tradewire_server.engine.state import State
from tradewire_server.engine.vocabulary import (
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

from tests.support.recorder import Recorder, execution_line, ledger_line, trade_line

SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS
# An ordinary instant: 2026-11-22 12:00:00 UTC.
START_NS = 20_779 * DAY_NS + DAY_NS // 2

BTC_USD = Instrument(
    symbol="BTC-USD",
    base_asset="BTC",
    quote_asset="USD",
    base_precision=3,
    quote_precision=2,
    tick_units=1,
    tick_decimals=0,
    lot_units=1,
    lot_decimals=0,
    minimum_quantity_lots=1,
    maximum_quantity_lots=1_000,
    minimum_notional=1_00,
    maximum_notional=1_000_000_00,
    price_band_ppm=0,
    market_protection_ppm=100_000,
)


class BareVenue:
    """State, clock and recorder."""

    def __init__(self, *instruments: Instrument) -> None:
        self.state = State()
        self.recorder = Recorder()
        self.now_ns = START_NS
        self.events: list[tuple[Event, int]] = []
        self.deposit_count = 0
        for instrument in instruments or (BTC_USD,):
            self.accept(CreateAsset(instrument.base_asset, instrument.base_precision))
            self.accept(CreateAsset(instrument.quote_asset, instrument.quote_precision))
            self.accept(CreateInstrument(instrument))

    def decide(self, command: Command) -> list[Event] | Refused:
        """Return what a command would do."""
        return decide(self.state, command, self.now_ns)

    def do(self, command: Command) -> list[Event] | Refused:
        """Return what a command did."""
        answer = self.decide(command)
        if not isinstance(answer, Refused):
            for event in answer:
                self.fold(event)
        return answer

    def fold(self, event: Event) -> None:
        """Let an event have happened."""
        self.events.append((event, self.now_ns))
        fold(self.state, event, self.now_ns, self.recorder)

    def accept(self, command: Command) -> list[Event]:
        """Return the events of a command that must not be refused."""
        answer = self.do(command)
        assert not isinstance(answer, Refused), answer
        return answer

    def account(
        self,
        name: str,
        *,
        maker_rate: int = 0,
        taker_rate: int = 0,
        limit: int = 1_000,
        **totals: str,
    ) -> None:
        """Open an account and pay in, e.g. `USD="1000"`. Rates are in units of 1e-7."""
        self.accept(CreateAccount(name, maker_rate, taker_rate, limit))
        for asset, amount in totals.items():
            self.deposit_count += 1
            self.accept(Deposit(name, asset, amount, f"deposit-{self.deposit_count}"))

    def tell(self, *commands: Command) -> list[str]:
        """Return the lines of the executions of commands that must not be refused."""
        before = len(self.recorder.executions)
        for command in commands:
            self.accept(command)
        return [execution_line(row) for row in self.recorder.executions[before:]]

    def entries(self, action: Callable[[], object]) -> list[str]:
        """Return the lines of the ledger entries that an action made."""
        before = len(self.recorder.entries)
        action()
        return [ledger_line(row) for row in self.recorder.entries[before:]]

    def trades(self) -> list[str]:
        """Return the lines of all public trades."""
        return [trade_line(row) for row in self.recorder.trades]

    def order_id(self, account: str, client_order_id: str) -> int:
        """Return the id of an open order."""
        return self.state.accounts[account].client_order_ids[client_order_id].order_id

    def total(self, account: str, asset: str) -> tuple[int, int]:
        """Return (total, held)."""
        balance = self.state.accounts[account].balance(asset)
        return balance.total, balance.held

    def position(self, account: str, symbol: str = "BTC-USD") -> Position:
        """Return a position."""
        return self.state.accounts[account].position(symbol)

    def book(self, symbol: str = "BTC-USD") -> tuple[list[str], list[str]]:
        """Return bids and asks, best first, as `account id leaves@price`."""
        book = self.state.markets[symbol].book
        bids, asks = (
            [
                f"{order.account.name} {order.client_order_id}"
                f" {order.leaves_lots}@{order.price_ticks}"
                for key in reversed(side.keys)
                for order in side.levels[key]
            ]
            for side in (book.bids, book.asks)
        )
        return bids, asks


def limit(
    account: str,
    client_order_id: str,
    side: Side,
    terms: str,
    time_in_force: TimeInForce = TimeInForce.GTC,
    *,
    post_only: PostOnly = PostOnly.UNSPECIFIED,
    prevention: SelfTradePrevention = SelfTradePrevention.UNSPECIFIED,
    expire_time_ns: int = 0,
    connection: str = "",
    symbol: str = "BTC-USD",
) -> PlaceOrder:
    """Return a limit order; `terms` are `quantity@price`."""
    quantity, _, price = terms.partition("@")
    return PlaceOrder(
        account,
        client_order_id,
        symbol,
        side,
        OrderType.LIMIT,
        time_in_force,
        quantity,
        "",
        price,
        expire_time_ns,
        post_only,
        prevention,
        connection,
    )


def market(
    account: str,
    client_order_id: str,
    side: Side,
    quantity: str = "",
    time_in_force: TimeInForce = TimeInForce.IOC,
    *,
    quote_quantity: str = "",
    prevention: SelfTradePrevention = SelfTradePrevention.UNSPECIFIED,
    symbol: str = "BTC-USD",
) -> PlaceOrder:
    """Return a market order by quantity or by quote quantity."""
    return PlaceOrder(
        account,
        client_order_id,
        symbol,
        side,
        OrderType.MARKET,
        time_in_force,
        quantity,
        quote_quantity,
        self_trade_prevention=prevention,
    )


def amend(account: str, original: str, client_order_id: str, terms: str) -> AmendOrder:
    """Return an amend; `terms` are `quantity@price`, either may be empty."""
    quantity, _, price = terms.partition("@")
    return AmendOrder(account, client_order_id, 0, original, quantity, price)


def cancel(account: str, original: str, client_order_id: str = "") -> CancelOrder:
    """Return a cancel."""
    return CancelOrder(account, client_order_id, 0, original)
