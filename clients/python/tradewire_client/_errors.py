"""What can go wrong, as a tree; all that this package raises about calls is a TradewireError.

    TradewireError
    ├── ConfigurationError        the client was set up or used in a way that cannot work
    ├── ClientClosed              it was used after it was closed
    ├── TooManyPending            an order entry stream has no room: `await entry.drain()` first
    ├── Refused                   certain: no effect, no execution, the client order id stays free
    │   ├── InvalidRequest        a field is wrong: see `field_violations`
    │   ├── AuthenticationError   who is calling is not established
    │   ├── PermissionDenied      who is calling is known and may not do this
    │   ├── NotFound              there is no such order, instrument, account or key
    │   ├── AlreadyExists         the id was used for something else
    │   ├── FailedPrecondition    the state does not allow it, e.g. the order is closed
    │   ├── OutOfRange            the sequence asked for is not available: `first`, `last`
    │   ├── Exhausted             a limit is used up
    │   │   └── RateLimited       a rate limit: wait for `retry_after` seconds
    │   ├── DeadlinePassed        it came too late to the engine, and was dropped
    │   └── NotServing            the venue is overloaded, starting or stopping (also Unavailable)
    ├── Rejected                  certain: an execution says so, and the client order id is taken
    ├── UnknownOutcome            it may or may not have happened: ask `orders.get`
    ├── Unavailable               the venue cannot be reached, and nothing was changed
    │   └── TimedOut              no answer in time
    ├── ServerFault               an answer outside the catalogue of errors
    ├── StreamClosed              the venue ended a stream for good
    └── ProtocolViolation         the venue broke its contract; what came before it is still good
        ├── SequenceGap           executions or ledger entries are missing
        ├── SequenceRepeated      they came again
        ├── JournalChanged        another or a restored venue: its numbers do not continue yours
        └── BookCorrupted         a copy of an order book fails its check again and again

Nothing here is a copy of the catalogue. Which class an error gets follows from two things that
the venue says with every error: the canonical code, and in `ErrorInfo` whether it was refused,
rejected, or nobody knows. So reasons that are newer than this package arrive in the right class,
with their name in `reason_name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import grpc
import grpc.aio

from tradewire_client._gen.google import rpc
from tradewire_client._gen.google.protobuf import Any as PackedMessage
from tradewire_client._gen.tradewire.v1 import Reason

DOMAIN: Final = "tradewire"
REFUSED: Final = "refused"
REJECTED: Final = "rejected"
UNKNOWN: Final = "unknown"
STATUS_DETAILS: Final = "grpc-status-details-bin"

_NOTHING: Mapping[str, str] = MappingProxyType({})
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
# Reasons after which a new sign-in helps.
_TOKEN_REASONS: Final = frozenset(
    {Reason.TOKEN_EXPIRED, Reason.TOKEN_INVALID, Reason.CREDENTIAL_ENDED}
)


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that is wrong, and why."""

    field: str
    description: str


class TradewireError(Exception):
    """The root of the tree.

    `reason` is the machine-readable cause, `advice` says what to do next, `metadata` holds what the
    text mentions, and `retryable` tells whether the same request may succeed later without a
    change.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason_name: str = "",
        metadata: Mapping[str, str] = _NOTHING,
        field_violations: tuple[FieldViolation, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason_name = reason_name
        self.metadata = metadata
        self.field_violations = field_violations

    @property
    def reason(self) -> Reason:
        """The cause; UNSPECIFIED when there is none, or one that this version does not know."""
        return Reason.__members__.get(self.reason_name, Reason.UNSPECIFIED)

    @property
    def advice(self) -> str:
        """What to do next, one sentence."""
        return self.metadata.get("advice", "")

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later without a change."""
        return self.metadata.get("retryable") == "true"

    def __str__(self) -> str:
        named = f"{self.reason_name}: {self.message}" if self.reason_name else self.message
        fields = "; ".join(
            f"{item.field}: {item.description}"
            for item in self.field_violations
            if item.description not in self.message
        )
        advice = "" if self.advice in self.message else self.advice
        text = f"{named} [{fields}]" if fields else named
        return f"{text.rstrip('.')}. {advice}" if advice else text


class ConfigurationError(TradewireError, ValueError):
    """The client was set up or used in a way that cannot work; nothing was sent."""


class ClientClosed(TradewireError):
    """The client, or the stream, was used after it was closed."""


class TooManyPending(TradewireError):
    """An order entry stream has no room for another command; nothing was sent."""


class Refused(TradewireError):
    """Certain: no effect, no execution, and the client order id stays free."""


class InvalidRequest(Refused):
    """A field is wrong; `field_violations` names it where it is a single one."""


class AuthenticationError(Refused):
    """Who is calling is not established."""


class PermissionDenied(Refused):
    """Who is calling is known and may not do this."""


class NotFound(Refused):
    """There is no such order, instrument, account or key for this credential."""


class AlreadyExists(Refused):
    """The id was used for something else."""


class FailedPrecondition(Refused):
    """The state of things does not allow it, e.g. the order is closed."""


class OutOfRange(Refused):
    """The sequence asked for is beyond the head or older than what is kept: take a snapshot."""

    @property
    def first(self) -> int | None:
        """The first number that is available."""
        return _integer(self.metadata, "first_available")

    @property
    def last(self) -> int | None:
        """The newest number."""
        return _integer(self.metadata, "last_available")


class Exhausted(Refused):
    """A limit is used up."""

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the same call would pass, None when nobody can say."""
        milliseconds = _integer(self.metadata, "retry_after_ms")
        return None if milliseconds is None else milliseconds / 1000


class RateLimited(Exhausted):
    """A rate limit is used up; wait for `retry_after` seconds."""


class DeadlinePassed(Refused):
    """The deadline or `valid_until` passed while the command waited; it was dropped."""


class Unavailable(TradewireError):
    """The venue cannot be reached, and nothing was changed."""


class TimedOut(Unavailable):
    """No answer in time."""


class NotServing(Refused, Unavailable):
    """The venue is overloaded, starting or stopping, and did nothing."""


class Rejected(TradewireError):
    """Certain: the order is rejected. There is an execution that says so, and its id is taken."""


class UnknownOutcome(TradewireError):
    """It may or may not have happened.

    `client_order_id` is what to ask with: `orders.get(client_order_id=...)` finds the order, or
    raises NotFound, which means that the command had no effect and will have none. The cause is the
    last failure.
    """

    def __init__(self, message: str, *, client_order_id: str = "", attempts: int = 1) -> None:
        super().__init__(message)
        self.client_order_id = client_order_id
        self.attempts = attempts


class ServerFault(TradewireError):
    """An answer outside the catalogue of errors."""


class StreamClosed(TradewireError):
    """The venue ended a stream for good; `resume_after` is the last number that it had sent."""

    resume_after: int | None = None


class ProtocolViolation(TradewireError):
    """The venue broke its contract; what came before it is still good."""


class SequenceGap(ProtocolViolation):
    """Numbers are missing; everything up to `last_sequence` was handed out."""

    def __init__(self, what: str, *, last_sequence: int, received: int) -> None:
        super().__init__(f"{what} {last_sequence + 1} to {received - 1} are missing")
        self.last_sequence = last_sequence
        self.received = received


class SequenceRepeated(ProtocolViolation):
    """A number came again; everything up to `last_sequence` was handed out."""

    def __init__(self, what: str, *, last_sequence: int, received: int) -> None:
        super().__init__(f"{what} {received} came after {last_sequence}")
        self.last_sequence = last_sequence
        self.received = received


class JournalChanged(ProtocolViolation):
    """Another or a restored venue: its numbers do not continue those that were handed out."""

    def __init__(self, *, expected: str, received: str, last_sequence: int | None = None) -> None:
        super().__init__(
            f"the journal is {received!r} and was {expected!r}: compare your records with "
            "the venue, then follow again with snapshot=True"
        )
        self.expected = expected
        self.received = received
        self.last_sequence = last_sequence


class BookCorrupted(ProtocolViolation):
    """A copy of an order book fails its check again and again, also after fresh snapshots."""


_REFUSED_BY_CODE: Final[Mapping[grpc.StatusCode, type[Refused]]] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
        grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
        grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
        grpc.StatusCode.NOT_FOUND: NotFound,
        grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
        grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
        grpc.StatusCode.OUT_OF_RANGE: OutOfRange,
        grpc.StatusCode.RESOURCE_EXHAUSTED: Exhausted,
        grpc.StatusCode.DEADLINE_EXCEEDED: DeadlinePassed,
        grpc.StatusCode.UNAVAILABLE: NotServing,
    }
)
# Without `ErrorInfo` it may be a proxy or gRPC itself that answers. These say that nothing was
# done all the same.
_REFUSED_BY_ANYONE: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
# Without `ErrorInfo`, what gRPC itself answers when a stream or connection is reset.
_LOST_IN_THE_MIDDLE: Final = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL})
# Refusals that come before the engine looks the client order id up: they say nothing about an
# earlier attempt.
_BEFORE_THE_ENGINE: Final = (
    AuthenticationError,
    PermissionDenied,
    Exhausted,
    DeadlinePassed,
    NotServing,
)


def error_of_call(error: grpc.aio.AioRpcError) -> TradewireError:
    """Return the error that a failed call means."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS and isinstance(value, bytes):
            return error_of_status(rpc.Status.parse(value))
    return _error(error.code(), error.details() or "")


def error_of_status(status: rpc.Status) -> TradewireError:
    """Return the error that the status of a call, a command or a closing means."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    info: rpc.ErrorInfo | None = None
    violations: tuple[FieldViolation, ...] = ()
    for detail in status.details:
        match _unpack(detail):
            case rpc.ErrorInfo() as found if found.domain == DOMAIN:
                info = found
            case rpc.BadRequest() as bad:
                violations = tuple(
                    FieldViolation(item.field, item.description) for item in bad.field_violations
                )
    return _error(code, status.message, info, violations)


def settles(error: TradewireError) -> bool:
    """Tell whether an answer to a repeated command also says what became of its first sending.

    The venue looks a client order id up before any other rule of the engine. So an answer from
    there is about all sendings, while one from before, such as a rate limit, is about the last one
    only.
    """
    if isinstance(error, Rejected):
        return True
    internal = error.code is grpc.StatusCode.INTERNAL
    return isinstance(error, Refused) and not isinstance(error, _BEFORE_THE_ENGINE) and not internal


def leaves_open(error: TradewireError, *, repeated: bool) -> bool:
    """Tell whether a command may have been done although its answer is this error.

    `repeated` says that an earlier sending of it was not answered.
    """
    return error.metadata.get("outcome") == UNKNOWN or (repeated and not settles(error))


def needs_sign_in(error: TradewireError) -> bool:
    """Tell whether a new session token may help."""
    return error.reason in _TOKEN_REASONS


def is_transient(error: TradewireError) -> bool:
    """Tell whether the same call may succeed a little later, and does no harm."""
    if isinstance(error, Rejected):
        # Its id is taken: the same request gets the same answer for ever.
        return False
    if isinstance(error, Refused | StreamClosed):
        return error.retryable
    return isinstance(error, Unavailable) or error.code in _LOST_IN_THE_MIDDLE


def _error(
    code: grpc.StatusCode,
    message: str,
    info: rpc.ErrorInfo | None = None,
    violations: tuple[FieldViolation, ...] = (),
) -> TradewireError:
    metadata = {} if info is None else dict(info.metadata)
    reason_name = "" if info is None else info.reason
    kind = _class_of(code, info)
    return kind(
        # The venue's text names the reason as well, for those who see nothing but the text.
        message.removeprefix(f"{reason_name}: ") or code.value[1],
        code=code,
        reason_name=reason_name,
        metadata=MappingProxyType(metadata),
        field_violations=violations,
    )


def _class_of(code: grpc.StatusCode, info: rpc.ErrorInfo | None) -> type[TradewireError]:
    if info is not None:
        outcome = info.metadata.get("outcome", "")
        if outcome == REJECTED:
            return Rejected
        if outcome == UNKNOWN:
            # Said by a gateway that had no answer. Of a read it means no more than it says; of a
            # command it makes an UnknownOutcome of whatever it ends in.
            return TimedOut if code is grpc.StatusCode.DEADLINE_EXCEEDED else Unavailable
        if outcome != REFUSED:
            return StreamClosed
        if info.reason == Reason.RATE_LIMITED.name:
            return RateLimited
        return _REFUSED_BY_CODE.get(code, Refused)
    if code in _REFUSED_BY_ANYONE:
        return _REFUSED_BY_CODE.get(code, Refused)
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unavailable
    return TimedOut if code is grpc.StatusCode.DEADLINE_EXCEEDED else ServerFault


def _unpack(detail: PackedMessage) -> rpc.ErrorInfo | rpc.BadRequest | None:
    for kind in (rpc.ErrorInfo, rpc.BadRequest):
        if detail.type_url.rpartition("/")[2] == f"google.rpc.{kind.__name__}":
            return kind.parse(detail.value)
    return None


def _integer(metadata: Mapping[str, str], name: str) -> int | None:
    text = metadata.get(name, "")
    return int(text) if text.isdecimal() else None
