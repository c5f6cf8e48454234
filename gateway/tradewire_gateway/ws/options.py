"""What the WebSocket gateway is told, and the bounds that it keeps."""

from collections.abc import Callable
from dataclasses import dataclass, field

import grpc.aio

from tradewire_gateway.ws.meters import Meters

PATH = "/v1/ws"


def _time(default: float, meaning: str) -> float:
    found: float = field(default=default, metadata={"unit": "s", "meaning": meaning})
    return found


def _count(default: int, unit: str, meaning: str) -> int:
    found: int = field(default=default, metadata={"unit": unit, "meaning": meaning})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketLimits:
    """The bounds of WebSocket connections, as rows of the published table."""

    websocket_frame_bytes_max: int = _count(
        256 << 10, "bytes", "Message on a WebSocket connection; a larger one ends it"
    )
    websocket_batch_max: int = _count(256, "requests", "Requests of one JSON-RPC batch")
    websocket_unanswered_max: int = _count(
        1_024,
        "requests",
        "Requests of a WebSocket connection without an answer at which it is read no further",
    )
    websocket_unanswered_bytes_max: int = _count(
        4 << 20,
        "bytes",
        "Requests of a WebSocket connection without an answer, as they came and inflated, at which "
        "it is read no further",
    )
    websocket_calls_max: int = _count(
        32,
        "calls",
        "Calls of a WebSocket connection at once, beside its orders; more wait for their turn",
    )
    websocket_subscriptions_max: int = _count(
        64, "subscriptions", "Subscriptions of a WebSocket connection"
    )
    websocket_address_connections_max: int = _count(
        1_500, "connections", "WebSocket connections of one address (IPv6: of one /64)"
    )
    websocket_connections_max: int = _count(
        6_000, "connections", "WebSocket connections of all clients"
    )
    websocket_malformed_max: int = _count(
        20, "messages", "Messages that are no JSON-RPC within 10 s; more end the connection"
    )
    websocket_refused_per_s: int = _count(
        200,
        "requests/s",
        "Requests of one address that the gateway itself refuses or does, calls that the venue "
        "refuses, pings and pieces of messages; beyond this, with a burst of 1000, its connections "
        "are read more slowly",
    )
    websocket_ping_s: float = _time(15, "Time between two pings of the server")
    websocket_idle_s: float = _time(
        45, "Time without anything from the client, pongs included, that ends a connection"
    )
    websocket_stalled_s: float = _time(
        10, "Time in which a client has to read something of what waits for it"
    )
    websocket_lifetime_s: float = _time(
        86_400, "Age at which a connection is closed; it is told a minute before"
    )
    websocket_notice_s: float = _time(
        60, "How long before the end of its lifetime a connection is told"
    )
    websocket_call_s: float = _time(25, "Time that a call has for its answer")
    websocket_buffer_bytes: int = _count(
        64 << 10,
        "bytes",
        "What may wait for a client before its streams are read no further; then market data is "
        "conflated, and executions end with SLOW_CONSUMER when too much waits",
    )
    websocket_buffer_bytes_max: int = _count(
        32 << 20, "bytes", "What waits for a client, answers included, when its connection is ended"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """What the gateway is told. It closes nothing that it is given.

    `open_channel` opens further channels, for streams; None where one channel carries any number.
    `origins` says whether a page of an origin may connect. `notice_s` is how long before their end
    connections are told that the gateway ends.
    """

    channel: grpc.aio.Channel
    origins: Callable[[str], bool]
    open_channel: Callable[[], grpc.aio.Channel] | None = None
    limits: WebSocketLimits = field(default_factory=WebSocketLimits)
    meters: Meters | None = None
    notice_s: float = 1.0
