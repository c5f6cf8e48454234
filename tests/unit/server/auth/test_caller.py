"""Callers, their scopes and what limits them."""

import pytest
from tradewire_server.auth.buckets import Bucket
from tradewire_server.auth.caller import Caller, address_buckets, authorise
from tradewire_server.auth.errors import PermissionDenied, Reason, Unauthenticated
from tradewire_server.auth.keys import SCOPES

from tests.unit.server.auth.venue import ADDRESS, NOW_NS


def _caller(*scopes: str, address: str | None = ADDRESS, token_id: str | None = "t") -> Caller:
    return Caller("alice", "tw_ED", frozenset(scopes), address, token_id, NOW_NS)


@pytest.mark.parametrize("required", sorted(SCOPES))
@pytest.mark.parametrize("granted", sorted(SCOPES))
def test_no_scope_contains_another(required: str, granted: str) -> None:
    if required == granted:
        authorise(_caller(granted), required)
        return
    with pytest.raises(PermissionDenied) as refusal:
        authorise(_caller(granted), required)
    assert refusal.value.reason == Reason.SCOPE_MISSING
    assert refusal.value.metadata == {"required": required, "granted": granted}


def test_a_public_method_needs_nothing() -> None:
    authorise(None, "public")
    authorise(_caller(), "public")


def test_every_other_method_needs_a_credential() -> None:
    with pytest.raises(Unauthenticated, match="token from CreateSession") as refusal:
        authorise(None, "read")
    assert refusal.value.reason == Reason.UNAUTHENTICATED


@pytest.mark.parametrize("scope", ["", "everything"])
def test_a_scope_that_the_contract_does_not_have_is_a_mistake_of_ours(scope: str) -> None:
    with pytest.raises(AssertionError, match="no scope of the contract"):
        authorise(_caller("read"), scope)


def test_a_caller_is_limited_by_key_account_and_address() -> None:
    own = (Bucket("key", "tw_ED"), Bucket("account", "alice"))
    assert _caller().buckets() == (*own, Bucket("address", ADDRESS))
    assert _caller(address="2001:db8::1").buckets() == (*own, Bucket("address", "2001:db8::/64"))
    assert _caller(address=None).buckets() == own


def test_a_stranger_is_limited_by_address() -> None:
    assert address_buckets(ADDRESS) == (Bucket("address", ADDRESS),)
    assert address_buckets(None) == ()


def test_a_caller_without_token_signed_its_request() -> None:
    assert _caller(token_id=None).is_signed
    assert not _caller().is_signed
