"""What a batch leaves behind: the listener that turns the fold's calls into rows and chunks.

Everything public is encoded once, here, by the injected encoder; from then on it is bytes.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tradewire_server.engine.events import make
from tradewire_server.engine.listener import Execution, LedgerEntry, Listener, PublicTrade
from tradewire_server.engine.order import FINAL_STATUSES
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.feeds import FeedChunk, FeedKind, wrap
from tradewire_server.journal.records import CandleRow, ClosedOrderRow

MINUTE_NS = 60 * 10**9
# What the journal can hold; the volume of a candle stops there.
VOLUME_MAX = (1 << 63) - 1
# Names of their own, for the reason given in `engine.vocabulary`.
EXECUTIONS, LEDGER, TRADES = FeedKind.EXECUTIONS, FeedKind.LEDGER, FeedKind.TRADES


class StoredAnswer(NamedTuple):
    """What a stored execution says about the command that it answered."""

    order: bytes
    rejected: Reason
    priority_kept: bool


class Encoder(Protocol):
    """Makes public messages; the protobuf side gives it."""

    def execution(self, execution: Execution) -> tuple[bytes, bytes]:
        """Return the serialised Execution, and the serialised Order that is part of it."""

    def ledger_entry(self, entry: LedgerEntry) -> bytes:
        """Return the serialised LedgerEntry."""

    def public_trade(self, trade: PublicTrade) -> bytes:
        """Return the serialised Trade."""

    def stored_answer(self, message: bytes) -> StoredAnswer:
        """Return what a serialised Execution says."""


class LastExecution(NamedTuple):
    """The newest execution of an order."""

    sequence: int
    order: bytes


class LastLedgerEntry(NamedTuple):
    """The newest ledger entry."""

    ledger_sequence: int
    message: bytes


class _Candle:
    """A candle that grows; it begins at a price."""

    __slots__ = ("close", "high", "low", "open", "trade_count", "volume")

    def __init__(self, ticks: int) -> None:
        self.open = self.high = self.low = self.close = ticks
        self.volume = self.trade_count = 0


class Recorder(Listener):
    """Collects one batch at a time; `first_fill` is called with the account of an order that trades
    for the first time.
    """

    def __init__(self, encoder: Encoder, *, first_fill: Callable[[str], None]) -> None:
        self._encoder = encoder
        self._first_fill = first_fill
        self._minute = 0
        self._parts: dict[tuple[FeedKind, str], tuple[int, list[bytes]]] = {}
        self._closed: dict[tuple[str, int], ClosedOrderRow] = {}
        self._candles: dict[str, _Candle] = {}
        self._last_executions: dict[int, LastExecution] = {}
        self._last_ledger_entry = LastLedgerEntry(0, b"")

    def begin(self, time_ns: int) -> None:
        """Forget the batch before; the next one happens at `time_ns`."""
        self._minute = time_ns // MINUTE_NS
        self._parts = {}
        self._closed = {}
        self._candles = {}
        self._last_executions = {}

    def chunks(self) -> list[FeedChunk]:
        """Return the batch's feed entries, a chunk per feed."""
        return [
            FeedChunk(kind, key, first, first + len(entries) - 1, b"".join(entries))
            for (kind, key), (first, entries) in self._parts.items()
        ]

    def closed_orders(self) -> list[ClosedOrderRow]:
        """Return the orders that the batch closed."""
        return list(self._closed.values())

    def candles(self) -> list[CandleRow]:
        """Return what the batch adds to the candles of its minute."""
        return [
            CandleRow(
                symbol,
                self._minute,
                candle.open,
                candle.high,
                candle.low,
                candle.close,
                min(candle.volume, VOLUME_MAX),
                candle.trade_count,
            )
            for symbol, candle in self._candles.items()
        ]

    def last_execution(self, order_id: int) -> LastExecution:
        """Return the newest execution of an order that the batch touched."""
        return self._last_executions[order_id]

    def last_ledger_entry(self) -> LastLedgerEntry:
        """Return the newest ledger entry of the batch."""
        return self._last_ledger_entry

    def closed_in_batch(self, account: str, order_id: int) -> bool:
        """Tell whether the batch closed an order."""
        return (account, order_id) in self._closed

    # --- Listener ---

    def execution(self, execution: Execution) -> None:
        message, order_bytes = self._encoder.execution(execution)
        account, sequence, order = execution.account, execution.sequence, execution.order
        self._add(EXECUTIONS, account, sequence, message)
        order_id = order.order_id
        self._last_executions[order_id] = make(LastExecution, (sequence, order_bytes))
        if order.status in FINAL_STATUSES:
            row = make(ClosedOrderRow, (account, order_id, order.terms.symbol, sequence))
            self._closed[account, order_id] = row
        lots = execution.last_lots
        if lots and lots == order.filled_lots:
            self._first_fill(account)

    def ledger_entry(self, entry: LedgerEntry) -> None:
        message = self._encoder.ledger_entry(entry)
        self._add(LEDGER, entry.account, entry.ledger_sequence, message)
        self._last_ledger_entry = make(LastLedgerEntry, (entry.ledger_sequence, message))

    def public_trade(self, trade: PublicTrade) -> None:
        symbol, ticks = trade.market.instrument.symbol, trade.price_ticks
        self._add(TRADES, symbol, trade.trade_id, self._encoder.public_trade(trade))
        candle = self._candles.get(symbol)
        if candle is None:
            candle = self._candles[symbol] = _Candle(ticks)
        elif ticks > candle.high:
            candle.high = ticks
        elif ticks < candle.low:
            candle.low = ticks
        candle.close = ticks
        candle.volume += trade.quantity_lots
        candle.trade_count += 1

    def _add(self, kind: FeedKind, key: str, number: int, message: bytes) -> None:
        part = self._parts.get((kind, key))
        if part is None:
            self._parts[kind, key] = (number, [wrap(message)])
        else:
            part[1].append(wrap(message))
