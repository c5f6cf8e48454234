"""Strict base64."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.encoding import decode_base64, decode_base64url, encode_base64url


@given(st.binary(max_size=100))
def test_base64url_comes_back_with_and_without_padding(value: bytes) -> None:
    text = encode_base64url(value)
    assert decode_base64url(text) == value
    assert decode_base64url(base64.urlsafe_b64encode(value).decode()) == value


@given(st.binary(max_size=100))
def test_standard_base64_comes_back_with_padding(value: bytes) -> None:
    assert decode_base64(base64.b64encode(value).decode()) == value


@given(st.text(alphabet="ABw-_+/=\n é", max_size=12))
def test_what_decodes_is_one_of_two_spellings(text: str) -> None:
    value = decode_base64url(text)
    if value is not None:
        assert text in (encode_base64url(value), base64.urlsafe_b64encode(value).decode())


@pytest.mark.parametrize(
    "text",
    ["A", "AB", "AB=", "AA===", "A=A=", "AA\n", "AA AA", "+/AA", "ÀAAA", "\ud800AAA", "===="],
)
def test_base64url_refuses_every_other_spelling(text: str) -> None:
    assert decode_base64url(text) is None


@pytest.mark.parametrize("text", ["AA", "AA=", "AB==", "-_AA", "AA==\n", " AA==", "ÀAA="])
def test_standard_base64_refuses_every_other_spelling(text: str) -> None:
    assert decode_base64(text) is None
