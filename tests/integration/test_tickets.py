"""Tickets on every way in: made by who has a key, used by who has none."""

import grpc.aio
import pytest
from tradewire.v1 import key_pb2, key_service_pb2, options_pb2, session_service_pb2
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.engine.commands import RevokeKey

from tests.integration.conftest import Floor, LimitedFloor
from tests.support.envoy import RestVenue, rest_venue
from tests.support.failures import failure
from tests.support.front import Front
from tests.support.rest import (
    BearerToken,
    SignedRequests,
    ed25519_key,
    failure_of_response,
    rest_client,
)
from tests.support.trading import Trader, limit
from tests.support.venue import Credential, Stubs

__all__ = ["rest_venue"]

READ, TRADE = options_pb2.SCOPE_READ, options_pb2.SCOPE_TRADE
LIFE_S = 30


async def make(floor: Floor, *scopes: options_pb2.Scope.ValueType, token: str = "") -> str:
    """Make a ticket of alice, or of whoever has the token."""
    metadata = (("authorization", f"Bearer {token or floor.alice.credential.token}"),)
    request = session_service_pb2.CreateTicketRequest(scopes=scopes)
    answer = await floor.stubs.sessions.CreateTicket(request, metadata=metadata, timeout=5)
    left_s = (answer.expire_time.ToNanoseconds() - floor.clock()) / 10**9
    assert 0 < left_s <= LIFE_S
    return answer.ticket


async def use(floor: Floor, ticket: str) -> session_service_pb2.CreateSessionResponse:
    """Begin the session of a ticket."""
    request = session_service_pb2.CreateSessionRequest(ticket=ticket)
    return await floor.stubs.sessions.CreateSession(request, timeout=5)


def guest(floor: Floor, session: session_service_pb2.CreateSessionResponse) -> Trader:
    """Return a trader with the token of a session."""
    alice = floor.alice.credential
    token = session.token
    return Trader(floor.stubs, Credential("alice", alice.key_id, alice.private_key, token))


async def test_a_ticket_begins_a_session_for_who_has_no_key(floor: Floor) -> None:
    session = await use(floor, await make(floor))
    assert session.account == "alice"
    assert session.environment == "sandbox"
    assert set(session.scopes) == {READ, TRADE, options_pb2.SCOPE_TRANSFER}
    order = (await guest(floor, session).place(limit("a-1"))).order
    assert order.client_order_id == "a-1"


async def test_a_ticket_gives_no_more_than_was_asked_for(floor: Floor) -> None:
    session = await use(floor, await make(floor, READ))
    assert list(session.scopes) == [READ]
    reader = guest(floor, session)
    assert (await reader.orders()).as_of_sequence == 0
    assert (await failure(reader.place(limit("a-1")))).reason == "SCOPE_MISSING"


async def test_a_ticket_cannot_give_what_its_maker_has_not(floor: Floor) -> None:
    refused = await failure(make(floor, READ, options_pb2.SCOPE_ADMIN))
    assert (refused.reason, refused.outcome) == ("SCOPE_NOT_GRANTABLE", "refused")
    assert "admin" in refused.text


async def test_a_session_of_a_ticket_makes_no_tickets(floor: Floor) -> None:
    session = await use(floor, await make(floor))
    refused = await failure(make(floor, READ, token=session.token))
    assert refused.reason == "SCOPE_NOT_GRANTABLE"


async def test_a_session_of_a_ticket_makes_no_keys(floor: Floor) -> None:
    session = await use(floor, await make(floor))
    metadata, keys = (("authorization", f"Bearer {session.token}"),), floor.stubs.keys
    created = key_service_pb2.CreateKeyRequest(
        algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256, scopes=[READ]
    )
    refused = await failure(keys.CreateKey(created, metadata=metadata, timeout=5))
    assert (refused.reason, refused.outcome) == ("SCOPE_NOT_GRANTABLE", "refused")
    rotated = key_service_pb2.RotateKeyRequest(api_key=floor.alice.credential.key_id)
    refused = await failure(keys.RotateKey(rotated, metadata=metadata, timeout=5))
    assert refused.reason == "SCOPE_NOT_GRANTABLE"


async def test_a_key_that_operates_the_venue_has_no_tickets(floor: Floor) -> None:
    credential = await floor.venue.create_key("alice", frozenset({"admin", "read"}))
    await floor.venue.sign_in(credential, target=floor.venue.admin_target)
    async with grpc.aio.insecure_channel(floor.venue.admin_target) as channel:
        call = Stubs(channel).sessions.CreateTicket
        request = session_service_pb2.CreateTicketRequest(scopes=[READ])
        refused = await failure(call(request, metadata=credential.metadata, timeout=5))
    assert refused.reason == "SCOPE_NOT_GRANTABLE"


async def test_what_is_used_old_or_guessed_is_not_told_apart(floor: Floor) -> None:
    used, old = await make(floor), await make(floor)
    await use(floor, used)
    floor.clock.advance(LIFE_S)
    answers = [await failure(use(floor, ticket)) for ticket in (used, old, "A" * 43)]
    assert answers[0] == answers[1] == answers[2]
    assert (answers[0].reason, answers[0].outcome) == ("TICKET_INVALID", "refused")


async def test_ending_a_session_ends_its_tickets_and_not_their_sessions(floor: Floor) -> None:
    token = floor.alice.credential.token
    begun = guest(floor, await use(floor, await make(floor)))
    unused = await make(floor)
    metadata = (("authorization", f"Bearer {token}"),)
    await floor.stubs.sessions.EndSession(
        session_service_pb2.EndSessionRequest(), metadata=metadata, timeout=5
    )
    assert (await failure(use(floor, unused))).reason == "TICKET_INVALID"
    assert (await begun.orders()).as_of_sequence == 0


async def test_revoking_the_key_ends_tickets_sessions_and_streams(floor: Floor) -> None:
    session = guest(floor, await use(floor, await make(floor)))
    unused = await make(floor)
    async with session.enter() as entry:
        await entry.do(limit("a-1"))
        await floor.venue.submit(RevokeKey("alice", floor.alice.credential.key_id))
        tape = await entry.to_end()
    assert tape.closed.reason == "CREDENTIAL_ENDED"
    assert (await failure(session.orders())).reason == "KEY_REVOKED"
    assert (await failure(use(floor, unused))).reason == "KEY_REVOKED"


async def test_a_ticket_is_used_from_the_addresses_of_its_key(floor: Floor) -> None:
    credential = await floor.venue.create_key(
        "alice", frozenset({"read"}), addresses=("127.0.0.0/8", "192.0.2.7/32")
    )
    await floor.venue.sign_in(credential)
    async with grpc.aio.insecure_channel(floor.venue.target) as channel:
        call = Stubs(channel).sessions.CreateTicket
        request = session_service_pb2.CreateTicketRequest()
        ticket = (await call(request, metadata=credential.metadata, timeout=5)).ticket
    if floor.kind == "network":
        assert (await use(floor, ticket)).account == "alice"
        return
    begin = session_service_pb2.CreateSessionRequest(ticket=ticket)
    elsewhere = (("x-tradewire-client-address", "192.0.2.8"),)
    refused = await failure(floor.stubs.sessions.CreateSession(begin, metadata=elsewhere))
    assert refused.reason == "ADDRESS_NOT_ALLOWED"
    there = (("x-tradewire-client-address", "192.0.2.7"),)
    refused = await failure(floor.stubs.sessions.CreateSession(begin, metadata=there))
    assert refused.reason == "TICKET_INVALID"


async def test_who_tries_tickets_waits(limited: LimitedFloor) -> None:
    policy = LimitPolicy(sign_in_failures_per_address=Gcra(1, 3, 60))
    async with limited(policy) as floor:
        ticket = await make(floor)
        reasons = [(await failure(use(floor, "A" * 43))).reason for _ in range(4)]
        assert reasons == ["TICKET_INVALID"] * 3 + ["RATE_LIMITED"]
        # Those who are in go on. The ticket waits, too, and is not used up by that.
        assert (await floor.alice.orders()).as_of_sequence == 0
        refused = await failure(use(floor, ticket))
        assert refused.reason == "RATE_LIMITED"
        assert int(refused.metadata["retry_after_ms"]) > 0


# --- REST -----------------------------------------------------------------------------------------


async def test_a_signed_request_makes_a_ticket(front: Front) -> None:
    handle = await front.handle(
        "POST", "/v1/sessions:ticket", b"{}", front.sign("POST", "/v1/sessions:ticket", b"{}")
    )
    path = "/tradewire.v1.SessionService/CreateTicket"
    request = session_service_pb2.CreateTicketRequest()
    made = await front.call(path, request, (("x-tradewire-handle", handle),))
    assert len(made.ticket) == 43


@pytest.mark.asyncio(loop_scope="module")
async def test_a_ticket_over_rest(rest_venue: RestVenue) -> None:
    signed = SignedRequests(ed25519_key(rest_venue.alice))
    async with rest_client(rest_venue.url, signed) as client:
        made = await client.post("/v1/sessions:ticket", json={"scopes": ["SCOPE_READ"]})
    assert made.status_code == 200, made.text
    ticket = {"ticket": made.json()["ticket"]}
    async with rest_client(rest_venue.url) as stranger:
        begun = await stranger.post("/v1/sessions", json=ticket)
        assert begun.status_code == 200, begun.text
        assert begun.json()["scopes"] == ["SCOPE_READ"]
        again = await stranger.post("/v1/sessions", json=ticket)
    assert again.status_code == 401
    assert failure_of_response(again).reason == "TICKET_INVALID"
    async with rest_client(rest_venue.url, BearerToken(begun.json()["token"])) as reader:
        assert (await reader.get("/v1/orders")).status_code == 200
        chained = await reader.post("/v1/sessions:ticket", json={})
        assert failure_of_response(chained).reason == "SCOPE_NOT_GRANTABLE"
