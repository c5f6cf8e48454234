"""The collection for Postman and Bruno: every REST operation, made from the OpenAPI document.

Requests are signed by a script with HMAC-SHA256, the algorithm that these programs bring along.
What one request makes (an order, a key, a session) is kept in variables for the next ones, so that
a folder can be run from top to bottom.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tradewire_gateway.web.rendering import FOLDER

NAME = "Tradewire REST API"
STREAMS = "Streams"
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_VERBS = ("get", "post", "put", "patch", "delete")
_EVENT_STREAM = "text/event-stream"
# Fields whose value another request made, or the script makes for each request.
_VARIABLES = {
    "clientOrderId": "{{newId}}",
    "price": "{{price}}",
    "symbol": "{{symbol}}",
}
_PATH_VARIABLES = {
    "order_id": "{{orderId}}",
    "client_order_id": "{{clientOrderId}}",
    "original_client_order_id": "{{clientOrderId}}",
    "symbol": "{{symbol}}",
    "api_key": "{{createdKey}}",
}
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
}
_BEARER = {"session.logout"}


def postman_collection(
    openapi: Mapping[str, Any], *, rest_url: str, environment: str
) -> dict[str, Any]:
    """Return the collection, in Postman's format 2.1."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, verb, operation in _operations(openapi):
        folder = STREAMS if _is_stream(operation) else operation["tags"][0]
        folders.setdefault(folder, []).append(_item(path, verb, operation))
    # Streams do not end by themselves, so they come last and are not part of a run.
    titles = [*(name for name in folders if name != STREAMS), STREAMS]
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
        "item": [{"name": title, "item": folders[title]} for title in titles if title in folders],
    }


def _operations(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in openapi["paths"].items():
        for verb in _VERBS:
            if verb in operations:
                yield path, verb, operations[verb]


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
    by = next((f" ({key})" for key in _bound(path) if path.count("/") > 3), "")
    return {"name": operation["summary"] + by, "request": request, "response": []}


def _name(operation: Mapping[str, Any]) -> str:
    return str(operation["operationId"])


def _bound(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _url(path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    for name, variable in _PATH_VARIABLES.items():
        path = path.replace(f"{{{name}}}", variable).replace(f"{{{_camel(name)}}}", variable)
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
    return _with_variables(content.get("example", {}))


def _with_variables(example: Any, place: str = "") -> Any:
    if isinstance(example, dict):
        return {
            key: f"{_VARIABLES[key]}{place}"
            if key in _VARIABLES and key == "clientOrderId"
            else _VARIABLES.get(key) or _with_variables(value, place)
            for key, value in example.items()
        }
    if isinstance(example, list):
        return [_with_variables(value, f"-{index}") for index, value in enumerate(example)]
    return example


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lines(name: str) -> dict[str, Any]:
    return {"type": "text/javascript", "exec": _script(name).splitlines()}


def _script(name: str) -> str:
    return (FOLDER / "assets" / name).read_text(encoding="utf-8")
