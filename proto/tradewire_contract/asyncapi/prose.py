"""What a reader has to know first, and how a connection is made."""

from typing import Any

from tradewire_contract.asyncapi.bounds import (
    BATCH_MAX,
    DEPTH_MAX,
    FRAME_KIB,
    IDLE_S,
    LIFETIME_H,
    NOTICE_S,
    PATH,
    PING_S,
    STALLED_S,
    SUBSCRIPTIONS_MAX,
    UNANSWERED_MAX,
    UNANSWERED_MIB,
)

_DESCRIPTION = f"""\
The WebSocket form of the Tradewire API. The same methods answer over gRPC and REST with the same \
messages, errors and numbers; this document is generated from that contract. It is written from \
the client's side: what it is to `send`, the client sends.

## Frames

- Each text frame is one JSON-RPC 2.0 request, or an array of 1 to {BATCH_MAX}. Binary frames are \
refused. permessage-deflate is used when the client offers it.
- A request with an `id` is answered, in whatever order answers come; one without is done and not \
answered. Orders reach the venue in the order in which they are sent.
- A frame has at most {FRAME_KIB} KiB and is nested at most {DEPTH_MAX} deep.

## JSON

- Names are lowerCamelCase. In requests the contract's snake_case names are read as well; a field \
that does not exist, stands there twice or under both names is refused.
- Decimals are strings: `"0.01"`, never numbers. 64-bit integers are strings in answers; in \
requests numbers are read as well.
- Enums are written as names, times as RFC 3339 in UTC, bytes in base64.
- New members and enum values can appear in answers at any time: ignore what you do not know.

## Who calls

`authorization: Bearer` with the upgrade, a one-use `?ticket=` of `session.ticket` where headers \
cannot be set (browsers), or `session.login` as a request on the connection. Without any of them \
the public methods answer. Pages connect only from origins that the venue allows.

## Subscriptions

A request of a method that streams is answered with the number of a subscription; its messages \
come as notifications of the method's name, and `subscription.closed` is the last. At most \
{SUBSCRIPTIONS_MAX} at once. Resume with `afterSequence`; nothing is sent twice or left out.

## Errors

`error.data` is the very `Status` that REST answers with: decide by the `reason` of its ErrorInfo. \
`metadata.outcome` says whether the request was `refused` (it had no effect), `rejected` (an event \
of the account) or is `unknown` (repeat it with the same client id).

## Limits

`x-tradewire-weight` is what a call costs. `rateLimit` in an answer says what is left, unless the \
account is exempt. {UNANSWERED_MAX} requests, or {UNANSWERED_MIB} MiB of them, may wait for their \
answers; then the connection is read no further until some have come. Who reads too slowly gets \
market data conflated, and executions end with SLOW_CONSUMER; who reads nothing for {STALLED_S} s \
is disconnected.

## End of a connection

The server pings every {PING_S} s and closes when nothing has come for {IDLE_S} s. \
`connection.closing` comes ahead of the close frame, {NOTICE_S} s before a connection is \
{LIFETIME_H} hours old, and says when to connect again. Close codes: 1001 the server ends or the \
connection is too old; 1008 the client broke a rule or its credential ended; 1009 a frame was too \
large; 1011 an error of the server; 1013 too slow, or too many. The close reason is the name of \
the catalogue's reason.
"""


def info(tags: list[dict[str, str]]) -> dict[str, Any]:
    """Return the title and what a reader has to know first."""
    return {
        "title": "Tradewire WebSocket API",
        "version": "v1",
        "description": _DESCRIPTION,
        "license": {"name": "Apache-2.0"},
        "tags": tags,
    }


def servers() -> dict[str, Any]:
    """Return where the connection is made: the document comes from the same place."""

    def server(protocol: str, description: str) -> dict[str, Any]:
        return {
            "host": "{host}",
            "protocol": protocol,
            "description": description,
            "variables": {
                "host": {
                    "description": "Where this document comes from.",
                    "default": "127.0.0.1:8080",
                }
            },
        }

    return {
        "secure": server("wss", "Over TLS."),
        "local": server("ws", "Without TLS, on one machine."),
    }


def security_schemes() -> dict[str, Any]:
    """Return the ways to say who calls."""
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "Token of `session.login` in the header of the upgrade.",
        },
        "ticket": {
            "type": "httpApiKey",
            "in": "query",
            "name": "ticket",
            "description": "Ticket of `session.ticket`, good once and for 30 seconds.",
        },
        "login": {
            "type": "asymmetricEncryption",
            "description": (
                "`session.login` on the connection: a request signed with an API key, or a ticket. "
                "It signs the connection in as well as answering with a token."
            ),
        },
    }


def bindings() -> dict[str, Any]:
    """Return how the upgrade is asked for."""
    return {
        "ws": {
            "method": "GET",
            "query": {
                "type": "object",
                "properties": {
                    "ticket": {"type": "string", "description": "Signs the connection in."}
                },
                "additionalProperties": False,
            },
            "headers": {
                "type": "object",
                "properties": {
                    "authorization": {"type": "string", "pattern": "^Bearer .+$"},
                    "origin": {"type": "string", "description": "Sent by browsers."},
                },
            },
            "bindingVersion": "0.1.0",
        }
    }


ADDRESS = PATH
