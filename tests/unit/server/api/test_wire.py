"""Fields around unparsed bytes are what protobuf would have written."""

import pytest
from google.protobuf.message import DecodeError
from tradewire.v1 import order_pb2, order_service_pb2
from tradewire_server.api.wire import (
    Malformed,
    embed,
    passing_bytes,
    tolerant,
    varint,
    varint_field,
)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 16_383, 16_384, (1 << 32) - 1, 1 << 62])
def test_numbers_are_varints(number: int) -> None:
    order = order_service_pb2.PlaceOrderResponse(as_of_sequence=number)
    assert varint_field(2, number) == order.SerializeToString()
    if number:
        assert varint_field(2, number).endswith(varint(number))


@pytest.mark.parametrize("length", [0, 1, 127, 128, 20_000])
def test_an_embedded_message_is_the_message_in_its_field(length: int) -> None:
    order = order_pb2.Order(client_order_id="x" * length)
    expected = order_service_pb2.PlaceOrderResponse(order=order, as_of_sequence=9)
    data = embed(1, order.SerializeToString()) + varint_field(2, 9)
    assert data == expected.SerializeToString()


def test_fields_beyond_fifteen_have_longer_tags() -> None:
    order = order_pb2.Order(filled_quantity="1.5", leaves_quantity="2")
    assert embed(17, b"1.5") + embed(18, b"2") == order.SerializeToString()


def test_bytes_pass_a_serializer_and_messages_are_serialised() -> None:
    serialize = passing_bytes(order_pb2.Order.SerializeToString)  # type: ignore[arg-type]
    order = order_pb2.Order(order_id="7")
    assert serialize(order) == order.SerializeToString()
    assert serialize(b"as it is") == b"as it is"


def test_what_cannot_be_parsed_is_said_to_be_malformed() -> None:
    deserialize = tolerant(order_pb2.Order.FromString)
    assert deserialize(order_pb2.Order(order_id="7").SerializeToString()) == order_pb2.Order(
        order_id="7"
    )
    for garbage in (b"\xff", b"\x0a\x05ab", b"\x0a\x02\xc3\x28"):
        with pytest.raises(DecodeError):
            order_pb2.Order.FromString(garbage)
        assert isinstance(deserialize(garbage), Malformed)
