"""A frame is JSON and nothing else, and no member of it is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tradewire_contract.json_form import VALUES_MAX, Doubled, parse_json
from tradewire_gateway.ws.json_form import DEPTH_MAX, JsonInvalid, doubled, is_text, parse, parsing

FRAME = (
    '{"jsonrpc":"2.0","id":7,"method":"orders.place","params":{"clientOrderId":"a:1",'
    '"symbol":"BTC-USD","validUntil":"2026-01-31T12:00:00Z","orders":[{"a":[]},{"a":null}]}}'
)


def refusal(text: bytes | str) -> str:
    with pytest.raises(JsonInvalid) as error:
        parse(text)
    return error.value.text


def test_a_frame_is_read_from_bytes_and_from_text() -> None:
    assert parse(FRAME) == parse(FRAME.encode()) == parse(bytearray(FRAME, "utf-8"))
    assert parse(FRAME) == json.loads(FRAME)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "expecting value at line 1 column 1"),
        (b"{", "expecting property name enclosed in double quotes"),
        (b"{}{}", "extra data"),
        (b"[1,]", "expecting value at line 1 column 4"),
        (b'{"a":01}', "expecting ',' delimiter"),
        (b'{"a":NaN}', "NaN is no value in JSON"),
        (b'{"a":-Infinity}', "-Infinity is no value in JSON"),
        (b'{"a":"\n"}', "invalid control character"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8 at byte 6"),
        (b'{"a":"\xc0\xaf"}', "not UTF-8 at byte 6"),
        ('{"a":"\ud800"}', "not UTF-8 at byte 6"),
        (b'\xef\xbb\xbf{"a":1}', "BOM"),
        (b'{"a":' + b"1" * 41 + b"}", "too many digits"),
        (b'{"a":0.' + b"1" * 40 + b"}", "too many digits"),
        (b'{"a":"\\x"}', "invalid \\escape"),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "nested deeper than 32"),
        (b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1), "nested deeper than 32"),
        (b'{"a":1,"a":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}", "nested deeper than 32"),
        (b'{"a":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b',"a":1}', "nested deeper than 32"),
        (b"[" * 4_000, "nested too deep"),
        (b"[" * 200_000, "more than 5000 values"),
        (b"[" + b"1," * VALUES_MAX + b"1]", "more than 5000 values"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes | str, why: str) -> None:
    assert why in refusal(text)


def test_it_may_be_nested_as_deep_as_the_limit_says() -> None:
    found = parse("[" * DEPTH_MAX + "]" * DEPTH_MAX)
    for _ in range(DEPTH_MAX - 1):
        (found,) = found
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"a" :1}',
        '{"a":1,"a"\n:1}',
        '{"a":1,"a":":"}',
        '{"a":1,"a":"\\":"}',
        '{"a":1,"a":"\\u003a"}',
        '{"a":1,"\\u0061":2}',
        '{"b":"2026-01-31T12:00:00Z","a":1,"a":2}',
        '{"a":{},"a":{}}',
    ],
)
def test_a_key_that_stands_twice_is_seen(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Doubled)
    assert doubled(found) == "a"
    inside = parse(f'{{"jsonrpc":"2.0","params":[{text}]}}')
    assert doubled(inside) is None
    assert doubled(inside["params"][0]) == "a"


@pytest.mark.parametrize("text", ['{"a":1}', "[]", "1", "null", '{"a":{"a":1}}', '"a"'])
def test_a_key_that_stands_once_is_not_doubled(text: str) -> None:
    assert doubled(parse(text)) is None


def test_half_a_character_is_no_text() -> None:
    whole, half, no = parse('["\\ud83d\\ude00", "\\ud83d", 1]')
    assert (is_text(whole), is_text(half), is_text(no)) == (True, False, False)


def test_whole_numbers_are_exact() -> None:
    digits = "9" * 40
    assert parse(f"[{digits},{2**64},-9223372036854775809,0]") == [
        int(digits),
        2**64,
        -9223372036854775809,
        0,
    ]


# --- the fast way beside the strict one -----------------------------------------------------------


def outcome(read: Any, text: bytes) -> Any:
    try:
        return _exact(read(text))
    except JsonInvalid as error:
        return error.text


def _exact(value: Any) -> Any:
    """Return a value so that 1, 1.0 and True are told apart, and what stands twice is kept."""
    if isinstance(value, Doubled):
        return ("doubled", [(name, _exact(inner)) for name, inner in value.pairs])
    if isinstance(value, dict):
        return [(name, _exact(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return ["list", *map(_exact, value)]
    return (type(value), value)


PIECES = st.sampled_from(
    [*'{}[],:" \n\\', '"a"', '"b":', '"a" :', "1", "-0", "1e5", "1e999", "null", "true", "\\u003a"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@settings(max_examples=500)
@given(TEXTS)
@example('{"a":1,"a" :1}')
@example('{"a":":","a":1}')
def test_anything_is_read_as_the_strict_reader_reads_it(text: str) -> None:
    assert outcome(parse, text.encode()) == outcome(parse_json, text.encode())


@settings(max_examples=300)
@given(st.integers(0, len(FRAME)), st.integers(0, 12), TEXTS)
def test_a_spoiled_frame_too(at: int, gone: int, put: str) -> None:
    text = (FRAME[:at] + put + FRAME[at + gone :]).encode()
    assert outcome(parse, text) == outcome(parse_json, text)


MEMBERS = st.lists(st.tuples(st.sampled_from(["a", "b", ":"]), st.sampled_from(['":"', "1"])))


@given(MEMBERS, st.sampled_from([":", ": ", " :", " : "]))
def test_members_are_never_lost(members: list[tuple[str, str]], colon: str) -> None:
    text = "{" + ",".join(f'"{name}"{colon}{value}' for name, value in members) + "}"
    names = [name for name, _ in members]
    assert isinstance(parse(text), Doubled) == (len(set(names)) < len(names))


@pytest.mark.parametrize("number", ["1e300", "1.5e300", "1e-300", "0.5"])
def test_numbers_that_the_fast_reader_takes_long_for_are_not_read_by_it(
    number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 5,000 of them deflate to a hundred bytes, and took it 200 ms.
    read = list[object]()
    decode = parsing._decode

    def noted(body: bytes) -> object:
        read.append(decode(body))
        return read[-1]

    monkeypatch.setattr(parsing, "_decode", noted)
    assert parse(f'{{"a":[{number}]}}') == {"a": [float(number)]}
    assert not read
