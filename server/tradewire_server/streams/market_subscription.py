"""A subscription to market data: snapshots first, then shared updates, conflated when it is slow.

The essay stands in `market_data`. Everything here runs in the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from tradewire_server.feeds import FeedChunk, FeedKind
from tradewire_server.streams.inbox import CallLater, CaughtUp, Closed, Inbox
from tradewire_server.streams.trades import TradeRun
from tradewire_server.streams.view import View


class MarketMessage(NamedTuple):
    """What changed in one instrument: an encoded book or none, entries of trades or none."""

    symbol: str
    book: bytes | None
    trades: bytes = b""
    first_trade_id: int = 0
    last_trade_id: int = 0


MarketItem = MarketMessage | CaughtUp | Closed


class MarketSource(Protocol):
    """What a subscription knows of those who made it."""

    @property
    def sequence(self) -> int:
        """Number of the last state of the venue that they were told of."""

    def start(self, view: View, /) -> bool:
        """Give a new view its levels, if they can be read now."""

    def lagged(self) -> None:
        """Count a subscription that did not keep up."""

    def detach(self, subscription: MarketSubscription, /) -> None:
        """Send no more to it."""

    def release(self, subscription: MarketSubscription, /) -> None:
        """Count it no more."""


class MarketSubscription(Inbox[MarketItem]):
    """Some instruments' books, trades or both."""

    def __init__(
        self,
        views: Mapping[str, View],
        *,
        source: MarketSource,
        messages_max: int,
        trades_max: int,
        snapshot_levels_max: int,
        owner: str,
        call_later: CallLater | None,
    ) -> None:
        super().__init__(owner=owner, call_later=call_later)
        self.views = dict(views)
        """By symbol."""
        self._source = source
        self._messages_max = max(messages_max, 2 * len(views))
        self._trades_max = trades_max
        self._snapshot_levels_max = snapshot_levels_max
        self._queue: list[MarketMessage] = []
        # Instruments that need a snapshot, and their trades meanwhile. At first that is all of
        # them.
        self._stale = {symbol: TradeRun(count_max=trades_max) for symbol in views}
        self._portioned = False  # there are more snapshots than one take gives
        self._caught_up = False
        self._reason: object = None

    @property
    def waiting_messages(self) -> int:
        """How many messages wait for the consumer."""
        return len(self._queue)

    async def take(self, timeout_s: float | None = None) -> list[MarketItem]:
        """Return all items there are, at least one; or none when it stayed quiet for so long.

        Raises:
            SubscriptionEnded: the last item was taken before.
        """
        if self._portioned:
            # Snapshots are work: between two portions of them it is the others' turn.
            self._portioned = False
            await asyncio.sleep(0)
        return await super().take(timeout_s)

    def offer(self, message: MarketMessage) -> None:
        """Take an update that continues what was sent before. For the market data only."""
        run = self._stale.get(message.symbol)
        if run is not None:
            self._keep_trades(run, message)
        elif len(self._queue) >= self._messages_max:
            self._lag(message)
        else:
            self._queue.append(message)
            self.wake()

    def close(self, reason: object, *, at_once: bool = False) -> None:
        """End it with `Closed(reason)` after what waits, or in place of what waits."""
        if self.finished or (self._ending and not at_once):
            return
        self._reason = reason
        if at_once:
            self._queue.clear()
        self._stale.clear()
        self._source.detach(self)
        self._end()

    def _lag(self, message: MarketMessage) -> None:
        """Replace what waits by the promise of snapshots."""
        self._source.lagged()
        for lost in (*self._queue, message):
            run = self._stale.get(lost.symbol)
            if run is None:
                run = self._stale[lost.symbol] = TradeRun(count_max=self._trades_max)
            self._keep_trades(run, lost)
        self._queue.clear()

    def _keep_trades(self, run: TradeRun, message: MarketMessage) -> None:
        """Keep the newest trades, so that the client sees by their numbers what it missed."""
        if message.trades:
            first, last = message.first_trade_id, message.last_trade_id
            run.add(FeedChunk(FeedKind.TRADES, message.symbol, first, last, message.trades))

    def _collect(self) -> list[MarketItem]:
        items: list[MarketItem] = []
        if self._stale:
            self._collect_snapshots(items)
        if not self._stale and not self._caught_up and not self._ending:
            self._caught_up = True
            items.append(CaughtUp(self._source.sequence))
        items += self._queue
        self._queue.clear()
        if self._ending:
            items.append(Closed(self._reason, 0))
            self.release()
        return items

    def _collect_snapshots(self, items: list[MarketItem]) -> None:
        levels_left = self._snapshot_levels_max
        for symbol in tuple(self._stale):
            view = self.views[symbol]
            if view.depth > levels_left and items:
                self._portioned = True
                break
            if not view.ready and not self._source.start(view):
                continue
            levels_left -= view.depth
            book = view.snapshot()
            run = self._stale.pop(symbol).take()
            if run is not None:
                items.append(MarketMessage(symbol, book, run.data, run.first, run.last))
            elif book is not None:
                items.append(MarketMessage(symbol, book))

    def _forget(self) -> None:
        self._queue.clear()
        self._stale.clear()
        self._source.detach(self)
        self._source.release(self)
