"""Requests, answers and notifications as messages of the document, with their examples."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor
from tradewire.v1 import stream_pb2, websocket_pb2

from tradewire_contract.asyncapi.bounds import ID_LENGTH_MAX, ID_NUMBER_MAX
from tradewire_contract.catalogue import ReasonEntry
from tradewire_contract.openapi.examples import Examples, status_example
from tradewire_contract.openapi.rules import Schema, is_oneof_required, is_required
from tradewire_contract.openapi.schemas import (
    Direction,
    Schemas,
    real_oneofs,
    reference,
)

Message = dict[str, Any]

_VERSION: Schema = {"const": "2.0"}
ID = "RequestId"
_LIMIT = stream_pb2.RateLimit.DESCRIPTOR
_LIMIT_EXAMPLE = {"limit": "4000", "remaining": "3999", "resetMs": "1"}
SUBSCRIPTION = websocket_pb2.Subscription.DESCRIPTOR


def schemas() -> dict[str, Schema]:
    """Return the schemas that belong to JSON-RPC and not to the contract."""
    return {
        ID: {
            "description": "Chosen by the client for each request; the answer has the same.",
            "oneOf": [
                {"type": "string", "maxLength": ID_LENGTH_MAX},
                {"type": "integer", "minimum": -ID_NUMBER_MAX, "maximum": ID_NUMBER_MAX},
            ],
        }
    }


class Frames:
    """Makes messages and the schemas that they refer to."""

    def __init__(self, found: Schemas, examples: Examples) -> None:
        self._schemas = found
        self._examples = examples

    def request(
        self, method: str, params: Descriptor, *, title: str, example: dict[str, Any] | None = None
    ) -> Message:
        """Return the request of a method. Without `id` it is done and not answered."""
        schema = self._schemas.message(params, Direction.REQUEST)
        shown = self._examples.request(params.fields) if example is None else example
        needs_params = any(map(is_required, params.fields)) or any(
            map(is_oneof_required, real_oneofs(params))
        )
        payload = {
            "type": "object",
            "properties": {
                "jsonrpc": _VERSION,
                "id": reference(ID),
                "method": {"const": method},
                "params": schema,
            },
            "required": ["jsonrpc", "method", *(["params"] if needs_params else [])],
            "additionalProperties": False,
        }
        frame = {"jsonrpc": "2.0", "id": 1, "method": method, "params": shown}
        return _message(method, title, payload, [_example("request", frame)], correlated=True)

    def answer(self, method: str, result: Descriptor, *, title: str) -> Message:
        """Return the answer to a request that was done."""
        payload = {
            "type": "object",
            "properties": {
                "jsonrpc": _VERSION,
                "id": reference(ID),
                "result": self._schemas.message(result, Direction.ANSWER),
                "rateLimit": self._limit(),
            },
            "required": ["jsonrpc", "id", "result"],
        }
        frame = {
            "jsonrpc": "2.0",
            "id": 1,
            "result": self._examples.answer(result),
            "rateLimit": _LIMIT_EXAMPLE,
        }
        name = f"{method}.result"
        return _message(name, title, payload, [_example("result", frame)], correlated=True)

    def error(self, entries: Sequence[tuple[ReasonEntry, str]]) -> Message:
        """Return the answer to a request that was not done; `entries` are its reasons in words."""
        payload = {
            "type": "object",
            "properties": {
                "jsonrpc": _VERSION,
                "id": {
                    "description": "That of the request; null if it could not be read.",
                    "oneOf": [reference(ID), {"type": "null"}],
                },
                "error": {
                    "type": "object",
                    "properties": {
                        "code": {
                            "type": "integer",
                            "description": (
                                "-32700: the frame is no JSON; -32600: it is no request; -32601: "
                                "there is no such method; else the code of `data`."
                            ),
                        },
                        "message": {"type": "string", "description": "That of `data`."},
                        "data": reference("Status"),
                    },
                    "required": ["code", "message", "data"],
                },
                "rateLimit": self._limit(),
            },
            "required": ["jsonrpc", "id", "error"],
        }
        examples = [_example(entry.name, _error(entry, text)) for entry, text in entries]
        title = "A request was not done"
        return _message("error", title, payload, examples, correlated=True)

    def stream(self, method: str, response: Descriptor, *, title: str) -> Message:
        """Return the notification that carries a message of a stream."""
        params = {
            "type": "object",
            "properties": {
                "subscription": self._schemas.property(
                    SUBSCRIPTION.fields_by_name["subscription"], Direction.ANSWER
                ),
                "message": self._schemas.message(response, Direction.ANSWER),
            },
            "required": ["subscription", "message"],
        }
        examples = [
            _example(
                next(iter(event)), _notification(method, {"subscription": 1, "message": event})
            )
            for event in self._examples.events(response)
        ]
        return _message(f"{method}.message", title, _notified(method, params), examples)

    def notification(self, method: str, params: Descriptor, *, title: str) -> Message:
        """Return a notification that no stream has."""
        schema = self._schemas.message(params, Direction.ANSWER)
        shown = _notification(method, self._examples.answer(params))
        return _message(method, title, _notified(method, schema), [_example("notification", shown)])

    def _limit(self) -> Schema:
        return self._schemas.message(_LIMIT, Direction.ANSWER)


def batch(name: str, title: str, items: Schema, bounds: Schema) -> Message:
    """Return an array of requests or of answers."""
    return _message(name, title, {"type": "array", "items": items, **bounds}, [])


def _message(
    name: str,
    title: str,
    payload: Schema,
    examples: Sequence[dict[str, Any]],
    *,
    correlated: bool = False,
) -> Message:
    return {
        "name": name,
        "title": title,
        **({"correlationId": {"location": "$message.payload#/id"}} if correlated else {}),
        "payload": payload,
        **({"examples": list(examples)} if examples else {}),
    }


def _example(name: str, frame: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "payload": frame}


def _notified(method: str, params: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"jsonrpc": _VERSION, "method": {"const": method}, "params": params},
        "required": ["jsonrpc", "method", "params"],
    }


def _notification(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def _error(entry: ReasonEntry, text: str) -> dict[str, Any]:
    status = status_example(entry, text)
    error = {"code": _CODES.get(entry.name, entry.code), "message": status["message"]}
    return {"jsonrpc": "2.0", "id": 1, "error": {**error, "data": status}}


_CODES = {"METHOD_NOT_FOUND": -32601}
