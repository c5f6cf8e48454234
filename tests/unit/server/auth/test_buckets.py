"""The bounded table of buckets: only what carries no state is dropped."""

from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.buckets import EXEMPT, GcraTable, LimitState, to_ms

from tests.unit.server.auth.venue import NOW_NS


def test_a_bucket_without_state_has_no_backlog() -> None:
    table = GcraTable(2)
    assert table.backlog_ns("a", 10**9, now_ns=NOW_NS) == 0
    table.store("a", NOW_NS + 7, now_ns=NOW_NS)
    assert [table.backlog_ns("a", 99, now_ns=NOW_NS + wait) for wait in (0, 6, 7, 8)] == [
        7,
        1,
        0,
        0,
    ]


def test_a_clock_that_is_set_back_leaves_no_more_than_an_empty_bucket() -> None:
    table = GcraTable(2)
    table.store("a", NOW_NS + 7, now_ns=NOW_NS)
    assert table.backlog_ns("a", 10, now_ns=NOW_NS - 3) == 10
    assert table.backlog_ns("a", 10, now_ns=NOW_NS - 1000) == 10
    assert table.backlog_ns("a", 10, now_ns=NOW_NS - 995) == 5


def test_a_full_table_drops_full_buckets_and_only_these() -> None:
    table = GcraTable(2)
    table.store("a", NOW_NS + 10, now_ns=NOW_NS)
    table.store("b", NOW_NS + 20, now_ns=NOW_NS)
    assert table.has_room("a", NOW_NS)
    assert not table.has_room("c", NOW_NS + 9)
    assert table.has_room("c", NOW_NS + 10)
    table.store("c", NOW_NS + 30, now_ns=NOW_NS + 10)
    assert len(table) == 2
    assert table.backlog_ns("b", 10**9, now_ns=NOW_NS + 10) == 10
    assert not table.has_room("d", NOW_NS + 10)


def test_a_bucket_in_use_again_is_not_dropped_at_its_former_time() -> None:
    table = GcraTable(1)
    table.store("a", NOW_NS + 10, now_ns=NOW_NS)
    table.store("a", NOW_NS + 50, now_ns=NOW_NS + 5)
    assert not table.has_room("b", NOW_NS + 10)
    assert table.backlog_ns("a", 10**9, now_ns=NOW_NS + 10) == 40
    assert table.has_room("b", NOW_NS + 50)


def test_full_buckets_leave_step_by_step_when_others_come() -> None:
    table = GcraTable(1000)
    for number in range(100):
        table.store(f"old-{number}", NOW_NS + 1, now_ns=NOW_NS)
    for number in range(60):
        table.store(f"new-{number}", NOW_NS + 9, now_ns=NOW_NS + 2)
    assert len(table) == 60


Steps = list[tuple[int, str, int]]


@given(
    st.lists(st.tuples(st.integers(-5, 20), st.sampled_from("abcdef"), st.integers(1, 30))),
    st.integers(1, 4),
)
def test_no_state_is_ever_lost_and_the_table_stays_bounded(steps: Steps, bound: int) -> None:
    table = GcraTable(bound)
    full_at: dict[str, int] = {}
    now_ns = NOW_NS
    for step_ns, subject, cost_ns in steps:
        now_ns += step_ns
        if not table.has_room(subject, now_ns):
            assert sum(end > now_ns for name, end in full_at.items() if name != subject) >= bound
            continue
        full_at[subject] = now_ns + table.backlog_ns(subject, 10**9, now_ns=now_ns) + cost_ns
        table.store(subject, full_at[subject], now_ns=now_ns)
        assert len(table) <= bound
        highest_ns = max(now_ns, NOW_NS)
        for name, end in full_at.items():
            if end > highest_ns + 100:
                assert table.backlog_ns(name, 10**9, now_ns=now_ns) == end - now_ns


def test_times_are_rounded_up_to_milliseconds() -> None:
    assert [to_ms(time_ns) for time_ns in (0, 1, 1_000_000, 1_000_001)] == [0, 1, 1, 2]


def test_only_the_exempt_state_is_exempt() -> None:
    assert EXEMPT.is_exempt
    assert EXEMPT.allowed
    assert not LimitState("key", 1, 1, 0, 0, allowed=True).is_exempt
