"""What every call passes: addresses, rules of the contract, and how limits are said."""

import pytest
from tradewire.v1 import market_data_service_pb2, order_service_pb2
from tradewire_contract import methods
from tradewire_server.api.admission import auth_error, client_address, validate
from tradewire_server.api.edge import error_of
from tradewire_server.api.enter_orders import check_frame
from tradewire_server.api.errors import ApiError
from tradewire_server.api.wire import Malformed
from tradewire_server.auth.errors import InvalidRequest, PermissionDenied
from tradewire_server.auth.errors import Reason as AuthReason
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.sequencer import NotServing, Overloaded

from tests.support.failures import failure_of
from tests.support.trading import frame, limit

PLACE = methods()["/tradewire.v1.OrderService/PlaceOrder"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("ipv4:192.0.2.1:4711", None, "192.0.2.1"),
        ("ipv4:192.0.2.1:4711", "198.51.100.1", "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:4711", "198.51.100.1", "2001:db8::1"),
        ("ipv6:[::1]:4711", None, "::1"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:1", None, "::ffff:192.0.2.1"),
        ("unix:", None, None),
        ("unix:/run/envoy.sock", "198.51.100.1", "198.51.100.1"),
        ("in-process", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_address_is_the_peers_unless_the_peer_is_a_gateway(
    peer: str, forwarded: str | None, expected: str | None
) -> None:
    assert client_address(peer, forwarded) == expected


def test_a_good_message_passes() -> None:
    validate(limit("a-1"))
    validate(order_service_pb2.EnterOrdersRequest())


def test_every_wrong_field_is_named() -> None:
    request = limit("bad id", quantity="-1", symbol="x")
    with pytest.raises(ApiError) as error:
        validate(request)
    found = failure_of(error.value.status)
    assert found.reason == "FIELD_INVALID"
    assert set(found.fields) == {"client_order_id", "quantity", "symbol"}


def test_the_item_of_a_list_is_named() -> None:
    request = market_data_service_pb2.StreamMarketDataRequest(symbols=["BTC-USD", "bad"])
    with pytest.raises(ApiError) as error:
        validate(request)
    assert failure_of(error.value.status).fields == ("symbols[1]",)


def test_a_list_that_is_too_long_is_refused_before_its_items_are_looked_at() -> None:
    request = market_data_service_pb2.StreamMarketDataRequest(symbols=["bad"] * 200_000)
    with pytest.raises(ApiError) as error:
        validate(request)
    assert failure_of(error.value.status).fields == ("symbols",)


def test_what_could_not_be_parsed_is_malformed() -> None:
    for check in (validate, check_frame):
        with pytest.raises(ApiError) as error:
            check(Malformed())
        assert failure_of(error.value.status).reason == "MESSAGE_MALFORMED"


def test_a_frame_has_at_most_256_commands() -> None:
    check_frame(frame(*(limit(f"a-{number}") for number in range(256))))
    with pytest.raises(ApiError) as error:
        check_frame(frame(*(limit(f"a-{number}") for number in range(257))))
    assert failure_of(error.value.status).reason == "FRAME_TOO_LARGE"


def test_a_refusal_of_the_auth_package_is_the_contracts_error() -> None:
    denied = PermissionDenied(AuthReason.SCOPE_MISSING, "This needs more.", required="trade")
    found = failure_of(auth_error(denied).status)
    assert (found.reason, found.metadata) == ("SCOPE_MISSING", {"required": "trade"})
    invalid = failure_of(auth_error(InvalidRequest("label", "Too long.")).status)
    assert (invalid.reason, invalid.fields) == ("FIELD_INVALID", ("label",))
    assert "field" not in invalid.metadata


def test_every_reason_of_the_auth_package_is_one_of_the_contract() -> None:
    assert {reason.value for reason in AuthReason} <= {reason.name for reason in Reason}


def test_exceptions_become_what_the_caller_can_know(caplog: pytest.LogCaptureFixture) -> None:
    assert failure_of(error_of(Overloaded(), PLACE).status).reason == "OVERLOADED"
    assert failure_of(error_of(NotServing(), PLACE).status).reason == "NOT_SERVING"
    caplog.clear()
    broken = failure_of(error_of(ValueError("secret of the house"), PLACE).status)
    assert broken.reason == "INTERNAL"
    assert "secret" not in broken.text
    assert "PlaceOrder failed" in caplog.text
