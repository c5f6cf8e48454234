"""Signing in, staying signed in, and clocks that are wrong."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import tradewire_client as tw
from tradewire.v1 import account_service_pb2, order_service_pb2, session_service_pb2
from tradewire_client._signing import encode_signature, session_payload

from tests.unit.client.fake_venue import (
    ENVIRONMENT,
    KEY,
    FakeTime,
    FakeVenue,
    bare_fault,
    fault,
    place_response,
    script,
)


@contextlib.asynccontextmanager
async def served(clock: Any = None, **options: Any) -> AsyncIterator[Any]:
    clock = clock or FakeTime()
    async with FakeVenue() as venue:
        venue.clock_ms = lambda: clock.wall_ms
        venue.on(
            GetAccount=lambda request, context: account_service_pb2.GetAccountResponse(),
            PlaceOrder=place_response,
        )
        async with venue.client(world=clock.world(), **options) as client:
            yield venue, client, clock


async def test_opening_the_client_signs_in_with_the_published_string() -> None:
    async with served() as (venue, client, clock):
        (request,) = venue.requests("CreateSession")
        payload = session_payload(
            environment=ENVIRONMENT, timestamp_ms=clock.wall_ms, nonce="0123456789abcdef"
        )
        assert request.signature.api_key == "tw_test"
        assert request.signature.timestamp_ms == clock.wall_ms
        assert request.signature.signature == encode_signature(KEY.sign(payload))
        assert (client.session.account, client.session.scopes) == (
            "demo-1",
            (tw.Scope.READ, tw.Scope.TRADE),
        )


async def test_calls_carry_the_token() -> None:
    async with served() as (venue, client, _):
        await client.account.get()
        assert venue.authorizations[-1] == "Bearer token-1"


async def test_the_environment_is_asked_for_when_it_is_not_given() -> None:
    async with served(environment="") as (venue, client, _):
        assert [name for name, _ in venue.calls] == ["GetServerTime", "CreateSession"]
        assert client.session.environment == ENVIRONMENT


async def test_a_wrong_clock_is_measured_and_the_sign_in_repeated() -> None:
    clock = FakeTime()
    async with FakeVenue() as venue:
        venue.clock_ms = lambda: clock.wall_ms + 7_000
        create = venue.handlers["CreateSession"]
        venue.on(CreateSession=script(fault("TIMESTAMP_OUT_OF_WINDOW"), create))
        async with venue.client(world=clock.world()) as client:
            first, second = venue.requests("CreateSession")
            assert second.signature.timestamp_ms - first.signature.timestamp_ms == 7_000
            assert client.session.clock_offset_ms == 7_000


async def test_a_clock_that_cannot_be_trusted_ends_in_the_venues_error() -> None:
    async with FakeVenue() as venue:
        venue.on(CreateSession=script(*[fault("TIMESTAMP_OUT_OF_WINDOW")] * 4))
        with pytest.raises(tw.AuthenticationError) as caught:
            async with venue.client(world=FakeTime().world()):
                pass
        assert caught.value.reason is tw.Reason.TIMESTAMP_OUT_OF_WINDOW
        assert len(venue.requests("GetServerTime")) == 3


async def test_a_venue_that_has_just_started_is_given_a_moment() -> None:
    clock = FakeTime()
    async with FakeVenue() as venue:
        venue.clock_ms = lambda: clock.wall_ms
        create = venue.handlers["CreateSession"]
        started_ms = clock.wall_ms

        def create_late(request: Any, context: Any) -> Any:
            if request.signature.timestamp_ms < started_ms + 1000:
                raise fault("TIMESTAMP_OUT_OF_WINDOW")
            return create(request, context)

        venue.on(CreateSession=create_late)
        async with venue.client(world=clock.world()) as client:
            assert client.session.account == "demo-1"
        assert clock.sleeps == [0.5, 1.0]


async def test_a_venue_of_another_environment_is_noticed() -> None:
    async with FakeVenue() as venue:
        venue.on(CreateSession=script(fault("TIMESTAMP_OUT_OF_WINDOW")))
        with pytest.raises(tw.ConfigurationError, match="the venue is 'sandbox'"):
            async with venue.client(environment="production"):
                pass


@pytest.mark.parametrize("name", ["SIGNATURE_INVALID", "KEY_REVOKED", "ADDRESS_NOT_ALLOWED"])
async def test_a_refused_sign_in_is_not_repeated(name: Any) -> None:
    async with FakeVenue() as venue:
        venue.on(CreateSession=script(fault(name)))
        with pytest.raises(tw.Refused) as caught:
            async with venue.client():
                pass
        assert caught.value.reason_name == name
        assert len(venue.requests("CreateSession")) == 1


async def test_every_attempt_to_sign_in_is_signed_anew() -> None:
    nonces = iter(["a" * 16, "b" * 16])
    world = tw.World(nonce=lambda: next(nonces))
    async with FakeVenue() as venue:
        create = venue.handlers["CreateSession"]
        venue.on(CreateSession=script(fault("OVERLOADED"), create))
        async with venue.client(world=world):
            used = [request.signature.nonce for request in venue.requests("CreateSession")]
            assert used == ["a" * 16, "b" * 16]


async def test_a_token_is_renewed_before_it_ends_and_beside_the_call() -> None:
    async with served() as (venue, client, clock):
        clock.pass_time(719)
        await client.account.get()
        assert venue.tokens_made == 1
        clock.pass_time(2)
        await client.account.get()
        assert "Bearer token-1" in venue.authorizations[-2:]
        await _renewal(client)
        await client.account.get()
        assert venue.authorizations[-1] == "Bearer token-2"


async def test_a_token_that_has_ended_is_waited_for() -> None:
    async with served() as (venue, client, clock):
        clock.pass_time(10_000)
        await client.account.get()
        assert venue.authorizations[-1] == "Bearer token-2"


async def test_many_calls_that_need_a_token_sign_in_once() -> None:
    async with served() as (venue, client, clock):
        clock.pass_time(10_000)
        await asyncio.gather(*(client.account.get() for _ in range(20)))
        assert venue.tokens_made == 2


@pytest.mark.parametrize("name", ["TOKEN_EXPIRED", "TOKEN_INVALID"])
async def test_a_token_that_the_venue_no_longer_takes_is_replaced_and_the_call_repeated(
    name: Any,
) -> None:
    async with served() as (venue, client, _):
        venue.on(PlaceOrder=script(fault(name), place_response))
        order = await client.orders.place(
            symbol="BTC-USD", side="buy", type="limit", quantity="1", price="1"
        )
        first, second = venue.requests("PlaceOrder")
        assert order.client_order_id == first.client_order_id == second.client_order_id
        assert venue.tokens_made == 2


async def test_many_calls_with_a_token_that_is_refused_sign_in_once() -> None:
    async with served() as (venue, client, _):
        old = "Bearer token-1"

        def get_account(request: Any, context: Any) -> Any:
            if dict(context.invocation_metadata())["authorization"] == old:
                raise fault("TOKEN_INVALID")
            return account_service_pb2.GetAccountResponse()

        venue.on(GetAccount=get_account)
        await asyncio.gather(*(client.account.get() for _ in range(20)))
        assert venue.tokens_made == 2


async def test_a_fresh_token_that_is_refused_is_an_answer() -> None:
    async with served() as (venue, client, _):
        venue.on(GetAccount=script(*[fault("TOKEN_INVALID")] * 2))
        with pytest.raises(tw.AuthenticationError):
            await client.account.get()
        assert venue.tokens_made == 2


async def test_a_renewal_that_fails_is_not_noticed_while_the_token_lasts() -> None:
    async with served() as (venue, client, clock):
        venue.on(CreateSession=script(*[fault("KEY_REVOKED")] * 2))
        clock.pass_time(800)
        await client.account.get()
        await _renewal(client)
        await client.account.get()
        await client.account.get()
        assert len(venue.requests("CreateSession")) == 2, "the next try waits a while"
        clock.pass_time(1000)
        with pytest.raises(tw.AuthenticationError):
            await client.account.get()


async def test_who_stops_waiting_does_not_take_the_sign_in_from_others() -> None:
    async with served() as (_, client, clock):
        clock.pass_time(10_000)
        impatient = asyncio.create_task(client.account.get())
        patient = asyncio.create_task(client.account.get())
        await asyncio.sleep(0)
        impatient.cancel()
        await patient
        assert impatient.cancelled()


async def test_without_a_key_public_calls_work_and_carry_nothing() -> None:
    async with FakeVenue() as venue:
        async with venue.client(key=None) as client:
            assert (await client.session.server_time()).environment == ENVIRONMENT
        assert venue.authorizations == [""]


# --- tickets --------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def guest(ticket: Any, **options: Any) -> AsyncIterator[Any]:
    clock = FakeTime()
    async with FakeVenue() as venue:
        venue.clock_ms = lambda: clock.wall_ms
        venue.on(GetAccount=lambda request, context: account_service_pb2.GetAccountResponse())
        client = venue.client(world=clock.world(), key=None, ticket=ticket, **options)
        try:
            yield venue, client, clock
        finally:
            await client.close()


async def test_a_ticket_is_made_with_the_scopes_that_are_asked_for() -> None:
    async with served() as (venue, client, _):

        def create_ticket(request: Any, context: Any) -> Any:
            response = session_service_pb2.CreateTicketResponse(ticket="the-ticket")
            response.expire_time.FromMilliseconds(1_760_000_030_000)
            return response

        venue.on(CreateTicket=create_ticket)
        made = await client.create_ticket(scopes=["read", tw.Scope.TRADE])
        (request,) = venue.requests("CreateTicket")
        assert list(request.scopes) == [tw.Scope.READ, tw.Scope.TRADE]
        assert venue.authorizations[-1] == "Bearer token-1"
        assert made.ticket == "the-ticket"
        assert made.expire_time.isoformat() == "2025-10-09T08:53:50+00:00"


async def test_a_ticket_signs_in_without_a_key_and_a_clock() -> None:
    async with guest("one") as (venue, client, _):
        await client.account.get()
        assert [name for name, _ in venue.calls] == ["CreateSession", "GetAccount"]
        (request,) = venue.requests("CreateSession")
        assert (request.WhichOneof("proof"), request.ticket) == ("ticket", "one")
        assert client.session.account == "demo-1"
        assert client.session.environment == ENVIRONMENT


async def test_a_client_of_one_ticket_ends_with_its_session() -> None:
    async with guest("one") as (venue, client, clock):
        await client.account.get()
        clock.pass_time(venue.token_life_s * 0.9)
        await client.account.get()
        clock.pass_time(venue.token_life_s * 0.1)
        with pytest.raises(tw.ConfigurationError, match="used up"):
            await client.account.get()
        assert len(venue.requests("CreateSession")) == 1


async def test_a_client_that_can_get_tickets_gets_one_for_each_session() -> None:
    numbers = itertools.count(1)

    async def get() -> str:
        return f"ticket-{next(numbers)}"

    async with guest(get) as (venue, client, clock):
        await client.account.get()
        clock.pass_time(venue.token_life_s)
        await client.account.get()
        assert [request.ticket for request in venue.requests("CreateSession")] == [
            "ticket-1",
            "ticket-2",
        ]


async def test_a_ticket_that_never_arrived_is_tried_again() -> None:
    async with guest("one") as (venue, client, _):
        default = venue.handlers["CreateSession"]
        venue.on(CreateSession=script(bare_fault(grpc.StatusCode.UNAVAILABLE), default))
        await client.account.get()
        assert [request.ticket for request in venue.requests("CreateSession")] == ["one", "one"]


async def test_a_ticket_that_is_refused_is_not_tried_again() -> None:
    async with guest("one") as (venue, client, _):
        venue.on(CreateSession=script(fault("TICKET_INVALID")))
        with pytest.raises(tw.AuthenticationError) as refused:
            await client.account.get()
        assert refused.value.reason is tw.Reason.TICKET_INVALID
        assert len(venue.requests("CreateSession")) == 1


async def test_a_ticket_of_another_environment_is_noticed() -> None:
    async with guest("one", environment="production") as (_, client, _clock):
        with pytest.raises(tw.ConfigurationError, match="'production'"):
            await client.account.get()


def test_a_client_has_a_key_or_tickets() -> None:
    with pytest.raises(tw.ConfigurationError, match="either a key or a ticket"):
        tw.Client("127.0.0.1:1", key=KEY, ticket="one")


async def test_an_empty_ticket_is_a_mistake() -> None:
    with pytest.raises(tw.ConfigurationError, match="empty"):
        tw.Client("127.0.0.1:1", ticket="")


async def test_closing_ends_the_session() -> None:
    async with served() as (venue, client, _):
        await client.close()
        assert venue.calls[-1][0] == "EndSession"
        with pytest.raises(tw.ClientClosed):
            await client.account.get()


async def test_a_closed_venue_does_not_keep_the_client_from_closing() -> None:
    async with FakeVenue() as venue:
        client = venue.client()
        await client.__aenter__()
        await venue.stop()
        await client.close()


async def test_the_rate_limit_of_the_last_answer_is_known() -> None:
    async with served() as (venue, client, _):
        assert client.rate_limit is None

        async def get_order(request: Any, context: Any) -> Any:
            await context.send_initial_metadata(
                (
                    ("ratelimit-limit", "100"),
                    ("ratelimit-remaining", "7"),
                    ("ratelimit-reset", "3"),
                )
            )
            if request.client_order_id == "none":
                raise fault("ORDER_NOT_FOUND")
            return order_service_pb2.GetOrderResponse()

        venue.on(GetOrder=get_order)
        await client.orders.get("1")
        assert client.rate_limit == tw.RateLimit(limit=100, remaining=7, reset_ms=3000)


async def _renewal(client: tw.Client) -> None:
    """Wait for the renewal that goes on beside the calls."""
    assert client.session._renewal is not None
    await asyncio.wait({client.session._renewal})
