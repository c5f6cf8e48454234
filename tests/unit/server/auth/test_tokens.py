"""Session tokens: what is accepted, and every way in which others have been fooled."""

import base64
import hashlib
import hmac as hmac_module
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tradewire_server.auth.errors import AuthError, Exhausted, Reason, Unauthenticated
from tradewire_server.auth.tokens import (
    TOKEN_MAX,
    Session,
    TokenAuthority,
    TokenForged,
    TokenPolicy,
    bearer_token,
)

from tests.unit.server.auth.venue import (
    DAY,
    ENVIRONMENT,
    ISSUER,
    MINUTE,
    NOW_NS,
    SECOND,
    CountedEntropy,
    base64url,
    ed25519_key,
    private_key,
)

SIGNER = private_key("token key")
KEY = ed25519_key()
NOW_S = NOW_NS // SECOND
EVER = 900


def _authority(**policy: int) -> TokenAuthority:
    return TokenAuthority(
        environment=ENVIRONMENT,
        issuer=ISSUER,
        private_key=SIGNER.private_bytes_raw(),
        policy=TokenPolicy(**policy),
        entropy=CountedEntropy(),
    )


def _issue(authority: TokenAuthority, now_ns: int = NOW_NS) -> str:
    return authority.issue(KEY, scopes=KEY.scopes, now_ns=now_ns).token


def _header(authority: TokenAuthority) -> dict[str, Any]:
    return jwt.get_unverified_header(_issue(authority))


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {
        "iss": ISSUER,
        "aud": ENVIRONMENT,
        "sub": "tw_ED",
        "jti": "token-id",
        "iat": NOW_S,
        "nbf": NOW_S,
        "renewable_until": 0,
        "exp": NOW_S + EVER,
        "scope": "read trade",
        "account": "alice",
        "ticket": False,
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def _sign(header: dict[str, Any], claims: dict[str, Any], key: Ed25519PrivateKey = SIGNER) -> str:
    """Make a token without PyJWT, which refuses to make bad ones."""
    parts = [
        base64url(json.dumps(part, separators=(",", ":"), sort_keys=True).encode())
        for part in (header, claims)
    ]
    signing_input = ".".join(parts)
    return f"{signing_input}.{base64url(key.sign(signing_input.encode()))}"


def _refusal(authority: TokenAuthority, token: str, now_ns: int = NOW_NS) -> Unauthenticated:
    assert authority.recall(token, now_ns) is None
    with pytest.raises(Unauthenticated) as refusal:
        authority.verify(token, now_ns)
    return refusal.value


def test_a_token_names_who_signed_in() -> None:
    authority = _authority()
    issued = authority.issue(KEY, scopes=frozenset({"read"}), now_ns=NOW_NS + 5)
    assert issued.session == Session(
        token_id=issued.session.token_id,
        key_id="tw_ED",
        account="alice",
        scopes=frozenset({"read"}),
        issued_s=NOW_S,
        expires_ns=NOW_NS + 15 * MINUTE,
        renewable_until_s=0,
    )
    assert authority.verify(issued.token, NOW_NS) == issued.session
    assert issued.token not in repr(issued)


def test_the_claims_are_those_of_the_contract() -> None:
    authority = _authority()
    issued = authority.issue(KEY, scopes=KEY.scopes, now_ns=NOW_NS)
    decoded = jwt.decode_complete(issued.token, options={"verify_signature": False})
    assert decoded["payload"] == _claims(jti=issued.session.token_id)
    kid = authority.jwks()["keys"][0]["kid"]
    assert decoded["header"] == {"alg": "EdDSA", "typ": "at+jwt", "kid": kid}


def test_two_tokens_have_two_ids() -> None:
    authority = _authority()
    ids = {
        authority.issue(KEY, scopes=KEY.scopes, now_ns=NOW_NS).session.token_id for _ in range(9)
    }
    assert len(ids) == 9
    assert {len(token_id) for token_id in ids} == {22}


def test_a_session_is_renewed_for_a_day_and_no_longer() -> None:
    authority = _authority()
    first = authority.issue(KEY, scopes=frozenset({"read"}), now_ns=NOW_NS, is_renewable=True)
    session, now_ns = first.session, NOW_NS
    while now_ns + 14 * MINUTE < NOW_NS + DAY:
        now_ns += 14 * MINUTE
        renewed = authority.renew(session, KEY, now_ns)
        session = renewed.session
        assert session.token_id == first.session.token_id
        assert session.scopes == frozenset({"read"})
        assert session.expires_ns // 10**9 == now_ns // 10**9 + 15 * 60
        assert authority.verify(renewed.token, now_ns) == session
    with pytest.raises(Unauthenticated) as refused:
        authority.renew(session, KEY, NOW_NS + DAY)
    assert refused.value.reason == "TOKEN_EXPIRED"


def test_only_a_session_of_a_logon_is_renewed() -> None:
    authority = _authority()
    session = authority.issue(KEY, scopes=KEY.scopes, now_ns=NOW_NS).session
    with pytest.raises(Unauthenticated) as refused:
        authority.renew(session, KEY, NOW_NS)
    assert refused.value.reason == "UNAUTHENTICATED"


def test_a_renewed_session_loses_the_scopes_that_its_key_has_lost() -> None:
    authority = _authority()
    first = authority.issue(KEY, scopes=KEY.scopes, now_ns=NOW_NS, is_renewable=True)
    reduced = replace(KEY, scopes=frozenset({"read"}))
    assert authority.renew(first.session, reduced, NOW_NS).session.scopes == {"read"}


def test_what_ends_a_session_ends_all_its_tokens() -> None:
    authority = _authority()
    first = authority.issue(KEY, scopes=KEY.scopes, now_ns=NOW_NS, is_renewable=True)
    second = authority.renew(first.session, KEY, NOW_NS + 10 * MINUTE)
    now_ns = NOW_NS + 11 * MINUTE
    authority.end(
        first.session.token_id,
        key_id=KEY.key_id,
        expires_ns=first.session.expires_ns,
        now_ns=now_ns,
    )
    # Ended with the older token, and beyond its life.
    for later_ns in (now_ns, NOW_NS + 20 * MINUTE, NOW_NS + 25 * MINUTE - 1):
        with pytest.raises(Unauthenticated):
            authority.verify(second.token, later_ns)
        # Others that end meanwhile make room, but not of this one.
        authority.end("other", key_id=KEY.key_id, expires_ns=later_ns, now_ns=later_ns)
        with pytest.raises(Unauthenticated):
            authority.verify(second.token, later_ns)


def test_a_token_ends_with_its_key() -> None:
    authority = _authority()
    for expires_ns, ends_ns in (
        (NOW_NS + MINUTE + 5, NOW_NS + MINUTE),
        (NOW_NS + DAY, NOW_NS + 15 * MINUTE),
    ):
        key = replace(KEY, expires_ns=expires_ns)
        issued = authority.issue(key, scopes=key.scopes, now_ns=NOW_NS)
        assert issued.session.expires_ns == ends_ns


def test_a_session_never_has_more_scopes_than_its_key() -> None:
    with pytest.raises(AssertionError, match="no more scopes"):
        _authority().issue(KEY, scopes=frozenset({"admin"}), now_ns=NOW_NS)


def test_others_can_verify_with_the_published_key_set() -> None:
    authority = _authority()
    (published,) = authority.jwks()["keys"]
    assert published["use"] == "sig"
    key = jwt.PyJWK(published)
    token = _issue(authority)
    claims = jwt.decode(
        token, key, algorithms=["EdDSA"], audience=ENVIRONMENT, options={"verify_exp": False}
    )
    assert claims["sub"] == "tw_ED"
    assert isinstance(key.key, Ed25519PublicKey)


def test_the_key_id_is_the_thumbprint_of_rfc_8037() -> None:
    # RFC 8037, appendix A.1 to A.3.
    secret = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    authority = TokenAuthority(environment=ENVIRONMENT, issuer=ISSUER, private_key=secret)
    assert authority.jwks() == {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "use": "sig",
                "alg": "EdDSA",
                "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            }
        ]
    }


def test_hand_made_tokens_are_accepted_when_they_are_right() -> None:
    # So the refusals below are refused for the one thing that is wrong with them.
    authority = _authority()
    token = _sign(_header(authority), _claims())
    assert authority.verify(token, NOW_NS).token_id == "token-id"


HEADERS: dict[str, dict[str, Any]] = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg NONE": {"alg": "NONE"},
    "alg empty": {"alg": ""},
    "alg HS256": {"alg": "HS256"},
    "alg ES256": {"alg": "ES256"},
    "alg Ed25519": {"alg": "Ed25519"},
    "alg eddsa": {"alg": "eddsa"},
    "alg list": {"alg": ["EdDSA"]},
    "typ JWT": {"typ": "JWT"},
    "typ AT+JWT": {"typ": "AT+JWT"},
    "typ with media type": {"typ": "application/at+jwt"},
    "typ logout": {"typ": "logout+jwt"},
    "kid of nobody": {"kid": "nobody"},
    "kid empty": {"kid": ""},
    "kid path": {"kid": "../../../../dev/null"},
    "kid injection": {"kid": "x' UNION SELECT 'secret"},
    "kid number": {"kid": 1},
    "crit": {"crit": ["exp"], "exp": 1},
    "crit unknown": {"crit": ["urn:example:unknown"], "urn:example:unknown": True},
    "crit empty": {"crit": []},
    "b64 false": {"b64": False, "crit": ["b64"]},
    "jku": {"jku": "https://attacker.example/jwks.json"},
    "x5u": {"x5u": "https://attacker.example/cert.pem"},
    "x5c": {"x5c": ["AAAA"]},
    "jwk": {
        "jwk": {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": base64url(private_key("attacker").public_key().public_bytes_raw()),
        }
    },
    "zip": {"zip": "DEF"},
    "cty": {"cty": "JWT"},
    "unknown member": {"hello": "world"},
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS)
def test_every_other_header_is_refused_even_with_our_signature(change: dict[str, Any]) -> None:
    authority = _authority()
    token = _sign({**_header(authority), **change}, _claims())
    assert _refusal(authority, token).reason == Reason.TOKEN_INVALID


@pytest.mark.parametrize("member", ["alg", "typ", "kid"])
def test_a_header_without_one_of_its_members_is_refused(member: str) -> None:
    authority = _authority()
    header = _header(authority)
    del header[member]
    assert _refusal(authority, _sign(header, _claims())).reason == Reason.TOKEN_INVALID


def test_another_spelling_of_our_header_is_refused() -> None:
    authority = _authority()
    text = json.dumps(_header(authority), indent=1).encode()
    signing_input = f"{base64url(text)}.{base64url(json.dumps(_claims()).encode())}"
    token = f"{signing_input}.{base64url(SIGNER.sign(signing_input.encode()))}"
    assert _refusal(authority, token).reason == Reason.TOKEN_INVALID


def test_the_public_key_is_no_hmac_secret() -> None:
    authority = _authority()
    public = SIGNER.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    own_header = _issue(authority).partition(".")[0]
    for secret in (pem, public.public_bytes_raw(), base64url(public.public_bytes_raw()).encode()):
        for header in (
            base64url(json.dumps({**_header(authority), "alg": "HS256"}).encode()),
            own_header,
        ):
            signing_input = f"{header}.{base64url(json.dumps(_claims()).encode())}"
            mac = hmac_module.new(secret, signing_input.encode(), hashlib.sha256).digest()
            token = f"{signing_input}.{base64url(mac)}"
            assert _refusal(authority, token).reason == Reason.TOKEN_INVALID


def test_a_token_without_its_signature_is_refused() -> None:
    authority = _authority()
    head, _, _ = _issue(authority).rpartition(".")
    none = base64url(b'{"alg":"none","typ":"at+jwt"}')
    claims = head.partition(".")[2]
    for token in (head, f"{head}.", f"{none}.{claims}.", f"{none}.{claims}", f"{head}.AAAA"):
        assert _refusal(authority, token).reason == Reason.TOKEN_INVALID


CLAIMS: dict[str, dict[str, Any]] = {
    "wrong iss": {"iss": "other"},
    "iss list": {"iss": [ISSUER]},
    "wrong aud": {"aud": "production"},
    "aud list": {"aud": [ENVIRONMENT]},
    "aud among others": {"aud": [ENVIRONMENT, "production"]},
    "aud prefix": {"aud": ENVIRONMENT + "x"},
    "nbf in the future": {"nbf": NOW_S + 60},
    "iat in the future": {"iat": NOW_S + 60, "nbf": NOW_S + 60, "exp": NOW_S + 120},
    "lifetime too long": {"exp": NOW_S + 901},
    "exp of another century": {"exp": 2**63},
    "exp text": {"exp": str(NOW_S + EVER)},
    "exp fraction": {"exp": NOW_S + 0.5},
    "exp true": {"exp": True},
    "iat text": {"iat": str(NOW_S)},
    "sub number": {"sub": 7},
    "jti number": {"jti": 7},
    "account list": {"account": ["alice"]},
    "ticket number": {"ticket": 0},
    "ticket text": {"ticket": "false"},
    "scope list": {"scope": ["read"]},
    "scope unknown": {"scope": "read everything"},
    "scope empty": {"scope": ""},
    "scope with two spaces": {"scope": "read  trade"},
}


@pytest.mark.parametrize("change", CLAIMS.values(), ids=CLAIMS)
def test_other_claims_are_refused_even_with_our_signature(change: dict[str, Any]) -> None:
    authority = _authority()
    token = _sign(_header(authority), _claims(**change))
    assert _refusal(authority, token).reason == Reason.TOKEN_INVALID


@pytest.mark.parametrize("claim", sorted(_claims()))
def test_no_claim_may_be_missing(claim: str) -> None:
    authority = _authority()
    token = _sign(_header(authority), _claims(**{claim: None}))
    refusal = _refusal(authority, token)
    assert isinstance(refusal, TokenForged)
    assert refusal.reason == Reason.TOKEN_INVALID


@pytest.mark.parametrize("payload", [b"[]", b"7", b"null", b"{", b"", b"\xff", b"[" * 1200])
def test_a_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    authority = _authority()
    signing_input = f"{_issue(authority).partition('.')[0]}.{base64url(payload)}"
    token = f"{signing_input}.{base64url(SIGNER.sign(signing_input.encode()))}"
    assert _refusal(authority, token).reason == Reason.TOKEN_INVALID


def test_a_token_altered_anywhere_is_refused() -> None:
    authority = _authority()
    token = _issue(authority)
    # Every place of header, claims and signature but the very last, which holds spare bits.
    for position in range(0, len(token) - 1, 7):
        other = "A" if token[position] != "A" else "B"
        altered = token[:position] + other + token[position + 1 :]
        assert _refusal(authority, altered).reason == Reason.TOKEN_INVALID


def test_another_payload_under_our_signature_is_refused() -> None:
    authority = _authority()
    header, _, signature = _issue(authority).split(".")
    claims = base64url(json.dumps(_claims(scope="admin")).encode())
    refusal = _refusal(authority, f"{header}.{claims}.{signature}")
    assert isinstance(refusal, TokenForged)


def test_the_token_of_another_authority_is_refused_without_work() -> None:
    stranger = TokenAuthority(
        environment=ENVIRONMENT,
        issuer=ISSUER,
        private_key=private_key("stranger").private_bytes_raw(),
    )
    refusal = _refusal(_authority(), _issue(stranger))
    assert not isinstance(refusal, TokenForged)
    assert refusal.reason == Reason.TOKEN_INVALID


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "\ud800", "." * 5000])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert _refusal(_authority(), token).reason == Reason.TOKEN_INVALID


@pytest.mark.parametrize("tail", ["é", "\ud800", ".x", "\n", " ", "A" * TOKEN_MAX])
def test_a_token_with_a_tail_is_refused(tail: str) -> None:
    authority = _authority()
    assert _refusal(authority, _issue(authority) + tail).reason == Reason.TOKEN_INVALID


def test_an_oversized_token_is_refused_even_with_our_signature() -> None:
    authority = _authority()
    token = _sign(_header(authority), _claims(padding="x" * TOKEN_MAX))
    refusal = _refusal(authority, token)
    assert not isinstance(refusal, TokenForged)


def test_a_token_is_accepted_until_it_expires_and_a_little_longer() -> None:
    authority = _authority(leeway_s=5)
    token = _issue(authority)
    last_ns = NOW_NS + 15 * MINUTE + 5 * SECOND - 1
    for now_ns in (NOW_NS - 5 * SECOND, NOW_NS, last_ns):
        assert authority.verify(token, now_ns).key_id == "tw_ED"
        assert authority.recall(token, now_ns) is not None
    for check in (authority.recall, authority.verify):
        with pytest.raises(Unauthenticated) as refusal:
            check(token, last_ns + 1)
        assert refusal.value.reason == Reason.TOKEN_EXPIRED
        with pytest.raises(Unauthenticated) as refusal:
            check(token, NOW_NS - 5 * SECOND - 1)
        assert refusal.value.reason == Reason.TOKEN_INVALID


@pytest.mark.parametrize(
    "policy", [{"leeway_s": 31}, {"leeway_s": -1}, {"lifetime_s": 901}, {"lifetime_s": 0}]
)
def test_lifetime_and_leeway_are_bounded(policy: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="possible are"):
        TokenPolicy(**policy)


def test_a_token_is_known_from_its_issue_on_as_what_it_says() -> None:
    authority = _authority()
    token = _issue(authority)
    assert authority.recall(token, NOW_NS) == authority.verify(token, NOW_NS)


def test_only_tokens_of_ours_are_remembered_and_not_too_many() -> None:
    authority = _authority(cached_max=2)
    forged = _sign(_header(authority), _claims(), private_key("attacker"))
    tokens = [_issue(authority) for _ in range(3)]
    _refusal(authority, forged)
    recalled = [authority.recall(token, NOW_NS) is not None for token in (*tokens, forged)]
    assert recalled == [False, True, True, False]
    assert authority.verify(tokens[0], NOW_NS).key_id == "tw_ED"
    recalled = [authority.recall(token, NOW_NS) is not None for token in tokens]
    assert recalled == [True, False, True]
    assert len(authority._cache) == 2


def test_the_memory_holds_no_token() -> None:
    authority = _authority()
    token = _issue(authority)
    authority.verify(token, NOW_NS)
    assert list(authority._cache) == [hashlib.sha256(token.encode()).digest()]


def _end(authority: TokenAuthority, token: str, now_ns: int = NOW_NS) -> Session:
    session = authority.verify(token, now_ns)
    authority.end(
        session.token_id, key_id=session.key_id, expires_ns=session.expires_ns, now_ns=now_ns
    )
    return session


def _is_ended(authority: TokenAuthority, token: str, now_ns: int = NOW_NS) -> bool:
    try:
        authority.verify(token, now_ns)
    except AuthError as refusal:
        return refusal.reason == Reason.TOKEN_INVALID
    return False


def test_an_ended_session_is_refused_and_others_live() -> None:
    authority = _authority()
    ended, other = _issue(authority), _issue(authority)
    _end(authority, ended)
    for check in (authority.recall, authority.verify):
        with pytest.raises(Unauthenticated, match="was ended") as refusal:
            check(ended, NOW_NS)
        assert refusal.value.reason == Reason.TOKEN_INVALID
    assert authority.verify(other, NOW_NS).key_id == "tw_ED"


def test_ended_sessions_are_forgotten_when_their_token_cannot_be_used() -> None:
    authority = _authority(leeway_s=5)
    _end(authority, _issue(authority))
    later_ns = NOW_NS + 15 * MINUTE + 5 * SECOND
    fresh = _issue(authority, later_ns)
    _end(authority, fresh, later_ns - 1)
    assert len(authority._ended) == 2
    _end(authority, _issue(authority, later_ns), later_ns)
    assert len(authority._ended) == 2


def test_when_too_many_were_ended_all_sessions_of_the_key_end_and_none_comes_back() -> None:
    authority = _authority(ended_max=1, leeway_s=5)
    first, second, third = (_issue(authority) for _ in range(3))
    bystander_key = ed25519_key("tw_2")
    bystander = authority.issue(bystander_key, scopes=bystander_key.scopes, now_ns=NOW_NS).token
    _end(authority, first)
    _end(authority, second)
    assert [_is_ended(authority, token) for token in (first, second, third)] == [True] * 3
    assert not _is_ended(authority, bystander)
    # A clock that is set back does not lower the mark.
    authority.end("other", key_id="tw_ED", expires_ns=NOW_NS, now_ns=NOW_NS - MINUTE)
    assert _is_ended(authority, third)
    with pytest.raises(Exhausted) as refusal:
        _issue(authority, NOW_NS + 2_500_000)
    assert refusal.value.metadata == {
        "scope": "sessions",
        "limit": "1",
        "retry_after_ms": "5998",
    }
    again_ns = NOW_NS + 6 * SECOND
    assert not _is_ended(authority, _issue(authority, again_ns), again_ns)


def test_sessions_of_the_second_in_which_all_end_are_ended_too() -> None:
    authority = _authority(ended_max=1, leeway_s=0)
    tokens = [_issue(authority) for _ in range(3)]
    for token in tokens[:2]:
        _end(authority, token)
    assert _is_ended(authority, tokens[2])
    assert not _is_ended(authority, _issue(authority, NOW_NS + SECOND), NOW_NS + SECOND)


def test_the_mark_is_forgotten_when_it_cannot_matter() -> None:
    authority = _authority(ended_max=1, leeway_s=5)
    for token in [_issue(authority) for _ in range(2)]:
        _end(authority, token)
    assert len(authority._cut_offs) == 1
    later_ns = NOW_NS + 15 * MINUTE + 11 * SECOND
    _end(authority, _issue(authority, later_ns), later_ns)
    assert authority._cut_offs == {}
    assert len(authority._ended) == 1


def test_who_watches_a_session_is_told_once_when_it_ends() -> None:
    authority = _authority()
    token = _issue(authority)
    session = authority.verify(token, NOW_NS)
    told: list[str] = []
    authority.watch(session.token_id, lambda: told.append("ended"))
    authority.watch(session.token_id, lambda: told.append("withdrawn"))()
    _end(authority, token)
    authority.watch(session.token_id, lambda: told.append("too late"))()
    assert told == ["ended", "too late"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_of_the_header_has_no_case(scheme: str) -> None:
    assert bearer_token(f"{scheme} a.b-c_d.e") == "a.b-c_d.e"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "a.b.c", "Basic YTpi", "Bearer a b", "Bearer a\n", "Bearer é"],
)
def test_every_other_header_is_no_credential(header: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        bearer_token(header)
    assert refusal.value.reason == Reason.UNAUTHENTICATED


def test_an_oversized_header_is_no_credential() -> None:
    with pytest.raises(Unauthenticated):
        bearer_token("Bearer " + "a" * 2 * TOKEN_MAX)
