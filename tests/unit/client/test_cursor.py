"""Numbers continue, or somebody is told."""

from typing import Any

import pytest
from tradewire_client import JournalChanged, SequenceGap, SequenceRepeated
from tradewire_client._cursor import Cursor


def cursor(last: Any = 5, journal_id: Any = "a") -> Any:
    return Cursor("executions", last=last, journal_id=journal_id)


def test_the_next_number_is_taken() -> None:
    place = cursor()
    place.advance(6)
    place.advance(7)
    assert place.last == 7


def test_the_first_number_is_taken_as_it_is() -> None:
    place = cursor(last=None)
    place.advance(17)
    assert place.last == 17


def test_a_gap_says_what_is_missing_and_moves_nothing() -> None:
    place = cursor()
    with pytest.raises(SequenceGap, match="executions 6 to 7 are missing") as caught:
        place.advance(8)
    assert (caught.value.last_sequence, caught.value.received, place.last) == (5, 8, 5)


@pytest.mark.parametrize("number", [5, 4, 1])
def test_a_repetition_is_told_apart_from_a_gap(number: Any) -> None:
    place = cursor()
    with pytest.raises(SequenceRepeated, match=f"executions {number} came after 5"):
        place.advance(number)
    assert place.last == 5


def test_the_venue_may_confirm_less_than_was_received_but_not_more() -> None:
    place = cursor()
    place.confirm(4)
    place.confirm(5)
    with pytest.raises(SequenceGap, match="executions 6 to 6 are missing"):
        place.confirm(6)


def test_a_confirmation_tells_the_place_when_it_is_not_known() -> None:
    place = cursor(last=None)
    place.confirm(9)
    assert place.last == 9


def test_the_journal_is_learnt_once_and_compared_from_then_on() -> None:
    place = cursor(journal_id="")
    place.check_journal("a")
    place.check_journal("a")
    place.check_journal("")
    with pytest.raises(JournalChanged, match="'b' and was 'a'") as caught:
        place.check_journal("b")
    assert (caught.value.expected, caught.value.received, caught.value.last_sequence) == (
        "a",
        "b",
        5,
    )
