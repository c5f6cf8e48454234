"""Sends a recording through the API and follows what comes out.

Each replay trades an instrument of its own, made for it by the admin service, so it always starts
with an empty book. One account sends everything, in the order of the recording, through one order
entry stream; its executions come back on the same stream and feed the mirror. Nothing is held in
memory but what is under way: recordings may be long.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from pathlib import Path

from tradewire_client import Client, OrderAnswer, OrderEntry, TradewireError

from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.operator import Operator
from tradewire_server.cli.replay.mirror import BookMirror
from tradewire_server.cli.replay.recording import (
    PRICE_STEP,
    QUANTITY_STEP,
    BookSeen,
    OrderCreated,
    OrderDeleted,
    RecordedEvent,
    Traded,
    read_recording,
)
from tradewire_server.cli.replay.report import Report, Tally
from tradewire_server.cli.replay.survey import Seed, Survey, survey

QUOTE_ASSET = "USD"
QUOTE_PRECISION = 10
BASE_PRECISION = 8
# Both below 2^62 smallest units, which is the bound of a single amount.
QUOTE_DEPOSIT_MAX = Decimal(400_000_000)
BASE_DEPOSIT_MAX = Decimal(10_000_000_000)
MAXIMUM_QUANTITY = "10000000000"
MAXIMUM_NOTIONAL = "400000000"
PENDING_MAX = 4096
EXECUTIONS_HELD = 65_536
PROGRESS_LINES = 100
# Without an answer for so long the replay gives up rather than wait for ever.
ANSWER_TIMEOUT_S = 30.0
# What a cancel meets whose order has traded in the meantime.
_TOO_LATE = frozenset({"ORDER_CLOSED", "ORDER_NOT_FOUND"})
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Progress = Callable[[int], None]


class Replay:
    """One run over one recording."""

    def __init__(self, path: Path, *, limit: int | None, seed_book: bool) -> None:
        """Look over the recording first.

        Raises RecordingError.
        """
        self._path = path
        self._limit = limit
        self._seed_book = seed_book
        self.survey: Survey = survey(self._events(), with_seeds=seed_book)
        self.run_id = base36(time.time_ns() // 10**6)
        self.base_asset = f"R{self.run_id}"
        self.symbol = f"{self.base_asset}-{QUOTE_ASSET}"
        self._tally = Tally()
        self._mirror = BookMirror(self.symbol, self.run_id)
        self._placed: dict[int, str] = {}
        self._commands = 0
        self._is_seeded = not seed_book
        self._received = asyncio.Event()
        self._sequence = 0

    def _events(self) -> Iterator[RecordedEvent]:
        return read_recording(self._path, limit=self._limit)

    async def prepare(self, client: Client, operator: Operator) -> None:
        """Make the instrument and bring the money.

        Raises CommandFailed when the account cannot do it.
        """
        account = (await client.account.get()).account
        if not account.rate_limit_exempt:
            raise CommandFailed(
                f"rate limits apply to account {account.account}: use `--account replay`, or lift "
                f"them with `tradewire admin update-account {account.account} --exempt`"
            )
        await operator.create_asset(QUOTE_ASSET, QUOTE_PRECISION)
        await operator.create_asset(self.base_asset, BASE_PRECISION)
        await operator.create_instrument(
            self.symbol,
            tick_size=format(PRICE_STEP, "f"),
            lot_size=format(QUANTITY_STEP, "f"),
            maximum_quantity=MAXIMUM_QUANTITY,
            maximum_notional=MAXIMUM_NOTIONAL,
            price_band_percent="0",
            market_protection_percent="100",
        )
        balances = {item.asset: item.available for item in await client.account.balances()}
        fee = max(account.maker_fee_rate, account.taker_fee_rate)
        quote = self.survey.quote_needed * (1 + fee) - balances.get(QUOTE_ASSET, Decimal(0))
        await _deposit(operator, account.account, QUOTE_ASSET, quote, QUOTE_DEPOSIT_MAX)
        base = self.survey.base_needed
        await _deposit(operator, account.account, self.base_asset, base, BASE_DEPOSIT_MAX)

    async def run(self, client: Client, *, progress: Progress) -> Report:
        """Send everything, compare everything."""
        async with client.orders.enter(
            max_pending=PENDING_MAX,
            execution_buffer=EXECUTIONS_HELD,
            resend_within=ANSWER_TIMEOUT_S,
        ) as entry:
            started = time.monotonic()
            follower = asyncio.create_task(self._follow(entry))
            try:
                await _unless_ended(follower, self._send(entry, progress))
                seconds = time.monotonic() - started
                await _unless_ended(follower, self._caught_up(entry.sequence or 0))
            finally:
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)
        self._mirror.finish()
        return Report(
            symbol=self.symbol,
            seconds=seconds,
            tally=self._tally,
            trades=self._mirror.trades,
            agreements=self._mirror.agreements,
        )

    async def tidy(self, client: Client, operator: Operator) -> None:
        """Cancel what rests, and halt the instrument: nobody else is to trade it."""
        await client.orders.cancel_all(symbol=self.symbol)
        await operator.set_instrument_status(self.symbol, "halted")

    async def _send(self, entry: OrderEntry, progress: Progress) -> None:
        for number, event in enumerate(self._events(), 1):
            if not number % PROGRESS_LINES:
                progress(number)
            match event:
                case OrderCreated():
                    self._tally.orders += 1
                    await self._place(entry, Seed(*event))
                case OrderDeleted():
                    await self._cancel(entry, event.order)
                case Traded():
                    self._tally.trades_recorded[event.price, event.quantity] += 1
                case BookSeen():
                    await self._seed(entry)
                    self._mirror.expect(self._commands, event)
        await entry.flush()
        progress(self.survey.line_count)

    async def _place(self, entry: OrderEntry, order: Seed, *, is_seed: bool = False) -> None:
        await _room(entry)
        name = self._next_name()
        if order.order:
            self._placed[order.order] = name
        reply = entry.place(
            symbol=self.symbol,
            side=order.side,
            type="limit",
            quantity=order.quantity,
            price=order.price,
            client_order_id=name,
            post_only="reject" if is_seed else None,
        )
        reply.add_done_callback(self._placing_answered)

    async def _cancel(self, entry: OrderEntry, order: int) -> None:
        placed = self._placed.pop(order, None)
        if placed is None:
            # It rested before the recording began.
            return
        await _room(entry)
        self._tally.cancels += 1
        reply = entry.cancel(original_client_order_id=placed, client_order_id=self._next_name())
        reply.add_done_callback(self._cancel_answered)

    async def _seed(self, entry: OrderEntry) -> None:
        if self._is_seeded:
            return
        self._is_seeded = True
        for seed in self.survey.seeds:
            self._tally.seeds += 1
            await self._place(entry, seed, is_seed=True)

    def _next_name(self) -> str:
        self._commands += 1
        return f"{self.run_id}-{self._commands}"

    def _placing_answered(self, reply: "asyncio.Future[OrderAnswer]") -> None:
        error = None if reply.cancelled() else reply.exception()
        if isinstance(error, TradewireError):
            self._tally.refused[error.reason_name or type(error).__name__] += 1

    def _cancel_answered(self, reply: "asyncio.Future[OrderAnswer]") -> None:
        error = None if reply.cancelled() else reply.exception()
        if not isinstance(error, TradewireError):
            return
        if error.reason_name in _TOO_LATE:
            self._tally.cancels_too_late += 1
        else:
            self._tally.refused[error.reason_name or type(error).__name__] += 1

    async def _follow(self, entry: OrderEntry) -> None:
        async for execution in entry.executions():
            self._mirror.take(execution)
            self._sequence = execution.sequence
            self._received.set()

    async def _caught_up(self, sequence: int) -> None:
        """Wait until the executions up to a number have been taken."""
        while self._commands and self._sequence < sequence:
            self._received.clear()
            await self._received.wait()


async def _room(entry: OrderEntry) -> None:
    if entry.pending >= PENDING_MAX:
        await entry.drain()


async def _unless_ended(
    follower: "asyncio.Task[None]", work: "Coroutine[None, None, None]"
) -> None:
    """Do the work, unless nobody is left to see what comes of it."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({follower, task}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            follower.result()
            raise CommandFailed("the stream of executions ended before the replay did: try again")
        task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _deposit(
    operator: Operator, account: str, asset: str, amount: Decimal, at_once: Decimal
) -> None:
    while amount > 0:
        part = min(amount, at_once)
        await operator.deposit(account, asset, part)
        amount -= part


def base36(number: int) -> str:
    """Return a number in few characters that symbols and client order ids can have."""
    digits = ""
    while number:
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits or _DIGITS[0]
