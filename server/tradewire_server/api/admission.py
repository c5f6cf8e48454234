"""Authenticate, authorise, limit, validate: plain functions, called per call by the edge and per
command by EnterOrders and batches.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple, cast

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from tradewire_contract import Method
from tradewire_contract.statuses import VIOLATIONS_MAX, violation_status

from tradewire_server.api.call import Call
from tradewire_server.api.errors import ApiError, make_error, make_status
from tradewire_server.api.quick_check import quick_check
from tradewire_server.api.violations import problem_of
from tradewire_server.api.wire import Malformed
from tradewire_server.auth.authenticator import Authenticator
from tradewire_server.auth.buckets import LimitState
from tradewire_server.auth.caller import Caller, address_buckets, authorise
from tradewire_server.auth.errors import AuthError, Exhausted, PermissionDenied, Unauthenticated
from tradewire_server.auth.errors import Reason as DenialReason
from tradewire_server.auth.handles import HandleTable
from tradewire_server.auth.keys import PUBLIC
from tradewire_server.auth.limits import Limiter, rate_limited
from tradewire_server.auth.tokens import bearer_token
from tradewire_server.engine.vocabulary import Reason

NS_PER_S = 10**9
AUTHORIZATION = "authorization"
CLIENT_ADDRESS = "x-tradewire-client-address"
HANDLE = "x-tradewire-handle"
# Envoy's transcoder leaves the path of the HTTP request there.
ORIGINAL_PATH = "x-envoy-original-path"
_OF_GATEWAY = frozenset({CLIENT_ADDRESS, HANDLE})
ADMIN_SCOPE = "admin"


class Admitted(NamedTuple):
    """A call that may be served, or why not, and the state of its sender's limits."""

    call: Call | None
    state: LimitState
    error: AuthError | None


class Admission:
    """What every call of a listener passes before a servicer sees it.

    With `handles` it is the listener that Envoy calls: its peers are believed when they say who the
    client is, and what Envoy made of an HTTP request needs the handle of that request's check. With
    `needs_handle` nothing else comes there.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        limiter: Limiter,
        *,
        clock_ns: Callable[[], int],
        allow_admin: bool,
        handles: HandleTable | None = None,
        needs_handle: bool = False,
    ) -> None:
        self.authenticator = authenticator
        self.limiter = limiter
        self.clock_ns = clock_ns
        self._allow_admin = allow_admin
        self._handles = handles
        self._needs_handle = needs_handle

    def admit(
        self,
        method: Method,
        metadata: Iterable[tuple[str, str | bytes]] | None,
        *,
        peer: str,
        time_remaining_s: float | None,
    ) -> Admitted:
        """Establish who calls, whether they may call this, and take what it costs.

        Whoever is refused pays with their address. The commands of a stream are paid one by one.
        """
        now_ns = self.clock_ns()
        is_gateway = self._handles is not None
        headers, repeated = _headers(metadata, is_gateway=is_gateway)
        address = client_address(peer, headers.get(CLIENT_ADDRESS), is_gateway=is_gateway)
        try:
            # First: whatever is wrong with the rest, the handle is used up.
            signer = self._redeem(method, headers, now_ns)
            if repeated:
                raise _two_credentials()
            caller = self._identify(method, headers, signer, address, now_ns)
        except AuthError as error:
            # Where a ban does not hold, refusals are paid all the same: see `limits`.
            state = self.limiter.take(
                address_buckets(address),
                weight=1,
                now_ns=now_ns,
                reduces_risk=method.reduces_risk or not method.weight,
                is_stranger=True,
            )
            return Admitted(None, state, error if state.allowed else rate_limited(state))
        valid_until_ns = 0
        if time_remaining_s is not None and time_remaining_s < 86_400:
            valid_until_ns = now_ns + int(time_remaining_s * NS_PER_S)
        if caller is not None and caller.is_signed:
            # Exclusive there, inclusive here.
            last_ns = caller.expires_ns - 1
            valid_until_ns = min(valid_until_ns or last_ns, last_ns)
        buckets = caller.buckets() if caller is not None else address_buckets(address)
        call = Call(method, caller, address, buckets, valid_until_ns)
        # A stream of commands may be the only way to cancel, so it opens as a cancel would pass.
        state = self.limit(
            call, method, reduces_risk=method.reduces_risk or method.client_streaming
        )
        refusal = None if state.allowed else rate_limited(state, weight=method.weight)
        return Admitted(call, state, refusal)

    def _identify(
        self,
        method: Method,
        headers: Mapping[str, str],
        signer: Caller | None,
        address: str | None,
        now_ns: int,
    ) -> Caller | None:
        """Return who calls, None where nobody needs to say.

        Raises AuthError.
        """
        authorization = headers.get(AUTHORIZATION)
        caller = signer
        if caller is not None and authorization is not None:
            raise _two_credentials()
        if caller is None and authorization is not None and method.scope != PUBLIC:
            caller = self.authenticator.authenticate_bearer(
                bearer_token(authorization), address=address, now_ns=now_ns
            )
        if caller is not None:
            check_listener(caller, method.scope, allow_admin=self._allow_admin)
        authorise(caller, method.scope)
        return caller

    def _redeem(self, method: Method, headers: Mapping[str, str], now_ns: int) -> Caller | None:
        """Return who signed the HTTP request that Envoy made this call of, None if nobody did.

        Raises Unauthenticated when Envoy has not asked whether the request may pass.
        """
        if self._handles is None:
            return None
        handle = headers.get(HANDLE)
        if handle is None:
            if ORIGINAL_PATH not in headers and not self._needs_handle:
                return None
            raise Unauthenticated(
                DenialReason.UNAUTHENTICATED,
                "The request came past the check of REST requests, so it is not served.",
            )
        caller = self._handles.redeem(handle, method.path, now_ns).caller
        if caller is not None:
            # The key may have been revoked since the check.
            self.authenticator.recheck(caller, now_ns)
        return caller

    def admit_standard(
        self, metadata: Iterable[tuple[str, str | bytes]] | None, *, peer: str
    ) -> Exhausted | None:
        """Take what a call of a standard service costs its address; return the error if it is too
        much.

        Probes are what keeps a venue alive: they may use the reserve and are not banned.
        """
        is_gateway = self._handles is not None
        headers, _ = _headers(metadata, is_gateway=is_gateway)
        address = client_address(peer, headers.get(CLIENT_ADDRESS), is_gateway=is_gateway)
        state = self.limiter.take(
            address_buckets(address),
            weight=1,
            now_ns=self.clock_ns(),
            reduces_risk=True,
            is_stranger=True,
        )
        return None if state.allowed else rate_limited(state)

    def limit(self, call: Call, method: Method, *, reduces_risk: bool) -> LimitState:
        """Take what one call of a method costs; the caller looks at `allowed`."""
        call.limit_state = self.limiter.take(
            call.buckets,
            weight=method.weight,
            now_ns=self.clock_ns(),
            reduces_risk=reduces_risk,
        )
        return call.limit_state


def check_listener(caller: Caller, scope: str, *, allow_admin: bool) -> None:
    """Refuse a key that operates the venue where everybody can call.

    Raises PermissionDenied.
    """
    if ADMIN_SCOPE in caller.scopes and not allow_admin:
        raise PermissionDenied(
            DenialReason.SCOPE_MISSING,
            "A key that operates the venue is accepted on the admin listener only.",
            required=scope,
            granted=ADMIN_SCOPE,
        )


def validate(message: Message | Malformed) -> None:
    """Check a message against the contract's rules.

    Raises ApiError: MESSAGE_MALFORMED, or FIELD_INVALID with a violation per field.
    """
    if isinstance(message, Malformed):
        raise make_error(Reason.MESSAGE_MALFORMED, "the message could not be parsed")
    check = quick_check(message.DESCRIPTOR)
    if check is not None and check(message):
        return
    for name, bound in _list_bounds(message.DESCRIPTOR):
        if len(getattr(message, name)) > bound:
            raise violation_error([(name, f"must have at most {bound} items")])
    violations = protovalidate.collect_violations(message)
    if violations:
        shown = violations[:VIOLATIONS_MAX]
        descriptor = cast(Descriptor, message.DESCRIPTOR)
        raise violation_error([problem_of(found, descriptor) for found in shown])


@cache
def _list_bounds(descriptor: Descriptor) -> tuple[tuple[str, int], ...]:
    """Return the lists of a message and how long they may be by the contract.

    This is looked at before all other rules: these are checked item by item, and a message has room
    for a million items.
    """
    rules = {
        field.name: field.GetOptions().Extensions[validate_pb2.field].repeated
        for field in descriptor.fields
    }
    return tuple((name, rule.max_items) for name, rule in rules.items() if rule.max_items)


def violation_error(fields: Sequence[Sequence[str]]) -> ApiError:
    """Return the error of violated field rules; of very many the first ones."""
    return ApiError(violation_status(fields))


def auth_error(error: AuthError) -> ApiError:
    """Return the contract's error of a refusal by the auth package."""
    metadata = dict(error.metadata)
    field = metadata.pop("field", "")
    fields = ((field, error.message),) if field else ()
    status = make_status(Reason[error.reason], error.message, metadata=metadata, fields=fields)
    return ApiError(status)


def _headers(
    metadata: Iterable[tuple[str, str | bytes]] | None, *, is_gateway: bool
) -> tuple[Mapping[str, str], bool]:
    """Return the headers by name, and whether one that decides who calls is there twice: what
    stands before this server may have looked at the other one. The first one counts: a client can
    only have added what comes later.
    """
    headers: dict[str, str] = {}
    repeated = False
    for key, value in metadata or ():
        if key in headers and (key == AUTHORIZATION or (is_gateway and key in _OF_GATEWAY)):
            repeated = True
        elif isinstance(value, str):
            headers[key] = value
    return headers, repeated


def _two_credentials() -> Unauthenticated:
    return Unauthenticated(
        DenialReason.UNAUTHENTICATED, "There are two credentials, or one of them twice: send one."
    )


def client_address(peer: str, forwarded: str | None, *, is_gateway: bool = False) -> str | None:
    """Return the address of the client: that of the peer, or what a gateway in this process or
    behind a unix socket says of it. What anybody else says is ignored.

    `is_gateway` is for a listener that only gateways can reach: over the network, too.
    """
    if is_gateway and forwarded is not None:
        return forwarded
    kind, _, rest = peer.partition(":")
    if kind == "ipv4":
        return rest.rpartition(":")[0]
    if kind == "ipv6":
        return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")
    return forwarded
