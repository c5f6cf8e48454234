"""Calls of the venue: stubs made of the contract, and what its answers say beside the message.

Streams hand out bytes: what thousands receive alike is then recognised, and rendered once.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2
from grpc_status import rpc_status
from tradewire.v1 import stream_pb2
from tradewire_contract.statuses import error_info, make_status

from tradewire_gateway.ws.json_form import writer
from tradewire_gateway.ws.json_rpc import Failure, plain_status
from tradewire_gateway.ws.methods import Kind, Target

# For a channel over the network: of each stream little is under way before it is read, so that what
# a client does not read waits at the venue, which can conflate it or end the stream.
CHANNEL_OPTIONS: Final = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 64 << 10),
    # Otherwise channels to the same target are one connection.
    ("grpc.use_local_subchannel_pool", 1),
)
# Half of what the venue takes on a connection.
STREAMS_PER_CHANNEL: Final = 500
_LIMIT, _REMAINING, _RESET = "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"
_write_rate_limit = writer(stream_pb2.RateLimit.DESCRIPTOR)


class Upstream:
    """The stubs of the venue's methods.

    Unary calls have a channel of their own, which streams never fill: an HTTP/2 connection carries
    so many calls and no more, and those beyond would wait for a stream to end. Streams are spread
    over as many channels as they need. A channel in the process has no such bound.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        open_channel: Callable[[], grpc.aio.Channel] | None = None,
    ) -> None:
        """Take the channel of unary calls; `open_channel` opens one for streams, without it they
        share the former.
        """
        self._channel = channel
        self._open_channel = open_channel
        self._unary: dict[str, Any] = {}
        self._streams: list[StreamChannel] = []

    def unary(self, target: Target) -> Any:
        """Return the stub of a unary method: message in, message out."""
        stub = self._unary.get(target.path)
        if stub is None:
            stub = self._unary[target.path] = self._channel.unary_unary(
                target.path,
                request_serializer=target.request.SerializeToString,
                response_deserializer=target.response.FromString,
            )
        return stub

    def lease(self) -> "StreamChannel":
        """Return a channel for one stream, which is to be given back at its end."""
        for known in self._streams:
            if self._open_channel is None or known.open < STREAMS_PER_CHANNEL:
                break
        else:
            channel = self._channel if self._open_channel is None else self._open_channel()
            known = StreamChannel(channel)
            self._streams.append(known)
        known.open += 1
        return known

    async def close(self) -> None:
        """Close the channels that were opened here."""
        if self._open_channel is not None:
            for known in self._streams:
                await known.channel.close()


class StreamChannel:
    """A channel that streams share, and how many there are."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.open = 0
        self._stubs: dict[str, Any] = {}

    def give_back(self) -> None:
        """Take note that a stream has ended."""
        self.open -= 1

    def stream(self, target: Target) -> Any:
        """Return the stub of a stream: a message in, bytes out; to a pipe bytes go in."""
        if target.kind is Kind.PIPE:
            return self.pipe(target.path)
        stub = self._stubs.get(target.path)
        if stub is None:
            stub = self._stubs[target.path] = self.channel.unary_stream(
                target.path, request_serializer=target.request.SerializeToString
            )
        return stub

    def pipe(self, path: str) -> Any:
        """Return the stub of a stream in both directions: bytes in, bytes out."""
        stub = self._stubs.get(path)
        if stub is None:
            stub = self._stubs[path] = self.channel.stream_stream(path)
        return stub


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    """Return the error of a call as a client is told it."""
    try:
        found = rpc_status.from_call(error)  # type: ignore[arg-type]
    except (ValueError, DecodeError):
        # What the details say differs from the status itself: only a broken peer does that.
        found = None
    if found is not None:
        return Failure(found)
    text = error.details() or ""
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return lost()
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Failure(make_status("ANSWER_LATE", "the venue has not answered in time"))
        case grpc.StatusCode.CANCELLED:
            return lost()
        case code:
            return Failure(plain_status(code.value[0], text))


def lost() -> Failure:
    """Return the error of a request of which nobody here knows what became of it."""
    return Failure(make_status("ANSWER_LOST", "the connection to the venue broke"))


def rate_limit_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Return the JSON of what an answer says of the limits, empty when it says nothing."""
    found = {key: value for key, value in metadata or () if key.startswith("ratelimit-")}
    try:
        state = stream_pb2.RateLimit(
            limit=int(found[_LIMIT]),
            remaining=int(found[_REMAINING]),
            reset_ms=int(found[_RESET]) * 1_000,
        )
    except (KeyError, ValueError):
        return ""
    return _write_rate_limit(state)


def closing_status(data: bytes, response: type[Message]) -> status_pb2.Status | None:
    """Return why a stream ended, from its last message."""
    try:
        message = response.FromString(data)
    except DecodeError:
        return None
    closing = getattr(message, _closing_field(response.DESCRIPTOR))
    return closing.status if closing.HasField("status") else None


def reason_of(status: status_pb2.Status | None) -> str:
    """Return the reason that a status names, empty without one."""
    return "" if status is None else error_info(status).reason


@cache
def _closing_field(response: Descriptor) -> str:
    wanted = stream_pb2.Closing.DESCRIPTOR
    return next(field.name for field in response.fields if field.message_type is wanted)
