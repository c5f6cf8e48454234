"""The strings to sign and the algorithms; the published vectors have a test of their own."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.signing import (
    PATH_MAX,
    RequestParts,
    fix_logon_payload,
    is_environment,
    is_nonce,
    parse_decimal,
    parse_sending_time,
    request_payload,
    session_payload,
    sign_ed25519,
    sign_hmac,
    signature_nonce,
    verify_ed25519,
    verify_hmac,
)

from tests.unit.server.auth.venue import NOW_MS, base64url, private_key

NONCE = "n" * 16
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def _parts(*, method: str = "GET", path: str = "/v1/time", body: bytes = b"") -> RequestParts:
    return RequestParts(NOW_MS, NONCE, method, path, body)


@pytest.mark.parametrize("method", ["", "get", "GET ", "GET\n", "GÉT", "A" * 17])
def test_a_method_that_could_change_the_lines_is_refused(method: str) -> None:
    assert request_payload(_parts(method=method), environment="sandbox") is None


@pytest.mark.parametrize(
    "path",
    ["", "v1", "/a b", "/a\n", "/a\nx", "/\r", "/\x00", "/é", "/" + "a" * PATH_MAX, "http://h/v1"],
)
def test_a_path_that_could_change_the_lines_is_refused(path: str) -> None:
    assert request_payload(_parts(path=path), environment="sandbox") is None


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_two_bodies_never_share_a_string_to_sign(one: bytes, two: bytes) -> None:
    payloads = {request_payload(_parts(body=body), environment="sandbox") for body in (one, two)}
    assert len(payloads) == len({one, two})


def test_requests_and_sessions_never_share_a_string_to_sign() -> None:
    session = session_payload(environment="sandbox", timestamp_ms=NOW_MS, nonce=NONCE)
    request = request_payload(_parts(method="SESSION", path="/"), environment="sandbox")
    assert request is not None
    assert session.count(b"\n") == 4
    assert request.count(b"\n") == 6


FIELDS = {
    "sender_comp_id": "CLIENT",
    "target_comp_id": "TW-ORDERS",
    "msg_seq_num": "1",
    "sending_time": "20251009-08:53:20.000",
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", ["", "A\x01B", "A\nB", "é", "x" * 65])
def test_a_logon_field_that_could_move_into_its_neighbour_is_refused(
    field: str, value: str
) -> None:
    assert fix_logon_payload(**{**FIELDS, field: value}) is None


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a" * 15, False),
        ("a" * 16, True),
        ("Zz09_-" * 10 + "abcd", True),
        ("a" * 65, False),
        ("a" * 15 + "\n", False),
        ("a" * 16 + "\n", False),
        ("a" * 15 + ".", False),
        ("a" * 15 + "é", False),
        ("a" * 15 + "\u0663", False),
    ],
)
def test_a_nonce_has_16_to_64_safe_characters(text: str, valid: bool) -> None:
    assert is_nonce(text) is valid


@pytest.mark.parametrize(
    ("name", "valid"),
    [("production", True), ("test-2", True), ("", False), ("-a", False), ("A", False)],
)
def test_an_environment_has_a_plain_name(name: str, valid: bool) -> None:
    assert is_environment(name) is valid
    assert not is_environment(f"{name}\n")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("1760000000000", 1_760_000_000_000),
        ("9" * 16, 10**16 - 1),
        ("1" + "0" * 16, None),
        ("", None),
        ("01", None),
        ("+1", None),
        ("-1", None),
        ("1.0", None),
        ("1_0", None),
        (" 1", None),
        ("1\n", None),
        ("\u0661", None),
    ],
)
def test_a_number_has_one_spelling(text: str, number: int | None) -> None:
    assert parse_decimal(text) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240627-11:17:25.223", datetime(2024, 6, 27, 11, 17, 25, 223_000, UTC)),
        ("20240627-11:17:25", datetime(2024, 6, 27, 11, 17, 25, 0, UTC)),
        ("20240627-11:17:25.2", datetime(2024, 6, 27, 11, 17, 25, 200_000, UTC)),
        ("20240627-11:17:25.223999999", datetime(2024, 6, 27, 11, 17, 25, 223_000, UTC)),
        ("20161231-23:59:60.5", datetime(2017, 1, 1, 0, 0, 0, 500_000, UTC)),
        ("19700101-00:00:00", datetime(1970, 1, 1, 0, 0, 0, 0, UTC)),
    ],
)
def test_sending_time_is_read_to_the_millisecond(text: str, expected: datetime) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    milliseconds = parse_sending_time(text)
    assert milliseconds is not None
    assert milliseconds == round((expected - epoch).total_seconds() * 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20240627-11:17",
        "20240627 11:17:25",
        "2024062-11:17:25",
        "20240627-24:00:00",
        "20240627-11:60:00",
        "20240627-11:17:61",
        "20240230-11:17:25",
        "00000101-00:00:00",
        "20240627-11:17:25.",
        "20240627-11:17:25.1234567890",
        "20240627-11:17:25Z",
        "\u06620240627-11:17:25",
    ],
)
def test_what_is_no_sending_time_is_refused(text: str) -> None:
    assert parse_sending_time(text) is None


@given(st.binary(max_size=200), st.binary(max_size=64))
def test_only_the_right_ed25519_signature_verifies(payload: bytes, other: bytes) -> None:
    key = private_key("one")
    public_key = key.public_key().public_bytes_raw()
    signature = sign_ed25519(payload, private_key=key.private_bytes_raw())
    assert signature == key.sign(payload)
    assert verify_ed25519(payload, signature=signature, public_key=public_key)
    assert not verify_ed25519(payload + b"x", signature=signature, public_key=public_key)
    assert not verify_ed25519(payload, signature=other, public_key=public_key)


def test_nobody_can_write_an_ed25519_signature_in_another_way() -> None:
    key = private_key("one")
    signature = key.sign(b"payload")
    s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    altered = signature[:32] + s.to_bytes(32, "little")
    public_key = key.public_key().public_bytes_raw()
    assert not verify_ed25519(b"payload", signature=altered, public_key=public_key)


def test_bytes_that_are_no_point_verify_nothing() -> None:
    signature = private_key("one").sign(b"payload")
    no_point = (2).to_bytes(32, "little")
    assert not verify_ed25519(b"payload", signature=signature, public_key=no_point)


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
def test_only_the_right_mac_verifies(payload: bytes, other: bytes) -> None:
    mac = sign_hmac(payload, secret=b"secret")
    assert verify_hmac(payload, signature=mac, secret=b"secret")
    assert not verify_hmac(payload, signature=mac, secret=b"Secret")
    assert not verify_hmac(payload, signature=other, secret=b"secret")


def test_the_hash_of_a_signature_is_a_nonce() -> None:
    nonce = signature_nonce(bytes(64))
    assert is_nonce(nonce)
    assert nonce != signature_nonce(bytes(63) + b"\x01")
    assert len(nonce) == len(base64url(bytes(32)))
