"""What is said of fields that break a rule of the contract."""

import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from tradewire.v1 import market_data_service_pb2, order_service_pb2, session_service_pb2
from tradewire_contract.statuses import VIOLATIONS_MAX
from tradewire_server.api.admission import validate
from tradewire_server.api.errors import ApiError

from tests.support.failures import failure_of
from tests.support.trading import limit

PlaceOrder = order_service_pb2.PlaceOrderRequest


def said_of(message: Message) -> dict[str, tuple[str, str]]:
    """Return what is said of each field, and the rule's id."""
    with pytest.raises(ApiError) as error:
        validate(message)
    found = failure_of(error.value.status)
    assert found.reason == "FIELD_INVALID"
    request = error_details_pb2.BadRequest()
    assert error.value.status.details[1].Unpack(request)
    for violation in request.field_violations:
        assert f"{violation.field} {violation.description}" in found.text
    return {v.field: (v.description, v.reason) for v in request.field_violations}


def test_what_was_not_sent_is_missing() -> None:
    assert said_of(PlaceOrder()) == {
        "client_order_id": ("is missing, e.g. my-order-1", "MISSING"),
        "symbol": ("is missing, e.g. BTC-USD", "MISSING"),
        "side": ("is missing: one of SIDE_BUY, SIDE_SELL", "MISSING"),
        "type": ("is missing: one of ORDER_TYPE_MARKET, ORDER_TYPE_LIMIT", "MISSING"),
    }


def test_what_looks_otherwise_is_shown_how_it_looks() -> None:
    request = limit("a-1", symbol="btcusd", quantity="a lot")
    assert said_of(request) == {
        "symbol": (
            "does not look like BTC-USD (^[A-Z0-9]{1,12}-[A-Z0-9]{1,12}$)",
            "STRING_PATTERN",
        ),
        "quantity": (
            "does not look like 0.01 (^[0-9]{1,18}([.][0-9]{1,18})?$)",
            "STRING_PATTERN",
        ),
    }


def test_a_value_that_an_enum_does_not_have_is_told_those_it_has() -> None:
    request = limit("a-1")
    request.side = 7  # type: ignore[assignment]
    assert said_of(request) == {"side": ("must be one of SIDE_BUY, SIDE_SELL", "ENUM_DEFINED_ONLY")}


def test_an_empty_text_that_was_sent_is_not_missing() -> None:
    request = limit("a-1", price="")
    ((description, rule),) = said_of(request).values()
    assert (description.startswith("does not look like"), rule) == (True, "STRING_PATTERN")


def test_of_a_oneof_its_fields_are_named() -> None:
    assert said_of(order_service_pb2.CancelOrderRequest()) == {
        "target": ("is missing: one of order_id, original_client_order_id", "MISSING")
    }


def test_fields_of_fields_and_items_are_described_too() -> None:
    request = session_service_pb2.CreateSessionRequest()
    request.signature.SetInParent()
    said = said_of(request)
    assert said["signature.timestamp_ms"] == ("is missing, e.g. 1760000000000", "MISSING")
    # An example of a signature would help nobody.
    assert said["signature.signature"] == ("is missing", "MISSING")
    stream = market_data_service_pb2.StreamMarketDataRequest(symbols=["BTC-USD", "", "bad"])
    descriptions = {field: text for field, (text, _) in said_of(stream).items()}
    assert set(descriptions) == {"symbols[1]", "symbols[2]"}
    assert "missing" not in "".join(descriptions.values())


def test_of_very_many_the_first_are_told() -> None:
    stream = market_data_service_pb2.StreamMarketDataRequest(symbols=["bad"] * 30)
    assert len(said_of_some(stream)) == VIOLATIONS_MAX


def said_of_some(message: Message) -> tuple[str, ...]:
    """Return the fields of which something is said."""
    with pytest.raises(ApiError) as error:
        validate(message)
    return failure_of(error.value.status).fields


@pytest.mark.parametrize("name", [".", "..", "-", "_:.-", ":" * 36])
def test_an_id_has_a_letter_or_a_digit(name: str) -> None:
    """A path of `.` or `..` is not the one that a client wrote."""
    assert "client_order_id" in said_of(limit(name))


@pytest.mark.parametrize("name", ["a", "0", "..a", "-7-", "a" * 36, "." * 35 + "a"])
def test_an_id_may_be_anything_with_one(name: str) -> None:
    validate(limit(name))


def test_an_id_has_36_characters_at_most() -> None:
    assert said_of(limit("a" * 37))["client_order_id"][1] == "STRING_MAX_LEN"


def test_orders_of_former_ids_can_still_be_canceled() -> None:
    request = order_service_pb2.CancelOrderRequest(original_client_order_id="..")
    validate(request)
