"""Handles: nothing gets past the check of REST requests, not even an Envoy that is misled."""

from tradewire.v1 import order_service_pb2
from tradewire_server.engine.commands import RevokeKey

from tests.support.failures import failure
from tests.support.front import HANDLE, ORDERS, Front, bearer, order, refused_at_edge
from tests.support.rest import ed25519_key
from tests.support.trading import limit
from tests.support.venue import Credential, RunningVenue, Stubs, session_request


async def test_a_request_that_was_not_checked_is_not_served(front: Front) -> None:
    """An Envoy that leaves out the check on some route opens nothing, whoever asks."""
    token = bearer(front)["authorization"]
    for metadata in ((), (("authorization", token),)):
        found = await refused_at_edge(front, metadata)
        assert (found.reason, "past the check" in found.text) == ("UNAUTHENTICATED", True)
    # What is public passes through the check as well.
    found = await refused_at_edge(front, (), "/tradewire.v1.SessionService/GetServerTime")
    assert found.reason == "UNAUTHENTICATED"


async def test_a_handle_is_good_once(front: Front) -> None:
    handle = await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
    await front.call(
        ORDERS + "ListOrders", order_service_pb2.ListOrdersRequest(), ((HANDLE, handle),)
    )
    found = await refused_at_edge(front, ((HANDLE, handle),))
    assert (found.reason, "used before" in found.text) == ("UNAUTHENTICATED", True)


async def test_a_handle_is_for_the_method_that_was_checked(front: Front) -> None:
    handle = await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
    found = await refused_at_edge(front, ((HANDLE, handle),), ORDERS + "CancelAllOrders")
    assert (found.reason, "ListOrders" in found.text) == ("UNAUTHENTICATED", True)


async def test_a_handle_expires(front: Front) -> None:
    handle = await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
    front.clock.advance(31)
    found = await refused_at_edge(front, ((HANDLE, handle),))
    assert (found.reason, "expired" in found.text) == ("UNAUTHENTICATED", True)


async def test_a_made_up_handle_opens_nothing(front: Front) -> None:
    for handle in ("A" * 32, "", "A" * 5_000):
        assert (await refused_at_edge(front, ((HANDLE, handle),))).reason == "UNAUTHENTICATED"


async def test_two_handles_or_a_handle_and_a_token_are_none(front: Front) -> None:
    handles = [
        await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
        for _ in range(2)
    ]
    both = tuple((HANDLE, handle) for handle in handles)
    assert (await refused_at_edge(front, both)).reason == "UNAUTHENTICATED"
    token = ("authorization", bearer(front, "bob")["authorization"])
    assert (await refused_at_edge(front, (*both[:1], token))).reason == "UNAUTHENTICATED"


async def test_a_call_that_is_refused_for_its_headers_leaves_no_handle_behind(front: Front) -> None:
    handles = front.venue.app._edge_admission._handles
    assert handles is not None
    address = ("x-tradewire-client-address", "198.51.100.66")
    token = ("authorization", bearer(front)["authorization"])
    for more in ((address,), (token, token), ((HANDLE, "A" * 32),)):
        handle = await front.handle("GET", "/v1/orders", headers=bearer(front))
        assert len(handles) == 1
        # The address of the front stands before them.
        found = await refused_at_edge(front, ((HANDLE, handle), *more))
        assert (found.reason, "two credentials" in found.text) == ("UNAUTHENTICATED", True)
        assert len(handles) == 0


async def test_a_handle_without_a_signer_does_not_sign(front: Front) -> None:
    """The edge looks at the token again, whatever the check has seen."""
    headers = {"authorization": "Bearer forged"}
    assert (await front.refused("GET", "/v1/orders", headers=headers)).reason == "TOKEN_INVALID"
    handle = await front.handle("GET", "/v1/orders", headers=bearer(front))
    found = await refused_at_edge(front, ((HANDLE, handle), *headers.items()))
    assert found.reason == "TOKEN_INVALID"
    handle = await front.handle("GET", "/v1/orders", headers=bearer(front))
    assert (await refused_at_edge(front, ((HANDLE, handle),))).reason == "UNAUTHENTICATED"


async def test_a_key_that_is_revoked_after_the_check_opens_nothing(front: Front) -> None:
    credential = await front.venue.create_key("alice")
    headers = front.sign("GET", "/v1/orders", key=ed25519_key(credential))
    handle = await front.handle("GET", "/v1/orders", headers=headers)
    await front.venue.submit(RevokeKey("alice", credential.key_id))
    assert (await refused_at_edge(front, ((HANDLE, handle),))).reason == "KEY_REVOKED"


async def test_an_order_that_waits_beyond_its_window_is_not_placed(front: Front) -> None:
    body = order()
    handle = await front.handle("POST", "/v1/orders", body, front.sign("POST", "/v1/orders", body))
    # Longer than the receive window, shorter than the life of the handle.
    front.clock.advance(6)
    found = await failure(front.call(ORDERS + "PlaceOrder", limit("r-1"), ((HANDLE, handle),)))
    assert found.reason == "DEADLINE_PASSED"
    assert front.venue.app.state.accounts["alice"].orders == {}


async def test_elsewhere_the_gateways_headers_mean_nothing(
    front: Front, venue: RunningVenue
) -> None:
    handle = await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
    claims = (
        (HANDLE, handle),
        ("x-envoy-original-path", "/v1/orders"),
        ("x-tradewire-client-address", "198.51.100.1"),
    )
    request = order_service_pb2.ListOrdersRequest()
    only_there = await venue.create_key("alice", addresses=["198.51.100.0/24"])
    async with venue.connect() as channel:
        stubs = Stubs(channel)
        found = await failure(stubs.orders.ListOrders(request, metadata=claims, timeout=10))
        assert found.reason == "UNAUTHENTICATED"
        # With a credential of their own they pass as if the headers were not there.
        token = venue.credentials["alice"].metadata
        await stubs.orders.ListOrders(request, metadata=(*claims, *token), timeout=10)
        # And nobody is where they say.
        await sign_in_from(venue, only_there, "198.51.100.1", front)
        metadata = (*claims, *only_there.metadata)
        found = await failure(stubs.orders.ListOrders(request, metadata=metadata, timeout=10))
        assert found.reason == "ADDRESS_NOT_ALLOWED"
    # The handle was not touched.
    await front.call(ORDERS + "ListOrders", request, ((HANDLE, handle),))


async def sign_in_from(
    venue: RunningVenue, credential: Credential, address: str, front: Front
) -> None:
    """Sign in through the gateway, from an address."""
    request = session_request(credential, "sandbox", now_ns=front.clock())
    metadata = (("x-tradewire-client-address", address),)
    response = await Stubs(front.edge).sessions.CreateSession(
        request, metadata=metadata, timeout=10
    )
    credential.token = response.token
