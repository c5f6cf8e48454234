"""Credentials of a request: one, whole, and clearly one."""

import pytest
from tradewire_server.api.rest.credentials import read_signature
from tradewire_server.api.rest.request import RawRequest
from tradewire_server.auth.errors import Unauthenticated
from tradewire_server.auth.proofs import SignedRequest

SIGNED = (
    ("x-api-key", "tw_A"),
    ("x-api-timestamp", "1760000000000"),
    ("x-api-nonce", "n" * 16),
    ("x-api-signature", "c2ln"),
)
TOKEN = ("authorization", "Bearer abc")


def request(*headers: tuple[str, str]) -> RawRequest:
    return RawRequest("POST", "/v1/orders?", (("host", "x"), *headers), b"{}")


def refusal(*headers: tuple[str, str]) -> str:
    with pytest.raises(Unauthenticated) as error:
        read_signature(request(*headers))
    assert error.value.reason == "UNAUTHENTICATED"
    return error.value.message


def test_a_signed_request_is_read_as_it_was_sent() -> None:
    expected = SignedRequest(
        key_id="tw_A",
        timestamp="1760000000000",
        nonce="n" * 16,
        signature="c2ln",
        method="POST",
        path="/v1/orders?",
        body=b"{}",
    )
    assert read_signature(request(*SIGNED)) == expected
    window = read_signature(request(*SIGNED, ("x-api-recv-window", "9000")))
    assert window is not None
    assert window.recv_window == "9000"


def test_a_request_need_not_be_signed() -> None:
    assert read_signature(request()) is None
    assert read_signature(request(TOKEN)) is None


@pytest.mark.parametrize("header", SIGNED, ids=lambda header: header[0])
def test_a_signature_is_whole(header: tuple[str, str]) -> None:
    rest = [other for other in SIGNED if other != header]
    assert header[0] in refusal(*rest)
    assert header[0] in refusal(*rest, (header[0], ""))


def test_a_window_alone_is_no_signature() -> None:
    assert "x-api-key" in refusal(("x-api-recv-window", "9000"))


@pytest.mark.parametrize("header", [*SIGNED, ("x-api-recv-window", "1"), TOKEN])
def test_no_credential_is_there_twice(header: tuple[str, str]) -> None:
    first = (TOKEN,) if header is TOKEN else SIGNED
    if header not in first:
        first = (*first, header)
    assert f"{header[0]} is there more than once" in refusal(*first, header)
    # As a proxy joins them.
    others = [other for other in first if other != header]
    joined = (header[0], f"{header[1]},{header[1]}")
    assert f"{header[0]} is there more than once" in refusal(*others, joined)


def test_a_request_is_signed_or_has_a_token() -> None:
    assert "one of the two" in refusal(*SIGNED, TOKEN)
    assert "one of the two" in refusal(TOKEN, *SIGNED[:1])
