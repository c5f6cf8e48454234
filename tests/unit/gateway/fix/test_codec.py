"""Bytes become messages whatever comes between them, and nothing that comes is too much."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tradewire_gateway.fix.codec import (
    DATA_FIELDS,
    Decoder,
    Garbled,
    RawMessage,
    checksum,
    encode,
    encode_fields,
)
from tradewire_gateway.fix.message import Fields

from tests.unit.gateway.fix.wire import content, frame

ORDER = "35=D|34=2|11=a|58=text with = in it|"
HEARTBEAT = "35=0|34=3|"


def decode(*pieces: bytes, bytes_max: int = 65536) -> list[str]:
    """Return all that comes out: messages with pipes, `!` and the reason for what is garbled."""
    decoder, found = Decoder(message_bytes_max=bytes_max), list[str]()
    for piece in pieces:
        decoder.feed(piece)
        while (each := decoder.next()) is not None:
            if isinstance(each, Garbled):
                found.append(f"!{each.reason}")
            else:
                pairs = zip(each.tags, each.values, strict=True)
                found.append("".join(f"{tag}={value}|" for tag, value in pairs))
    return found


def test_a_message_is_taken_apart() -> None:
    decoder = Decoder()
    decoder.feed(frame(ORDER))
    assert decoder.next() == RawMessage(
        "FIX.4.4", "D", ("35", "34", "11", "58"), ("D", "2", "a", "text with = in it")
    )
    assert decoder.next() is None
    assert decoder.buffered == 0


def test_a_message_is_put_together() -> None:
    data = encode("FIX.4.4", ORDER.replace("|", "\x01"))
    assert data == frame(ORDER)
    assert encode("FIX.4.4", "35=0\x0158=\u20ac\xff\x01") == frame("35=0|58=?\xff|")


@given(st.binary(max_size=2000))
def test_the_checksum_is_the_sum(data: bytes) -> None:
    assert checksum(data) == sum(data) % 256


def test_the_checksum_of_the_greatest_bytes() -> None:
    for size in (255, 256, 257, 512, 513, 70_000):
        assert checksum(b"\xff" * size) == sum(b"\xff" * size) % 256


# Texts that look like the beginning or the end of a message, and any others.
TEXTS = st.one_of(
    st.sampled_from(["8=FIX.4.4", "9=5", "10=000", "=", "35=D"]),
    st.text(st.characters(min_codepoint=2, max_codepoint=255), min_size=1, max_size=20),
)
BODIES = st.dictionaries(
    st.integers(1, 99999).filter(lambda tag: tag not in {8, 9, 10, 35} and tag not in DATA_FIELDS),
    TEXTS,
    max_size=8,
)


@given(BODIES)
def test_what_is_encoded_is_decoded(body: dict[int, str]) -> None:
    data = encode("FIX.4.4", f"35=D\x01{encode_fields(Fields(body))}")
    decoder = Decoder()
    decoder.feed(data)
    raw = decoder.next()
    assert isinstance(raw, RawMessage)
    assert dict(zip(map(int, raw.tags), raw.values, strict=True)) == {35: "D"} | body
    assert decoder.next() is None


@given(st.lists(BODIES, min_size=1, max_size=4), st.data())
def test_pieces_make_no_difference(bodies: list[dict[int, str]], data: st.DataObject) -> None:
    stream = b"".join(
        encode("FIX.4.4", f"35=D\x01{encode_fields(Fields(each))}") for each in bodies
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decode(*pieces) == decode(stream)
    assert len(decode(stream)) == len(bodies)
    assert decode(*(bytes([byte]) for byte in stream)) == decode(stream)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_garbage_between_messages_costs_none(before: bytes, between: bytes) -> None:
    # With a head of a message in it, it could swallow one: that is another test.
    assume(b"8=FIX" not in before and b"8=FIX" not in between)
    found = decode(before + frame(ORDER) + between + frame(HEARTBEAT))
    assert [each for each in found if not each.startswith("!")] == [ORDER, HEARTBEAT]


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_no_bytes_break_the_decoder(pieces: list[bytes]) -> None:
    decode(*pieces)


# Much more often than random bytes, these get as far as the deeper parts of the decoder.
FRAGMENTS = st.sampled_from(
    [
        b"8=FIX.4.4\x01", b"8=", b"9=", b"9=5\x01", b"9=20\x01", b"9=999999999\x01", b"35=A\x01",
        b"35=0\x01", b"10=000\x01", b"\x0110=", b"10=", b"95=3\x01", b"96=a\x01b\x01", b"95=x\x01",
        b"\x01", b"=", b"8", frame(ORDER), frame("35=A|95=3|96=a|b|"), frame("35=0|")[:-3],
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=30), st.data())
def test_pieces_of_garbage_make_no_difference(fragments: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(fragments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    wholes = [decode(*each) for each in (fragments, pieces, [stream])]
    messages = [[text for text in each if not text.startswith("!")] for each in wholes]
    assert messages[0] == messages[1] == messages[2]


@given(st.lists(FRAGMENTS, max_size=30))
def test_fragments_neither_break_the_decoder_nor_pile_up(fragments: list[bytes]) -> None:
    decoder = Decoder(message_bytes_max=100)
    for fragment in fragments * 3:
        decoder.feed(fragment)
        while decoder.next() is not None:
            pass
        # A message of the greatest length with its frame, and the search for another one's end.
        assert decoder.buffered <= 26 + 100 + 100 + len(fragment)


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (b"8=FIX.4.4\x019=10\x0135=0\x0134=3\x0110=000\x01", ["!CheckSum(10) is wrong"]),
        (b"8=FIX.4.4\x019=9\x0135=0\x0134=3\x0110=000\x01", ["!BodyLength(9) is wrong"]),
        (b"8=FIX.4.4\x019=0\x0110=000\x01", ["!CheckSum(10) is wrong"]),
        (b"8=FIX.4.4\x019=10\x0135=0\x0134=3\x0110=00\x01", ["!BodyLength(9) is wrong"]),
        (b"8=FIX.4.4\x019=10\x0135=0\x0134=3\x0110=abc\x01", ["!BodyLength(9) is wrong"]),
        (b"8=FIX.4.4\x019=10\x0135=0\x0134=33\x0110=000\x01", ["!BodyLength(9) is wrong"]),
        (
            b"8=FIX.4.4\x019=101\x01",
            ["!BodyLength(9) 101 is above 100"],
        ),
        (b"8=FIX.4.4\x0135=0\x01", ["!bytes outside of a message"]),
        (b"hello", ["!bytes outside of a message"]),
    ],
)
def test_what_is_garbled_is_skipped_and_said(stream: bytes, found: list[str]) -> None:
    assert decode(stream, frame(HEARTBEAT), bytes_max=100) == [*found, HEARTBEAT]


def test_the_third_field_is_the_message_type() -> None:
    assert decode(frame("34=3|35=0|"), frame(HEARTBEAT)) == [
        "!MsgType(35) is not the third field",
        HEARTBEAT,
    ]
    assert decode(frame("")) == ["!MsgType(35) is not the third field"]


def test_a_length_that_is_too_long_costs_the_message_that_it_runs_into() -> None:
    bad = frame(ORDER).replace(b"9=36", b"9=50")
    assert bad != frame(ORDER)
    assert decode(bad, frame(HEARTBEAT), frame(ORDER)) == ["!BodyLength(9) is wrong", ORDER]


def test_a_message_within_data_is_data() -> None:
    inner = frame(HEARTBEAT).decode().replace("\x01", "|")
    text = f"35=A|95={len(inner)}|96={inner}|34=1|"
    decoder = Decoder()
    decoder.feed(frame(text))
    raw = decoder.next()
    assert isinstance(raw, RawMessage)
    assert raw.tags == ("35", "95", "96", "34")
    assert raw.values[2].replace("\x01", "|") == inner


@pytest.mark.parametrize("length", ["3", "99999999999999999999", "0", "x", "-1"])
def test_a_length_that_leads_nowhere_is_left_to_validation(length: str) -> None:
    assert decode(frame(f"35=A|95={length}|96=ab|34=1|")) == [f"35=A|95={length}|96=ab|34=1|"]


def test_other_data_fields_are_those_of_the_dictionary() -> None:
    decoder = Decoder({20100: 20101})
    decoder.feed(frame("35=U|20100=3|20101=a|b|95=3|96=a|"))
    raw = decoder.next()
    assert isinstance(raw, RawMessage)
    assert raw.values == ("U", "3", "a\x01b", "3", "a")


def test_a_search_that_finds_nothing_is_given_up() -> None:
    decoder = Decoder(message_bytes_max=100)
    for piece in [b"8=FIX.4.4\x019=5\x01", *[b"x" * 20] * 5]:
        decoder.feed(piece)
        assert decoder.next() is None
    decoder.feed(b"x" * 20)
    assert decoder.next() == Garbled("BodyLength(9) is wrong")
    assert decoder.buffered < 30
    decoder.feed(frame(HEARTBEAT))
    assert decoder.next() == Garbled("bytes outside of a message")
    assert isinstance(decoder.next(), RawMessage)


def test_a_message_that_begins_during_such_a_search_is_found() -> None:
    decoder = Decoder(message_bytes_max=100)
    decoder.feed(b"8=FIX.4.4\x019=5\x01" + b"x" * 95 + frame(HEARTBEAT)[:15])
    assert decoder.next() == Garbled("BodyLength(9) is wrong")
    assert decoder.next() is None
    decoder.feed(frame(HEARTBEAT)[15:])
    assert isinstance(decoder.next(), RawMessage)


def test_an_ending_that_arrives_in_pieces_is_found_by_the_search() -> None:
    decoder = Decoder(message_bytes_max=100)
    for piece in [b"8=FIX.4.4\x019=5\x01xxxxxxxx", b"xxx\x0110", b"=00", b"0"]:
        decoder.feed(piece)
        assert decoder.next() is None
    decoder.feed(b"\x01" + frame(HEARTBEAT))
    assert decoder.next() == Garbled("BodyLength(9) is wrong")
    assert isinstance(decoder.next(), RawMessage)


def test_groups_are_encoded_with_their_count() -> None:
    fields = Fields({11: "a", 453: [Fields({448: "x", 452: "1"}), Fields({448: "y"})], 55: "X"})
    assert encode_fields(fields) == "11=a|453=2|448=x|452=1|448=y|55=X|".replace("|", "\x01")
    assert encode_fields(Fields({454: []})) == "454=0\x01"


@pytest.mark.parametrize(
    "fields",
    [
        Fields({58: "a\x0111=b"}),
        Fields({58: ""}),
        Fields({453: [Fields({448: "a\x01"})]}),
        Fields({453: [Fields({448: ""})]}),
    ],
)
def test_a_value_that_would_read_as_other_fields_is_refused(fields: Fields) -> None:
    with pytest.raises(ValueError, match=r"tag (58|448) (has no value|holds the separator)"):
        encode_fields(fields)


def test_data_may_hold_separators() -> None:
    fields = Fields({95: "3", 96: "a\x01b", 453: [Fields({448: "x"})]})
    assert encode_fields(fields) == "95=3\x0196=a\x01b\x01453=1\x01448=x\x01"
    assert encode_fields(Fields({20101: "a\x01b"}), {20101}) == "20101=a\x01b\x01"
    assert content(encode("FIX.4.4", "35=0\x01" + encode_fields(fields))).startswith("35=0|95=3|")
