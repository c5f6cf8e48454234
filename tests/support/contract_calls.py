"""Calls of any method of the contract by its description, so that no test can forget one."""

from typing import Any

import grpc.aio
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tradewire_contract import Method

from tests.support.trading import TIMEOUT_S

Metadata = tuple[tuple[str, str], ...]
ADMIN_SERVICE = "tradewire.v1.AdminService"


def message_class(descriptor: Descriptor) -> type[Message]:
    """Return the class of a message."""
    return GetMessageClass(descriptor)


async def call(
    channel: grpc.aio.Channel,
    method: Method,
    request: Message | bytes | None = None,
    *,
    metadata: Metadata = (),
) -> Any:
    """Call a method and return its answer, the first message if it is a stream; None at its end.

    Bytes are sent as they are. Without a request an empty one is sent.
    """
    sent = message_class(method.request)() if request is None else request
    codec: dict[str, Any] = {
        "request_serializer": _serialize,
        "response_deserializer": message_class(method.response).FromString,
    }
    options: dict[str, Any] = {"metadata": metadata, "timeout": TIMEOUT_S}
    if not method.server_streaming:
        return await channel.unary_unary(method.path, **codec)(sent, **options)
    stream: Any
    if method.client_streaming:
        stream = channel.stream_stream(method.path, **codec)(**options)
        await stream.write(sent)
    else:
        stream = channel.unary_stream(method.path, **codec)(sent, **options)
    try:
        answer = await stream.read()
        return None if answer is grpc.aio.EOF else answer
    finally:
        stream.cancel()


def _serialize(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()
