"""Making and rotating keys."""

import re
from dataclasses import replace
from typing import Any

import pytest
from tradewire_server.auth.errors import AuthError, InvalidRequest, Reason
from tradewire_server.auth.provisioning import ROTATION_OVERLAP_MAX_NS, KeyMaker, KeyRequest

from tests.unit.server.auth.venue import DAY, MINUTE, NOW_NS, Venue, private_key

PUBLIC_KEY = private_key("new").public_key().public_bytes_raw()
REQUEST = KeyRequest(account="alice", public_key=PUBLIC_KEY)
ALL = frozenset({"read", "trade", "transfer"})


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def maker(venue: Venue) -> KeyMaker:
    return KeyMaker(venue.keys, venue.sealer, entropy=venue.entropy)


def test_a_new_key_is_read_only_unless_asked_otherwise(maker: KeyMaker) -> None:
    created = maker.create(REQUEST, creator_scopes=ALL, now_ns=NOW_NS)
    key = created.key
    assert re.fullmatch(r"tw_[A-Z2-7]{26}", key.key_id)
    assert created.secret == ""
    assert (key.account, key.scopes, key.algorithm) == ("alice", frozenset({"read"}), "ed25519")
    assert (key.public_key, key.sealed_secret) == (PUBLIC_KEY, b"")
    assert (key.created_ns, key.expires_ns, key.revoked_ns) == (NOW_NS, None, None)


def test_everything_asked_for_is_in_the_key(maker: KeyMaker) -> None:
    request = replace(
        REQUEST,
        scopes=frozenset({"read", "trade"}),
        addresses=("192.0.2.7", "192.0.2.7/32"),
        expires_ns=NOW_NS + DAY,
        label="Market maker 1",
    )
    key = maker.create(request, creator_scopes=ALL, now_ns=NOW_NS).key
    assert key.scopes == {"read", "trade"}
    assert key.addresses == ("192.0.2.7/32",)
    assert (key.expires_ns, key.label) == (NOW_NS + DAY, "Market maker 1")


def test_an_hmac_secret_is_shown_once_and_stored_sealed(venue: Venue, maker: KeyMaker) -> None:
    request = KeyRequest(account="alice", algorithm="hmac-sha256")
    created = maker.create(request, creator_scopes=ALL, now_ns=NOW_NS)
    key = created.key
    assert re.fullmatch(r"tws_[A-Za-z0-9_-]{43}", created.secret)
    assert created.secret not in repr(created)
    assert created.secret.encode() not in key.sealed_secret
    assert venue.sealer.open(key.sealed_secret, key_id=key.key_id) == created.secret.encode()
    assert key.public_key == b""


def test_two_keys_have_two_ids_and_two_secrets(maker: KeyMaker) -> None:
    request = KeyRequest(account="alice", algorithm="hmac-sha256")
    one, two = (maker.create(request, creator_scopes=ALL, now_ns=NOW_NS) for _ in range(2))
    assert one.key.key_id != two.key.key_id
    assert one.secret != two.secret


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": frozenset()}, "scopes"),
        ({"scopes": frozenset({"read", "everything"})}, "scopes"),
        ({"scopes": frozenset({"public"})}, "scopes"),
        ({"label": "x" * 65}, "label"),
        ({"label": "two\nlines"}, "label"),
        ({"expires_ns": NOW_NS}, "expire_time"),
        ({"addresses": ("everywhere",)}, "addresses"),
        ({"public_key": b""}, "public_key"),
        ({"public_key": bytes(32)}, "public_key"),
        ({"algorithm": "hmac-sha256"}, "public_key"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_its_field(
    maker: KeyMaker, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        maker.create(replace(REQUEST, **change), creator_scopes=ALL, now_ns=NOW_NS)
    assert refusal.value.metadata == {"field": field}


def test_nobody_grants_more_than_he_has_but_the_operator(maker: KeyMaker) -> None:
    request = replace(REQUEST, scopes=frozenset({"admin"}))
    with pytest.raises(AuthError) as refusal:
        maker.create(request, creator_scopes=ALL, now_ns=NOW_NS)
    assert refusal.value.reason == Reason.SCOPE_NOT_GRANTABLE
    created = maker.create(request, creator_scopes=None, now_ns=NOW_NS)
    assert created.key.scopes == {"admin"}


def test_a_public_key_cannot_have_two_ids(venue: Venue, maker: KeyMaker) -> None:
    venue.keys.add(maker.create(REQUEST, creator_scopes=ALL, now_ns=NOW_NS).key)
    with pytest.raises(InvalidRequest, match="make a new key pair"):
        maker.create(replace(REQUEST, account="bob"), creator_scopes=ALL, now_ns=NOW_NS)


def test_the_live_keys_of_an_account_are_bounded(venue: Venue, maker: KeyMaker) -> None:
    request = KeyRequest(account="alice", algorithm="hmac-sha256")
    for _ in range(20):
        venue.keys.add(maker.create(request, creator_scopes=ALL, now_ns=NOW_NS).key)
    with pytest.raises(AuthError) as refusal:
        maker.create(request, creator_scopes=ALL, now_ns=NOW_NS)
    assert refusal.value.reason == Reason.KEY_LIMIT


def test_a_rotation_keeps_the_rights_and_lets_both_live_for_a_while(
    venue: Venue, maker: KeyMaker
) -> None:
    former = venue.add_ed25519(addresses=("192.0.2.0/24",))
    rotated = maker.rotate(
        former, public_key=PUBLIC_KEY, overlap_ns=MINUTE, creator_scopes=ALL, now_ns=NOW_NS
    )
    new = rotated.created.key
    assert (new.account, new.scopes, new.addresses, new.label) == (
        former.account,
        former.scopes,
        former.addresses,
        former.label,
    )
    assert (new.public_key, new.expires_ns) == (PUBLIC_KEY, None)
    assert (rotated.former_key_id, rotated.former_expires_ns) == (former.key_id, NOW_NS + MINUTE)
    venue.keys.add(new)
    venue.keys.expire(rotated.former_key_id, rotated.former_expires_ns)
    assert venue.keys.live_count("alice", NOW_NS) == 2
    assert venue.keys.live_count("alice", NOW_NS + MINUTE) == 1


def test_a_rotation_never_prolongs_the_former_key(venue: Venue, maker: KeyMaker) -> None:
    # Made a day ago for two days, so one day is left.
    former = venue.add_ed25519(expires_ns=NOW_NS + DAY)
    rotated = maker.rotate(
        former, public_key=PUBLIC_KEY, overlap_ns=2 * DAY, creator_scopes=None, now_ns=NOW_NS
    )
    assert rotated.former_expires_ns == NOW_NS + DAY
    assert rotated.created.key.expires_ns == NOW_NS + 2 * DAY


def test_an_hmac_key_gets_a_new_secret(venue: Venue, maker: KeyMaker) -> None:
    rotated = maker.rotate(
        venue.add_hmac(), public_key=b"", overlap_ns=0, creator_scopes=ALL, now_ns=NOW_NS
    )
    assert rotated.created.secret.startswith("tws_")
    assert rotated.former_expires_ns == NOW_NS


def test_only_who_has_the_scopes_of_a_key_rotates_it(venue: Venue, maker: KeyMaker) -> None:
    with pytest.raises(AuthError) as refusal:
        maker.rotate(
            venue.add_ed25519(),
            public_key=PUBLIC_KEY,
            overlap_ns=0,
            creator_scopes=frozenset({"transfer"}),
            now_ns=NOW_NS,
        )
    assert refusal.value.reason == Reason.SCOPE_NOT_GRANTABLE


def test_a_dead_key_has_no_successor(venue: Venue, maker: KeyMaker) -> None:
    former = venue.add_ed25519(expires_ns=NOW_NS)
    with pytest.raises(InvalidRequest, match="create a new one") as refusal:
        maker.rotate(former, public_key=PUBLIC_KEY, overlap_ns=0, creator_scopes=ALL, now_ns=NOW_NS)
    assert refusal.value.metadata == {"field": "api_key"}


@pytest.mark.parametrize("overlap_ns", [-1, ROTATION_OVERLAP_MAX_NS + 1])
def test_the_overlap_is_bounded(venue: Venue, maker: KeyMaker, overlap_ns: int) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        maker.rotate(
            venue.add_ed25519(),
            public_key=PUBLIC_KEY,
            overlap_ns=overlap_ns,
            creator_scopes=ALL,
            now_ns=NOW_NS,
        )
    assert refusal.value.metadata == {"field": "overlap_seconds"}
