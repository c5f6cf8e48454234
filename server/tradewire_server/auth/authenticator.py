"""Establishes who is calling: signatures become sessions or callers, tokens become callers.

Order of the checks of a signature, and why:

1. throttle: who failed too often is refused before any work;
2. form: key id, nonce, base64 (UNAUTHENTICATED, says what is malformed; the same for every key id);
3. freshness of the timestamp, which needs no key;
4. the signature, with constant work (see `verifier`): unknown key, key of the other algorithm and
   wrong signature all are SIGNATURE_INVALID with one text;
5. the key's state: revoked, expired, address. Only the holder of the key ever learns it;
6. the nonce, remembered last: nothing that was refused takes room.

A token is checked from the cache at the cost of a hash; its key is looked up on each use, so
revocation counts at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from tradewire_server.auth.addresses import is_allowed
from tradewire_server.auth.caller import Caller
from tradewire_server.auth.diagnosis import SignatureCheck, explain, explain_time
from tradewire_server.auth.errors import PermissionDenied, Reason, Unauthenticated
from tradewire_server.auth.keys import ApiKey, KeyRing, scope_text
from tradewire_server.auth.proofs import FixLogonProof, ProofReader, SessionProof, SignedRequest
from tradewire_server.auth.replay import ReplayGuard
from tradewire_server.auth.sealing import Entropy, Sealer
from tradewire_server.auth.throttle import SignInThrottle
from tradewire_server.auth.tickets import IssuedTicket, TicketInvalid, TicketTable
from tradewire_server.auth.tokens import (
    IssuedSession,
    Session,
    TokenAuthority,
    TokenForged,
)
from tradewire_server.auth.verifier import Proof, VerifiedProof, Verifier
from tradewire_server.auth.watchers import Callback

_NS_PER_MS = 1_000_000


class Authenticator:
    """Knows the keys, the tokens and what was seen before; one per server."""

    def __init__(
        self,
        *,
        environment: str,
        keys: KeyRing,
        sealer: Sealer,
        tokens: TokenAuthority,
        replay: ReplayGuard,
        throttle: SignInThrottle,
        tickets: TicketTable | None = None,
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        self._reader = ProofReader(environment, default_window_ms=replay.policy.default_window_ms)
        self._environment = environment
        self._keys = keys
        self._tokens = tokens
        self._replay = replay
        self._throttle = throttle
        self._tickets = tickets if tickets is not None else TicketTable(entropy=entropy)
        self._verifier = Verifier(sealer, entropy=entropy)

    def check_secrets(self) -> None:
        """Open the secrets of all keys once, so that a wrong master key is noticed at the start.

        Raises:
            SealError: one cannot be opened.
        """
        for key in self._keys:
            if key.algorithm == "hmac-sha256":
                self._verifier.open_secret(key)

    def is_known_token(self, token: str, now_ns: int) -> bool:
        """Say, at the cost of a hash, whether this is a token that was verified and is good.

        Its key is not looked at.
        """
        try:
            return self._tokens.recall(token, now_ns) is not None
        except Unauthenticated:
            return False

    def is_known_key(self, key_id: str, *, address: str | None) -> bool:
        """Say whether the holder of this key has signed in from this address before."""
        return self._throttle.is_proven(key_id, address)

    def create_session(
        self,
        proof: SessionProof | FixLogonProof,
        *,
        address: str | None,
        now_ns: int,
        scopes: frozenset[str] | None = None,
    ) -> IssuedSession:
        """Sign in: return a token with all scopes of the key, or with the given ones.

        Raises:
            Unauthenticated: UNAUTHENTICATED (malformed), TIMESTAMP_OUT_OF_WINDOW,
            SIGNATURE_INVALID,
                KEY_REVOKED, KEY_EXPIRED, NONCE_REUSED.
            PermissionDenied: ADDRESS_NOT_ALLOWED, SCOPE_MISSING.
            Exhausted: RATE_LIMITED, NONCE_CACHE_FULL.
        """
        self._throttle.check(address=address, key_id=proof.key_id, now_ns=now_ns)
        if isinstance(proof, SessionProof):
            presented = self._reader.read_session(proof)
        else:
            presented = self._reader.read_fix_logon(proof)
        key = self._prove(presented, address=address, now_ns=now_ns)
        granted = key.scopes if scopes is None else scopes
        if not granted or not granted <= key.scopes:
            raise PermissionDenied(
                Reason.SCOPE_MISSING,
                f"The key has the scopes {scope_text(key.scopes)!r}: ask for one or more of them.",
                required=scope_text(granted),
                granted=scope_text(key.scopes),
            )
        return self._tokens.issue(
            key, scopes=granted, now_ns=now_ns, is_renewable=isinstance(proof, FixLogonProof)
        )

    def authenticate_bearer(self, token: str, *, address: str | None, now_ns: int) -> Caller:
        """Return the caller that a session token names (see `tokens.bearer_token` for the header).

        Raises:
            Unauthenticated: TOKEN_INVALID, TOKEN_EXPIRED, KEY_REVOKED, KEY_EXPIRED.
            PermissionDenied: ADDRESS_NOT_ALLOWED.
            Exhausted: RATE_LIMITED, for tokens never seen from an address with many forged ones.
        """
        session, _ = self._check_token(token, address=address, now_ns=now_ns)
        return Caller(
            account=session.account,
            key_id=session.key_id,
            scopes=session.scopes,
            address=address,
            token_id=session.token_id,
            expires_ns=session.expires_ns,
            is_from_ticket=session.is_from_ticket,
        )

    def create_ticket(
        self, caller: Caller, *, scopes: frozenset[str] = frozenset(), now_ns: int
    ) -> IssuedTicket:
        """Make a ticket of the caller with some of its scopes, or with all if none are given.

        Raises:
            PermissionDenied: SCOPE_NOT_GRANTABLE; also to a session that a ticket began.
            Exhausted: RATE_LIMITED, OVERLOADED.
        """
        return self._tickets.issue(caller, scopes=scopes, now_ns=now_ns)

    def redeem_ticket(self, text: str, *, address: str | None, now_ns: int) -> IssuedSession:
        """Begin the session of a ticket, which is used up whatever comes of it.

        It is no proof that the key's holder is at this address: `is_known_key` stays what it was.

        Raises:
            Unauthenticated: TICKET_INVALID; KEY_REVOKED, KEY_EXPIRED.
            PermissionDenied: ADDRESS_NOT_ALLOWED.
            Exhausted: RATE_LIMITED.
        """
        self._throttle.check(address=address, key_id=None, now_ns=now_ns)
        try:
            ticket = self._tickets.redeem(text, now_ns)
            maker = ticket.maker_token_id
            if maker is not None and self._tokens.is_ended(
                maker, key_id=ticket.key_id, since_ns=ticket.issued_ns
            ):
                raise TicketInvalid
        except TicketInvalid:
            self._throttle.count_failure(address=address, key_id=None, now_ns=now_ns)
            raise
        key = _check_usable(self._keys.get(ticket.key_id), address=address, now_ns=now_ns)
        return self._tokens.issue(key, scopes=ticket.scopes, now_ns=now_ns, is_from_ticket=True)

    def renew_session(self, token: str, *, address: str | None, now_ns: int) -> IssuedSession:
        """Return a further token of the session that a token names.

        Raises:
            As `authenticate_bearer`; UNAUTHENTICATED when no FIX Logon began the session,
            TOKEN_EXPIRED also when it began too long ago.
        """
        session, key = self._check_token(token, address=address, now_ns=now_ns)
        return self._tokens.renew(session, key, now_ns)

    def _check_token(
        self, token: str, *, address: str | None, now_ns: int
    ) -> tuple[Session, ApiKey]:
        """Return the session of a token that is good now, and its key."""
        session = self._tokens.recall(token, now_ns)
        if session is None:
            self._throttle.check(address=address, key_id=None, now_ns=now_ns)
            try:
                session = self._tokens.verify(token, now_ns)
            except TokenForged:
                self._throttle.count_failure(address=address, key_id=None, now_ns=now_ns)
                raise
        key = _check_usable(self._keys.get(session.key_id), address=address, now_ns=now_ns)
        return session, key

    def authenticate_signature(
        self,
        request: SignedRequest,
        *,
        address: str | None,
        now_ns: int,
        permit: Callable[[Caller], None] | None = None,
    ) -> Caller:
        """Return the caller that signed this request, once per signature.

        `permit` raises what the caller is to be told when this is not to be done; the nonce stays
        unused.

        Raises:
            As `create_session`.
        """
        self._throttle.check(address=address, key_id=request.key_id, now_ns=now_ns)
        proof, _ = self._reader.read_request(request)
        verified = self._verify(proof, address=address, now_ns=now_ns)
        key = verified.key
        caller = Caller(
            account=key.account,
            key_id=key.key_id,
            scopes=key.scopes,
            address=address,
            token_id=None,
            expires_ns=(proof.timestamp_ms + proof.window_ms + 1) * _NS_PER_MS,
        )
        if permit is not None:
            permit(caller)
        self._admit(verified, address=address, now_ns=now_ns)
        return caller

    def check_signature(
        self, request: SignedRequest, *, address: str | None, now_ns: int, host: str = ""
    ) -> SignatureCheck:
        """Say which part of a signed request differs, without using up its nonce; for the sandbox.

        It costs some 40 verifications, so the method that offers it has a weight to match. Of a
        failed sign-in it differs in what counts: a signature that fits nothing does, because it may
        be a guess; what is malformed, and what was explained, is only known to be a mistake.

        Raises:
            Unauthenticated: UNAUTHENTICATED (malformed); to the key's holder only KEY_REVOKED,
                KEY_EXPIRED.
            PermissionDenied: ADDRESS_NOT_ALLOWED, to the key's holder only.
            Exhausted: RATE_LIMITED.
        """
        self._throttle.check(address=address, key_id=request.key_id, now_ns=now_ns)
        proof, parts = self._reader.read_request(request)
        key = self._keys.get(request.key_id)

        def matches(payload: bytes) -> bool:
            tried = Proof(
                key_id=proof.key_id,
                timestamp_ms=proof.timestamp_ms,
                window_ms=proof.window_ms,
                nonce=proof.nonce,
                payload=payload,
                signature=proof.signature,
            )
            return self._verifier.verify(tried, key) is not None

        check = explain(
            parts, environment=self._environment, payload=proof.payload, matches=matches, host=host
        )
        if check.is_valid:
            _check_usable(key, address=address, now_ns=now_ns)
        elif check.part:
            return check
        else:
            self._throttle.count_failure(address=address, key_id=request.key_id, now_ns=now_ns)
        try:
            # Said last, because what is debugged is often a request of some minutes ago. Whoever
            # reads its own timestamp knows as much, so it needs no key.
            self._check_fresh(proof, now_ns)
        except Unauthenticated as stale:
            return explain_time(
                proof.timestamp_ms,
                stale.message,
                now_ns=now_ns,
                string_to_sign=check.string_to_sign,
            )
        return check

    def token_keys(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys of the session tokens, as a JSON Web Key Set."""
        return self._tokens.jwks()

    def end_session(self, caller: Caller, now_ns: int) -> None:
        """End the caller's session and tell its streams.

        Raises:
            Unauthenticated: UNAUTHENTICATED, the caller has no session.
        """
        if caller.token_id is None:
            raise Unauthenticated(
                Reason.UNAUTHENTICATED, "A signed request has no session that could be ended."
            )
        self._tokens.end(
            caller.token_id, key_id=caller.key_id, expires_ns=caller.expires_ns, now_ns=now_ns
        )

    def recheck(self, caller: Caller, now_ns: int) -> None:
        """Refuse a caller whose key ended meanwhile: for open streams, which outlive their token.

        Raises:
            Unauthenticated: KEY_REVOKED, KEY_EXPIRED.
            PermissionDenied: ADDRESS_NOT_ALLOWED.
        """
        _check_usable(self._keys.get(caller.key_id), address=caller.address, now_ns=now_ns)

    def watch(self, caller: Caller, on_end: Callback) -> Callback:
        """Call back once when the caller's key is revoked or its session ended.

        The returned function withdraws the callback; call it when the stream is over. A key that
        expires is noticed by `recheck`, which a stream calls with each heartbeat.
        """
        ended = False

        def end_once() -> None:
            nonlocal ended
            if not ended:
                ended = True
                on_end()

        withdraw_key = self._keys.watch(caller.key_id, end_once)
        if caller.token_id is None:
            return withdraw_key
        withdraw_session = self._tokens.watch(caller.token_id, end_once)

        def withdraw() -> None:
            withdraw_key()
            withdraw_session()

        return withdraw

    def _prove(self, proof: Proof, *, address: str | None, now_ns: int) -> ApiKey:
        verified = self._verify(proof, address=address, now_ns=now_ns)
        self._admit(verified, address=address, now_ns=now_ns)
        return verified.key

    def _verify(self, proof: Proof, *, address: str | None, now_ns: int) -> VerifiedProof:
        self._check_fresh(proof, now_ns)
        verified = self._verifier.verify(proof, self._keys.get(proof.key_id))
        if verified is None:
            self._throttle.count_failure(address=address, key_id=proof.key_id, now_ns=now_ns)
            raise Unauthenticated(
                Reason.SIGNATURE_INVALID,
                f"The key is unknown or the signature does not match: check the key id, the "
                f"environment name {self._environment!r} and the string to sign.",
            )
        _check_usable(verified.key, address=address, now_ns=now_ns)
        return verified

    def _admit(self, verified: VerifiedProof, *, address: str | None, now_ns: int) -> None:
        """Take note of a proof that was verified and may be used: once."""
        self._replay.admit(verified, now_ns)
        self._throttle.note_success(address=address, key_id=verified.key.key_id)

    def _check_fresh(self, proof: Proof, now_ns: int) -> None:
        self._replay.check_fresh(
            timestamp_ms=proof.timestamp_ms, window_ms=proof.window_ms, now_ns=now_ns
        )


def _check_usable(key: ApiKey | None, *, address: str | None, now_ns: int) -> ApiKey:
    """Return a key, or refuse it when its holder, who is known to be the caller, cannot use it now
    or from here.

    None is a key that was revoked so long ago that it is forgotten.
    """
    if key is None or key.revoked_ns is not None:
        raise Unauthenticated(Reason.KEY_REVOKED, "The key was revoked: use another key.")
    if key.is_expired(now_ns):
        raise Unauthenticated(Reason.KEY_EXPIRED, "The key has expired: use another key.")
    if not is_allowed(key.addresses, address):
        raise PermissionDenied(
            Reason.ADDRESS_NOT_ALLOWED,
            f"The key does not allow calls from {address or 'an unknown address'}: call from an "
            f"address in its allow-list, or make a key whose allow-list has this one.",
            address=address or "",
        )
    return key
