"""REST as a client writes it: JSON over HTTP, with a session's token or with a signature per
request. Nothing of the server is used to sign, so the scheme is checked as well.

    async with rest_client(url, SignedRequests(ed25519_key(credential))) as client:
        response = await client.post("/v1/orders", json={"clientOrderId": "a-1", ...})
    placed = answer(response, order_service_pb2.PlaceOrderResponse)
    failed = failure_of_response(response)
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from tradewire_contract import reasons, routes
from tradewire_server.api.key_messages import record_of
from tradewire_server.auth.provisioning import KeyRequest
from tradewire_server.engine.commands import CreateKey

from tests.support.failures import Failure, failure_of
from tests.support.venue import DEMO_SCOPES, Credential, RunningVenue, base64url

MessageT = TypeVar("MessageT", bound=Message)

# The details of an error are found by their names, once their file is loaded.
_DETAILS = error_details_pb2.DESCRIPTOR
TIMEOUT_S = 20


@dataclass(frozen=True)
class SigningKey:
    """A key and what signs with it."""

    key_id: str
    sign: Callable[[bytes], bytes]


def ed25519_key(credential: Credential) -> SigningKey:
    """Return a credential's key."""
    return SigningKey(credential.key_id, credential.private_key.sign)


def hmac_signer(secret: str) -> Callable[[bytes], bytes]:
    """Return what signs with an HMAC secret as it was shown."""
    return lambda payload: hmac.digest(secret.encode(), payload, "sha256")


async def create_hmac_key(
    venue: RunningVenue, account: str, scopes: frozenset[str] = DEMO_SCOPES
) -> SigningKey:
    """Make an HMAC key for an account."""
    key_id, secret = await new_hmac_key(venue, account, scopes)
    return SigningKey(key_id, hmac_signer(secret))


async def new_hmac_key(
    venue: RunningVenue, account: str, scopes: frozenset[str] = DEMO_SCOPES
) -> tuple[str, str]:
    """Make an HMAC key for an account and return its id and its secret."""
    created = venue.app.maker.create(
        KeyRequest(account=account, scopes=scopes, algorithm="hmac-sha256"),
        creator_scopes=None,
        now_ns=venue.app.clock_ns(),
    )
    await venue.submit(CreateKey(record_of(created.key)))
    return created.key.key_id, created.secret


class BearerToken(httpx.Auth):
    """Sends the token of a session with every request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add the header."""
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


class SignedRequests(httpx.Auth):
    """Signs every request: path and query as they are sent, and the exact bytes of the body."""

    requires_request_body = True

    def __init__(
        self,
        key: SigningKey,
        *,
        environment: str = "sandbox",
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._key = key
        self._environment = environment
        self._clock_ns = clock_ns

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add the headers."""
        request.headers.update(
            signed_headers(
                self._key,
                request.method,
                request.url.raw_path.decode("ascii"),
                request.content,
                environment=self._environment,
                timestamp_ms=self._clock_ns() // 10**6,
            )
        )
        yield request


def signed_headers(
    key: SigningKey,
    method: str,
    path: str,
    body: bytes,
    *,
    environment: str = "sandbox",
    timestamp_ms: int | None = None,
    nonce: str = "",
) -> dict[str, str]:
    """Return the headers of a signed request; `path` with its query."""
    timestamp = str(time.time_ns() // 10**6 if timestamp_ms is None else timestamp_ms)
    nonce = nonce or secrets.token_urlsafe(18)
    digest = hashlib.sha256(body).hexdigest()
    payload = "\n".join(("TRADEWIRE-V1", environment, timestamp, nonce, method, path, digest))
    return {
        "x-api-key": key.key_id,
        "x-api-timestamp": timestamp,
        "x-api-nonce": nonce,
        "x-api-signature": base64url(key.sign(payload.encode("ascii"))),
    }


def rest_client(base_url: str, auth: httpx.Auth | None = None) -> httpx.AsyncClient:
    """Return a client of a venue's REST address; without `auth` it calls as nobody."""
    return httpx.AsyncClient(base_url=base_url, auth=auth, timeout=TIMEOUT_S, trust_env=False)


def answer(response: httpx.Response, kind: type[MessageT]) -> MessageT:
    """Return the message of a successful response, which must have no field that is unknown."""
    assert response.status_code == 200, f"{response.status_code} {response.text}"
    assert response.headers["content-type"] == "application/json"
    return json_format.Parse(response.text, kind())


def failure_of_response(response: httpx.Response) -> Failure:
    """Return what a response failed with: the status of the contract, as JSON."""
    assert response.headers["content-type"] == "application/json", response.text
    found = failure_of(json_format.Parse(response.text, status_pb2.Status()))
    (entry,) = (entry for entry in reasons().values() if entry.name == found.reason)
    assert response.status_code == entry.http_status, f"{response.status_code} {found}"
    return found


@dataclass(frozen=True)
class HttpRequest:
    """A request of the contract as REST has it; `json` is None where no body belongs."""

    method: str
    path: str
    query: dict[str, str]
    json: Any

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        """Send it."""
        return await client.request(
            self.method, self.path, params=self.query or None, json=self.json
        )


def http_request(request: Message) -> HttpRequest:
    """Return how REST asks for this, by the contract.

    Raises ValueError for what JSON or a path cannot say.
    """
    fields = json_of(request)
    name = str(request.DESCRIPTOR.name).removesuffix("Request")
    for route in routes():
        if route.method.name == name and all(getattr(request, v) for v in route.variables):
            break
    else:
        raise ValueError(f"no path of {name} says {request}")
    path = route.template.format_map(
        {v: quote(str(getattr(request, v)), safe="") for v in route.variables}
    )
    decided = {request.DESCRIPTOR.fields_by_name[v].json_name for v in route.variables}
    rest = {key: value for key, value in fields.items() if key not in decided}
    if route.has_body:
        return HttpRequest(route.http_method, path, {}, rest)
    return HttpRequest(route.http_method, path, {k: str(v) for k, v in rest.items()}, None)


def json_of(request: Message) -> Any:
    """Return a request as the JSON of its body.

    Raises ValueError for what JSON cannot say.
    """
    try:
        return json_format.MessageToDict(request)
    except json_format.SerializeToJsonError as error:
        raise ValueError(str(error)) from error
