"""Who may call what: every method of the contract, none by name, so that none is forgotten."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from tradewire.v1 import order_service_pb2, session_service_pb2
from tradewire_contract import Method, methods
from tradewire_server.engine.commands import CreateAccount, RevokeKey

from tests.integration.conftest import Floor
from tests.support.contract_calls import ADMIN_SERVICE, call
from tests.support.failures import Failure, failure, failure_of, failure_of_call
from tests.support.samples import Things, samples
from tests.support.trading import Trader, cancel, limit
from tests.support.venue import Credential, RunningVenue, Stubs

PUBLIC = [method for method in methods().values() if method.service != ADMIN_SERVICE]
ADMIN = [method for method in methods().values() if method.service == ADMIN_SERVICE]
SCOPES = ("read", "trade", "transfer", "quote")
REFUSALS = ("UNAUTHENTICATED", "SCOPE_MISSING")


@pytest.fixture(params=["network", "in_process"])
async def channel(
    request: pytest.FixtureRequest, venue: RunningVenue
) -> AsyncIterator[grpc.aio.Channel]:
    async with venue.connect(request.param) as channel:
        yield channel


async def refusal(channel: grpc.aio.Channel, method: Method, credential: Credential | None) -> str:
    """Call a method with an empty request and return why it was refused, if it was."""
    metadata = credential.metadata if credential is not None else ()
    try:
        await call(channel, method, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return failure_of_call(error).reason
    return ""


async def key(venue: RunningVenue, account: str, *scopes: str, **options: Any) -> Credential:
    """Make a key and sign in with it."""
    credential = await venue.create_key(account, frozenset(scopes), **options)
    target = venue.admin_target if "admin" in scopes else ""
    await venue.sign_in(credential, target=target)
    return credential


def test_the_contract_has_methods_of_every_kind() -> None:
    assert len(PUBLIC) >= 25
    assert len(ADMIN) >= 14
    assert {method.scope for method in ADMIN} == {"admin"}
    assert {method.scope for method in PUBLIC} >= {"public", "read", "trade", "transfer"}


async def test_without_a_credential_only_public_methods_answer(channel: grpc.aio.Channel) -> None:
    for method in PUBLIC:
        reason = await refusal(channel, method, None)
        if method.scope == "public":
            assert reason not in REFUSALS, method.path
        else:
            assert reason == "UNAUTHENTICATED", method.path


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_opens_its_methods_and_no_others(
    venue: RunningVenue, channel: grpc.aio.Channel, scope: str
) -> None:
    venue.app.limiter.set_exempt("alice", True)
    for method in PUBLIC:
        # A key for each, since some methods end their session or their key.
        credential = await key(venue, "alice", scope)
        reason = await refusal(channel, method, credential)
        if method.scope in ("public", scope):
            assert reason not in REFUSALS, method.path
        else:
            assert reason == "SCOPE_MISSING", method.path
        await revoke(venue, credential)


async def revoke(venue: RunningVenue, credential: Credential) -> None:
    await venue.submit(RevokeKey(credential.account, credential.key_id))


async def test_a_missing_scope_is_named(floor: Floor) -> None:
    reader = Trader(floor.stubs, await key(floor.venue, "alice", "read"))
    missing = await failure(reader.place(limit("a-1")))
    assert missing.reason == "SCOPE_MISSING"
    assert missing.metadata == {"required": "trade", "granted": "read"}


async def test_an_admin_key_is_of_no_use_where_the_public_can_reach_it(
    venue: RunningVenue, channel: grpc.aio.Channel
) -> None:
    everything = await key(venue, "admin", "admin", *SCOPES)
    for credential in (venue.credentials["admin"], everything):
        for method in PUBLIC:
            reason = await refusal(channel, method, credential)
            if method.scope != "public":
                assert reason == "SCOPE_MISSING", method.path


async def test_admin_methods_do_not_exist_on_the_public_listener(
    venue: RunningVenue, channel: grpc.aio.Channel
) -> None:
    for method in ADMIN:
        for credential in (None, venue.credentials["alice"], venue.credentials["admin"]):
            assert await refusal(channel, method, credential) == "METHOD_NOT_FOUND", method.path


async def test_on_the_admin_listener_only_the_admin_scope_counts(venue: RunningVenue) -> None:
    venue.app.limiter.set_exempt("admin", True)
    alice, admin = venue.credentials["alice"], venue.credentials["admin"]
    async with grpc.aio.insecure_channel(venue.admin_target) as channel:
        for method in ADMIN:
            assert await refusal(channel, method, None) == "UNAUTHENTICATED", method.path
            assert await refusal(channel, method, alice) == "SCOPE_MISSING", method.path
            assert await refusal(channel, method, admin) not in REFUSALS, method.path
        sessions = "tradewire.v1.SessionService"
        for method in PUBLIC:
            if method.service != sessions:
                assert await refusal(channel, method, alice) == "METHOD_NOT_FOUND", method.path


async def test_what_the_contract_does_not_have_does_not_exist(channel: grpc.aio.Channel) -> None:
    for path in (
        "/tradewire.v1.OrderService/Nonsense",
        "/tradewire.v1.Nonsense/PlaceOrder",
        "/tradewire.v2.OrderService/PlaceOrder",
        "/grpc.channelz.v1.Channelz/GetServers",
    ):
        missing = await unknown(channel, path)
        assert missing.reason == "METHOD_NOT_FOUND", path


async def unknown(channel: grpc.aio.Channel, path: str) -> Failure:
    codec: dict[str, Any] = {"request_serializer": bytes, "response_deserializer": bytes}
    as_unary = await failure(channel.unary_unary(path, **codec)(b"", timeout=5))
    stream: Any = channel.stream_stream(path, **codec)(timeout=5)
    assert await failure(stream.read()) == as_unary
    return as_unary


@pytest.fixture
async def things(venue: RunningVenue, channel: grpc.aio.Channel) -> dict[str, Things]:
    """Let alice and bob each have an order and a key, and return what can be named of them."""
    found = {}
    for name in ("alice", "bob"):
        venue.app.limiter.set_exempt(name, True)
        trader = Trader(Stubs(channel), venue.credentials[name])
        order = (await trader.place(limit(f"{name}-1"))).order
        spare = await venue.create_key(name)
        found[name] = Things(
            name, order.order_id, order.client_order_id, spare.key_id, venue.app.clock_ns()
        )
    return found


async def test_somebody_elses_account_does_not_exist(
    venue: RunningVenue, channel: grpc.aio.Channel, things: dict[str, Things]
) -> None:
    """Every method that names an account: whether it is there or not makes no difference."""
    own = samples(things["alice"])
    naming = [method for method in PUBLIC if "account" in method.request.fields_by_name]
    assert len(naming) >= 14
    metadata = venue.credentials["alice"].metadata
    for method in naming:
        texts = set()
        for account in ("bob", "admin", "fees", "nobody"):
            request: Any = own[method.path]
            request.account = account
            refused = await failure(call(channel, method, request, metadata=metadata))
            assert (refused.reason, refused.fields) == ("ACCOUNT_NOT_FOUND", ("account",))
            texts.add(refused.text.replace(account, "X"))
        assert len(texts) == 1, f"{method.path} tells accounts apart"


# What somebody else's id is answered with, by the field that carries it.
OTHERS_IDS = {
    "order_id": "ORDER_NOT_FOUND",
    "original_client_order_id": "ORDER_NOT_FOUND",
    "api_key": "KEY_NOT_FOUND",
}


async def test_somebody_elses_ids_do_not_exist(
    venue: RunningVenue, channel: grpc.aio.Channel, things: dict[str, Things]
) -> None:
    """Every method that takes an id: somebody else's, a closed one's and one of nothing."""
    bob = Trader(Stubs(channel), venue.credentials["bob"])
    closed = (await bob.place(limit("bob-2"))).order
    await bob.cancel(cancel("bob-2"))
    ids = {
        "order_id": [things["bob"].order_id, closed.order_id, "999999999"],
        "original_client_order_id": ["bob-1", "bob-2", "nothing"],
        "client_order_id": ["bob-1", "bob-2", "nothing"],
        "api_key": [things["bob"].key_id, venue.credentials["admin"].key_id, "nothing"],
    }
    before = venue.app.state.state_hash()
    own = samples(things["alice"])
    tried = 0
    for method in PUBLIC:
        if method.scope == "public":
            continue  # nothing is anybody's own there
        for field in set(ids) & {f.name for f in method.request.fields}:
            if field == "client_order_id" and method.name != "GetOrder":
                continue  # there it is the command's own new id
            texts = set()
            for other in ids[field]:
                request: Any = own[method.path]
                setattr(request, field, other)
                refused = await failure(
                    call(channel, method, request, metadata=venue.credentials["alice"].metadata)
                )
                expected = OTHERS_IDS.get(field, "ORDER_NOT_FOUND")
                assert (refused.reason, refused.fields) == (expected, (field,)), method.path
                texts.add(refused.text.replace(other, "X"))
                tried += 1
            assert len(texts) == 1, f"{method.path} tells ids apart"
    assert tried == 3 * 8
    assert venue.app.state.state_hash() == before


async def test_commands_of_a_frame_do_not_reach_somebody_elses_orders(
    venue: RunningVenue, channel: grpc.aio.Channel, things: dict[str, Things]
) -> None:
    alice = Trader(Stubs(channel), venue.credentials["alice"])
    order_id = things["bob"].order_id
    async with alice.enter() as entry:
        results = await entry.do(
            order_service_pb2.CancelOrderRequest(order_id=order_id),
            order_service_pb2.CancelOrderRequest(original_client_order_id="bob-1"),
            order_service_pb2.AmendOrderRequest(
                client_order_id="a-9", order_id=order_id, quantity="2"
            ),
            order_service_pb2.CancelAllOrdersRequest(account="bob"),
            limit("a-10", account="bob"),
            order_service_pb2.CancelAllOrdersRequest(),
        )
    assert [failure_of(result.error).reason for result in results[:5]] == [
        "ORDER_NOT_FOUND",
        "ORDER_NOT_FOUND",
        "ORDER_NOT_FOUND",
        "ACCOUNT_NOT_FOUND",
        "ACCOUNT_NOT_FOUND",
    ]
    assert results[5].canceled_count == 1, "her own"
    assert int(order_id) in venue.app.state.orders


async def test_items_of_a_batch_do_not_reach_somebody_elses_orders(
    venue: RunningVenue, channel: grpc.aio.Channel, things: dict[str, Things]
) -> None:
    alice = Trader(Stubs(channel), venue.credentials["alice"])
    order_id = things["bob"].order_id
    canceled = await alice.cancel_many(
        order_service_pb2.CancelOrderRequest(order_id=order_id),
        cancel("bob-1"),
        cancel("alice-1", account="bob"),
        cancel("alice-1"),
    )
    placed = await alice.place_many(limit("a-10", account="bob"), limit("a-11"))
    assert [failure_of(result.error).reason for result in canceled.results[:3]] == [
        "ORDER_NOT_FOUND",
        "ORDER_NOT_FOUND",
        "ACCOUNT_NOT_FOUND",
    ]
    assert canceled.results[3].order.client_order_id == "alice-1", "her own"
    assert failure_of(placed.results[0].error).reason == "ACCOUNT_NOT_FOUND"
    assert placed.results[1].order.client_order_id == "a-11"
    assert int(order_id) in venue.app.state.orders


async def test_a_key_belongs_to_its_account_for_good(venue: RunningVenue) -> None:
    await venue.submit(CreateAccount("carol", 0, 0, 10))
    carol = await key(venue, "carol", "read", "trade")
    async with venue.connect() as channel:
        stubs = Stubs(channel)
        await Trader(stubs, venue.credentials["alice"]).place(limit("a-1"))
        missing = await failure(Trader(stubs, carol).get("a-1"))
        assert missing.reason == "ORDER_NOT_FOUND"


async def test_the_server_time_needs_nothing(channel: grpc.aio.Channel) -> None:
    stubs = Stubs(channel)
    time = await stubs.sessions.GetServerTime(session_service_pb2.GetServerTimeRequest())
    assert time.time.ToMilliseconds() == time.time_ms
    assert time.environment == "sandbox"
