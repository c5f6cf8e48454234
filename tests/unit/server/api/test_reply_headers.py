"""Limits and the end of methods, as headers say them."""

from tradewire_contract import Deprecation
from tradewire_server.api.errors import make_status
from tradewire_server.api.reply_headers import deprecation_headers, failure_headers, limit_headers
from tradewire_server.auth.buckets import EXEMPT, LimitState
from tradewire_server.engine.vocabulary import Reason


def test_limits_are_said_in_seconds_rounded_up() -> None:
    state = LimitState("key", 100, 7, 1_001, 0, True)
    assert limit_headers(state) == (
        ("ratelimit-limit", "100"),
        ("ratelimit-remaining", "7"),
        ("ratelimit-reset", "2"),
    )
    refused = LimitState("key", 100, 0, 2_000, 1, False)
    assert limit_headers(refused)[3:] == (("retry-after", "1"),)


def test_what_the_error_says_of_waiting_wins() -> None:
    refused = LimitState("key", 100, 0, 2_000, 1, False)
    assert limit_headers(refused, retry_after_ms=4_001)[3:] == (("retry-after", "5"),)


def test_the_exempt_have_no_limits_but_may_have_to_wait() -> None:
    assert limit_headers(EXEMPT) == ()
    assert limit_headers(EXEMPT, retry_after_ms=1_000) == (("retry-after", "1"),)


def test_the_end_of_a_method_is_announced() -> None:
    deprecation = Deprecation("2026-01-01", "2027-01-31", "/docs/changelog")
    assert deprecation_headers(deprecation) == (
        ("deprecation", "@1767225600"),
        ("sunset", "Sun, 31 Jan 2027 00:00:00 GMT"),
        ("link", '</docs/changelog>; rel="deprecation"'),
    )


def test_what_is_not_announced_is_not_there() -> None:
    assert deprecation_headers(None) == ()
    assert deprecation_headers(Deprecation("2026-01-01", "", "")) == (
        ("deprecation", "@1767225600"),
    )


def test_an_error_says_how_to_authenticate_where_that_is_what_is_missing() -> None:
    unknown = make_status(Reason.UNAUTHENTICATED, "who?")
    assert failure_headers(unknown, EXEMPT) == (("www-authenticate", "Bearer"),)
    limited = make_status(Reason.RATE_LIMITED, "wait", metadata={"retry_after_ms": "1500"})
    assert failure_headers(limited, EXEMPT) == (("retry-after", "2"),)
    assert failure_headers(make_status(Reason.FIELD_INVALID, "no"), EXEMPT) == ()
