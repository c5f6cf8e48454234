"""The reasons for which a method is answered with an error.

The contract names the reasons of each method; here stand those that any request on a connection may
get because of what it passes on its way.
"""

from collections.abc import Iterator

from tradewire_contract.catalogue import ReasonEntry, reasons
from tradewire_contract.methods import Method

PUBLIC = "public"

_ANY = (
    "FIELD_INVALID",
    "MESSAGE_MALFORMED",
    "REQUEST_TOO_LARGE",
    "METHOD_NOT_FOUND",
    "RATE_LIMITED",
    "INTERNAL",
    "OVERLOADED",
    "NOT_SERVING",
    "SERVER_DRAINING",
    "ANSWER_LOST",
    "DEADLINE_PASSED",
    "ANSWER_LATE",
)
_CREDENTIAL = (
    "UNAUTHENTICATED",
    "TOKEN_INVALID",
    "TOKEN_EXPIRED",
    "KEY_REVOKED",
    "KEY_EXPIRED",
    "ADDRESS_NOT_ALLOWED",
    "SCOPE_MISSING",
)
_SUBSCRIBING = ("STREAM_LIMIT",)
# Of a message that is about a subscription or the connection itself.
_OWN = ("SUBSCRIPTION_NOT_FOUND", "CONNECTION_IN_USE")


def reasons_of(method: Method) -> list[ReasonEntry]:
    """Return the reasons of a method's errors in the order of the catalogue."""
    return _entries(set(_names(method)))


def own_reasons() -> list[ReasonEntry]:
    """Return the reasons of the requests that no RPC has."""
    return _entries({*_ANY, *_OWN})


def all_reasons() -> list[ReasonEntry]:
    """Return every reason that can stand in an error."""
    return [entry for entry in reasons().values() if entry.code]


def _names(method: Method) -> Iterator[str]:
    yield from _ANY
    yield from method.reasons
    if method.scope != PUBLIC:
        yield from _CREDENTIAL
    if method.server_streaming:
        yield from _SUBSCRIBING


def _entries(names: set[str]) -> list[ReasonEntry]:
    return [entry for entry in reasons().values() if entry.name in names]
