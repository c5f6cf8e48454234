"""What is repeated, when, how often, and what is said when nobody knows."""

from typing import Any

import pytest
import tradewire_client as tw
from hypothesis import given
from hypothesis import strategies as st
from tradewire_client._errors import error_of_status
from tradewire_client._gen.google import rpc
from tradewire_client._retry import Effect, NotSent, Retrier, Work

from tests.unit.client.fake_venue import FakeTime, status_of

POLICY = tw.RetryPolicy(
    attempts=4, deadline=10.0, attempt_timeout=3.0, initial_backoff=0.1, maximum_backoff=0.3
)


def error(name: Any, **metadata: Any) -> Any:
    return error_of_status(rpc.Status.parse(status_of(name, **metadata).SerializeToString()))


def lost() -> Any:
    return tw.Unavailable("connection reset")


class Attempts:
    """Outcomes in order; keeps the time-outs that were given."""

    def __init__(self, *outcomes: Any, clock: Any = None, lasting: Any = 0.0) -> None:
        self.outcomes = list(outcomes)
        self.timeouts: list[float] = []
        self.clock = clock
        self.lasting = lasting

    async def __call__(self, seconds: Any) -> Any:
        self.timeouts.append(seconds)
        if self.clock is not None:
            self.clock.pass_time(min(self.lasting, seconds))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def run(
    attempts: Any, *, effect: Any = Effect.REPEATABLE, policy: Any = POLICY, clock: Any = None
) -> Any:
    clock = clock or FakeTime()
    work = Work(name="PlaceOrder", effect=effect, client_order_id="c1")
    result = await Retrier(policy, clock.world()).run(work, attempts)
    return result, clock.sleeps


async def test_the_first_answer_is_the_result() -> None:
    attempts = Attempts("done")
    assert await run(attempts) == ("done", [])
    assert attempts.timeouts == [3.0]


async def test_waits_double_up_to_their_bound() -> None:
    attempts = Attempts(lost(), lost(), lost(), "done")
    assert await run(attempts) == ("done", [0.1, 0.2, 0.3])


async def test_waits_are_jittered_over_their_whole_range() -> None:
    attempts = Attempts(lost(), lost(), "done")
    assert await run(attempts, clock=FakeTime(random=0.25)) == ("done", [0.025, 0.05])


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_wait_is_never_above_its_bound(failures: Any, die: Any) -> None:
    wait = POLICY.backoff(failures, random=lambda: die)
    assert 0 <= wait <= POLICY.maximum_backoff


async def test_a_lost_command_becomes_an_unknown_outcome_that_says_what_to_ask() -> None:
    attempts = Attempts(*[lost() for _ in range(4)])
    with pytest.raises(tw.UnknownOutcome) as caught:
        await run(attempts)
    assert str(caught.value) == (
        "PlaceOrder was not answered in 4 attempts: it may have happened; "
        "ask orders.get(client_order_id='c1'), or send it again"
    )
    assert (caught.value.client_order_id, caught.value.attempts) == ("c1", 4)
    assert isinstance(caught.value.__cause__, tw.Unavailable)


async def test_a_lost_read_is_simply_unavailable() -> None:
    attempts = Attempts(*[lost() for _ in range(4)])
    with pytest.raises(tw.Unavailable):
        await run(attempts, effect=Effect.NONE)
    assert attempts.outcomes == []


@pytest.mark.parametrize("name", ["PRICE_OFF_TICK", "ORDER_CLOSED", "CLIENT_ORDER_ID_REUSED"])
async def test_an_answer_of_the_engine_settles_what_was_lost(name: Any) -> None:
    with pytest.raises(tw.Refused) as caught:
        await run(Attempts(lost(), error(name)))
    assert caught.value.reason_name == name


async def test_a_rejection_settles_what_was_lost_and_is_not_repeated() -> None:
    attempts = Attempts(lost(), error("INSTRUMENT_HALTED"), "never")
    with pytest.raises(tw.Rejected):
        await run(attempts)
    assert attempts.outcomes == ["never"]


@pytest.mark.parametrize("name", ["SCOPE_MISSING", "KEY_REVOKED", "INTERNAL"])
async def test_an_answer_from_before_the_engine_leaves_it_unknown(name: Any) -> None:
    with pytest.raises(tw.UnknownOutcome) as caught:
        await run(Attempts(lost(), error(name)))
    cause = caught.value.__cause__
    assert isinstance(cause, tw.TradewireError)
    assert cause.reason_name == name


async def test_a_refusal_alone_is_certain() -> None:
    attempts = Attempts(*[error("OVERLOADED") for _ in range(4)])
    with pytest.raises(tw.NotServing):
        await run(attempts)


async def test_a_time_out_is_as_unclear_as_a_lost_connection() -> None:
    attempts = Attempts(tw.TimedOut("late"), error("RATE_LIMITED", retry_after_ms="99999"))
    with pytest.raises(tw.UnknownOutcome):
        await run(attempts)


async def test_a_fault_of_the_server_is_unclear_and_not_repeated() -> None:
    attempts = Attempts(tw.ServerFault("what"), "never")
    with pytest.raises(tw.UnknownOutcome):
        await run(attempts)
    assert attempts.outcomes == ["never"]


@pytest.mark.parametrize("failure", [lost(), tw.ServerFault("what")])
async def test_what_is_not_safe_to_repeat_is_sent_once(failure: Any) -> None:
    attempts = Attempts(failure, "never")
    with pytest.raises(tw.UnknownOutcome):
        await run(attempts, effect=Effect.ONCE)
    assert attempts.outcomes == ["never"]


async def test_what_is_not_safe_to_repeat_is_not_repeated_after_a_refusal_either() -> None:
    attempts = Attempts(error("RATE_LIMITED", retry_after_ms="1"), "never")
    with pytest.raises(tw.RateLimited):
        await run(attempts, effect=Effect.ONCE)


async def test_a_rate_limit_is_waited_for_as_long_as_it_says() -> None:
    attempts = Attempts(error("RATE_LIMITED", retry_after_ms="700"), "done")
    assert await run(attempts) == ("done", [0.8])


async def test_a_rate_limit_beyond_the_deadline_is_told_at_once() -> None:
    attempts = Attempts(error("RATE_LIMITED", retry_after_ms="60000"), "never")
    with pytest.raises(tw.RateLimited) as caught:
        await run(attempts)
    assert caught.value.retry_after == 60.0
    assert attempts.outcomes == ["never"]


async def test_the_total_deadline_bounds_attempts_and_waits() -> None:
    clock = FakeTime()
    attempts = Attempts(*[tw.TimedOut("late") for _ in range(9)], clock=clock, lasting=99)
    policy = tw.RetryPolicy(
        attempts=9, deadline=5.0, attempt_timeout=2.0, initial_backoff=0.1, maximum_backoff=0.1
    )
    with pytest.raises(tw.UnknownOutcome):
        await run(attempts, policy=policy, clock=clock)
    assert attempts.timeouts == [2.0, 2.0, pytest.approx(0.8)]
    assert clock.now == pytest.approx(1005.0)


async def test_what_never_left_is_certain() -> None:
    refused = error("KEY_REVOKED")
    with pytest.raises(tw.AuthenticationError):
        await run(Attempts(NotSent(refused)))
    unreachable = tw.Unavailable("no sign-in")
    with pytest.raises(tw.Unavailable):
        await run(Attempts(NotSent(unreachable)))


async def test_what_left_before_stays_unknown_when_the_repeat_cannot_leave() -> None:
    with pytest.raises(tw.UnknownOutcome):
        await run(Attempts(lost(), NotSent(tw.Unavailable("no sign-in"))))


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"deadline": 0}, {"attempt_timeout": -1}, {"initial_backoff": 0}]
)
def test_a_policy_that_cannot_work_is_refused(wrong: Any) -> None:
    with pytest.raises(tw.ConfigurationError):
        tw.RetryPolicy(**wrong)
