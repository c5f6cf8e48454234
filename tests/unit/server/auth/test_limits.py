"""Rate limits: never more than rate and burst, all or nothing, a reserve for what reduces risk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.buckets import EXEMPT, Bucket, LimitState
from tradewire_server.auth.errors import Reason
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.auth.limits import Limiter, LimitReport, rate_limited

from tests.unit.server.auth.venue import NOW_NS, SECOND

KEY, ACCOUNT, ADDRESS = (
    Bucket("key", "tw_1"),
    Bucket("account", "alice"),
    Bucket("address", "192.0.2.7"),
)
ALL = (KEY, ACCOUNT, ADDRESS)
MANY = Gcra(1_000_000, 1_000_000)


def _limiter(
    *,
    key: Gcra = MANY,
    account: Gcra = MANY,
    address: Gcra = MANY,
    reserve_percent: int = 0,
    subjects_max: int = 100,
    refusals: Gcra = MANY,
) -> Limiter:
    return Limiter(
        LimitPolicy(
            key=key,
            account=account,
            address=address,
            reserve_percent=reserve_percent,
            subjects_max=subjects_max,
            refusals=refusals,
            waits_at_once=0,
            ban_ladder_s=(10, 100),
        )
    )


def test_a_burst_passes_at_once_and_then_what_flows_back() -> None:
    limiter = _limiter(key=Gcra(10, 3))
    states = [limiter.take([KEY], weight=1, now_ns=NOW_NS) for _ in range(4)]
    assert states == [
        LimitState("key", 3, 2, 100, 0, allowed=True),
        LimitState("key", 3, 1, 200, 0, allowed=True),
        LimitState("key", 3, 0, 300, 0, allowed=True),
        LimitState("key", 3, 0, 300, 100, allowed=False),
    ]
    assert not limiter.take([KEY], weight=1, now_ns=NOW_NS + SECOND // 10 - 1).allowed
    assert limiter.take([KEY], weight=1, now_ns=NOW_NS + SECOND // 10).allowed


def test_who_waits_as_told_passes() -> None:
    limiter = _limiter(key=Gcra(7, 10))
    limiter.take([KEY], weight=9, now_ns=NOW_NS)
    refused = limiter.take([KEY], weight=5, now_ns=NOW_NS)
    assert not refused.allowed
    later_ns = NOW_NS + refused.retry_after_ms * 1_000_000
    assert not limiter.take([KEY], weight=5, now_ns=later_ns - 1_000_000).allowed
    assert limiter.take([KEY], weight=5, now_ns=later_ns).allowed


def test_the_tightest_bucket_is_reported() -> None:
    limiter = _limiter(key=Gcra(1, 50), account=Gcra(1, 20), address=Gcra(1, 70))
    state = limiter.take(ALL, weight=5, now_ns=NOW_NS)
    assert (state.scope, state.limit, state.remaining) == ("account", 20, 15)


def test_of_several_refusals_the_longest_wait_is_reported() -> None:
    limiter = _limiter(key=Gcra(10, 2), account=Gcra(1, 2))
    limiter.take(ALL, weight=2, now_ns=NOW_NS)
    state = limiter.take(ALL, weight=1, now_ns=NOW_NS)
    assert (state.scope, state.retry_after_ms) == ("account", 1000)


def test_a_refused_call_takes_nothing_from_any_bucket() -> None:
    limiter = _limiter(account=Gcra(1, 2))
    other = (Bucket("key", "tw_2"), Bucket("account", "bob"), ADDRESS)
    limiter.take(ALL, weight=2, now_ns=NOW_NS)
    before = limiter.report(ALL, now_ns=NOW_NS)
    assert not limiter.take(ALL, weight=1, now_ns=NOW_NS).allowed
    assert limiter.report(ALL, now_ns=NOW_NS) == before
    assert limiter.take(other, weight=2, now_ns=NOW_NS).allowed


def test_more_than_the_burst_never_passes_and_is_told_to_split() -> None:
    limiter = _limiter(key=Gcra(10, 3))
    idle = limiter.take([KEY], weight=4, now_ns=NOW_NS)
    assert idle == LimitState("key", 3, 3, 0, 1, allowed=False)
    assert "send less at once" in rate_limited(idle, weight=4).message
    limiter.take([KEY], weight=2, now_ns=NOW_NS)
    assert limiter.take([KEY], weight=4, now_ns=NOW_NS).retry_after_ms == 200


def test_weight_zero_is_never_refused_and_leaves_no_state() -> None:
    limiter = _limiter(key=Gcra(1, 1), subjects_max=1)
    assert limiter.take([Bucket("key", "tw_9")], weight=0, now_ns=NOW_NS).allowed
    assert limiter.take([KEY], weight=1, now_ns=NOW_NS).allowed
    state = limiter.take([KEY], weight=0, now_ns=NOW_NS)
    assert state == LimitState("key", 1, 0, 1000, 0, allowed=True)


def test_the_reserve_is_for_calls_that_reduce_risk() -> None:
    limiter = _limiter(key=Gcra(1, 10), reserve_percent=20)
    placed = [limiter.take([KEY], weight=1, now_ns=NOW_NS) for _ in range(9)]
    assert [state.allowed for state in placed] == [True] * 8 + [False]
    assert placed[0] == LimitState("key", 8, 7, 1000, 0, allowed=True)
    assert placed[8] == LimitState("key", 8, 0, 8000, 1000, allowed=False)
    canceled = [limiter.take([KEY], weight=1, now_ns=NOW_NS, reduces_risk=True) for _ in range(3)]
    assert [state.allowed for state in canceled] == [True, True, False]
    assert canceled[0] == LimitState("key", 10, 1, 9000, 0, allowed=True)
    # What reads within the reserve sees that nothing is left for it, never less.
    assert limiter.take([KEY], weight=0, now_ns=NOW_NS).remaining == 0
    assert not limiter.take([KEY], weight=1, now_ns=NOW_NS).allowed


def test_the_reserve_holds_in_every_bucket() -> None:
    limiter = _limiter(
        key=Gcra(1, 10), account=Gcra(1, 10), address=Gcra(1, 10), reserve_percent=50
    )
    assert limiter.take(ALL, weight=5, now_ns=NOW_NS).allowed
    assert not limiter.take(ALL, weight=1, now_ns=NOW_NS).allowed
    assert limiter.take(ALL, weight=5, now_ns=NOW_NS, reduces_risk=True).allowed


def test_an_exempt_account_has_no_limits() -> None:
    limiter = _limiter(key=Gcra(1, 1), account=Gcra(1, 1), address=Gcra(1, 1))
    limiter.set_exempt("alice", True)
    assert limiter.is_exempt("alice")
    assert [limiter.take(ALL, weight=50, now_ns=NOW_NS) for _ in range(3)] == [EXEMPT] * 3
    other = (Bucket("key", "tw_2"), Bucket("account", "bob"))
    assert not limiter.take(other, weight=50, now_ns=NOW_NS).allowed
    limiter.set_exempt("alice", False)
    assert not limiter.is_exempt("alice")
    assert not limiter.take(ALL, weight=50, now_ns=NOW_NS).allowed


def test_without_buckets_nothing_limits() -> None:
    assert _limiter().take((), weight=10**9, now_ns=NOW_NS) == EXEMPT


def test_a_table_full_of_used_buckets_refuses_new_subjects() -> None:
    limiter = _limiter(address=Gcra(1, 5), subjects_max=2)
    addresses = [Bucket("address", f"192.0.2.{host}") for host in range(3)]
    for bucket in addresses[:2]:
        assert limiter.take([bucket], weight=1, now_ns=NOW_NS).allowed
    refused = limiter.take([addresses[2]], weight=1, now_ns=NOW_NS)
    assert refused == LimitState("address", 5, 0, 0, 1000, allowed=False)
    assert limiter.take([addresses[0]], weight=1, now_ns=NOW_NS).allowed
    assert limiter.take([addresses[2]], weight=1, now_ns=NOW_NS + SECOND).allowed


def test_who_is_refused_too_often_is_banned_from_everything_but_reducing_risk() -> None:
    limiter = _limiter(key=Gcra(1, 4), reserve_percent=50, refusals=Gcra(2, 2, 60))
    limiter.take([KEY], weight=2, now_ns=NOW_NS)
    for _ in range(3):
        assert limiter.take([KEY], weight=1, now_ns=NOW_NS).scope == "key"
    banned = LimitState("ban", 0, 0, 10_000, 10_000, allowed=False)
    assert limiter.take([KEY], weight=1, now_ns=NOW_NS) == banned
    assert limiter.ban([KEY], now_ns=NOW_NS) == banned
    # What costs nothing can be asked.
    assert limiter.take([KEY], weight=0, now_ns=NOW_NS).allowed
    assert limiter.take([KEY], weight=1, now_ns=NOW_NS, reduces_risk=True).allowed
    assert limiter.take([KEY], weight=1, now_ns=NOW_NS + 10 * SECOND).allowed


def test_a_refusal_for_want_of_room_counts_too() -> None:
    limiter = _limiter(address=Gcra(1, 5), subjects_max=1, refusals=Gcra(1, 1, 60))
    limiter.take([ADDRESS], weight=5, now_ns=NOW_NS)
    stranger = Bucket("address", "198.51.100.1")
    for _ in range(2):
        assert limiter.take([stranger], weight=1, now_ns=NOW_NS).scope == "address"
    assert limiter.take([stranger], weight=1, now_ns=NOW_NS).scope == "ban"


def test_the_report_lists_every_limit_with_its_reserve() -> None:
    limiter = _limiter(key=Gcra(2, 10), account=Gcra(4, 20), reserve_percent=10)
    assert limiter.take(ALL[:2], weight=3, now_ns=NOW_NS).allowed
    assert limiter.report(ALL[:2], now_ns=NOW_NS) == (
        LimitReport("key", Gcra(2, 10), reserve=1, remaining=7, reset_ms=1500),
        LimitReport("account", Gcra(4, 20), reserve=2, remaining=17, reset_ms=750),
    )
    assert limiter.report(ALL[:1], now_ns=NOW_NS - 60 * SECOND)[0].remaining == 0


@pytest.mark.parametrize(
    ("state", "weight", "text"),
    [
        (LimitState("key", 10, 0, 100, 50, allowed=False), 1, "The limit of 10 per key is used up"),
        (LimitState("account", 10, 0, 9, 7, allowed=False), 11, "never fits the limit of 10 per"),
        (LimitState("ban", 0, 0, 9, 9, allowed=False), 1, "banned for now: wait 9 ms"),
    ],
)
def test_a_refusal_becomes_an_error_that_says_when_to_retry(
    state: LimitState, weight: int, text: str
) -> None:
    error = rate_limited(state, weight=weight)
    assert error.reason == Reason.RATE_LIMITED
    assert text in error.message
    assert error.metadata == {
        "scope": state.scope,
        "limit": str(state.limit),
        "retry_after_ms": str(state.retry_after_ms),
    }


def test_what_is_allowed_is_no_error() -> None:
    with pytest.raises(AssertionError, match="only a refusal"):
        rate_limited(LimitState("key", 1, 1, 0, 0, allowed=True))


@st.composite
def _calls(draw: st.DrawFn) -> list[tuple[int, int, bool]]:
    """Draw steps of the clock, a weight, and whether the call reduces risk."""
    step_ns = st.one_of(st.just(0), st.integers(0, 3 * SECOND))
    return draw(
        st.lists(st.tuples(step_ns, st.integers(0, 6), st.booleans()), min_size=1, max_size=60)
    )


@given(_calls(), st.integers(1, 50), st.integers(1, 12), st.integers(1, 7), st.integers(0, 90))
def test_over_any_time_no_more_passes_than_rate_and_burst(
    calls: list[tuple[int, int, bool]], rate: int, burst: int, period_s: int, reserve: int
) -> None:
    limiter = _limiter(key=Gcra(rate, burst, period_s), reserve_percent=reserve)
    passed: list[tuple[int, int]] = []
    now_ns = NOW_NS
    for step_ns, weight, reduces_risk in calls:
        now_ns += step_ns
        state = limiter.take([KEY], weight=weight, now_ns=now_ns, reduces_risk=reduces_risk)
        assert 0 <= state.remaining <= state.limit <= burst
        if state.allowed:
            passed.append((now_ns, weight))
    for first, (start_ns, _) in enumerate(passed):
        total = 0
        for end_ns, weight in passed[first:]:
            total += weight
            # total <= burst + rate * time, in whole numbers.
            assert (total - burst) * period_s * SECOND <= rate * (end_ns - start_ns)


@given(_calls())
def test_whoever_stays_below_rate_and_burst_is_never_refused(
    calls: list[tuple[int, int, bool]],
) -> None:
    limiter = _limiter(key=Gcra(10, 6))
    now_ns = NOW_NS
    for _, weight, _ in calls:
        now_ns += weight * SECOND // 10
        assert limiter.take([KEY], weight=weight, now_ns=now_ns).allowed


@given(st.lists(st.tuples(st.integers(-5 * SECOND, SECOND), st.integers(1, 3)), max_size=50))
def test_a_clock_that_is_set_back_lets_no_more_pass(steps: list[tuple[int, int]]) -> None:
    limiter = _limiter(key=Gcra(1, 5))
    now_ns = NOW_NS
    total = forward_ns = 0
    for step_ns, weight in steps:
        now_ns += step_ns
        forward_ns += max(step_ns, 0)
        if limiter.take([KEY], weight=weight, now_ns=now_ns).allowed:
            total += weight
    # Time that is counted twice refills twice; a step back as such refills nothing.
    assert (total - 5) * SECOND <= forward_ns


def test_a_clock_that_is_set_back_far_does_not_refuse_for_as_long() -> None:
    limiter = _limiter(key=Gcra(1, 5))
    limiter.take([KEY], weight=1, now_ns=NOW_NS)
    past_ns = NOW_NS - 86_400 * SECOND
    assert limiter.take([KEY], weight=1, now_ns=past_ns).retry_after_ms == 1000
    assert limiter.take([KEY], weight=1, now_ns=past_ns + SECOND).allowed


def test_of_the_reserve_half_is_for_who_is_known() -> None:
    limiter = _limiter(address=Gcra(1, 100), reserve_percent=10)

    def take(**how: bool) -> LimitState:
        return limiter.take([ADDRESS], weight=1, now_ns=NOW_NS, **how)

    def usable(**how: bool) -> int:
        count = 0
        while (state := take(**how)).allowed:
            count += 1
        assert state.limit == limiter.take([ADDRESS], weight=0, now_ns=NOW_NS, **how).limit
        return count

    # To be a stranger is no advantage.
    assert usable(is_stranger=True) == 90
    assert usable() == 0
    assert usable(reduces_risk=True, is_stranger=True) == 5
    assert usable(reduces_risk=True) == 5
