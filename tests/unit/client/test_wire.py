"""The short cut of reading and writing gives what betterproto2 gives, for every message."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import betterproto2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewire_client._gen.google import rpc
from tradewire_client._gen.tradewire import v1
from tradewire_client._times import nanoseconds_of
from tradewire_client._wire import decode, encode

KINDS = [
    value
    for module in (v1, rpc)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, betterproto2.Message)
]
NUMBERS = {
    betterproto2.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    betterproto2.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    betterproto2.TYPE_UINT32: st.integers(0, 2**32 - 1),
    betterproto2.TYPE_UINT64: st.integers(0, 2**64 - 1),
    betterproto2.TYPE_BOOL: st.booleans(),
    betterproto2.TYPE_STRING: st.text(max_size=8),
    betterproto2.TYPE_BYTES: st.binary(max_size=8),
}
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def messages(kind: Any, depth: int = 2) -> st.SearchStrategy[Any]:
    """Return messages of a class with any of their fields set."""
    optional = {
        field.name: values
        for field in dataclasses.fields(kind)
        if (values := field_values(kind, field, depth)) is not None
    }
    return st.fixed_dictionaries({}, optional=optional).map(lambda fields: kind(**fields))


def field_values(kind: Any, field: Any, depth: int) -> st.SearchStrategy[Any] | None:
    meta = betterproto2.FieldMetadata.get(field)
    inner = kind._betterproto.cls_by_field[field.name]
    if meta.proto_type in NUMBERS:
        values: st.SearchStrategy[Any] = NUMBERS[meta.proto_type]
    elif meta.proto_type == betterproto2.TYPE_ENUM:
        values = st.sampled_from(list(inner))
    elif meta.proto_type == betterproto2.TYPE_MAP:
        assert meta.map_meta is not None
        if meta.map_meta[1].proto_type != betterproto2.TYPE_STRING:
            return None
        values = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)
    elif meta.unwrap is not None:
        if meta.unwrap().__name__ != "Timestamp":
            return None
        values = TIMES
    elif depth:
        values = messages(inner, depth - 1)
    else:
        return None
    return st.lists(values, max_size=3) if meta.repeated else values


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_message_is_written_and_read_as_betterproto2_does(kind: Any) -> None:
    @settings(max_examples=15)
    @given(messages(kind))
    def compare(message: Any) -> None:
        data = bytes(message)
        assert encode(message) == data
        assert decode(kind, data) == kind.parse(data)

    compare()


@given(messages(v1.EnterOrdersResponse), st.data())
def test_a_message_that_is_cut_off_or_damaged_is_left_to_betterproto2(
    message: Any, data: st.DataObject
) -> None:
    whole = bytes(message)
    cut = data.draw(st.integers(0, len(whole)))
    damaged = bytearray(whole[:cut])
    for _ in range(data.draw(st.integers(0, 2))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    assert outcome(decode, bytes(damaged)) == outcome(lambda kind, raw: kind.parse(raw), damaged)


def outcome(read: Any, data: Any) -> Any:
    """Return the message, or the kind of error."""
    try:
        return read(v1.EnterOrdersResponse, bytes(data))
    except Exception as error:  # noqa: BLE001 - whatever the library raises is right
        return type(error)


def test_an_unknown_field_of_a_newer_contract_is_kept() -> None:
    data = bytes(v1.Balance(asset="BTC")) + b"\xaa\x06\x03new"
    message = decode(v1.Balance, data)
    assert (message.asset, bytes(message), encode(message)) == ("BTC", data, data)


def test_an_unknown_enum_value_of_a_newer_contract_is_kept() -> None:
    message = decode(v1.Order, b"\x30\x63")
    assert (int(message.side), encode(message)) == (99, b"\x30\x63")


def test_nanoseconds_are_read_and_written() -> None:
    data = b"\x0a\x0b\x08\x80\xb0\x9f\xc7\x06\x10\x95\x9a\xef\x3a"
    heartbeat = decode(v1.Heartbeat, data)
    assert nanoseconds_of(heartbeat.time, absent=0) % 10**9 == 123456789
