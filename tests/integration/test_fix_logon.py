"""CreateSession with what a FIX Logon(A) proves."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from tradewire.v1 import session_service_pb2
from tradewire_server.api.key_messages import record_of
from tradewire_server.auth.provisioning import KeyRequest
from tradewire_server.engine.commands import CreateKey

from tests.integration.conftest import Complaints, Floor
from tests.support.failures import failure
from tests.support.rest import new_hmac_key
from tests.support.venue import RunningVenue, Stubs, running_venue

# Published by Binance in the FIX API's documentation, "How to sign Logon".
BINANCE_KEY = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u"
BINANCE_SIGNATURE = (
    "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
)
BINANCE_TIME = "20240627-11:17:25.223"
BINANCE_TIME_NS = 1_719_487_045_223_000_000


@pytest.fixture
async def venue_of_then(data_dir: Path, complaints: Complaints) -> AsyncIterator[RunningVenue]:
    """Start a venue whose clock shows when Binance signed its example."""
    async with running_venue(data_dir, clock_ns=lambda: BINANCE_TIME_NS) as venue:
        await venue.provision(["alice"])
        yield venue


async def binance_key(venue: RunningVenue) -> str:
    """Let alice use the published key; return its id."""
    private_key = load_der_private_key(base64.b64decode(BINANCE_KEY), None)
    assert isinstance(private_key, Ed25519PrivateKey)
    created = venue.app.maker.create(
        KeyRequest(
            account="alice",
            scopes=frozenset({"read"}),
            public_key=private_key.public_key().public_bytes_raw(),
        ),
        creator_scopes=None,
        now_ns=BINANCE_TIME_NS,
    )
    await venue.submit(CreateKey(record_of(created.key)))
    return created.key.key_id


def sending_time(now_ns: int) -> str:
    moment = datetime.fromtimestamp(now_ns / 10**9, UTC)
    return moment.strftime("%Y%m%d-%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def logon(floor: Floor, *, age_s: float = 0.0, number: str = "1") -> session_service_pb2.FixLogon:
    credential = floor.alice.credential
    time = sending_time(floor.clock() - int(age_s * 10**9))
    text = "\x01".join(("A", "ALICE", "TW-ORDERS", number, time))
    return session_service_pb2.FixLogon(
        api_key=credential.key_id,
        sender_comp_id="ALICE",
        target_comp_id="TW-ORDERS",
        msg_seq_num=number,
        sending_time=time,
        raw_data=base64.b64encode(credential.private_key.sign(text.encode())).decode(),
    )


def request(message: session_service_pb2.FixLogon) -> session_service_pb2.CreateSessionRequest:
    return session_service_pb2.CreateSessionRequest(fix_logon=message)


async def test_binances_published_logon_is_accepted_through_the_rpc(
    venue_of_then: RunningVenue,
) -> None:
    published = session_service_pb2.FixLogon(
        api_key=await binance_key(venue_of_then),
        sender_comp_id="EXAMPLE",
        target_comp_id="SPOT",
        msg_seq_num="1",
        sending_time=BINANCE_TIME,
        raw_data=BINANCE_SIGNATURE,
    )
    async with venue_of_then.connect() as channel:
        stubs = Stubs(channel)
        answer = await stubs.sessions.CreateSession(request(published), timeout=5)
        assert answer.account == "alice"
        # Its signature is its nonce.
        replayed = await failure(stubs.sessions.CreateSession(request(published), timeout=5))
        assert replayed.reason == "NONCE_REUSED"


async def test_a_token_from_a_logon_opens_what_the_key_permits(floor: Floor) -> None:
    answer = await floor.stubs.sessions.CreateSession(request(logon(floor)), timeout=5)
    assert answer.account == "alice"
    floor.alice.credential.token = answer.token
    assert (await floor.alice.orders()).as_of_sequence == 0


async def test_a_logon_may_be_signed_with_an_hmac_secret(floor: Floor) -> None:
    message = logon(floor)
    message.api_key, secret = await new_hmac_key(floor.venue, "alice", frozenset({"read"}))
    text = "\x01".join(("A", "ALICE", "TW-ORDERS", "1", message.sending_time)).encode()
    for key, reason in ((secret + "x", "SIGNATURE_INVALID"), (secret, "")):
        message.raw_data = base64.b64encode(hmac.digest(key.encode(), text, "sha256")).decode()
        call = floor.stubs.sessions.CreateSession(request(message), timeout=5)
        if reason:
            assert (await failure(call)).reason == reason
        else:
            assert (await call).account == "alice"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sender_comp_id", "ALICF"),
        ("target_comp_id", "TW-MARKETDATA"),
        ("msg_seq_num", "2"),
        ("raw_data", base64.b64encode(bytes(64)).decode()),
        ("api_key", "tw_NOTHING"),
    ],
)
async def test_every_field_of_a_logon_is_signed(floor: Floor, field: str, value: str) -> None:
    message = logon(floor)
    setattr(message, field, value)
    refused = await failure(floor.stubs.sessions.CreateSession(request(message), timeout=5))
    assert refused.reason == "SIGNATURE_INVALID"


async def test_the_time_of_a_logon_is_signed(floor: Floor) -> None:
    message = logon(floor)
    message.sending_time = sending_time(floor.clock() - 10**9)
    refused = await failure(floor.stubs.sessions.CreateSession(request(message), timeout=5))
    assert refused.reason == "SIGNATURE_INVALID"


async def test_an_old_logon_is_refused(floor: Floor) -> None:
    message = logon(floor, age_s=6)
    refused = await failure(floor.stubs.sessions.CreateSession(request(message), timeout=5))
    assert refused.reason == "TIMESTAMP_OUT_OF_WINDOW"


async def test_one_logon_is_accepted_once_even_at_once(floor: Floor) -> None:
    message = logon(floor)
    calls = [floor.stubs.sessions.CreateSession(request(message), timeout=5) for _ in range(8)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    tokens = [each for each in outcomes if not isinstance(each, BaseException)]
    assert len(tokens) == 1


async def test_a_logon_with_control_characters_is_refused_by_the_contract(floor: Floor) -> None:
    message = logon(floor)
    message.sender_comp_id = "AL\x01ICE"
    refused = await failure(floor.stubs.sessions.CreateSession(request(message), timeout=5))
    assert refused.reason == "FIELD_INVALID"


# --- renewal --------------------------------------------------------------------------------------


async def renew(floor: Floor, token: str) -> session_service_pb2.CreateSessionResponse:
    request = session_service_pb2.CreateSessionRequest(token=token)
    return await floor.stubs.sessions.CreateSession(request, timeout=5)


async def begin(floor: Floor) -> str:
    """Begin a session with a Logon and return its token."""
    answer = await floor.stubs.sessions.CreateSession(request(logon(floor)), timeout=5)
    return answer.token


async def test_a_session_goes_on_with_a_new_token(floor: Floor) -> None:
    token = await begin(floor)
    floor.clock.advance(14 * 60)
    renewed = await renew(floor, token)
    assert renewed.account == "alice"
    assert renewed.token != token
    floor.clock.advance(14 * 60)
    floor.alice.credential.token = renewed.token
    assert (await floor.alice.orders()).as_of_sequence == 0
    assert (await failure(renew(floor, token))).reason == "TOKEN_EXPIRED"


@pytest.mark.parametrize("token", ["x", "eyJhbGciOiJub25lIn0.e30.", "é" * 10])
async def test_only_a_token_of_ours_is_renewed(floor: Floor, token: str) -> None:
    refused = await failure(renew(floor, token))
    assert refused.reason == "TOKEN_INVALID"


async def test_a_token_that_a_client_holds_is_not_renewed(floor: Floor) -> None:
    refused = await failure(renew(floor, floor.alice.credential.token))
    assert refused.reason == "UNAUTHENTICATED"


async def test_an_ended_session_is_not_renewed(floor: Floor) -> None:
    token = floor.alice.credential.token = await begin(floor)
    renewed = await renew(floor, token)
    await floor.stubs.sessions.EndSession(
        session_service_pb2.EndSessionRequest(),
        metadata=floor.alice.credential.metadata,
        timeout=5,
    )
    for each in (token, renewed.token):
        assert (await failure(renew(floor, each))).reason == "TOKEN_INVALID"
