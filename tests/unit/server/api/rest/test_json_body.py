"""Bodies: what protobuf's JSON mapping accepts passes, what the transcoder would drop does not."""

import json
from typing import Any

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor
from hypothesis import assume, given
from hypothesis import strategies as st
from tradewire.v1 import order_service_pb2, session_service_pb2
from tradewire_contract import Route, routes
from tradewire_contract.json_form import VALUES_MAX
from tradewire_contract.json_form.fields import FOUND_MAX, Given, fields_of
from tradewire_server.api.errors import ApiError
from tradewire_server.api.rest.json_body import check_body

from tests.support.failures import Failure, failure_of
from tests.support.json_bodies import ANYTHING, TEXT, messages

PLACE = order_service_pb2.PlaceOrderRequest.DESCRIPTOR
AMEND = order_service_pb2.AmendOrderRequest.DESCRIPTOR
BATCH = order_service_pb2.PlaceOrdersRequest.DESCRIPTOR
SESSION = session_service_pb2.CreateSessionRequest.DESCRIPTOR
CHECK = session_service_pb2.CheckSignatureRequest.DESCRIPTOR
BODIES = sorted({route.method.request.full_name for route in routes() if route.has_body})
ROUTES = [route for route in routes() if route.has_body]


def check(body: bytes | str, descriptor: Descriptor = PLACE, path: tuple[str, ...] = ()) -> None:
    given = Given()
    for name in path:
        given.from_path(fields_of(descriptor).by_name[name])
    check_body(body if isinstance(body, bytes) else body.encode(), descriptor, given)


def refusal(
    body: bytes | str, descriptor: Descriptor = PLACE, path: tuple[str, ...] = ()
) -> Failure:
    with pytest.raises(ApiError) as error:
        check(body, descriptor, path)
    return failure_of(error.value.status)


def blamed(
    content: Any, descriptor: Descriptor = PLACE, path: tuple[str, ...] = ()
) -> dict[str, str]:
    found = refusal(json.dumps(content), descriptor, path)
    assert found.reason == "FIELD_INVALID"
    return dict(zip(found.fields, found.descriptions, strict=True))


# --- not JSON -------------------------------------------------------------------------------------


def test_an_empty_body_is_an_empty_message() -> None:
    check(b"")
    check(b"{}")
    check(b" {\r\n\t} ")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"   ", "expecting value at line 1 column 4"),
        (b"{", "expecting property name enclosed in double quotes"),
        (b'{"symbol":"BTC-USD"', "expecting ',' delimiter"),
        (b'{"symbol":"BTC-USD"} x', "extra data at line 1 column 22"),
        (b'{"symbol":"BTC-USD"}{}', "extra data"),
        (b'{"symbol":"BTC-USD",}', "line 1 column 21"),
        (b"{'symbol':'BTC-USD'}", "expecting property name"),
        (b'{symbol:"BTC-USD"}', "expecting property name"),
        (b'{"symbol":"BTC\nUSD"}', "invalid control character"),
        (b'{"quantity":NaN}', "NaN is no value in JSON"),
        (b'{"quantity":Infinity}', "Infinity is no value in JSON"),
        (b'{"quantity":-Infinity}', "-Infinity is no value in JSON"),
        (b'{"quantity":01}', "expecting ',' delimiter"),
        (b'{"quantity":' + b"1" * 41 + b"}", "too many digits"),
        (b'{"quantity":-' + b"1" * 40 + b"}", "too many digits"),
        (b'{"quantity":0.' + b"1" * 39 + b"}", "too many digits"),
        (b'{"quantity":1e' + b"1" * 39 + b"}", "too many digits"),
        (b'{"symbol":"\xff"}', "not UTF-8 at byte 11"),
        (b'\xef\xbb\xbf{"symbol":"BTC-USD"}', "BOM"),
        ('{"symbol":"BTC-USD"}'.encode("utf-16"), "not UTF-8"),
        (b"symbol=BTC-USD&side=SIDE_BUY", "expecting value"),
        (b"[" * 100_000, "more than 5000 values"),
        (b"[" * 4_000, "nested too deep"),
        (b'{"a":' * 4_000, "nested too deep"),
    ],
)
def test_what_is_no_json_is_refused_whole(body: bytes, why: str) -> None:
    found = refusal(body)
    assert found.reason == "MESSAGE_MALFORMED"
    assert why in found.text


@pytest.mark.parametrize("body", ["[]", "null", '"BTC-USD"', "1", "true", "[{}]"])
def test_a_body_is_an_object(body: str) -> None:
    assert refusal(body).reason == "MESSAGE_MALFORMED"


def test_nesting_ends_where_the_contract_ends() -> None:
    deep: Any = {}
    for _ in range(40):
        deep = {"orders": [deep]}
    assert list(blamed(deep, BATCH)) == ["orders[0].orders"]


def test_a_body_that_is_made_to_cost_much_is_refused_before_it_is_read() -> None:
    orders = "{}," * VALUES_MAX + "{}"
    found = refusal('{"orders":[' + orders + "]}", BATCH)
    assert (found.reason, "more than 5000 values" in found.text) == ("MESSAGE_MALFORMED", True)
    full = {field.json_name: None for field in PLACE.fields}
    check(json.dumps({"orders": [full] * 100}), BATCH)


def test_a_list_is_as_long_as_the_contract_lets_it_be() -> None:
    check(json.dumps({"orders": [{}] * 100}), BATCH)
    # What is wrong with its items is not looked for.
    assert blamed({"orders": [{"x": 1}] * 101}, BATCH) == {"orders": "must have at most 100 items"}


# --- fields ---------------------------------------------------------------------------------------


def test_an_unknown_field_is_named_and_the_one_that_was_meant() -> None:
    assert blamed({"postonly": "POST_ONLY_REJECT", "qty": "1", "Symbol": "BTC-USD"}) == {
        "postonly": "is not a field of this request: did you mean postOnly?",
        "qty": "is not a field of this request",
        "Symbol": "is not a field of this request: did you mean symbol?",
    }


def test_an_unknown_field_is_found_at_any_depth() -> None:
    orders = {"orders": [{"symbol": "BTC-USD"}, {"symbol": "BTC-USD", "clientOrderID": "a"}]}
    assert blamed(orders, BATCH) == {
        "orders[1].clientOrderID": "is not a field of this request: did you mean clientOrderId?"
    }
    signature = {"signature": {"key": "tw_A"}}
    assert list(blamed(signature, SESSION)) == ["signature.key"]


@pytest.mark.parametrize(
    ("body", "field", "what"),
    [
        ('{"symbol":"BTC-USD","symbol":"ETH-USD"}', "symbol", "is given twice"),
        (
            '{"postOnly":"POST_ONLY_REJECT","post_only":"POST_ONLY_UNSPECIFIED"}',
            "post_only",
            "is given twice, as postOnly and as post_only",
        ),
        ('{"symbol":"BTC-USD","symbol":null}', "symbol", "is given twice"),
        ('{"orders":[{"symbol":"A","symbol":"A"}]}', "orders[0].symbol", "is given twice"),
    ],
)
def test_a_field_is_given_once(body: str, field: str, what: str) -> None:
    found = refusal(body, BATCH if "orders" in body else PLACE)
    assert (found.reason, found.fields, found.descriptions) == ("FIELD_INVALID", (field,), (what,))


def test_one_member_of_a_oneof_is_given() -> None:
    assert blamed({"orderId": "1", "originalClientOrderId": "a"}, AMEND) == {
        "original_client_order_id": "excludes order_id, which is given too"
    }
    check('{"orderId":"1","originalClientOrderId":null}', AMEND)
    # An optional field is no choice.
    check('{"quantity":"1","price":"2"}', AMEND)


def test_what_the_path_gives_is_not_given_again() -> None:
    path = ("order_id",)
    assert blamed({"orderId": "2"}, AMEND, path) == {
        "order_id": "is given by the path, and a second time here"
    }
    assert blamed({"originalClientOrderId": "a"}, AMEND, path) == {
        "original_client_order_id": "excludes order_id, which is given too"
    }
    check('{"clientOrderId":"a-2"}', AMEND, path)


@pytest.mark.parametrize(
    ("content", "field", "what"),
    [
        ({"quantity": 1.5}, "quantity", "must be a string in quotes"),
        ({"quantity": 1}, "quantity", "must be a string in quotes"),
        ({"symbol": True}, "symbol", "must be a string in quotes"),
        ({"symbol": ["BTC-USD"]}, "symbol", "must be a string in quotes"),
        ({"symbol": {}}, "symbol", "must be a string in quotes"),
        ({"symbol": "\ud800"}, "symbol", "has half a character: it is not valid Unicode"),
        ({"side": "BUY"}, "side", "must be one of SIDE_BUY, SIDE_SELL: did you mean SIDE_BUY?"),
        ({"side": "buy"}, "side", "must be one of SIDE_BUY, SIDE_SELL: did you mean SIDE_BUY?"),
        ({"side": "long"}, "side", "must be one of SIDE_BUY, SIDE_SELL"),
        ({"side": 1.5}, "side", "must be a whole number"),
        ({"side": 1 << 31}, "side", "must be between -2147483648 and 2147483647"),
        ({"side": True}, "side", "must be one of SIDE_BUY, SIDE_SELL"),
        ({"side": ["SIDE_BUY"]}, "side", "must be one of SIDE_BUY, SIDE_SELL"),
        (
            {"expireTime": 1_760_000_000},
            "expire_time",
            'must be a string such as "2026-01-31T12:00:00Z"',
        ),
        (
            {"expireTime": "tomorrow"},
            "expire_time",
            'must be of the form "2026-01-31T12:00:00Z"',
        ),
        (
            {"expireTime": "2026-02-30T00:00:00Z"},
            "expire_time",
            'must be of the form "2026-01-31T12:00:00Z"',
        ),
        (
            {"expireTime": {"seconds": 1}},
            "expire_time",
            'must be a string such as "2026-01-31T12:00:00Z"',
        ),
    ],
)
def test_a_value_has_the_shape_of_its_field(content: Any, field: str, what: str) -> None:
    assert blamed(content) == {field: what}


@pytest.mark.parametrize(
    ("content", "field", "what"),
    [
        ({"signature": []}, "signature", "must be an object"),
        ({"signature": "x"}, "signature", "must be an object"),
        ({"signature": 5}, "signature", "must be an object"),
        ({"signature": {"timestampMs": "x"}}, "signature.timestamp_ms", "must be a whole number"),
        ({"signature": {"timestampMs": 0.5}}, "signature.timestamp_ms", "must be a whole number"),
        ({"signature": {"timestampMs": "0.5"}}, "signature.timestamp_ms", "must be a whole number"),
        ({"signature": {"timestampMs": " 1"}}, "signature.timestamp_ms", "must be a whole number"),
        ({"signature": {"timestampMs": True}}, "signature.timestamp_ms", "must be a whole number"),
        (
            {"signature": {"receiveWindowMs": 1 << 31}},
            "signature.receive_window_ms",
            "must be between -2147483648 and 2147483647",
        ),
        (
            {"signature": {"receiveWindowMs": "1e10"}},
            "signature.receive_window_ms",
            "must be between -2147483648 and 2147483647",
        ),
    ],
)
def test_an_inner_value_too(content: Any, field: str, what: str) -> None:
    assert blamed(content, SESSION) == {field: what}


def test_a_list_is_a_list_of_what_it_lists() -> None:
    assert blamed({"orders": {}}, BATCH) == {"orders": "must be a list: [...]"}
    assert blamed({"orders": "a"}, BATCH) == {"orders": "must be a list: [...]"}
    assert blamed({"orders": [{}, [], None]}, BATCH) == {
        "orders[1]": "must be an object",
        "orders[2]": "must be an object",
    }


@pytest.mark.parametrize("text", ["", "AA==", "AA", "-_-_", "+/+/", "QUJD"])
def test_bytes_are_base64_of_both_kinds(text: str) -> None:
    check(json.dumps({"body": text}), CHECK)


@pytest.mark.parametrize("value", ["A", "A A=", "A=A=", "ä", 5, None, []])
def test_other_bytes_are_refused(value: Any) -> None:
    if value is None:
        check('{"body":null}', CHECK)
    else:
        assert list(blamed({"body": value}, CHECK)) == ["body"]


def test_of_very_much_that_is_wrong_the_first_is_told() -> None:
    found = refusal(json.dumps({f"wrong{index}": 1 for index in range(1_000)}))
    assert found.fields == tuple(f"wrong{index}" for index in range(FOUND_MAX))


def test_long_and_unprintable_names_are_shown_short_and_printable() -> None:
    found = blamed({"x" * 10_000: 1, "\n\ud800": 2, "": 3})
    assert list(found) == ["x" * 64, "\\n\\ud800", '""']


# --- protobuf's own reader ------------------------------------------------------------------------

DESCRIPTORS = {route.method.request.full_name: route.method.request for route in ROUTES}


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Descriptor, dict[str, Any]]:
    descriptor = DESCRIPTORS[draw(st.sampled_from(BODIES))]
    return descriptor, draw(messages(descriptor))


def protobuf_accepts(descriptor: Descriptor, content: Any) -> bool:
    message = message_factory.GetMessageClass(descriptor)()
    try:
        json_format.Parse(json.dumps(content), message)
    except json_format.ParseError:
        return False
    return True


@given(bodies())
def test_what_protobuf_accepts_is_accepted(body: tuple[Descriptor, dict[str, Any]]) -> None:
    descriptor, content = body
    assume(protobuf_accepts(descriptor, content))
    check(json.dumps(content), descriptor)


@given(bodies(), st.data())
def test_a_value_of_another_shape_is_refused_when_protobuf_refuses_it(
    body: tuple[Descriptor, dict[str, Any]], data: st.DataObject
) -> None:
    descriptor, content = body
    assume(content and protobuf_accepts(descriptor, content))
    changed = {**content, data.draw(st.sampled_from(sorted(content))): data.draw(ANYTHING)}
    assume(not protobuf_accepts(descriptor, changed))
    refusal(json.dumps(changed), descriptor)


@given(bodies(), TEXT, ANYTHING)
def test_any_unknown_key_is_refused(
    body: tuple[Descriptor, dict[str, Any]], key: str, value: Any
) -> None:
    descriptor, content = body
    assume(protobuf_accepts(descriptor, content))
    known = {name for field in descriptor.fields for name in (field.name, field.json_name)}
    assume(key not in known)
    found = refusal(json.dumps({**content, key: value}), descriptor)
    assert (found.reason, len(found.fields)) == ("FIELD_INVALID", 1)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.http_method} {route.template}")
def test_every_request_of_the_contract_can_be_checked(route: Route) -> None:
    everything = {field.json_name: None for field in route.body_fields}
    check(json.dumps(everything), route.method.request, route.variables)
