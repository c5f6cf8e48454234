"""The unfilled-order count."""

from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.limit_policy import LimitPolicy
from tradewire_server.auth.unfilled_orders import UnfilledCount, UnfilledOrders

from tests.unit.server.auth.venue import DAY, NOW_NS, SECOND

# NOW_NS is a whole number of ten seconds since the epoch.
INTERVAL = 10 * SECOND


def _orders(*limits: tuple[int, int], subjects_max: int = 100) -> UnfilledOrders:
    return UnfilledOrders(
        LimitPolicy(unfilled_orders=limits or ((10, 3),), subjects_max=subjects_max)
    )


def _place(
    orders: UnfilledOrders, count: int, *, now_ns: int = NOW_NS, account: str = "alice"
) -> UnfilledCount | None:
    """Place so many orders and return what the last one was told."""
    told = None
    for _ in range(count):
        told = orders.place(account, now_ns=now_ns)
    return told


def _left(orders: UnfilledOrders, account: str = "alice", *, now_ns: int = NOW_NS) -> list[int]:
    return [count.remaining for count in orders.report(account, now_ns=now_ns)]


def test_orders_count_until_the_limit_and_then_until_the_interval_ends() -> None:
    orders = _orders()
    later_ns = NOW_NS + 4 * SECOND
    assert _place(orders, 3) is None
    assert _place(orders, 1, now_ns=later_ns) == UnfilledCount(10, 3, 0, 6_000)
    assert _place(orders, 3, now_ns=later_ns, account="bob") is None
    assert _place(orders, 1, now_ns=NOW_NS + INTERVAL) is None


def test_what_is_left_can_be_asked_for_without_counting() -> None:
    orders = _orders((10, 3), (86_400, 100))
    day_left_ms = (DAY - NOW_NS % DAY) // 1_000_000
    _place(orders, 2)
    for _ in range(2):
        assert orders.report("alice", now_ns=NOW_NS + SECOND) == [
            UnfilledCount(10, 3, 1, 9_000),
            UnfilledCount(86_400, 100, 98, day_left_ms - 1_000),
        ]
    assert _left(orders, "bob") == [3, 100]
    assert _left(orders, now_ns=NOW_NS + INTERVAL) == [3, 98]


def test_a_fill_gives_back_and_never_more_than_was_placed() -> None:
    orders = _orders()
    _place(orders, 3)
    orders.give_back("alice", now_ns=NOW_NS)
    orders.give_back("bob", now_ns=NOW_NS)
    assert _place(orders, 1) is None
    assert _place(orders, 1) is not None
    for _ in range(100):
        orders.give_back("alice", now_ns=NOW_NS)
    assert _left(orders) == [3]


def test_the_fill_of_an_order_of_a_former_interval_gives_nothing_extra() -> None:
    orders = _orders()
    _place(orders, 3)
    orders.give_back("alice", now_ns=NOW_NS + INTERVAL)
    assert _place(orders, 3, now_ns=NOW_NS + INTERVAL) is None
    assert _place(orders, 1, now_ns=NOW_NS + INTERVAL) is not None


def test_all_intervals_count_or_none_does() -> None:
    orders = _orders((10, 100), (86_400, 3))
    assert _place(orders, 3) is None
    assert _place(orders, 1) == UnfilledCount(86_400, 3, 0, (DAY - NOW_NS % DAY) // 1_000_000)
    assert _left(orders) == [97, 0], "the refused one was counted nowhere"
    orders.give_back("alice", now_ns=NOW_NS)
    assert _place(orders, 1) is None


def test_of_two_limits_that_refuse_the_one_that_ends_last_is_told() -> None:
    orders = _orders((10, 1), (60, 1), (30, 1))
    _place(orders, 1)
    told = _place(orders, 1)
    assert told is not None
    assert told.interval_s == 60


def test_a_limit_of_none_lets_nothing_pass() -> None:
    assert _place(_orders((10, 0)), 1) is not None


def test_a_clock_that_is_set_back_starts_no_new_interval() -> None:
    orders = _orders()
    _place(orders, 3)
    told = _place(orders, 1, now_ns=NOW_NS - SECOND)
    assert told is not None
    assert told.reset_ms == 11_000


def test_the_number_of_accounts_is_bounded_within_an_interval() -> None:
    orders = _orders(subjects_max=1)
    assert _place(orders, 1) is None
    assert _place(orders, 1, account="bob") is not None
    orders.give_back("alice", now_ns=NOW_NS)
    assert _place(orders, 1, account="bob") is None, "who has no count takes no room"
    assert _place(orders, 1) is not None
    assert _place(orders, 1, now_ns=NOW_NS + INTERVAL) is None


def test_without_such_a_limit_nothing_is_counted() -> None:
    orders = UnfilledOrders(LimitPolicy(unfilled_orders=()))
    assert _place(orders, 1) is None
    orders.give_back("alice", now_ns=NOW_NS)
    assert orders.report("alice", now_ns=NOW_NS) == []


@given(st.lists(st.tuples(st.integers(0, 4 * SECOND), st.sampled_from(["place", "fill"]))))
def test_no_more_than_the_limit_is_unfilled_in_any_interval(steps: list[tuple[int, str]]) -> None:
    orders = _orders((10, 5), (30, 8))
    now_ns = NOW_NS
    unfilled: dict[tuple[int, int], int] = {}
    for step_ns, what in steps:
        now_ns += step_ns
        current = [(length, now_ns // SECOND // length) for length in (10, 30)]
        if what == "fill":
            orders.give_back("alice", now_ns=now_ns)
            for interval in current:
                unfilled[interval] = max(unfilled.get(interval, 0) - 1, 0)
            continue
        fits = all(
            unfilled.get(interval, 0) < limit
            for interval, limit in zip(current, (5, 8), strict=True)
        )
        assert (orders.place("alice", now_ns=now_ns) is None) == fits
        if fits:
            for interval in current:
                unfilled[interval] = unfilled.get(interval, 0) + 1
        assert _left(orders, now_ns=now_ns) == [
            limit - unfilled.get(interval, 0)
            for interval, limit in zip(current, (5, 8), strict=True)
        ]
