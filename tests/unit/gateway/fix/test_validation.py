"""What a dictionary does not allow is rejected; the table of answers is in the scenarios."""

import math
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_gateway.fix import validation
from tradewire_gateway.fix.codec import Decoder, RawMessage
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.validation import (
    Invalid,
    Rejection,
    SessionRejectReason,
    Unsupported,
    Validator,
    Verdict,
)

from tests.unit.gateway.fix.wire import frame, validator

HEADER = "34=2|49=A|52=20261122-09:30:00|56=B|"
ORDER = "11=a|55=X|54=1|40=1|"


def raw(content: str) -> RawMessage:
    decoder = Decoder(validator().dictionary.data_fields)
    decoder.feed(frame(content))
    found = decoder.next()
    assert isinstance(found, RawMessage)
    return found


def judge(content: str) -> Verdict:
    return validator().validate(raw(content))


def reason(content: str) -> Rejection:
    verdict = judge(content)
    assert isinstance(verdict, Invalid), verdict
    return verdict.rejection


def test_a_message_is_taken_apart_into_its_parts() -> None:
    assert judge(f"35=D|{HEADER}{ORDER}93=1|89=s|") == Message(
        "D",
        Fields({35: "D", 34: "2", 49: "A", 52: "20261122-09:30:00", 56: "B"}),
        Fields({11: "a", 55: "X", 54: "1", 40: "1"}),
        Fields({93: "1", 89: "s"}),
    )
    plain = judge(f"35=D|{HEADER}{ORDER}")
    assert isinstance(plain, Message)
    assert plain.trailer is None


def test_groups_become_lists_of_fields() -> None:
    message = judge(
        f"35=D|{HEADER}627=1|628=HUB|11=a|453=2|448=x|447=D|802=2|523=s|523=t|803=1|448=y|452=3|"
        "55=X|54=1|40=1|"
    )
    assert isinstance(message, Message)
    assert message.header.group(627) == [{628: "HUB"}]
    assert message.body == {
        11: "a",
        453: [
            {448: "x", 447: "D", 802: [{523: "s"}, {523: "t", 803: "1"}]},
            {448: "y", 452: "3"},
        ],
        55: "X",
        54: "1",
        40: "1",
    }


def test_a_rejected_message_shows_its_header() -> None:
    verdict = judge(f"35=D|{HEADER}115=DESK|0115=x|{ORDER}34=9|")
    assert isinstance(verdict, Invalid)
    assert verdict.header == {
        35: "D", 34: "2", 49: "A", 52: "20261122-09:30:00", 56: "B", 115: "DESK",
    }  # fmt: skip


def test_structure_is_looked_at_before_values() -> None:
    assert reason(f"35=D|{HEADER}{ORDER}38=|55=X|").reason == (
        SessionRejectReason.TAG_APPEARS_MORE_THAN_ONCE
    )


def test_the_first_wrong_value_is_reported() -> None:
    assert reason(f"35=D|{HEADER}11=a|55=X|54=9|40=9|") == Rejection(
        SessionRejectReason.VALUE_INCORRECT, 54
    )


def test_types_that_exist_elsewhere_are_unsupported_and_others_invalid() -> None:
    narrow = Validator(replace(validator().dictionary, unsupported=frozenset("6")))
    assert narrow.validate(raw(f"35=6|{HEADER}23=x|")) == Unsupported(
        "6", Fields({35: "6", 34: "2", 49: "A", 52: "20261122-09:30:00", 56: "B"})
    )
    assert reason(f"35=6|{HEADER}") == Rejection(SessionRejectReason.INVALID_MSG_TYPE)


def test_what_is_kept_about_structures_is_bounded() -> None:
    own = Validator(validator().dictionary)
    optional = ["38=1|", "44=1|", "58=x|", "60=20261122-09:30:00|", "200=202612|"]
    for fields in permutations([*optional, ORDER, "432=20261122|"]):
        assert isinstance(own.validate(raw(f"35=D|{HEADER}{''.join(fields)}")), Message)
    assert 1 < len(own._layouts) <= validation._LAYOUTS_MAX < math.factorial(7)
    entries = "448=x|" * 200
    before = len(own._layouts)
    own.validate(raw(f"35=D|{HEADER}11=a|453=200|{entries}55=X|54=1|40=1|"))
    own.validate(raw(f"35=D|{HEADER}{ORDER}9999=x|"))
    assert len(own._layouts) == before


@pytest.mark.parametrize("each", SessionRejectReason)
def test_every_reason_has_words(each: SessionRejectReason) -> None:
    assert each.text


TAGS = st.sampled_from(
    [*map(str, validator().dictionary.fields), "0", "-1", "9999", "x", "011", ""]
)
VALUES = st.one_of(
    st.sampled_from(["", "1", "2", "Y", "X", "3", "D", "20261122-09:30:00", "a b"]), st.text()
)


@given(
    st.sampled_from(["D", "A", "0", "3", "8", "?", ""]),
    st.lists(st.tuples(TAGS, VALUES), max_size=20),
    st.booleans(),
)
def test_no_fields_break_validation(
    msg_type: str, fields: list[tuple[str, str]], has_header: bool
) -> None:
    start = [each.split("=") for each in (HEADER + ORDER).strip("|").split("|")]
    pairs = [["35", msg_type], *(start if has_header else []), *map(list, fields)]
    tags, values = zip(*pairs, strict=True)
    verdict = validator().validate(RawMessage("FIX.4.4", msg_type, tags, values))
    assert verdict.type == msg_type


LONGEST = "x" * validation.VALUE_CHARACTERS_MAX


def test_a_value_that_is_too_long_is_rejected_and_not_repeated() -> None:
    assert isinstance(judge(f"35=D|{HEADER}{ORDER}58={LONGEST}|"), Message)
    for tag, text in ((58, "58"), (115, "115"), (None, "9999"), (None, "77" * 600)):
        verdict = judge(f"35=D|{HEADER}{text}={LONGEST}x|{ORDER}")
        assert isinstance(verdict, Invalid)
        assert verdict.rejection.tag == tag
        assert verdict.rejection.reason in (
            SessionRejectReason.VALUE_INCORRECT,
            SessionRejectReason.INVALID_TAG_NUMBER,
        )
        assert set(verdict.header) == {35, 34, 49, 52, 56}
    unknown = judge(f"35={LONGEST}x|{HEADER}")
    assert isinstance(unknown, Invalid)
    assert unknown.type == ""
    assert set(unknown.header) == {34, 49, 52, 56}


def test_data_may_be_as_long_as_a_message() -> None:
    text = f"{LONGEST}\x01y"
    assert isinstance(judge(f"35=D|{HEADER}{ORDER}354={len(text)}|355={text}|"), Message)
