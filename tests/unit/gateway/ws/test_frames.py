"""Frames that are taken without the library are those that it would have read."""

from hypothesis import given
from hypothesis import strategies as st
from tradewire_gateway.ws.frames import take_texts
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

SIZE_MAX = 1_000
TEXTS = st.binary(max_size=20) | st.binary(min_size=120, max_size=300).map(lambda b: b * 5)


def sent(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """Return a frame as a client sends it."""
    return Frame(opcode, data, fin=fin).serialize(mask=True)


FRAMES = st.one_of(
    TEXTS.map(lambda data: sent(Opcode.TEXT, data)),
    TEXTS.map(lambda data: sent(Opcode.TEXT, data)),
    st.binary(max_size=20).map(lambda data: sent(Opcode.PING, data)),
    st.binary(max_size=20).map(lambda data: sent(Opcode.BINARY, data)),
    st.binary(max_size=20).map(lambda data: sent(Opcode.TEXT, data, fin=False)),
    st.binary(max_size=20).map(lambda data: sent(Opcode.CONT, data)),
    st.binary(max_size=20).map(lambda data: Frame(Opcode.TEXT, data).serialize(mask=False)),
    st.binary(max_size=8),
)


def by_library(data: bytes) -> tuple[list[tuple[Opcode, bytes]], bool]:
    """Return what the library reads, and whether it goes on after it."""
    core = ServerProtocol(state=State.OPEN, max_size=SIZE_MAX)
    core.receive_data(data)
    events = core.events_received()
    found = [(e.opcode, bytes(e.data)) for e in events if isinstance(e, Frame)]
    return found, core.state is State.OPEN


@given(st.lists(FRAMES, max_size=8), st.integers(0, 30))
def test_what_is_taken_and_what_is_left_is_what_came(frames: list[bytes], cut: int) -> None:
    data = b"".join(frames)
    data = data[: len(data) - cut] if cut < len(data) else data
    texts, rest = take_texts(data, 0, size_max=SIZE_MAX, count_max=100)
    left, goes_on = by_library(data[rest:])
    everything = by_library(data)
    assert ([(Opcode.TEXT, bytes(text)) for text in texts] + left, goes_on) == everything


@given(st.lists(TEXTS.filter(lambda text: len(text) <= SIZE_MAX), max_size=20))
def test_whole_texts_are_all_taken(texts: list[bytes]) -> None:
    data = b"".join(sent(Opcode.TEXT, text) for text in texts)
    assert take_texts(data, 0, size_max=SIZE_MAX, count_max=100) == (texts, len(data))
    for cut in (1, 3):
        if texts:
            assert take_texts(data[:-cut], 0, size_max=SIZE_MAX, count_max=100)[0] == texts[:-1]


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    texts, rest = take_texts(data, 0, size_max=SIZE_MAX, count_max=100)
    assert 0 <= rest <= len(data)
    assert [text for opcode, text in by_library(data)[0][: len(texts)]] == texts


@given(st.lists(TEXTS.filter(lambda text: len(text) <= SIZE_MAX), min_size=3, max_size=9))
def test_not_more_at_once_than_wanted(texts: list[bytes]) -> None:
    data = b"".join(sent(Opcode.TEXT, text) for text in texts)
    found, position = list[bytes](), 0
    while position < len(data):
        some, position = take_texts(data, position, size_max=SIZE_MAX, count_max=2)
        assert 0 < len(some) <= 2
        found += some
    assert found == texts
