"""What hostile clients try, and the exact answer to each: a table first, then those that take more.

Every test ends with the audit of the venue, and with nothing logged as an error.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tradewire.v1 import key_service_pb2, market_data_service_pb2, session_service_pb2
from tradewire_contract import methods
from tradewire_contract.statuses import VIOLATIONS_MAX
from tradewire_server.api.admission import _list_bounds
from tradewire_server.engine.commands import (
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    RevokeKey,
)
from tradewire_server.streams.market_data import MarketBounds

from tests.integration.conftest import Complaints, Floor
from tests.support.failures import failure, failure_of_call
from tests.support.trading import BUY, SELL, TIMEOUT_S, Trader, frame, limit
from tests.support.venue import (
    BTC_USD,
    SYMBOL,
    Clock,
    RunningVenue,
    Stubs,
    base64url,
    session_request,
)
from tests.support.waiting import eventually

SERVICE = "/tradewire.v1."
GET_ACCOUNT = SERVICE + "AccountService/GetAccount"
GET_TIME = SERVICE + "SessionService/GetServerTime"
STREAM_MARKET_DATA = SERVICE + "MarketDataService/StreamMarketData"

Metadata = tuple[tuple[str, str | bytes], ...]


async def send(
    channel: grpc.aio.Channel,
    path: str,
    body: bytes = b"",
    metadata: Metadata = (),
    compression: grpc.Compression | None = None,
) -> bytes:
    """Send bytes as the request of a method and return the first answer."""
    codec: dict[str, Any] = {"request_serializer": bytes, "response_deserializer": bytes}
    options: dict[str, Any] = {"metadata": metadata, "timeout": TIMEOUT_S}
    call: Any
    if path == STREAM_MARKET_DATA:
        call = channel.unary_stream(path, **codec)(body, **options).read()
    else:
        call = channel.unary_unary(path, **codec)(body, compression=compression, **options)
    answer: bytes = await call
    return answer


def entries(number: int, text: bytes) -> bytes:
    """Return so many times the field 1 with a text, as on the wire."""
    return (b"\x0a" + bytes([len(text)]) + text) * number


@dataclass(frozen=True)
class Attack:
    """A request and what it is answered with; `headers` are made of alice's and bob's tokens."""

    name: str
    path: str
    answer: str
    headers: Callable[[str, str], Metadata] = lambda alice, bob: ()
    body: bytes = b""


ATTACKS = [
    # Who asks.
    Attack("no credential", GET_ACCOUNT, "UNAUTHENTICATED"),
    Attack(
        "two credentials",
        GET_ACCOUNT,
        "UNAUTHENTICATED",
        lambda a, b: (("authorization", f"Bearer {a}"), ("authorization", f"Bearer {b}")),
    ),
    Attack(
        "a credential behind another scheme",
        GET_ACCOUNT,
        "UNAUTHENTICATED",
        lambda a, b: (("authorization", "Basic eDp5"), ("authorization", f"Bearer {a}")),
    ),
    Attack(
        "two tokens in one header",
        GET_ACCOUNT,
        "UNAUTHENTICATED",
        lambda a, b: (("authorization", f"Bearer {a}, Bearer {b}"),),
    ),
    Attack(
        "the binary header",
        GET_ACCOUNT,
        "UNAUTHENTICATED",
        lambda a, b: (("authorization-bin", f"Bearer {a}".encode()),),
    ),
    Attack(
        "a name in place of a credential",
        GET_ACCOUNT,
        "UNAUTHENTICATED",
        lambda a, b: (("x-tradewire-account", "alice"), ("x-api-key", "alice")),
    ),
    Attack(
        "a token with the signature of another",
        GET_ACCOUNT,
        "TOKEN_INVALID",
        lambda a, b: (
            ("authorization", "Bearer " + ".".join([*a.split(".")[:2], b.split(".")[2]])),
        ),
    ),
    Attack(
        "a token without a signature",
        GET_ACCOUNT,
        "TOKEN_INVALID",
        lambda a, b: (("authorization", f"Bearer {a.rpartition('.')[0]}."),),
    ),
    Attack(
        "a token whose header says none",
        GET_ACCOUNT,
        "TOKEN_INVALID",
        lambda a, b: (("authorization", f"Bearer eyJhbGciOiJub25lIn0.{a.split('.')[1]}."),),
    ),
    Attack(
        "a token longer than any",
        GET_ACCOUNT,
        "UNAUTHENTICATED",
        lambda a, b: (("authorization", "Bearer " + "a" * 6_000),),
    ),
    # What is asked. The list has room for a million items, of which each would be checked.
    Attack("a long list", STREAM_MARKET_DATA, "FIELD_INVALID", body=entries(500_000, b"")),
    Attack("a list of bad items", STREAM_MARKET_DATA, "FIELD_INVALID", body=entries(100, b"x")),
    Attack(
        "a line feed behind a symbol",
        STREAM_MARKET_DATA,
        "FIELD_INVALID",
        body=entries(1, b"BTC-USD\n"),
    ),
    Attack("no UTF-8", STREAM_MARKET_DATA, "MESSAGE_MALFORMED", body=entries(1, b"\xff")),
    Attack("endless groups", GET_TIME, "MESSAGE_MALFORMED", body=b"\x7b" * 1_000_000),
    Attack("unknown fields", GET_TIME, "", body=b"\x98\x06\x01" * 100_000),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
async def test_an_attack_has_its_answer(attack: Attack, venue: RunningVenue) -> None:
    tokens = [venue.credentials[name].token for name in ("alice", "bob")]
    events = venue.app.state.event_number
    async with venue.connect() as channel:
        call = send(channel, attack.path, attack.body, attack.headers(*tokens))
        if attack.answer:
            assert (await failure(call)).reason == attack.answer
        else:
            await call
    assert venue.app.state.event_number == events


async def test_the_errors_of_a_message_fit_into_metadata(venue: RunningVenue) -> None:
    async with venue.connect() as channel:
        bad = await failure(send(channel, STREAM_MARKET_DATA, entries(100, b"x")))
        long = await failure(send(channel, STREAM_MARKET_DATA, entries(101, b"x")))
    assert len(bad.fields) == VIOLATIONS_MAX
    assert long.fields == ("symbols",)
    assert long.text == "symbols must have at most 100 items"


def test_every_list_of_a_request_has_a_bound() -> None:
    """EnterOrders bounds its own, which ends the stream."""
    for method in methods().values():
        bounded = {name for name, _ in _list_bounds(method.request)}
        lists = {field.name for field in method.request.fields if field.is_repeated}
        assert lists - bounded <= {"commands"}, method.path


async def test_what_decompresses_to_too_much_is_refused(venue: RunningVenue) -> None:
    async with venue.connect() as channel:
        bomb = bytes(8 << 20)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await send(channel, GET_TIME, bomb, compression=grpc.Compression.Gzip)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_frame_names_no_endless_account(floor: Floor, alice: Trader) -> None:
    async with alice.enter(account="x" * 1_000_000) as entry:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await entry.live()
    assert failure_of_call(refused.value).reason == "ACCOUNT_NOT_FOUND"
    assert len(failure_of_call(refused.value).text) < 100


@pytest.mark.parametrize(
    "name", ["x-tradewire-client-address", "x-forwarded-for", "x-real-ip", "forwarded"]
)
async def test_nobody_on_the_network_says_where_it_is(venue: RunningVenue, name: str) -> None:
    credential = await venue.create_key("alice", addresses=["203.0.113.0/24"])
    async with venue.connect() as channel:
        refused = await failure(
            Stubs(channel).sessions.CreateSession(
                session_request(credential, "sandbox", now_ns=venue.app.clock_ns()),
                metadata=((name, "203.0.113.9"),),
            )
        )
    assert refused.reason == "ADDRESS_NOT_ALLOWED"
    assert refused.metadata["address"] == "127.0.0.1"


async def test_a_signature_opens_one_session_of_one_key(venue: RunningVenue) -> None:
    """A replay, another key id, another nonce, another time: nothing of it."""
    credential = venue.credentials["alice"]
    request = session_request(credential, "sandbox", now_ns=venue.app.clock_ns())

    def altered(**fields: Any) -> session_service_pb2.CreateSessionRequest:
        other = session_service_pb2.CreateSessionRequest()
        other.CopyFrom(request)
        for name, value in fields.items():
            setattr(other.signature, name, value)
        return other

    async with venue.connect() as channel:
        sign_in = Stubs(channel).sessions.CreateSession
        await sign_in(request)
        answers = [
            (await failure(sign_in(attempt))).reason
            for attempt in (
                request,
                altered(receive_window_ms=60_000),
                altered(signature=request.signature.signature + "=="),
                altered(api_key=venue.credentials["bob"].key_id),
                altered(nonce="n" * 24),
                altered(timestamp_ms=request.signature.timestamp_ms + 1),
            )
        ]
    assert answers == ["NONCE_REUSED"] * 3 + ["SIGNATURE_INVALID"] * 3


# --- the end of a key -----------------------------------------------------------------------------


async def test_commands_behind_a_revocation_are_not_executed(floor: Floor, alice: Trader) -> None:
    """They were let in while the key was alive; the revocation came to the engine first."""
    venue = floor.venue
    credential = await venue.create_key("alice")
    await venue.sign_in(credential)
    robbed = Trader(floor.stubs, credential)
    async with robbed.enter(cancel_on_disconnect=False) as entry:
        await entry.live()
        before = venue.app.state.accounts["alice"].sequence
        revoke = RevokeKey("alice", credential.key_id)
        append = venue.app.journal.append
        held = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slowly(batch: Any) -> None:
            asyncio.run_coroutine_threadsafe(held.wait(), loop).result()
            append(batch)

        venue.app.journal.append = slowly  # type: ignore[method-assign]
        revoking = asyncio.create_task(venue.app.sequencer.submit(revoke, lane="tests"))
        await eventually(lambda: not venue.app.sequencer.is_settled)
        # The disk is slow, and nobody knows yet: the key is good for a token, a call and a frame.
        calling = asyncio.create_task(failure(robbed.place(limit("unary"))))
        await entry.send(*(limit(f"stream-{number}") for number in range(256)))
        await eventually(lambda: venue.app.sequencer.queue_length == 257)
        held.set()
        await revoking
        venue.app.journal.append = append  # type: ignore[method-assign]
        assert (await calling).reason == "KEY_REVOKED"
        tape = await entry.to_end()
        assert tape.closed.reason == "CREDENTIAL_ENDED"
    await eventually(lambda: venue.app.sequencer.queue_length == 0)
    assert venue.app.state.accounts["alice"].sequence == before


async def test_commands_of_an_expired_key_are_not_executed(
    floor: Floor, alice: Trader, clock: Clock
) -> None:
    """Not even on a stream that was opened before and has been quiet since."""
    venue = floor.venue
    credential = await venue.create_key("alice", expires_ns=clock() + 60 * 10**9)
    await venue.sign_in(credential)
    async with Trader(floor.stubs, credential).enter() as entry:
        await entry.live()
        clock.advance(61)
        await entry.send(*(limit(f"late-{number}") for number in range(256)))
        assert (await entry.to_end()).closed.reason == "KEY_EXPIRED"
    assert venue.app.state.accounts["alice"].sequence == 0


@pytest.fixture
async def deaf(venue: RunningVenue) -> AsyncIterator[Stubs]:
    """Return stubs over a connection that takes next to nothing before it is read."""
    options = [("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]
    async with grpc.aio.insecure_channel(venue.target, options=options) as channel:
        yield Stubs(channel)


async def test_a_stream_ends_with_its_key_though_its_snapshot_is_not_read(
    venue: RunningVenue, deaf: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradewire_server.api.streaming.STALLED_S", 0.1)
    async with venue.connect() as channel:
        alice = Trader(Stubs(channel), venue.credentials["alice"])
        async with alice.enter() as entry:
            for part in range(2):
                await entry.do(*(limit(f"{part}-{number}", price="1") for number in range(256)))
        credential = await venue.create_key("alice")
        await venue.sign_in(credential)
        call = deaf.orders.EnterOrders(metadata=credential.metadata)
        await call.write(frame(snapshot=True))
        await eventually(lambda: venue.app.hub.subscription_count == 1)
        await venue.submit(RevokeKey("alice", credential.key_id))
        await eventually(lambda: venue.app.hub.subscription_count == 0)
        call.cancel()


async def test_a_public_key_is_registered_once_even_by_two_at_once(venue: RunningVenue) -> None:
    """Under two ids, one signature would open two sessions."""
    credential = await venue.create_key("alice")
    record = venue.app.state.keys[credential.key_id]
    again = record._replace(key_id="tw_OTHER", account="bob")
    refused = await venue.app.sequencer.submit(CreateKey(again), lane="tests")
    assert refused.field == "public_key"  # type: ignore[union-attr]


async def test_keys_that_were_revoked_do_not_pile_up(venue: RunningVenue) -> None:
    async with venue.connect() as channel:
        stub, metadata = Stubs(channel).keys, venue.credentials["alice"].metadata
        for _ in range(110):
            public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
            made = await stub.CreateKey(
                key_service_pb2.CreateKeyRequest(public_key=base64url(public)), metadata=metadata
            )
            request = key_service_pb2.RevokeKeyRequest(api_key=made.key.api_key)
            await stub.RevokeKey(request, metadata=metadata)
    assert len(venue.app.state.accounts["alice"].keys) == 101
    assert len(venue.app.ring.of_account("alice")) == 101


# --- time, money ----------------------------------------------------------------------------------


async def test_a_clock_that_is_set_back_stops_nobody(
    floor: Floor, alice: Trader, clock: Clock
) -> None:
    """Batch time stands still then; deadlines are by the clock."""
    floor.venue.app.limiter.set_exempt("alice", True)
    clock.advance(300)
    await alice.place(limit("ahead"))
    clock.advance(-300)
    behind = (
        await alice.place(
            limit("behind"),
        )
    ).order
    ahead = (await alice.get("ahead")).order
    assert behind.create_time.ToNanoseconds() >= ahead.create_time.ToNanoseconds()


async def test_volumes_beyond_any_column_stop_nobody(venue: RunningVenue) -> None:
    huge = "400000000000000000"
    whole = BTC_USD._replace(
        symbol="AA-BB",
        base_asset="AA",
        quote_asset="BB",
        base_precision=1,
        quote_precision=1,
        tick_decimals=0,
        lot_decimals=1,
        maximum_quantity_lots=4 * 10**18,
        maximum_notional=4 * 10**18,
    )
    for command in (CreateAsset("AA", 1), CreateAsset("BB", 1), CreateInstrument(whole)):
        await venue.submit(command)
    for number in range(4):
        await venue.submit(Deposit("alice", "AA", huge, f"a-{number}"))
        await venue.submit(Deposit("bob", "BB", huge, f"b-{number}"))
    async with venue.connect() as channel:
        stubs = Stubs(channel)
        for name, side in (("alice", SELL), ("bob", BUY)):
            async with Trader(stubs, venue.credentials[name]).enter() as entry:
                orders = (limit(f"{n}", side, huge, "1", symbol="AA-BB") for n in range(3))
                for result in await entry.do(*orders):
                    assert result.HasField("order")
        ticker = await stubs.market.GetTicker(
            market_data_service_pb2.GetTickerRequest(symbol="AA-BB")
        )
    # The journal's greatest number of lots, of a tenth each.
    assert ticker.ticker.volume == "922337203685477580.7"


# --- room and time of others ----------------------------------------------------------------------


async def test_nobody_alone_takes_all_market_data_streams(venue: RunningVenue) -> None:
    market_data = venue.app.market_data
    market_data._bounds = MarketBounds(subscriptions_max=5, subscriptions_per_owner_max=3)
    request = market_data_service_pb2.StreamMarketDataRequest(symbols=[SYMBOL])
    async with venue.connect() as channel, venue.connect("in_process") as gateway:
        calls = [Stubs(channel).market.StreamMarketData(request) for _ in range(3)]
        for call in calls:
            await call.read()
        greedy = Stubs(channel).market.StreamMarketData(request)
        refused = await failure(greedy.read())
        assert (refused.reason, refused.metadata) == (
            "STREAM_LIMIT",
            {"scope": "address", "limit": "3"},
        )
        other = Stubs(gateway).market.StreamMarketData(
            request, metadata=(("x-tradewire-client-address", "203.0.113.9"),)
        )
        await other.read()
        for call in (*calls, other):
            call.cancel()
        await eventually(lambda: market_data.subscription_count == 0)
    assert not market_data._owners


async def test_a_watcher_that_takes_nothing_does_not_keep_a_venue_from_draining(
    venue: RunningVenue, complaints: Complaints
) -> None:
    """It watches the health service over HTTP/2 with a window of no bytes."""
    deaf = socket.create_connection(("127.0.0.1", venue.grpc_port))
    try:
        deaf.sendall(_watch_health_without_a_window())
        async with venue.connect() as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            watch = stub.Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
            async with asyncio.timeout(TIMEOUT_S):
                await venue.app.set_health(serving=False)
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            watch.cancel()
    finally:
        deaf.close()


def _watch_health_without_a_window() -> bytes:
    def http2(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
        return head + struct.pack(">I", stream) + payload

    headers = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/grpc.health.v1.Health/Watch",
        b":authority": b"venue",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    literals = (
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in headers.items()
    )
    initial_window_size = 4
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + http2(4, 0, 0, struct.pack(">HI", initial_window_size, 0))
        + http2(1, 4, 1, b"".join(literals))
        + http2(0, 1, 1, bytes(5))
    )


async def test_streams_that_were_given_up_leave_nothing(venue: RunningVenue) -> None:
    app = venue.app
    async with venue.connect() as channel:
        stubs, metadata = Stubs(channel), venue.credentials["alice"].metadata
        await stubs.sessions.GetServerTime(session_service_pb2.GetServerTimeRequest())
        tasks = len(asyncio.all_tasks())
        for _ in range(20):
            calls = [stubs.orders.EnterOrders(metadata=metadata) for _ in range(10)]
            for call in calls:
                await call.write(frame(cancel_on_disconnect=True))
            for call in calls:
                call.cancel()
        await eventually(lambda: app.hub.subscription_count == 0)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
    assert len(app.ring._watchers) == 0
    assert not app.state.connections
