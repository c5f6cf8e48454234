"""The unfilled-order count."""

from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.buckets import LimitState
from tradewire_server.auth.limit_policy import LimitPolicy
from tradewire_server.auth.unfilled_orders import UnfilledOrders

from tests.unit.server.auth.venue import DAY, NOW_NS, SECOND

# NOW_NS is a whole number of ten seconds since the epoch.
INTERVAL = 10 * SECOND


def _orders(*limits: tuple[int, int], subjects_max: int = 100) -> UnfilledOrders:
    return UnfilledOrders(
        LimitPolicy(unfilled_orders=limits or ((10, 3),), subjects_max=subjects_max)
    )


def test_orders_count_until_the_limit_and_then_until_the_interval_ends() -> None:
    orders = _orders()
    later_ns = NOW_NS + 4 * SECOND
    assert orders.place("alice", 2, now_ns=NOW_NS) == LimitState(
        "unfilled_orders_10s", 3, 1, 10_000, 0, allowed=True
    )
    assert orders.place("alice", 2, now_ns=later_ns) == LimitState(
        "unfilled_orders_10s", 3, 1, 6_000, 6_000, allowed=False
    )
    assert orders.place("bob", 3, now_ns=later_ns) == LimitState(
        "unfilled_orders_10s", 3, 0, 6_000, 0, allowed=True
    )
    state = orders.place("alice", 3, now_ns=NOW_NS + INTERVAL)
    assert state is not None
    assert state.allowed


def test_a_fill_gives_back_and_never_more_than_was_placed() -> None:
    orders = _orders()
    orders.place("alice", 3, now_ns=NOW_NS)
    orders.give_back("alice", 1, now_ns=NOW_NS)
    orders.give_back("bob", 5, now_ns=NOW_NS)
    state = orders.place("alice", 1, now_ns=NOW_NS)
    assert state is not None
    assert (state.allowed, state.remaining) == (True, 0)
    orders.give_back("alice", 100, now_ns=NOW_NS)
    refused = orders.place("alice", 4, now_ns=NOW_NS)
    assert refused is not None
    assert (refused.allowed, refused.remaining) == (False, 3)


def test_the_fill_of_an_order_of_a_former_interval_gives_nothing_extra() -> None:
    orders = _orders()
    orders.place("alice", 3, now_ns=NOW_NS)
    orders.give_back("alice", 3, now_ns=NOW_NS + INTERVAL)
    state = orders.place("alice", 4, now_ns=NOW_NS + INTERVAL)
    assert state is not None
    assert not state.allowed


def test_all_intervals_count_or_none_does() -> None:
    orders = _orders((10, 100), (86_400, 3))
    first = orders.place("alice", 3, now_ns=NOW_NS)
    assert first is not None
    assert (first.scope, first.allowed, first.remaining) == ("unfilled_orders_86400s", True, 0)
    second = orders.place("alice", 1, now_ns=NOW_NS)
    assert second is not None
    assert (second.scope, second.allowed) == ("unfilled_orders_86400s", False)
    assert second.retry_after_ms == (DAY - NOW_NS % DAY) // 1_000_000
    orders.give_back("alice", 3, now_ns=NOW_NS)
    third = orders.place("alice", 0, now_ns=NOW_NS)
    assert third is not None
    assert third.allowed


def test_no_orders_are_never_refused() -> None:
    orders = _orders((10, 1))
    orders.place("alice", 1, now_ns=NOW_NS)
    state = orders.place("alice", 0, now_ns=NOW_NS)
    assert state is not None
    assert state.allowed


def test_a_clock_that_is_set_back_starts_no_new_interval() -> None:
    orders = _orders()
    orders.place("alice", 3, now_ns=NOW_NS)
    state = orders.place("alice", 1, now_ns=NOW_NS - SECOND)
    assert state is not None
    assert (state.allowed, state.retry_after_ms) == (False, 11_000)


def test_the_number_of_accounts_is_bounded_within_an_interval() -> None:
    orders = _orders(subjects_max=1)
    orders.place("alice", 1, now_ns=NOW_NS)
    refused = orders.place("bob", 1, now_ns=NOW_NS)
    assert refused is not None
    assert not refused.allowed
    accepted = orders.place("bob", 1, now_ns=NOW_NS + INTERVAL)
    assert accepted is not None
    assert accepted.allowed


def test_without_such_a_limit_nothing_is_counted() -> None:
    orders = UnfilledOrders(LimitPolicy(unfilled_orders=()))
    assert orders.place("alice", 10**9, now_ns=NOW_NS) is None
    orders.give_back("alice", 1, now_ns=NOW_NS)


@given(
    st.lists(
        st.tuples(st.integers(0, 4 * SECOND), st.sampled_from(["place", "fill"]), st.integers(0, 3))
    )
)
def test_no_more_than_the_limit_is_unfilled_in_any_interval(
    steps: list[tuple[int, str, int]],
) -> None:
    orders = _orders((10, 5), (30, 8))
    now_ns = NOW_NS
    open_orders: dict[tuple[int, int], int] = {}
    for step_ns, what, count in steps:
        now_ns += step_ns
        current = [(length, now_ns // SECOND // length) for length in (10, 30)]
        if what == "fill":
            orders.give_back("alice", count, now_ns=now_ns)
            for interval in current:
                open_orders[interval] = max(open_orders.get(interval, 0) - count, 0)
            continue
        state = orders.place("alice", count, now_ns=now_ns)
        assert state is not None
        fits = all(
            open_orders.get(interval, 0) + count <= limit
            for interval, limit in zip(current, (5, 8), strict=True)
        )
        assert state.allowed == (fits or count == 0)
        if state.allowed:
            for interval in current:
                open_orders[interval] = open_orders.get(interval, 0) + count
