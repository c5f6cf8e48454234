"""Signing a WebSocket connection in: by login, bearer and ticket; renewal, expiry, revocation."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf import json_format
from tradewire.v1 import key_service_pb2, session_service_pb2
from tradewire_gateway.ws.credential import Credential as CallCredential
from websockets.exceptions import InvalidStatus

from tests.support.venue import Clock, Credential, RunningVenue, Stubs, session_request
from tests.support.ws import GatewayEdge, RpcError, WsClient, gateway_beside, order, reason_of

BALANCES = "account.balances"


@pytest.fixture
async def edge(venue: RunningVenue) -> AsyncIterator[GatewayEdge]:
    """Run a gateway in the venue's process."""
    async with gateway_beside(venue) as edge:
        yield edge


@pytest.fixture
def alice(venue: RunningVenue) -> Credential:
    """Return the key of alice."""
    return venue.credentials["alice"]


async def reason_for(client: WsClient, method: str, params: Any = None) -> str:
    """Return the reason for which a request is refused."""
    with pytest.raises(RpcError) as caught:
        await client.call(method, params)
    return caught.value.reason


async def refused(edge: GatewayEdge, query: str = "", **options: Any) -> tuple[int, str]:
    """Return HTTP status and reason of an upgrade that is refused."""
    with pytest.raises(InvalidStatus) as caught:
        async with WsClient.connect(f"{edge.url}{query}", **options):
            pass
    return caught.value.response.status_code, reason_of(
        json.loads(caught.value.response.body or b"")
    )


def bearer(token: str) -> dict[str, str]:
    """Return the header of a token."""
    return {"Authorization": f"Bearer {token}"}


async def test_without_sign_in_only_public_methods(edge: GatewayEdge) -> None:
    async with edge.client() as client:
        assert (await client.call("session.time"))["environment"] == "sandbox"
        assert await client.subscribe("marketData.stream", {"symbols": ["BTC-USD"]}) == 1
        for method, params in (
            ("orders.list", {}),
            ("orders.place", order("a")),
            ("orders.cancelAll", {}),
            ("executions.stream", {}),
            ("orders.enter", {}),
        ):
            assert await reason_for(client, method, params) == "UNAUTHENTICATED", method


async def test_login_signs_the_connection_in(edge: GatewayEdge, alice: Credential) -> None:
    async with edge.client() as client:
        session = await client.sign_in(alice)
        assert session["account"] == "alice"
        assert session["token"]
        assert (await client.call("orders.list"))["orders"] == []


async def test_what_comes_behind_a_login_waits_for_it(edge: GatewayEdge, alice: Credential) -> None:
    login = json_format.MessageToDict(session_request(alice, "sandbox"))
    async with edge.client() as client:
        answers = [
            client.ask("session.login", login),
            client.ask("orders.list"),
            client.ask("orders.place", order("a")),
            client.ask("executions.stream", {"afterSequence": 0}),
        ]
        session, listed, placed, stream = [await answer for answer in answers]
        assert session["account"] == "alice"
        assert isinstance(listed["orders"], list)
        assert placed["order"]["clientOrderId"] == "a"
        assert stream == {"subscription": 1}


async def test_failed_login_changes_nothing(edge: GatewayEdge, alice: Credential) -> None:
    wrong = json_format.MessageToDict(session_request(alice, "production"))
    async with edge.client() as client:
        assert await reason_for(client, "session.login", wrong) == "SIGNATURE_INVALID"
        assert await reason_for(client, "orders.list") == "UNAUTHENTICATED"
        await client.sign_in(alice)
        assert await reason_for(client, "session.login", wrong) == "SIGNATURE_INVALID"
        assert (await client.call("orders.list"))["orders"] == []


async def test_another_account_needs_another_connection(
    edge: GatewayEdge, venue: RunningVenue, alice: Credential
) -> None:
    async with edge.client(alice) as client:
        other = json_format.MessageToDict(session_request(venue.credentials["bob"], "sandbox"))
        assert await reason_for(client, "session.login", other) == "CONNECTION_IN_USE"
        placed = await client.call("orders.place", order("a"))
        assert placed["order"]["account"] == "alice"
    async with edge.client(headers=bearer(alice.token)) as client:
        other = json_format.MessageToDict(session_request(venue.credentials["bob"], "sandbox"))
        assert await reason_for(client, "session.login", other) == "CONNECTION_IN_USE"


async def test_bearer_on_the_upgrade(edge: GatewayEdge, alice: Credential) -> None:
    async with edge.client(headers=bearer(alice.token)) as client:
        placed = await client.call("orders.place", order("a"))
        assert placed["order"]["account"] == "alice"
        # Renewed by a login.
        await client.sign_in(alice)
    async with edge.client(headers=bearer("nonsense")) as client:
        assert await reason_for(client, "orders.list") == "TOKEN_INVALID"
        assert await reason_for(client, "orders.place", order("b")) == "TOKEN_INVALID"
    assert await refused(edge, headers={"Authorization": "Basic x"}) == (401, "UNAUTHENTICATED")


async def test_ticket_is_good_once(edge: GatewayEdge, alice: Credential) -> None:
    async with edge.client(alice) as client:
        first, second = [(await client.call("session.ticket"))["ticket"] for _ in range(2)]
    async with WsClient.connect(f"{edge.url}?ticket={first}") as client:
        placed = await client.call("orders.place", order("a"))
        assert placed["order"]["account"] == "alice"
        # A ticket also logs in; a used one does neither.
        assert (await client.call("session.login", ticket=second))["account"] == "alice"
        for used in (first, second):
            assert await reason_for(client, "session.login", {"ticket": used}) == "TICKET_INVALID"
    for ticket in (first, second, "nonsense"):
        assert await refused(edge, f"?ticket={ticket}") == (401, "TICKET_INVALID")
    assert (await refused(edge, "?ticket="))[0] == 400
    assert await refused(edge, "?ticket=a&ticket=b") == (401, "UNAUTHENTICATED")
    both = await refused(edge, "?ticket=a", headers=bearer(alice.token))
    assert both == (401, "UNAUTHENTICATED")


async def test_upgrade_with_what_would_be_ignored_is_refused(
    edge: GatewayEdge, alice: Credential
) -> None:
    async with edge.client(alice) as client:
        ticket = (await client.call("session.ticket"))["ticket"]
    for query, headers, text in (
        (f"?token={alice.token[:40]}", {}, "token is not it"),
        (f"?ticket={ticket}&x-y=", {}, "x-y is not it"),
        (f"?Ticket={ticket}", {}, "Ticket is not it"),
        ("?" + "&".join("abcdefghijklmnopqr"), {}, "more than 16"),
        ("?a%0A%C3%A9", {}, "a\\n"),
        ("", {"X-Api-Key": alice.key_id}, "is not signed"),
        (f"?ticket={ticket}", {"x-api-signature": "a"}, "is not signed"),
    ):
        with pytest.raises(InvalidStatus) as caught:
            async with WsClient.connect(f"{edge.url}{query}", headers=headers):
                pass
        response = caught.value.response
        status = json.loads(response.body or b"")
        assert (response.status_code, reason_of(status)) == (400, "MESSAGE_MALFORMED")
        assert text in status["message"], status["message"]
        if "16" not in text:
            for way in ("authorization: Bearer", "`ticket`", "session.login"):
                assert way in status["message"]
    # None of them has used the ticket up.
    async with WsClient.connect(f"{edge.url}?ticket={ticket}") as client:
        assert (await client.call("orders.list"))["orders"] == []


async def test_ticket_is_not_used_up_by_a_page_that_may_not_connect(
    edge: GatewayEdge, alice: Credential
) -> None:
    async with edge.client(alice) as client:
        ticket = (await client.call("session.ticket"))["ticket"]
    hostile = await refused(edge, f"?ticket={ticket}", origin="https://evil.example")
    assert hostile == (403, "ORIGIN_NOT_ALLOWED")
    async with WsClient.connect(f"{edge.url}?ticket={ticket}") as client:
        assert (await client.call("orders.list"))["orders"] == []


async def test_expired_token_refuses_calls_and_leaves_streams(
    edge: GatewayEdge, clock: Clock, alice: Credential, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with edge.client(alice) as client:
        stream = await client.subscribe("executions.stream")
        await client.call("orders.place", order("a"))
        clock.advance(16 * 60)
        monkeypatch.setattr("tradewire_gateway.ws.credential.time.time", lambda: clock() / 1e9)
        for method, params in (
            ("orders.place", order("b")),
            ("orders.cancelAll", {}),
            ("orders.list", {}),
        ):
            assert await reason_for(client, method, params) == "TOKEN_EXPIRED", method
        login = session_request(alice, "sandbox", now_ns=clock())
        await client.call("session.login", json_format.MessageToDict(login))
        await client.call("orders.place", order("c"))
        await client.expect(lambda each: '"c"' in json.dumps(each))
        ids = [
            execution["order"]["clientOrderId"]
            for message in client.messages(stream)
            for execution in message.get("batch", {}).get("executions", [])
        ]
        assert ids == ["a", "c"]


async def test_revoked_key_ends_the_connection(
    edge: GatewayEdge, venue: RunningVenue, alice: Credential
) -> None:
    key = await venue.create_key("alice")
    for method, params in (("executions.stream", {}), ("orders.place", order("a"))):
        async with edge.client(key) as client, edge.client(alice) as other:
            await client.call(method, params)
            async with venue.connect() as channel:
                await Stubs(channel).keys.RevokeKey(
                    key_service_pb2.RevokeKeyRequest(api_key=key.key_id), metadata=alice.metadata
                )
            closing = await client.notified("connection.closing")
            assert reason_of(closing["status"]) == "CREDENTIAL_ENDED"
            assert await client.closed() == (1008, "CREDENTIAL_ENDED")
            assert (await other.call("orders.list")) is not None
        key = await venue.create_key("alice")


async def test_key_that_was_revoked_before_anything_was_asked_ends_the_connection(
    edge: GatewayEdge, venue: RunningVenue, alice: Credential
) -> None:
    for method, params in (
        ("orders.list", {}),
        ("orders.place", order("a")),
        ("executions.stream", {}),
        ("orders.enter", {}),
    ):
        key = await venue.create_key("alice")
        async with edge.client(key) as client:
            market = await client.subscribe("marketData.stream", {"symbols": ["BTC-USD"]})
            async with venue.connect() as channel:
                await Stubs(channel).keys.RevokeKey(
                    key_service_pb2.RevokeKeyRequest(api_key=key.key_id), metadata=alice.metadata
                )
            assert client.messages(market)
            assert await reason_for(client, method, params) == "KEY_REVOKED", method
            closing = await client.notified("connection.closing")
            assert reason_of(closing["status"]) == "CREDENTIAL_ENDED"
            assert await client.closed() == (1008, "CREDENTIAL_ENDED")


async def test_logout_ends_what_is_private_and_the_connection_goes_on(
    edge: GatewayEdge, venue: RunningVenue, alice: Credential
) -> None:
    async with edge.client() as client:
        market = await client.subscribe("marketData.stream", {"symbols": ["BTC-USD"]})
        await client.sign_in(alice)
        await client.call("orders.place", order("a"))
        stream = await client.subscribe("executions.stream")
        entry = await client.subscribe("orders.enter", {})
        answers = [
            client.ask("session.logout"),
            client.ask("orders.list"),
            client.ask("orders.place", order("b")),
            client.ask("executions.stream"),
        ]
        assert await answers[0] == {}
        for answer in answers[1:]:
            with pytest.raises(RpcError) as caught:
                await answer
            assert caught.value.reason == "UNAUTHENTICATED"
        for number in (stream, entry):
            closed = await client.expect(
                lambda each, number=number: (
                    each["method"] == "subscription.closed"
                    and each["params"]["subscription"] == number
                )
            )
            assert "status" not in closed["params"]
            assert reason_of(client.messages(number)[-1]["closing"]["status"]) == "CREDENTIAL_ENDED"
        # Somebody else may come now, with a stream of orders of their own.
        await client.sign_in(venue.credentials["bob"])
        placed = await client.call("orders.place", order("c", price="101"))
        assert placed["order"]["account"] == "bob"
        await client.expect(
            lambda each: each["params"].get("subscription") == market and '"101' in json.dumps(each)
        )


async def test_logout_ends_streams_of_a_session_that_was_renewed(
    edge: GatewayEdge, alice: Credential
) -> None:
    async with edge.client(alice) as client:
        stream = await client.subscribe("executions.stream")
        await client.sign_in(alice)
        await client.call("session.logout")
        closed = await client.notified("subscription.closed")
        assert closed["subscription"] == stream
        assert reason_of(closed["status"]) == "CREDENTIAL_ENDED"
        assert await reason_for(client, "orders.list") == "UNAUTHENTICATED"


async def test_sign_in_that_may_do_something_else_is_refused_and_leaves_no_session(
    edge: GatewayEdge, venue: RunningVenue, alice: Credential, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    of_session = CallCredential.of_session

    def noting(session: session_service_pb2.CreateSessionResponse) -> CallCredential:
        made.append(session.token)
        return of_session(session)

    monkeypatch.setattr(CallCredential, "of_session", noting)
    other_key = session_request(await venue.create_key("alice"), "sandbox")
    bob = session_request(venue.credentials["bob"], "sandbox")
    async with edge.client(alice) as client:
        ticket = (await client.call("session.ticket", scopes=["SCOPE_READ"]))["ticket"]
        for params in (
            json_format.MessageToDict(other_key),
            json_format.MessageToDict(bob),
            {"ticket": ticket},
        ):
            assert await reason_for(client, "session.login", params) == "CONNECTION_IN_USE"
            async with edge.client(headers=bearer(made[-1])) as left:
                assert await reason_for(left, "orders.list") == "TOKEN_INVALID"
        assert (await client.call("orders.place", order("a")))["order"]["account"] == "alice"
        await client.sign_in(alice)
        async with edge.client(headers=bearer(made[-1])) as renewed:
            assert await renewed.call("orders.list")
        assert len(set(made)) == 5


async def test_scope_is_needed(edge: GatewayEdge, venue: RunningVenue) -> None:
    reader = await venue.create_key("alice", frozenset({"read"}))
    async with edge.client(reader) as client:
        assert (await client.call("orders.list"))["orders"] == []
        assert await reason_for(client, "orders.place", order("a")) == "SCOPE_MISSING"
        assert await reason_for(client, "orders.enter", {}) == "SCOPE_MISSING"


async def test_address_of_the_client_counts_at_the_venue(
    edge: GatewayEdge, venue: RunningVenue
) -> None:
    key = await venue.create_key("alice", addresses=["192.0.2.1/32"])
    async with edge.client_at("192.0.2.1", key) as client:
        assert (await client.call("orders.list"))["orders"] == []
    login = json_format.MessageToDict(session_request(key, "sandbox"))
    async with edge.client_at("192.0.2.2") as client:
        assert await reason_for(client, "session.login", login) == "ADDRESS_NOT_ALLOWED"
    login = json_format.MessageToDict(session_request(key, "sandbox"))
    async with edge.client(headers={"x-tradewire-client-address": "192.0.2.1"}) as client:
        assert await reason_for(client, "session.login", login) == "ADDRESS_NOT_ALLOWED"
