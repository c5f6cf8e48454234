"""Following a feed: from where, how many, and who is closed."""

from __future__ import annotations

import pytest
from tradewire_server.feeds import FeedKind
from tradewire_server.streams.hub import HubBounds
from tradewire_server.streams.inbox import (
    CaughtUp,
    Closed,
    OutOfRange,
    TooManySubscriptions,
)

from tests.unit.server.streams.stage import (
    EXECUTIONS,
    Stage,
    entries,
    numbers,
    take_all,
)

# Where to begin.


async def test_absent_means_from_now() -> None:
    stage = Stage()
    stage.commit(3)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    stage.commit(2)
    assert await take_all(stage, subscription) == [CaughtUp(3), entries(4, 5)]
    assert stage.journal.reads == 0


async def test_zero_means_from_the_beginning() -> None:
    stage = Stage()
    stage.commit(3)
    stage.commit(2)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    items = await take_all(stage, subscription)
    assert items == [entries(1, 3), entries(4, 5), CaughtUp(5)]


async def test_zero_of_an_empty_feed_is_live_at_once() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    stage.commit(1)
    assert await subscription.take() == [CaughtUp(0), entries(1, 1)]


async def test_a_number_within_a_chunk_cuts_it() -> None:
    stage = Stage()
    stage.commit(5)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 3)
    assert await take_all(stage, subscription) == [entries(4, 5), CaughtUp(5)]


async def test_the_head_is_live_at_once() -> None:
    stage = Stage()
    stage.commit(5)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 5)
    assert await subscription.take() == [CaughtUp(5)]
    assert stage.journal.reads == 0


@pytest.mark.parametrize("after", [-1, 6])
def test_a_number_that_does_not_exist_is_out_of_range(after: int) -> None:
    stage = Stage()
    stage.commit(5)
    with pytest.raises(OutOfRange) as caught:
        stage.hub.subscribe(EXECUTIONS, "alice", after)
    assert (caught.value.first, caught.value.last) == (1, 5)
    assert stage.hub.subscription_count == 0


async def test_older_than_retention_is_out_of_range_with_the_first_available_number() -> None:
    stage = Stage()
    stage.commit(5)
    stage.journal.keep_from(4)
    with pytest.raises(OutOfRange) as caught:
        stage.hub.subscribe(EXECUTIONS, "alice", 2)
    assert (caught.value.first, caught.value.last) == (4, 5)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 3)
    assert await take_all(stage, subscription) == [entries(4, 5), CaughtUp(5)]


async def test_feeds_are_told_apart_by_kind_and_key() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(FeedKind.LEDGER, "alice")
    stage.commit(1)
    stage.commit(1, "bob")
    stage.hub.publish([entries(1, 1)._replace(kind=FeedKind.LEDGER)])
    assert numbers(await subscription.take()) == [1]


async def test_close_where_chooses() -> None:
    stage = Stage()
    hub = stage.hub
    kept = hub.subscribe(EXECUTIONS, "alice", owner="key-1")
    revoked = hub.subscribe(EXECUTIONS, "bob", owner="key-2")
    hub.close_where(lambda subscription: subscription.owner == "key-2", "revoked", at_once=True)
    assert await revoked.take() == [Closed("revoked", 0)]
    assert await kept.take() == [CaughtUp(0)]
    hub.close_all("draining")
    assert await kept.take() == [Closed("draining", 0)]
    assert hub.subscription_count == 0


# Bounds of the hub.


def test_subscriptions_are_bounded_per_key() -> None:
    stage = Stage(HubBounds(subscriptions_per_key_max=2))
    hub = stage.hub
    first = hub.subscribe(EXECUTIONS, "alice")
    hub.subscribe(EXECUTIONS, "alice")
    with pytest.raises(TooManySubscriptions, match="of alice: at most 2"):
        hub.subscribe(EXECUTIONS, "alice")
    hub.subscribe(EXECUTIONS, "bob")
    first.release()
    hub.subscribe(EXECUTIONS, "alice")


def test_subscriptions_are_bounded_per_owner_over_all_feeds() -> None:
    stage = Stage(HubBounds(subscriptions_per_owner_max=2))
    hub = stage.hub
    first = hub.subscribe(EXECUTIONS, "alice", owner="alice")
    hub.subscribe(FeedKind.LEDGER, "alice", owner="alice")
    with pytest.raises(TooManySubscriptions, match="of alice: at most 2") as refusal:
        hub.subscribe(EXECUTIONS, "alice", owner="alice")
    assert refusal.value.of_owner
    hub.subscribe(EXECUTIONS, "bob", owner="bob")
    for _ in range(3):
        hub.subscribe(EXECUTIONS, "nobody's")
    first.close("revoked")
    with pytest.raises(TooManySubscriptions):
        hub.subscribe(EXECUTIONS, "alice", owner="alice")
    first.release()
    first.release()
    hub.subscribe(EXECUTIONS, "alice", owner="alice")
    with pytest.raises(TooManySubscriptions):
        hub.subscribe(EXECUTIONS, "alice", owner="alice")


def test_owners_without_subscriptions_are_forgotten() -> None:
    stage = Stage(HubBounds(subscriptions_per_owner_max=1))
    with stage.hub.subscribe(EXECUTIONS, "alice", owner="alice"):
        with pytest.raises(TooManySubscriptions):
            stage.hub.subscribe(EXECUTIONS, "alice", owner="alice")
        assert list(stage.hub._owners) == ["alice"]
    assert not stage.hub._owners


def test_subscriptions_are_bounded_in_all_until_released() -> None:
    stage = Stage(HubBounds(subscriptions_max=2))
    hub = stage.hub
    hub.subscribe(EXECUTIONS, "alice")
    closed = hub.subscribe(EXECUTIONS, "bob")
    closed.close("draining")
    with pytest.raises(TooManySubscriptions, match="at most 2") as refusal:
        hub.subscribe(EXECUTIONS, "carol")
    assert not refusal.value.of_owner
    closed.release()
    hub.subscribe(EXECUTIONS, "carol")


def test_heads_of_feeds_without_subscribers_are_forgotten_in_time() -> None:
    stage = Stage(HubBounds(idle_feeds_max=3))
    hub = stage.hub
    followed = hub.subscribe(EXECUTIONS, "followed")
    for number in range(10):
        stage.commit(number + 1, f"account-{number}")
        assert hub.head(EXECUTIONS, f"account-{number}") == number + 1
    assert hub.feed_count == 4
    stage.commit(1, "account-9")
    stage.commit(1, "account-0")
    assert hub.head(EXECUTIONS, "account-9") == 11
    assert hub.head(EXECUTIONS, "account-0") == 2
    followed.release()
    assert hub.feed_count == 3
    assert hub.head(EXECUTIONS, "followed") == 0
