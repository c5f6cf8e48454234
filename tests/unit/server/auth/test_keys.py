"""The ring of API keys: a fold, bounded, that tells who watches."""

from dataclasses import replace

import pytest
from tradewire_server.auth.errors import AuthError, InvalidRequest, PermissionDenied, Reason
from tradewire_server.auth.keys import KeyNotFound, KeyRing, check_grant, scope_text

from tests.unit.server.auth.venue import DAY, NOW_NS, ed25519_key


def test_a_key_is_live_until_it_expires_or_is_revoked() -> None:
    key = ed25519_key(expires_ns=NOW_NS)
    assert key.is_live(NOW_NS - 1)
    assert not key.is_live(NOW_NS)
    assert not replace(key, revoked_ns=NOW_NS - 5).is_live(NOW_NS - 1)
    assert ed25519_key().is_live(NOW_NS + 10_000 * DAY)


def test_the_text_of_a_key_does_not_show_its_sealed_secret() -> None:
    assert "sealed_secret" not in repr(replace(ed25519_key(), sealed_secret=b"sealed"))


def test_keys_are_found_by_id_and_by_account() -> None:
    ring = KeyRing()
    one, two = ed25519_key("tw_1"), ed25519_key("tw_2")
    other = ed25519_key("tw_3", account="bob")
    for key in (one, two, other):
        ring.add(key)
    assert ring.get("tw_1") is one
    assert ring.get("tw_9") is None
    assert ring.of_account("alice") == (one, two)
    assert ring.of_account("carol") == ()
    assert list(ring) == [one, two, other]
    assert len(ring) == 3
    assert ring.find("alice", key_id="tw_2") is two


@pytest.mark.parametrize("key_id", ["tw_3", "tw_9"])
def test_the_key_of_another_account_does_not_exist(key_id: str) -> None:
    ring = KeyRing()
    ring.add(ed25519_key("tw_3", account="bob"))
    with pytest.raises(KeyNotFound) as refusal:
        ring.find("alice", key_id=key_id)
    assert refusal.value.reason == Reason.KEY_NOT_FOUND


def test_a_key_is_added_once() -> None:
    ring = KeyRing()
    ring.add(ed25519_key())
    with pytest.raises(AssertionError, match="created once"):
        ring.add(ed25519_key())


def test_the_generation_changes_with_every_change() -> None:
    ring = KeyRing()
    seen = [ring.generation]
    ring.add(ed25519_key())
    seen.append(ring.generation)
    ring.expire("tw_ED", NOW_NS + DAY)
    seen.append(ring.generation)
    ring.revoke("tw_ED", NOW_NS)
    seen.append(ring.generation)
    assert len(set(seen)) == 4
    ring.revoke("tw_ED", NOW_NS)
    ring.revoke("tw_9", NOW_NS)
    ring.expire("tw_9", NOW_NS)
    assert ring.generation == seen[-1]


def test_a_revoked_key_keeps_its_first_time() -> None:
    ring = KeyRing()
    ring.add(ed25519_key())
    ring.revoke("tw_ED", NOW_NS)
    ring.revoke("tw_ED", NOW_NS + 1)
    key = ring.get("tw_ED")
    assert key is not None
    assert key.revoked_ns == NOW_NS


def test_live_keys_per_account_are_bounded_and_dead_ones_do_not_count() -> None:
    ring = KeyRing(live_max=2)
    ring.add(ed25519_key("tw_1"))
    ring.add(ed25519_key("tw_2", expires_ns=NOW_NS + 1))
    ring.check_room("bob", NOW_NS)
    with pytest.raises(AuthError) as refusal:
        ring.check_room("alice", NOW_NS)
    assert (refusal.value.reason, refusal.value.metadata) == (Reason.KEY_LIMIT, {"limit": "2"})
    assert ring.live_count("alice", NOW_NS) == 2
    ring.check_room("alice", NOW_NS + 1)
    ring.revoke("tw_1", NOW_NS)
    ring.check_room("alice", NOW_NS)


def test_a_public_key_is_registered_once_and_never_again() -> None:
    ring = KeyRing()
    key = ed25519_key()
    ring.check_public_key(key.public_key)
    ring.add(key)
    ring.revoke(key.key_id, NOW_NS)
    with pytest.raises(InvalidRequest, match="make a new key pair"):
        ring.check_public_key(key.public_key)


def test_hmac_keys_do_not_meet_in_the_index_of_public_keys() -> None:
    ring = KeyRing()
    ring.add(replace(ed25519_key("tw_1"), algorithm="hmac-sha256", public_key=b""))
    ring.check_public_key(b"")


def test_retired_keys_are_forgotten_in_the_order_in_which_they_ended() -> None:
    ring = KeyRing(retired_max=2)
    for name in ("tw_1", "tw_2", "tw_3", "tw_4"):
        ring.add(ed25519_key(name, expires_ns=NOW_NS + 2 if name == "tw_4" else None))
    ring.revoke("tw_3", NOW_NS)
    ring.revoke("tw_1", NOW_NS + 1)
    ring.revoke("tw_2", NOW_NS + 3)
    # tw_3 ended first, then tw_1; tw_4 expired and tw_2 was revoked after that.
    assert [key.key_id for key in ring] == ["tw_2", "tw_4"]
    ring.check_public_key(ed25519_key("tw_3").public_key)
    with pytest.raises(InvalidRequest):
        ring.check_public_key(ed25519_key("tw_2").public_key)


def test_a_watcher_is_told_once_of_revocation() -> None:
    ring = KeyRing()
    ring.add(ed25519_key("tw_1"))
    ring.add(ed25519_key("tw_2"))
    told: list[str] = []
    ring.watch("tw_1", lambda: told.append("first"))
    ring.watch("tw_1", lambda: told.append("second"))
    withdraw = ring.watch("tw_1", lambda: told.append("withdrawn"))
    withdraw()
    withdraw()
    ring.watch("tw_2", lambda: told.append("other"))
    ring.revoke("tw_1", NOW_NS)
    ring.revoke("tw_1", NOW_NS)
    assert told == ["first", "second"]


def test_the_last_withdrawal_leaves_nothing_behind() -> None:
    ring = KeyRing()
    ring.add(ed25519_key())
    withdraw = ring.watch("tw_ED", lambda: None)
    assert len(ring._watchers) == 1
    withdraw()
    assert len(ring._watchers) == 0
    assert ring._watchers._callbacks == {}


def test_who_watches_a_dead_key_is_told_at_once() -> None:
    ring = KeyRing()
    ring.add(ed25519_key())
    ring.revoke("tw_ED", NOW_NS)
    told: list[str] = []
    ring.watch("tw_ED", lambda: told.append("revoked"))()
    ring.watch("tw_9", lambda: told.append("unknown"))()
    assert told == ["revoked", "unknown"]


def test_who_watches_a_key_is_told_when_it_is_forgotten() -> None:
    ring = KeyRing(retired_max=0)
    ring.add(ed25519_key("tw_1", expires_ns=NOW_NS))
    told: list[str] = []
    ring.watch("tw_1", lambda: told.append("forgotten"))
    ring.add(replace(ed25519_key("tw_2"), created_ns=NOW_NS))
    assert told == ["forgotten"]
    assert ring.get("tw_1") is None


def test_a_key_cannot_grant_what_its_creator_does_not_have() -> None:
    check_grant({"read"}, granted=frozenset({"read", "trade"}))
    with pytest.raises(PermissionDenied, match="leave out admin, transfer") as refusal:
        check_grant({"read", "transfer", "admin"}, granted=frozenset({"read", "trade"}))
    assert refusal.value.reason == Reason.SCOPE_NOT_GRANTABLE
    assert refusal.value.metadata == {
        "requested": "admin read transfer",
        "granted": "read trade",
    }


def test_scopes_are_written_sorted() -> None:
    assert scope_text({"trade", "read"}) == "read trade"
