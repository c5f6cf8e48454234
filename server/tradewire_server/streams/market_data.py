"""Market data: books as a snapshot and updates, and trades, the same bytes for all who follow them.

Rules of this file. Everything runs in one event loop. Slow consumers are conflated, never queued
for long and never dropped: that is the difference to the hub, whose consumers need every entry. An
update is encoded once, however many receive it. Work per turn of the loop is bounded, since orders
use the same loop.

Theory of operation. A *view* is a book down to a depth; all subscribers of that depth share it. It
remembers the levels of its last message. After each durable batch the caller says in `changed`
which instruments changed, and with which *sequence*, an ascending number of the venue's state. At
most once per interval an instrument that changed is *flushed*: each of its views sends the
difference to its last message, and the trades since then. No difference and no trade, no message.

Sequences. A view's sequence is that of its last update; the next update names it as
`previous_sequence`. A snapshot shows a view as last sent, not the book of now, and carries the
view's sequence. So what follows a snapshot continues it for every subscriber, whenever it came, and
a snapshot is encoded once for all who need it. What it lacks of the present comes with the next
flush, an interval later at most.

Slow consumers. A subscription has a small queue. When it is full, its messages are dropped, and
each instrument that lost one is *stale*: it receives nothing until the consumer comes back, and
then a snapshot first. A new subscription is one whose instruments are all stale. Of the trades the
newest are kept for that moment, at most as many as one message holds; a gap in their numbers shows
what was lost.

Only durable states are shown. The engine may be ahead of the journal while a commit is in flight.
So levels are read only when the injected `settled` says that every batch the engine has applied has
been told in `changed`: within `changed` itself, and at timers and subscriptions that hit a settled
moment. In an unsettled moment nothing is lost: the `changed` that ends it catches up.

Bounds. A turn flushes at most `views_per_turn` views (and whole instruments, which have at most the
standard depths and `other_depths_max` views), a take makes snapshots of at most about
`snapshot_levels_max` levels; the rest is done in later turns. Depths outside the standard ones are
few per instrument, so that nobody can make the venue compute a thousand views, nor take the usual
ones away from others.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tradewire_server.feeds import FeedChunk, FeedKind
from tradewire_server.streams.inbox import CallLater, Timer, TooManySubscriptions
from tradewire_server.streams.market_subscription import MarketMessage, MarketSubscription
from tradewire_server.streams.trades import TradeRun
from tradewire_server.streams.view import Checksum, EncodeBook, Level, Levels, View

STANDARD_DEPTHS = frozenset((1, 5, 10, 20, 25, 50, 100, 500, 1000))
_NEVER_NS = 1 << 63


@dataclass(frozen=True, slots=True)
class MarketBounds:
    """How much market data takes on."""

    interval_ns: int = 10_000_000
    """Least time between two updates of a book."""
    messages_max: int = 64
    """Messages that wait for one subscription; at least two for each of its instruments."""
    trades_max: int = 1000
    """Trades in one message."""
    subscriptions_max: int = 4096
    subscriptions_per_owner_max: int = 1024
    """Of one owner that has a name, so that nobody alone can take them all."""
    other_depths_max: int = 32
    """Depths of one instrument at a time that are not standard ones."""
    views_per_turn: int = 32
    """Updates computed without a pause."""
    snapshot_levels_max: int = 1000
    """Levels per side of the snapshots that one take makes, if it is more than one snapshot."""


class MarketData:
    """Sends books and trades to those who follow them."""

    def __init__(
        self,
        *,
        levels: Levels,
        encode_book: EncodeBook,
        checksum: Checksum,
        epoch: int,
        sequence: int,
        clock_ns: Callable[[], int],
        settled: Callable[[], bool] = lambda: True,
        bounds: MarketBounds | None = None,
        call_later: CallLater | None = None,
    ) -> None:
        """Begin at the venue's `sequence`; `clock_ns` is monotonic."""
        self.lag_count = 0
        self.sequence = sequence
        """Number of the last state told in `changed`."""
        self._levels = levels
        self._encode_book = encode_book
        self._checksum = checksum
        self._epoch = epoch
        self._clock_ns = clock_ns
        self._settled = settled
        self._bounds = bounds or MarketBounds()
        self._call_later = call_later
        self._instruments: dict[str, _Instrument] = {}
        self._unready: dict[View, _Audience] = {}
        self._dirty: dict[_Instrument, None] = {}
        self._due_ns = _NEVER_NS  # when the first of them may be flushed
        self._timer: Timer | None = None
        self._timer_ns = _NEVER_NS
        self._open: dict[MarketSubscription, None] = {}
        self._owners: defaultdict[str, int] = defaultdict(int)

    @property
    def subscription_count(self) -> int:
        """How many subscriptions are not released."""
        return len(self._open)

    @property
    def view_count(self) -> int:
        """How many views are kept."""
        return sum(len(instrument.audiences) for instrument in self._instruments.values())

    def changed(
        self, symbols: Iterable[str], sequence: int, chunks: Iterable[FeedChunk] = ()
    ) -> None:
        """Take note of a durable batch: whose books changed, the venue's sequence, its trades.

        To be called after each durable batch, before the engine goes on. Chunks of other feeds than
        TRADES are passed over.
        """
        assert sequence >= self.sequence, f"sequence {sequence} after {self.sequence}"
        self.sequence = sequence
        instruments = self._instruments
        for symbol in symbols:
            instrument = instruments.get(symbol)
            if instrument is not None:
                self._mark(instrument)
        for chunk in chunks:
            if chunk.kind is FeedKind.TRADES:
                instrument = instruments.get(chunk.key)
                if instrument is not None:
                    instrument.trades.add(chunk)
                    self._mark(instrument)
        self._start_views()
        self._flush_due()

    def subscribe(
        self,
        symbols: Sequence[str],
        *,
        depth: int,
        book: bool = True,
        trades: bool = True,
        owner: str = "",
    ) -> MarketSubscription:
        """Follow instruments, which exist: first come their snapshots, then what changes.

        Raises:
            TooManySubscriptions: in all, of the owner, or of unusual depths of an instrument.
        """
        bounds = self._bounds
        if len(self._open) >= bounds.subscriptions_max:
            raise TooManySubscriptions("market data subscriptions", bounds.subscriptions_max)
        if owner and self._owners.get(owner, 0) >= bounds.subscriptions_per_owner_max:
            raise TooManySubscriptions(
                "market data streams of one address",
                bounds.subscriptions_per_owner_max,
                of_owner=True,
            )
        depth = depth if book else 0
        for symbol in symbols:
            self._check_depth(symbol, depth)
        audiences = {symbol: self._audience(symbol, depth) for symbol in symbols}
        subscription = MarketSubscription(
            {symbol: audience.view for symbol, audience in audiences.items()},
            source=self,
            messages_max=bounds.messages_max,
            trades_max=bounds.trades_max,
            snapshot_levels_max=bounds.snapshot_levels_max,
            owner=owner,
            call_later=self._call_later,
        )
        for audience in audiences.values():
            audience.subscriptions[subscription] = trades
        self._open[subscription] = None
        self._owners[owner] += 1
        return subscription

    def close_all(self, reason: object, *, at_once: bool = False) -> None:
        """Close every subscription."""
        self.close_where(lambda _: True, reason, at_once=at_once)

    def close_where(
        self,
        predicate: Callable[[MarketSubscription], bool],
        reason: object,
        *,
        at_once: bool = False,
    ) -> None:
        """Close the subscriptions of which the predicate is true."""
        for subscription in tuple(self._open):
            if predicate(subscription):
                subscription.close(reason, at_once=at_once)

    def start(self, view: View) -> bool:
        """Give a new view its levels, if they can be read now."""
        if not self._settled():
            return False
        self._start(view)
        return True

    def lagged(self) -> None:
        """Count a subscription that did not keep up."""
        self.lag_count += 1

    def detach(self, subscription: MarketSubscription) -> None:
        """Send no more to a subscription; views that nobody follows disappear."""
        for symbol, view in subscription.views.items():
            instrument = self._instruments.get(symbol)
            audience = instrument.audiences.get(view.depth) if instrument is not None else None
            if instrument is None or audience is None:
                continue
            audience.subscriptions.pop(subscription, None)
            if not audience.subscriptions:
                self._unready.pop(audience.view, None)
                instrument.remove(audience)
            if not instrument.audiences:
                del self._instruments[symbol]
                self._dirty.pop(instrument, None)

    def release(self, subscription: MarketSubscription) -> None:
        """Count a subscription no more."""
        del self._open[subscription]
        owner = subscription.owner
        self._owners[owner] -= 1
        if not self._owners[owner]:
            del self._owners[owner]

    def _check_depth(self, symbol: str, depth: int) -> None:
        instrument = self._instruments.get(symbol)
        if instrument is None or not depth or depth in STANDARD_DEPTHS:
            return
        others = instrument.audiences.keys() - STANDARD_DEPTHS - {0}
        if depth not in others and len(others) >= self._bounds.other_depths_max:
            raise TooManySubscriptions(
                f"depths of {symbol} besides {sorted(STANDARD_DEPTHS)}",
                self._bounds.other_depths_max,
            )

    def _audience(self, symbol: str, depth: int) -> _Audience:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            instrument = _Instrument(symbol, trades_max=self._bounds.trades_max)
            self._instruments[symbol] = instrument
        audience = instrument.audiences.get(depth)
        if audience is None:
            view = View(
                symbol,
                depth,
                epoch=self._epoch,
                encode_book=self._encode_book,
                checksum=self._checksum,
            )
            audience = _Audience(view)
            instrument.add(audience)
            if not view.ready:
                self._unready[view] = audience
        return audience

    def _start_views(self) -> None:
        """Give new views their levels, as many as a turn allows; to be called in settled moments.

        This is for those that never find a settled moment by themselves, because the engine is
        always busy. All others take the levels when they make their snapshots.
        """
        if not self._unready:
            return
        waiting = list(self._unready.items())
        for view, _ in waiting[: self._bounds.views_per_turn]:
            self._start(view)
        for _, audience in waiting:
            for subscription in audience.subscriptions:
                subscription.wake()

    def _start(self, view: View) -> None:
        bids, asks = self._levels(view.symbol, view.depth)
        view.start(bids, asks, self.sequence)
        del self._unready[view]

    def _mark(self, instrument: _Instrument) -> None:
        if instrument not in self._dirty:
            self._dirty[instrument] = None
            self._due_ns = min(self._due_ns, instrument.due_ns)

    def _flush_due(self) -> None:
        """Flush what is due, as much as a turn allows; to be called in settled moments."""
        if not self._dirty:
            return
        now_ns = self._clock_ns()
        if now_ns >= self._due_ns:
            left = self._bounds.views_per_turn
            self._due_ns = _NEVER_NS
            for instrument in tuple(self._dirty):
                if instrument.due_ns <= now_ns and left > 0:
                    left -= len(instrument.audiences)
                    del self._dirty[instrument]
                    self._flush(instrument, now_ns)
                else:
                    self._due_ns = min(self._due_ns, instrument.due_ns)
        self._set_timer(now_ns)

    def _flush(self, instrument: _Instrument, now_ns: int) -> None:
        instrument.due_ns = now_ns + self._bounds.interval_ns
        trades = instrument.trades.take()
        bids: list[Level] = []
        asks: list[Level] = []
        if instrument.deepest:
            bids, asks = self._levels(instrument.symbol, instrument.deepest)
        for audience in instrument.audiences.values():
            audience.send(audience.view.advance(bids, asks, self.sequence), trades)

    def _set_timer(self, now_ns: int) -> None:
        """See to it that the next due flush happens also when no batch comes."""
        if not self._dirty or self._timer_ns <= self._due_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
        call_later = self._call_later or asyncio.get_running_loop().call_later
        self._timer_ns = self._due_ns
        self._timer = call_later(max(self._due_ns - now_ns, 0) / 1e9, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self._timer_ns = _NEVER_NS
        if self._settled():
            self._flush_due()


class _Audience:
    """A view and those who follow it; each with whether it wants trades."""

    __slots__ = ("subscriptions", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.subscriptions: dict[MarketSubscription, bool] = {}

    def send(self, book: bytes | None, trades: FeedChunk | None) -> None:
        symbol = self.view.symbol
        bare = None if book is None else MarketMessage(symbol, book)
        full = bare
        if trades is not None:
            full = MarketMessage(symbol, book, trades.data, trades.first, trades.last)
        for subscription, wants_trades in self.subscriptions.items():
            message = full if wants_trades else bare
            if message is not None:
                subscription.offer(message)


class _Instrument:
    """One instrument that somebody follows."""

    __slots__ = ("audiences", "deepest", "due_ns", "symbol", "trades")

    def __init__(self, symbol: str, *, trades_max: int) -> None:
        self.symbol = symbol
        self.due_ns = 0
        self.trades = TradeRun(count_max=trades_max)
        self.audiences: dict[int, _Audience] = {}
        self.deepest = 0

    def add(self, audience: _Audience) -> None:
        self.audiences[audience.view.depth] = audience
        self.deepest = max(self.audiences)

    def remove(self, audience: _Audience) -> None:
        del self.audiences[audience.view.depth]
        self.deepest = max(self.audiences, default=0)
