"""Sends a recording through the API and follows what comes out.

Each replay trades an instrument of its own, made for it by the admin service, so it always starts
with an empty book. One account sends everything, in the order of the recording, through one order
entry stream; its executions come back on the same stream and feed the mirror. Nothing is held in
memory but what is under way: recordings may be long.
"""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import grpc.aio
from tradewire_client import Client

from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.operator import Operator
from tradewire_server.cli.replay.mirror import BookMirror, Step
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
from tradewire_server.cli.replay.stream import OrderStream, Refusal
from tradewire_server.cli.replay.survey import Survey, survey

QUOTE_ASSET = "USD"
QUOTE_PRECISION = 10
BASE_PRECISION = 8
# Both below 2^62 smallest units, which is the bound of a single amount.
QUOTE_DEPOSIT_MAX = Decimal(400_000_000)
BASE_DEPOSIT_MAX = Decimal(10_000_000_000)
MAXIMUM_QUANTITY = "10000000000"
MAXIMUM_NOTIONAL = "400000000"
PROGRESS_LINES = 100
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
        self._is_seeded = not seed_book
        self.survey: Survey = survey(self._events(), with_seeds=seed_book)
        self.run_id = base36(time.time_ns() // 10**6)
        self.base_asset = f"R{self.run_id}"
        self.symbol = f"{self.base_asset}-{QUOTE_ASSET}"
        self._tally = Tally()
        self._mirror = BookMirror()
        # Of orders that have not been deleted: the number of the command that placed them.
        self._placed: dict[int, int] = {}

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

    async def run(self, client: Client, channel: grpc.aio.Channel, *, progress: Progress) -> Report:
        """Send everything, compare everything."""
        started = time.monotonic()
        metadata = await client.session.authorization()
        async with OrderStream(
            channel, metadata, self, run=self.run_id, symbol=self.symbol
        ) as stream:
            for number, event in enumerate(self._events(), 1):
                if not number % PROGRESS_LINES:
                    progress(number)
                await self._send(stream, event)
            await stream.flush()
        seconds = time.monotonic() - started
        progress(self.survey.line_count)
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

    def executed(self, step: Step) -> None:
        """Take the next execution; see `stream.Listener`."""
        self._mirror.take(step)

    def refused(self, refusal: Refusal) -> None:
        """Take a command that had no effect; see `stream.Listener`."""
        if refusal.reason in _TOO_LATE:
            self._tally.cancels_too_late += 1
        else:
            self._tally.refused[refusal.reason] += 1

    def _events(self) -> Iterator[RecordedEvent]:
        return read_recording(self._path, limit=self._limit)

    async def _send(self, stream: OrderStream, event: RecordedEvent) -> None:
        match event:
            case OrderCreated(order, side, price, quantity):
                self._tally.orders += 1
                self._placed[order] = await stream.place(side, price=price, quantity=quantity)
            case OrderDeleted(order) if order in self._placed:
                # The others rested before the recording began.
                self._tally.cancels += 1
                await stream.cancel(self._placed.pop(order))
            case Traded():
                self._tally.trades_recorded[event.price, event.quantity] += 1
            case BookSeen():
                if not self._is_seeded:
                    await self._seed(stream)
                self._mirror.expect(stream.sent, event)

    async def _seed(self, stream: OrderStream) -> None:
        self._is_seeded = True
        for order, side, price, quantity in self.survey.seeds:
            self._tally.seeds += 1
            # It rested, so it did not trade with anything that rested beside it.
            number = await stream.place(side, price=price, quantity=quantity, post_only=True)
            if order:
                self._placed[order] = number


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
