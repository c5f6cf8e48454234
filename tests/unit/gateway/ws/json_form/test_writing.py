"""A message is written as protobuf's own JSON writer has it, with the options of the REST edge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import any_pb2, json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given, settings
from tradewire.v1 import order_pb2, order_service_pb2, websocket_pb2
from tradewire_contract.statuses import make_status
from tradewire_gateway.ws.json_form import parse, plain, reader, writer

from tests.unit.gateway.ws.json_form.samples import (
    DESCRIPTORS,
    NAMES,
    any_message,
    descriptor_of,
    full,
)


def written(message: Message) -> str:
    return writer(descriptor_of(type(message)))(message)


def by_protobuf(message: Message) -> Any:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_message_is_written_empty_and_full(name: str) -> None:
    for message in (GetMessageClass(DESCRIPTORS[name])(), full(DESCRIPTORS[name])):
        assert json.loads(written(message)) == by_protobuf(message)
        assert reader(DESCRIPTORS[name])(parse(written(message))) == message


@settings(max_examples=300)
@given(any_message())
def test_any_message_is_written_as_protobuf_writes_it(message: Message) -> None:
    assert json.loads(written(message)) == by_protobuf(message)


@settings(max_examples=300)
@given(any_message())
def test_what_is_written_is_read_as_the_same_message(message: Message) -> None:
    assert reader(descriptor_of(type(message)))(parse(written(message))) == message


def test_an_order_is_written_in_the_order_of_the_contract_without_blanks() -> None:
    order = order_pb2.Order(order_id="1", client_order_id='a"\n\u2028é', quantity="")
    text = written(order)
    assert text.startswith(
        '{"orderId":"1","clientOrderId":"a\\"\\n\u2028é","originalClientOrderId":"","account":"",'
    )
    assert '"quantity":"","postOnly":"POST_ONLY_UNSPECIFIED",' in text
    assert '"price"' not in text
    assert text.endswith(',"fee":"","cancelOnDisconnect":false}')


def test_a_number_of_a_newer_contract_stays_a_number() -> None:
    assert json.loads(written(order_pb2.Order(side=77)))["side"] == 77  # type: ignore[arg-type]


def test_a_chosen_member_of_a_oneof_is_written_even_when_it_is_empty() -> None:
    assert json.loads(written(order_service_pb2.CommandResult(canceled_count=0))) == {
        "commandNumber": "0",
        "clientOrderId": "",
        "canceledCount": 0,
        "asOfSequence": "0",
        "priorityKept": False,
    }


def test_an_error_is_written_with_its_details() -> None:
    status = make_status("RATE_LIMITED", "too fast", metadata={"retry_after_ms": "20"})
    closed = websocket_pb2.SubscriptionClosed(subscription=3, status=status)
    found = json.loads(written(closed))
    assert found["subscription"] == 3
    assert found["status"]["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert found["status"]["details"][0]["metadata"]["retry_after_ms"] == "20"
    assert found == by_protobuf(closed)


@pytest.mark.parametrize(
    "packed",
    [
        any_pb2.Any(type_url="type.googleapis.com/of.nobody.Known", value=b"\x01\x02"),
        any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff"),
    ],
)
def test_a_detail_that_nobody_here_can_read_is_passed_on(packed: any_pb2.Any) -> None:
    found = json.loads(written(status_pb2.Status(code=3, details=[packed])))
    assert list(found["details"][0]) == ["@type", "value"]


def test_what_is_compiled_is_compiled_once() -> None:
    descriptor = descriptor_of(error_details_pb2.ErrorInfo)
    assert writer(descriptor) is writer(descriptor)
    assert plain(descriptor) is plain(descriptor)
