"""The hub: whoever follows a feed gets the journal's past first, then what is published, without
gap or duplicate.

Rules of this file. Everything runs in one event loop, except the reads of the journal, which run in
an executor. `publish` never waits: it costs a few operations per subscriber of a key. The hub is
given functions that read the journal; it does not know what stands behind them. Entries are never
parsed.

Theory of operation. A feed numbers its entries 1, 2, 3, ... The *head* of a feed is the last
published number. `publish` is called after a commit, in the order of the commits, so that the
journal may for a moment hold more than the head, never less: **every entry up to the head is
visible to any read that starts later** (1). A feed that the hub does not know yet starts with the
journal's last number as its head; its entries are durable, and when their publication is only just
to come, it is recognised by its numbers and skipped. A subscription knows its *position*: it wants
position + 1 next, cuts away what is at or before it, and can therefore neither repeat nor skip an
entry. It is in one of two states.

*Live*: position is at or past the head; each published chunk goes to its queue. The queue is
bounded. When a chunk does not fit behind what already waits, the consumer is too slow: it is told
where to resume (`Overflow`), and its memory is given back in that moment. A chunk longer than the
whole bound is taken into an empty queue, because that is no sign of a slow consumer; the chunk is
one commit's and is shared by all.

*Replaying*: the consumer's `take` reads the journal after the position, one bounded read at a time
and none before the consumer comes for more; so a replay that nobody takes reads nothing. What is
published meanwhile is kept in a *tail*, which is empty or a run of chunks without a gap that ends
at the head. It has the bounds of the queue; when it would exceed them it is forgotten and
starts anew, which is harmless: the journal has it. The subscription goes live as soon as position
>= head, or the tail begins at or before position + 1: then it hands out the rest of the tail and
says `CaughtUp`. All this happens between two awaits, so no publication falls in between.

It terminates. A read that is not cut short by its bound, started when the head was h, returns
everything up to h at least, by (1). The tail, if it was not forgotten during that read, then begins
at or before h + 1 or is empty, in which case the head is still h. Either way the subscription is
live after this read. A read that is cut short moves the position by at least one chunk. So a replay
lasts only as long as the consumer takes less per second than is published, or as more than the
bound (4 MiB) of one key is published during one read of 256 KiB. Neither is cut off: memory is
bounded meanwhile, nobody waits for it, and it is the caller's to bound the life of a stream.

Memory. Live queues of a key are runs that end at its head, and share their chunks. So all
subscribers of a key together hold at most one bound of distinct bytes; besides, each that replays
holds one read and its tail, each that was closed what it has still to say, and each what its owner
pushed.

Pushed items (results of commands) come after what was published before them, also in a replay: each
remembers the head of its moment and is handed out when the position has reached it. They are not in
the journal; so when they alone exceed the bound, the subscription overflows in either state.

Retention may remove entries that a replay still wants. The next read shows it by a gap; the
subscription ends with `Closed(OutOfRange(first, last))`. The read itself may fail for that reason,
with an error that the hub does not know; it looks at the range then.

Left out: fairness between replays (the executor's queue is fair), filters (a consumer that wants
less skips), and persistence of subscriptions (clients know their position).
"""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from tradewire_server.feeds import FeedChunk, FeedKind, divide
from tradewire_server.streams.inbox import CallLater, OutOfRange, TooManySubscriptions
from tradewire_server.streams.subscription import QueueBounds, Subscription


class Replay(Protocol):
    """Reads entries after a number: consecutive chunks of about so many bytes, at least one."""

    def __call__(
        self, kind: FeedKind, key: str, /, *, after: int, max_bytes: int
    ) -> list[FeedChunk]: ...


FeedRange = Callable[[FeedKind, str], tuple[int, int]]
"""First number or 1, and last number or 0, of a feed in the journal. Called in the event loop."""


@dataclass(frozen=True, slots=True)
class HubBounds:
    """How much the hub takes on."""

    queue: QueueBounds = field(default_factory=QueueBounds)
    """Of each subscription."""
    subscriptions_per_key_max: int = 1024
    subscriptions_per_owner_max: int = 1024
    """Of one owner that has a name, over all feeds, so that nobody alone can take them all."""
    subscriptions_max: int = 8192
    replay_threads: int = 2
    """Reads at a time. They have threads of their own, so that no other reads wait for them."""
    idle_feeds_max: int = 1024
    """Feeds without a subscriber whose head is remembered."""


class Hub:
    """Publishes what was committed to those who follow."""

    def __init__(
        self,
        *,
        replay: Replay,
        feed_range: FeedRange,
        bounds: HubBounds | None = None,
        executor: Executor | None = None,
        call_later: CallLater | None = None,
    ) -> None:
        self.overflow_count = 0
        self.bounds = bounds or HubBounds()
        assert self.bounds.idle_feeds_max > 0, "the feed that is asked for has to be kept"
        self.replay = replay
        self.feed_range = feed_range
        self.executor = executor or ThreadPoolExecutor(self.bounds.replay_threads, "replay")
        self._call_later = call_later
        self._feeds: dict[tuple[FeedKind, str], _Feed] = {}
        self._idle: OrderedDict[tuple[FeedKind, str], None] = OrderedDict()
        self._subscription_count = 0
        self._owners: defaultdict[str, int] = defaultdict(int)

    @property
    def subscription_count(self) -> int:
        """How many subscriptions are not released."""
        return self._subscription_count

    @property
    def feed_count(self) -> int:
        """Of how many feeds the head is known."""
        return len(self._feeds)

    def publish(self, chunks: Iterable[FeedChunk]) -> None:
        """Hand out the chunks of one commit, after it, in the order of commits."""
        for chunk in chunks:
            feed = self._feeds.get((chunk.kind, chunk.key))
            if feed is not None:
                feed.publish(chunk)

    def subscribe(
        self,
        kind: FeedKind,
        key: str,
        after: int | None = None,
        *,
        owner: str = "",
        entries: bool = True,
    ) -> Subscription:
        """Follow a feed after a number: None means from now, 0 from the beginning. Without
        `entries` nothing comes but what the owner pushes.

        Registered on return: what is published from here on will come.

        Raises:
            OutOfRange: the number is beyond the head, or what follows it is not kept any more.
            TooManySubscriptions: of the owner, of the key, or in all.
        """
        bounds = self.bounds
        if self._subscription_count >= bounds.subscriptions_max:
            raise TooManySubscriptions("subscriptions", bounds.subscriptions_max)
        if owner and self._owners.get(owner, 0) >= bounds.subscriptions_per_owner_max:
            raise TooManySubscriptions(
                f"streams of {owner}", bounds.subscriptions_per_owner_max, of_owner=True
            )
        assert entries or after is None, "without entries there is nothing to replay"
        feed = self._feed(kind, key)
        if len(feed.open) >= bounds.subscriptions_per_key_max:
            raise TooManySubscriptions(f"subscriptions of {key}", bounds.subscriptions_per_key_max)
        if after is None:
            after = feed.head
        else:
            first, last = feed.available()
            # A client may know a number from a read of the journal that is published only now.
            last = max(last, feed.head)
            if not first - 1 <= after <= last:
                raise OutOfRange(first, last)
        subscription = Subscription(
            feed, after=after, bounds=bounds.queue, owner=owner, call_later=self._call_later
        )
        feed.open[subscription] = None
        if entries:
            feed.live[subscription] = None
        self._subscription_count += 1
        self._owners[owner] += 1
        self._idle.pop((kind, key), None)
        return subscription

    def head(self, kind: FeedKind, key: str) -> int:
        """Return the number of the last published entry, 0 before the first."""
        return self._feed(kind, key).head

    def close_all(self, reason: object, *, at_once: bool = False) -> None:
        """Close every subscription."""
        self.close_where(lambda _: True, reason, at_once=at_once)

    def close_where(
        self, predicate: Callable[[Subscription], bool], reason: object, *, at_once: bool = False
    ) -> None:
        """Close the subscriptions of which the predicate is true."""
        for feed in tuple(self._feeds.values()):
            for subscription in tuple(feed.open):
                if predicate(subscription):
                    subscription.close(reason, at_once=at_once)

    def released(self, feed: _Feed, owner: str) -> None:
        """Note that a subscription of a feed is gone."""
        self._subscription_count -= 1
        self._owners[owner] -= 1
        if not self._owners[owner]:
            del self._owners[owner]
        if not feed.open:
            self._keep_idle(feed)

    def _feed(self, kind: FeedKind, key: str) -> _Feed:
        feed = self._feeds.get((kind, key))
        if feed is None:
            feed = self._feeds[kind, key] = _Feed(self, kind, key)
        if not feed.open:
            self._keep_idle(feed)
        return feed

    def _keep_idle(self, feed: _Feed) -> None:
        name = feed.kind, feed.key
        self._idle[name] = None
        self._idle.move_to_end(name)
        if len(self._idle) > self.bounds.idle_feeds_max:
            oldest, _ = self._idle.popitem(last=False)
            del self._feeds[oldest]


class _Feed:
    """One feed: its head and who follows it."""

    __slots__ = ("_hub", "head", "key", "kind", "live", "open")

    def __init__(self, hub: Hub, kind: FeedKind, key: str) -> None:
        self._hub = hub
        self.kind = kind
        self.key = key
        self.head = hub.feed_range(kind, key)[1]
        # Dictionaries as sets that keep their order. Not yet released; and of those, not yet ended
        # and interested in the entries.
        self.open: dict[Subscription, None] = {}
        self.live: dict[Subscription, None] = {}

    def publish(self, chunk: FeedChunk) -> None:
        if chunk.last <= self.head:
            # The head was taken from the journal between this chunk's commit and its publication.
            return
        assert chunk.first == self.head + 1, (
            f"{self.kind.name} {self.key}: {chunk.first} was published after {self.head}"
        )
        self.head = chunk.last
        if self.live:
            size = len(chunk.data)
            pieces = divide(chunk, bytes_max=self._hub.bounds.queue.read_bytes_max)
            for subscription in tuple(self.live):
                subscription.offer(pieces, size)

    def read(self, *, after: int) -> asyncio.Future[list[FeedChunk]]:
        hub = self._hub
        call = functools.partial(
            hub.replay,
            self.kind,
            self.key,
            after=after,
            max_bytes=hub.bounds.queue.read_bytes_max,
        )
        return asyncio.get_running_loop().run_in_executor(hub.executor, call)

    def available(self) -> tuple[int, int]:
        return self._hub.feed_range(self.kind, self.key)

    def overflowed(self) -> None:
        self._hub.overflow_count += 1

    def detach(self, subscription: Subscription) -> None:
        self.live.pop(subscription, None)

    def release(self, subscription: Subscription) -> None:
        del self.open[subscription]
        self._hub.released(self, subscription.owner)
