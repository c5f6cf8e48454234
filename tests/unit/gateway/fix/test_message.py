"""Fields are read by type, exactly."""

from decimal import Decimal

import pytest
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.values import SECOND_NS

FIELDS = Fields(
    {
        11: "A-1",
        38: "002000.00",
        34: "7",
        43: "Y",
        60: "19700101-00:00:01",
        96: "a\x01\xff",
        453: [Fields({448: "X"}), Fields({448: "Y"})],
    }
)


def test_fields_are_read_as_what_they_are() -> None:
    assert FIELDS.text(11) == "A-1"
    assert FIELDS.decimal(38) == Decimal(2000)
    assert FIELDS.integer(34) == 7
    assert FIELDS.flag(43) is True
    assert FIELDS.timestamp(60) == SECOND_NS
    assert FIELDS.data(96) == b"a\x01\xff"
    assert [entry.text(448) for entry in FIELDS.group(453)] == ["X", "Y"]


def test_absent_fields_are_none_and_absent_groups_empty() -> None:
    nothing = Fields()
    read = [nothing.text, nothing.integer, nothing.decimal, nothing.timestamp, nothing.data]
    assert [each(1) for each in read] == [None] * 5
    assert nothing.flag(1) is False
    assert nothing.group(1) == []


def test_asking_for_the_wrong_type_fails() -> None:
    with pytest.raises(ValueError, match="tag 11: 'A-1' is not of the type"):
        FIELDS.integer(11)
    with pytest.raises(ValueError, match="tag 453 is a repeating group"):
        FIELDS.text(453)
    with pytest.raises(ValueError, match="tag 11 is no repeating group"):
        FIELDS.group(11)


def test_messages_are_compared_as_values() -> None:
    assert Message("D", body=Fields({11: "a"})) == Message("D", body=Fields({11: "a"}))
    assert Message("D", body=Fields({11: "a"})) != Message("D", body=Fields({11: "b"}))
