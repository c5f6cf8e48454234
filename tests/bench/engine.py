"""The engine alone, full risk and ledger, against a bare book in Python in the same run.

An operation is a command through `decide` and the fold of its events, with a listener that hears
nothing. The bare book is the least that finds who trades with whom: integers, no accounts, no
money, no events, no text. Rounds of both alternate and the best of each counts, in seconds of the
processor, so that a busy machine changes the ratio little. The garbage collector is off while it
measures (`gc.freeze`, `gc.disable`), as in a venue that froze its start-up and collects rarely; the
figure with it on is printed too, after everything made before was frozen.
"""

import gc
import random
import time
from bisect import insort
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tradewire_server.engine.commands import (
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
from tradewire_server.engine.listener import Listener
from tradewire_server.engine.state import State, dump_state, load_state
from tradewire_server.engine.vocabulary import OrderType, Side, TimeInForce

OPERATIONS = 20_000
ROUNDS = 7
ACCOUNTS = 8
NOW_NS = 1_800_000_000 * 10**9
MIDDLE = 10_000

BTC_USD = Instrument(
    symbol="BTC-USD",
    base_asset="BTC",
    quote_asset="USD",
    base_precision=8,
    quote_precision=8,
    tick_units=1,
    tick_decimals=2,
    lot_units=1,
    lot_decimals=4,
    minimum_quantity_lots=1,
    maximum_quantity_lots=10**9,
    minimum_notional=1,
    maximum_notional=10**18,
    price_band_ppm=100_000,
    market_protection_ppm=50_000,
)


class Step(NamedTuple):
    """What the engine and the bare book are asked alike; lots 0 mean a cancel of order `number`."""

    number: int
    buys: bool
    ticks: int
    lots: int


Case = tuple[list[Step], list[Step]]


def resting(chance: random.Random) -> Case:
    """Return orders that never meet."""
    steps: list[Step] = []
    for number in range(OPERATIONS):
        buys = chance.random() < 0.5
        distance = chance.randrange(1, 200)
        steps.append(Step(number, buys, MIDDLE + (-distance if buys else distance), 5))
    return [], steps


def trading(chance: random.Random) -> Case:
    """Return orders of which every second one fills the one before."""
    steps: list[Step] = []
    for number in range(OPERATIONS):
        maker_buys = chance.random() < 0.5 if number % 2 == 0 else steps[-1].buys
        ticks = MIDDLE + chance.randrange(-5, 5) if number % 2 == 0 else steps[-1].ticks
        steps.append(Step(number, maker_buys is (number % 2 == 0), ticks, 5))
    return [], steps


def canceling(chance: random.Random) -> Case:
    """Return orders that rest, and the cancels of all of them in another order."""
    before, orders = resting(chance)
    cancels = [order._replace(lots=0) for order in orders]
    chance.shuffle(cancels)
    return [*before, *orders], cancels


CASES: dict[str, Callable[[random.Random], Case]] = {
    "resting only": resting,
    "50 % trading": trading,
    "cancel": canceling,
}


# --- the engine -----------------------------------------------------------------------------------


def _run(state: State, commands: Sequence[Command], listener: Listener) -> None:
    for command in commands:
        events = decide(state, command, NOW_NS)
        assert not isinstance(events, Refused), events
        for event in events:
            fold(state, event, NOW_NS, listener)


def _account(number: int) -> str:
    return f"account-{number % ACCOUNTS}"


def _command(step: Step) -> Command:
    # A pair that trades belongs to two accounts.
    account, client_order_id = _account(step.number), f"order-{step.number}"
    if step.lots == 0:
        return CancelOrder(account, f"cancel-{step.number}", 0, client_order_id)
    return PlaceOrder(
        account,
        client_order_id,
        "BTC-USD",
        Side.BUY if step.buys else Side.SELL,
        OrderType.LIMIT,
        TimeInForce.GTC,
        BTC_USD.format_quantity(step.lots),
        "",
        BTC_USD.format_price(step.ticks),
    )


def _new_state() -> State:
    commands: list[Command] = [CreateAsset("BTC", 8), CreateAsset("USD", 8)]
    commands.append(CreateInstrument(BTC_USD))
    for number in range(ACCOUNTS):
        account = _account(number)
        commands.append(CreateAccount(account, 10_000, 20_000, 10**7))
        commands += [Deposit(account, asset, "10000000000", asset) for asset in ("BTC", "USD")]
    state = State()
    _run(state, commands, Listener())
    return state


def _engine_seconds(case: Case) -> float:
    before, steps = ([_command(step) for step in part] for part in case)
    state, listener = _new_state(), Listener()
    _run(state, before, listener)
    begin = time.process_time()
    _run(state, steps, listener)
    return time.process_time() - begin


# --- the bare book --------------------------------------------------------------------------------


class BareBook:
    """Price-time priority and nothing else: levels are dictionaries of order number to lots."""

    def __init__(self) -> None:
        self.levels: dict[bool, dict[int, dict[int, int]]] = {True: {}, False: {}}
        self.keys: dict[bool, list[int]] = {True: [], False: []}

    def place(self, number: int, buys: bool, ticks: int, lots: int) -> None:
        """Trade with the best orders, let the rest rest."""
        sign = -1 if buys else 1
        keys, levels = self.keys[not buys], self.levels[not buys]
        while lots and keys and keys[-1] >= ticks * sign:
            level = levels[keys[-1]]
            for maker, leaves in list(level.items()):
                if leaves > lots:
                    level[maker] = leaves - lots
                    return
                lots -= leaves
                del level[maker]
                if not lots:
                    break
            if not level:
                del levels[keys.pop()]
        if lots:
            key = -ticks * sign
            own = self.levels[buys].get(key)
            if own is None:
                own = self.levels[buys][key] = {}
                insort(self.keys[buys], key)
            own[number] = lots

    def cancel(self, number: int, buys: bool, ticks: int) -> None:
        """Take an order out."""
        key = ticks if buys else -ticks
        level = self.levels[buys][key]
        del level[number]
        if not level:
            del self.levels[buys][key]
            self.keys[buys].remove(key)


def _run_bare(book: BareBook, steps: Sequence[Step]) -> None:
    for number, buys, ticks, lots in steps:
        if lots:
            book.place(number, buys, ticks, lots)
        else:
            book.cancel(number, buys, ticks)


def _bare_seconds(case: Case) -> float:
    before, steps = case
    book = BareBook()
    _run_bare(book, before)
    begin = time.process_time()
    _run_bare(book, steps)
    return time.process_time() - begin


# --- figures --------------------------------------------------------------------------------------


def _best(case: Case, *, collect: bool) -> tuple[float, float]:
    """Return operations per second of the engine and of the bare book."""
    gc.collect()
    gc.freeze()
    if not collect:
        gc.disable()
    try:
        pairs = [(_engine_seconds(case), _bare_seconds(case)) for _ in range(ROUNDS)]
    finally:
        gc.enable()
        gc.unfreeze()
    engine, bare = (min(seconds) for seconds in zip(*pairs, strict=True))
    return OPERATIONS / engine, OPERATIONS / bare


def _recovery(case: Case) -> float:
    """Return events per second of a fold to which nobody listens, as at recovery."""
    commands = [_command(step) for part in case for step in part]
    state, events = _new_state(), list[Event]()
    for command in commands:
        answer = decide(state, command, NOW_NS)
        assert not isinstance(answer, Refused), answer
        events += answer
        _fold_all(state, answer)
    seconds = []
    for _ in range(ROUNDS):
        state = _new_state()
        begin = time.process_time()
        _fold_all(state, events)
        seconds.append(time.process_time() - begin)
    return len(events) / min(seconds)


def _fold_all(state: State, events: Sequence[Event]) -> None:
    listener = Listener()
    for event in events:
        fold(state, event, NOW_NS, listener)


def _snapshot(case: Case) -> tuple[float, float]:
    """Return open orders per second into a snapshot and out of it."""
    state = _new_state()
    _run(state, [_command(step) for step in case[0]], Listener())
    begin = time.process_time()
    plain = dump_state(state)
    between = time.process_time()
    load_state(plain)
    return OPERATIONS / (between - begin), OPERATIONS / (time.process_time() - between)


def main() -> None:
    """Print operations per second and the ratio to the bare book."""
    print(f"{OPERATIONS:,} operations, best of {ROUNDS} rounds, per second of the processor")
    print(f"{'':14}{'engine':>10}{'bare book':>11}{'ratio':>7}{'collecting':>12}")
    for name, make in CASES.items():
        case = make(random.Random(1))
        engine, bare = _best(case, collect=False)
        collecting, _ = _best(case, collect=True)
        print(f"{name:14}{engine:>10,.0f}{bare:>11,.0f}{engine / bare:>7.3f}{collecting:>12,.0f}")
    for name, make in CASES.items():
        print(f"recovery, {name}: {_recovery(make(random.Random(1))):,.0f} events")
    dumped, loaded = _snapshot(canceling(random.Random(1)))
    print(f"snapshot: {dumped:,.0f} open orders out of the state, {loaded:,.0f} into it")


if __name__ == "__main__":
    main()
