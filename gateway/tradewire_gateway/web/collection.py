"""The collection for Postman and Bruno: every REST operation, made from the OpenAPI document.

Requests are signed by a script with HMAC-SHA256, the algorithm that these programs bring along.
What one request makes (an order, a key, a session) is kept in variables for the next ones, so that
a folder can be run from top to bottom.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from tradewire_gateway.web.rendering import FOLDER

NAME = "Tradewire REST API"
STREAMS = "Streams"
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
# In the order of a life.
_VERBS = ("post", "get", "patch", "put", "delete")
_EVENT_STREAM = "text/event-stream"
# Fields whose value another request made, or the script makes for each request.
_VARIABLES = {
    "clientOrderId": "{{newId}}",
    "price": "{{price}}",
    "symbol": "{{symbol}}",
}
_UNIQUE = {"clientOrderId"}
_PATH_VARIABLES = {
    "orderId": "{{orderId}}",
    "clientOrderId": "{{clientOrderId}}",
    "originalClientOrderId": "{{clientOrderId}}",
    "symbol": "{{symbol}}",
    "apiKey": "{{createdKey}}",
}
_PATH_VARIABLE = re.compile(r"{(\w+)}")
# What a run from top to bottom needs: a body that no example can hold, since it is of this moment.
_BODIES: dict[str, Any] = {
    "session.login": {
        "signature": {
            "apiKey": "{{apiKey}}",
            "timestampMs": "{{sessionTimestamp}}",
            "nonce": "{{sessionNonce}}",
            "signature": "{{sessionSignature}}",
        }
    },
    # The signature is that of the session, so the answer says that the payload differs.
    "session.check": {
        "apiKey": "{{apiKey}}",
        "timestamp": "{{sessionTimestamp}}",
        "nonce": "{{sessionNonce}}",
        "signature": "{{sessionSignature}}",
        "method": "GET",
        "path": "/v1/balances",
        "body": "",
    },
}
_BEARER = {"session.logout"}
# An amend to the price that an order has is refused: it changes nothing.
_AMEND = {"price": "{{amendPrice}}"}


def postman_collection(
    openapi: Mapping[str, Any], *, rest_url: str, environment: str
) -> dict[str, Any]:
    """Return the collection, in Postman's format 2.1."""
    # Streams do not end by themselves, so they come last and are not part of a run.
    titles = [*(tag["name"] for tag in openapi["tags"]), STREAMS]
    folders: dict[str, list[dict[str, Any]]] = {title: [] for title in titles}
    for path, verb, operation in _operations(openapi):
        folder = STREAMS if _is_stream(operation) else operation["tags"][0]
        folders[folder].append(_item(path, verb, operation))
    return {
        "info": {
            "name": NAME,
            "schema": _SCHEMA,
            "description": _script("collection.md"),
        },
        "variable": [
            {"key": "baseUrl", "value": rest_url},
            {"key": "environment", "value": environment},
            {"key": "apiKey", "value": ""},
            {"key": "apiSecret", "value": ""},
            {"key": "symbol", "value": "BTC-USD"},
            {"key": "price", "value": "31000"},
        ],
        "event": [
            {"listen": "prerequest", "script": _lines("collection_sign.js")},
            {"listen": "test", "script": _lines("collection_test.js")},
        ],
        "item": [{"name": title, "item": items} for title, items in folders.items()],
    }


def _operations(openapi: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the operations, so that each finds what it needs: made, read, changed, removed."""
    found = [
        (path, verb, operation)
        for path, operations in openapi["paths"].items()
        for verb, operation in operations.items()
        if verb in _VERBS
    ]
    return sorted(found, key=lambda entry: _place(entry[0], entry[1]))


def _place(path: str, verb: str) -> int:
    if ":" in path and verb == "post":
        # `/v1/keys/{apiKey}:rotate` is about one, `/v1/orders:cancelAll` about all of them.
        return _VERBS.index("delete") - 1 if "{" in path else len(_VERBS)
    return _VERBS.index(verb)


def _is_stream(operation: Mapping[str, Any]) -> bool:
    return _EVENT_STREAM in operation["responses"]["200"]["content"]


def _item(path: str, verb: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    name = _name(operation)
    request: dict[str, Any] = {
        "method": verb.upper(),
        "description": operation["description"],
        "header": [],
        "url": _url(path, operation),
    }
    if name in _BEARER:
        request["header"].append({"key": "authorization", "value": "Bearer {{token}}"})
    if "requestBody" in operation:
        request["header"].append({"key": "content-type", "value": "application/json"})
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(_body(name, operation), indent=2),
            "options": {"raw": {"language": "json"}},
        }
    # Two paths of one method have one summary.
    by = " (by client order id)" if "/client/" in path else ""
    return {
        "name": operation["summary"] + by,
        "request": request,
        "response": [],
        # A colon in a path means itself, and what is signed has to be what is sent.
        "protocolProfileBehavior": {"disableUrlEncoding": True},
    }


def _name(operation: Mapping[str, Any]) -> str:
    return str(operation["operationId"])


def _url(path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    path = _PATH_VARIABLE.sub(lambda found: _PATH_VARIABLES[found[1]], path)
    query = [
        {
            "key": parameter["name"],
            "value": _text(_VARIABLES.get(parameter["name"], parameter.get("example", ""))),
            "description": parameter.get("description", ""),
            "disabled": not parameter.get("required", False),
        }
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    ]
    sent = "&".join(f"{entry['key']}={entry['value']}" for entry in query if not entry["disabled"])
    return {
        "raw": f"{{{{baseUrl}}}}{path}" + (f"?{sent}" if sent else ""),
        "host": ["{{baseUrl}}"],
        "path": path.removeprefix("/").split("/"),
        "query": query,
    }


def _body(name: str, operation: Mapping[str, Any]) -> Any:
    if name in _BODIES:
        return _BODIES[name]
    content = operation["requestBody"]["content"]["application/json"]
    variables = _VARIABLES | (_AMEND if name.startswith("orders.amend") else {})
    return _with_variables(content.get("example", {}), variables)


def _with_variables(example: Any, variables: Mapping[str, str], place: str = "") -> Any:
    """Return an example with variables; `place` tells the items of a list apart."""
    if isinstance(example, dict):
        return {
            key: f"{variables[key]}{place if key in _UNIQUE else ''}"
            if key in variables
            else _with_variables(value, variables, place)
            for key, value in example.items()
        }
    if isinstance(example, list):
        return [
            _with_variables(value, variables, f"-{index}") for index, value in enumerate(example)
        ]
    return example


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lines(name: str) -> dict[str, Any]:
    return {"type": "text/javascript", "exec": _script(name).splitlines()}


def _script(name: str) -> str:
    return (FOLDER / "assets" / name).read_text(encoding="utf-8")
