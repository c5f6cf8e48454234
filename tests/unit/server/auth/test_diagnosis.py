"""Which part of a string to sign differs."""

import base64
import hashlib
from typing import NamedTuple

import pytest
from tradewire_server.auth.diagnosis import SignatureCheck, explain, explain_time
from tradewire_server.auth.signing import RequestParts, request_payload

from tests.unit.server.auth.venue import ENVIRONMENT, NOW_MS

BODY = b'{"side":"BUY"}'
HOST = "api.example.com"
PATH = "/v1/orders/a%2Fb?symbol=BTC-USD"
PARTS = RequestParts(NOW_MS, "n" * 16, "POST", PATH, BODY)


class Lines(NamedTuple):
    """The lines that a client signs."""

    preamble: str = "TRADEWIRE-V1"
    environment: str = ENVIRONMENT
    timestamp: str = str(NOW_MS)
    nonce: str = "n" * 16
    method: str = "POST"
    path: str = PATH
    body: str = hashlib.sha256(BODY).hexdigest()

    def signed(self, separator: str = "\n", end: str = "") -> bytes:
        return (separator.join(self) + end).encode()


def _explain(signed: bytes, parts: RequestParts = PARTS) -> SignatureCheck:
    payload = request_payload(parts, environment=ENVIRONMENT)
    assert payload is not None
    return explain(
        parts,
        environment=ENVIRONMENT,
        payload=payload,
        matches=lambda tried: tried == signed,
        host=HOST,
    )


def test_a_right_signature_is_right() -> None:
    check = _explain(Lines().signed())
    assert (check.is_valid, check.part) == (True, "")
    assert check.string_to_sign == Lines().signed().decode()


DIGEST = hashlib.sha256(BODY)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


DEVIATIONS: dict[str, tuple[str, bytes]] = {
    f"signed as {ENVIRONMENT.upper()!r}": (
        "environment",
        Lines(environment=ENVIRONMENT.upper()).signed(),
    ),
    f"signed as {ENVIRONMENT.capitalize()!r}": (
        "environment",
        Lines(environment=ENVIRONMENT.capitalize()).signed(),
    ),
    "whole URL was signed; sign": ("path", Lines(path=f"https://{HOST}{PATH}").signed()),
    "whole URL was signed": ("path", Lines(path=f"http://localhost:8080{PATH}").signed()),
    "a space after each comma": ("body", Lines(body=_sha256(b'{"side": "BUY"}')).signed()),
    "over several lines": ("body", Lines(body=_sha256(b'{\n  "side": "BUY"\n}')).signed()),
    "signed for 'production'": ("environment", Lines(environment="production").signed()),
    "in seconds": ("timestamp", Lines(timestamp=str(NOW_MS // 1000)).signed()),
    "in microseconds": ("timestamp", Lines(timestamp=str(NOW_MS * 1000)).signed()),
    "in small letters": ("method", Lines(method="post").signed()),
    "without its query": ("path", Lines(path="/v1/orders/a%2Fb").signed()),
    "a slash at its end": ("path", Lines(path="/v1/orders/a%2Fb/?symbol=BTC-USD").signed()),
    "without percent-encoding": ("path", Lines(path="/v1/orders/a/b?symbol=BTC-USD").signed()),
    "without the slash before it": ("path", Lines(path=PATH[1:]).signed()),
    "as if the body were empty": ("body", Lines(body=hashlib.sha256().hexdigest()).signed()),
    "with a line feed after the body": (
        "body",
        Lines(body=hashlib.sha256(BODY + b"\n").hexdigest()).signed(),
    ),
    "in capital letters": ("body", Lines(body=DIGEST.hexdigest().upper()).signed()),
    "the hash in base64": (
        "body",
        Lines(body=base64.b64encode(DIGEST.digest()).decode()).signed(),
    ),
    "without a hash": ("body", Lines(body="").signed()),
    "The body itself": ("body", Lines(body=BODY.decode()).signed()),
    "a line feed at its end": ("separator", Lines().signed(end="\n")),
    "CR LF": ("separator", Lines().signed("\r\n")),
    "a backslash and an n": ("separator", Lines().signed("\\n")),
    "nothing between": ("separator", Lines().signed("")),
    "The SHA-256 of the string": ("payload", hashlib.sha256(Lines().signed()).digest()),
}


@pytest.mark.parametrize("text", DEVIATIONS)
def test_the_part_that_differs_is_named(text: str) -> None:
    part, signed = DEVIATIONS[text]
    check = _explain(signed)
    assert (check.is_valid, check.part) == (False, part)
    assert text in check.text


def test_a_path_without_query_gets_its_slash_too() -> None:
    parts = RequestParts(NOW_MS, "n" * 16, "POST", "/v1/orders", BODY)
    assert _explain(Lines(path="/v1/orders/").signed(), parts).part == "path"


def test_what_nobody_thought_of_is_said_to_be_so() -> None:
    check = _explain(b"something else")
    assert (check.is_valid, check.part) == (False, "")
    assert "byte by byte" in check.text


def test_the_number_of_tries_is_bounded() -> None:
    tries: list[bytes] = []

    def never(tried: bytes) -> bool:
        tries.append(tried)
        return False

    payload = request_payload(PARTS, environment=ENVIRONMENT)
    assert payload is not None
    parts = RequestParts(NOW_MS, "n" * 16, "POST", PATH, b'{ "b": "\xc3\xa4", "a": [1, 2] }')
    explain(parts, environment=ENVIRONMENT, payload=payload, matches=never, host=HOST)
    assert len(tries) == len(set(tries)) == 35


@pytest.mark.parametrize(
    ("signed", "text"),
    [
        (b'{"b":"1","a":2}', "without spaces"),
        (b'{"a":2,"b":"1"}', "with its fields in alphabetical order"),
        (b'{"a": 2, "b": "1"}', "with spaces and its fields in alphabetical order"),
    ],
)
def test_another_spelling_of_the_body_is_found(signed: bytes, text: str) -> None:
    parts = RequestParts(NOW_MS, "n" * 16, "POST", PATH, b'{"b": "1" , "a": 2}')
    check = _explain(Lines(body=_sha256(signed)).signed(), parts)
    assert (check.is_valid, check.part) == (False, "body")
    assert text in check.text


@pytest.mark.parametrize("body", [b"", b"not JSON", b"\xff", b"[" * 100_000, b'"\\ud800"'])
def test_what_is_no_json_has_no_other_spelling(body: bytes) -> None:
    parts = RequestParts(NOW_MS, "n" * 16, "POST", PATH, body)
    assert _explain(b"something else", parts).part == ""


def test_a_timestamp_in_seconds_is_told_from_an_old_one() -> None:
    now_ns = NOW_MS * 10**6
    check = explain_time(NOW_MS // 1000, "too old", now_ns=now_ns, string_to_sign="")
    assert (check.is_valid, check.part) == (False, "timestamp")
    assert f"looks like seconds: send and sign milliseconds, now {NOW_MS}" in check.text
    check = explain_time(NOW_MS - 60_000, "too old", now_ns=now_ns, string_to_sign="")
    assert (check.part, check.text) == ("timestamp", "too old")
