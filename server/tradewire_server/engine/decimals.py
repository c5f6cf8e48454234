"""Exact decimal text to scaled integers and back; the only place where either direction is
written.
"""

from functools import lru_cache


def parse_decimal(text: str, decimals: int) -> int | None:
    """Return `text` scaled by 10**decimals, or None when it has more decimals than that.

    The text is digits, optionally a point and digits; the contract's pattern has been checked
    before.
    """
    whole, _, fraction = text.partition(".")
    if len(fraction) > decimals:
        fraction = fraction.rstrip("0")
        if len(fraction) > decimals:
            return None
    return int(whole + fraction.ljust(decimals, "0"))


@lru_cache(maxsize=1 << 16)
def format_decimal(value: int, decimals: int) -> str:
    """Return the shortest text of value / 10**decimals: no exponent, no trailing zeros."""
    digits, sign = str(value), ""
    if decimals == 0:
        return digits
    if value < 0:
        digits, sign = digits[1:], "-"
    if len(digits) <= decimals:
        digits = digits.rjust(decimals + 1, "0")
    # The digits are cut in two: half the price of a division.
    whole, fraction = digits[:-decimals], digits[-decimals:].rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


@lru_cache(maxsize=1 << 14)
def normalize_decimal(text: str) -> str:
    """Return the shortest text of the same number, so that equal numbers are equal texts."""
    whole, point, fraction = text.partition(".")
    whole = whole.lstrip("0") or "0"
    if point:
        fraction = fraction.rstrip("0")
        if fraction:
            return f"{whole}.{fraction}"
    return whole
