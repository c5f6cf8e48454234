"""The published signing vectors: that the file is what its seeds give, and that we agree with it.

The vectors are made here from the standard library and bare cryptography, by another way than the
package goes. Run this module to write the file anew after the scheme has changed:

    python -m tests.unit.server.auth.test_signing_vectors
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tradewire_server.auth import signing
from tradewire_server.auth.encoding import decode_base64, decode_base64url
from tradewire_server.auth.public_keys import parse_public_key

from tests.unit.server.auth.venue import base64url

FILE = Path(__file__).resolve().parents[3] / "vectors" / "signing.json"

ED25519_SEED_TEXT = "tradewire signing vectors v1: ed25519"
HMAC_SEED_TEXT = "tradewire signing vectors v1: hmac"
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(ED25519_SEED_TEXT.encode()).digest())
SECRET = "tws_" + base64url(hashlib.sha256(HMAC_SEED_TEXT.encode()).digest())
NONCE = "0123456789abcdef"

DESCRIPTION = """\
Known-answer vectors of the signing scheme TRADEWIRE-V1. The keys are public: never use them.
string_to_sign is exact: lines are separated by one line feed, and none is at the end.
The fields of the string_to_sign of a FIX Logon(A) are separated by SOH (1).
ed25519_signature and hmac_signature are base64url without padding, raw_data is padded base64.
The HMAC-SHA256 key is the ASCII text of hmac.secret, prefix included.
The Ed25519 private key is SHA-256 of ed25519.seed_text.
The secret is tws_ and the base64url of SHA-256 of hmac.seed_text.
encodings are spellings of a signature in a request or session, accepted or not.
""".splitlines()

# Binance publishes this key and signature in the FIX API's documentation, "How to sign Logon".
BINANCE_KEY = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u"
BINANCE_SIGNATURE = (
    "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
)


def _signatures(payload: bytes) -> dict[str, str]:
    return {
        "ed25519_signature": base64url(KEY.sign(payload)),
        "hmac_signature": base64url(hmac.new(SECRET.encode(), payload, hashlib.sha256).digest()),
    }


def _request(name: str, *, method: str, path: str, body: bytes, **changes: Any) -> dict[str, Any]:
    given = {"environment": "sandbox", "timestamp_ms": 1_760_000_000_000, "nonce": NONCE, **changes}
    digest = hashlib.sha256(body).hexdigest()
    lines = ["TRADEWIRE-V1", *(str(value) for value in given.values()), method, path, digest]
    string_to_sign = "\n".join(lines)
    return {
        "name": name,
        **given,
        "method": method,
        "path": path,
        "body_base64": base64.b64encode(body).decode(),
        "body_sha256": digest,
        "string_to_sign": string_to_sign,
        **_signatures(string_to_sign.encode()),
    }


def _session(name: str, *, environment: str, timestamp_ms: int, nonce: str) -> dict[str, Any]:
    string_to_sign = f"TRADEWIRE-V1\n{environment}\n{timestamp_ms}\n{nonce}\nSESSION"
    return {
        "name": name,
        "environment": environment,
        "timestamp_ms": timestamp_ms,
        "nonce": nonce,
        "string_to_sign": string_to_sign,
        **_signatures(string_to_sign.encode()),
    }


def _fix_logon(name: str, key: Ed25519PrivateKey, *fields: str) -> dict[str, Any]:
    string_to_sign = "\x01".join(("A", *fields))
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    sender_comp_id, target_comp_id, msg_seq_num, sending_time = fields
    return {
        "name": name,
        "private_key_pkcs8_base64": base64.b64encode(pkcs8).decode(),
        "sender_comp_id": sender_comp_id,
        "target_comp_id": target_comp_id,
        "msg_seq_num": msg_seq_num,
        "sending_time": sending_time,
        "string_to_sign": string_to_sign,
        "raw_data": base64.b64encode(key.sign(string_to_sign.encode())).decode(),
    }


def _encodings(signature: bytes) -> list[dict[str, Any]]:
    """Spellings of one signature, and whether they are accepted for requests and sessions."""
    text = base64url(signature)
    # The last character carries two bits of the 64th byte; the four below them must be zero.
    stray = text[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[text[-1]]
    return [
        {"name": "base64url without padding", "signature": text, "accepted": True},
        {"name": "base64url with padding", "signature": text + "==", "accepted": True},
        {"name": "too little padding", "signature": text + "=", "accepted": False},
        {"name": "stray bits at the end", "signature": stray, "accepted": False},
        {
            "name": "standard alphabet",
            "signature": base64.b64encode(signature).decode(),
            "accepted": False,
        },
        {"name": "hex", "signature": signature.hex(), "accepted": False},
        {"name": "white space around it", "signature": f" {text}", "accepted": False},
    ]


def make_vectors() -> dict[str, Any]:
    public_pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private_pem = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    binance = serialization.load_der_private_key(base64.b64decode(BINANCE_KEY), None)
    assert isinstance(binance, Ed25519PrivateKey)
    order = b'{"symbol":"BTC-USD","side":"SIDE_BUY","quantity":"0.5","price":"64000.10"}'
    return {
        "description": DESCRIPTION,
        "ed25519": {
            "seed_text": ED25519_SEED_TEXT,
            "private_key_hex": KEY.private_bytes_raw().hex(),
            "private_key_pem": private_pem.decode(),
            "public_key_base64url": base64url(KEY.public_key().public_bytes_raw()),
            "public_key_pem": public_pem.decode(),
        },
        "hmac": {"seed_text": HMAC_SEED_TEXT, "secret": SECRET},
        "requests": [
            _request("place an order", method="POST", path="/v1/orders", body=order),
            _request(
                "a query is part of the path",
                method="GET",
                path="/v1/orders?symbol=BTC-USD&page_size=50",
                body=b"",
            ),
            _request(
                "percent-encoding stays as it is sent",
                method="DELETE",
                path="/v1/orders/client/a%2Fb%20c",
                body=b"",
            ),
            _request(
                "a colon in a path",
                method="POST",
                path="/v1/orders:cancelAll",
                body=b"{}",
                nonce="Zx9_-" * 12 + "abcd",
            ),
            _request(
                "the bytes of the body count, not its meaning",
                method="POST",
                path="/v1/orders",
                body=order.replace(b",", b", ") + b"\n",
            ),
            _request(
                "a body that is no text",
                method="PATCH",
                path="/v1/orders/42",
                body=bytes(range(256)),
                timestamp_ms=1_760_000_000_001,
            ),
            _request(
                "another environment",
                environment="production",
                method="POST",
                path="/v1/orders",
                body=order,
            ),
        ],
        "sessions": [
            _session("sign in", environment="sandbox", timestamp_ms=1_760_000_000_000, nonce=NONCE),
            _session(
                "another environment",
                environment="production",
                timestamp_ms=1_760_000_000_000,
                nonce=NONCE,
            ),
            _session(
                "the longest nonce",
                environment="sandbox",
                timestamp_ms=1_760_000_000_123,
                nonce="Aa0_-bB1" * 8,
            ),
        ],
        "fix_logons": [
            _fix_logon("Logon(A)", KEY, "CLIENT", "TW-ORDERS", "1", "20251009-08:53:20.000"),
            _fix_logon(
                "a later sequence number, microseconds",
                KEY,
                "CLIENT",
                "TW-DROPCOPY",
                "1024",
                "20251009-08:53:20.000001",
            ),
            _fix_logon(
                "the example of Binance's FIX API",
                binance,
                "EXAMPLE",
                "SPOT",
                "1",
                "20240627-11:17:25.223",
            ),
        ],
        "encodings": _encodings(KEY.sign(b"TRADEWIRE-V1")),
    }


VECTORS: dict[str, Any] = make_vectors()


def _render() -> str:
    return json.dumps(VECTORS, indent=2, ensure_ascii=True) + "\n"


def _named(group: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[group], ids=lambda vector: vector["name"])


def _assert_both_signatures(payload: bytes, vector: dict[str, Any]) -> None:
    private_key = KEY.private_bytes_raw()
    public_key = KEY.public_key().public_bytes_raw()
    ed25519 = signing.sign_ed25519(payload, private_key=private_key)
    mac = signing.sign_hmac(payload, secret=SECRET.encode())
    assert base64url(ed25519) == vector["ed25519_signature"]
    assert base64url(mac) == vector["hmac_signature"]
    assert signing.verify_ed25519(payload, signature=ed25519, public_key=public_key)
    assert signing.verify_hmac(payload, signature=mac, secret=SECRET.encode())


def test_the_published_file_is_what_its_seeds_give() -> None:
    assert FILE.read_text() == _render()


@_named("requests")
def test_request_vector(vector: dict[str, Any]) -> None:
    parts = signing.RequestParts(
        timestamp_ms=vector["timestamp_ms"],
        nonce=vector["nonce"],
        method=vector["method"],
        path=vector["path"],
        body=base64.b64decode(vector["body_base64"]),
    )
    payload = signing.request_payload(parts, environment=vector["environment"])
    assert payload is not None
    assert payload == vector["string_to_sign"].encode()
    _assert_both_signatures(payload, vector)


@_named("sessions")
def test_session_vector(vector: dict[str, Any]) -> None:
    assert signing.is_nonce(vector["nonce"])
    payload = signing.session_payload(
        environment=vector["environment"],
        timestamp_ms=vector["timestamp_ms"],
        nonce=vector["nonce"],
    )
    assert payload == vector["string_to_sign"].encode()
    _assert_both_signatures(payload, vector)


@_named("fix_logons")
def test_fix_logon_vector(vector: dict[str, Any]) -> None:
    payload = signing.fix_logon_payload(
        sender_comp_id=vector["sender_comp_id"],
        target_comp_id=vector["target_comp_id"],
        msg_seq_num=vector["msg_seq_num"],
        sending_time=vector["sending_time"],
    )
    assert payload is not None
    assert payload == vector["string_to_sign"].encode()
    pkcs8 = base64.b64decode(vector["private_key_pkcs8_base64"])
    key = serialization.load_der_private_key(pkcs8, None)
    assert isinstance(key, Ed25519PrivateKey)
    signature = decode_base64(vector["raw_data"])
    assert signature is not None
    assert signature == signing.sign_ed25519(payload, private_key=key.private_bytes_raw())
    assert signing.verify_ed25519(
        payload, signature=signature, public_key=key.public_key().public_bytes_raw()
    )


def test_the_example_that_binance_published_is_among_the_vectors() -> None:
    example = VECTORS["fix_logons"][-1]
    assert example["private_key_pkcs8_base64"] == BINANCE_KEY
    assert example["raw_data"] == BINANCE_SIGNATURE


@_named("encodings")
def test_encoding_vector(vector: dict[str, Any]) -> None:
    decoded = decode_base64url(vector["signature"])
    accepted = decoded is not None and len(decoded) == signing.ED25519_SIGNATURE_BYTES
    assert accepted == vector["accepted"]


def test_the_public_key_is_read_in_every_form() -> None:
    ed25519 = VECTORS["ed25519"]
    raw = KEY.public_key().public_bytes_raw()
    assert parse_public_key(ed25519["public_key_pem"]) == raw
    assert parse_public_key(ed25519["public_key_base64url"]) == raw


if __name__ == "__main__":
    FILE.write_text(_render())
