"""Enum values can be given by name."""

from typing import Any

import pytest
from tradewire_client import CandleInterval, OrderType, SelfTradePrevention, Side
from tradewire_client._enums import enum_value


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Side, "buy", Side.BUY),
        (Side, "SELL", Side.SELL),
        (Side, Side.SELL, Side.SELL),
        (Side, None, Side.UNSPECIFIED),
        (SelfTradePrevention, "cancel-newest", SelfTradePrevention.CANCEL_NEWEST),
        (CandleInterval, "1m", CandleInterval._1M),
        (CandleInterval, "1D", CandleInterval._1D),
    ],
)
def test_a_name_in_any_case_or_the_member(kind: Any, value: Any, expected: Any) -> None:
    assert enum_value(kind, value, name="x") is expected


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(ValueError, match=r"type: 'stop' is none of 'market', 'limit'"):
        enum_value(OrderType, "stop", name="type")


@pytest.mark.parametrize("value", ["unspecified", ""])
def test_unset_is_said_by_none_only(value: Any) -> None:
    with pytest.raises(ValueError, match="side"):
        enum_value(Side, value, name="side")


@pytest.mark.parametrize("value", [1, True, 1.0])
def test_numbers_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="side: wanted Side or its name"):
        enum_value(Side, value, name="side")
