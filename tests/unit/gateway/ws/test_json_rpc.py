"""Frames of JSON-RPC: every answer to what is none, and what is read of what is one."""

import json
from typing import Any

import pytest
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st
from tradewire_contract.statuses import make_status
from tradewire_gateway.ws import json_rpc
from tradewire_gateway.ws.json_rpc import Call, Failure, Refused, read_frame

BATCH_MAX = 4


def one(text: str | bytes) -> Call | Refused:
    """Return the request of a frame that holds one."""
    frame = read_frame(text, batch_max=BATCH_MAX)
    assert not frame.is_batch
    (request,) = frame.requests
    return request


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", json_rpc.PARSE_ERROR),
        ("{", json_rpc.PARSE_ERROR),
        ("{}x", json_rpc.PARSE_ERROR),
        ("nope", json_rpc.PARSE_ERROR),
        ("{'a':1}", json_rpc.PARSE_ERROR),
        ('{"a":NaN}', json_rpc.PARSE_ERROR),
        ('{"a":Infinity}', json_rpc.PARSE_ERROR),
        ('{"a":01}', json_rpc.PARSE_ERROR),
        ('{"a":1,}', json_rpc.PARSE_ERROR),
        ('["a" "b"]', json_rpc.PARSE_ERROR),
        ('"\t"', json_rpc.PARSE_ERROR),
        ("\ufeff{}", json_rpc.PARSE_ERROR),
        (b"\xff\xfe", json_rpc.PARSE_ERROR),
        ("[" * 40 + "]" * 40, json_rpc.PARSE_ERROR),
        ('{"a":' * 40 + "1" + "}" * 40, json_rpc.PARSE_ERROR),
        ("[" * 100_000, json_rpc.PARSE_ERROR),
        ('{"a":' + "9" * 5_000 + "}", json_rpc.PARSE_ERROR),
        ("[]", json_rpc.INVALID_REQUEST),
        (json.dumps([{"jsonrpc": "2.0", "method": "m"}] * 5), json_rpc.INVALID_REQUEST),
    ],
)
def test_frame_that_is_answered_as_a_whole(text: str | bytes, code: int) -> None:
    with pytest.raises(Failure) as caught:
        read_frame(text, batch_max=BATCH_MAX)
    assert caught.value.code == code
    assert json_rpc.is_malformed(caught.value)


@pytest.mark.parametrize(
    ("content", "id_text", "text"),
    [
        (1, "null", "a request is an object"),
        ("x", "null", "a request is an object"),
        (None, "null", "a request is an object"),
        ({}, "null", 'jsonrpc must be "2.0"'),
        ({"id": 1, "method": "m"}, "1", 'jsonrpc must be "2.0"'),
        ({"jsonrpc": "1.0", "id": 1, "method": "m"}, "1", 'jsonrpc must be "2.0"'),
        ({"jsonrpc": 2.0, "id": 1, "method": "m"}, "1", 'jsonrpc must be "2.0"'),
        ({"jsonrpc": "2.0", "id": 7}, "7", "method must be"),
        ({"jsonrpc": "2.0", "id": 7, "method": 7}, "7", "method must be"),
        ({"jsonrpc": "2.0", "id": 7, "method": None}, "7", "method must be"),
        ({"jsonrpc": "2.0", "id": True, "method": "m"}, "null", "id must be"),
        ({"jsonrpc": "2.0", "id": None, "method": "m"}, "null", "id must be"),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "m"}, "null", "id must be"),
        ({"jsonrpc": "2.0", "id": {}, "method": "m"}, "null", "id must be"),
        ({"jsonrpc": "2.0", "id": 2**53, "method": "m"}, "null", "id must be"),
        ({"jsonrpc": "2.0", "id": "x" * 65, "method": "m"}, "null", "id must be"),
        ({"jsonrpc": "2.0", "id": "\ud800", "method": "m"}, "null", "id must be"),
        ({"jsonrpc": "2.0", "id": 1, "method": "m", "parms": {}}, "1", "parms is no member"),
        ({"jsonrpc": "2.0", "method": "m", "result": {}}, "null", "result is no member"),
    ],
)
def test_request_that_is_none(content: Any, id_text: str, text: str) -> None:
    request = one(json.dumps(content))
    assert isinstance(request, Refused)
    assert request.id == id_text
    assert request.failure.code == json_rpc.INVALID_REQUEST
    assert text in request.failure.status.message


@pytest.mark.parametrize("member", ["jsonrpc", "id", "method", "params"])
def test_member_that_is_there_twice(member: str) -> None:
    members = ['"jsonrpc":"2.0"', '"id":1', '"method":"m"', '"params":{}']
    (twice,) = (each for each in members if f'"{member}"' in each)
    request = one("{" + ",".join([*members, twice]) + "}")
    assert isinstance(request, Refused)
    assert f"{member} is given twice" in request.failure.status.message


@pytest.mark.parametrize(
    ("id_value", "id_text"),
    [
        (0, "0"),
        (-5, "-5"),
        (2**53 - 1, "9007199254740991"),
        ("", '""'),
        ("a-1", '"a-1"'),
        ('q"\\\n', '"q\\"\\\\\\n"'),
        ("é\u2028", '"é\u2028"'),
        ("x" * 64, f'"{"x" * 64}"'),
    ],
)
def test_id_is_echoed_exactly(id_value: Any, id_text: str) -> None:
    request = one(json.dumps({"jsonrpc": "2.0", "id": id_value, "method": "m"}))
    assert request == Call(id_text, "m", None)
    answer = json.loads(json_rpc.success(id_text, "{}", ""))
    assert answer == {"jsonrpc": "2.0", "id": id_value, "result": {}}


def test_notification_has_no_id() -> None:
    assert one('{"jsonrpc":"2.0","method":"m","params":{"a":[1]}}') == Call(None, "m", {"a": [1]})


def test_batch_keeps_its_order_and_what_is_wrong_in_it() -> None:
    content = [
        {"jsonrpc": "2.0", "id": 1, "method": "a"},
        5,
        {"jsonrpc": "2.0", "method": "b"},
    ]
    frame = read_frame(json.dumps(content), batch_max=BATCH_MAX)
    assert frame.is_batch
    first, wrong, last = frame.requests
    assert (first, last) == (Call("1", "a", None), Call(None, "b", None))
    assert isinstance(wrong, Refused)


def test_batch_is_answered_as_one_when_the_last_answer_is_there() -> None:
    sent: list[str] = []
    batch = json_rpc.Batch(3, sent.append)
    batch.add('{"id":2}')
    batch.add(None)
    assert not sent
    batch.add('{"id":1}')
    assert sent == ['[{"id":2},{"id":1}]']


def test_what_comes_behind_a_batch_waits_for_its_answer() -> None:
    for answers in (["1", "2"], [None, None]):
        done: list[str] = []
        batch = json_rpc.Batch(2, done.append)
        batch.then(lambda done=done: done.append("behind"))  # type: ignore[misc]
        batch.add(answers[0])
        assert done == []
        batch.add(answers[1])
        batch.then(lambda done=done: done.append("at once"))  # type: ignore[misc]
        assert done == [*(["[1,2]"] if answers[0] else []), "behind", "at once"]


def test_batch_of_notifications_is_not_answered() -> None:
    sent: list[str] = []
    batch = json_rpc.Batch(2, sent.append)
    batch.add(None)
    batch.add(None)
    assert not sent


def test_error_carries_the_status_as_rest_writes_it() -> None:
    error = Failure(make_status("FIELD_INVALID", 'say "what"', fields=[("a.b", "is wrong")]))
    answer = json.loads(json_rpc.failure("1", error, '{"limit":"1"}'))
    assert answer["error"]["code"] == 3
    assert answer["error"]["message"] == 'FIELD_INVALID: say "what"'
    assert answer["error"]["data"]["details"][1]["fieldViolations"][0]["field"] == "a.b"
    assert answer["rateLimit"] == {"limit": "1"}


def test_status_without_details() -> None:
    error = Failure(status_pb2.Status(code=14, message="gone"))
    assert json.loads(json_rpc.failure('"x"', error, ""))["error"]["code"] == 14


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    check(data)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["2.0", "jsonrpc", "orders.place"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["jsonrpc", "id", "method", "params", "x"]) | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_any_json_is_read_or_refused(content: Any) -> None:
    check(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(JSON_VALUES, st.integers(0, 400), st.binary(max_size=3))
def test_any_broken_json_is_read_or_refused(content: Any, at: int, put: bytes) -> None:
    text = json.dumps(content).encode()
    at %= len(text) + 1
    check(text[:at] + put + text[at + 1 :])


def check(data: bytes) -> None:
    """Read a frame: it has requests or an answer, and every answer is JSON-RPC."""
    try:
        frame = read_frame(data, batch_max=BATCH_MAX)
    except Failure as error:
        answer = check_answer(json_rpc.failure("null", error, ""), None)
        assert answer["error"]["code"] in (json_rpc.PARSE_ERROR, json_rpc.INVALID_REQUEST)
        return
    assert 1 <= len(frame.requests) <= BATCH_MAX
    for request in frame.requests:
        if isinstance(request, Refused):
            check_answer(json_rpc.failure(request.id, request.failure, ""), request.id)
        else:
            assert isinstance(request.method, str)
            if request.id is not None:
                check_answer(json_rpc.success(request.id, "{}", ""), request.id)


def check_answer(text: str, id_text: str | None) -> Any:
    """Check that an answer can be sent and parsed, and has the id of its request."""
    answer = json.loads(text.encode("utf-8"))
    assert set(answer) in ({"jsonrpc", "id", "error"}, {"jsonrpc", "id", "result"})
    if id_text is not None:
        assert answer["id"] == json.loads(id_text)
    return answer
