"""The front door: every way in, every refusal, and that a refusal tells strangers nothing."""

from dataclasses import replace

import pytest
from tradewire_server.auth.caller import Caller
from tradewire_server.auth.errors import AuthError, PermissionDenied, Reason, Unauthenticated
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.auth.proofs import FixLogonProof, SessionProof, SignedRequest
from tradewire_server.auth.sealing import Sealer, SealError
from tradewire_server.auth.tokens import TokenPolicy

from tests.unit.server.auth.venue import (
    ADDRESS,
    DAY,
    MINUTE,
    NOW_MS,
    NOW_NS,
    SECOND,
    Venue,
    base64url,
    private_key,
)

MS = 1_000_000
STRICT = LimitPolicy(
    sign_in_failures_per_address=Gcra(1, 2, 60),
    sign_in_failures_per_key_prefix=Gcra(1, 100, 60),
)


@pytest.fixture
def venue() -> Venue:
    return Venue()


def _sign_in(
    venue: Venue,
    proof: SessionProof | FixLogonProof,
    *,
    address: str | None = ADDRESS,
    now_ns: int = NOW_NS,
    scopes: frozenset[str] | None = None,
) -> str:
    issued = venue.authenticator.create_session(
        proof, address=address, now_ns=now_ns, scopes=scopes
    )
    return issued.token


def _bearer(
    venue: Venue, token: str, *, address: str | None = ADDRESS, now_ns: int = NOW_NS
) -> Caller:
    return venue.authenticator.authenticate_bearer(token, address=address, now_ns=now_ns)


def _signed(
    venue: Venue, request: SignedRequest, *, address: str | None = ADDRESS, now_ns: int = NOW_NS
) -> Caller:
    return venue.authenticator.authenticate_signature(request, address=address, now_ns=now_ns)


@pytest.mark.parametrize("key_id", ["tw_ED", "tw_HM"])
def test_a_signature_becomes_a_session_and_the_session_a_caller(venue: Venue, key_id: str) -> None:
    venue.add_ed25519()
    venue.add_hmac()
    issued = venue.authenticator.create_session(
        venue.session_proof(key_id), address=ADDRESS, now_ns=NOW_NS
    )
    assert _bearer(venue, issued.token) == Caller(
        account="alice",
        key_id=key_id,
        scopes=frozenset({"read", "trade"}),
        address=ADDRESS,
        token_id=issued.session.token_id,
        expires_ns=NOW_NS + 15 * MINUTE,
    )


@pytest.mark.parametrize("key_id", ["tw_ED", "tw_HM"])
def test_a_fix_logon_becomes_a_session(venue: Venue, key_id: str) -> None:
    venue.add_ed25519()
    venue.add_hmac()
    token = _sign_in(venue, venue.fix_logon(key_id))
    assert _bearer(venue, token).key_id == key_id


def test_a_logon_is_accepted_once(venue: Venue) -> None:
    venue.add_ed25519()
    logon = venue.fix_logon()
    _sign_in(venue, logon)
    with pytest.raises(Unauthenticated) as refusal:
        _sign_in(venue, logon)
    assert refusal.value.reason == Reason.NONCE_REUSED


def test_a_session_can_have_fewer_scopes_than_its_key(venue: Venue) -> None:
    venue.add_ed25519()
    token = _sign_in(venue, venue.session_proof(), scopes=frozenset({"read"}))
    assert _bearer(venue, token).scopes == {"read"}


@pytest.mark.parametrize("scopes", [frozenset({"read", "transfer"}), frozenset[str]()])
def test_a_session_cannot_have_other_scopes_than_its_key(
    venue: Venue, scopes: frozenset[str]
) -> None:
    venue.add_ed25519()
    with pytest.raises(AuthError) as refusal:
        _sign_in(venue, venue.session_proof(), scopes=scopes)
    assert refusal.value.reason == Reason.SCOPE_MISSING
    assert refusal.value.metadata == {
        "required": " ".join(sorted(scopes)),
        "granted": "read trade",
    }


@pytest.mark.parametrize("key_id", ["tw_ED", "tw_HM"])
def test_a_signed_request_becomes_a_caller_until_its_window_ends(venue: Venue, key_id: str) -> None:
    venue.add_ed25519()
    venue.add_hmac()
    request = replace(venue.signed_request(key_id), recv_window="10000")
    caller = _signed(venue, request)
    assert caller == Caller(
        account="alice",
        key_id=key_id,
        scopes=frozenset({"read", "trade"}),
        address=ADDRESS,
        token_id=None,
        expires_ns=NOW_NS + 10_001 * MS,
    )
    # The last moment at which the request itself would have been accepted is within.
    last_ns = caller.expires_ns - 1
    assert last_ns // MS - NOW_MS == 10_000


def test_a_signed_request_is_accepted_once(venue: Venue) -> None:
    venue.add_ed25519()
    request = venue.signed_request()
    _signed(venue, request)
    with pytest.raises(Unauthenticated) as refusal:
        _signed(venue, replace(request, recv_window="60000"), now_ns=NOW_NS + 40 * SECOND)
    assert refusal.value.reason == Reason.NONCE_REUSED


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"side":"SELL"}'},
        {"path": "/v1/orders?symbol=ETH-USD"},
        {"method": "PUT"},
        {"nonce": "another-nonce-0123"},
        {"timestamp": str(NOW_MS + 1)},
        {"key_id": "tw_OTHER"},
    ],
)
def test_an_altered_request_is_refused(venue: Venue, change: dict[str, str]) -> None:
    venue.add_ed25519()
    venue.add_ed25519("tw_OTHER")
    request = replace(venue.signed_request(), **change)  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated) as refusal:
        _signed(venue, request)
    assert refusal.value.reason == Reason.SIGNATURE_INVALID


def test_a_request_of_another_environment_is_refused(venue: Venue) -> None:
    venue.add_ed25519()
    proof = venue.session_proof(nonce="n" * 16)
    payload = f"TRADEWIRE-V1\nproduction\n{NOW_MS}\n{'n' * 16}\nSESSION".encode()
    signature = private_key("tw_ED").sign(payload)
    proof = replace(proof, signature=base64url(signature))
    with pytest.raises(Unauthenticated, match="environment name 'sandbox'") as refusal:
        _sign_in(venue, proof)
    assert refusal.value.reason == Reason.SIGNATURE_INVALID


def _told(venue: Venue, key_id: str, *, signer: str, address: str | None = ADDRESS) -> str:
    """Return all that a caller is told who signs in with `signer`'s key as `key_id`."""
    proof = venue.session_proof(key_id, signer=signer)
    with pytest.raises(AuthError) as refusal:
        _sign_in(venue, proof, address=address)
    return repr(refusal.value)


def test_a_stranger_is_told_the_same_whatever_key_he_names(venue: Venue) -> None:
    venue.add_ed25519("tw_LIVE")
    venue.add_hmac()
    venue.add_ed25519("tw_REVOKED")
    venue.keys.revoke("tw_REVOKED", NOW_NS)
    venue.add_ed25519("tw_EXPIRED", expires_ns=NOW_NS - 1)
    venue.add_ed25519("tw_ELSEWHERE", addresses=("198.51.100.0/24",))
    named = ["tw_UNKNOWN", "tw_LIVE", "tw_HM", "tw_REVOKED", "tw_EXPIRED", "tw_ELSEWHERE"]
    for signer in ("tw_STRANGER", "tw_HM_STRANGER"):
        told = {
            _told(venue, key_id, signer=signer)
            for key_id in named
            if not (signer.startswith("tw_HM") and key_id == "tw_HM")
        }
        assert len(told) == 1
        assert Reason.SIGNATURE_INVALID in told.pop()


def test_its_holder_is_told_what_is_wrong_with_a_key(venue: Venue) -> None:
    venue.add_ed25519("tw_REVOKED")
    venue.keys.revoke("tw_REVOKED", NOW_NS)
    venue.add_ed25519("tw_EXPIRED", expires_ns=NOW_NS)
    venue.add_ed25519("tw_ELSEWHERE", addresses=("198.51.100.0/24",))
    assert "KEY_REVOKED" in _told(venue, "tw_REVOKED", signer="tw_REVOKED")
    assert "KEY_EXPIRED" in _told(venue, "tw_EXPIRED", signer="tw_EXPIRED")
    told = _told(venue, "tw_ELSEWHERE", signer="tw_ELSEWHERE")
    assert "ADDRESS_NOT_ALLOWED" in told
    assert ADDRESS in told
    told = _told(venue, "tw_ELSEWHERE", signer="tw_ELSEWHERE", address=None)
    assert "an unknown address" in told


def test_a_refused_proof_takes_no_room_among_the_nonces(venue: Venue) -> None:
    venue.add_ed25519()
    _told(venue, "tw_ED", signer="tw_STRANGER")
    venue.keys.revoke("tw_ED", NOW_NS)
    _told(venue, "tw_ED", signer="tw_ED")
    assert len(venue.replay) == 0


def test_a_stale_proof_is_refused_before_its_key_is_looked_at(venue: Venue) -> None:
    proof = venue.session_proof("tw_UNKNOWN")
    with pytest.raises(Unauthenticated) as refusal:
        _sign_in(venue, proof, now_ns=NOW_NS + 5_001 * MS)
    assert refusal.value.reason == Reason.TIMESTAMP_OUT_OF_WINDOW
    assert refusal.value.metadata["skew_ms"] == "-5001"
    assert len(venue.throttle._addresses) == 0


def test_a_wider_window_is_given_when_asked_for(venue: Venue) -> None:
    venue.add_ed25519()
    late_ns = NOW_NS + 59 * SECOND
    _sign_in(venue, replace(venue.session_proof(), window_ms=60_000), now_ns=late_ns)
    with pytest.raises(Unauthenticated, match="possible are 1 to 60000"):
        _sign_in(venue, replace(venue.session_proof(), window_ms=60_001), now_ns=NOW_NS)


def test_after_a_restart_a_former_proof_is_refused() -> None:
    venue = Venue(floor_ms=NOW_MS + 1)
    venue.add_ed25519()
    with pytest.raises(Unauthenticated, match="before the server's start"):
        _sign_in(venue, venue.session_proof())


def test_a_revoked_key_ends_its_sessions_at_once(venue: Venue) -> None:
    venue.add_ed25519()
    token = _sign_in(venue, venue.session_proof())
    caller = _bearer(venue, token)
    venue.authenticator.recheck(caller, NOW_NS)
    venue.keys.revoke("tw_ED", NOW_NS)
    with pytest.raises(Unauthenticated) as refusal:
        _bearer(venue, token)
    assert refusal.value.reason == Reason.KEY_REVOKED
    with pytest.raises(Unauthenticated) as refusal:
        venue.authenticator.recheck(caller, NOW_NS)
    assert refusal.value.reason == Reason.KEY_REVOKED


def test_the_session_of_a_forgotten_key_is_refused(venue: Venue) -> None:
    venue.add_ed25519()
    token = _sign_in(venue, venue.session_proof())
    for number in range(100):
        venue.add_ed25519(f"tw_{number}")
    venue.keys.revoke("tw_ED", NOW_NS)
    for number in range(100):
        venue.keys.revoke(f"tw_{number}", NOW_NS + 1)
    assert venue.keys.get("tw_ED") is None
    with pytest.raises(Unauthenticated) as refusal:
        _bearer(venue, token)
    assert refusal.value.reason == Reason.KEY_REVOKED


def test_a_key_that_expires_ends_its_streams(venue: Venue) -> None:
    venue.add_ed25519()
    caller = _bearer(venue, _sign_in(venue, venue.session_proof()))
    venue.keys.expire("tw_ED", NOW_NS + MINUTE)
    venue.authenticator.recheck(caller, NOW_NS + MINUTE - 1)
    with pytest.raises(Unauthenticated) as refusal:
        venue.authenticator.recheck(caller, NOW_NS + MINUTE)
    assert refusal.value.reason == Reason.KEY_EXPIRED


def test_a_stream_outlives_the_token_that_opened_it(venue: Venue) -> None:
    venue.add_ed25519()
    token = _sign_in(venue, venue.session_proof())
    caller = _bearer(venue, token)
    venue.authenticator.recheck(caller, NOW_NS + DAY)
    with pytest.raises(Unauthenticated) as refusal:
        _bearer(venue, token, now_ns=NOW_NS + DAY)
    assert refusal.value.reason == Reason.TOKEN_EXPIRED


def test_a_token_is_of_use_only_where_its_key_is(venue: Venue) -> None:
    venue.add_ed25519(addresses=("192.0.2.0/24",))
    token = _sign_in(venue, venue.session_proof())
    assert _bearer(venue, token, address="192.0.2.8").address == "192.0.2.8"
    for address in ("198.51.100.1", None):
        with pytest.raises(AuthError) as refusal:
            _bearer(venue, token, address=address)
        assert refusal.value.reason == Reason.ADDRESS_NOT_ALLOWED


def test_an_ended_session_is_over_and_its_watchers_are_told(venue: Venue) -> None:
    venue.add_ed25519()
    token = _sign_in(venue, venue.session_proof())
    caller = _bearer(venue, token)
    told: list[str] = []
    withdraw = venue.authenticator.watch(caller, lambda: told.append("ended"))
    venue.authenticator.end_session(caller, NOW_NS)
    venue.keys.revoke("tw_ED", NOW_NS)
    withdraw()
    assert told == ["ended"]
    with pytest.raises(Unauthenticated) as refusal:
        _bearer(venue, token)
    assert refusal.value.reason == Reason.TOKEN_INVALID


def test_a_watcher_is_told_of_revocation_and_leaves_nothing_behind(venue: Venue) -> None:
    venue.add_ed25519()
    caller = _bearer(venue, _sign_in(venue, venue.session_proof()))
    told: list[str] = []
    stayed = venue.authenticator.watch(caller, lambda: told.append("stayed"))
    left = venue.authenticator.watch(caller, lambda: told.append("left"))
    left()
    venue.keys.revoke("tw_ED", NOW_NS)
    assert told == ["stayed"]
    stayed()
    assert (len(venue.keys._watchers), len(venue.tokens._watchers)) == (0, 0)


def test_who_signed_a_request_watches_the_key_only(venue: Venue) -> None:
    venue.add_ed25519()
    caller = _signed(venue, venue.signed_request())
    told: list[str] = []
    venue.authenticator.watch(caller, lambda: told.append("withdrawn"))()
    venue.authenticator.watch(caller, lambda: told.append("revoked"))
    venue.keys.revoke("tw_ED", NOW_NS)
    assert told == ["revoked"]
    with pytest.raises(Unauthenticated, match="no session that could be ended"):
        venue.authenticator.end_session(caller, NOW_NS)


def test_an_address_that_keeps_failing_waits_before_any_work() -> None:
    venue = Venue(limits=STRICT)
    venue.add_ed25519()
    for _ in range(2):
        assert "SIGNATURE_INVALID" in _told(venue, "tw_ED", signer="tw_STRANGER")
    for right in (venue.session_proof(), venue.fix_logon()):
        with pytest.raises(AuthError) as refusal:
            _sign_in(venue, right)
        assert refusal.value.reason == Reason.RATE_LIMITED
        assert refusal.value.metadata["scope"] == "sign_in"
    with pytest.raises(AuthError) as refusal:
        _signed(venue, venue.signed_request())
    assert refusal.value.reason == Reason.RATE_LIMITED
    _sign_in(venue, venue.session_proof(), address="192.0.2.8")


def test_forged_tokens_count_as_failures_and_known_ones_still_pass() -> None:
    venue = Venue(limits=STRICT, tokens=TokenPolicy(cached_max=2))
    venue.add_ed25519()
    unseen, fresh, known = (_sign_in(venue, venue.session_proof()) for _ in range(3))
    _bearer(venue, known)
    forged = known[:-10] + "A" * 10
    for _ in range(2):
        with pytest.raises(Unauthenticated) as refusal:
            _bearer(venue, forged)
        assert refusal.value.reason == Reason.TOKEN_INVALID
    for token in (forged, unseen):
        with pytest.raises(AuthError) as limited:
            _bearer(venue, token)
        assert limited.value.reason == Reason.RATE_LIMITED
    # Issued to this address and never used before.
    assert _bearer(venue, fresh).key_id == "tw_ED"
    assert _bearer(venue, known).key_id == "tw_ED"
    assert _bearer(venue, unseen, address="192.0.2.8").key_id == "tw_ED"


def test_tokens_of_a_former_process_are_refused_and_not_held_against_anyone() -> None:
    former, venue = Venue(), Venue(limits=STRICT)
    for each in (former, venue):
        each.add_ed25519()
    former.tokens._headers["kid"] = "former"
    token = _sign_in(former, former.session_proof())
    for _ in range(10):
        with pytest.raises(Unauthenticated) as refusal:
            _bearer(venue, token)
        assert refusal.value.reason == Reason.TOKEN_INVALID
    _sign_in(venue, venue.session_proof())


def test_a_check_names_the_part_that_differs_and_uses_nothing_up(venue: Venue) -> None:
    venue.add_ed25519()
    request = venue.signed_request()
    for _ in range(2):
        check = venue.authenticator.check_signature(request, address=ADDRESS, now_ns=NOW_NS)
        assert check.is_valid
    altered = replace(request, method="GET", path="/v1/orders")
    check = venue.authenticator.check_signature(altered, address=ADDRESS, now_ns=NOW_NS)
    assert (check.is_valid, check.part) == (False, "")
    without_query = replace(venue.signed_request(path="/v1/time"), path="/v1/time?verbose=1")
    check = venue.authenticator.check_signature(without_query, address=ADDRESS, now_ns=NOW_NS)
    assert (check.is_valid, check.part) == (False, "path")
    _signed(venue, request)


def test_a_check_of_a_key_that_has_ended_tells_its_holder_only(venue: Venue) -> None:
    venue.add_ed25519()
    mine, strange = venue.signed_request(), venue.signed_request(signer="tw_STRANGER")
    venue.keys.revoke("tw_ED", NOW_NS)
    with pytest.raises(Unauthenticated) as refusal:
        venue.authenticator.check_signature(mine, address=ADDRESS, now_ns=NOW_NS)
    assert refusal.value.reason == Reason.KEY_REVOKED
    check = venue.authenticator.check_signature(strange, address=ADDRESS, now_ns=NOW_NS)
    assert (check.is_valid, check.part) == (False, "")


def test_who_may_not_do_this_uses_up_no_nonce(venue: Venue) -> None:
    venue.add_ed25519()
    request = venue.signed_request()
    asked: list[str] = []

    def permit(caller: Caller) -> None:
        asked.append(caller.account)
        if len(asked) == 1:
            raise PermissionDenied(Reason.SCOPE_MISSING, "Not this.")

    def sign() -> Caller:
        return venue.authenticator.authenticate_signature(
            request, address=ADDRESS, now_ns=NOW_NS, permit=permit
        )

    with pytest.raises(PermissionDenied):
        sign()
    assert len(venue.replay) == 0
    assert sign().account == "alice"
    with pytest.raises(Unauthenticated) as refusal:
        sign()
    assert refusal.value.reason == Reason.NONCE_REUSED


def test_the_keys_of_the_tokens_are_published(venue: Venue) -> None:
    assert venue.authenticator.token_keys() == venue.tokens.jwks()


def test_a_check_tells_strangers_nothing_and_counts_their_failures() -> None:
    venue = Venue(limits=STRICT)
    venue.add_ed25519()
    for key_id in ("tw_ED", "tw_UNKNOWN"):
        request = venue.signed_request(key_id, signer="tw_STRANGER")
        check = venue.authenticator.check_signature(request, address=ADDRESS, now_ns=NOW_NS)
        assert (check.is_valid, check.part) == (False, "")
        assert "byte by byte" in check.text
    with pytest.raises(AuthError) as refusal:
        venue.authenticator.check_signature(venue.signed_request(), address=ADDRESS, now_ns=NOW_NS)
    assert refusal.value.reason == Reason.RATE_LIMITED


def test_a_wrong_master_key_is_noticed_at_the_start(venue: Venue) -> None:
    venue.add_ed25519()
    venue.add_hmac()
    venue.authenticator.check_secrets()
    stranger = Sealer(b"k" * 32).seal(b"secret", key_id="tw_HM2")
    venue.keys.add(replace(venue.add_hmac("tw_HM1"), key_id="tw_HM2", sealed_secret=stranger))
    with pytest.raises(SealError, match="tw_HM2 was sealed under master key"):
        venue.authenticator.check_secrets()
