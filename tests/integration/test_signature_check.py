"""What writers of clients ask: which part of a signature differs, and the keys of the tokens."""

from pathlib import Path

import jwt
import pytest
from tradewire.v1 import session_service_pb2
from tradewire_server.app import Settings

from tests.integration.conftest import Complaints, Floor
from tests.support.failures import failure
from tests.support.rest import ed25519_key, signed_headers
from tests.support.venue import Clock, Credential, Stubs, running_venue

TARGET = "/v1/orders?symbol=BTC-USD"
BODY = b'{"side":"SIDE_BUY"}'


def described(
    credential: Credential, clock: Clock, *, environment: str = "sandbox", target: str = TARGET
) -> session_service_pb2.CheckSignatureRequest:
    """Describe a request to TARGET that was signed over what is given."""
    headers = signed_headers(
        ed25519_key(credential),
        "POST",
        target,
        BODY,
        environment=environment,
        timestamp_ms=clock() // 10**6,
    )
    return session_service_pb2.CheckSignatureRequest(
        api_key=headers["x-api-key"],
        timestamp=headers["x-api-timestamp"],
        nonce=headers["x-api-nonce"],
        signature=headers["x-api-signature"],
        method="POST",
        path=TARGET,
        body=BODY,
    )


async def check(
    floor: Floor, request: session_service_pb2.CheckSignatureRequest
) -> session_service_pb2.CheckSignatureResponse:
    return await floor.stubs.sessions.CheckSignature(request, timeout=10)


async def test_a_right_signature_is_right_as_often_as_one_asks(floor: Floor) -> None:
    request = described(floor.alice.credential, floor.clock)
    found = await check(floor, request)
    assert (found.valid, found.part) == (True, "")
    assert await check(floor, request) == found
    assert found.string_to_sign.split("\n")[:6] == [
        "TRADEWIRE-V1",
        "sandbox",
        request.timestamp,
        request.nonce,
        "POST",
        TARGET,
    ]


async def test_the_part_that_differs_is_named(floor: Floor) -> None:
    credential = floor.alice.credential
    found = await check(floor, described(credential, floor.clock, environment="production"))
    assert (found.valid, found.part) == (False, "environment")
    assert "'production'" in found.explanation
    found = await check(floor, described(credential, floor.clock, target="/v1/orders"))
    assert (found.valid, found.part) == (False, "path")
    assert "without its query" in found.explanation


async def test_a_timestamp_that_no_signature_would_pass_with_is_a_result(floor: Floor) -> None:
    request = described(floor.alice.credential, floor.clock)
    floor.clock.advance(120)
    found = await check(floor, request)
    assert (found.valid, found.part) == (False, "timestamp")
    assert "ms old" in found.explanation
    # What else differs is said first.
    wrong = described(floor.alice.credential, floor.clock, environment="production")
    floor.clock.advance(120)
    assert (await check(floor, wrong)).part == "environment"
    seconds = described(floor.alice.credential, floor.clock)
    seconds.timestamp = str(floor.clock() // 10**9)
    found = await check(floor, seconds)
    assert (found.part, found.valid) == ("timestamp", False)
    assert "in seconds" in found.explanation or "looks like seconds" in found.explanation


async def test_what_is_malformed_or_explained_is_no_failed_sign_in(floor: Floor) -> None:
    credential = floor.alice.credential
    for _ in range(25):
        malformed = described(credential, floor.clock)
        malformed.signature = "x" * 20
        refused = await failure(floor.stubs.sessions.CheckSignature(malformed, timeout=10))
        assert refused.reason == "UNAUTHENTICATED"
        wrong = described(credential, floor.clock, environment="production")
        assert (await check(floor, wrong)).part == "environment"
    assert (await check(floor, described(credential, floor.clock))).valid


async def test_only_who_has_the_key_learns_what_differs(floor: Floor) -> None:
    request = described(floor.bob.credential, floor.clock, environment="production")
    request.api_key = floor.alice.credential.key_id
    found = await check(floor, request)
    assert (found.valid, found.part) == (False, "")


async def test_what_cannot_be_read_is_refused(floor: Floor) -> None:
    request = described(floor.alice.credential, floor.clock)
    request.timestamp = "soon"
    found = await failure(floor.stubs.sessions.CheckSignature(request, timeout=10))
    assert (found.reason, "x-api-timestamp" in found.text) == ("UNAUTHENTICATED", True)


async def test_in_production_nothing_is_explained(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    settings = Settings(
        data_dir=data_dir, environment="production", grpc_port=0, admin_port=0, drain_s=0.2
    )
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        request = described(venue.credentials["alice"], clock, environment="production")
        async with venue.connect() as channel:
            found = await failure(Stubs(channel).sessions.CheckSignature(request, timeout=10))
    assert found.reason == "METHOD_NOT_FOUND"


async def test_the_published_keys_verify_tokens(floor: Floor) -> None:
    answer = await floor.stubs.sessions.GetTokenKeys(
        session_service_pb2.GetTokenKeysRequest(), timeout=10
    )
    (published,) = answer.keys
    assert (published.alg, published.use) == ("EdDSA", "sig")
    key = jwt.PyJWK(
        {"kty": published.kty, "crv": published.crv, "x": published.x, "alg": published.alg}
    )
    token = floor.alice.credential.token
    assert jwt.get_unverified_header(token)["kid"] == published.kid
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="sandbox")
    assert claims["account"] == "alice"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token[:-8] + "AAAAAAAA", key, algorithms=["EdDSA"], audience="sandbox")
