"""WebSocket at `/v1/ws`: JSON-RPC 2.0, made of the contract.

    transport       a socket: frames, backpressure, pings
    upgrade         who may open one, with origins and addresses
    connection      requests of one client, in their order
    json_rpc        text to requests and back, with methods and json_form
    calls           unary RPCs, with credential and upstream
    pipe            orders, many at a time through one stream
    subscriptions   streams, with rendering
    gateway         all connections: their clock and their end, with options and meters

A connection lives on the listener of the HTTP edge: uvicorn hands it over when it is upgraded.
"""

from tradewire_gateway.ws.gateway import Gateway
from tradewire_gateway.ws.options import PATH, WebSocketLimits, WebSocketOptions
from tradewire_gateway.ws.origins import AllowedOrigins, OriginError, origin_of

__all__ = [
    "PATH",
    "AllowedOrigins",
    "Gateway",
    "OriginError",
    "WebSocketLimits",
    "WebSocketOptions",
    "origin_of",
]
