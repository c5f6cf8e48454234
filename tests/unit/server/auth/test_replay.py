"""Freshness and nonces: nothing is accepted twice, and the memory is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.errors import AuthError, Exhausted, Reason, Unauthenticated
from tradewire_server.auth.replay import ReplayGuard, ReplayPolicy, floor_after_restart
from tradewire_server.auth.verifier import Proof, VerifiedProof

from tests.unit.server.auth.venue import NOW_MS, NOW_NS, ed25519_key

MS = 1_000_000


def _verified(
    nonce: str, *, timestamp_ms: int = NOW_MS, window_ms: int = 60_000, key_id: str = "tw_1"
) -> VerifiedProof:
    proof = Proof(key_id, timestamp_ms, window_ms, nonce, b"", b"")
    return VerifiedProof(proof, ed25519_key(key_id))


def _is_admitted(guard: ReplayGuard, verified: VerifiedProof, now_ns: int) -> bool:
    try:
        guard.admit(verified, now_ns)
    except AuthError:
        return False
    return True


def _guard(*, floor_ms: int = 0, per_key: int = 100, total: int = 1000) -> ReplayGuard:
    policy = ReplayPolicy(nonces_per_key_max=per_key, nonces_max=total)
    return ReplayGuard(policy, floor_ms=floor_ms)


@pytest.mark.parametrize("skew_ms", [-5_000, -1, 0, 1, 999])
def test_a_timestamp_within_the_window_is_fresh(skew_ms: int) -> None:
    _guard().check_fresh(timestamp_ms=NOW_MS + skew_ms, window_ms=5_000, now_ns=NOW_NS + 999_999)


@pytest.mark.parametrize(
    ("skew_ms", "window_ms", "text"),
    [
        (-5_001, 5_000, "5001 ms old, the window is 5000 ms"),
        (-2, 1, "2 ms old"),
        (-60_001, 60_000, "60001 ms old"),
        (1_000, 5_000, "1000 ms ahead"),
        (10**9, 60_000, "ahead"),
        (0, 0, "possible are 1 to 60000 ms"),
        (0, -1, "possible are 1 to 60000 ms"),
        (0, 60_001, "possible are 1 to 60000 ms"),
        (-NOW_MS - 1, 60_000, "ms old"),
    ],
)
def test_a_timestamp_outside_the_window_is_refused_with_the_difference(
    skew_ms: int, window_ms: int, text: str
) -> None:
    with pytest.raises(Unauthenticated, match=text) as refusal:
        _guard().check_fresh(timestamp_ms=NOW_MS + skew_ms, window_ms=window_ms, now_ns=NOW_NS)
    assert refusal.value.reason == Reason.TIMESTAMP_OUT_OF_WINDOW
    assert refusal.value.metadata == {
        "server_time_ms": str(NOW_MS),
        "skew_ms": str(skew_ms),
        "window_ms": str(window_ms),
    }


def test_after_a_restart_nothing_is_accepted_that_the_former_process_could_have() -> None:
    policy = ReplayPolicy()
    floor_ms = floor_after_restart(NOW_NS, policy)
    guard = ReplayGuard(policy, floor_ms=floor_ms)
    # The former process accepted timestamps less than a second ahead until it ended.
    newest_ms = NOW_MS + policy.future_tolerance_ms - 1
    with pytest.raises(Unauthenticated, match="before the server's start") as refusal:
        guard.admit(_verified("n", timestamp_ms=newest_ms), NOW_NS + 5 * MS)
    # The time of now is too early as well, so it is said how long to wait.
    assert refusal.value.metadata["retry_after_ms"] == str(policy.future_tolerance_ms - 5)
    with pytest.raises(Unauthenticated) as refusal:
        guard.check_fresh(timestamp_ms=newest_ms, window_ms=60_000, now_ns=NOW_NS + 2_000 * MS)
    assert "retry_after_ms" not in refusal.value.metadata
    guard.admit(_verified("n", timestamp_ms=newest_ms + 1), NOW_NS + 5 * MS)


def test_a_nonce_is_accepted_once_per_key() -> None:
    guard = _guard()
    guard.admit(_verified("n"), NOW_NS)
    guard.admit(_verified("n", key_id="tw_2"), NOW_NS)
    guard.admit(_verified("m"), NOW_NS)
    for timestamp_ms in (NOW_MS, NOW_MS - 1, NOW_MS - 45_000):
        with pytest.raises(Unauthenticated) as refusal:
            guard.admit(_verified("n", timestamp_ms=timestamp_ms), NOW_NS)
        assert refusal.value.reason == Reason.NONCE_REUSED
    assert len(guard) == 3


def test_a_wider_window_does_not_bring_a_nonce_back() -> None:
    guard = _guard()
    guard.admit(_verified("n", window_ms=1), NOW_NS)
    for age_ms in range(0, 60_001, 5_000):
        with pytest.raises(Unauthenticated) as refusal:
            guard.admit(_verified("n"), NOW_NS + age_ms * MS)
        assert refusal.value.reason == Reason.NONCE_REUSED
    with pytest.raises(Unauthenticated) as refusal:
        guard.admit(_verified("n"), NOW_NS + 60_001 * MS)
    assert refusal.value.reason == Reason.TIMESTAMP_OUT_OF_WINDOW


def test_a_clock_that_is_set_back_does_not_bring_a_nonce_back() -> None:
    guard = _guard()
    guard.admit(_verified("n"), NOW_NS)
    later_ms = NOW_MS + 3_600_000
    guard.admit(_verified("other", timestamp_ms=later_ms), later_ms * MS)
    assert len(guard) == 1
    with pytest.raises(Unauthenticated, match="before the server's start"):
        guard.admit(_verified("n"), NOW_NS)


def test_a_refused_proof_leaves_no_trace() -> None:
    guard = _guard()
    with pytest.raises(Unauthenticated):
        guard.admit(_verified("n", timestamp_ms=NOW_MS - 70_000), NOW_NS)
    assert len(guard) == 0


def test_a_key_with_too_many_nonces_is_refused_until_the_oldest_are_forgotten() -> None:
    guard = _guard(per_key=2)
    guard.admit(_verified("a"), NOW_NS)
    guard.admit(_verified("b"), NOW_NS)
    guard.admit(_verified("c", key_id="tw_2"), NOW_NS)
    with pytest.raises(Exhausted, match="2 signatures of this key") as refusal:
        guard.admit(_verified("d"), NOW_NS)
    assert refusal.value.reason == Reason.NONCE_CACHE_FULL
    wait_ms = int(refusal.value.metadata["retry_after_ms"])
    assert refusal.value.metadata == {"limit": "2", "retry_after_ms": str(wait_ms)}
    later_ms = NOW_MS + wait_ms - 1
    with pytest.raises(Exhausted):
        guard.admit(_verified("d", timestamp_ms=later_ms), later_ms * MS)
    guard.admit(_verified("d", timestamp_ms=NOW_MS + wait_ms), (NOW_MS + wait_ms) * MS)


def test_all_keys_together_are_bounded() -> None:
    guard = _guard(total=2)
    guard.admit(_verified("a", key_id="tw_1"), NOW_NS)
    guard.admit(_verified("b", key_id="tw_2"), NOW_NS)
    with pytest.raises(Exhausted, match="2 signatures of all keys") as refusal:
        guard.admit(_verified("c", key_id="tw_3"), NOW_NS)
    assert int(refusal.value.metadata["retry_after_ms"]) > 0
    assert len(guard) == 2


def test_forgetting_counts_each_key_by_itself() -> None:
    guard = _guard(per_key=2)
    guard.admit(_verified("a"), NOW_NS)
    middle_ms = NOW_MS + 50_000
    guard.admit(_verified("b", timestamp_ms=middle_ms), middle_ms * MS)
    late_ms = NOW_MS + 95_000
    guard.admit(_verified("c", timestamp_ms=late_ms), late_ms * MS)
    assert len(guard) == 2
    with pytest.raises(Exhausted):
        guard.admit(_verified("d", timestamp_ms=late_ms), late_ms * MS)


@st.composite
def _arrivals(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Draw steps of the clock (also back), an age, a window and the number of a nonce."""
    return draw(
        st.lists(
            st.tuples(
                st.integers(-90_000, 90_000),
                st.integers(-2_000, 70_000),
                st.sampled_from([1, 5_000, 60_000]),
                st.integers(0, 5),
            ),
            max_size=60,
        )
    )


@given(_arrivals())
def test_no_signature_is_ever_accepted_twice_and_the_memory_is_bounded(
    arrivals: list[tuple[int, int, int, int]],
) -> None:
    guard = _guard(per_key=8, total=10)
    accepted: set[tuple[str, str, int]] = set()
    now_ms = NOW_MS
    seen: list[tuple[str, str, int]] = []
    for step_ms, age_ms, window_ms, number in arrivals:
        now_ms += step_ms
        seen.append((f"tw_{number % 2}", f"nonce-{number}", now_ms - age_ms))
        # Everything that was ever seen is presented again, with the widest window too.
        for signature in dict.fromkeys(seen):
            key_id, nonce, timestamp_ms = signature
            verified = _verified(
                nonce, timestamp_ms=timestamp_ms, window_ms=window_ms, key_id=key_id
            )
            if _is_admitted(guard, verified, now_ms * MS):
                assert signature not in accepted
                assert -1_000 < now_ms - timestamp_ms <= window_ms
                accepted.add(signature)
        assert len(guard) <= 10


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 3)), max_size=80))
def test_no_nonce_is_accepted_twice_inside_the_widest_window(
    arrivals: list[tuple[int, int]],
) -> None:
    guard = _guard()
    last: dict[str, int] = {}
    now_ms = NOW_MS
    for step_ms, number in arrivals:
        now_ms += step_ms
        nonce = f"nonce-{number}"
        verified = _verified(nonce, timestamp_ms=now_ms)
        age_ms = now_ms - last.get(nonce, 0)
        if _is_admitted(guard, verified, now_ms * MS):
            assert age_ms > 60_000
            last[nonce] = now_ms
        else:
            # Buckets are forgotten as a whole, so a nonce may be remembered a little longer.
            assert age_ms <= 60_000 + guard.policy.bucket_ms
