"""Values of FIX fields are read and written exactly, and what is none is known as such."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_gateway.fix import values
from tradewire_gateway.fix.values import FORMATS, SECOND_NS, DataType

NOON_NS = int(datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC).timestamp()) * SECOND_NS


@pytest.mark.parametrize(
    ("text", "after_noon_ns"),
    [
        ("20261122-12:00:00", 0),
        ("20261122-12:00:00.5", 500_000_000),
        ("20261122-12:00:00.123", 123_000_000),
        ("20261122-12:00:00.123456", 123_456_000),
        ("20261122-12:00:00.123456789", 123_456_789),
        ("20261122-12:01:01", 61 * SECOND_NS),
        ("20261122-12:00:60", 60 * SECOND_NS),
    ],
)
def test_a_timestamp_is_read_to_the_nanosecond(text: str, after_noon_ns: int) -> None:
    assert values.parse_utc_timestamp(text) == NOON_NS + after_noon_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261122",
        "20261122-12:00",
        "20261122 12:00:00",
        "20261122-24:00:00",
        "20261122-12:60:00",
        "20261122-12:00:61",
        "20261122-12:00:00.",
        "20261122-12:00:00.1234567890",
        "20261122-12:00:00Z",
        "20260230-12:00:00",
        "00000101-12:00:00",
        "2026112-12:00:00",
        "+2026112-12:00:00",
        "20261122-12:00: 1",
        "\u0662\u0660261122-12:00:00",
    ],
)
def test_what_is_no_timestamp_is_none(text: str) -> None:
    assert values.parse_utc_timestamp(text) is None


@given(st.integers(0, 4_102_444_800 * SECOND_NS), st.sampled_from([0, 3, 6, 9]))
def test_a_timestamp_is_written_cut_off_and_read_again(time_ns: int, digits: int) -> None:
    text = values.format_utc_timestamp(time_ns, digits)
    assert values.parse_utc_timestamp(text) == time_ns - time_ns % 10 ** (9 - digits)
    assert len(text) == 17 + (digits + 1 if digits else 0)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("-12", -12), ("9" * 18, 10**18 - 1)],
)
def test_whole_numbers(text: str, number: int) -> None:
    assert values.parse_integer(text) == number


@pytest.mark.parametrize("text", ["", "+1", "1_0", " 1", "1.0", "--1", "9" * 19, "\u0661", "1\n"])
def test_what_is_no_whole_number_is_none(text: str) -> None:
    assert values.parse_integer(text) is None
    assert values.parse_sequence_number(text) is None


def test_sequence_numbers_have_no_sign_and_may_be_absent() -> None:
    assert values.parse_sequence_number("0012") == 12
    assert values.parse_sequence_number("-1") is None
    assert values.parse_sequence_number(None) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", "1"), ("-0.10", "-0.10"), ("23.", "23"), (".5", "0.5"), ("002000.00", "2000.00")],
)
def test_decimals_are_exact(text: str, number: str) -> None:
    parsed = values.parse_decimal(text)
    assert parsed == Decimal(number)
    assert str(parsed) == number


@pytest.mark.parametrize("text", ["", ".", "-", "+1", "1e5", "NaN", "Infinity", "1,0", "1.2.3"])
def test_what_is_no_decimal_is_none(text: str) -> None:
    assert values.parse_decimal(text) is None


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=8))
def test_a_decimal_is_written_without_exponent_and_read_again(number: Decimal) -> None:
    assert values.parse_decimal(values.format_decimal(number)) == number
    assert values.format_decimal(Decimal("1E+3")) == "1000"


def test_booleans() -> None:
    assert [values.parse_boolean(text) for text in ("Y", "N", "y", "")] == [True, False, None, None]
    assert values.format_boolean(True) + values.format_boolean(False) == "YN"


# fmt: off
GOOD_AND_BAD = {
    DataType.AMT: (["1.5", "-1"], ["a"]),
    DataType.BOOLEAN: (["Y", "N"], ["y", "1", "YN"]),
    DataType.CHAR: (["a", " "], ["ab"]),
    DataType.FLOAT: (["0.1"], ["1e-1"]),
    DataType.INT: (["-5", "05"], ["5.", "x"]),
    DataType.LENGTH: (["5"], ["-5", "1234567890"]),
    DataType.LOCALMKTDATE: (["20240229"], ["20230229", "2023022", "202302281", "2023022a"]),
    DataType.MONTHYEAR: (
        ["202612", "20261231", "202612w5"],
        ["202613", "20261232", "202612w6", "2026", "202612w"],
    ),
    DataType.MULTIPLEVALUESTRING: (["A", "A b 3"], [" A", "A ", "A  B"]),
    DataType.NUMINGROUP: (["0", "12"], ["-1", "x"]),
    DataType.PERCENTAGE: ([".05"], ["5%"]),
    DataType.PRICE: (["-1.00"], ["1,00"]),
    DataType.PRICEOFFSET: (["-1.00"], ["1 00"]),
    DataType.QTY: (["0100"], ["+100"]),
    DataType.SEQNUM: (["0", "1"], ["-1", "1.0"]),
    DataType.UTCDATEONLY: (["20240229"], ["20240230"]),
    DataType.UTCTIMEONLY: (["23:59:60", "00:00:00.123"], ["24:00:00", "1:00:00"]),
    DataType.UTCTIMESTAMP: (["20240229-00:00:00"], ["20240229"]),
}
# fmt: on


def test_each_format_takes_what_it_should() -> None:
    assert GOOD_AND_BAD.keys() == FORMATS.keys()
    for data_type, (good, bad) in GOOD_AND_BAD.items():
        taken = [text for text in good + bad if FORMATS[data_type](text)]
        assert taken == good, data_type


@given(st.sampled_from(sorted(FORMATS, key=lambda each: each.name)), st.text())
def test_no_text_breaks_a_format(data_type: DataType, text: str) -> None:
    FORMATS[data_type](text)
