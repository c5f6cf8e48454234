"""The WebSocket API as a page: what the AsyncAPI document says, in the order of the contract."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from tradewire_gateway.web.contract_files import contract_file
from tradewire_gateway.web.reference import source_files

_REFERENCE = "#/components/schemas/"
_EXAMPLES_MAX = 5
_REASONS = "x-tradewire-reasons"
_SHOWN_ERROR = "FIELD_INVALID"


@dataclass(frozen=True, slots=True)
class TypeName:
    """A message of the contract; `link` is where it is described, empty if nowhere."""

    name: str
    link: str


@dataclass(frozen=True, slots=True)
class SocketOperation:
    """A method, what a stream sends, or a notification of the connection."""

    name: str
    kind: str
    text: str
    params: TypeName | None
    result: TypeName | None
    message: TypeName | None
    scope: str
    weight: int | None
    reasons: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SocketGroup:
    """The operations of a service, or those of the connection itself."""

    name: str
    text: str
    operations: tuple[SocketOperation, ...]


@dataclass(frozen=True, slots=True)
class SocketReference:
    """The whole page."""

    version: str
    address: str
    groups: tuple[SocketGroup, ...]
    common_reasons: tuple[str, ...]
    credential_reasons: tuple[str, ...]
    error: str


@cache
def socket_reference() -> SocketReference:
    """Return what the page shows.

    Raises FileNotFoundError where the installation lacks the document.
    """
    content = contract_file("asyncapi.json")
    if content is None:
        raise FileNotFoundError("asyncapi.json: the installation lacks the document of WebSocket")
    document = json.loads(content)
    operations: dict[str, Any] = document["operations"]
    answered = [found for found in operations.values() if _REASONS in found]
    common = _shared_reasons(answered)
    credential = [
        name
        for name in _shared_reasons([found for found in answered if "security" in found])
        if name not in common
    ]
    groups: dict[str, list[SocketOperation]] = {}
    for name, operation in operations.items():
        (tag,) = (each["$ref"].rpartition("/")[2] for each in operation["tags"])
        groups.setdefault(tag, []).append(_read(document, name, operation, {*common, *credential}))
    tags = document["components"]["tags"]
    errors = document["components"]["messages"]["error"]["examples"]
    (error,) = (each["payload"] for each in errors if each["name"] == _SHOWN_ERROR)
    (channel,) = document["channels"].values()
    return SocketReference(
        version=document["asyncapi"],
        address=channel["address"],
        groups=tuple(
            SocketGroup(tag, tags[tag]["description"], tuple(found))
            for tag, found in groups.items()
        ),
        common_reasons=tuple(common),
        credential_reasons=tuple(credential),
        error=_text(error),
    )


def _shared_reasons(operations: list[dict[str, Any]]) -> list[str]:
    """Return the reasons that all of some requests can get."""
    first, *others = [found[_REASONS] for found in operations]
    return [name for name in first if all(name in names for names in others)]


def _read(
    document: dict[str, Any], name: str, operation: dict[str, Any], shared: set[str]
) -> SocketOperation:
    messages = document["components"]["messages"]
    message = messages[name]
    answer = messages.get(f"{name}.result")
    is_sent = operation["action"] == "send"
    examples = [
        ("send" if is_sent else "receive", _text(example["payload"]))
        for example in message.get("examples", [])[:_EXAMPLES_MAX]
    ]
    if answer is not None:
        examples += [
            ("receive", _text(example["payload"])) for example in answer.get("examples", [])
        ]
    payload = message["payload"].get("properties", {})
    params = payload.get("params", {})
    carried = params.get("properties", {}).get("message")
    return SocketOperation(
        name=name,
        kind="" if is_sent else "notification",
        text=operation["description"],
        params=_type(params),
        result=_type(answer["payload"]["properties"]["result"]) if _has_result(answer) else None,
        message=_type(carried) if carried is not None else None,
        scope=operation.get("x-tradewire-scope", ""),
        weight=operation.get("x-tradewire-weight"),
        reasons=tuple(reason for reason in operation.get(_REASONS, ()) if reason not in shared),
        examples=tuple(examples),
    )


def _has_result(answer: dict[str, Any] | None) -> bool:
    return answer is not None and "result" in answer["payload"].get("properties", {})


def _type(schema: dict[str, Any]) -> TypeName | None:
    reference = schema.get("$ref", "")
    if not reference:
        return None
    name = reference.removeprefix(_REFERENCE)
    return TypeName(name, _links().get(name, ""))


@cache
def _links() -> dict[str, str]:
    """Return where each message of the contract is described."""
    return {
        message.name: f"/docs/grpc/{file.name}#{message.name}"
        for file in source_files()
        for message in file.messages
    }


def _text(frame: Any) -> str:
    return json.dumps(frame, indent=2, ensure_ascii=False)
