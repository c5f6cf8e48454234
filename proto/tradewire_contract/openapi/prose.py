"""The parts of the OpenAPI document that are the same whatever the contract's methods are."""

from typing import Any

from tradewire_contract.catalogue import reasons
from tradewire_contract.openapi.examples import BAD_REQUEST, DOMAIN, ERROR_INFO
from tradewire_contract.openapi.rules import Schema

LIMIT_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
DEPRECATION_HEADERS = ("Deprecation", "Sunset", "Link")
RETRY_AFTER = "Retry-After"
AUTHENTICATE = "WWW-Authenticate"
BEARER = "bearer"
SIGNATURE = ("signatureKey", "signatureTimestamp", "signatureNonce", "signature")

SSE_FRAMING = (
    "One event of the stream: a line `data: {json}` and an empty line, in UTF-8. There is no `id` "
    "and no `event` line: the place to resume from is in the message, and is given as a parameter "
    "of the next request. The last message of a stream that the server ends is `closing`."
)

_DESCRIPTION = """\
The REST form of the Tradewire API. The same methods answer over gRPC with the same messages, \
errors and numbers; this document is generated from that contract.

## JSON

- Names are lowerCamelCase. In requests the contract's snake_case names are read as well; a field \
that does not exist, stands there twice or under both names is refused.
- Decimals are strings: `"0.01"`, never numbers. 64-bit integers are strings in answers; in \
requests numbers are read as well.
- Enums are written as names. In requests their numbers, and for any field `null` as absent, are \
read as well, as protobuf's JSON mapping has it.
- Times are RFC 3339; answers use UTC (`Z`). Bytes are base64.
- Answers print fields that are empty or zero. Fields that can be absent are left out when they are.
- Values in a path are percent-encoded, a colon too (`%3A`). They have no slash, backslash or NUL \
and are not `.` or `..`: such a path is refused.
- New fields and enum values can appear in answers at any time: ignore what you do not know.

## Who calls

Sign each request (`x-api-key`, `x-api-timestamp`, `x-api-nonce`, `x-api-signature`, if wanted \
`x-api-recv-window`), or create a session and send `authorization: Bearer`. One of the two, never \
both. `x-tradewire-scope` says which scope a method needs.

## Errors

Every error is a `Status` with one `ErrorInfo`: decide by its `reason`, not by the text. \
`metadata.outcome` says whether the request was `refused` (it had no effect), `rejected` (an event \
of the account) or is `unknown` (repeat it with the same client id). `BadRequest` names fields as \
the contract does, in snake_case. A path that does not exist answers 404 METHOD_NOT_FOUND, another \
HTTP method 405 METHOD_NOT_ALLOWED with `Allow`.

## Limits

`x-tradewire-weight` is what a call costs. `RateLimit-*` headers say what is left, unless the \
account is exempt; after 429 wait for `Retry-After`. Bodies have at most 256 KiB.

## Streams

Streams are server-sent events. Each event's data is one JSON message: `batch`, `snapshot`, \
`caughtUp`, `heartbeat` or `closing`. An error before the first message is an HTTP error; later \
ones come in `closing`, since HTTP cannot change its status any more. Resume with \
`afterSequence`; nothing is sent twice or left out.

## Versions

Within `v1` changes only add. A method on its way out is marked as deprecated and answers with \
`Deprecation`, `Sunset` and `Link` headers at least 180 days before it ends.
"""


def info() -> dict[str, Any]:
    """Return the title and what a reader has to know first."""
    return {
        "title": "Tradewire REST API",
        "version": "v1",
        "description": _DESCRIPTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }


def security_schemes() -> dict[str, Any]:
    """Return the ways to say who calls."""

    def header(name: str, description: str) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": name, "description": description}

    timestamp = "Milliseconds since the epoch, within the receive window of the server's clock."
    nonce = "16 to 64 random letters, digits, `-` and `_`, never used before by this key."
    signature = (
        "Ed25519 signature or HMAC-SHA256, base64url without padding, of these lines joined by "
        "line feeds: `TRADEWIRE-V1`, the environment's name, timestamp, nonce, HTTP method, path "
        "with query as sent, hex SHA-256 of the body's bytes. `x-api-recv-window` (milliseconds, "
        "5000 unless sent, at most 60000) may say how old the timestamp may be."
    )
    named = dict(
        zip(
            SIGNATURE,
            (
                header("x-api-key", "Id of the key that signs."),
                header("x-api-timestamp", timestamp),
                header("x-api-nonce", nonce),
                header("x-api-signature", signature),
            ),
            strict=True,
        )
    )
    bearer = "Token of `session.login`, valid for at most 15 minutes."
    return {
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": bearer,
        },
        **named,
    }


def headers() -> dict[str, Any]:
    """Return the headers of answers."""

    def count(description: str) -> dict[str, Any]:
        return {"description": description, "schema": {"type": "integer", "minimum": 0}}

    def text(description: str, example: str) -> dict[str, Any]:
        return {"description": description, "schema": {"type": "string"}, "example": example}

    return {
        "RateLimit-Limit": count("Burst of the tightest limit of the caller, in units of weight."),
        "RateLimit-Remaining": count("Units that are left of it."),
        "RateLimit-Reset": count("Seconds until it is whole again."),
        RETRY_AFTER: count("Seconds to wait before the next try."),
        AUTHENTICATE: text("What a request may show (RFC 9110).", "Bearer"),
        "Deprecation": text("Since when the method is deprecated (RFC 9745).", "@1798675200"),
        "Sunset": text("From when it may be gone (RFC 8594).", "Thu, 01 Jul 2027 00:00:00 GMT"),
        "Link": text(
            "Where it says what to use in its place.", '</docs/changelog>; rel="deprecation"'
        ),
    }


def status_schemas() -> dict[str, Schema]:
    """Return the schemas of an error: google.rpc.Status and its details."""
    return {
        "Status": {
            "type": "object",
            "description": "An error, the same on every protocol.",
            "properties": {
                "code": {
                    "type": "integer",
                    "format": "int32",
                    "description": "Code of google.rpc.Code.",
                },
                "message": {"type": "string", "description": "The reason and a text for people."},
                "details": {
                    "type": "array",
                    "description": "One ErrorInfo, and a BadRequest where fields are wrong.",
                    "items": {
                        "oneOf": [
                            {"$ref": "#/components/schemas/ErrorInfo"},
                            {"$ref": "#/components/schemas/BadRequest"},
                        ],
                        "discriminator": {
                            "propertyName": "@type",
                            "mapping": {
                                ERROR_INFO: "#/components/schemas/ErrorInfo",
                                BAD_REQUEST: "#/components/schemas/BadRequest",
                            },
                        },
                    },
                    "minItems": 1,
                    "maxItems": 2,
                },
            },
            "required": ["code", "message", "details"],
        },
        "ErrorInfo": {
            "type": "object",
            "description": "Why, for programs.",
            "properties": {
                "@type": {"const": ERROR_INFO},
                "reason": {
                    "type": "string",
                    "description": "The catalogue's name of the reason.",
                    "enum": [entry.name for entry in reasons().values() if entry.code],
                },
                "domain": {"const": DOMAIN},
                "metadata": {
                    "type": "object",
                    "description": "Details of this case beside those that are always there.",
                    "properties": {
                        "outcome": {
                            "type": "string",
                            "description": "Whether the request had an effect.",
                            "enum": sorted({e.outcome for e in reasons().values() if e.code}),
                        },
                        "retryable": {
                            "type": "string",
                            "description": "Whether the same request may succeed later.",
                            "enum": ["true", "false"],
                        },
                        "advice": {"type": "string", "description": "What to do next."},
                    },
                    "required": ["outcome", "retryable", "advice"],
                    "additionalProperties": {"type": "string"},
                },
            },
            "required": ["@type", "reason", "domain", "metadata"],
        },
        "BadRequest": {
            "type": "object",
            "description": "Which fields are wrong.",
            "properties": {
                "@type": {"const": BAD_REQUEST},
                "fieldViolations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": {
                            "field": {
                                "type": "string",
                                "description": "Path of the field, e.g. `orders[3].price`.",
                            },
                            "description": {"type": "string", "description": "What is wrong."},
                        },
                        "required": ["field", "description"],
                    },
                },
            },
            "required": ["@type", "fieldViolations"],
        },
    }
