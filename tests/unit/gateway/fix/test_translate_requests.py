"""FIX messages become the requests of the contract that they mean, and nothing else does."""

from typing import Any

import protovalidate
import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st
from tradewire.v1 import market_data_service_pb2 as market_data
from tradewire.v1 import order_pb2
from tradewire.v1 import order_service_pb2 as orders
from tradewire_contract.fix import fix_contract
from tradewire_contract.fix.messages import source_messages
from tradewire_contract.fix.placement import enum_values, placed
from tradewire_contract.fix.rules import REQUESTS
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.translate import (
    METHODS,
    MarketDataQuery,
    Untranslatable,
    refusal,
    to_market_data_query,
    to_request,
)
from tradewire_gateway.fix.translate.plan import ReadPlan, WritePlan
from tradewire_gateway.fix.validation import Invalid, SessionRejectReason

from tests.unit.gateway.fix.translated import NOW_NS, answered, messages_of, received, request

RULES = {rule.type: rule for rule in REQUESTS if rule.type != "V"}
# What FIX asks for beside the contract's fields.
BESIDE = {
    "D": Fields({60: "20261122-10:15:30.123"}),
    "G": Fields({60: "20261122-10:15:30.123", 40: "2", 54: "1", 55: "BTC-USD"}),
    "F": Fields({60: "20261122-10:15:30.123", 54: "1"}),
    "q": Fields({11: "cancel-1", 60: "20261122-10:15:30.123"}),
    "H": Fields({790: "status-1"}),
    "AF": Fields({584: "status-1"}),
    "x": Fields({320: "list-1", 559: "4"}),
    "e": Fields({324: "status-1", 263: "0"}),
    "BE": Fields({923: "user-1", 924: "4", 553: "key-1"}),
    "AN": Fields({710: "positions-1", 724: "0"}),
}
ORDER = "11=A-1|55=BTC-USD|54=1|40=2|38=0.01|44=60000|60=20261122-10:15:30.123456|"
CANCEL = "11=C-1|41=A-1|60=20261122-10:15:30.123456|"
SUBSCRIBE = "262=V-1|263=1|264=10|265=1|267=3|269=0|269=1|269=2|146=2|55=BTC-USD|55=ETH-USD|"


def beside(msg_type: str, fields: Fields) -> Fields:
    """Return the fields with those that FIX wants beside them."""
    whole = Fields({**BESIDE[msg_type], **fields})
    choice = {"q": 530, "AF": 585}.get(msg_type)
    if choice is not None:
        whole[choice] = "1" if 55 in fields else "7"
    return whole


def source_of(msg_type: str) -> Any:
    (source,) = source_messages(RULES[msg_type])
    return source


def any_request() -> st.SearchStrategy[tuple[str, Any]]:
    def of_type(msg_type: str) -> Any:
        required = ("client_order_id",) if msg_type == "F" else ()
        return st.tuples(st.just(msg_type), messages_of(source_of(msg_type), required=required))

    return st.sampled_from(sorted(RULES)).flatmap(of_type)


@given(any_request())
def test_a_request_comes_back_from_fix_as_it_was(made: tuple[str, Any]) -> None:
    msg_type, sent = made
    protovalidate.validate(sent)
    fields = WritePlan(source_of(msg_type)).fields(sent)
    assert to_request(request(msg_type, beside(msg_type, fields))) == sent


@given(
    st.lists(st.from_regex(r"[A-Z0-9]{1,6}-[A-Z]{3}", fullmatch=True), min_size=1, unique=True),
    st.integers(1, 1000),
    st.sampled_from([(True, True), (True, False), (False, True)]),
)
def test_a_subscription_comes_back_from_fix_as_it_was(
    symbols: list[str], depth: int, wanted: tuple[bool, bool]
) -> None:
    book, trades = wanted
    entries = [*(["0", "1"] if book else []), *(["2"] if trades else [])]
    body = Fields({262: "V-1", 263: "1", 264: str(depth)})
    body[267] = [Fields({269: entry}) for entry in entries]
    body[146] = [Fields({55: symbol}) for symbol in symbols]
    stream = market_data.StreamMarketDataRequest(
        symbols=symbols, depth=depth, without_book=not book, without_trades=not trades
    )
    query = to_market_data_query(request("V", body))
    assert query == MarketDataQuery("V-1", stream=stream)


def enum_cases() -> list[tuple[str, int, str, str, int]]:
    return [
        (msg_type, place.rule.tag, value.value, place.field.name, number)
        for msg_type in RULES
        for place in placed(source_of(msg_type))
        if place.field.enum_type is not None
        for number, value in enum_values(place.field.enum_type).items()
    ]


@pytest.mark.parametrize(
    ("msg_type", "tag", "value", "name", "number"),
    enum_cases(),
    ids=[f"{case[0]}-{case[1]}={case[2]}" for case in enum_cases()],
)
def test_every_value_of_every_enum_is_read(
    msg_type: str, tag: int, value: str, name: str, number: int
) -> None:
    plan = ReadPlan(source_of(msg_type))
    assert plan.values(Fields({tag: value}), ()) == {name: number}


def field_cases() -> list[tuple[str, int, str]]:
    return [
        (msg_type, place.rule.tag, place.field.name)
        for msg_type in RULES
        for place in placed(source_of(msg_type))
    ]


@pytest.mark.parametrize(
    ("msg_type", "tag", "name"), field_cases(), ids=[f"{c[0]}-{c[1]}" for c in field_cases()]
)
def test_every_annotated_field_is_read(msg_type: str, tag: int, name: str) -> None:
    assert ReadPlan(source_of(msg_type)).steps[tag].name == name


def test_every_request_of_the_contract_is_translated() -> None:
    annotated = {m.fix_request for found in METHODS.values() for m in found}
    assert annotated == set(METHODS)
    assert METHODS["D"][0].name == "PlaceOrder"
    assert {method.name for method in METHODS["V"]} == {"GetOrderBook", "StreamMarketData"}


def test_a_new_order_in_full() -> None:
    body = (
        "11=A-1|55=BTC-USD|54=2|40=2|38=.5|44=60000.|59=6|126=20261122-10:15:30.5|18=R|20003=O|1=demo-1|"
        "20007=20261122-10:15:31|21=1|60=20261122-10:15:30.123456|"
    )
    expected = orders.PlaceOrderRequest(
        client_order_id="A-1",
        symbol="BTC-USD",
        side=order_pb2.SIDE_SELL,
        type=order_pb2.ORDER_TYPE_LIMIT,
        quantity="0.5",
        price="60000",
        time_in_force=order_pb2.TIME_IN_FORCE_GTD,
        post_only=order_pb2.POST_ONLY_REPRICE,
        self_trade_prevention=order_pb2.SELF_TRADE_PREVENTION_CANCEL_OLDEST,
        account="demo-1",
    )
    expected.expire_time.FromNanoseconds(1_795_342_530_500_000_000)
    expected.valid_until.FromNanoseconds(1_795_342_531_000_000_000)
    assert to_request(request("D", body)) == expected


@pytest.mark.parametrize("msg_type", ["F", "G"])
def test_of_order_id_and_original_id_the_venues_own_counts(msg_type: str) -> None:
    found: Any = to_request(request(msg_type, CANCEL + "37=1001|"))
    assert found.WhichOneof("target") == "order_id"
    assert (found.order_id, found.client_order_id) == ("1001", "C-1")


def test_times_are_read_in_nanoseconds() -> None:
    found: Any = to_request(request("D", ORDER + "126=20261122-10:15:30.123456789|"))
    assert found.expire_time.ToNanoseconds() == 1_795_342_530_123_456_789


def test_a_full_book_is_the_deepest_that_the_contract_has() -> None:
    query = to_market_data_query(request("V", SUBSCRIBE.replace("264=10|", "264=0|")))
    assert query.stream is not None
    assert query.stream.depth == 1000


def test_a_snapshot_asks_for_a_book_each() -> None:
    body = "262=V-1|263=0|264=1|267=2|269=0|269=1|146=2|55=BTC-USD|55=ETH-USD|"
    assert to_market_data_query(request("V", body)).books == (
        market_data.GetOrderBookRequest(symbol="BTC-USD", depth=1),
        market_data.GetOrderBookRequest(symbol="ETH-USD", depth=1),
    )


def test_the_end_of_a_subscription_asks_for_nothing_else() -> None:
    query = to_market_data_query(request("V", SUBSCRIBE.replace("263=1|", "263=2|")))
    assert query == MarketDataQuery("V-1", ends=True)


BAD_TO_THE_SESSION: list[tuple[str, str, SessionRejectReason, int | None]] = [
    # Required fields, of the contract and of FIX.
    ("D", ORDER.replace("11=A-1|", ""), SessionRejectReason.REQUIRED_TAG_MISSING, 11),
    ("D", ORDER.replace("55=BTC-USD|", ""), SessionRejectReason.REQUIRED_TAG_MISSING, 55),
    ("D", ORDER.replace("54=1|", ""), SessionRejectReason.REQUIRED_TAG_MISSING, 54),
    ("D", ORDER.replace("40=2|", ""), SessionRejectReason.REQUIRED_TAG_MISSING, 40),
    ("D", ORDER.replace("60=", "126="), SessionRejectReason.REQUIRED_TAG_MISSING, 60),
    ("F", CANCEL.replace("11=C-1|", ""), SessionRejectReason.REQUIRED_TAG_MISSING, 11),
    ("V", SUBSCRIBE.replace("264=10|", ""), SessionRejectReason.REQUIRED_TAG_MISSING, 264),
    # Values.
    ("D", ORDER.replace("54=1|", "54=5|"), SessionRejectReason.VALUE_INCORRECT, 54),
    ("D", ORDER.replace("40=2|", "40=P|"), SessionRejectReason.VALUE_INCORRECT, 40),
    ("D", ORDER + "59=7|", SessionRejectReason.VALUE_INCORRECT, 59),
    ("D", ORDER + "18=G|", SessionRejectReason.VALUE_INCORRECT, 18),
    ("D", ORDER.replace("38=0.01|", "38=1e3|"), SessionRejectReason.INCORRECT_DATA_FORMAT, 38),
    ("D", ORDER.replace("44=60000|", "44=+1|"), SessionRejectReason.INCORRECT_DATA_FORMAT, 44),
    ("D", ORDER + "126=tomorrow|", SessionRejectReason.INCORRECT_DATA_FORMAT, 126),
    ("D", ORDER + "1=|", SessionRejectReason.TAG_WITHOUT_VALUE, 1),
    # Instructions that the venue does not know must not be lost on the way.
    ("D", ORDER + "117=Q|", SessionRejectReason.INVALID_TAG_NUMBER, 117),
    ("D", ORDER + "99=1|", SessionRejectReason.INVALID_TAG_NUMBER, 99),
    ("D", ORDER + "41=A-0|", SessionRejectReason.TAG_NOT_DEFINED_FOR_MESSAGE_TYPE, 41),
    ("G", CANCEL + "59=1|", SessionRejectReason.TAG_NOT_DEFINED_FOR_MESSAGE_TYPE, 59),
    ("F", CANCEL + "44=1|", SessionRejectReason.TAG_NOT_DEFINED_FOR_MESSAGE_TYPE, 44),
    ("D", ORDER + "38=1|", SessionRejectReason.TAG_APPEARS_MORE_THAN_ONCE, 38),
    ("V", SUBSCRIBE.replace("267=3", "267=2"), SessionRejectReason.INCORRECT_GROUP_COUNT, 267),
]


@pytest.mark.parametrize(
    ("msg_type", "body", "reason", "tag"),
    BAD_TO_THE_SESSION,
    ids=[f"{case[0]}-{case[3]}-{case[2].name}" for case in BAD_TO_THE_SESSION],
)
def test_what_breaks_the_dictionary_is_rejected_by_the_session(
    msg_type: str, body: str, reason: SessionRejectReason, tag: int
) -> None:
    verdict = received(msg_type, body)
    assert isinstance(verdict, Invalid), verdict
    assert verdict.rejection == (reason, tag)


# Message, what is wrong -> answer, its fields.
BAD_TO_THE_VENUE: list[tuple[str, str, str, dict[int, str]]] = [
    ("D", ORDER + "18=6 R|", "8", {103: "99", 20002: "FIELD_INVALID", 11: "A-1", 37: "NONE"}),
    ("D", ORDER + "21=3|", "8", {103: "99", 20002: "FIELD_INVALID"}),
    ("D", ORDER.replace("54=1|", "54=7|"), "8", {103: "99", 20002: "FIELD_INVALID"}),
    ("G", CANCEL + "40=1|", "9", {102: "99", 434: "2", 41: "A-1", 11: "C-1", 39: "8"}),
    ("G", CANCEL.replace("41=A-1|", ""), "9", {102: "99", 434: "2", 41: "NONE", 37: "NONE"}),
    ("F", CANCEL.replace("41=A-1|", ""), "9", {102: "99", 434: "1", 41: "NONE", 37: "NONE"}),
    ("H", "790=S-1|", "8", {150: "I", 39: "8", 103: "99", 790: "S-1"}),
    ("q", "11=Q-1|530=1|60=20261122-10:15:30|", "r", {531: "0", 532: "99", 530: "1", 11: "Q-1"}),
    (
        "q",
        "11=Q-1|530=7|55=BTC-USD|60=20261122-10:15:30|",
        "r",
        {531: "0", 532: "99", 20002: "FIELDS_CONFLICT"},
    ),
    ("AF", "584=S-1|585=1|", "8", {584: "S-1", 150: "I", 911: "0", 912: "Y"}),
    ("AF", "584=S-1|585=7|55=BTC-USD|", "8", {584: "S-1", 20002: "FIELDS_CONFLICT"}),
    ("x", "320=L-1|559=0|", "y", {560: "1", 320: "L-1"}),
    ("x", "320=L-1|559=4|263=1|", "y", {560: "1", 320: "L-1"}),
    ("e", "324=T-1|263=1|55=BTC-USD|", "j", {380: "5", 372: "e", 379: "T-1", 45: "7"}),
    ("BE", "923=U-1|924=1|553=k|", "BF", {926: "6", 923: "U-1", 553: "k"}),
    ("AN", "710=P-1|724=1|", "AP", {728: "1", 710: "P-1", 727: "0"}),
    ("V", SUBSCRIBE.replace("265=1|", "265=0|"), "Y", {281: "6", 262: "V-1"}),
    ("V", SUBSCRIBE + "266=N|", "Y", {281: "7"}),
    ("V", SUBSCRIBE.replace("264=10|", "264=1001|"), "Y", {281: "5"}),
    ("V", SUBSCRIBE.replace("264=10|", "264=-1|"), "Y", {281: "5"}),
    ("V", SUBSCRIBE.replace("267=3|269=0|269=1|", "267=2|269=0|"), "Y", {281: "8"}),
    ("V", SUBSCRIBE.replace("263=1|", "263=0|"), "Y", {281: "8"}),
    ("V", SUBSCRIBE.replace("267=3|269=0|269=1|269=2|", "267=0|"), "Y", {281: "8"}),
    ("8", "37=1|17=1|150=0|39=0|55=BTC-USD|54=1|151=0|14=0|6=0|", "j", {380: "3", 372: "8"}),
]


@pytest.mark.parametrize(
    ("msg_type", "body", "answer_type", "expected"),
    BAD_TO_THE_VENUE,
    ids=[f"{case[0]}-{index}" for index, case in enumerate(BAD_TO_THE_VENUE)],
)
def test_what_the_contract_has_no_words_for_is_answered(
    msg_type: str, body: str, answer_type: str, expected: dict[int, str]
) -> None:
    message = request(msg_type, body)
    translate: Any = to_market_data_query if msg_type == "V" else to_request
    with pytest.raises(Untranslatable) as caught:
        translate(message)
    info = error_details_pb2.ErrorInfo()
    assert caught.value.status.details[0].Unpack(info)
    assert info.metadata["outcome"] == "refused"
    answer = refusal(message, caught.value.status, now_ns=NOW_NS, identity="S-7")
    assert answer.type == answer_type
    fields = answered(answer)
    assert expected.items() <= fields.items()
    assert any(str(caught.value) in str(value) for value in fields.values())


def test_an_unknown_field_is_not_passed_over() -> None:
    """The dictionary refuses it before; a translator that is given one does not lose it either."""
    message = Message("D", body=Fields({11: "A-1", 99: "1"}))
    with pytest.raises(Untranslatable, match="tag 99 is not supported here"):
        to_request(message)


def test_fields_without_effect_are_those_of_the_table() -> None:
    unused = {
        rule.type: {member.tag for member in fix_contract().messages[rule.type].members}
        - {place.rule.tag for place in placed(source_of(rule.type))}
        for rule in RULES.values()
    }
    assert unused["D"] == {60, 21}
    assert unused["F"] == {60, 55, 54, 38}
    assert unused["G"] == {60, 55, 54, 40, 21}
