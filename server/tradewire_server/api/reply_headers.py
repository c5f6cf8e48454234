"""What a reply says beside its message, as gRPC metadata and HTTP headers alike: the state of the
sender's limits, when to come back, and that a method is going to end.
"""

from datetime import UTC, datetime

from google.rpc import code_pb2, status_pb2
from tradewire_contract import Deprecation

from tradewire_server.api.errors import retry_after_ms
from tradewire_server.auth.buckets import LimitState

Headers = tuple[tuple[str, str], ...]


def limit_headers(state: LimitState, *, retry_after_ms: int = 0) -> Headers:
    """Return the state of the tightest limit, times in seconds; nothing when no limits apply.

    `retry_after_ms` is what the error of the call says; it wins over that of the limits.
    """
    wait_ms = retry_after_ms or state.retry_after_ms
    headers = []
    if not state.is_exempt:
        headers += [
            ("ratelimit-limit", str(state.limit)),
            ("ratelimit-remaining", str(state.remaining)),
            ("ratelimit-reset", _seconds(state.reset_ms)),
        ]
    if wait_ms:
        headers.append(("retry-after", _seconds(wait_ms)))
    return tuple(headers)


def failure_headers(status: status_pb2.Status, state: LimitState) -> Headers:
    """Return what goes with an error: the state of the limits, and what to do about it."""
    headers = limit_headers(state, retry_after_ms=retry_after_ms(status))
    if status.code == code_pb2.UNAUTHENTICATED:
        # RFC 9110, 11.6.1: a 401 says how to authenticate.
        headers += (("www-authenticate", "Bearer"),)
    return headers


def deprecation_headers(deprecation: Deprecation | None) -> Headers:
    """Return the announced end of a method: since when (RFC 9745), until when (RFC 8594), and where
    to read what to use instead.
    """
    if deprecation is None:
        return ()
    since = int(_midnight(deprecation.since).timestamp())
    headers = [("deprecation", f"@{since}")]
    if deprecation.sunset:
        until = _midnight(deprecation.sunset)
        headers.append(("sunset", until.strftime("%a, %d %b %Y %H:%M:%S GMT")))
    if deprecation.link:
        headers.append(("link", f'<{deprecation.link}>; rel="deprecation"'))
    return tuple(headers)


def _midnight(day: str) -> datetime:
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)


def _seconds(time_ms: int) -> str:
    """Round up, so that who waits so long has waited long enough."""
    return str(-(-time_ms // 1_000))
