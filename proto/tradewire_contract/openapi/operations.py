"""A REST path of the contract as an OpenAPI operation."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from tradewire_contract.catalogue import ReasonEntry
from tradewire_contract.methods import ContractError
from tradewire_contract.openapi.answers import PUBLIC, reasons_of
from tradewire_contract.openapi.comments import Comments, summary
from tradewire_contract.openapi.examples import Examples
from tradewire_contract.openapi.prose import (
    AUTHENTICATE,
    BEARER,
    DEPRECATION_HEADERS,
    LIMIT_HEADERS,
    RETRY_AFTER,
    SIGNATURE,
    SSE_FRAMING,
)
from tradewire_contract.openapi.rules import is_oneof_required, is_required
from tradewire_contract.openapi.schemas import (
    Direction,
    Place,
    Schemas,
    real_oneofs,
    reference,
)
from tradewire_contract.rest import Route

Operation = dict[str, Any]

JSON = "application/json"
EVENTS = "text/event-stream"
_MORE_HEADERS = {401: (AUTHENTICATE,), 429: (RETRY_AFTER,), 503: (RETRY_AFTER,)}


class Operations:
    """Makes operations and what they refer to."""

    def __init__(self, schemas: Schemas, examples: Examples, comments: Comments) -> None:
        self._schemas = schemas
        self._examples = examples
        self._comments = comments

    def operation(self, route: Route, path_names: Mapping[str, str]) -> Operation:
        """Return the operation of a route; `path_names` says how its variables are named."""
        method = route.method
        text = self._comments.text(f"{method.service}.{method.name}")
        operation: Operation = {
            "operationId": operation_id(route),
            "tags": [tag(method.service)],
            "summary": f"{summary(text)}{_by_variable(route)}",
            "description": text,
        }
        if method.deprecation is not None:
            operation |= {
                "deprecated": True,
                "x-deprecated-since": method.deprecation.since,
                "x-sunset": method.deprecation.sunset,
            }
        operation["security"] = security(method.scope)
        parameters = self._parameters(route, path_names)
        if parameters:
            operation["parameters"] = parameters
        if route.has_body:
            operation["requestBody"] = self._body(route)
        operation["responses"] = self._responses(route)
        return operation | annotations(route)

    def _parameters(self, route: Route, path_names: Mapping[str, str]) -> list[dict[str, Any]]:
        fields = route.method.request.fields_by_name
        for oneof in real_oneofs(route.method.request):
            in_query = [field for field in route.query_fields if field in oneof.fields]
            if in_query and is_oneof_required(oneof):
                raise ContractError(f"{route.template}: a query cannot say that {oneof} is needed")
        in_path = [
            self._parameter(fields[name], "path", path_names[name]) for name in route.variables
        ]
        return in_path + [
            self._parameter(field, "query", field.json_name) for field in route.query_fields
        ]

    def _parameter(self, field: FieldDescriptor, place: str, name: str) -> dict[str, Any]:
        is_path = place == "path"
        schema = self._schemas.value(field, Direction.REQUEST, Place.ADDRESS)
        parameter = {
            "name": name,
            "in": place,
            "description": self._comments.text(field.full_name),
            "required": is_path or is_required(field),
            "schema": schema,
        }
        chosen = self._examples.request([field])
        if is_path or chosen:
            value = self._examples.value(field, is_sent=True)
            parameter["example"] = int(value) if schema.get("type") == "integer" else value
        if field.GetOptions().deprecated:
            parameter["deprecated"] = True
        return parameter

    def _body(self, route: Route) -> dict[str, Any]:
        """Return the request body: the message, less what the path says already."""
        message = route.method.request
        if len(route.body_fields) == len(message.fields):
            schema = self._schemas.message(message, Direction.REQUEST)
        else:
            name = f"{route.method.name}Body"
            made = self._schemas.object(
                message,
                route.body_fields,
                Direction.REQUEST,
                description=self._comments.text(message.full_name),
            )
            if self._schemas.components.setdefault(name, made) != made:
                raise ContractError(f"{route.method.path} has two paths with different bodies")
            schema = reference(name)
        needed = any(is_required(field) for field in route.body_fields) or any(
            is_oneof_required(oneof)
            for oneof in real_oneofs(message)
            if oneof.fields[0] in route.body_fields
        )
        example = self._examples.request(route.body_fields)
        return {"required": needed, "content": {JSON: {"schema": schema, "example": example}}}

    def _responses(self, route: Route) -> dict[str, Any]:
        responses = {"200": self._success(route)}
        for status, entries in reasons_of(route).items():
            responses[str(status)] = self._failure(route, status, entries)
        return responses

    def _success(self, route: Route) -> dict[str, Any]:
        message = route.method.response
        description = self._comments.text(message.full_name)
        schema = self._schemas.message(message, Direction.ANSWER)
        if route.method.server_streaming:
            # Nothing may precede an error, so a stream that begins says nothing of limits.
            headers = headers_of(route, limits=False)
            content = {EVENTS: {"schema": event_schema(schema), "example": self._frames(route)}}
        else:
            headers = headers_of(route)
            content = {JSON: {"schema": schema, "example": self._examples.answer(message)}}
        return {"description": description, **headers, "content": content}

    def _frames(self, route: Route) -> str:
        events = self._examples.events(route.method.response)
        return "".join(f"data: {json.dumps(e, separators=(',', ':'))}\n\n" for e in events)

    def _failure(self, route: Route, status: int, entries: Sequence[ReasonEntry]) -> dict[str, Any]:
        lines = [f"- `{entry.name}`: {self.reason_text(entry)}" for entry in entries]
        return {
            "description": "\n".join([f"{HTTPStatus(status).phrase}. Reasons:", "", *lines]),
            **headers_of(route, more=_MORE_HEADERS.get(status, ())),
            "content": {
                JSON: {
                    "schema": reference("Status"),
                    "examples": {
                        entry.name: {"$ref": f"#/components/examples/{entry.name}"}
                        for entry in entries
                    },
                }
            },
            "x-tradewire-reasons": [entry.name for entry in entries],
        }

    def reason_text(self, entry: ReasonEntry) -> str:
        """Return the contract's comment at a reason."""
        return self._comments.text(f"tradewire.v1.Reason.REASON_{entry.name}")


def operation_id(route: Route) -> str:
    """Return a name that stays: that of JSON-RPC, with the variable of a further path.

    `orders.get` and `orders.get.byClientOrderId`.
    """
    name = route.method.json_rpc
    if not route.binding:
        return name
    (variable,) = route.variables
    field = route.method.request.fields_by_name[variable]
    return f"{name}.by{field.json_name[:1].upper()}{field.json_name[1:]}"


def _by_variable(route: Route) -> str:
    """Return what tells a further path of a method from the first, in words."""
    words = ", ".join(variable.replace("_", " ") for variable in route.variables)
    return f", by {words}" if route.binding else ""


def tag(service: str) -> str:
    """Return the tag of a service."""
    return service.rpartition(".")[2]


def security(scope: str) -> list[dict[str, list[str]]]:
    """Return what a request of this scope must show: a token, or a signature."""
    if scope == PUBLIC:
        return []
    return [{BEARER: [scope]}, {name: [scope] for name in SIGNATURE}]


def annotations(route: Route) -> Operation:
    """Return what else the contract says about a method."""
    method = route.method
    found: Operation = {
        "x-tradewire-grpc": method.path,
        "x-tradewire-json-rpc": method.json_rpc,
        "x-tradewire-scope": method.scope,
        "x-tradewire-weight": method.weight,
        "x-tradewire-idempotent": method.idempotent,
        "x-tradewire-reduces-risk": method.reduces_risk,
    }
    if method.fix_request:
        found["x-tradewire-fix"] = {"request": method.fix_request, "reply": list(method.fix_reply)}
    return found


def event_schema(message: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one event of a stream, as OpenAPI 3.2 writes it in `itemSchema`."""
    return {
        "type": "object",
        "description": SSE_FRAMING,
        "properties": {
            "data": {
                "type": "string",
                "contentMediaType": JSON,
                "contentSchema": message,
            }
        },
        "required": ["data"],
    }


def headers_of(route: Route, *, limits: bool = True, more: Sequence[str] = ()) -> dict[str, Any]:
    """Return the headers of an answer as the member of a response, nothing if there are none."""
    names = [
        *(LIMIT_HEADERS if limits else ()),
        *more,
        *(DEPRECATION_HEADERS if route.method.deprecation is not None else ()),
    ]
    if not names:
        return {}
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}
