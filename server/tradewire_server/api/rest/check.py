"""Decides whether an HTTP request may become a call.

Order of the checks, and why:

1. the address: it has to have what a refusal of this request would cost, else the request is
   refused before any work;
2. the route: an unknown path, or a known one with another method;
3. the form of the credential, whether the method needs one, and the size of everything;
4. the credential, where the method needs one or the request is signed: the token or the signature,
   the key's state, its scope;
5. path, query and body, strictly: the dear part, so nobody has it done who is not known, unless the
   method is public;
6. room for a handle;
7. the nonce of a signature, last: what was refused before has not used it up.

The edge looks at a token again, for every call, whoever made it: nothing is open because of what
happened here.

What is refused here is charged to the address, by what it may have cost: see `refusal_units`. Who
asks for what reduces risk, or what costs nothing, is served from the reserve and in a ban, so
refusals are paid from there as well; a sender whose credential is not known has half of it (see
`limits`), so strangers do not use up the cancels of those who share their address. What passes is
charged by the edge; only where a method costs nothing, its signature is charged here.
"""

import logging
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from google.rpc import status_pb2
from tradewire_contract import Match, Method, Route, allowed_methods, find_route

from tradewire_server.api.admission import (
    AUTHORIZATION,
    CLIENT_ADDRESS,
    HANDLE,
    auth_error,
    check_listener,
)
from tradewire_server.api.errors import ApiError, make_error
from tradewire_server.api.reply_headers import failure_headers
from tradewire_server.api.rest.credentials import read_signature
from tradewire_server.api.rest.json_body import check_body
from tradewire_server.api.rest.query import check_target
from tradewire_server.api.rest.request import (
    BODY_MAX,
    BYTES_PER_UNIT,
    OK,
    PATH_MAX,
    Answer,
    RawRequest,
    denial,
)
from tradewire_server.auth.authenticator import Authenticator
from tradewire_server.auth.buckets import Bucket, LimitState
from tradewire_server.auth.caller import Caller, address_buckets, authorise, missing_credential
from tradewire_server.auth.errors import AuthError, Unauthenticated
from tradewire_server.auth.errors import Reason as AuthReason
from tradewire_server.auth.handles import HandleTable
from tradewire_server.auth.keys import PUBLIC
from tradewire_server.auth.limits import Limiter, rate_limited
from tradewire_server.auth.signing import HEADER_KEY
from tradewire_server.auth.tokens import bearer_token
from tradewire_server.engine.vocabulary import Reason

logger = logging.getLogger("tradewire.rest")

CONTENT_ENCODING = "content-encoding"
PARTIAL_BODY = "x-envoy-auth-partial-body"
METHOD_SHOWN_MAX = 16
PATH_SHOWN_MAX = 128
# What refused requests are counted under when they name no method.
NO_METHOD = "rest"
# What a signature costs whose method costs nothing: it is verified all the same.
SIGNATURE_WEIGHT = 1


class Measure(Protocol):
    """Takes what a finished call cost."""

    def __call__(self, method: str, code: int, seconds: float, /) -> None: ...


class RequestCheck:
    """See the module's docstring. One per server."""

    def __init__(
        self,
        authenticator: Authenticator,
        limiter: Limiter,
        handles: HandleTable,
        *,
        clock_ns: Callable[[], int],
        measure: Measure,
    ) -> None:
        self._authenticator = authenticator
        self._limiter = limiter
        self._handles = handles
        self._clock_ns = clock_ns
        self._measure = measure

    def decide(self, request: RawRequest) -> Answer:
        """Return whether a request may pass, and with which handle."""
        started = time.perf_counter()
        now_ns = self._clock_ns()
        match = _find_route(request)
        # Envoy's own is the first: nothing that comes later is believed, nor made to pay.
        addresses = request.values(CLIENT_ADDRESS)
        address = addresses[0] if addresses else None
        purse = self._purse(request, match, address, now_ns)
        state = self._exhausted(purse, now_ns)
        status: status_pb2.Status | None = None
        if state is None:
            answer = self._answer(request, match, address, now_ns)
            if isinstance(answer, Answer):
                return answer
            status = answer
            state = self._take(purse, purse.units, now_ns)
        if status is None or not state.allowed:
            status = auth_error(rate_limited(state, weight=purse.units)).status
        headers = failure_headers(status, state)
        if match is None:
            verbs = _verbs(request)
            headers += (("allow", ", ".join(verbs)),) if verbs else ()
        method = match.route.method.path if match is not None else NO_METHOD
        self._measure(method, status.code, time.perf_counter() - started)
        return denial(status, headers)

    def _purse(
        self, request: RawRequest, match: Match | None, address: str | None, now_ns: int
    ) -> "_Purse":
        method = match.route.method if match is not None else None
        passes_ban = method is not None and (method.reduces_risk or not method.weight)
        return _Purse(
            address_buckets(address),
            refusal_units(request),
            passes_ban,
            passes_ban and not self._is_known(request, address, now_ns),
        )

    def _is_known(self, request: RawRequest, address: str | None, now_ns: int) -> bool:
        """Say, without work, whether the credential looks like one that was good before."""
        for authorization in request.values(AUTHORIZATION)[:1]:
            try:
                return self._authenticator.is_known_token(bearer_token(authorization), now_ns)
            except AuthError:
                return False
        return any(
            self._authenticator.is_known_key(key_id, address=address)
            for key_id in request.values(HEADER_KEY)[:1]
        )

    def _take(self, purse: "_Purse", weight: int, now_ns: int) -> LimitState:
        return self._limiter.take(
            purse.buckets,
            weight=weight,
            now_ns=now_ns,
            reduces_risk=purse.passes_ban,
            is_stranger=purse.is_stranger,
        )

    def _exhausted(self, purse: "_Purse", now_ns: int) -> LimitState | None:
        """Return the state of an address that cannot pay for a refusal, None of any other.

        Nothing is taken: the edge does that.
        """
        state = self._take(purse, 0, now_ns)
        banned = (
            not purse.passes_ban and self._limiter.ban(purse.buckets, now_ns=now_ns) is not None
        )
        if not banned and (state.is_exempt or state.remaining >= purse.units):
            return None
        # So that the refusal is counted, and says how long to wait.
        state = self._take(purse, purse.units, now_ns)
        return None if state.allowed else state

    def _answer(
        self, request: RawRequest, match: Match | None, address: str | None, now_ns: int
    ) -> Answer | status_pb2.Status:
        """Return the answer to a request that may pass, else what is wrong with it."""
        try:
            if match is None:
                raise _no_route(request)
            return Answer(OK, ((HANDLE, self._admit(request, match, address, now_ns)),))
        except AuthError as error:
            return auth_error(error).status
        except ApiError as error:
            return error.status
        except Exception:
            logger.exception("the check of a request failed")
            return make_error(Reason.INTERNAL, "the server broke one of its own rules").status

    def _admit(self, request: RawRequest, match: Match, address: str | None, now_ns: int) -> str:
        """Return the handle of a request that may pass.

        Raises ApiError, AuthError.
        """
        if len(request.values(CLIENT_ADDRESS)) > 1:
            # Then one of them is not Envoy's.
            text = f"The header {CLIENT_ADDRESS} is set by the gateway only."
            raise Unauthenticated(AuthReason.UNAUTHENTICATED, text)
        route = match.route
        method = route.method
        signed = read_signature(request)
        tokens = request.values(AUTHORIZATION)
        if signed is None and method.scope != PUBLIC and not tokens:
            raise missing_credential()
        _check_size(request)

        def permit(caller: Caller) -> None:
            self._authorise(caller, method, now_ns)
            self._check_form(request, route, address, now_ns)
            if not method.weight:
                self._charge_signature(caller, now_ns)

        caller = None
        if signed is not None:
            caller = self._authenticator.authenticate_signature(
                signed, address=address, now_ns=now_ns, permit=permit
            )
        else:
            if method.scope != PUBLIC:
                sender = self._authenticator.authenticate_bearer(
                    bearer_token(tokens[0]), address=address, now_ns=now_ns
                )
                self._authorise(sender, method, now_ns)
            self._check_form(request, route, address, now_ns)
        return self._handles.issue(
            method.path,
            caller=caller,
            address=address,
            now_ns=now_ns,
            reduces_risk=method.reduces_risk,
        )

    def _authorise(self, caller: Caller, method: Method, now_ns: int) -> None:
        """Refuse a caller who may not do this, now.

        Raises PermissionDenied, Exhausted.
        """
        check_listener(caller, method.scope, allow_admin=False)
        authorise(caller, method.scope)
        if method.weight and not method.reduces_risk:
            ban = self._limiter.ban(caller.buckets(), now_ns=now_ns)
            if ban is not None and not self._limiter.is_exempt(caller.account):
                # The edge would refuse it as well, for nothing and with the body read.
                raise rate_limited(ban)

    def _check_form(
        self, request: RawRequest, route: Route, address: str | None, now_ns: int
    ) -> None:
        """Refuse what is not exactly a request of this route, or finds no room.

        Raises ApiError, Exhausted.
        """
        given = check_target(route, request.target)
        if route.has_body:
            check_body(request.body, route.method.request, given)
        elif request.body:
            text = f"{request.method} {route.template} takes no body"
            raise make_error(Reason.MESSAGE_MALFORMED, text)
        self._handles.check_room(address, now_ns, reduces_risk=route.method.reduces_risk)

    def _charge_signature(self, caller: Caller, now_ns: int) -> None:
        """Take what a signature costs, also in a ban.

        Raises Exhausted.
        """
        state = self._limiter.take(
            caller.buckets(), weight=SIGNATURE_WEIGHT, now_ns=now_ns, reduces_risk=True
        )
        if not state.allowed:
            raise rate_limited(state)


class _Purse(NamedTuple):
    """What a refusal of a request costs, and from what it is paid."""

    buckets: tuple[Bucket, ...]
    units: int
    passes_ban: bool
    is_stranger: bool


def refusal_units(request: RawRequest) -> int:
    """Return what a request costs its address if it is refused: as much as reading all of it may
    have cost, in units of about a millisecond.
    """
    return 1 + (len(request.target) + len(request.body)) // BYTES_PER_UNIT


def _check_size(request: RawRequest) -> None:
    """Refuse a body that is too large, in part missing, or compressed.

    Raises ApiError.
    """
    if len(request.body) > BODY_MAX or "true" in request.values(PARTIAL_BODY):
        text = f"the body has more than {BODY_MAX} bytes"
        raise make_error(Reason.REQUEST_TOO_LARGE, text)
    for encoding in request.values(CONTENT_ENCODING):
        if encoding.lower() != "identity":
            raise make_error(Reason.MESSAGE_MALFORMED, "the body is compressed: send it plain")


def _find_route(request: RawRequest) -> Match | None:
    path = request.path
    return find_route(request.method, path) if len(path) <= PATH_MAX else None


def _verbs(request: RawRequest) -> tuple[str, ...]:
    """Return the methods that a path has."""
    path = request.path
    return allowed_methods(path) if len(path) <= PATH_MAX else ()


def _no_route(request: RawRequest) -> ApiError:
    if len(request.path) > PATH_MAX:
        return make_error(Reason.REQUEST_TOO_LARGE, f"the path has more than {PATH_MAX} bytes")
    verbs = _verbs(request)
    path = request.path[:PATH_SHOWN_MAX]
    if not verbs:
        return make_error(Reason.METHOD_NOT_FOUND, f"there is no path {path}{_colon_hint(request)}")
    method = request.method[:METHOD_SHOWN_MAX]
    text = f"{path} has the methods {', '.join(verbs)}, not {method}{_colon_hint(request)}"
    return make_error(Reason.METHOD_NOT_ALLOWED, text)


def _colon_hint(request: RawRequest) -> str:
    """Return what to say of a path whose id ends like a verb of the contract, else nothing."""
    path, _, verb = request.path.rpartition(":")
    if not path or "/" in verb or not allowed_methods(f"{path}%3A{verb}"):
        return ""
    return f"; if ':{verb[:METHOD_SHOWN_MAX]}' is the end of an id, write its ':' as %3A"
