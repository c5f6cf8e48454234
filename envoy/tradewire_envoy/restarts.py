"""When Envoy is started again, and when it counts as stuck. Time is an argument, nothing happens
here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """How patient one is, in seconds."""

    first_delay_s: float = 0.1
    delay_max_s: float = 10.0
    # Having run for so long, what comes is a new trouble.
    settled_s: float = 60.0
    start_timeout_s: float = 30.0
    unready_max_s: float = 10.0
    check_interval_s: float = 1.0
    check_timeout_s: float = 5.0


class Restarts:
    """Counts ends and says how long to wait before the next start."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._delay_s = policy.first_delay_s
        self.count = 0

    def delay_after(self, ran_s: float) -> float:
        """Return how long to wait after a run of so many seconds: twice as long each time."""
        self.count += 1
        if ran_s >= self._policy.settled_s:
            self._delay_s = self._policy.first_delay_s
        delay_s = self._delay_s
        self._delay_s = min(delay_s * 2, self._policy.delay_max_s)
        return delay_s


class Health:
    """Decides from the answers to `/ready` of one run whether it is stuck."""

    def __init__(self, policy: RestartPolicy, *, started_s: float) -> None:
        self._policy = policy
        self._good_s = started_s
        self.was_ready = False

    def saw(self, *, ready: bool, now_s: float) -> bool:
        """Take an answer; return whether to give this run up."""
        if ready:
            self._good_s = now_s
            self.was_ready = True
            return False
        policy = self._policy
        patience_s = policy.unready_max_s if self.was_ready else policy.start_timeout_s
        return now_s - self._good_s >= patience_s
