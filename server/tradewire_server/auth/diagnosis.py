"""Says which part of a string to sign differs, for those who write a client (CheckSignature).

It tries what people get wrong, one deviation after the other, and sees whether the signature fits
that. What it tells, it tells only to who has the key: any other signature fits nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from tradewire_server.auth.signing import PREAMBLE, RequestParts

Matches = Callable[[bytes], bool]

_NS_PER_MS = 1_000_000
# Until the year 5138 this many seconds are less, and in milliseconds it was 1973.
_SECONDS_MAX = 10**11
# Where a venue is tried out, beside the host of the call.
_LOCAL_HOSTS = ("localhost:8080", "127.0.0.1:8080")
_HOST_MAX = 255
_ENVIRONMENTS = ("production", "sandbox", "demo", "test", "live", "local")


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The result; `part` names what differs, empty when nothing does or nothing known fits."""

    is_valid: bool
    part: str
    text: str
    string_to_sign: str


@dataclass(frozen=True, slots=True)
class _Deviation:
    part: str
    text: str
    payload: bytes


def explain(
    parts: RequestParts, *, environment: str, payload: bytes, matches: Matches, host: str = ""
) -> SignatureCheck:
    """Find out what a signature was made over; `matches` says whether it is over a payload.

    `host` is where the request for the check was sent, if that is known.
    """
    string_to_sign = payload.decode("ascii")
    if matches(payload):
        return SignatureCheck(True, "", "The signature is right.", string_to_sign)
    for deviation in _deviations(parts, environment, host):
        if matches(deviation.payload):
            return SignatureCheck(False, deviation.part, deviation.text, string_to_sign)
    return SignatureCheck(
        False,
        "",
        "The signature fits none of the usual deviations: compare your string to sign with this "
        "one byte by byte, and check that key id and private key or secret belong together.",
        string_to_sign,
    )


def explain_time(
    timestamp_ms: int, why: str, *, now_ns: int, string_to_sign: str
) -> SignatureCheck:
    """Return what is said of a timestamp at which no signature is accepted; `why` says how far it
    is off.
    """
    text = why
    if timestamp_ms < _SECONDS_MAX:
        text = (
            f"The timestamp {timestamp_ms} looks like seconds: send and sign milliseconds, now "
            f"{now_ns // _NS_PER_MS}."
        )
    return SignatureCheck(False, "timestamp", text, string_to_sign)


def _deviations(parts: RequestParts, environment: str, host: str) -> Iterator[_Deviation]:
    lines = [
        PREAMBLE,
        environment,
        str(parts.timestamp_ms),
        parts.nonce,
        parts.method,
        parts.path,
        hashlib.sha256(parts.body).hexdigest(),
    ]
    for index, part, text, value in _replaced_lines(parts, environment, host):
        changed = [*lines[:index], value, *lines[index + 1 :]]
        yield _Deviation(part, text, "\n".join(changed).encode())
    for text, separator, end in (
        ("there is a line feed at its end; there must be none", "\n", "\n"),
        ("lines end with CR LF; separate them by one line feed", "\r\n", ""),
        ("lines are separated by a backslash and an n; use a line feed", "\\n", ""),
        ("there is nothing between its parts; separate them by one line feed", "", ""),
    ):
        yield _Deviation(
            "separator", f"In what was signed {text}.", (separator.join(lines) + end).encode()
        )
    yield _Deviation(
        "body",
        "The body itself was signed; its SHA-256 in hex belongs there.",
        "\n".join(lines[:-1]).encode() + b"\n" + parts.body,
    )
    yield _Deviation(
        "payload",
        "The SHA-256 of the string to sign was signed; sign the string itself.",
        hashlib.sha256("\n".join(lines).encode()).digest(),
    )


def _replaced_lines(
    parts: RequestParts, environment: str, host: str
) -> Iterator[tuple[int, str, str, str]]:
    for other in (environment.upper(), environment.capitalize()):
        text = f"The environment was signed as {other!r}; write it in small letters."
        yield 1, "environment", text, other
    for other in _ENVIRONMENTS:
        if other != environment:
            yield 1, "environment", f"It was signed for {other!r}; this is {environment!r}.", other
    for unit, timestamp in (
        ("seconds", parts.timestamp_ms // 1_000),
        ("microseconds", parts.timestamp_ms * 1_000),
    ):
        text = f"The timestamp was signed in {unit}; sign milliseconds."
        yield 2, "timestamp", text, str(timestamp)
    yield 4, "method", "The method was signed in small letters.", parts.method.lower()
    path, _, query = parts.path.partition("?")
    for text, value in (
        ("without its query", path),
        ("with a slash at its end", f"{path}/" + (f"?{query}" if query else "")),
        ("without percent-encoding", unquote(parts.path)),
        ("without the slash before it", parts.path[1:]),
    ):
        yield 5, "path", f"The path was signed {text}; sign it as it is sent.", value
    for url in _urls(parts.path, host):
        text = "The whole URL was signed; sign what follows the host, from the first slash."
        yield 5, "path", text, url
    digest = hashlib.sha256(parts.body).digest()
    for text, value in (
        ("as if the body were empty", hashlib.sha256(b"").hexdigest()),
        ("with a line feed after the body", hashlib.sha256(parts.body + b"\n").hexdigest()),
        ("with the hash in capital letters", digest.hex().upper()),
        ("with the hash in base64", base64.b64encode(digest).decode()),
        ("without a hash; the empty body has one too", ""),
    ):
        yield 6, "body", f"It was signed {text}; sign the hex SHA-256 of the bytes sent.", value
    for text, body in _rewritten(parts.body):
        said = f"Another spelling of the JSON was signed, {text}; sign the bytes that are sent."
        yield 6, "body", said, hashlib.sha256(body).hexdigest()


def _urls(path: str, host: str) -> Iterator[str]:
    if host and len(host) <= _HOST_MAX and host.isascii():
        yield f"https://{host}{path}"
        yield f"http://{host}{path}"
    for local in _LOCAL_HOSTS:
        if local != host:
            yield f"http://{local}{path}"


def _rewritten(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Return the same JSON as libraries write it, each text once."""
    try:
        value = json.loads(body)
        written = [
            ("without spaces", json.dumps(value, separators=(",", ":"), ensure_ascii=False)),
            ("with a space after each comma and colon", json.dumps(value)),
            ("over several lines", json.dumps(value, indent=2, ensure_ascii=False)),
            (
                "with its fields in alphabetical order",
                json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False),
            ),
            (
                "with spaces and its fields in alphabetical order",
                json.dumps(value, sort_keys=True),
            ),
        ]
        texts = [(text, spelling.encode()) for text, spelling in written]
    except (ValueError, RecursionError):
        # No JSON, or none that can be written.
        return
    known = {body}
    for text, spelling in texts:
        if spelling not in known:
            known.add(spelling)
            yield text, spelling
