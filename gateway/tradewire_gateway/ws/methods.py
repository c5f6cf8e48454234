"""The methods of JSON-RPC, made of the contract: nothing here knows an RPC by its name.

Each RPC with a `json_rpc` name is a method. How it is called follows from its shape:

    unary             one call, one answer
    server stream     a subscription
    both directions   a subscription that takes messages

A unary RPC is a *command* when a stream in both directions takes its request as a member of a oneof
and answers with results that have every field of its response: then its requests may travel there,
many at a time and in order. It is a *read* when REST gets it with GET: reads change nothing, so
they need not wait for each other.
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from tradewire.v1 import options_pb2, session_service_pb2, websocket_pb2
from tradewire_contract import ContractError, Method, methods, routes

from tradewire_gateway.ws.json_form import reader, writer

STATUS = "google.rpc.Status"
CLOSING = "tradewire.v1.Closing"
RATE_LIMIT = "tradewire.v1.RateLimit"
# What signs a connection in and out beside answering: it is the gateway's own business.
SIGN_IN = session_service_pb2.CreateSessionRequest.DESCRIPTOR.full_name
SIGN_OUT = session_service_pb2.EndSessionRequest.DESCRIPTOR.full_name
PUBLIC = "public"
_VARINT_LIMIT = 0x80
_LENGTH_DELIMITED = 2


class Kind(enum.Enum):
    """How a method is called."""

    UNARY = enum.auto()
    STREAM = enum.auto()
    PIPE = enum.auto()


@dataclass(frozen=True, slots=True)
class CommandStream:
    """A stream that carries commands, and where in its messages what stands.

    `frame` is its request: `commands` names the repeated field whose messages are commands. In its
    `response`, `batch` names the field of a batch, `results` the repeated field of results in it,
    `rate_limit` that of the state of the limits, empty if there is none. `error` names the status
    in a result.
    """

    path: str
    frame: type[Message]
    response: type[Message]
    commands: str
    batch: str
    results: str
    rate_limit: str
    error: str


@dataclass(frozen=True, slots=True)
class Command:
    """How a unary method travels on a stream: the member of the oneof that takes its request."""

    stream: CommandStream
    member: str


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A method of JSON-RPC. `read` makes its request of parameters, `write` JSON of its response.

    `closing_tag` is how a stream's last message begins, which says why it ended; None without one.
    What `is_public` needs no credential.
    """

    name: str
    path: str
    kind: Kind
    request: type[Message]
    response: type[Message]
    read: Callable[[object], Message]
    write: Callable[[Message], str]
    is_read: bool
    is_public: bool
    is_sign_in: bool
    is_sign_out: bool
    command: Command | None
    closing_tag: bytes | None


@cache
def targets() -> dict[str, Target]:
    """Return the RPCs by their names in JSON-RPC.

    Raises ContractError when two have the same name.
    """
    reads = {route.method.path for route in routes() if route.http_method == "GET"}
    streams = tuple(_command_streams())
    found: dict[str, Target] = {}
    for method in methods().values():
        if not method.json_rpc:
            continue
        if method.json_rpc in found:
            raise ContractError(f"{method.json_rpc} is the name of two methods")
        found[method.json_rpc] = _target(method, is_read=method.path in reads, streams=streams)
    return found


@cache
def own_requests() -> dict[str, type[Message]]:
    """Return the messages that are requests without an RPC, by their names in JSON-RPC."""
    return {
        rule.request: message_factory.GetMessageClass(descriptor)
        for descriptor, rule in _own_messages()
        if rule.request
    }


@cache
def notification_name(descriptor: Descriptor) -> str:
    """Return the name under which the server sends a message that no RPC has."""
    rule: options_pb2.JsonRpcMessageRule = descriptor.GetOptions().Extensions[
        options_pb2.json_rpc_message
    ]
    return rule.notification


def _own_messages() -> Iterator[tuple[Descriptor, options_pb2.JsonRpcMessageRule]]:
    for descriptor in websocket_pb2.DESCRIPTOR.message_types_by_name.values():
        rule = descriptor.GetOptions().Extensions[options_pb2.json_rpc_message]
        if rule.request or rule.notification:
            yield descriptor, rule


def _target(method: Method, *, is_read: bool, streams: tuple[CommandStream, ...]) -> Target:
    kind = Kind.UNARY
    if method.client_streaming:
        kind = Kind.PIPE
    elif method.server_streaming:
        kind = Kind.STREAM
    return Target(
        name=method.json_rpc,
        path=method.path,
        kind=kind,
        request=message_factory.GetMessageClass(method.request),
        response=message_factory.GetMessageClass(method.response),
        read=reader(method.request),
        write=writer(method.response),
        is_read=is_read,
        is_public=method.scope == PUBLIC,
        is_sign_in=method.request.full_name == SIGN_IN,
        is_sign_out=method.request.full_name == SIGN_OUT,
        command=_command(method, streams) if kind is Kind.UNARY and not is_read else None,
        closing_tag=_closing_tag(method.response) if kind is not Kind.UNARY else None,
    )


def _command(method: Method, streams: tuple[CommandStream, ...]) -> Command | None:
    for stream in streams:
        command = _field(stream.frame.DESCRIPTOR, stream.commands).message_type
        result = _result_type(stream)
        for member in command.oneofs[0].fields:
            if member.message_type is method.request and _covers(result, method.response):
                return Command(stream, member.name)
    return None


def _command_streams() -> Iterator[CommandStream]:
    for method in methods().values():
        if not (method.client_streaming and method.server_streaming):
            continue
        for commands in method.request.fields:
            if not (
                commands.is_repeated and commands.message_type and commands.message_type.oneofs
            ):
                continue
            for batch in method.response.fields:
                if batch.message_type is None:
                    continue
                for results in batch.message_type.fields:
                    error = _status_field(results)
                    if error:
                        yield CommandStream(
                            path=method.path,
                            frame=message_factory.GetMessageClass(method.request),
                            response=message_factory.GetMessageClass(method.response),
                            commands=commands.name,
                            batch=batch.name,
                            results=results.name,
                            rate_limit=_field_of_type(batch.message_type, RATE_LIMIT),
                            error=error,
                        )


def _status_field(field: FieldDescriptor) -> str:
    """Return the name of the status in what a repeated field holds, empty if there is none."""
    if not field.is_repeated or field.message_type is None:
        return ""
    return _field_of_type(field.message_type, STATUS)


def _field_of_type(descriptor: Descriptor, full_name: str) -> str:
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.full_name == full_name:
            return field.name
    return ""


def _field(descriptor: Any, name: str) -> Any:
    return descriptor.fields_by_name[name]


def _result_type(stream: CommandStream) -> Descriptor:
    batch = _field(stream.response.DESCRIPTOR, stream.batch).message_type
    found: Descriptor = _field(batch, stream.results).message_type
    return found


def _covers(result: Descriptor, response: Descriptor) -> bool:
    """Say whether a result has every field of a response."""
    for field in response.fields:
        same = result.fields_by_name.get(field.name)
        if same is None or (same.type, same.message_type) != (field.type, field.message_type):
            return False
    return True


def _closing_tag(response: Descriptor) -> bytes | None:
    """Return the first bytes of a message that says why a stream ended.

    Each message of a stream is one member of a oneof, so its first field tells which.
    """
    name = _field_of_type(response, CLOSING)
    if not name:
        return None
    tag = _field(response, name).number << 3 | _LENGTH_DELIMITED
    if tag >= _VARINT_LIMIT:
        raise ContractError(f"{response.full_name}.{name} has a number above 15")
    return bytes((tag,))
