"""API keys: the record, and the index of all keys in memory.

The journal owns the keys; `KeyRing` is a fold over its events. So `add`, `revoke` and `expire`
never refuse (what is in the journal has happened), and the checks that may refuse (`check_room`,
`check_public_key`) are called before the event is made.

Revoked keys are remembered, so that their holder is told so, but not without bound: per account
the last `retired_max` are kept. A forgotten key is unknown, hence still refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from tradewire_server.auth.errors import (
    AuthError,
    Exhausted,
    InvalidRequest,
    PermissionDenied,
    Reason,
)
from tradewire_server.auth.watchers import Callback, Watchers

Algorithm = Literal["ed25519", "hmac-sha256"]

PUBLIC = "public"
SCOPES = frozenset({"read", "trade", "transfer", "quote", "admin"})

LIVE_KEYS_MAX = 20
RETIRED_KEYS_MAX = 100


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential of an account: a public key, or a secret sealed under the master key.

    `addresses` are canonical CIDR blocks, none = any address. `expires_ns` is exclusive. Of
    `public_key` and `sealed_secret` exactly one is set, according to `algorithm`.
    """

    key_id: str
    account: str
    scopes: frozenset[str]
    algorithm: Algorithm
    public_key: bytes
    sealed_secret: bytes = field(repr=False)
    addresses: tuple[str, ...]
    created_ns: int
    expires_ns: int | None
    revoked_ns: int | None
    label: str

    def is_expired(self, now_ns: int) -> bool:
        """Say whether the key's own expiry has come."""
        return self.expires_ns is not None and now_ns >= self.expires_ns

    def is_live(self, now_ns: int) -> bool:
        """Say whether the key can still be used."""
        return self.revoked_ns is None and not self.is_expired(now_ns)


class KeyRing:
    """All keys, by id and by account."""

    def __init__(
        self, *, live_max: int = LIVE_KEYS_MAX, retired_max: int = RETIRED_KEYS_MAX
    ) -> None:
        self._live_max = live_max
        self._retired_max = retired_max
        self._keys: dict[str, ApiKey] = {}
        # In order of creation.
        self._by_account: dict[str, dict[str, None]] = {}
        self._public_keys: dict[bytes, str] = {}
        self._watchers = Watchers()
        self._generation = 0

    @property
    def generation(self) -> int:
        """A number that changes whenever a key is added, revoked or given another expiry."""
        return self._generation

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._keys.values())

    def get(self, key_id: str) -> ApiKey | None:
        """Return the key, live or not, or None."""
        return self._keys.get(key_id)

    def find(self, account: str, *, key_id: str) -> ApiKey:
        """Return a key of this account.

        Raises:
            KeyNotFound: there is none; a key of another account does not exist for the caller.
        """
        key = self._keys.get(key_id)
        if key is None or key.account != account:
            raise KeyNotFound(key_id)
        return key

    def of_account(self, account: str) -> tuple[ApiKey, ...]:
        """Return the account's keys, oldest first, the revoked ones included."""
        return tuple(self._keys[key_id] for key_id in self._by_account.get(account, ()))

    def live_count(self, account: str, now_ns: int) -> int:
        """Count the account's keys that can be used."""
        return sum(key.is_live(now_ns) for key in self.of_account(account))

    def check_room(self, account: str, now_ns: int) -> None:
        """Refuse when the account has its greatest number of live keys."""
        if self.live_count(account, now_ns) >= self._live_max:
            raise Exhausted(
                Reason.KEY_LIMIT,
                f"The account has {self._live_max} live keys, the limit: revoke one first.",
                limit=str(self._live_max),
            )

    def check_public_key(self, public_key: bytes) -> None:
        """Refuse a public key that any known key has, live or not.

        A signature names no key id, so under two ids with one public key it could be presented
        under the other one. And a key that was revoked because it leaked must not come back.
        """
        if public_key in self._public_keys:
            raise InvalidRequest(
                "public_key", "This public key is or was registered: make a new key pair."
            )

    def add(self, key: ApiKey) -> None:
        """Apply that a key was created."""
        assert key.key_id not in self._keys, "a key is created once"
        self._keys[key.key_id] = key
        self._by_account.setdefault(key.account, {})[key.key_id] = None
        if key.public_key:
            self._public_keys[key.public_key] = key.key_id
        self._generation += 1
        self._forget_retired(key.account, key.created_ns)

    def revoke(self, key_id: str, now_ns: int) -> None:
        """Apply that a key was revoked, and tell who watches it; idempotent."""
        key = self._keys.get(key_id)
        if key is None or key.revoked_ns is not None:
            return
        self._keys[key_id] = replace(key, revoked_ns=now_ns)
        self._generation += 1
        self._forget_retired(key.account, now_ns)
        self._watchers.notify(key_id)

    def expire(self, key_id: str, expires_ns: int) -> None:
        """Apply that a key ends at this time, as the old one does after a rotation."""
        key = self._keys.get(key_id)
        if key is None:
            return
        self._keys[key_id] = replace(key, expires_ns=expires_ns)
        self._generation += 1

    def watch(self, key_id: str, on_revoked: Callback) -> Callback:
        """Call back once when the key is revoked, at once if it is; returns the withdrawal."""
        key = self._keys.get(key_id)
        if key is None or key.revoked_ns is not None:
            on_revoked()
            return _nothing
        return self._watchers.add(key_id, on_revoked)

    def _forget_retired(self, account: str, now_ns: int) -> None:
        retired = [key for key in self.of_account(account) if not key.is_live(now_ns)]
        retired.sort(key=_ended_ns)
        for key in retired[: max(0, len(retired) - self._retired_max)]:
            del self._keys[key.key_id]
            del self._by_account[account][key.key_id]
            self._public_keys.pop(key.public_key, None)
            # An expired key that was never revoked may still carry a stream.
            self._watchers.notify(key.key_id)


class KeyNotFound(AuthError):
    """The account has no such key."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            Reason.KEY_NOT_FOUND,
            f"No key {key_id[:64]!r} in this account: see ListKeys.",
            field="api_key",
        )


def check_grant(requested: Iterable[str], *, granted: frozenset[str]) -> None:
    """Refuse when a new key would have a scope that its creator does not have."""
    excess = sorted(set(requested) - granted)
    if excess:
        raise PermissionDenied(
            Reason.SCOPE_NOT_GRANTABLE,
            f"A key cannot grant what its creator does not have: leave out {', '.join(excess)}.",
            requested=scope_text(requested),
            granted=scope_text(granted),
        )


def scope_text(scopes: Iterable[str]) -> str:
    """Write scopes as in a token: sorted, separated by spaces."""
    return " ".join(sorted(scopes))


def _ended_ns(key: ApiKey) -> int:
    ends = [end for end in (key.revoked_ns, key.expires_ns) if end is not None]
    assert ends, "a retired key was revoked or has expired"
    return min(ends)


def _nothing() -> None:
    return None
