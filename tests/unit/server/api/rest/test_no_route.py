"""What is said of a path or method that does not exist, above all of ids with colons."""

import pytest
from tradewire_server.api.rest.check import _no_route
from tradewire_server.api.rest.request import RawRequest

from tests.support.failures import failure_of

HINT = "write its ':' as %3A"


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("GET", "/v1/orders/x:cancelAll", "METHOD_NOT_FOUND"),
        ("GET", "/v1/orders/client/a:b:stream", "METHOD_NOT_FOUND"),
        ("DELETE", "/v1/keys/x:rotate", "METHOD_NOT_ALLOWED"),
    ],
)
def test_an_id_that_ends_like_a_verb_is_to_be_escaped(method: str, path: str, reason: str) -> None:
    found = failure_of(_no_route(RawRequest(method, path, (), b"")).status)
    assert (found.reason, HINT in found.text) == (reason, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"),
        ("GET", "/v1/orders:cancelall"),
        ("GET", "/v1/orders:cancelAll"),
        ("PUT", "/v1/orders"),
        ("GET", "/v1:x/orders"),
        ("GET", ":"),
    ],
)
def test_nothing_is_said_of_what_escaping_would_not_help(method: str, path: str) -> None:
    found = failure_of(_no_route(RawRequest(method, path, (), b"")).status)
    assert HINT not in found.text
