"""Who goes on after refusals, and who guesses credentials: what stops them, and whom it spares."""

from collections.abc import Awaitable
from typing import Any

import pytest
from tradewire.v1 import account_service_pb2, session_service_pb2
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.integration.conftest import Floor, LimitedFloor
from tests.support.failures import Failure, failure
from tests.support.trading import Trader, cancel, limit
from tests.support.venue import Credential, base64url, session_request

KINDS = pytest.mark.parametrize("kind", ["network", "in_process"])
BURST, USABLE = 40, 36
FORGIVEN = 3
LADDER_S = (10, 100, 800)
DECAY_S = 5_000
# A unit in a million seconds: within a test nothing flows back.
SLOW = 10**6
BANNING = LimitPolicy(
    key=Gcra(1, BURST, SLOW),
    account=Gcra(1, 10_000, SLOW),
    address=Gcra(1_000, 10_000),
    refusals=Gcra(1, FORGIVEN, SLOW),
    waits_at_once=0,
    ban_ladder_s=LADDER_S,
    ban_decay_s=DECAY_S,
)
ELSEWHERE = "198.51.100.7"


async def refused_with_header(call: Any) -> tuple[Failure, int]:
    """Return what a unary call failed with, and its Retry-After."""
    refused = await failure(call)
    (seconds,) = [int(v) for k, v in await call.initial_metadata() if k == "retry-after"]
    return refused, seconds


async def exhaust(trader: Trader) -> None:
    """Use up all but the reserve by orders that rest."""
    for number in range(USABLE):
        await trader.place(limit(f"a-{number}"))


def placing(floor: Floor) -> Any:
    return floor.stubs.orders.PlaceOrder(limit("x"), metadata=floor.alice.credential.metadata)


async def banned_for_s(floor: Floor) -> int:
    """Go on until the ban and return its length."""
    for _ in range(FORGIVEN + 1):
        refused, _ = await refused_with_header(placing(floor))
        assert refused.metadata["scope"] == "key"
    refused, seconds = await refused_with_header(placing(floor))
    assert (refused.reason, refused.metadata["scope"]) == ("RATE_LIMITED", "ban")
    assert seconds == -(-int(refused.metadata["retry_after_ms"]) // 1000)
    return seconds


async def advance(floor: Floor, seconds: float) -> None:
    floor.clock.advance(seconds)
    for credential in floor.venue.credentials.values():
        await floor.venue.sign_in(credential)


@KINDS
async def test_bans_grow_and_good_conduct_takes_them_back(limited: LimitedFloor, kind: str) -> None:
    async with limited(BANNING, kind) as floor:
        await exhaust(floor.alice)
        for length_s in (*LADDER_S, LADDER_S[-1]):
            assert await banned_for_s(floor) == length_s
            # A ban ends by itself; the limit is what it was.
            await advance(floor, length_s + 1)
        # Two steps of three are taken back.
        await advance(floor, 2 * DECAY_S)
        assert await banned_for_s(floor) == LADDER_S[1]
        await advance(floor, LADDER_S[1] + 10 * DECAY_S)
        assert await banned_for_s(floor) == LADDER_S[0]


@KINDS
async def test_a_ban_stops_all_but_cancels_and_nobody_else(
    limited: LimitedFloor, kind: str
) -> None:
    async with limited(BANNING, kind) as floor:
        alice = floor.alice
        await exhaust(alice)
        await banned_for_s(floor)
        limits = account_service_pb2.GetLimitsRequest()
        for call in (
            alice.orders(),
            alice.get("a-1"),
            alice.balances(),
            alice.place(limit("y")),
        ):
            refused = await failure(call)
            assert (refused.reason, refused.metadata["scope"]) == ("RATE_LIMITED", "ban")
            assert "cancels still pass" in refused.text
        # What costs nothing passes, and says for how long it is.
        told = (await alice(floor.stubs.accounts.GetLimits, limits)).limits
        (ban,) = [state for state in told if state.name == "ban"]
        assert (ban.limit, ban.remaining) == (0, 0)
        assert 0 < ban.reset_ms <= LADDER_S[0] * 1_000
        await alice.cancel(cancel("a-0"))
        async with alice.enter() as entry:
            order, refusal = await entry.do(cancel("a-1"), limit("z"))
            assert (order.WhichOneof("outcome"), refusal.WhichOneof("outcome")) == (
                "order",
                "error",
            )
        other = await floor.venue.create_key("alice")
        await floor.venue.sign_in(other)
        assert (await Trader(floor.stubs, other).place(limit("o-1"))).order.order_id
        assert (await floor.bob.place(limit("b-1"))).order.order_id


@KINDS
async def test_refusals_during_a_ban_do_not_make_it_longer(
    limited: LimitedFloor, kind: str
) -> None:
    async with limited(BANNING, kind) as floor:
        await exhaust(floor.alice)
        await banned_for_s(floor)
        for _ in range(5 * FORGIVEN):
            _, seconds = await refused_with_header(placing(floor))
            assert seconds <= LADDER_S[0]
        await advance(floor, LADDER_S[0] + 1)
        refused, _ = await refused_with_header(placing(floor))
        assert refused.metadata["scope"] == "key"


# --- guessing credentials -------------------------------------------------------------------------

PER_ADDRESS, PER_KEY = 4, 8
GUESSING = LimitPolicy(
    sign_in_failures_per_address=Gcra(1, PER_ADDRESS, 3_600),
    sign_in_failures_per_key_prefix=Gcra(1, PER_KEY, 3_600),
)


def sign_in(floor: Floor, credential: Credential, address: str) -> Any:
    """Call CreateSession from an address; a gateway of this process says from which."""
    request = session_request(credential, "sandbox", now_ns=floor.clock())
    return floor.stubs.sessions.CreateSession(
        request, metadata=(("x-tradewire-client-address", address),)
    )


async def reasons(*calls: Awaitable[Any]) -> list[str]:
    return [(await failure(call)).reason for call in calls]


def guess(floor: Floor, key_id: str, address: str) -> Any:
    """Sign in with a signature that is none."""
    signature = session_service_pb2.SessionSignature(
        api_key=key_id,
        timestamp_ms=floor.clock() // 10**6,
        nonce=base64url(f"{key_id}{address}".encode())[:40],
        signature=base64url(bytes(64)),
    )
    return floor.stubs.sessions.CreateSession(
        session_service_pb2.CreateSessionRequest(signature=signature),
        metadata=(("x-tradewire-client-address", address),),
    )


async def test_many_keys_from_one_address_are_throttled(limited: LimitedFloor) -> None:
    async with limited(GUESSING, "in_process") as floor:
        calls = [guess(floor, f"tw_{n:05}nobody", "192.0.2.66") for n in range(PER_ADDRESS + 2)]
        told = [await failure(call) for call in calls]
        assert [each.reason for each in told] == ["SIGNATURE_INVALID"] * PER_ADDRESS + [
            "RATE_LIMITED"
        ] * 2
        assert told[-1].metadata["scope"] == "sign_in"
        (seconds,) = [int(v) for k, v in await calls[-1].initial_metadata() if k == "retry-after"]
        assert 0 < seconds <= 3_600
        # The right credential waits as well there, before any work is done, and passes elsewhere.
        alice = floor.alice.credential
        assert await reasons(sign_in(floor, alice, "192.0.2.66")) == ["RATE_LIMITED"]
        assert (await sign_in(floor, alice, "192.0.2.67")).token
        # Waiting helps, once for each failure.
        floor.clock.advance(seconds)
        assert await reasons(
            guess(floor, "tw_again_nobody", "192.0.2.66"),
            guess(floor, "tw_again_nobody2", "192.0.2.66"),
        ) == ["SIGNATURE_INVALID", "RATE_LIMITED"]


async def test_forged_tokens_are_throttled_and_known_ones_are_not(limited: LimitedFloor) -> None:
    async with limited(GUESSING, "in_process") as floor:
        issued = (await sign_in(floor, floor.alice.credential, "192.0.2.66")).token
        forged = issued[:-10] + "A" * 10

        def limits_with(token: str) -> Any:
            return floor.stubs.accounts.GetLimits(
                account_service_pb2.GetLimitsRequest(),
                metadata=(
                    ("authorization", f"Bearer {token}"),
                    ("x-tradewire-client-address", "192.0.2.66"),
                ),
            )

        told = await reasons(*(limits_with(forged) for _ in range(PER_ADDRESS + 1)))
        assert told == ["TOKEN_INVALID"] * PER_ADDRESS + ["RATE_LIMITED"]
        # It was issued there before and is used now for the first time.
        assert (await limits_with(issued)).limits


async def test_one_key_from_many_addresses_is_throttled_but_not_where_its_holder_is(
    limited: LimitedFloor,
) -> None:
    async with limited(GUESSING, "in_process") as floor:
        alice = floor.alice.credential
        await sign_in(floor, alice, ELSEWHERE)
        told = await reasons(
            *(guess(floor, alice.key_id, f"192.0.2.{n}") for n in range(PER_KEY + 2))
        )
        assert told == ["SIGNATURE_INVALID"] * PER_KEY + ["RATE_LIMITED"] * 2
        # From a new address also the holder waits; from a proven one nobody can stop them.
        assert await reasons(sign_in(floor, alice, "203.0.113.1")) == ["RATE_LIMITED"]
        assert (await sign_in(floor, alice, ELSEWHERE)).token
        # Those with other keys do not notice.
        assert (await sign_in(floor, floor.bob.credential, "203.0.113.2")).token


async def test_who_uses_up_an_address_is_banned_there_and_cancels_pass(
    limited: LimitedFloor,
) -> None:
    policy = LimitPolicy(address=Gcra(1, 50, SLOW), refusals=Gcra(1, 2, SLOW), waits_at_once=0)
    async with limited(policy, "in_process") as floor:
        await floor.alice.place(limit("a-1"))
        there = ("x-tradewire-client-address", "192.0.2.66")

        def public() -> Any:
            return floor.stubs.sessions.GetServerTime(
                session_service_pb2.GetServerTimeRequest(), metadata=(there,)
            )

        for _ in range(45):
            await public()
        scopes = [(await failure(public())).metadata["scope"] for _ in range(4)]
        assert scopes == ["address", "address", "address", "ban"]
        metadata = (*floor.alice.credential.metadata, there)
        refused = await failure(floor.stubs.orders.PlaceOrder(limit("a-2"), metadata=metadata))
        assert refused.metadata["scope"] == "ban"
        canceled = await floor.stubs.orders.CancelOrder(cancel("a-1"), metadata=metadata)
        assert canceled.order.client_order_id == "a-1"
        # The same key elsewhere is not banned.
        await floor.alice.place(limit("a-3"))


async def test_refused_credentials_use_up_their_address(limited: LimitedFloor) -> None:
    policy = LimitPolicy(
        address=Gcra(1, 50, SLOW),
        refusals=Gcra(1, 100, SLOW),
        waits_at_once=0,
        sign_in_failures_per_address=Gcra(1, 100, SLOW),
    )
    async with limited(policy, "in_process") as floor:
        metadata = (
            ("authorization", "Bearer no.such.token"),
            ("x-tradewire-client-address", "192.0.2.66"),
        )
        told = []
        for _ in range(48):
            call = floor.stubs.accounts.GetLimits(
                account_service_pb2.GetLimitsRequest(), metadata=metadata
            )
            told.append((await failure(call)).reason)
        # GetLimits passes when all but the reserve is used up, so its refusals are paid from there:
        # half of it, for the other half is not for strangers.
        assert told == ["TOKEN_INVALID"] * 47 + ["RATE_LIMITED"]
