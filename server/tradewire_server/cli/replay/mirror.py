"""The venue's book as its executions tell it, and what the recording says beside it.

Pure. The replay sends everything from one account, so the account's executions are all that ever
happened to the instrument, in the engine's order. Each command has a number, and each execution
tells by its client order ids which command caused it: NEW names the order's own, CANCELED that of
the cancel, and trades follow the NEW of the order that took. So the book after command n is known
exactly when the first execution of a later command comes, however many commands are under way. No
matching happens here.
"""

from collections import Counter, deque
from decimal import Decimal
from heapq import nlargest, nsmallest
from typing import NamedTuple

from tradewire_server.cli.replay.recording import BookSeen, Level, Side

TOP_LEVELS = 5


class Step(NamedTuple):
    """An execution, as far as the mirror needs it.

    `command` is the number of the command that it is the first execution of, None if it is not.
    `traded` is price and quantity on the taker's side of a trade.
    """

    command: int | None
    order_id: str
    side: Side
    price: Decimal
    leaves: Decimal
    traded: tuple[Decimal, Decimal] | None = None


class Agreement(NamedTuple):
    """Whether a recorded snapshot and the book agree: best prices, best five levels whole."""

    best_bid: bool
    best_ask: bool
    top5_bid: bool
    top5_ask: bool


class BookMirror:
    """Follows one instrument through its executions; `take` every one, then `finish`."""

    def __init__(self) -> None:
        self._command = 0
        self._orders: dict[str, tuple[Decimal, Decimal]] = {}
        self._levels: dict[Side, dict[Decimal, Decimal]] = {"buy": {}, "sell": {}}
        self._expected: deque[tuple[int, BookSeen]] = deque()
        self.trades: Counter[tuple[Decimal, Decimal]] = Counter()
        self.agreements: list[Agreement] = []

    def expect(self, after_command: int, book: BookSeen) -> None:
        """Compare the book after a command with a recorded one, as soon as it is known."""
        self._expected.append((after_command, book))

    def take(self, step: Step) -> None:
        """Apply the next execution."""
        if step.command is not None and step.command > self._command:
            self._compare_before(step.command)
            self._command = step.command
        if step.traded is not None:
            self.trades[step.traded] += 1
        self._set(step)

    def finish(self) -> None:
        """Compare what is left: no further command was sent."""
        while self._expected:
            self._compare(self._expected.popleft()[1])

    def top(self, side: Side, count: int) -> list[Level]:
        """Return the best levels of a side."""
        levels = self._levels[side]
        best = nlargest(count, levels) if side == "buy" else nsmallest(count, levels)
        return [Level(price, levels[price]) for price in best]

    def _set(self, step: Step) -> None:
        levels = self._levels[step.side]
        before = self._orders.pop(step.order_id, None)
        if before is not None:
            _add(levels, before[0], -before[1])
        if step.leaves:
            self._orders[step.order_id] = (step.price, step.leaves)
            _add(levels, step.price, step.leaves)

    def _compare_before(self, command: int) -> None:
        while self._expected and self._expected[0][0] < command:
            self._compare(self._expected.popleft()[1])

    def _compare(self, book: BookSeen) -> None:
        bids = self.top("buy", TOP_LEVELS)
        asks = self.top("sell", TOP_LEVELS)
        self.agreements.append(
            Agreement(
                _best(bids) == _best(book.bids),
                _best(asks) == _best(book.asks),
                bids == list(book.bids[:TOP_LEVELS]),
                asks == list(book.asks[:TOP_LEVELS]),
            )
        )


def _add(levels: dict[Decimal, Decimal], price: Decimal, quantity: Decimal) -> None:
    total = levels.get(price, Decimal(0)) + quantity
    if total:
        levels[price] = total
    else:
        levels.pop(price, None)


def _best(levels: list[Level] | tuple[Level, ...]) -> Decimal | None:
    return levels[0].price if levels else None
