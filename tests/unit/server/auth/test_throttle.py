"""The throttle of failing sign-ins."""

import pytest
from tradewire_server.auth.errors import Exhausted, Reason
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.auth.throttle import SignInThrottle

from tests.unit.server.auth.venue import ADDRESS, NOW_NS, SECOND

KEY = "tw_ABCDEFGHIJKL"
MANY = Gcra(1000, 1000)


def _throttle(
    *, address: Gcra = MANY, prefix: Gcra = MANY, subjects_max: int = 100
) -> SignInThrottle:
    return SignInThrottle(
        LimitPolicy(
            sign_in_failures_per_address=address,
            sign_in_failures_per_key_prefix=prefix,
            subjects_max=subjects_max,
        )
    )


def _fail(throttle: SignInThrottle, *, address: str | None, key_id: str | None) -> None:
    throttle.count_failure(address=address, key_id=key_id, now_ns=NOW_NS)


def _is_open(
    throttle: SignInThrottle, *, address: str | None, key_id: str | None, now_ns: int = NOW_NS
) -> bool:
    try:
        throttle.check(address=address, key_id=key_id, now_ns=now_ns)
    except Exhausted as refusal:
        return refusal.reason != Reason.RATE_LIMITED
    return True


def test_an_address_with_too_many_failures_waits_and_is_told_how_long() -> None:
    throttle = _throttle(address=Gcra(1, 2, 10))
    for _ in range(2):
        throttle.check(address=ADDRESS, key_id=KEY, now_ns=NOW_NS)
        _fail(throttle, address=ADDRESS, key_id=KEY)
    with pytest.raises(Exhausted, match="wait 10000 ms") as refusal:
        throttle.check(address=ADDRESS, key_id="tw_another", now_ns=NOW_NS)
    assert refusal.value.metadata == {"scope": "sign_in", "limit": "2", "retry_after_ms": "10000"}
    assert _is_open(throttle, address="192.0.2.8", key_id=KEY)
    assert not _is_open(throttle, address=ADDRESS, key_id=None, now_ns=NOW_NS + 10 * SECOND - 1)
    assert _is_open(throttle, address=ADDRESS, key_id=None, now_ns=NOW_NS + 10 * SECOND)


def test_checking_costs_nothing() -> None:
    throttle = _throttle(address=Gcra(1, 1), prefix=Gcra(1, 1))
    assert all(_is_open(throttle, address=ADDRESS, key_id=KEY) for _ in range(10))


def test_a_key_prefix_with_too_many_failures_waits_wherever_they_come_from() -> None:
    throttle = _throttle(prefix=Gcra(1, 3, 10))
    for host in range(3):
        _fail(throttle, address=f"192.0.2.{host}", key_id=f"tw_ABCDE{host}")
    assert not _is_open(throttle, address="198.51.100.1", key_id=KEY)
    assert not _is_open(throttle, address=None, key_id=KEY)
    assert _is_open(throttle, address="198.51.100.1", key_id="tw_ABCDF")
    assert _is_open(throttle, address="198.51.100.1", key_id=None)


def test_strangers_cannot_lock_a_key_out_of_the_address_that_it_is_used_from() -> None:
    throttle = _throttle(prefix=Gcra(1, 1, 10))
    throttle.note_success(address=ADDRESS, key_id=KEY)
    _fail(throttle, address="198.51.100.1", key_id=KEY)
    assert not _is_open(throttle, address="198.51.100.1", key_id=KEY)
    assert _is_open(throttle, address=ADDRESS, key_id=KEY)
    # Nor do failures of the key's holder slow others.
    _fail(throttle, address=ADDRESS, key_id="tw_ABCDX")
    other = _throttle(prefix=Gcra(1, 1, 10))
    other.note_success(address=ADDRESS, key_id=KEY)
    _fail(other, address=ADDRESS, key_id=KEY)
    assert _is_open(other, address="198.51.100.1", key_id=KEY)


def test_failures_from_an_address_do_not_lock_out_who_signed_in_from_there() -> None:
    throttle = _throttle(address=Gcra(1, 2, 10))
    throttle.note_success(address=ADDRESS, key_id=KEY)
    for _ in range(3):
        _fail(throttle, address=ADDRESS, key_id="tw_guessed")
    assert _is_open(throttle, address=ADDRESS, key_id=KEY)
    # Nobody else is let in by that.
    assert not _is_open(throttle, address=ADDRESS, key_id="tw_guessed")
    assert not _is_open(throttle, address=ADDRESS, key_id="tw_another")
    assert not _is_open(throttle, address=ADDRESS, key_id=None)
    # The proof is of this address: elsewhere the key is as any other.
    _fail(throttle, address="192.0.2.99", key_id=None)
    _fail(throttle, address="192.0.2.99", key_id=None)
    assert not _is_open(throttle, address="192.0.2.99", key_id=KEY)


def test_who_fails_with_a_proven_key_gains_no_tries_with_others() -> None:
    throttle = _throttle(address=Gcra(1, 1, 10))
    throttle.note_success(address=ADDRESS, key_id=KEY)
    _fail(throttle, address=ADDRESS, key_id=KEY)
    assert _is_open(throttle, address=ADDRESS, key_id=KEY)
    assert not _is_open(throttle, address=ADDRESS, key_id="tw_another")


def test_a_caller_without_address_is_counted_by_its_key_only() -> None:
    throttle = _throttle(address=Gcra(1, 1), prefix=Gcra(1, 2))
    throttle.note_success(address=None, key_id=KEY)
    _fail(throttle, address=None, key_id=KEY)
    assert _is_open(throttle, address=None, key_id=KEY)
    _fail(throttle, address=None, key_id=KEY)
    assert not _is_open(throttle, address=None, key_id=KEY)
    _fail(throttle, address=None, key_id=None)
    assert _is_open(throttle, address=None, key_id=None)


def test_failures_that_were_checked_together_do_not_pile_up() -> None:
    throttle = _throttle(address=Gcra(1, 2))
    for _ in range(50):
        _fail(throttle, address=ADDRESS, key_id=None)
    assert _is_open(throttle, address=ADDRESS, key_id=None, now_ns=NOW_NS + SECOND)


def test_an_ipv6_network_is_one_address() -> None:
    throttle = _throttle(address=Gcra(1, 1))
    _fail(throttle, address="2001:db8::1", key_id=None)
    assert not _is_open(throttle, address="2001:db8::2", key_id=None)


def test_the_tables_are_bounded() -> None:
    throttle = _throttle(address=Gcra(1, 1), prefix=Gcra(1, 1), subjects_max=2)
    for host in range(5):
        _fail(throttle, address=f"192.0.2.{host}", key_id=f"tw_{host}")
        throttle.note_success(address=f"192.0.2.{host}", key_id=f"tw_{host}")
    states = [_is_open(throttle, address=f"192.0.2.{host}", key_id=None) for host in range(5)]
    assert states == [False, False, True, True, True]
    assert list(throttle._proven) == [("tw_3", "192.0.2.3"), ("tw_4", "192.0.2.4")]


def test_the_last_use_counts_for_what_is_kept() -> None:
    throttle = _throttle(subjects_max=2)
    for key_id in ("tw_1", "tw_2", "tw_1", "tw_3"):
        throttle.note_success(address=ADDRESS, key_id=key_id)
    assert [key_id for key_id, _ in throttle._proven] == ["tw_1", "tw_3"]
