"""Engine and oracle side by side: each command goes to both, and after it everything must agree.

What is compared or checked after each command is one method of `Twin` each, named `check_...`. The
oracle knows real units; the engine's integers are scaled here and only here.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

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
    Refused,
    SetInstrumentStatus,
    SetKillSwitch,
    UpdateAccount,
    Withdraw,
)
from tradewire_server.engine.events import Event
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.ledger import RATE_SCALE
from tradewire_server.engine.order import FINAL_STATUSES, Order
from tradewire_server.engine.state import FEES_ACCOUNT, State
from tradewire_server.engine.vocabulary import (
    ExecutionType,
    Liquidity,
    OrderStatus,
    OrderType,
    PostOnly,
    Reason,
    Side,
    TimeInForce,
)

from tests.support.bare_venue import BareVenue
from tests.support.naive_book import (
    NOBODY,
    NaiveVenue,
    Name,
    Rules,
    Settings,
    Step,
    Trade,
)
from tests.support.recorder import ExecutionRow

PPM = 1_000_000
FINAL_TYPES = {
    OrderStatus.CANCELED: ExecutionType.CANCELED,
    OrderStatus.EXPIRED: ExecutionType.EXPIRED,
    OrderStatus.FILLED: ExecutionType.TRADE,
    OrderStatus.REJECTED: ExecutionType.REJECTED,
}


def rules_of(instrument: Instrument) -> Rules:
    """Return an instrument in real units."""
    tick = Fraction(instrument.tick_units, 10**instrument.tick_decimals)
    lot = Fraction(instrument.lot_units, 10**instrument.lot_decimals)
    unit = Fraction(1, 10**instrument.quote_precision)
    return Rules(
        instrument.symbol,
        instrument.base_asset,
        instrument.quote_asset,
        tick,
        lot,
        unit,
        instrument.minimum_quantity_lots * lot,
        instrument.maximum_quantity_lots * lot,
        instrument.minimum_notional * unit,
        instrument.maximum_notional * unit,
        Fraction(instrument.price_band_ppm, PPM),
        Fraction(instrument.market_protection_ppm, PPM),
        instrument.status,
    )


class Twin:
    """A venue and its oracle."""

    def __init__(self, *instruments: Instrument) -> None:
        self.venue = BareVenue(*instruments)
        self.naive = NaiveVenue(rules={i.symbol: rules_of(i) for i in instruments})
        self.naive.settings[FEES_ACCOUNT] = Settings(Fraction(0), Fraction(0), 0)
        self.paid_in: dict[str, int] = defaultdict(int)
        self.terms: dict[int, PlaceOrder] = {}
        self.names: dict[int, Name] = {0: NOBODY}
        # How much of what was told has been checked, and the last number of each sequence.
        self.executions_seen = self.steps_seen = self.entries_seen = self.trades_seen = 0
        self.sequences: Counter[str] = Counter()
        self.ledger_sequences: Counter[str] = Counter()
        self.trade_counts: Counter[str] = Counter()
        self.totals: dict[tuple[str, str], int] = defaultdict(int)
        self.last_of: dict[int, ExecutionRow] = {}
        self.finals: Counter[int] = Counter()
        self.filled: dict[int, int] = defaultdict(int)
        self.outcomes: Counter[str] = Counter()

    @property
    def state(self) -> State:
        """The engine's state."""
        return self.venue.state

    def unit(self, asset: str) -> Fraction:
        """Return the smallest unit of an asset."""
        return Fraction(1, 10 ** self.state.assets[asset])

    # --- both do it ---------------------------------------------------------------------------

    def do(self, command: Command) -> None:
        """Let both do it, and compare what they answer and tell."""
        before = self.state.state_hash()
        number = self.state.event_number
        answer = self.venue.do(command)
        reason = self.ask_naive(command)
        if isinstance(answer, Refused):
            self.outcomes[f"refused {answer.reason.name}"] += 1
            assert (answer.reason, self.state.state_hash()) == (reason, before), (command, answer)
        else:
            assert reason is None, f"the oracle refuses {command} with {reason!r}"
            assert self.state.event_number == number + len(answer)
            self.note(command, answer)
        self.check_executions()

    def ask_naive(self, command: Command) -> Reason | None:
        """Return why the oracle refuses a command, after it did it otherwise."""
        return _ASK[type(command)](self, command)

    def ask_venue(self, command: Command) -> None:
        """Let the oracle do what those who run the venue ask for."""
        naive = self.naive
        match command:
            case SetInstrumentStatus(symbol, status):
                naive.rules[symbol] = replace(naive.rules[symbol], status=status)
            case CreateAccount(name, maker_rate, taker_rate, limit, _):
                naive.settings[name] = Settings(rate(maker_rate), rate(taker_rate), limit)
            case UpdateAccount():
                self.update_naive(command)
            case SetKillSwitch(engaged):
                if engaged:
                    naive.end_each(list(naive.orders), Reason.KILL_SWITCH)
                naive.stopped = engaged
            case CancelConnection(connection):
                naive.disconnect(connection)
            case CancelOrphans():
                naive.disconnect(*{order.connection for order in naive.orders} - {""})
            case _:
                naive.expire(self.venue.now_ns)

    def move_money(self, command: Deposit | Withdraw) -> Reason | None:
        """Let the oracle pay in or out."""
        sign = 1 if isinstance(command, Deposit) else -1
        unit = self.unit(command.asset)
        amount = sign * Fraction(command.amount)
        return self.naive.move(command.account, command.asset, amount, unit)

    def update_naive(self, command: UpdateAccount) -> None:
        """Change an account of the oracle."""
        old = self.naive.settings[command.account]
        maker_rate, taker_rate, limit = command[1:4]
        disabled = old.disabled if command.trading_disabled is None else command.trading_disabled
        self.naive.settings[command.account] = Settings(
            old.maker_rate if maker_rate is None else rate(maker_rate),
            old.taker_rate if taker_rate is None else rate(taker_rate),
            old.open_order_limit if limit is None else limit,
            disabled,
        )
        if disabled and not old.disabled:
            own = [order for order in self.naive.orders if order.account == command.account]
            self.naive.end_each(own, Reason.KILL_SWITCH)

    def note(self, command: Command, events: list[Event]) -> None:
        """Remember what later checks need."""
        if isinstance(command, PlaceOrder):
            order_id = self.state.event_number - len(events) + 1
            self.terms[order_id] = command
        elif isinstance(command, Deposit | Withdraw):
            sign = 1 if isinstance(command, Deposit) else -1
            amount = Fraction(command.amount) / self.unit(command.asset)
            self.paid_in[command.asset] += sign * int(amount)

    # --- what was told ------------------------------------------------------------------------

    def check_executions(self) -> None:
        """Compare what both told since the last command."""
        rows = self.venue.recorder.executions[self.executions_seen :]
        self.executions_seen += len(rows)
        for row in rows:
            self.names[row.order_id] = (row.account, row.original_client_order_id)
            self.sequences[row.account] += 1
            assert row.sequence == self.sequences[row.account]
        steps = self.naive.steps[self.steps_seen :]
        self.steps_seen += len(steps)
        assert [self.step(row) for row in rows] == steps
        for row in rows:
            self.outcomes[f"{row.type.name} {row.reason.name}"] += 1
            self.check_life(row)
            if row.type is ExecutionType.TRADE:
                self.check_fill(row)
            self.last_of[row.order_id] = row

    def step(self, row: ExecutionRow) -> Step:
        """Return an execution in the oracle's units."""
        rules = self.naive.rules[row.symbol]
        return Step(
            row.type,
            self.names[row.order_id],
            row.status,
            row.price_ticks * rules.tick,
            row.quantity_lots * rules.lot,
            row.filled_lots * rules.lot,
            row.leaves_lots * rules.lot,
            row.fee * rules.quote_unit,
            row.reason,
            row.last_lots * rules.lot,
            row.last_ticks * rules.tick,
            row.liquidity,
            row.last_fee * rules.quote_unit,
            self.names[row.counter_order_id],
            row.command_client_order_id,
            row.priority_kept,
        )

    def check_life(self, row: ExecutionRow) -> None:
        """Expect NEW first, one final execution with one reason, and nothing after it."""
        last = self.last_of.get(row.order_id)
        first = row.type in (ExecutionType.NEW, ExecutionType.REJECTED)
        assert first is (last is None), f"{row} after {last}"
        assert row.order_id not in self.finals, f"{row} after the final state"
        if row.status in FINAL_STATUSES:
            assert row.leaves_lots == 0
            self.finals[row.order_id] += 1
            assert row.type is FINAL_TYPES[row.status]
            assert bool(row.order_reason) is (row.status is not OrderStatus.FILLED)
            assert row.order_reason is row.reason
        else:
            assert row.order_reason is Reason.UNSPECIFIED
            assert row.filled_lots + row.leaves_lots == row.quantity_lots
            # Nothing is left of what prevention took everything from, or of a quote amount that
            # buys nothing: these end with the next execution.
            assert row.leaves_lots or row.type is ExecutionType.RESTATED or not row.quantity_lots
        assert row.execution_id > (last.execution_id if last else 0)

    def check_fill(self, row: ExecutionRow) -> None:
        """Never outside the limit; post-only never takes; a maker trades at its own price."""
        command = self.terms[row.order_id]
        if command.type is OrderType.LIMIT:
            better = row.price_ticks - row.last_ticks
            assert (better if row.side is Side.BUY else -better) >= 0
        if row.liquidity is Liquidity.MAKER:
            assert row.last_ticks == row.price_ticks
        else:
            assert command.post_only is PostOnly.UNSPECIFIED
        self.filled[row.order_id] += row.last_lots
        assert row.filled_lots == self.filled[row.order_id]

    # --- what is ------------------------------------------------------------------------------

    def check_everything(self) -> None:
        """Run all checks of the state as it is."""
        self.check_trades()
        self.check_ledger()
        self.check_money()
        self.check_positions()
        self.check_orders()
        self.check_books()

    def check_trades(self) -> None:
        """Public trades are the oracle's; numbered per instrument without a gap."""
        rows = self.venue.recorder.trades[self.trades_seen :]
        trades = []
        for row in rows:
            self.trade_counts[row.symbol] += 1
            assert row.trade_id == self.trade_counts[row.symbol]
            rules = self.naive.rules[row.symbol]
            price, quantity = row.price_ticks * rules.tick, row.quantity_lots * rules.lot
            trades.append(Trade(row.symbol, price, quantity, row.taker_side))
        assert trades == self.naive.trades[self.trades_seen :]
        self.trades_seen += len(rows)
        for symbol, market in self.state.markets.items():
            assert market.trade_count == self.trade_counts[symbol]

    def check_ledger(self) -> None:
        """Entries are numbered from 1 without a gap, and each total continues the one before."""
        rows = self.venue.recorder.entries[self.entries_seen :]
        self.entries_seen += len(rows)
        for row in rows:
            self.ledger_sequences[row.account] += 1
            assert row.ledger_sequence == self.ledger_sequences[row.account]
            for asset, amount, total in row.changes:
                self.totals[row.account, asset] += amount
                assert row.account == FEES_ACCOUNT or total == self.totals[row.account, asset]
        for account in self.state.accounts.values():
            assert account.sequence == self.sequences[account.name]
            assert account.ledger_sequence == self.ledger_sequences[account.name]

    def check_money(self) -> None:
        """Money is conserved, never negative, held for open orders only, and the oracle's."""
        sums: dict[str, int] = defaultdict(int)
        for account in self.state.accounts.values():
            held: dict[str, int] = defaultdict(int)
            for order in account.orders.values():
                asset, amount = order.hold()
                held[asset] += amount
            for asset, balance in account.balances.items():
                sums[asset] += balance.total
                assert balance.available >= 0
                assert balance.held == held[asset] >= 0
                unit = self.unit(asset)
                assert balance.total * unit == self.naive.totals[account.name, asset]
                assert balance.held * unit == self.naive.held(account.name, asset)
            assert not held.keys() - account.balances.keys()
        assert {k: v for k, v in sums.items() if v} == {k: v for k, v in self.paid_in.items() if v}

    def check_positions(self) -> None:
        """Add what was realised to what is open: it is what was received minus what was paid."""
        for account in self.state.accounts.values():
            for symbol, position in account.positions.items():
                rules = self.naive.rules[symbol]
                name = (account.name, symbol)
                assert position.quantity_lots * rules.lot == self.naive.bought[name]
                result = (position.realized - position.cost) * rules.quote_unit
                assert result == self.naive.received[name]
                assert position.cost == 0 or position.quantity_lots * position.cost > 0

    def check_orders(self) -> None:
        """Every index holds the same open orders; only what may rest is open."""
        state = self.state
        naive = {order.name: order for order in self.naive.orders}
        assert [self.names[order_id] for order_id in state.orders] == list(naive)
        by_account = [o for account in state.accounts.values() for o in account.orders.values()]
        assert {o.order_id: o for o in by_account} == state.orders
        for account in state.accounts.values():
            ids = [(i, o) for o in account.orders.values() for i in o.client_order_ids]
            assert dict(ids) == account.client_order_ids
            assert len(ids) == len(account.client_order_ids)
            assert list(account.orders) == sorted(account.orders)
        connected: dict[str, dict[int, Order]] = defaultdict(dict)
        for order in state.orders.values():
            assert order.leaves_lots > 0
            assert order.level is not None
            assert order.terms.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK)
            assert order.status not in FINAL_STATUSES
            if order.terms.connection:
                connected[order.terms.connection][order.order_id] = order
        assert connected == state.connections
        expiring = {
            (order.terms.expire_time_ns, order.order_id)
            for order in state.orders.values()
            if order.terms.expire_time_ns
        }
        assert expiring <= set(state.expiries)
        assert state.expiring_count == len(expiring)

    def check_books(self) -> None:
        """Not crossed or locked; levels sorted, summed and linked; first come first served."""
        for market in self.state.markets.values():
            symbol, rules = market.instrument.symbol, self.naive.rules[market.instrument.symbol]
            bids, asks = market.book.bids, market.book.asks
            if bids.keys and asks.keys:
                assert bids.best_ticks() < asks.best_ticks()
            for side, buys in ((bids, True), (asks, False)):
                assert side.keys == sorted(side.levels)
                queue = []
                for key in reversed(side.keys):
                    level = side.levels[key]
                    orders = list(level)
                    assert orders, "an empty level"
                    assert level.first is orders[0]
                    assert level.last is orders[-1]
                    assert [o.previous for o in orders] == [None, *orders[:-1]]
                    assert [o.next for o in orders] == [*orders[1:], None]
                    assert all(o.level is level and o.market is market for o in orders)
                    assert all(o.price_ticks * side.sign == key == level.key for o in orders)
                    assert level.quantity_lots == sum(o.leaves_lots for o in orders)
                    priorities = [o.priority for o in orders]
                    assert priorities == sorted(set(priorities))
                    queue += orders
                expected = self.naive.side(symbol, buys=buys)
                assert [self.names[o.order_id] for o in queue] == [o.name for o in expected]
                assert [o.leaves_lots * rules.lot for o in queue] == [o.leaves for o in expected]


def rate(units: int) -> Fraction:
    """Return a fee rate as a fraction."""
    return Fraction(units, RATE_SCALE)


_ASK: dict[type[Command], Callable[[Twin, Any], Reason | None]] = {
    PlaceOrder: lambda twin, command: twin.naive.place(command, twin.venue.now_ns),
    AmendOrder: lambda twin, command: twin.naive.amend(command),
    CancelOrder: lambda twin, command: twin.naive.cancel(command),
    CancelAllOrders: lambda twin, command: twin.naive.cancel_all(command),
    Deposit: Twin.move_money,
    Withdraw: Twin.move_money,
    **dict.fromkeys(
        (
            SetInstrumentStatus,
            CreateAccount,
            UpdateAccount,
            SetKillSwitch,
            CancelConnection,
            CancelOrphans,
            ExpireOrders,
        ),
        Twin.ask_venue,
    ),
}
