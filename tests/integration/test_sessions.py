"""Signing in, tokens and keys: what they open, and how and when it ends."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path

import grpc.aio
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import (
    key_pb2,
    key_service_pb2,
    options_pb2,
    reason_pb2,
    session_service_pb2,
)
from tradewire_server.app import Settings
from tradewire_server.engine.commands import RevokeKey, SetKeyExpiry
from tradewire_server.feeds import FeedKind

from tests.integration.conftest import Complaints, Floor
from tests.support.failures import Failure, failure
from tests.support.tape import Tape
from tests.support.trading import Entry, Trader, frame, limit
from tests.support.venue import (
    Clock,
    Credential,
    RunningVenue,
    Stubs,
    base64url,
    running_venue,
    session_request,
)
from tests.support.waiting import eventually

REVOKED_WITHIN_S = 1.0
READ_AND_TRADE = (options_pb2.SCOPE_READ, options_pb2.SCOPE_TRADE)


async def create_session(
    floor: Floor, request: session_service_pb2.CreateSessionRequest
) -> session_service_pb2.CreateSessionResponse:
    return await floor.stubs.sessions.CreateSession(request, timeout=5)


def signed(floor: Floor, credential: Credential) -> session_service_pb2.CreateSessionRequest:
    return session_request(credential, "sandbox", now_ns=floor.clock())


# --- signing in -----------------------------------------------------------------------------------


async def test_a_session_says_what_it_permits(floor: Floor) -> None:
    answer = await create_session(floor, signed(floor, floor.alice.credential))
    assert answer.account == "alice"
    assert set(answer.scopes) == {
        options_pb2.SCOPE_READ,
        options_pb2.SCOPE_TRADE,
        options_pb2.SCOPE_TRANSFER,
    }
    assert answer.environment == "sandbox"
    left_s = (answer.expire_time.ToNanoseconds() - floor.clock()) / 10**9
    assert 0 < left_s <= 15 * 60
    floor.alice.credential.token = answer.token
    assert (await floor.alice.orders()).as_of_sequence == 0


Change = Callable[[Floor, session_service_pb2.CreateSessionRequest], None]


def wrong_signature(floor: Floor, request: session_service_pb2.CreateSessionRequest) -> None:
    request.signature.signature = base64url(bytes(64))


def wrong_length(floor: Floor, request: session_service_pb2.CreateSessionRequest) -> None:
    request.signature.signature = "AAAA"


def unknown_key(floor: Floor, request: session_service_pb2.CreateSessionRequest) -> None:
    request.signature.api_key = "tw_NOTHING"


def other_key(floor: Floor, request: session_service_pb2.CreateSessionRequest) -> None:
    request.signature.api_key = floor.bob.credential.key_id


def other_nonce(floor: Floor, request: session_service_pb2.CreateSessionRequest) -> None:
    request.signature.nonce = "another-nonce-0001"


def other_time(floor: Floor, request: session_service_pb2.CreateSessionRequest) -> None:
    request.signature.timestamp_ms += 1


@pytest.mark.parametrize(
    "change",
    [wrong_signature, wrong_length, unknown_key, other_key, other_nonce, other_time],
)
async def test_what_was_not_signed_so_is_not_accepted(floor: Floor, change: Change) -> None:
    request = signed(floor, floor.alice.credential)
    change(floor, request)
    refused = await failure(create_session(floor, request))
    assert refused.reason in ("SIGNATURE_INVALID", "UNAUTHENTICATED")
    assert refused.outcome == "refused"
    if change is not wrong_length:
        assert refused.reason == "SIGNATURE_INVALID"


async def test_an_unknown_key_and_a_wrong_signature_are_not_told_apart(floor: Floor) -> None:
    found = []
    for change in (wrong_signature, unknown_key):
        request = signed(floor, floor.alice.credential)
        change(floor, request)
        found.append(await failure(create_session(floor, request)))
    assert found[0] == found[1]


async def test_a_signature_for_another_environment_is_worth_nothing(floor: Floor) -> None:
    request = session_request(floor.alice.credential, "production", now_ns=floor.clock())
    assert (await failure(create_session(floor, request))).reason == "SIGNATURE_INVALID"


@pytest.mark.parametrize("off_s", [-6, -3600, 2, 3600])
async def test_a_timestamp_outside_the_window_is_told_the_difference(
    floor: Floor, off_s: int
) -> None:
    now_ns = floor.clock() + off_s * 10**9
    request = session_request(floor.alice.credential, "sandbox", now_ns=now_ns)
    refused = await failure(create_session(floor, request))
    assert refused.reason == "TIMESTAMP_OUT_OF_WINDOW"
    assert abs(int(refused.metadata["skew_ms"]) - off_s * 1000) < 1000
    assert int(refused.metadata["server_time_ms"]) > 0


async def test_a_wider_window_takes_an_older_timestamp(floor: Floor) -> None:
    request = session_request(floor.alice.credential, "sandbox", now_ns=floor.clock() - 30 * 10**9)
    request.signature.receive_window_ms = 60_000
    assert (await create_session(floor, request)).account == "alice"


async def test_a_signature_opens_one_session(floor: Floor) -> None:
    request = signed(floor, floor.alice.credential)
    await create_session(floor, request)
    assert (await failure(create_session(floor, request))).reason == "NONCE_REUSED"


async def test_who_fails_too_often_waits_and_others_do_not(floor: Floor) -> None:
    request = signed(floor, floor.alice.credential)
    wrong_signature(floor, request)
    request.signature.api_key = "tw_guessed"
    await floor.bob.orders()
    address = (("x-tradewire-client-address", "192.0.2.7"),)
    reasons = []
    for _ in range(25):
        call = floor.stubs.sessions.CreateSession(request, metadata=address)
        reasons.append((await failure(call)).reason)
    assert reasons[0] == "SIGNATURE_INVALID"
    assert reasons[-1] == "RATE_LIMITED"
    # Those who are in go on, and may sign in anew where they did before.
    assert (await floor.bob.orders()).as_of_sequence == 0
    if floor.kind == "network":
        await create_session(floor, signed(floor, floor.alice.credential))


# --- tokens ---------------------------------------------------------------------------------------


async def refused_with(floor: Floor, token: str, *, prefix: str = "Bearer ") -> Failure:
    metadata = (("authorization", prefix + token),)
    request = session_service_pb2.EndSessionRequest()
    return await failure(floor.stubs.sessions.EndSession(request, metadata=metadata, timeout=5))


def forged(token: str, **header: str) -> str:
    """Return a token with another header and its signature as it was."""
    head, payload, signature = token.split(".")
    fields = json.loads(base64.urlsafe_b64decode(head + "=="))
    return ".".join([base64url(json.dumps({**fields, **header}).encode()), payload, signature])


def promoted(token: str) -> str:
    """Return a token that claims more, with its signature as it was."""
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["scope"], claims["account"] = "admin read trade", "bob"
    return ".".join([head, base64url(json.dumps(claims).encode()), signature])


async def test_only_the_venues_own_tokens_are_tokens(floor: Floor) -> None:
    token = floor.alice.credential.token
    head, payload, _ = token.split(".")
    none = base64url(json.dumps({"alg": "none", "typ": "at+jwt"}).encode())
    hmac_head = base64url(json.dumps({"alg": "HS256", "typ": "at+jwt"}).encode())
    mac = base64url(hmac.digest(b"sandbox", f"{hmac_head}.{payload}".encode(), hashlib.sha256))
    for bad in (
        "x",
        "a.b.c",
        token[:-2],
        token + "A",
        f"{head}.{payload}.",
        f"{none}.{payload}.",
        f"{hmac_head}.{payload}.{mac}",
        forged(token, kid="other"),
        forged(token, alg="none"),
        promoted(token),
        "é".encode().hex(),
        "x" * 4000,
    ):
        refused = await refused_with(floor, bad)
        assert refused.reason in ("TOKEN_INVALID", "RATE_LIMITED"), bad


@pytest.mark.parametrize("prefix", ["", "Basic ", "bearer", "Token "])
async def test_a_header_that_is_no_bearer_is_no_credential(floor: Floor, prefix: str) -> None:
    refused = await refused_with(floor, floor.alice.credential.token, prefix=prefix)
    assert refused.reason in ("UNAUTHENTICATED", "TOKEN_INVALID")


async def test_a_token_of_another_environment_opens_nothing(floor: Floor, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, environment="production", grpc_port=0, admin_port=0, drain_s=0.1
    )
    async with running_venue(tmp_path, settings=settings, clock_ns=floor.clock) as other:
        await other.provision(["alice"])
        token = other.credentials["alice"].token
    assert (await refused_with(floor, token)).reason == "TOKEN_INVALID"


async def test_a_token_ends_and_streams_outlive_it(floor: Floor, alice: Trader) -> None:
    async with alice.follow() as follower:
        await follower.live()
        floor.clock.advance(16 * 60)
        assert (await failure(alice.orders())).reason == "TOKEN_EXPIRED"
        await floor.venue.sign_in(alice.credential)
        await alice.place(limit("a-1"))
        tape = await follower.until(lambda tape: tape.executions)
    assert tape.closing is None


async def test_ending_a_session_ends_its_token_and_its_streams_only(
    floor: Floor, alice: Trader
) -> None:
    another = Trader(
        floor.stubs, Credential("alice", alice.credential.key_id, alice.credential.private_key)
    )
    await floor.venue.sign_in(another.credential)
    async with alice.follow() as ending, another.follow() as staying, alice.enter() as entry:
        for stream in (ending, staying, entry):
            await stream.live()
        await alice(floor.stubs.sessions.EndSession, session_service_pb2.EndSessionRequest())

        assert (await ending.to_end()).closed.reason == "CREDENTIAL_ENDED"
        assert (await entry.to_end()).closed.reason == "CREDENTIAL_ENDED"
        assert (await failure(alice.orders())).reason in ("TOKEN_INVALID", "TOKEN_EXPIRED")
        await another.place(limit("a-1"))
        await staying.until(lambda tape: tape.executions)


async def test_a_restart_ends_all_sessions_and_no_key(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        credential = venue.credentials["alice"]
    async with running_venue(data_dir, clock_ns=clock) as venue, venue.connect() as channel:
        alice = Trader(Stubs(channel), credential)
        assert (await failure(alice.orders())).reason == "TOKEN_INVALID"
        clock.advance(2)
        await venue.sign_in(credential)
        assert (await alice.orders()).as_of_sequence == 0


async def test_streams_live_for_a_day_at_most(floor: Floor, alice: Trader) -> None:
    async with alice.follow() as follower, alice.watch(["BTC-USD"]) as market:
        await follower.live()
        await market.live()
        floor.clock.advance(24 * 3600 + 1)
        await floor.venue.sign_in(alice.credential)
        await alice.place(limit("a-1"))
        tape = await follower.to_end()
        assert tape.closed.reason == "STREAM_LIFETIME"
        assert tape.closing is not None
        assert tape.closing.resume_after == 0
        assert tape.executions == []
        assert (await market.to_end()).closed.reason == "STREAM_LIFETIME"


# --- revocation -----------------------------------------------------------------------------------


async def test_a_revoked_key_opens_nothing_and_ends_what_it_opened(
    floor: Floor, alice: Trader
) -> None:
    spare = await floor.venue.create_key("alice")
    await floor.venue.sign_in(spare)
    other = Trader(floor.stubs, spare)
    async with (
        alice.follow() as executions,
        alice.follow_account() as ledger,
        alice.enter(cancel_on_disconnect=True) as entry,
        other.follow() as staying,
        alice.watch(["BTC-USD"]) as market,
    ):
        for stream in (executions, ledger, entry, staying, market):
            await stream.live()
        await entry.do(limit("a-1"))
        revoked = await other(
            floor.stubs.keys.RevokeKey,
            key_service_pb2.RevokeKeyRequest(api_key=alice.credential.key_id),
        )
        assert revoked.key.HasField("revoke_time")
        async with asyncio.timeout(REVOKED_WITHIN_S):
            for stream in (executions, ledger, entry):
                tape = await stream.to_end()
                assert tape.closed.reason == "CREDENTIAL_ENDED"
        assert (await failure(alice.orders())).reason == "KEY_REVOKED"
        again = await failure(create_session(floor, signed(floor, alice.credential)))
        assert again.reason == "KEY_REVOKED"
        # Its orders are canceled with the connection; the others hear of it and go on.
        tape = await staying.until(lambda tape: len(tape.executions) == 2)
        assert tape.executions[1].reason == reason_pb2.REASON_DISCONNECTED
        assert market.tape.closing is None


async def test_a_revoked_key_cannot_enter_orders_by_not_reading(floor: Floor, lazy: Trader) -> None:
    """Who does not read cannot be told; it must not be let on for that."""
    venue = floor.venue
    spare = await venue.create_key("alice")
    await venue.sign_in(spare)
    other = Trader(floor.stubs, spare)

    def stuck() -> bool:
        feed = venue.app.hub._feeds[FeedKind.EXECUTIONS, "alice"]
        return any(subscription.waiting_bytes > 100_000 for subscription in feed.open)

    async with lazy.enter(cancel_on_disconnect=True) as entry:
        await entry.live()
        await entry.send(limit("kept"))
        for number in range(10_000):
            await entry.send(*(limit(f"x-{number}-{i}", price="0.001") for i in range(20)))
            if stuck():
                break
        assert stuck(), "the server waits for the client, and still takes its commands"

        await venue.submit(RevokeKey("alice", lazy.credential.key_id))
        await eventually(lambda: not venue.app.state.orders, within_s=REVOKED_WITHIN_S)
        late = asyncio.create_task(entry.send(limit("late")))
        order = (await other.get("kept")).order
        assert order.reason == reason_pb2.REASON_DISCONNECTED
        assert (await failure(other.get("late"))).reason == "ORDER_NOT_FOUND"
        # Told in the end, when it does read.
        assert (await entry.to_end()).closed.reason == "CREDENTIAL_ENDED"
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)


async def test_a_stream_that_was_opened_before_the_end_of_its_key_begins_nothing(
    floor: Floor, alice: Trader
) -> None:
    """The credential was good when the call came; the first frame comes later."""
    call = floor.stubs.orders.EnterOrders(metadata=alice.credential.metadata)
    await asyncio.sleep(0.05)  # until the call is with the server
    await floor.venue.submit(RevokeKey("alice", alice.credential.key_id))
    await call.write(frame(limit("a-1")))
    tape = await Entry(call, Tape()).to_end()
    assert tape.closed.reason in ("CREDENTIAL_ENDED", "KEY_REVOKED")
    assert floor.venue.app.state.orders == {}


async def test_a_key_ends_at_its_time(floor: Floor) -> None:
    expires_ns = floor.clock() + 60 * 10**9
    credential = await floor.venue.create_key("alice", expires_ns=expires_ns)
    await floor.venue.sign_in(credential)
    trader = Trader(floor.stubs, credential)
    async with trader.follow() as follower:
        await follower.live()
        floor.clock.advance(61)
        assert (await failure(trader.orders())).reason == "KEY_EXPIRED"
        refused = await failure(create_session(floor, signed(floor, credential)))
        assert refused.reason == "KEY_EXPIRED"
        await floor.alice.place(limit("a-1"))
        tape = await follower.to_end()
    assert tape.closed.reason == "KEY_EXPIRED"
    assert tape.executions == []


async def test_an_earlier_end_of_a_key_is_kept(floor: Floor, alice: Trader) -> None:
    ends_ns = floor.clock() + 10 * 10**9
    await floor.venue.submit(SetKeyExpiry("alice", alice.credential.key_id, ends_ns))
    floor.clock.advance(11)
    assert (await failure(alice.orders())).reason == "KEY_EXPIRED"


# --- addresses ------------------------------------------------------------------------------------


async def test_a_key_is_good_from_its_addresses_only(venue: RunningVenue) -> None:
    here = await venue.create_key("alice", addresses=["127.0.0.0/8"])
    elsewhere = await venue.create_key("alice", addresses=["192.0.2.0/24", "2001:db8::/32"])
    await venue.sign_in(here)
    with pytest.raises(grpc.aio.AioRpcError):
        await venue.sign_in(elsewhere)
    spoofed = (("x-tradewire-client-address", "192.0.2.1"),)
    async with venue.connect() as channel:
        stubs = Stubs(channel)
        assert (await Trader(stubs, here).orders()).as_of_sequence == 0
        request = session_request(elsewhere, "sandbox", now_ns=venue.app.clock_ns())
        # Over the network anybody can claim to be anywhere.
        refused = await failure(stubs.sessions.CreateSession(request, metadata=spoofed))
        assert refused.reason == "ADDRESS_NOT_ALLOWED"
        assert refused.metadata["address"] == "127.0.0.1"
    async with venue.connect("in_process") as channel:
        stubs = Stubs(channel)
        request = session_request(elsewhere, "sandbox", now_ns=venue.app.clock_ns())
        answer = await stubs.sessions.CreateSession(request, metadata=spoofed)
        bearer = (("authorization", f"Bearer {answer.token}"),)
        end = session_service_pb2.EndSessionRequest()
        for forwarded in ("198.51.100.1", "nonsense", "", "::1"):
            moved = (*bearer, ("x-tradewire-client-address", forwarded))
            refused = await failure(stubs.sessions.EndSession(end, metadata=moved))
            assert refused.reason == "ADDRESS_NOT_ALLOWED", forwarded
        refused = await failure(stubs.sessions.EndSession(end, metadata=bearer))
        assert refused.reason == "ADDRESS_NOT_ALLOWED", "from nowhere"
        for forwarded in ("192.0.2.9", "2001:db8::1"):
            moved = (*bearer, ("x-tradewire-client-address", forwarded))
            listed = await stubs.keys.ListKeys(key_service_pb2.ListKeysRequest(), metadata=moved)
            assert len(listed.keys) == 3


# --- keys -----------------------------------------------------------------------------------------


async def test_a_new_key_reads_only_unless_asked_otherwise(floor: Floor, alice: Trader) -> None:
    private_key = Ed25519PrivateKey.generate()
    public_key = base64url(private_key.public_key().public_bytes_raw())
    created = await alice(
        floor.stubs.keys.CreateKey, key_service_pb2.CreateKeyRequest(public_key=public_key)
    )
    assert list(created.key.scopes) == [options_pb2.SCOPE_READ]
    assert (created.key.account, created.key.public_key) == ("alice", public_key)
    assert created.key.algorithm == key_pb2.KEY_ALGORITHM_ED25519
    assert created.secret == ""
    credential = Credential("alice", created.key.api_key, private_key)
    await floor.venue.sign_in(credential)
    reader = Trader(floor.stubs, credential)
    assert (await reader.orders()).as_of_sequence == 0
    assert (await failure(reader.place(limit("a-1")))).reason == "SCOPE_MISSING"


async def test_an_hmac_secret_is_shown_once_and_signs(floor: Floor, alice: Trader) -> None:
    created = await alice(
        floor.stubs.keys.CreateKey,
        key_service_pb2.CreateKeyRequest(
            algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256, label="easy", scopes=READ_AND_TRADE
        ),
    )
    assert created.secret
    listed = await alice(floor.stubs.keys.ListKeys, key_service_pb2.ListKeysRequest())
    assert listed.keys[-1] == created.key
    assert created.secret not in str(listed)
    timestamp_ms, nonce = floor.clock() // 10**6, "nonce-0123456789"
    text = f"TRADEWIRE-V1\nsandbox\n{timestamp_ms}\n{nonce}\nSESSION"
    mac = hmac.digest(created.secret.encode(), text.encode(), hashlib.sha256)
    answer = await create_session(
        floor,
        session_service_pb2.CreateSessionRequest(
            signature=session_service_pb2.SessionSignature(
                api_key=created.key.api_key,
                timestamp_ms=timestamp_ms,
                nonce=nonce,
                signature=base64url(mac),
            )
        ),
    )
    assert set(answer.scopes) == {options_pb2.SCOPE_READ, options_pb2.SCOPE_TRADE}


async def test_a_key_grants_no_more_than_it_has(floor: Floor) -> None:
    credential = await floor.venue.create_key("alice", frozenset({"read", "transfer"}))
    await floor.venue.sign_in(credential)
    trader = Trader(floor.stubs, credential)
    refused = await failure(
        trader(
            floor.stubs.keys.CreateKey,
            key_service_pb2.CreateKeyRequest(
                algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256, scopes=READ_AND_TRADE
            ),
        )
    )
    assert refused.reason == "SCOPE_NOT_GRANTABLE"
    # Nor does it renew a key that has more.
    refused = await failure(
        trader(
            floor.stubs.keys.RotateKey,
            key_service_pb2.RotateKeyRequest(
                api_key=floor.alice.credential.key_id,
                public_key=base64url(Ed25519PrivateKey.generate().public_key().public_bytes_raw()),
            ),
        )
    )
    assert refused.reason == "SCOPE_NOT_GRANTABLE"


async def test_rotation_leaves_both_keys_live_for_a_while(floor: Floor, alice: Trader) -> None:
    successor = Ed25519PrivateKey.generate()
    rotated = await alice(
        floor.stubs.keys.RotateKey,
        key_service_pb2.RotateKeyRequest(
            api_key=alice.credential.key_id,
            public_key=base64url(successor.public_key().public_bytes_raw()),
            overlap_seconds=60,
        ),
    )
    assert rotated.key.scopes == rotated.replaced.scopes
    left_s = (rotated.replaced.expire_time.ToNanoseconds() - floor.clock()) / 10**9
    assert 50 < left_s <= 60
    renewed = Credential("alice", rotated.key.api_key, successor)
    await floor.venue.sign_in(renewed)
    new = Trader(floor.stubs, renewed)
    assert (await alice.place(limit("a-1"))).as_of_sequence == 1
    assert (await new.place(limit("a-2"))).as_of_sequence == 2
    floor.clock.advance(61)
    assert (await failure(alice.orders())).reason == "KEY_EXPIRED"
    assert (await new.place(limit("a-3"))).as_of_sequence == 3


async def test_an_account_has_so_many_live_keys(floor: Floor, alice: Trader) -> None:
    floor.venue.app.limiter.set_exempt("alice", True)
    request = key_service_pb2.CreateKeyRequest(algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256)
    created: list[key_pb2.ApiKey] = []
    while len(created) < 19:
        created.append((await alice(floor.stubs.keys.CreateKey, request)).key)
    refused = await failure(alice(floor.stubs.keys.CreateKey, request))
    assert (refused.reason, refused.outcome) == ("KEY_LIMIT", "refused")
    await alice(
        floor.stubs.keys.RevokeKey, key_service_pb2.RevokeKeyRequest(api_key=created[0].api_key)
    )
    await alice(floor.stubs.keys.CreateKey, request)

    found: list[str] = []
    token = ""
    while True:
        page = await alice(
            floor.stubs.keys.ListKeys,
            key_service_pb2.ListKeysRequest(page_size=6, page_token=token),
        )
        found += [key.api_key for key in page.keys]
        token = page.next_page_token
        if not token:
            break
    assert found[1:20] == [key.api_key for key in created]
    assert len(found) == 21


async def test_revoking_twice_is_revoking_once(floor: Floor, alice: Trader) -> None:
    spare = await floor.venue.create_key("alice")
    request = key_service_pb2.RevokeKeyRequest(api_key=spare.key_id)
    first = await alice(floor.stubs.keys.RevokeKey, request)
    floor.clock.advance(1)
    assert await alice(floor.stubs.keys.RevokeKey, request) == first
    assert first.key.revoke_time != Timestamp()


async def test_keys_outlive_a_restart_as_they_were(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        revoked = await venue.create_key("alice")
        bound = await venue.create_key("alice", addresses=["192.0.2.0/24"])
        await venue.submit(RevokeKey("alice", revoked.key_id))
        credential = venue.credentials["alice"]
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), credential)
            before = await alice(Stubs(channel).keys.ListKeys, key_service_pb2.ListKeysRequest())
    async with running_venue(data_dir, clock_ns=clock) as venue, venue.connect() as channel:
        clock.advance(2)
        await venue.sign_in(credential)
        stubs = Stubs(channel)
        alice = Trader(stubs, credential)
        assert await alice(stubs.keys.ListKeys, key_service_pb2.ListKeysRequest()) == before
        for ended, reason in ((revoked, "KEY_REVOKED"), (bound, "ADDRESS_NOT_ALLOWED")):
            request = session_request(ended, "sandbox", now_ns=clock())
            assert (await failure(stubs.sessions.CreateSession(request))).reason == reason
