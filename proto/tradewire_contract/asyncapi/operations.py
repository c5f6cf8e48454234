"""A method of the contract as operations: what is sent, what answers it, what comes besides."""

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor
from tradewire.v1 import options_pb2, websocket_pb2

from tradewire_contract.asyncapi import frames
from tradewire_contract.asyncapi.bounds import BATCH_MAX
from tradewire_contract.asyncapi.frames import SUBSCRIPTION, Frames
from tradewire_contract.asyncapi.reasons import PUBLIC, own_reasons, reasons_of
from tradewire_contract.catalogue import ReasonEntry
from tradewire_contract.methods import ContractError, Method
from tradewire_contract.openapi.comments import Comments, summary
from tradewire_contract.openapi.rules import Schema

Operation = dict[str, Any]

CHANNEL = "connection"
ERROR = "error"
BATCH = "batch"
CONNECTION_TAG = "Connection"
SECURITY = ("bearer", "ticket", "login")


class Operations:
    """Collects the operations and the messages of the channel."""

    def __init__(self, made: Frames, comments: Comments, methods: Sequence[Method]) -> None:
        self.operations: dict[str, Operation] = {}
        self.messages: dict[str, frames.Message] = {}
        self._frames = made
        self._comments = comments
        self._methods = methods

    def add_error(self, entries: Sequence[ReasonEntry]) -> None:
        """Add the answer that every request can get."""
        texts = [(entry, _decapitalized(self._reason_text(entry))) for entry in entries]
        self._put(ERROR, self._frames.error(texts))

    def add_method(self, method: Method) -> None:
        """Add a method; of one that streams also what is received."""
        name, text = method.json_rpc, self._comments.text(f"{method.service}.{method.name}")
        title = summary(text)
        streams = method.server_streaming
        if method.client_streaming and not streams:
            raise ContractError(f"{method.path}: only what it takes is a stream")
        result = SUBSCRIPTION if streams else method.response
        self._put(name, self._frames.request(name, method.request, title=title))
        answer_title = self._comments.text(result.full_name)
        self._put(f"{name}.result", self._frames.answer(name, result, title=answer_title))
        operation = self._send(name, title=title, text=text, tag=method.service.rpartition(".")[2])
        if method.deprecation is not None:
            operation |= {
                "x-deprecated-since": method.deprecation.since,
                "x-sunset": method.deprecation.sunset,
            }
        if method.scope != PUBLIC:
            operation["security"] = [
                {"$ref": f"#/components/securitySchemes/{scheme}"} for scheme in SECURITY
            ]
        operation["x-tradewire-reasons"] = [entry.name for entry in reasons_of(method)]
        self.operations[name] = operation | _annotations(method)
        if streams:
            self._add_stream(method, title)

    def add_own(self) -> None:
        """Add what is said on a connection beside the methods."""
        for descriptor in websocket_pb2.DESCRIPTOR.message_types_by_name.values():
            rule = descriptor.GetOptions().Extensions[options_pb2.json_rpc_message]
            if rule.request:
                self._add_own_request(descriptor, rule)
            elif rule.notification:
                text = self._comments.text(descriptor.full_name)
                title = summary(text)
                message = self._frames.notification(rule.notification, descriptor, title=title)
                self._put(rule.notification, message)
                self.operations[rule.notification] = self._receive(
                    rule.notification, title=title, text=text, tag=CONNECTION_TAG
                )

    def add_batch(self) -> None:
        """Add an array of requests, and that of their answers."""
        bounds = {"minItems": 1, "maxItems": BATCH_MAX}
        request = _items("A request, as the message of its method has it.", "method")
        self._put(BATCH, frames.batch(BATCH, "Several requests in one frame", request, bounds))
        answer = _items("An answer, as the result of the method or the error has it.", "id")
        title = "The answers to the requests of a batch"
        self._put(f"{BATCH}.result", frames.batch(f"{BATCH}.result", title, answer, bounds))
        text = (
            f"An array of 1 to {BATCH_MAX} requests, answered by one array when all of them are "
            "done. Orders in it reach the venue in their order. The answers of an array can stand "
            "in another order; notifications in it have none, and if there is nothing else in it, "
            "nothing answers."
        )
        self.operations[BATCH] = self._send(
            BATCH, title="Sends several requests in one frame", text=text, tag=CONNECTION_TAG
        )

    def _add_stream(self, method: Method, title: str) -> None:
        name = method.json_rpc
        text = self._comments.text(method.response.full_name)
        self._put(f"{name}.message", self._frames.stream(name, method.response, title=text))
        self.operations[f"{name}.message"] = self._receive(
            f"{name}.message",
            title=f"{title}: what comes",
            text=f"{text} Before it the request has been answered with the subscription's number.",
            tag=method.service.rpartition(".")[2],
        )

    def _add_own_request(
        self, descriptor: Descriptor, rule: options_pb2.JsonRpcMessageRule
    ) -> None:
        text = self._comments.text(descriptor.full_name)
        title = summary(text)
        reply = websocket_pb2.DESCRIPTOR.message_types_by_name[rule.reply]
        self._put(rule.request, self._frames.request(rule.request, descriptor, title=title))
        answer_title = self._comments.text(reply.full_name)
        answer = self._frames.answer(rule.request, reply, title=answer_title)
        self._put(f"{rule.request}.result", answer)
        operation = self._send(rule.request, title=title, text=text, tag=CONNECTION_TAG)
        operation["x-tradewire-reasons"] = [entry.name for entry in own_reasons()]
        self.operations[rule.request] = operation

    def _send(self, name: str, *, title: str, text: str, tag: str) -> Operation:
        return {
            "action": "send",
            **self._base(title, text, tag),
            "messages": [_of_channel(name)],
            "reply": {
                "channel": {"$ref": f"#/channels/{CHANNEL}"},
                "messages": [_of_channel(f"{name}.result"), _of_channel(ERROR)],
            },
        }

    def _receive(self, name: str, *, title: str, text: str, tag: str) -> Operation:
        base = self._base(title, text, tag)
        return {"action": "receive", **base, "messages": [_of_channel(name)]}

    def _base(self, title: str, text: str, tag: str) -> Operation:
        return {
            "channel": {"$ref": f"#/channels/{CHANNEL}"},
            "title": title,
            "summary": title,
            "description": text,
            "tags": [{"$ref": f"#/components/tags/{tag}"}],
        }

    def _put(self, name: str, message: frames.Message) -> None:
        if name in self.messages:
            raise ContractError(f"two messages would have the name {name}")
        self.messages[name] = message

    def _reason_text(self, entry: ReasonEntry) -> str:
        return self._comments.text(f"tradewire.v1.Reason.REASON_{entry.name}")


def sent_to_streams(methods: Sequence[Method]) -> Iterator[Descriptor]:
    """Yield what may be sent to a subscription: the requests of streams in both directions."""
    for method in methods:
        if method.client_streaming:
            yield method.request


def _annotations(method: Method) -> Operation:
    """Return what else the contract says about a method."""
    return {
        "x-tradewire-grpc": method.path,
        "x-tradewire-scope": method.scope,
        "x-tradewire-weight": method.weight,
        "x-tradewire-idempotent": method.idempotent,
        "x-tradewire-reduces-risk": method.reduces_risk,
    }


def _of_channel(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/{CHANNEL}/messages/{name}"}


def _items(text: str, member: str) -> Schema:
    """Return what stands in an array; what else it has is said once, at the messages themselves."""
    return {
        "type": "object",
        "description": text,
        "properties": {"jsonrpc": {"const": "2.0"}},
        "required": ["jsonrpc", member],
    }


def _decapitalized(text: str) -> str:
    return (text[:1].lower() + text[1:]).removesuffix(".")
