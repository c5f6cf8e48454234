"""Which HTTP statuses an operation can answer with, and for which reasons.

The contract names the reasons of each method; here stand those that any request may get because of
what it passes on its way, by what kind of request it is.
"""

from collections.abc import Iterator

from tradewire_contract.catalogue import ReasonEntry, reasons
from tradewire_contract.rest import Route

PUBLIC = "public"
HEADERS_TOO_LARGE = 431

# Of every request: its form, a signature even where none is needed, limits, and the venue's state.
_ANY = (
    "FIELD_INVALID",
    "MESSAGE_MALFORMED",
    "UNAUTHENTICATED",
    "SIGNATURE_INVALID",
    "TIMESTAMP_OUT_OF_WINDOW",
    "NONCE_REUSED",
    "KEY_REVOKED",
    "KEY_EXPIRED",
    "ADDRESS_NOT_ALLOWED",
    "REQUEST_TOO_LARGE",
    "RATE_LIMITED",
    "NONCE_CACHE_FULL",
    "INTERNAL",
    "OVERLOADED",
    "NOT_SERVING",
    "ANSWER_LOST",
    "DEADLINE_PASSED",
    "ANSWER_LATE",
)
# Of a request that needs a credential.
_CREDENTIAL = ("TOKEN_INVALID", "TOKEN_EXPIRED", "SCOPE_MISSING")
# Of a path with a variable: an empty value, a slash or dots make another path of it.
_OTHER_PATH = ("METHOD_NOT_FOUND",)


def reasons_of(route: Route) -> dict[int, list[ReasonEntry]]:
    """Return the reasons that an operation can give by HTTP status, both ascending."""
    by_status: dict[int, list[ReasonEntry]] = {}
    names = set(_names(route))
    for entry in reasons().values():
        if entry.name in names:
            by_status.setdefault(entry.http_status, []).append(entry)
    # The gateway keeps the usual status where it is the headers that are too large.
    by_status[HEADERS_TOO_LARGE] = [
        entry for entry in reasons().values() if entry.name == "REQUEST_TOO_LARGE"
    ]
    return dict(sorted(by_status.items()))


def _names(route: Route) -> Iterator[str]:
    yield from _ANY
    yield from route.method.reasons
    if route.method.scope != PUBLIC:
        yield from _CREDENTIAL
    if route.variables:
        yield from _OTHER_PATH
