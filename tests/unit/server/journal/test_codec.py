"""Events come back as they were, also those that an older release wrote."""

import enum
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.engine.events import EVENT_TYPES, Event, OrderCanceled
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.journal import codec
from tradewire_server.journal.codec import EventCodec, EventUnreadable
from tradewire_server.journal.errors import JournalVersionUnknown


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Part(NamedTuple):
    name: str
    size: Size = Size.SMALL


class Whole(NamedTuple):
    """One field of each kind that a codec is made for."""

    number: int
    text: str
    data: bytes
    yes: bool
    colour: Colour
    part: Part
    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    maybe: int | None = None
    maybe_part: Part | None = None
    size: Size = Size.LARGE


class Older(NamedTuple):
    number: int
    text: str


class Newer(NamedTuple):
    number: int
    text: str
    part: Part = Part("none")
    colour: Colour = Colour.BLUE


EXAMPLE = Whole(
    2**80, "ü\0", b"\xff", True, Colour.RED, Part("a"), ("x", "y"), (Part("b"), Part("c"))
)


def payload_of(*rows: object) -> bytes:
    return b"\x01" + msgspec.msgpack.encode(rows)


@given(st.lists(st.from_type(Whole), max_size=5))
def test_fields_of_every_kind_come_back(wholes: list[Whole]) -> None:
    whole_codec = EventCodec({1: Whole})
    decoded = whole_codec.decode_events(whole_codec.encode_events(wholes))
    assert decoded == wholes
    assert [list(map(type, whole)) for whole in decoded] == [
        list(map(type, whole)) for whole in wholes
    ]


def test_integers_beyond_64_bits_come_back() -> None:
    whole_codec = EventCodec({1: Whole})
    assert whole_codec.decode_events(whole_codec.encode_events([EXAMPLE])) == [EXAMPLE]


@given(st.data(), st.sampled_from(EVENT_TYPES))
def test_every_event_of_the_engine_comes_back(data: st.DataObject, kind: type[Event]) -> None:
    event = data.draw(st.from_type(kind))
    decoded = codec.decode_events(codec.encode_events([event]))
    assert decoded == [event]
    assert list(map(type, decoded[0])) == list(map(type, event))


def test_every_event_has_a_tag_of_its_own() -> None:
    assert set(codec.TAGS) == {record.__name__ for record in EVENT_TYPES}
    assert len(set(codec.TAGS.values())) == len(codec.TAGS)


def test_tags_are_what_they_were() -> None:
    """A tag that changes makes every journal unreadable: this list only grows."""
    assert codec.TAGS == {
        "AssetCreated": 1,
        "InstrumentListed": 2,
        "InstrumentStatusChanged": 3,
        "AccountUpdated": 4,
        "KillSwitchSet": 5,
        "Deposited": 6,
        "Withdrawn": 7,
        "KeyStored": 8,
        "OrderAccepted": 9,
        "OrderRejected": 10,
        "OrderTraded": 11,
        "OrderAmended": 12,
        "OrderReduced": 13,
        "OrderCanceled": 14,
    }


def test_the_bytes_of_a_payload() -> None:
    event = OrderCanceled(7, Reason(0), "id", 9)
    assert codec.encode_events([event]) == bytes.fromhex("01 91 95 0e 07 00 a2 6964 09")


def test_fields_that_came_later_take_their_defaults() -> None:
    older, newer = EventCodec({1: Older}), EventCodec({1: Newer})
    assert newer.decode_events(older.encode_events([Older(1, "a")])) == [Newer(1, "a")]
    assert newer.decode_events(payload_of([1, 1, "a", ["p"]])) == [Newer(1, "a", Part("p"))]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "version none"),
        (b"\x02\x90", "version 02"),
        (payload_of([1, 1, "a", ["p"], "red", 5]), "has 5 fields, this release knows 4"),
        (payload_of([1, 1]), "has only 1 fields of 4"),
        (payload_of([1, 1, "a", ["p"], "green"]), "event 1 of the payload"),
        (payload_of([1, 1, "a"], [2, 1, "a"]), "event 2 of the payload"),
        (payload_of([]), "event 1 of the payload"),
        (payload_of(5), "event 1 of the payload"),
        (b"\x01\x05", "event 1 of the payload"),
        (b"\x01\x91", "event 1 of the payload"),
    ],
)
def test_what_cannot_be_read_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(EventUnreadable, match=message) as caught:
        EventCodec({1: Newer}).decode_events(payload)
    assert isinstance(caught.value, JournalVersionUnknown)


@pytest.mark.parametrize("hint", [dict[str, int], tuple[int, str], Size | Part, object, list[int]])
def test_a_field_without_codec_is_refused_when_the_codec_is_made(hint: Any) -> None:
    class Record(NamedTuple):
        field: hint

    with pytest.raises(TypeError):
        EventCodec({1: Record})


def test_an_event_without_a_tag_cannot_be_encoded() -> None:
    with pytest.raises(KeyError):
        EventCodec[Any]({1: Newer}).encode_events([Older(1, "a")])
