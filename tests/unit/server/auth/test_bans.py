"""Bans: a ladder up with each one, and down again with good behaviour."""

import pytest
from tradewire_server.auth.bans import Bans
from tradewire_server.auth.buckets import Bucket, LimitState
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.unit.server.auth.venue import NOW_NS, SECOND

KEY, ACCOUNT, ADDRESS = (
    Bucket("key", "tw_1"),
    Bucket("account", "alice"),
    Bucket("address", "192.0.2.7"),
)
CALL = (KEY, ACCOUNT, ADDRESS)
ADDRESS_ALONE = (ADDRESS,)
LADDER_S = (10, 100, 1_000)
DECAY_S = 5_000


def _bans(*, subjects_max: int = 100, waits_at_once: int = 0) -> Bans:
    return Bans(
        LimitPolicy(
            refusals=Gcra(3, 3, 60),
            waits_at_once=waits_at_once,
            ban_ladder_s=LADDER_S,
            ban_decay_s=DECAY_S,
            subjects_max=subjects_max,
        )
    )


def _refuse(bans: Bans, now_ns: int, *, times: int = 4, call: tuple[Bucket, ...] = CALL) -> None:
    for _ in range(times):
        bans.count_refusal(call, now_ns, wait_ms=1)


def _banned_for_s(bans: Bans, now_ns: int, call: tuple[Bucket, ...] = CALL) -> int:
    state = bans.check(call, now_ns)
    return state.retry_after_ms // 1000 if state is not None else 0


def test_a_few_refusals_are_forgiven() -> None:
    bans = _bans()
    _refuse(bans, NOW_NS, times=3)
    assert bans.check(CALL, NOW_NS) is None
    # One more is forgiven each 20 s.
    _refuse(bans, NOW_NS + 20 * SECOND, times=1)
    assert bans.check(CALL, NOW_NS + 20 * SECOND) is None
    _refuse(bans, NOW_NS + 20 * SECOND, times=1)
    assert bans.check(CALL, NOW_NS + 20 * SECOND) == LimitState(
        "ban", 0, 0, 10_000, 10_000, allowed=False
    )


def test_a_ban_ends_by_itself() -> None:
    bans = _bans()
    _refuse(bans, NOW_NS)
    assert _banned_for_s(bans, NOW_NS + 9 * SECOND) == 1
    assert bans.check(CALL, NOW_NS + 10 * SECOND) is None


def test_refusals_during_a_ban_do_not_count() -> None:
    bans = _bans()
    _refuse(bans, NOW_NS)
    _refuse(bans, NOW_NS + SECOND, times=100)
    assert _banned_for_s(bans, NOW_NS + SECOND) == 9
    assert _banned_for_s(bans, NOW_NS + 10 * SECOND) == 0


def test_each_ban_in_a_row_is_longer_up_to_the_last_step() -> None:
    bans = _bans()
    now_ns = NOW_NS
    lengths = []
    for _ in range(5):
        _refuse(bans, now_ns)
        lengths.append(_banned_for_s(bans, now_ns))
        now_ns += lengths[-1] * SECOND
    assert lengths == [10, 100, 1_000, 1_000, 1_000]


@pytest.mark.parametrize(
    ("quiet_s", "next_s"),
    [(DECAY_S - 1, 1_000), (DECAY_S, 100), (2 * DECAY_S, 10), (50 * DECAY_S, 10)],
)
def test_time_without_a_ban_takes_back_one_step_after_the_other(quiet_s: int, next_s: int) -> None:
    bans = _bans()
    _refuse(bans, NOW_NS)
    second_ns = NOW_NS + 10 * SECOND
    _refuse(bans, second_ns)
    later_ns = second_ns + (100 + quiet_s) * SECOND
    _refuse(bans, later_ns)
    assert _banned_for_s(bans, later_ns) == next_s


def test_the_key_is_banned_and_not_its_account_or_address() -> None:
    bans = _bans()
    _refuse(bans, NOW_NS)
    assert _banned_for_s(bans, NOW_NS, (KEY,)) == 10
    assert _banned_for_s(bans, NOW_NS, (Bucket("key", "tw_2"), ACCOUNT, ADDRESS)) == 0


def test_without_a_key_the_address_is_banned_whoever_comes_from_there() -> None:
    bans = _bans()
    _refuse(bans, NOW_NS, call=(ADDRESS,))
    assert _banned_for_s(bans, NOW_NS, CALL) == 10


def test_what_has_neither_key_nor_address_is_not_banned() -> None:
    bans = _bans()
    _refuse(bans, NOW_NS, call=(ACCOUNT,))
    assert bans.check((ACCOUNT,), NOW_NS) is None


def _address(host: int) -> tuple[Bucket, ...]:
    return (Bucket("address", f"192.0.2.{host}"),)


def test_who_did_nothing_wrong_for_long_is_forgotten() -> None:
    bans = _bans(subjects_max=2)
    _refuse(bans, NOW_NS, times=1, call=_address(1))
    _refuse(bans, NOW_NS, times=4, call=_address(2))
    later_ns = NOW_NS + 60 * SECOND
    _refuse(bans, later_ns, times=4, call=_address(3))
    assert _banned_for_s(bans, later_ns, _address(3)) == 10
    assert len(bans._records) == 2
    # The second one's step still counts, so it was kept.
    _refuse(bans, later_ns, times=4, call=_address(2))
    assert _banned_for_s(bans, later_ns, _address(2)) == 100


def test_a_full_table_counts_no_new_sender_and_loses_no_old_one() -> None:
    bans = _bans(subjects_max=1)
    _refuse(bans, NOW_NS, call=_address(1))
    _refuse(bans, NOW_NS, call=_address(2))
    assert _banned_for_s(bans, NOW_NS, _address(1)) == 10
    assert _banned_for_s(bans, NOW_NS, _address(2)) == 0


def test_refusals_whose_waits_are_over_do_not_count() -> None:
    bans = _bans(waits_at_once=2)
    now_ns = NOW_NS
    for turn in range(100):
        now_ns = NOW_NS + turn * SECOND // 500
        assert [bans.count_refusal(CALL, now_ns, wait_ms=1) for _ in range(2)] == [1, 2]
        assert bans.check(CALL, now_ns) is None
    _refuse(bans, now_ns, times=4)
    assert _banned_for_s(bans, now_ns) == 10


def test_waits_grow_for_who_goes_on() -> None:
    bans = _bans(waits_at_once=16)
    told = [bans.count_refusal(CALL, NOW_NS, wait_ms=1) for _ in range(18)]
    assert told == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *[1_000] * 8]
    assert bans.count_refusal(ADDRESS_ALONE, NOW_NS, wait_ms=5_000) == 5_000


@pytest.mark.parametrize("interval_us", [50, 500])
def test_who_goes_on_at_a_limit_that_refills_fast_is_banned_all_the_same(interval_us: int) -> None:
    bans = _bans(waits_at_once=16)
    for turn in range(1_000):
        now_ns = NOW_NS + turn * interval_us * 1_000
        if bans.check(CALL, now_ns) is not None:
            return
        bans.count_refusal(CALL, now_ns, wait_ms=1)
    pytest.fail("it was never banned")
