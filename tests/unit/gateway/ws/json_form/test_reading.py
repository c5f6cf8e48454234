"""Parsed JSON becomes a message, or is refused in the words of REST."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewire.v1 import order_pb2, order_service_pb2, session_service_pb2, websocket_pb2
from tradewire_contract.json_form.fields import FOUND_MAX, Given
from tradewire_gateway.ws.json_form import FormInvalid, parse, reader
from tradewire_gateway.ws.json_form.reading import _fast_reader
from tradewire_server.api.errors import ApiError
from tradewire_server.api.rest.json_body import check_body

from tests.support.failures import failure_of
from tests.support.json_bodies import ANYTHING, TEXT, messages
from tests.unit.gateway.ws.json_form.samples import DESCRIPTORS, REQUESTS, descriptor_of

PLACE = descriptor_of(order_service_pb2.PlaceOrderRequest)
AMEND = descriptor_of(order_service_pb2.AmendOrderRequest)
BATCH = descriptor_of(order_service_pb2.PlaceOrdersRequest)
SESSION = descriptor_of(session_service_pb2.CreateSessionRequest)
CHECK = descriptor_of(session_service_pb2.CheckSignatureRequest)
FRAME = descriptor_of(order_service_pb2.EnterOrdersRequest)
SEND = descriptor_of(websocket_pb2.SendToSubscriptionRequest)


def read(content: Any, descriptor: Descriptor = PLACE) -> Any:
    return reader(descriptor)(parse(json.dumps(content)))


def refusal(text: str, descriptor: Descriptor = PLACE) -> FormInvalid:
    with pytest.raises(FormInvalid) as error:
        reader(descriptor)(parse(text))
    return error.value


def refusal_by_rest(text: str, descriptor: Descriptor) -> status_pb2.Status | None:
    try:
        check_body(text.encode(), descriptor, Given())
    except ApiError as error:
        return error.status
    return None


# --- what is read ---------------------------------------------------------------------------------

ORDER = {
    "clientOrderId": "a-1",
    "symbol": "BTC-USD",
    "side": "SIDE_BUY",
    "type": "ORDER_TYPE_LIMIT",
    "quantity": "0.01",
    "price": "60000",
}


def test_an_order_is_read() -> None:
    assert read(ORDER) == order_service_pb2.PlaceOrderRequest(
        client_order_id="a-1",
        symbol="BTC-USD",
        side=order_pb2.SIDE_BUY,
        type=order_pb2.ORDER_TYPE_LIMIT,
        quantity="0.01",
        price="60000",
    )


def test_both_names_of_a_field_are_read() -> None:
    assert read({"client_order_id": "a"}) == read({"clientOrderId": "a"})
    assert read({"signature": {"timestamp_ms": 1}}, SESSION) == read(
        {"signature": {"timestampMs": 1}}, SESSION
    )


def test_null_is_nothing_at_all() -> None:
    assert read(None) == read({}) == read(dict.fromkeys(ORDER))
    # Also of a oneof, a list and a message; and what is optional has no presence.
    assert read({"orderId": "1", "originalClientOrderId": None}, AMEND).order_id == "1"
    assert not read({"price": None}, AMEND).HasField("price")
    assert read({"orders": None}, BATCH) == read({}, BATCH)


def test_an_empty_value_is_a_value() -> None:
    assert read({"price": ""}, AMEND).HasField("price")
    assert read({"signature": {}}, SESSION).HasField("signature")
    assert read({"commands": [{"cancelAll": {}}]}, FRAME).commands[0].HasField("cancel_all")


@pytest.mark.parametrize("side", ["SIDE_SELL", 2, "2", 2.0])
def test_an_enum_is_a_name_or_a_number(side: Any) -> None:
    assert read({"side": side}).side == order_pb2.SIDE_SELL


@pytest.mark.parametrize("side", [77, "77", -1])
def test_a_number_that_the_enum_does_not_have_is_for_the_rules_to_refuse(side: Any) -> None:
    assert read({"side": side}).side == int(side)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        ("5", 5),
        (5.0, 5),
        ("5.0", 5),
        ("-5", -5),
        (1e5, 100_000),
        ("1e5", 100_000),
        ("9223372036854775807", (1 << 63) - 1),
        (-(1 << 63), -(1 << 63)),
        ("1.234e3", 1234),
    ],
)
def test_a_long_number_is_a_text_or_a_number(value: Any, number: int) -> None:
    assert read({"signature": {"timestampMs": value}}, SESSION).signature.timestamp_ms == number


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.1Z",
        "2026-01-31T12:00:00.123456789Z",
        "2026-01-31T14:00:00+02:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
    ],
)
def test_a_time_is_read_as_protobuf_reads_it(text: str) -> None:
    wanted = order_service_pb2.PlaceOrderRequest()
    wanted.expire_time.FromJsonString(text)
    assert read({"expireTime": text}) == wanted


@pytest.mark.parametrize(
    ("text", "content"),
    [("", b""), ("AA==", b"\0"), ("AA", b"\0"), ("_-8_", b"\xff\xef?"), ("/+8/", b"\xff\xef?")],
)
def test_bytes_are_base64_of_both_kinds(text: str, content: bytes) -> None:
    assert read({"body": text}, CHECK).body == content


def test_a_frame_of_commands_is_read_whole() -> None:
    frame = {"commands": [{"place": ORDER}, {"cancel": {"orderId": "7"}}], "afterSequence": "0"}
    found = read(frame, FRAME)
    assert [command.WhichOneof("command") for command in found.commands] == ["place", "cancel"]
    assert (found.commands[0].place, found.after_sequence) == (read(ORDER), 0)


def test_a_struct_is_read_as_protobuf_reads_it() -> None:
    content = {"subscription": 1, "message": {"a": [1, None, {"b": "c"}]}}
    assert read(content, SEND) == json_format.ParseDict(
        content, websocket_pb2.SendToSubscriptionRequest()
    )
    assert refusal('{"subscription":1,"message":{"a":{"b":1,"b":2}}}', SEND).text == (
        "has a key twice"
    )
    assert refusal('{"subscription":1,"message":[]}', SEND).text == "must be an object"


# --- what is refused ------------------------------------------------------------------------------


def test_a_refusal_names_the_field_and_says_what_rest_says() -> None:
    text = '{"orders":[{"symbol":"A"},{"symbol":"A","side":"BUY","qty":1}]}'
    error = refusal(text, BATCH)
    assert (error.path, error.text) == (
        "orders[1].side",
        "must be one of SIDE_BUY, SIDE_SELL: did you mean SIDE_BUY?",
    )
    assert failure_of(error.status).fields == ("orders[1].side", "orders[1].qty")
    assert error.status == refusal_by_rest(text, BATCH)


@pytest.mark.parametrize("text", ["[]", "[{}]", '"x"', "1", "true"])
def test_params_are_an_object(text: str) -> None:
    error = refusal(text)
    assert failure_of(error.status).reason == "MESSAGE_MALFORMED"
    assert error.status.message == "MESSAGE_MALFORMED: params is not a JSON object: {...}"
    assert error.path == ""


@pytest.mark.parametrize(
    ("text", "descriptor"),
    [
        ('{"symbol":"A","symbol":"A"}', PLACE),
        ('{"symbol":"A","symbol":null}', PLACE),
        ('{"postOnly":"POST_ONLY_REJECT","post_only":null}', PLACE),
        ('{"clientOrderId":null,"client_order_id":null}', PLACE),
        ('{"orders":[{"symbol":"A","symbol":"A"}]}', BATCH),
        ('{"orderId":"1","originalClientOrderId":"a"}', AMEND),
        ('{"orderId":"","originalClientOrderId":""}', AMEND),
        ('{"postonly":"POST_ONLY_REJECT"}', PLACE),
        ('{"Symbol":"BTC-USD","":1,"\\ud800":2}', PLACE),
        ('{"symbol":"\\ud800"}', PLACE),
        ('{"symbol":1}', PLACE),
        ('{"symbol":true}', PLACE),
        ('{"symbol":["A"]}', PLACE),
        ('{"side":true}', PLACE),
        ('{"side":"buy"}', PLACE),
        ('{"side":1.5}', PLACE),
        ('{"side":2147483648}', PLACE),
        ('{"side":"SIDE_BUY "}', PLACE),
        ('{"expireTime":1}', PLACE),
        ('{"expireTime":"2026-02-30T00:00:00Z"}', PLACE),
        ('{"expireTime":"2026-01-31T12:00:60Z"}', PLACE),
        ('{"expireTime":"2026-01-31t12:00:00z"}', PLACE),
        ('{"expireTime":"0000-01-01T00:00:00Z"}', PLACE),
        ('{"expireTime":"\uff12026-01-31T12:00:00Z"}', PLACE),
        ('{"signature":{"timestampMs":true}}', SESSION),
        ('{"signature":{"timestampMs":"1_0"}}', SESSION),
        ('{"signature":{"timestampMs":" 1"}}', SESSION),
        ('{"signature":{"timestampMs":"+1"}}', SESSION),
        ('{"signature":{"timestampMs":"\uff19"}}', SESSION),
        ('{"signature":{"timestampMs":"\u00b2"}}', SESSION),
        ('{"signature":{"timestampMs":9223372036854775808}}', SESSION),
        ('{"signature":{"receiveWindowMs":2147483648}}', SESSION),
        ('{"signature":[]}', SESSION),
        ('{"signature":{"keyId":"a","keyId":"b"}}', SESSION),
        ('{"body":"A"}', CHECK),
        ('{"body":"AA=A"}', CHECK),
        ('{"orders":{}}', BATCH),
        ('{"orders":[null]}', BATCH),
        ('{"orders":[[]]}', BATCH),
        ('{"orders":[{}],"orders":[{}]}', BATCH),
        (json.dumps({"orders": [{}] * 101}), BATCH),
        (json.dumps({f"wrong{index}": 1 for index in range(100)}), PLACE),
        ('{"cancelOnDisconnect":"true"}', FRAME),
        ('{"cancelOnDisconnect":1}', FRAME),
        ('{"commands":[{"place":{},"cancel":{}}]}', FRAME),
    ],
)
def test_rest_refuses_the_same_with_the_same_words(text: str, descriptor: Descriptor) -> None:
    error = refusal(text, descriptor)
    assert error.status == refusal_by_rest(text, descriptor)


def test_of_very_much_that_is_wrong_the_first_is_told() -> None:
    error = refusal(json.dumps({f"wrong{index}": 1 for index in range(1_000)}))
    assert len(failure_of(error.status).fields) == FOUND_MAX


# --- beside REST and protobuf ---------------------------------------------------------------------


def protobuf_reads(content: Any, descriptor: Descriptor) -> Message | None:
    try:
        return json_format.ParseDict(content, GetMessageClass(descriptor)())
    except (json_format.ParseError, TypeError, ValueError):
        return None


@st.composite
def contents(draw: st.DrawFn) -> tuple[Descriptor, Any]:
    """Draw JSON for a request; sometimes with one thing wrong."""
    descriptor = DESCRIPTORS[draw(st.sampled_from(REQUESTS))]
    content = draw(messages(descriptor))
    change = draw(st.sampled_from(["nothing", "nothing", "key", "value"]))
    if change == "key":
        content[draw(TEXT)] = draw(ANYTHING)
    elif change == "value" and content:
        content[draw(st.sampled_from(sorted(content)))] = draw(ANYTHING)
    return descriptor, content


@settings(max_examples=400)
@given(contents())
def test_any_request_is_read_or_refused_as_over_rest(case: tuple[Descriptor, Any]) -> None:
    descriptor, content = case
    text = json.dumps(content)
    expected = refusal_by_rest(text, descriptor)
    try:
        found, status = reader(descriptor)(parse(text)), None
    except FormInvalid as error:
        found, status = None, error.status
    assert status == expected
    by_protobuf = protobuf_reads(content, descriptor)
    # Protobuf's reader in Python takes fewer forms of numbers than its other ones.
    if found is not None and by_protobuf is not None:
        assert found == by_protobuf


@settings(max_examples=200)
@given(contents())
def test_the_fast_way_never_takes_what_the_rules_refuse(case: tuple[Descriptor, Any]) -> None:
    descriptor, content = case
    if refusal_by_rest(json.dumps(content), descriptor) is not None:
        with pytest.raises(Exception):  # noqa: B017, PT011 - each of them leads to the other way
            _fast_reader(descriptor)(content)


@pytest.mark.parametrize(
    ("content", "descriptor"),
    [
        (ORDER, PLACE),
        (ORDER | {"validUntil": "2026-01-31T12:00:00.5Z", "postOnly": 1, "account": None}, PLACE),
        ({"orderId": "1", "price": "2"}, AMEND),
        ({"commands": [{"place": ORDER}], "afterSequence": "5"}, FRAME),
        ({"orders": [ORDER, ORDER]}, BATCH),
    ],
)
def test_what_is_sent_most_is_read_the_fast_way(content: Any, descriptor: Descriptor) -> None:
    assert _fast_reader(descriptor)(content) == read(content, descriptor)
