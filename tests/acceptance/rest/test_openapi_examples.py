"""Each documented example, sent through Envoy, is answered as documented.

What no document can know (ids that a venue gives, signatures over a time) is put in; everything
else is sent as it stands.
"""

import json
from typing import Any

import httpx
import pytest
from jsonschema_rs import Draft202012Validator
from tradewire_contract import Route, routes
from tradewire_contract.openapi import document
from tradewire_contract.openapi.operations import operation_id

from tests.acceptance.rest.conftest import ThreadedVenue
from tests.acceptance.rest.verdict import check_answer, events_of, read_error
from tests.support.envoy import bearer
from tests.support.rest import ed25519_key, json_of, signed_headers
from tests.support.venue import Credential, session_request

ALL = routes()
BY_ID = {operation_id(route): route for route in ALL}
OPERATIONS: dict[str, Any] = {
    operation["operationId"]: (verb.upper(), path, operation)
    for path, operations in document()["paths"].items()
    for verb, operation in operations.items()
}
DOCUMENTED_ORDER = "1001"


class Client:
    """A client that reads the document."""

    def __init__(self, url: str, credential: Credential) -> None:
        self._url = url
        self._headers = bearer(credential)
        self.order_id = DOCUMENTED_ORDER
        self.api_key = ""

    def send(self, operation: str, body: Any = None) -> tuple[int, str, str]:
        """Send an operation's example; return status, content type and text of the answer."""
        verb, path, documented = OPERATIONS[operation]
        query = {}
        for parameter in documented.get("parameters", ()):
            name = parameter["name"]
            if "example" in parameter and parameter["in"] == "query":
                query[name] = parameter["example"]
            elif "example" in parameter:
                path = path.replace(f"{{{name}}}", self._known(name, str(parameter["example"])))
        if body is None and "requestBody" in documented:
            body = documented["requestBody"]["content"]["application/json"]["example"]
            text = json.dumps(body).replace(f'"{DOCUMENTED_ORDER}"', f'"{self.order_id}"')
            body = json.loads(text)
        with httpx.stream(
            verb,
            f"{self._url}{path}",
            params=query or None,
            json=body,
            headers=self._headers,
            trust_env=False,
            timeout=20,
        ) as response:
            content_type = response.headers["content-type"]
            if content_type != "text/event-stream":
                response.read()
                return response.status_code, content_type, response.text
            text = ""
            for chunk in response.iter_text():
                text += chunk
                if text.endswith("\n\n"):
                    break
            return response.status_code, content_type, text

    def _known(self, name: str, example: str) -> str:
        """Return the value of a path parameter: what the venue gave, else what is documented."""
        return {"orderId": self.order_id, "apiKey": self.api_key or example}.get(name, example)


@pytest.fixture
def client(threaded_venue: ThreadedVenue, request: pytest.FixtureRequest) -> Client:
    """Return a client of an account of its own."""
    account = f"example-{request.node.callspec.indices['operation']}"
    return Client(threaded_venue.url, threaded_venue.run(threaded_venue.open_account(account)))


def check_documented(operation: str, status: int, content_type: str, text: str) -> None:
    """Check an answer against what the document says of it."""
    response = OPERATIONS[operation][2]["responses"][str(status)]
    if "$ref" in response:
        response = document()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"][content_type]["schema"]
    components = {"components": document()["components"]}
    if content_type == "text/event-stream":
        answers = events_of(text)
        schema = schema["properties"]["data"]["contentSchema"]
    else:
        answers = [text]
    assert answers
    for answer in answers:
        Draft202012Validator(components | {"allOf": [schema]}, validate_formats=True).validate(
            json.loads(answer)
        )


def check_accepted(operation: str, answer: tuple[int, str, str]) -> Any:
    """Check that an example was accepted and answered as documented; return the answer."""
    status, content_type, text = answer
    assert status == 200, text
    check_documented(operation, *answer)
    check_answer(BY_ID[operation], text)
    return json.loads(text) if content_type == "application/json" else None


@pytest.mark.parametrize("operation", [operation_id(route) for route in ALL])
def test_an_example_is_answered_as_documented(
    operation: str, client: Client, threaded_venue: ThreadedVenue
) -> None:
    route = BY_ID[operation]
    if {"order_id", "original_client_order_id", "client_order_id"} & set(route.variables) or (
        operation == "orders.batchCancel"
    ):
        placed = check_accepted("orders.place", client.send("orders.place"))
        client.order_id = placed["order"]["orderId"]
    if "api_key" in route.variables:
        created = check_accepted("keys.create", client.send("keys.create"))
        client.api_key = created["key"]["apiKey"]
    # The documented signatures are real, but of another time.
    if operation == "session.check":
        explained = check_accepted(operation, client.send(operation))
        assert (explained["valid"], explained["part"]) == (False, "timestamp")
    if operation == "session.login":
        refused = client.send(operation)
        check_documented(operation, *refused)
        assert read_error(refused[0], refused[2]) == ("TIMESTAMP_OUT_OF_WINDOW", [])
    answer = check_accepted(operation, client.send(operation, real_proof(route, threaded_venue)))
    if operation.startswith("orders.batch"):
        (result,) = answer["results"]
        assert "order" in result, result


def real_proof(route: Route, venue: ThreadedVenue) -> Any:
    """Return the body of a request that proves who has a key; None if the example will do."""
    credential = venue.running.alice
    if route.method.name == "CreateSession":
        return json_of(session_request(credential, "sandbox"))
    if route.method.name != "CheckSignature":
        return None
    headers = signed_headers(ed25519_key(credential), "GET", "/v1/orders", b"")
    fields = {"api_key": "apiKey", "timestamp": "timestamp", "nonce": "nonce"}
    named = {json: headers[f"x-api-{field.removeprefix('api_')}"] for field, json in fields.items()}
    signature = headers["x-api-signature"]
    return named | {"signature": signature, "method": "GET", "path": "/v1/orders"}
