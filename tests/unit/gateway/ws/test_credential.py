"""What the gateway reads of a token, without believing it."""

import base64
import json
import time
from typing import Any

import pytest
from tradewire_gateway.ws.credential import Credential, metadata_of


def jwt(claims: Any) -> str:
    """Return something of the form of a token."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"head.{payload}.sign"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "abc",
        "Bearer a b",
        "Bearer é",
        "Bearer \x01",
        "bearer\tx",
    ],
)
def test_header_without_a_token(header: str) -> None:
    assert Credential.of_header(header) is None


def test_account_and_end_of_a_token() -> None:
    found = Credential.of_header(f"bEaReR {jwt({'account': 'alice', 'exp': 5})}")
    assert found is not None
    assert (found.account, found.expires_s) == ("alice", 5.0)
    assert found.has_expired
    later = Credential.of_header(
        f"Bearer {jwt({'account': 'alice', 'exp': int(time.time()) + 60})}"
    )
    assert later is not None
    assert not later.has_expired


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "a.b.c",
        "a.!!!.c",
        jwt([]),
        jwt({"account": "alice"}),
        jwt({"account": 1, "exp": 5}),
        jwt({"account": "alice", "exp": True}),
        jwt({"account": "alice", "exp": "5"}),
    ],
)
def test_token_that_says_nothing(token: str) -> None:
    found = Credential.of_header(f"Bearer {token}")
    assert found is not None
    assert (found.account, found.expires_s, found.has_expired) == ("", None, False)
    assert (found.key, found.scopes) == ("", frozenset())


def test_key_and_scopes_of_a_token() -> None:
    known = {"account": "alice", "exp": 5, "sub": "k", "scope": "read trade"}
    for claims, key, scopes in (
        (known, "k", {"read", "trade"}),
        (known | {"sub": 1}, "", set()),
        (known | {"scope": ["read"]}, "", set()),
    ):
        found = Credential.of_header(f"Bearer {jwt(claims)}")
        assert found is not None
        assert (found.account, found.key) == ("alice", key)
        assert found.scopes == frozenset(scopes)


def test_who_differs() -> None:
    former = Credential("t", "alice", key="k1", scopes=frozenset({"read", "trade"}))
    for other, text in (
        (Credential("u", "alice", key="k1", scopes=former.scopes), ""),
        (Credential("u", "alice"), ""),
        (Credential("u", "bob", key="k1", scopes=former.scopes), "as alice: open another one for"),
        (Credential("u", "alice", key="k2", scopes=former.scopes), "for the key k2"),
        (Credential("u", "alice", key="k1", scopes=frozenset({"read"})), "for the scopes read,"),
    ):
        found = former.differs(other)
        assert text in found
        assert bool(found) == bool(text)
    assert "as somebody else" in Credential("opaque").differs(former)


def test_metadata_of_calls() -> None:
    where = ("x-tradewire-client-address", "192.0.2.1")
    assert metadata_of(None, "192.0.2.1") == (where,)
    assert metadata_of(Credential("t"), "192.0.2.1") == (("authorization", "Bearer t"), where)
