"""Times: nanoseconds where they must be exact, aware datetimes where people read them.

betterproto2 hands a Timestamp on as a datetime, which ends at microseconds, while the venue's
clock counts nanoseconds. So the private copy of Timestamp in `_gen` is taught to return a datetime
that remembers them; values read the number and never show that class.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tradewire_client._gen.google.protobuf import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NS_PER_US = 1_000
_NS_PER_S = 1_000_000_000

Absent = TypeVar("Absent", int, None)


class _ExactDatetime(datetime):
    """A datetime as a Timestamp becomes one; `nanoseconds` is its exact value."""

    nanoseconds: int


def datetime_of(nanoseconds: int) -> datetime:
    """Return an aware datetime in UTC, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=nanoseconds // _NS_PER_US)


def nanoseconds_of(time: datetime | None, *, absent: Absent) -> int | Absent:
    """Return the nanoseconds since the epoch of an aware datetime, or `absent` for None."""
    if time is None:
        return absent
    if isinstance(time, _ExactDatetime):
        return time.nanoseconds
    return (time - _EPOCH) // _MICROSECOND * _NS_PER_US


def require_aware(time: datetime | None, *, name: str) -> datetime | None:
    """Return the time as it is, for a request.

    Raises:
        ValueError: it has no time zone, so nobody knows what moment it means.
    """
    if time is not None and time.tzinfo is None:
        raise ValueError(f"{name}: a datetime without a time zone is ambiguous; add tzinfo=UTC")
    return time


def datetime_of_timestamp(seconds: int, nanos: int) -> datetime:
    """Return a datetime that remembers its nanoseconds."""
    nanoseconds = seconds * _NS_PER_S + nanos
    plain = datetime_of(nanoseconds)
    exact = _ExactDatetime.combine(plain.date(), plain.timetz())
    exact.nanoseconds = nanoseconds
    return exact


def _to_wrapped(timestamp: Timestamp) -> datetime:
    return datetime_of_timestamp(timestamp.seconds, timestamp.nanos)


# mypy takes no assignment to a method.
setattr(Timestamp, "to_wrapped", _to_wrapped)  # noqa: B010
