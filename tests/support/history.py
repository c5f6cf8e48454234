"""What clients did and what they were told, as Jepsen records it.

An *operation* is one command of one client; each time it is sent is an *attempt*. Attempts of an
operation have equal content, so every answer must be the first one: two that differ are a violation
as soon as the second comes. An attempt without a result is unknown: it may have had its effect or
not, and it may have it still while the venue that got it lives.
"""

import enum
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

VIOLATIONS_MAX = 1_000

# Refusals that say nothing of an earlier attempt: they come before the client's id is looked up.
PASSING_REFUSALS = frozenset({"NOT_SERVING", "OVERLOADED", "DEADLINE_PASSED", "RATE_LIMITED"})


class Kind(enum.Enum):
    """What a command asks for."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"


class Verdict(enum.Enum):
    """What is known of an operation."""

    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Answer(NamedTuple):
    """A command was done: the bytes of the order after it, or how many a mass cancel took.

    Of a deposit or withdrawal the sequence is that of the ledger.
    """

    order: bytes
    as_of_sequence: int
    priority_kept: bool = False
    canceled_count: int = 0


class Failure(NamedTuple):
    """A command was refused or rejected."""

    outcome: str
    reason: str
    code: int
    text: str
    metadata: tuple[tuple[str, str], ...]

    @property
    def is_rejection(self) -> bool:
        """Tell whether it is an event, with a sequence number."""
        return self.outcome == "rejected"


Result = Answer | Failure


def failure_of(status: status_pb2.Status) -> Failure:
    """Return what an error of the catalogue says.

    Raises ValueError when it has no ErrorInfo, so is no error of the catalogue.
    """
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            metadata = dict(info.metadata)
            outcome = metadata.pop("outcome", "")
            pairs = tuple(sorted(metadata.items()))
            return Failure(outcome, info.reason, status.code, status.message, pairs)
    raise ValueError(f"no error of the catalogue: {status}")


@dataclass(slots=True)
class Attempt:
    """One sending. `life` counts the starts of the venue; no result means unknown."""

    life: int
    cancel_on_disconnect: bool
    result: Result | None = None


@dataclass(slots=True)
class Operation:
    """One command of one client."""

    account: str
    kind: Kind
    request: Message
    client_order_id: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    found: bool = False
    """GetOrder knew the id: from then on it must be there."""

    @property
    def first_answer(self) -> Result | None:
        """What it was answered when it took effect, or was rejected."""
        for attempt in self.attempts:
            if attempt.result is not None and not _refused(attempt.result):
                return attempt.result
        return None

    @property
    def verdict(self) -> Verdict:
        """What is known of it."""
        answer = self.first_answer
        if answer is not None:
            return Verdict.ACKNOWLEDGED if isinstance(answer, Answer) else Verdict.REJECTED
        unknown_life = max((a.life for a in self.attempts if a.result is None), default=None)
        if unknown_life is None:
            return Verdict.REFUSED
        last = self.attempts[-1]
        # The venue that an unknown attempt went to is gone: what a later one says of the id stands.
        if last.life > unknown_life and not self.found and _decides(last.result):
            return Verdict.REFUSED
        return Verdict.UNKNOWN

    @property
    def was_unknown(self) -> bool:
        """Tell whether an attempt has no result."""
        return any(attempt.result is None for attempt in self.attempts)

    def __str__(self) -> str:
        lives = ",".join(str(attempt.life) for attempt in self.attempts)
        name = self.client_order_id or "without an id"
        return f"{self.account} {self.kind.value} {name} (sent in life {lives})"


def _refused(result: Result) -> bool:
    return isinstance(result, Failure) and not result.is_rejection


def _decides(result: Result | None) -> bool:
    return isinstance(result, Failure) and result.reason not in PASSING_REFUSALS


class History:
    """All operations, in the order of their first attempt."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.by_id: dict[tuple[str, str], Operation] = {}
        self.violations: list[str] = []
        self.violation_count = 0
        self.retries = 0

    def begin(
        self, account: str, kind: Kind, request: Message, *, client_order_id: str
    ) -> Operation:
        """Record a new operation; it is sent with `invoke`."""
        operation = Operation(account, kind, request, client_order_id)
        self.operations.append(operation)
        if client_order_id:
            assert (account, client_order_id) not in self.by_id, "clients do not reuse their ids"
            self.by_id[account, client_order_id] = operation
        return operation

    def invoke(
        self, operation: Operation, *, life: int, cancel_on_disconnect: bool = False
    ) -> Attempt:
        """Record that an operation is sent: unknown until it is completed."""
        self.retries += bool(operation.attempts)
        attempt = Attempt(life, cancel_on_disconnect)
        operation.attempts.append(attempt)
        return attempt

    def complete(self, operation: Operation, attempt: Attempt, result: Result) -> None:
        """Record the result of an attempt, and hold it against the results before."""
        first = operation.first_answer
        attempt.result = result
        if isinstance(result, Failure):
            if result.outcome not in ("refused", "rejected"):
                self.violate(f"{operation}: the outcome is neither refused nor rejected: {result}")
            if result.reason == "INTERNAL":
                self.violate(f"{operation}: the venue broke a rule of its own")
        if _refused(result):
            if (first is not None or operation.found) and _decides(result):
                self.violate(f"{operation}: took effect and is refused when repeated: {result}")
        elif first is not None and first != result:
            self.violate(f"{operation}: answered {first}, and when repeated {result}")

    def violate(self, text: str) -> None:
        """Record that a promise was broken."""
        self.violation_count += 1
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(text)

    def with_verdict(self, verdict: Verdict, *, with_id: bool = True) -> Iterator[Operation]:
        """Yield the operations of which this is known."""
        for operation in self.operations:
            if operation.verdict is verdict and (operation.client_order_id or not with_id):
                yield operation

    def count(self) -> Counter[Verdict]:
        """Count operations by what is known of them."""
        return Counter(operation.verdict for operation in self.operations)
