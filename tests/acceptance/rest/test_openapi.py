"""The served document and the gateway agree: schemathesis asks everything that the document allows,
and much that it does not, of a venue through Envoy.

Each answer is checked by schemathesis against the document (status, content type, headers, schema,
credentials needed, other methods 405) and by `tests.acceptance.rest.verdict` against the contract
itself. Requests are the same in each run; `make schemathesis` makes more, and others by its seed.
"""

import copy
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from tradewire_contract import routes
from tradewire_contract.openapi import document
from tradewire_contract.openapi.operations import operation_id

from tests.acceptance.rest.conftest import ThreadedVenue
from tests.acceptance.rest.verdict import keeps_the_contract
from tests.support.envoy import bearer
from tests.support.venue import SYMBOL, Credential, base64url

Request = Case[Any]
# How often each operation answered with which status.
Seen = Counter[tuple[str, int]]

# Of the long run, which is another one with each seed.
EXAMPLES = int(os.environ.get("TRADEWIRE_SCHEMATHESIS_EXAMPLES", "100"))
SEED = int(os.environ.get("TRADEWIRE_SCHEMATHESIS_SEED", "1"))


def load(examples: int, seed: int) -> BaseSchema:
    """Return the document for schemathesis; of each operation so many random requests are made,
    beside those that cover its schema.
    """
    generation = {
        "max-examples": examples,
        "deterministic": True,
        "database": "none",
        # Credentials are real ones; `ignored_auth` tries without and with wrong ones.
        "with-security-parameters": False,
    }
    # Not QUERY: it is sent without a body, which it must have, and Envoy answers 400.
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
    config = schemathesis.Config.from_dict(
        {
            # An open stream sends no more before a heartbeat.
            "max-stream-events": 1,
            "request-timeout": 10,
            "seed": seed,
            "generation": generation,
            "phases": {"coverage": {"unexpected-methods": methods}},
        }
    )
    return schemathesis.openapi.from_dict(copy.deepcopy(document()), config=config)


SCHEMA = load(8, 1)
# What `verdict` says in their place is sharper.
REPLACED: list[Any] = [not_a_server_error, negative_data_rejection, positive_data_acceptance]
# Its proof is a signature over a time and a nonce: test_openapi_examples makes real ones.
NEVER_ACCEPTED = {"session.login"}
# An account has only so many keys.
KEY_USERS = {"keys.create", "keys.rotate", "keys.revoke"}


class Callers:
    """An account of its own for each operation, so that none sees what another one left behind.

    Those that use up keys have one for each request.
    """

    def __init__(self, venue: ThreadedVenue) -> None:
        self._venue = venue
        self._credentials: dict[str, Credential] = {}
        self._count = 0
        self._accounts = 0

    def of(self, operation: str) -> Credential:
        """Return who calls an operation, signed in."""
        if operation not in self._credentials or operation in KEY_USERS:
            self._accounts += 1
            opening = self._venue.open_account(f"tester-{self._accounts}")
            self._credentials[operation] = self._venue.run(opening)
        credential = self._credentials[operation]
        if operation == "session.logout":
            # It ends the session with which it is called.
            self._venue.run(self._venue.running.venue.sign_in(credential))
        return credential

    def order(self, credential: Credential) -> dict[str, str]:
        """Return the ids of an order that works, under the names of path parameters."""
        self._count += 1
        order = {
            "clientOrderId": f"known-{self._count}",
            "symbol": SYMBOL,
            "side": "SIDE_BUY",
            "type": "ORDER_TYPE_LIMIT",
            "quantity": "1",
            "price": "50",
        }
        url = f"{self._venue.url}/v1/orders"
        answer = httpx.post(url, json=order, headers=bearer(credential), trust_env=False).json()
        return {
            "orderId": answer["order"]["orderId"],
            "originalClientOrderId": order["clientOrderId"],
        }

    def key(self, credential: Credential) -> str:
        """Return the id of a key that is live."""
        venue = self._venue.running.venue
        return self._venue.run(venue.create_key(credential.account)).key_id

    def public_key(self) -> str:
        """Return a public key that nobody has yet."""
        return base64url(Ed25519PrivateKey.generate().public_key().public_bytes_raw())


@pytest.fixture(scope="module")
def callers(threaded_venue: ThreadedVenue) -> Callers:
    """Return who calls."""
    return Callers(threaded_venue)


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """Count the statuses of each operation; at the end each must have been accepted as well."""
    counter: Seen = Counter()
    yield counter
    called = {operation for operation, _ in counter}
    accepted = {operation for operation, status in counter if status == 200}
    assert called - accepted <= NEVER_ACCEPTED, sorted(counter.items())


@SCHEMA.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(
    case: Request, threaded_venue: ThreadedVenue, callers: Callers, seen: Seen
) -> None:
    ask(case, threaded_venue, callers, seen)


@pytest.mark.slow
@pytest.mark.timeout(900)
@load(EXAMPLES, SEED).parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented_at_length(
    case: Request, threaded_venue: ThreadedVenue, callers: Callers, seen: Seen
) -> None:
    ask(case, threaded_venue, callers, seen)


def ask(case: Request, threaded_venue: ThreadedVenue, callers: Callers, seen: Seen) -> None:
    """Send a request with the credential of its operation's account, and check the answer."""
    operation = case.operation.definition.raw["operationId"]
    credential = callers.of(operation)
    if case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        aim(case, operation, credential, callers)
    headers = bearer(credential)
    response = case.call(base_url=threaded_venue.url, headers=headers)
    seen[operation, response.status_code] += 1
    case.validate_response(
        response, headers=headers, additional_checks=[keeps_the_contract], excluded_checks=REPLACED
    )


def aim(case: Request, operation: str, credential: Credential, callers: Callers) -> None:
    """Point most valid requests at what there is at the venue; by chance nearly none would be."""
    if zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 4 == 0:
        return
    path, query = case.path_parameters, case.query
    body = case.body if isinstance(case.body, dict) else {}
    known = {"account": credential.account, "symbol": SYMBOL, "afterSequence": 0}
    if path.keys() & {"orderId", "originalClientOrderId"}:
        known |= callers.order(credential)
    if "apiKey" in path:
        known["apiKey"] = callers.key(credential)
    for values in (path, query, body):
        values |= {name: value for name, value in known.items() if name in values}
        # Random times are nearly always long past, and tokens those of no page.
        values.pop("validUntil", None)
        values.pop("pageToken", None)
    if "symbols" in query:
        query["symbols"] = [SYMBOL]
    if operation.startswith("orders.amend"):
        body |= {"price": "51", "quantity": "2"}
    elif operation == "keys.create":
        body.clear()
        body |= {"algorithm": "KEY_ALGORITHM_HMAC_SHA256", "scopes": ["SCOPE_READ"]}
    elif operation == "keys.rotate":
        body["publicKey"] = callers.public_key()


def test_every_operation_is_asked() -> None:
    results = [result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)]
    asked = {operation.definition.raw["operationId"] for operation in results}
    assert asked == {operation_id(route) for route in routes()}
