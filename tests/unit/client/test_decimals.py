"""Decimals go out exactly as they were meant, and floats do not go out at all."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_client import ProtocolViolation
from tradewire_client._decimals import read_decimal, write_decimal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100.25", "100.25"),
        (" 100.250 ", "100.250"),
        (100, "100"),
        (Decimal("0.5"), "0.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-8"), "0.00000001"),
    ],
)
def test_text_integers_and_decimals_are_written_out(value: Any, text: Any) -> None:
    assert write_decimal(value, name="price") == text


@pytest.mark.parametrize("value", [100.25, 0.1, float("nan")])
def test_a_float_is_refused_with_advice(value: Any) -> None:
    with pytest.raises(TypeError, match=r"price: a float is not exact; write '.*' in quotes"):
        write_decimal(value, name="price")


@pytest.mark.parametrize("value", [True, None, b"1", object()])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="quantity: wanted a Decimal, str or int"):
        write_decimal(value, name="quantity")


@pytest.mark.parametrize(
    "value",
    [
        *("", "-1", "+1", "1e3", "1,5", ".5", "5.", "1" * 19, "0." + "1" * 19, "٣"),
        *(Decimal("-1"), Decimal("NaN"), Decimal("Infinity"), -1),
    ],
)
def test_what_the_contract_would_refuse_is_refused_here(value: Any) -> None:
    with pytest.raises(ValueError, match="price"):
        write_decimal(value, name="price")


@given(st.integers(0, 10**18 - 1), st.integers(0, 18))
def test_a_decimal_comes_back_as_it_was(digits: Any, places: Any) -> None:
    value = Decimal(digits).scaleb(-places)
    assert read_decimal(write_decimal(value, name="x")) == value


def test_a_decimal_that_was_not_sent_is_zero() -> None:
    assert read_decimal("") == 0


def test_nonsense_from_the_venue_is_its_fault() -> None:
    with pytest.raises(ProtocolViolation, match="'abc'"):
        read_decimal("abc")
