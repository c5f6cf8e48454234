"""All streams speak alike: one piece of code writes their messages, so their shapes must be one."""

import pytest
from tradewire.v1 import order_service_pb2
from tradewire_contract import Method, methods
from tradewire_server.api import commands, enter_orders, streaming
from tradewire_server.api.commands import REFUSED_AT_EDGE, Tag, result_bytes
from tradewire_server.api.errors import make_status
from tradewire_server.api.streaming import CLOSING_TEXTS, closing, closing_for, out_of_range
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.sequencer import Done
from tradewire_server.streams.inbox import OutOfRange

from tests.support.failures import failure_of

STREAMS = [method for method in methods().values() if method.server_streaming]
NUMBERS = {
    "batch": streaming.BATCH,
    "snapshot": streaming.SNAPSHOT,
    "caught_up": streaming.CAUGHT_UP,
    "heartbeat": streaming.HEARTBEAT,
    "closing": streaming.CLOSING,
}


@pytest.mark.parametrize("method", STREAMS, ids=lambda method: method.name)
def test_every_stream_has_the_same_events_under_the_same_numbers(method: Method) -> None:
    response = method.response
    found = {field.name: field.number for field in response.fields}
    assert found.items() <= NUMBERS.items()
    assert found.keys() >= NUMBERS.keys() - {"snapshot"}
    assert {field.containing_oneof.name for field in response.fields if field.containing_oneof} == {
        "event"
    }


def test_results_have_the_numbers_of_the_contract() -> None:
    result = order_service_pb2.CommandResult.DESCRIPTOR.fields_by_name
    numbers = {
        "command_number": commands.NUMBER,
        "client_order_id": commands.CLIENT_ORDER_ID,
        "order": commands.ORDER,
        "error": commands.ERROR,
        "canceled_count": commands.CANCELED_COUNT,
        "as_of_sequence": commands.AS_OF_SEQUENCE,
        "priority_kept": commands.PRIORITY_KEPT,
    }
    assert {name: field.number for name, field in result.items()} == numbers
    batch = order_service_pb2.OrderEntryBatch.DESCRIPTOR.fields_by_name
    assert batch["results"].number == enter_orders.RESULTS
    assert batch["rate_limit"].number == enter_orders.RATE_LIMIT


def test_a_mass_cancel_of_nothing_has_an_outcome() -> None:
    tag = Tag(3, "")
    data = result_bytes(tag, Done(7, canceled_count=0), 9)
    result = order_service_pb2.CommandResult.FromString(data)
    assert result.WhichOneof("outcome") == "canceled_count"
    assert (result.command_number, result.canceled_count, result.as_of_sequence) == (3, 0, 7)


def test_an_error_of_the_edge_is_true_as_of_now() -> None:
    status = make_status(Reason.FIELD_INVALID, "x")
    tag = Tag(4, "a-1", status)
    data = result_bytes(tag, REFUSED_AT_EDGE, 9)
    result = order_service_pb2.CommandResult.FromString(data)
    assert (result.client_order_id, result.as_of_sequence) == ("a-1", 9)
    assert result.error == status


@pytest.mark.parametrize("reason", CLOSING_TEXTS, ids=lambda reason: reason.name)
def test_a_stream_says_why_it_ends_and_where_to_go_on(reason: Reason) -> None:
    response = order_service_pb2.EnterOrdersResponse.FromString(closing_for(reason, 17))
    found = failure_of(response.closing.status)
    assert (found.reason, found.outcome) == (reason.name, "stream_closed")
    assert response.closing.resume_after == 17


def test_a_stream_that_lost_its_past_says_what_there_is() -> None:
    response = order_service_pb2.EnterOrdersResponse.FromString(closing_for(OutOfRange(5, 9), 3))
    found = failure_of(response.closing.status)
    assert found.reason == "SEQUENCE_OUT_OF_RANGE"
    assert found.metadata == {"first_available": "5", "last_available": "9"}
    assert out_of_range(OutOfRange(5, 9)).status == response.closing.status
    status = make_status(Reason.NOT_SERVING, "x")
    assert closing_for(status, 1) == closing(status, 1)
