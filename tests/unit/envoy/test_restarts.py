"""When Envoy is started again, and when it counts as stuck."""

from tradewire_envoy.restarts import Health, RestartPolicy, Restarts

POLICY = RestartPolicy(
    first_delay_s=1, delay_max_s=5, settled_s=60, start_timeout_s=30, unready_max_s=10
)


def test_each_end_waits_twice_as_long_up_to_a_bound() -> None:
    restarts = Restarts(POLICY)
    assert [restarts.delay_after(0.5) for _ in range(5)] == [1, 2, 4, 5, 5]
    assert restarts.count == 5


def test_after_a_long_run_the_waiting_begins_anew() -> None:
    restarts = Restarts(POLICY)
    assert [restarts.delay_after(ran_s) for ran_s in (0, 0, 60, 0)] == [1, 2, 1, 2]


def test_a_start_may_take_longer_than_a_silence() -> None:
    health = Health(POLICY, started_s=100)
    assert not health.saw(ready=False, now_s=129)
    assert health.saw(ready=False, now_s=130)
    assert not health.was_ready


def test_what_was_ready_and_is_silent_for_too_long_is_stuck() -> None:
    health = Health(POLICY, started_s=0)
    assert not health.saw(ready=True, now_s=1)
    assert not health.saw(ready=False, now_s=10.9)
    assert not health.saw(ready=True, now_s=10.95)
    assert not health.saw(ready=False, now_s=20.9)
    assert health.saw(ready=False, now_s=20.95)
