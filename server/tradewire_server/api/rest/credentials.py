"""What a request shows to say who sends it: a signature of its own, a token, or nothing."""

from tradewire_server.api.rest.request import RawRequest
from tradewire_server.auth.errors import Reason, Unauthenticated
from tradewire_server.auth.proofs import SignedRequest
from tradewire_server.auth.signing import (
    HEADER_KEY,
    HEADER_NONCE,
    HEADER_RECV_WINDOW,
    HEADER_SIGNATURE,
    HEADER_TIMESTAMP,
)

AUTHORIZATION = "authorization"
_REQUIRED = (HEADER_KEY, HEADER_TIMESTAMP, HEADER_NONCE, HEADER_SIGNATURE)
_ALL = (*_REQUIRED, HEADER_RECV_WINDOW, AUTHORIZATION)


def read_signature(request: RawRequest) -> SignedRequest | None:
    """Return the signed request that this is, None if it is not signed.

    Raises:
        Unauthenticated: UNAUTHENTICATED, the request shows more than one credential or part of one.
    """
    values: dict[str, str] = {}
    for name, value in request.headers:
        if name not in _ALL:
            continue
        # Whoever stands between joins repeated headers with a comma, which no credential has.
        if name in values or "," in value:
            raise _refusal(f"the header {name} is there more than once")
        values[name] = value
    has_token = values.pop(AUTHORIZATION, None) is not None
    if not values:
        return None
    if has_token:
        raise _refusal("it is signed and has a token too: send one of the two")
    missing = [name for name in _REQUIRED if not values.get(name)]
    if missing:
        raise _refusal(f"a signed request has the header {missing[0]} too")
    return SignedRequest(
        key_id=values[HEADER_KEY],
        timestamp=values[HEADER_TIMESTAMP],
        nonce=values[HEADER_NONCE],
        signature=values[HEADER_SIGNATURE],
        recv_window=values.get(HEADER_RECV_WINDOW, ""),
        method=request.method,
        path=request.target,
        body=request.body,
    )


def _refusal(what: str) -> Unauthenticated:
    return Unauthenticated(
        Reason.UNAUTHENTICATED, f"The request does not say clearly who sends it: {what}."
    )
