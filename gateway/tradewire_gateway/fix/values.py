"""Values of FIX fields: how each data type is written, read and checked. No floats, no locale.

Text is Latin-1 throughout the FIX gateway: one character is one byte, so that BodyLength(9) counts
characters and any bytes survive decoding and encoding unchanged.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final

SECOND_NS: Final = 1_000_000_000


class DataType(Enum):
    """The data types of FIX 4.4, by the names that QuickFIX dictionaries use."""

    AMT = "AMT"
    BOOLEAN = "BOOLEAN"
    CHAR = "CHAR"
    COUNTRY = "COUNTRY"
    CURRENCY = "CURRENCY"
    DATA = "DATA"
    EXCHANGE = "EXCHANGE"
    FLOAT = "FLOAT"
    INT = "INT"
    LENGTH = "LENGTH"
    LOCALMKTDATE = "LOCALMKTDATE"
    MONTHYEAR = "MONTHYEAR"
    MULTIPLEVALUESTRING = "MULTIPLEVALUESTRING"
    NUMINGROUP = "NUMINGROUP"
    PERCENTAGE = "PERCENTAGE"
    PRICE = "PRICE"
    PRICEOFFSET = "PRICEOFFSET"
    QTY = "QTY"
    SEQNUM = "SEQNUM"
    STRING = "STRING"
    UTCDATEONLY = "UTCDATEONLY"
    UTCTIMEONLY = "UTCTIMEONLY"
    UTCTIMESTAMP = "UTCTIMESTAMP"


# 18 digits fit 63 bits, and int() refuses thousands of digits with an exception.
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_DECIMAL: Final = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
# Second 60 is a leap second.
_HOURS_MINUTES_SECONDS: Final = "([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)"
_TIME: Final = re.compile(rf"{_HOURS_MINUTES_SECONDS}(?:\.[0-9]{{1,9}})?")
_SECOND: Final = re.compile(f"[0-9]{{8}}-{_HOURS_MINUTES_SECONDS}")
_SECOND_LENGTH: Final = len("YYYYMMDD-HH:MM:SS")
# What the last digit of a fraction counts, by the number of its digits.
_FRACTION_NS: Final[dict[int, int]] = {digits: 10 ** (9 - digits) for digits in range(1, 10)}
_MONTH_YEAR: Final = re.compile(r"([0-9]{6})(?:([0-9]{2})|w[1-5])?")
_WORDS: Final = re.compile(r"[^ ]+(?: [^ ]+)*")


def parse_integer(text: str) -> int | None:
    """Return the whole number, None when the text is none."""
    return int(text) if _INTEGER.fullmatch(text) else None


def parse_sequence_number(value: object) -> int | None:
    """Return the sequence number, None when the value is no text or not digits alone."""
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def parse_decimal(text: str) -> Decimal | None:
    """Return the exact decimal number, None when the text is none."""
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def parse_boolean(text: str) -> bool | None:
    """Return True for Y, False for N, None for anything else."""
    return {"Y": True, "N": False}.get(text)


def parse_utc_timestamp(text: str) -> int | None:
    """Return nanoseconds since 1970 of `YYYYMMDD-HH:MM:SS[.fraction]`, None when it is no time.

    A leap second, which FIX writes as second 60, is the first moment of the next minute.
    """
    second_ns = _second_ns(text[:_SECOND_LENGTH])
    if second_ns is None or len(text) == _SECOND_LENGTH:
        return second_ns
    point, fraction = text[_SECOND_LENGTH], text[_SECOND_LENGTH + 1 :]
    scale = _FRACTION_NS.get(len(fraction))
    if point != "." or scale is None or not (fraction.isascii() and fraction.isdigit()):
        return None
    return second_ns + int(fraction) * scale


def format_utc_timestamp(time_ns: int, digits: int = 3) -> str:
    """Return the time as a UTCTIMESTAMP with that many decimal places of the second, cut off."""
    seconds, fraction = divmod(time_ns, SECOND_NS)
    if not digits:
        return _format_second(seconds)
    return f"{_format_second(seconds)}.{fraction // 10 ** (9 - digits):0{digits}d}"


def format_decimal(number: Decimal) -> str:
    """Return the number in digits, never with an exponent."""
    return format(number, "f")


def format_boolean(flag: bool) -> str:
    """Return Y or N."""
    return "Y" if flag else "N"


@lru_cache(maxsize=1024)
def _second_ns(text: str) -> int | None:
    """Return when the second `YYYYMMDD-HH:MM:SS` begins; many messages share the last few."""
    match = _SECOND.fullmatch(text)
    midnight_ns = _midnight_ns(text[:8]) if match else None
    if match is None or midnight_ns is None:
        return None
    hours, minutes, seconds = map(int, match.groups())
    return midnight_ns + ((hours * 60 + minutes) * 60 + seconds) * SECOND_NS


def _midnight_ns(day: str) -> int | None:
    """Return when the day of these eight digits begins."""
    try:
        begin = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        return None
    return timegm(begin.timetuple()) * SECOND_NS


@lru_cache(maxsize=256)
def _format_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d-%H:%M:%S")


def _is_timestamp(text: str) -> bool:
    return parse_utc_timestamp(text) is not None


def _is_date(text: str) -> bool:
    return len(text) == 8 and _NUMBER.fullmatch(text) is not None and _midnight_ns(text) is not None


def _is_month(text: str) -> bool:
    match = _MONTH_YEAR.fullmatch(text)
    return match is not None and _midnight_ns(match[1] + (match[2] or "01")) is not None


def _is_character(text: str) -> bool:
    return len(text) == 1


# What is absent here (texts, data, currencies, ...) takes any value that is not empty.
FORMATS: Final[dict[DataType, Callable[[str], object]]] = {
    DataType.AMT: _DECIMAL.fullmatch,
    DataType.BOOLEAN: frozenset("YN").__contains__,
    DataType.CHAR: _is_character,
    DataType.FLOAT: _DECIMAL.fullmatch,
    DataType.INT: _INTEGER.fullmatch,
    DataType.LENGTH: _COUNT.fullmatch,
    DataType.LOCALMKTDATE: _is_date,
    DataType.MONTHYEAR: _is_month,
    DataType.MULTIPLEVALUESTRING: _WORDS.fullmatch,
    DataType.NUMINGROUP: _COUNT.fullmatch,
    DataType.PERCENTAGE: _DECIMAL.fullmatch,
    DataType.PRICE: _DECIMAL.fullmatch,
    DataType.PRICEOFFSET: _DECIMAL.fullmatch,
    DataType.QTY: _DECIMAL.fullmatch,
    DataType.SEQNUM: _NUMBER.fullmatch,
    DataType.UTCDATEONLY: _is_date,
    DataType.UTCTIMEONLY: _TIME.fullmatch,
    DataType.UTCTIMESTAMP: _is_timestamp,
}
"""What a value of each type must satisfy: true when it does."""
