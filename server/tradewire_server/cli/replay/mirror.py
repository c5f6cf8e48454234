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

from tradewire_client import Execution, ExecutionType, Liquidity
from tradewire_client import Side as OrderSide

from tradewire_server.cli.replay.recording import BookSeen, Level

TOP_LEVELS = 5


class Agreement(NamedTuple):
    """Whether a recorded snapshot and the book agree: best prices, best five levels whole."""

    best_bid: bool
    best_ask: bool
    top5_bid: bool
    top5_ask: bool


class _Resting(NamedTuple):
    side: OrderSide
    price: Decimal
    leaves: Decimal


class BookMirror:
    """Follows one instrument through executions; `take` every one, then `finish`."""

    def __init__(self, symbol: str, run: str) -> None:
        """Client order ids of this replay are `run`, a hyphen and the command's number."""
        self._symbol = symbol
        self._prefix = f"{run}-"
        self._command = 0
        self._orders: dict[str, _Resting] = {}
        self._levels: dict[OrderSide, dict[Decimal, Decimal]] = {
            OrderSide.BUY: {},
            OrderSide.SELL: {},
        }
        self._expected: deque[tuple[int, BookSeen]] = deque()
        self.trades: Counter[tuple[Decimal, Decimal]] = Counter()
        self.agreements: list[Agreement] = []

    def expect(self, after_command: int, book: BookSeen) -> None:
        """Compare the book after a command with a recorded one, as soon as it is known."""
        self._expected.append((after_command, book))

    def take(self, execution: Execution) -> None:
        """Apply the next execution of the account."""
        order = execution.order
        if order.symbol != self._symbol:
            return
        number = self._number(execution)
        if number is not None and number > self._command:
            self._compare_until(number)
            self._command = number
        if (
            execution.type is ExecutionType.TRADE
            and execution.liquidity is Liquidity.TAKER
            and execution.last_price is not None
            and execution.last_quantity is not None
        ):
            self.trades[execution.last_price, execution.last_quantity] += 1
        if order.price is not None:
            self._set(order.order_id, _Resting(order.side, order.price, order.leaves_quantity))

    def finish(self) -> None:
        """Compare what is left: no further command was sent."""
        while self._expected:
            self._compare(self._expected.popleft()[1])

    def top(self, side: OrderSide, count: int) -> list[Level]:
        """Return the best levels of a side."""
        levels = self._levels[side]
        best = nlargest(count, levels) if side is OrderSide.BUY else nsmallest(count, levels)
        return [Level(price, levels[price]) for price in best]

    def _number(self, execution: Execution) -> int | None:
        """Return the number of the command that an execution begins, None if it continues one."""
        if execution.type in (ExecutionType.NEW, ExecutionType.REJECTED):
            client_order_id = execution.order.client_order_id
        else:
            client_order_id = execution.command_client_order_id
        number = client_order_id.removeprefix(self._prefix)
        return int(number) if number != client_order_id and number.isdecimal() else None

    def _set(self, order_id: str, now: _Resting) -> None:
        before = self._orders.get(order_id)
        levels = self._levels[now.side]
        if before is not None:
            _add(levels, before.price, -before.leaves)
        if now.leaves:
            self._orders[order_id] = now
            _add(levels, now.price, now.leaves)
        else:
            self._orders.pop(order_id, None)

    def _compare_until(self, number: int) -> None:
        while self._expected and self._expected[0][0] < number:
            self._compare(self._expected.popleft()[1])

    def _compare(self, book: BookSeen) -> None:
        bids = self.top(OrderSide.BUY, TOP_LEVELS)
        asks = self.top(OrderSide.SELL, TOP_LEVELS)
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
