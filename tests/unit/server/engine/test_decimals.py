"""Decimal text and scaled integers are the same numbers."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.engine.decimals import format_decimal, normalize_decimal, parse_decimal

DECIMALS = st.integers(0, 18)
VALUES = st.integers(-(10**36), 10**36)
# The contract's pattern of a decimal.
TEXTS = st.from_regex(r"[0-9]{1,18}([.][0-9]{1,18})?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [
        ("0", 0, 0),
        ("0", 2, 0),
        ("12", 0, 12),
        ("12", 2, 1200),
        ("12.3", 2, 1230),
        ("12.34", 2, 1234),
        ("012.340", 2, 1234),
        ("1.000", 0, 1),
        ("12.345", 2, None),
        ("0.001", 2, None),
        ("0.5", 0, None),
        ("999999999999999999.999999999999999999", 18, 10**36 - 1),
    ],
)
def test_text_is_read_exactly_or_not_at_all(text: str, decimals: int, value: int | None) -> None:
    assert parse_decimal(text, decimals) == value


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0, 0, "0"),
        (0, 8, "0"),
        (-7, 0, "-7"),
        (100, 2, "1"),
        (100, 0, "100"),
        (1, 2, "0.01"),
        (-1, 2, "-0.01"),
        (-150, 2, "-1.5"),
        (1234567, 3, "1234.567"),
        (1230, 3, "1.23"),
    ],
)
def test_text_is_the_shortest(value: int, decimals: int, text: str) -> None:
    assert format_decimal(value, decimals) == text


@given(VALUES, DECIMALS)
def test_text_is_the_number(value: int, decimals: int) -> None:
    text = format_decimal(value, decimals)
    assert Fraction(text) == Fraction(value, 10**decimals)
    assert "e" not in text.lower()
    if value >= 0:
        assert parse_decimal(text, decimals) == value
        assert normalize_decimal(text) == text


@given(TEXTS, DECIMALS)
def test_reading_loses_nothing(text: str, decimals: int) -> None:
    scaled = Fraction(text) * 10**decimals
    assert parse_decimal(text, decimals) == (scaled if scaled.denominator == 1 else None)


@given(TEXTS, TEXTS)
def test_equal_numbers_have_equal_normal_texts(one: str, other: str) -> None:
    for text in (one, f"00{one}", f"{one}000" if "." in one else f"{one}.00"):
        assert Fraction(normalize_decimal(text)) == Fraction(one)
        assert normalize_decimal(text) == normalize_decimal(one)
    same = Fraction(one) == Fraction(other)
    assert (normalize_decimal(one) == normalize_decimal(other)) is same
