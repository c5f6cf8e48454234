"""Packing: plain structures come back, with integers of any size."""

import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.journal import packing

structures = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=25,
)


@given(structures)
def test_unpack_returns_what_was_packed(value: Any) -> None:
    assert packing.unpack(packing.pack(value)) == value


@pytest.mark.parametrize("exponent", [63, 64, 65, 71, 72, 127, 128, 1000])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_integers_around_the_steps_of_their_size(exponent: int, sign: int, step: int) -> None:
    number = sign * 2**exponent + step
    assert packing.unpack(packing.pack([number, {"n": number}])) == [number, {"n": number}]


def test_tuples_and_integer_keys() -> None:
    assert packing.decode(packing.encode({7: (1, (2, 2**70))})) == {7: [1, [2, 2**70]]}


def test_a_large_integer_changes_nothing_around_it() -> None:
    plain = ["a", b"b", 1.5, None, [1, 2]]
    assert packing.decode(packing.encode([*plain, 2**64]))[:-1] == plain


def test_what_cannot_be_packed_is_refused() -> None:
    with pytest.raises(TypeError):
        packing.pack([object()])
    with pytest.raises(TypeError, match="set"):
        packing.pack([{2**70}])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing of ours",
        zlib.compress(msgspec.msgpack.encode(1))[:-1],
        zlib.compress(b"\\xc1"),
    ],
)
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        packing.unpack(data)


def test_a_foreign_extension_is_refused() -> None:
    foreign = msgspec.msgpack.encode(msgspec.msgpack.Ext(9, b"x"))
    with pytest.raises(ValueError, match="extension 9"):
        packing.unpack(zlib.compress(foreign))
