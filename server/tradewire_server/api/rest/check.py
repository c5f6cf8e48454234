"""Decides whether an HTTP request may become a call.

Order of the checks, and why:

1. the address: whoever has used up the limit of their address is refused before any work;
2. the route: an unknown path, or a known one with another method;
3. the form of the credential, and whether the method needs one;
4. path, query and body, strictly; a signature covers them, but a request that is refused for its
   form must not use up a nonce;
5. room for a handle, for the same reason;
6. the signature, the key's state, its scope, and last its nonce.

A token is not looked at here: the edge does that for every call, whoever made it. What is refused
here is charged to the address, because nobody else is known yet; what passes is charged by the
edge.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from google.rpc import status_pb2
from tradewire_contract import Match, allowed_methods, find_route

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
from tradewire_server.api.rest.request import BODY_MAX, OK, Answer, RawRequest, denial
from tradewire_server.auth.authenticator import Authenticator
from tradewire_server.auth.buckets import LimitState
from tradewire_server.auth.caller import Caller, address_buckets, authorise, missing_credential
from tradewire_server.auth.errors import AuthError, Unauthenticated
from tradewire_server.auth.errors import Reason as AuthReason
from tradewire_server.auth.handles import HandleTable
from tradewire_server.auth.keys import PUBLIC
from tradewire_server.auth.limits import Limiter, rate_limited
from tradewire_server.engine.vocabulary import Reason

logger = logging.getLogger("tradewire.rest")

CONTENT_ENCODING = "content-encoding"
PARTIAL_BODY = "x-envoy-auth-partial-body"
METHOD_SHOWN_MAX = 16
PATH_SHOWN_MAX = 128
# What refused requests are counted under when they name no method.
NO_METHOD = "rest"


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
        match = find_route(request.method, request.path)
        addresses = request.values(CLIENT_ADDRESS)
        address = addresses[0] if len(addresses) == 1 else None
        state = self._exhausted(address, match, now_ns)
        status: status_pb2.Status | None = None
        if state is None:
            answer = self._answer(request, match, address, now_ns)
            if isinstance(answer, Answer):
                return answer
            status = answer
            state = self._limiter.take(address_buckets(address), weight=1, now_ns=now_ns)
        if status is None or not state.allowed:
            status = auth_error(rate_limited(state)).status
        headers = failure_headers(status, state)
        if match is None:
            verbs = allowed_methods(request.path)
            headers += (("allow", ", ".join(verbs)),) if verbs else ()
        method = match.route.method.path if match is not None else NO_METHOD
        self._measure(method, status.code, time.perf_counter() - started)
        return denial(status, headers)

    def _exhausted(
        self, address: str | None, match: Match | None, now_ns: int
    ) -> LimitState | None:
        """Return the state of an address whose limit is used up, None of any other.

        Nothing is taken: the edge does that.
        """
        buckets = address_buckets(address)
        reduces_risk = match is not None and match.route.method.reduces_risk
        if match is not None and not match.route.method.weight:
            # It costs nothing and passes even a ban, to ask what the limits are.
            return None
        state = self._limiter.take(buckets, weight=0, now_ns=now_ns, reduces_risk=reduces_risk)
        banned = not reduces_risk and self._limiter.ban(buckets, now_ns=now_ns) is not None
        if not banned and (state.is_exempt or state.remaining):
            return None
        # So that the refusal is counted, and says how long to wait.
        state = self._limiter.take(buckets, weight=1, now_ns=now_ns, reduces_risk=reduces_risk)
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
        method = match.route.method
        signed = read_signature(request)
        if signed is None and method.scope != PUBLIC and not request.values(AUTHORIZATION):
            raise missing_credential()
        given = check_target(match.route, request.target)
        if len(request.body) > BODY_MAX or "true" in request.values(PARTIAL_BODY):
            text = f"the body has more than {BODY_MAX} bytes"
            raise make_error(Reason.REQUEST_TOO_LARGE, text)
        for encoding in request.values(CONTENT_ENCODING):
            if encoding.lower() != "identity":
                raise make_error(Reason.MESSAGE_MALFORMED, "the body is compressed: send it plain")
        if match.route.has_body:
            check_body(request.body, method.request, given)
        elif request.body:
            text = f"{request.method} {match.route.template} takes no body"
            raise make_error(Reason.MESSAGE_MALFORMED, text)
        self._handles.check_room(address, now_ns)
        caller = None
        if signed is not None:

            def permit(caller: Caller) -> None:
                check_listener(caller, method.scope, allow_admin=False)
                authorise(caller, method.scope)

            caller = self._authenticator.authenticate_signature(
                signed, address=address, now_ns=now_ns, permit=permit
            )
        return self._handles.issue(method.path, caller=caller, address=address, now_ns=now_ns)


def _no_route(request: RawRequest) -> ApiError:
    verbs = allowed_methods(request.path)
    path = request.path[:PATH_SHOWN_MAX]
    if not verbs:
        return make_error(Reason.METHOD_NOT_FOUND, f"there is no path {path}")
    method = request.method[:METHOD_SHOWN_MAX]
    text = f"{path} has the methods {', '.join(verbs)}, not {method}"
    return make_error(Reason.METHOD_NOT_ALLOWED, text)
