"""The HTTP request that becomes a connection: who asks, from where, and with which credential.

A refusal is HTTP, with the error as REST answers it; browsers show their pages nothing of it.
"""

import asyncio
import email.utils
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import grpc.aio
from google.rpc import status_pb2
from tradewire.v1 import session_service_pb2
from tradewire_contract import reasons
from tradewire_contract.json_form.fields import shown
from tradewire_contract.statuses import make_status
from websockets.datastructures import Headers, MultipleValuesError
from websockets.http11 import Request, Response

from tradewire_gateway.ws import json_rpc
from tradewire_gateway.ws.credential import CLIENT_ADDRESS, Credential, metadata_of
from tradewire_gateway.ws.methods import targets
from tradewire_gateway.ws.options import PATH
from tradewire_gateway.ws.upstream import Upstream, failure_of, reason_of

TICKET: Final = "ticket"
TICKET_S: Final = 10.0
QUERY_MAX: Final = 1_024
QUERY_FIELDS_MAX: Final = 16
# The headers of a signed request: what opens a connection has no signature.
SIGNED: Final = "x-api-"
SIGN_IN_BY: Final = (
    "sign in with the header `authorization: Bearer <token>`, with the parameter `ticket`, or with "
    "`session.login` on the connection"
)
_UNKNOWN_ADDRESS = "unknown"


class Refusal(Exception):
    """The connection is not opened."""

    def __init__(self, reason: str, text: str, *, status: status_pb2.Status | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.status = status or make_status(reason, text)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What a request for an upgrade says. `origin` is None from a program."""

    path: str
    address: str
    origin: str | None
    authorization: str | None
    ticket: str | None
    # A name in the query or among the headers that would be ignored.
    unknown: str

    @classmethod
    def of(cls, request: Request, transport: asyncio.Transport) -> "Upgrade":
        """Read a request.

        Raises Refusal when a header that decides is there twice.
        """
        url = urlsplit(request.path)
        if len(url.query) > QUERY_MAX:
            raise Refusal("REQUEST_TOO_LARGE", f"the query has more than {QUERY_MAX} bytes")
        query = _query(url.query)
        tickets = [value for name, value in query if name == TICKET]
        if len(tickets) > 1:
            raise Refusal("UNAUTHENTICATED", "there are two tickets: send one")
        return cls(
            path=url.path,
            address=_client_address(request.headers, transport),
            origin=_header(request.headers, "origin"),
            authorization=_header(request.headers, "authorization"),
            ticket=tickets[0] if tickets else None,
            unknown=_unknown(query, request.headers),
        )

    def check(self, origins: Callable[[str], bool], *, is_draining: bool) -> None:
        """Refuse what may not connect, whoever it is.

        Raises Refusal.
        """
        if self.path != PATH:
            raise Refusal("METHOD_NOT_FOUND", f"WebSocket is at {PATH}")
        if self.origin is not None and not origins(self.origin):
            text = "pages of this origin may not connect"
            raise Refusal("ORIGIN_NOT_ALLOWED", text)
        if self.unknown:
            raise Refusal("MESSAGE_MALFORMED", f"{self.unknown}: {SIGN_IN_BY}")
        if is_draining:
            raise Refusal("NOT_SERVING", "the gateway ends; connect again")


async def sign_in(upgrade: Upgrade, upstream: Upstream) -> Credential | None:
    """Return what the request signs in with, None for nothing; a ticket is used up by it.

    Raises Refusal.
    """
    credential = None
    if upgrade.authorization is not None:
        credential = Credential.of_header(upgrade.authorization)
        if credential is None:
            raise Refusal("UNAUTHENTICATED", "authorization is not `Bearer` and a token")
        if credential.has_expired:
            raise Refusal("TOKEN_EXPIRED", "the token has expired")
    if upgrade.ticket is None:
        return credential
    if credential is not None:
        raise Refusal("UNAUTHENTICATED", "there are two credentials: send one")
    target = next(target for target in targets().values() if target.is_sign_in)
    request = session_service_pb2.CreateSessionRequest(ticket=upgrade.ticket)
    try:
        session = await upstream.unary(target)(
            request, timeout=TICKET_S, metadata=metadata_of(None, upgrade.address)
        )
    except grpc.aio.AioRpcError as error:
        status = failure_of(error).status
        raise Refusal(reason_of(status), status.message, status=status) from None
    return Credential.of_session(session)


def refusal_response(refusal: Refusal) -> Response:
    """Return a refusal as HTTP, with google.rpc.Status as REST writes it."""
    entry = next((each for each in reasons().values() if each.name == refusal.reason), None)
    # An error without a reason is that of a venue that does not answer.
    code = HTTPStatus.SERVICE_UNAVAILABLE if entry is None else HTTPStatus(entry.http_status)
    body = json_rpc.write_status(refusal.status).encode()
    headers = Headers(
        [
            ("Date", email.utils.formatdate(usegmt=True)),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Sec-WebSocket-Version", "13"),
        ]
    )
    return Response(code.value, code.phrase, headers, body)


def _query(text: str) -> list[tuple[str, str]]:
    """Return the parameters of a query.

    Raises Refusal when there are far too many.
    """
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        text = f"the query has more than {QUERY_FIELDS_MAX} parameters"
        raise Refusal("MESSAGE_MALFORMED", text) from None


def _unknown(query: list[tuple[str, str]], headers: Headers) -> str:
    """Return what is wrong with a name that says nothing here, empty if all say something."""
    for name, _ in query:
        if name != TICKET:
            return f"the query has one parameter, `{TICKET}`, and {shown(name)} is not it"
    for name in headers:
        if name.lower().startswith(SIGNED):
            return f"{shown(name)}: the request of an upgrade is not signed"
    return ""


def _header(headers: Headers, name: str) -> str | None:
    try:
        value: str | None = headers.get(name)
    except MultipleValuesError:
        raise Refusal("MESSAGE_MALFORMED", f"{name} is there twice") from None
    return value


def _client_address(headers: Headers, transport: asyncio.Transport) -> str:
    """Return the client's address. Who comes through the unix socket, which Envoy alone can open,
    is believed when it says so; nobody else is.
    """
    found: Any = transport.get_extra_info("socket")
    if found is not None and found.family == socket.AF_UNIX:
        return _header(headers, CLIENT_ADDRESS) or _UNKNOWN_ADDRESS
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else _UNKNOWN_ADDRESS
