"""Authenticate, authorise, limit, validate: plain functions, called per call by the edge and per
command by EnterOrders.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from protovalidate import Violation
from tradewire_contract import Method

from tradewire_server.api.call import Call
from tradewire_server.api.errors import ApiError, make_error, make_status
from tradewire_server.api.wire import Malformed
from tradewire_server.auth.authenticator import Authenticator
from tradewire_server.auth.buckets import LimitState
from tradewire_server.auth.caller import address_buckets, authorise
from tradewire_server.auth.errors import AuthError, PermissionDenied, Unauthenticated
from tradewire_server.auth.errors import Reason as DenialReason
from tradewire_server.auth.limits import Limiter
from tradewire_server.auth.tokens import bearer_token
from tradewire_server.engine.vocabulary import Reason

NS_PER_S = 10**9
AUTHORIZATION = "authorization"
CLIENT_ADDRESS = "x-tradewire-client-address"
ADMIN_SCOPE = "admin"
# An error is answered in metadata, of which clients accept 8 KiB.
VIOLATIONS_MAX = 16


class Admission:
    """What every call passes before a servicer sees it."""

    def __init__(
        self,
        authenticator: Authenticator,
        limiter: Limiter,
        *,
        clock_ns: Callable[[], int],
        allow_admin: bool,
    ) -> None:
        self.authenticator = authenticator
        self.limiter = limiter
        self.clock_ns = clock_ns
        self._allow_admin = allow_admin

    def identify(
        self,
        method: Method,
        metadata: Iterable[tuple[str, str | bytes]] | None,
        *,
        peer: str,
        time_remaining_s: float | None,
    ) -> Call:
        """Establish who calls, and whether they may call this.

        Raises AuthError.
        """
        now_ns = self.clock_ns()
        headers = _headers(metadata)
        address = client_address(peer, headers.get(CLIENT_ADDRESS))
        caller = None
        authorization = headers.get(AUTHORIZATION)
        if authorization is not None and method.scope != "public":
            caller = self.authenticator.authenticate_bearer(
                bearer_token(authorization), address=address, now_ns=now_ns
            )
            if ADMIN_SCOPE in caller.scopes and not self._allow_admin:
                raise PermissionDenied(
                    DenialReason.SCOPE_MISSING,
                    "A key that operates the venue is accepted on the admin listener only.",
                    required=method.scope,
                    granted=ADMIN_SCOPE,
                )
        authorise(caller, method.scope)
        buckets = caller.buckets() if caller is not None else address_buckets(address)
        valid_until_ns = 0
        if time_remaining_s is not None and time_remaining_s < 86_400:
            valid_until_ns = now_ns + int(time_remaining_s * NS_PER_S)
        return Call(method, caller, address, buckets, valid_until_ns)

    def limit(self, call: Call, method: Method) -> LimitState:
        """Take what one call of a method costs; the caller looks at `allowed`."""
        return self.limiter.take(
            call.buckets,
            weight=method.weight,
            now_ns=self.clock_ns(),
            reduces_risk=method.reduces_risk,
        )

    def look_at_limit(self, call: Call) -> LimitState:
        """Return the state of a call's limits without taking anything."""
        return self.limiter.take(call.buckets, weight=0, now_ns=self.clock_ns(), reduces_risk=True)


def validate(message: Message | Malformed) -> None:
    """Check a message against the contract's rules.

    Raises ApiError: MESSAGE_MALFORMED, or FIELD_INVALID with a violation per field.
    """
    if isinstance(message, Malformed):
        raise make_error(Reason.MESSAGE_MALFORMED, "the message could not be parsed")
    for name, bound in _list_bounds(message.DESCRIPTOR):
        if len(getattr(message, name)) > bound:
            raise violation_error([(name, f"must have at most {bound} items")])
    violations = protovalidate.collect_violations(message)
    if violations:
        raise violation_error([(field_path(v), v.proto.message) for v in violations])


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


def violation_error(fields: list[tuple[str, str]]) -> ApiError:
    """Return the error of violated field rules; of very many the first ones."""
    text = "; ".join(f"{field} {description}" for field, description in fields[:8])
    return ApiError(make_status(Reason.FIELD_INVALID, text, fields=fields[:VIOLATIONS_MAX]))


def auth_error(error: AuthError) -> ApiError:
    """Return the contract's error of a refusal by the auth package."""
    metadata = dict(error.metadata)
    field = metadata.pop("field", "")
    fields = ((field, error.message),) if field else ()
    status = make_status(Reason[error.reason], error.message, metadata=metadata, fields=fields)
    return ApiError(status)


def field_path(violation: Violation, *, skip: int = 0) -> str:
    """Return the path of a violated field, e.g. `commands[3].place.price`, without its first
    elements.
    """
    parts = []
    path = violation.proto.field
    for element in (path.elements if path is not None else [])[skip:]:
        subscript = element.subscript
        index = f"[{subscript.value}]" if subscript is not None else ""
        parts.append(f"{element.field_name}{index}")
    return ".".join(parts)


def _headers(metadata: Iterable[tuple[str, str | bytes]] | None) -> Mapping[str, str]:
    """Return the headers by name.

    Raises Unauthenticated when there are two credentials: what stands before this server may have
    looked at the other one.
    """
    headers: dict[str, str] = {}
    for key, value in metadata or ():
        if key == AUTHORIZATION and key in headers:
            raise Unauthenticated(
                DenialReason.UNAUTHENTICATED, "There are two authorization headers: send one."
            )
        if isinstance(value, str):
            headers[key] = value
    return headers


def client_address(peer: str, forwarded: str | None) -> str | None:
    """Return the address of the client: that of the peer, or what a gateway in this process or
    behind a unix socket says of it. What anybody else says is ignored.
    """
    kind, _, rest = peer.partition(":")
    if kind == "ipv4":
        return rest.rpartition(":")[0]
    if kind == "ipv6":
        return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")
    return forwarded
