"""Puts the AsyncAPI document together. Its order is fixed: equal input gives equal text."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tradewire.v1 import websocket_pb2

from tradewire_contract.asyncapi import frames, prose
from tradewire_contract.asyncapi.operations import (
    CHANNEL,
    CONNECTION_TAG,
    Operations,
    sent_to_streams,
)
from tradewire_contract.asyncapi.reasons import all_reasons
from tradewire_contract.methods import Method, methods
from tradewire_contract.openapi.comments import Comments
from tradewire_contract.openapi.document import contract_files
from tradewire_contract.openapi.examples import Examples
from tradewire_contract.openapi.prose import status_schemas
from tradewire_contract.openapi.rules import Schema
from tradewire_contract.openapi.schemas import Direction, Schemas

_CONNECTION_TEXT = "What is said on a connection beside the methods of the services."
_SEND = websocket_pb2.SendToSubscriptionRequest.DESCRIPTOR


def build(image: FileDescriptorSet, found: Sequence[Method] | None = None) -> dict[str, Any]:
    """Return the document of the contract, with the comments of ``image``.

    Methods without a name in JSON-RPC, so all that are for the operator, are not in it. Raises
    ContractError for what cannot be said.
    """
    chosen = [method for method in methods().values() if method.json_rpc]
    chosen = chosen if found is None else list(found)
    comments = Comments(image)
    schemas = Schemas(comments)
    made = frames.Frames(schemas, Examples(contract_files()))
    operations = Operations(made, comments, chosen)
    operations.add_error(all_reasons())
    for method in chosen:
        operations.add_method(method)
    operations.add_own()
    _name_what_is_sent(schemas, chosen)
    operations.add_batch()
    services = dict.fromkeys(method.service for method in chosen)
    tags = {
        service.rpartition(".")[2]: {
            "name": service.rpartition(".")[2],
            "description": comments.text(service),
        }
        for service in services
    } | {CONNECTION_TAG: {"name": CONNECTION_TAG, "description": _CONNECTION_TEXT}}
    names = sorted(operations.messages)
    document = {
        "asyncapi": "3.0.0",
        "info": prose.info([{"$ref": f"#/components/tags/{name}"} for name in tags]),
        "defaultContentType": "application/json",
        "servers": prose.servers(),
        "channels": {
            CHANNEL: {
                "address": prose.ADDRESS,
                "title": "A connection",
                "description": "Everything goes over one connection.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": prose.bindings(),
            }
        },
        "operations": operations.operations,
        "components": {
            "schemas": dict(
                sorted((schemas.components | status_schemas() | frames.schemas()).items())
            ),
            "messages": {name: operations.messages[name] for name in names},
            "securitySchemes": prose.security_schemes(),
            "tags": tags,
        },
    }
    return {key: _in_draft_7(value) for key, value in document.items()}


def _name_what_is_sent(schemas: Schemas, chosen: Sequence[Method]) -> None:
    """Say of the message that is sent to a subscription what it can be.

    The contract has no type for it: which one it is depends on the subscription.
    """
    choices = [schemas.message(each, Direction.REQUEST) for each in sent_to_streams(chosen)]
    field = _SEND.fields_by_name["message"]
    schema = schemas.components[_SEND.name]["properties"][field.json_name]
    schema |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    schema.pop("type", None)


def _in_draft_7(value: Any) -> Any:
    """Return a part of the document as its older JSON Schema has it.

    What stands beside a `$ref` is not looked at there, and a discriminator is a name only.
    """
    if isinstance(value, list):
        return [_in_draft_7(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed: Schema = {
        key: _in_draft_7(inner)
        for key, inner in value.items()
        if not (key == "discriminator" and isinstance(inner, dict))
    }
    if "$ref" in changed and len(changed) > 1:
        reference = changed.pop("$ref")
        return {"allOf": [{"$ref": reference}], **changed}
    return changed
