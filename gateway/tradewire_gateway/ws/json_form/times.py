"""Times as RFC 3339, as protobuf's JSON mapping has them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

_PLAIN: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z", re.ASCII
)
_DIGITS_OF_NANOS: Final = 9


def read_time(text: str) -> Timestamp:
    """Return the time of a text in UTC, as most write it.

    Raises ValueError for any other, also for some that protobuf reads.
    """
    found = _PLAIN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day_and_time, fraction = found.groups("")
    return Timestamp(
        seconds=_seconds_of(day_and_time),
        nanos=int(fraction.ljust(_DIGITS_OF_NANOS, "0")) if fraction else 0,
    )


@lru_cache(maxsize=1024)
def _seconds_of(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@lru_cache(maxsize=1024)
def time_text(seconds: int, nanos: int) -> str:
    """Return a time with three, six, nine or no digits behind the point.

    The same few come again: a batch has one for all that it did. Raises ValueError for a time that
    RFC 3339 cannot write.
    """
    return Timestamp(seconds=seconds, nanos=nanos).ToJsonString()
