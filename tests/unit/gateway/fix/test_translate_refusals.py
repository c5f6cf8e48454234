"""Every error of the catalogue has its answer on FIX, with its codes, whatever was asked."""

from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st
from tradewire.v1 import order_pb2, stream_pb2
from tradewire_contract import reasons
from tradewire_contract.fix.rules import (
    BUSINESS_REJECTS,
    CANCEL_REJECTS,
    ORDER_REJECTS,
    RESTATEMENTS,
)
from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.translate import Answer, refusal

from tests.unit.gateway.fix.translated import NOW, NOW_NS, answered, request

NAMES = {entry.name: entry for entry in reasons().values()}
ERRORS = [entry for entry in NAMES.values() if entry.outcome in ("refused", "rejected")]
UNKNOWN = [entry for entry in NAMES.values() if entry.outcome == "unknown"]

ORDER = request("D", f"11=A-1|55=BTC-USD|54=1|40=2|38=0.01|44=60000|1=demo-1|18=6|60={NOW}|")
CANCEL = request("F", f"11=C-1|41=A-1|60={NOW}|")
AMEND = request("G", f"11=G-1|41=A-1|38=2|60={NOW}|")
MASS_CANCEL = request("q", f"11=Q-1|530=1|55=BTC-USD|54=2|60={NOW}|")
STATUS = request("H", "11=A-1|790=S-1|55=BTC-USD|54=1|")
MASS_STATUS = request("AF", "584=S-1|585=7|")
LIST = request("x", "320=L-1|559=4|")
INSTRUMENT = request("e", "324=T-1|263=0|55=NO-NE|")
BALANCES = request("BE", "923=U-1|924=4|553=key-1|")
POSITIONS = request("AN", "710=P-1|724=0|1=demo-1|")
SUBSCRIPTION = request("V", "262=V-1|263=1|264=10|267=2|269=0|269=1|146=1|55=NO-NE|")
EVERY = (
    ORDER, CANCEL, AMEND, MASS_CANCEL, STATUS, MASS_STATUS, LIST, INSTRUMENT, BALANCES, POSITIONS,
    SUBSCRIPTION,
)  # fmt: skip


def status(
    name: str, *, fields: Sequence[tuple[str, str]] = (), **metadata: str
) -> status_pb2.Status:
    """Return an error as the venue makes it."""
    entry = NAMES[name]
    info = error_details_pb2.ErrorInfo(
        reason=name, domain="tradewire", metadata={"outcome": entry.outcome, **metadata}
    )
    made = status_pb2.Status(code=entry.code, message=f"{name}: so it is")
    details: list[Any] = [info]
    if fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
            for field, text in fields
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        made.details.append(packed)
    return made


def _packed(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _infos() -> Any:
    keys = st.sampled_from(["outcome", "retry_after_ms", "order_id", "sequence", "fix_code"])
    return st.builds(
        lambda reason, metadata: _packed(
            error_details_pb2.ErrorInfo(reason=reason, metadata=metadata)
        ),
        st.sampled_from([*NAMES, "NEW_IN_A_LATER_RELEASE", ""]),
        st.dictionaries(keys, st.from_regex(r"[0-9]{1,18}", fullmatch=True) | st.text(max_size=20)),
    )


def _violations() -> Any:
    violation = st.builds(
        error_details_pb2.BadRequest.FieldViolation,
        field=st.text(max_size=20),
        description=st.text(max_size=50),
    )
    return st.builds(
        lambda found: _packed(error_details_pb2.BadRequest(field_violations=found)),
        st.lists(violation, max_size=3),
    )


def _rubbish() -> Any:
    return st.builds(AnyMessage, type_url=st.text(max_size=10), value=st.binary(max_size=10))


def refused(message: Any, error: status_pb2.Status, **given: Any) -> tuple[str, Fields]:
    answer: Answer = refusal(message, error, now_ns=NOW_NS, identity="S-7", **given)
    return answer.type, answered(answer)


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_a_refused_order_has_the_code_of_its_reason_and_no_account_sequence(entry: Any) -> None:
    msg_type, fields = refused(ORDER, status(entry.name))
    code = entry.order_reject_reason
    assert msg_type == "8"
    assert fields[103] == ("99" if code is None else str(code))
    assert fields[20002] == entry.name
    assert fields[58] == f"{entry.name}: so it is"
    assert 20001 not in fields


def test_a_refused_order_in_full() -> None:
    assert refused(ORDER, status("INSTRUMENT_NOT_FOUND")) == (
        "8",
        {
            37: "NONE", 11: "A-1", 55: "BTC-USD", 54: "1", 40: "2", 38: "0.01", 44: "60000",
            18: "6", 1: "demo-1", 17: "S-7", 150: "8", 39: "8", 151: "0", 14: "0", 6: "0", 60: NOW,
            103: "1", 20002: "INSTRUMENT_NOT_FOUND", 58: "INSTRUMENT_NOT_FOUND: so it is",
        },
    )  # fmt: skip


def test_a_rejected_order_names_its_execution() -> None:
    error = status("INSUFFICIENT_FUNDS", order_id="1001", sequence="42")
    _, fields = refused(ORDER, error)
    assert (fields[37], fields[20001], fields[103]) == ("1001", "42", "3")


@pytest.mark.parametrize("message", [CANCEL, AMEND], ids=["F", "G"])
@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_a_refused_cancel_or_amend_has_the_code_of_its_reason(entry: Any, message: Any) -> None:
    msg_type, fields = refused(message, status(entry.name))
    code = entry.cancel_reject_reason
    assert msg_type == "9"
    assert fields[102] == ("99" if code is None else str(code))
    assert fields[434] == {"F": "1", "G": "2"}[message.type]
    assert fields[20002] == entry.name


def test_a_refused_cancel_says_how_the_order_is() -> None:
    order = order_pb2.Order(
        order_id="1001", client_order_id="A-1", status=order_pb2.ORDER_STATUS_FILLED
    )
    assert refused(CANCEL, status("ORDER_CLOSED"), order=order) == (
        "9",
        {
            37: "1001", 11: "C-1", 41: "A-1", 39: "2", 60: NOW, 434: "1", 102: "0",
            20002: "ORDER_CLOSED", 58: "ORDER_CLOSED: so it is",
        },
    )  # fmt: skip


def test_a_cancel_by_the_venues_id_is_answered_by_what_is_known() -> None:
    message = request("F", f"11=C-1|37=1001|60={NOW}|")
    order = order_pb2.Order(
        order_id="1001", client_order_id="A-1", status=order_pb2.ORDER_STATUS_NEW
    )
    assert refused(message, status("RATE_LIMITED"), order=order)[1][41] == "A-1"
    _, fields = refused(message, status("RATE_LIMITED"))
    assert (fields[37], fields[41], fields[39]) == ("1001", "NONE", "8")
    _, fields = refused(message, status("ORDER_NOT_FOUND"))
    assert (fields[37], fields[102], fields[39]) == ("NONE", "1", "8")


@pytest.mark.parametrize("message", EVERY, ids=lambda message: message.type)
@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_every_error_of_every_request_is_an_answer_that_the_dictionary_allows(
    entry: Any, message: Any
) -> None:
    msg_type, fields = refused(message, status(entry.name))
    expected = {
        "D": "8", "F": "9", "G": "9", "H": "8", "AF": "8", "q": "r", "x": "y", "BE": "BF",
        "AN": "AP", "V": "Y", "e": "f" if entry.business_reject_reason == 2 else "j",
    }  # fmt: skip
    assert msg_type == expected[message.type]
    assert fields[20002] == entry.name
    text = fields.get({"y": 20018, "BF": 927}.get(msg_type, 58))
    assert text == f"{entry.name}: so it is"


@pytest.mark.parametrize(
    ("message", "name", "expected"),
    [
        (
            STATUS,
            "ORDER_NOT_FOUND",
            {150: "I", 39: "8", 103: "5", 790: "S-1", 37: "NONE", 11: "A-1"},
        ),
        (MASS_STATUS, "ACCOUNT_NOT_FOUND", {584: "S-1", 103: "15", 911: "0", 912: "Y"}),
        (MASS_CANCEL, "INSTRUMENT_NOT_FOUND", {531: "0", 532: "1", 55: "BTC-USD", 54: "2"}),
        (MASS_CANCEL, "RATE_LIMITED", {531: "0", 532: "99", 530: "1", 11: "Q-1", 37: "NONE"}),
        (LIST, "RATE_LIMITED", {560: "4", 320: "L-1", 322: "S-7"}),
        (LIST, "SCOPE_MISSING", {560: "3"}),
        (INSTRUMENT, "INSTRUMENT_NOT_FOUND", {326: "20", 55: "NO-NE", 324: "T-1"}),
        (INSTRUMENT, "RATE_LIMITED", {380: "8", 372: "e", 379: "T-1", 45: "7"}),
        (BALANCES, "SCOPE_MISSING", {926: "6", 923: "U-1", 553: "key-1"}),
        (POSITIONS, "SCOPE_MISSING", {728: "3", 710: "P-1", 721: "S-7", 727: "0", 1: "demo-1"}),
        (POSITIONS, "OVERLOADED", {728: "99"}),
        (SUBSCRIPTION, "INSTRUMENT_NOT_FOUND", {281: "0", 262: "V-1"}),
        (SUBSCRIPTION, "SCOPE_MISSING", {281: "3"}),
        (SUBSCRIPTION, "RATE_LIMITED", {281: "2"}),
    ],
)
def test_answers_have_codes_of_their_own(message: Any, name: str, expected: dict[int, str]) -> None:
    _, fields = refused(message, status(name))
    assert expected.items() <= fields.items()


@pytest.mark.parametrize("message", EVERY, ids=lambda message: message.type)
@pytest.mark.parametrize("entry", UNKNOWN, ids=lambda entry: entry.name)
def test_what_nobody_knows_is_not_reported_as_refused(entry: Any, message: Any) -> None:
    msg_type, fields = refused(message, status(entry.name))
    assert (msg_type, fields[380], fields[372]) == ("j", "4", message.type)
    assert fields[20002] == entry.name


@pytest.mark.parametrize(
    ("code", "reason", "business"),
    [
        (code_pb2.UNAVAILABLE, "ANSWER_LOST", "4"),
        (code_pb2.CANCELLED, "ANSWER_LOST", "4"),
        (code_pb2.UNKNOWN, "ANSWER_LOST", "4"),
        (code_pb2.DEADLINE_EXCEEDED, "ANSWER_LATE", "4"),
    ],
)
def test_a_call_without_an_answer_is_of_unknown_outcome(
    code: int, reason: str, business: str
) -> None:
    msg_type, fields = refused(ORDER, status_pb2.Status(code=code, message="gone"))
    assert (msg_type, fields[20002], fields[380]) == ("j", reason, business)
    assert fields[379] == "A-1"


def test_wrong_fields_are_named_as_the_client_knows_them() -> None:
    error = status(
        "FIELD_INVALID",
        fields=[("quantity", "is no decimal number"), ("time_in_force", "is unknown")],
    )
    _, fields = refused(ORDER, error)
    assert fields[58] == (
        "FIELD_INVALID: so it is [OrderQty(38) is no decimal number; TimeInForce(59) is unknown]"
    )


def test_what_a_text_says_already_is_not_said_twice() -> None:
    error = status(
        "FIELD_INVALID",
        fields=[("quantity", "is no decimal number"), ("client_order_id", "is too long")],
    )
    error.message = "FIELD_INVALID: quantity is no decimal number; client_order_id is too long"
    _, fields = refused(ORDER, error)
    assert fields[58] == (
        "FIELD_INVALID: OrderQty(38) is no decimal number; ClOrdID(11) is too long"
    )
    error = status("ORDER_NOT_FOUND", fields=[("client_order_id", "there is no order a-1")])
    error.message = "ORDER_NOT_FOUND: there is no order a-1"
    _, fields = refused(ORDER, error)
    assert fields[58] == "ORDER_NOT_FOUND: there is no order a-1 [ClOrdID(11)]"


def test_a_text_never_breaks_the_message() -> None:
    error = status("INTERNAL")
    error.message = "one\x01two\n" + "x" * 10_000 + "\N{SNOWMAN}"
    _, fields = refused(ORDER, error)
    text = fields.text(58)
    assert text is not None
    assert text.startswith("one two xxx")
    assert len(text) == 500


def test_limits_are_told_where_they_are_known() -> None:
    limit = stream_pb2.RateLimit(limit=100, remaining=0, reset_ms=1500)
    error = status("RATE_LIMITED", retry_after_ms="120")
    for message in (ORDER, CANCEL, MASS_CANCEL, SUBSCRIPTION, INSTRUMENT):
        _, fields = refused(message, error, limit=limit)
        assert [fields[tag] for tag in (20014, 20015, 20016, 20017)] == ["100", "0", "1500", "120"]
    _, fields = refused(LIST, error, limit=limit)
    assert 20014 not in fields
    assert fields[20017] == "120"


def test_the_catalogue_uses_the_codes_that_the_dictionary_has() -> None:
    def codes(name: str) -> set[str]:
        return {
            str(getattr(entry, name))
            for entry in NAMES.values()
            if getattr(entry, name) is not None
        }

    assert codes("order_reject_reason") == {value.value for value in ORDER_REJECTS}
    assert codes("cancel_reject_reason") <= {value.value for value in CANCEL_REJECTS}
    assert codes("business_reject_reason") == {value.value for value in BUSINESS_REJECTS}
    assert codes("restatement_reason") == {value.value for value in RESTATEMENTS}


@given(
    st.sampled_from(EVERY),
    st.builds(
        status_pb2.Status,
        code=st.integers(-1, 20),
        message=st.text(max_size=600),
        details=st.lists(st.one_of(_infos(), _violations(), _rubbish()), max_size=3),
    ),
)
def test_any_error_at_all_is_an_answer_that_the_dictionary_allows(
    message: Any, error: status_pb2.Status
) -> None:
    _, fields = refused(message, error)
    assert fields[20002] in NAMES
