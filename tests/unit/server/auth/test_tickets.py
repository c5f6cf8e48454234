"""Tickets: for one session, with no more than their maker has, for half a minute."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tradewire_server.auth.caller import Caller
from tradewire_server.auth.errors import AuthError, Exhausted, PermissionDenied, Reason
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.auth.tickets import (
    IssuedTicket,
    TicketInvalid,
    TicketPolicy,
    TicketTable,
)
from tradewire_server.auth.tokens import TokenPolicy

from tests.unit.server.auth.venue import (
    ADDRESS,
    MINUTE,
    NOW_NS,
    SECOND,
    CountedEntropy,
    Venue,
)

LIFE = 30 * SECOND
OTHER_ADDRESS = "198.51.100.4"
READ, TRADE = frozenset({"read"}), frozenset({"read", "trade"})
SIGNER = Caller("alice", "tw_ED", TRADE, ADDRESS, None, NOW_NS + 5 * SECOND)
STRICT = LimitPolicy(sign_in_failures_per_address=Gcra(1, 2, 60))


def _table(**numbers: int) -> TicketTable:
    return TicketTable(TicketPolicy(**numbers), entropy=CountedEntropy())


def _caller(venue: Venue, *, now_ns: int = NOW_NS, key_id: str = "tw_ED") -> Caller:
    proof = venue.session_proof(key_id, now_ns=now_ns)
    issued = venue.authenticator.create_session(proof, address=ADDRESS, now_ns=now_ns)
    return _bearer(venue, issued.token, now_ns=now_ns)


def _bearer(venue: Venue, token: str, *, address: str = ADDRESS, now_ns: int = NOW_NS) -> Caller:
    return venue.authenticator.authenticate_bearer(token, address=address, now_ns=now_ns)


def _ticket(
    venue: Venue, caller: Caller, *, scopes: frozenset[str] = frozenset(), now_ns: int = NOW_NS
) -> IssuedTicket:
    return venue.authenticator.create_ticket(caller, scopes=scopes, now_ns=now_ns)


def _redeem(venue: Venue, text: str, *, address: str = ADDRESS, now_ns: int = NOW_NS) -> Caller:
    issued = venue.authenticator.redeem_ticket(text, address=address, now_ns=now_ns)
    return _bearer(venue, issued.token, address=address, now_ns=now_ns)


def _refusal(venue: Venue, text: str, *, address: str = ADDRESS, now_ns: int = NOW_NS) -> AuthError:
    with pytest.raises(AuthError) as refusal:
        venue.authenticator.redeem_ticket(text, address=address, now_ns=now_ns)
    return refusal.value


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.add_ed25519()
    return made


# --- what a ticket gives --------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [frozenset[str](), READ, TRADE])
def test_a_ticket_begins_a_session_of_its_makers_account(
    venue: Venue, asked: frozenset[str]
) -> None:
    ticket = _ticket(venue, _caller(venue), scopes=asked)
    assert ticket.expires_ns == NOW_NS + LIFE
    found = _redeem(venue, ticket.text, address=OTHER_ADDRESS)
    assert (found.account, found.key_id) == ("alice", "tw_ED")
    assert found.scopes == (asked or TRADE)
    assert found.expires_ns == NOW_NS + 15 * MINUTE
    assert found.is_from_ticket


def test_who_signs_requests_makes_tickets_too(venue: Venue) -> None:
    signer = venue.authenticator.authenticate_signature(
        venue.signed_request(), address=ADDRESS, now_ns=NOW_NS
    )
    # The window of the signature is over by then, which ends no ticket.
    found = _redeem(venue, _ticket(venue, signer).text, now_ns=NOW_NS + LIFE - 1)
    assert found.scopes == TRADE


def test_a_ticket_is_long_random_text_that_is_not_kept() -> None:
    table = TicketTable()
    texts = {table.issue(SIGNER, scopes=READ, now_ns=NOW_NS).text for _ in range(50)}
    assert len(texts) == 50
    assert {len(text) for text in texts} == {43}
    kept = repr(vars(table))
    assert not any(text in kept for text in texts)
    assert "text" not in repr(table.issue(SIGNER, scopes=READ, now_ns=NOW_NS))


def test_a_ticket_does_not_outlive_the_token_of_its_maker(venue: Venue) -> None:
    caller = _caller(venue)
    late_ns = caller.expires_ns - 10 * SECOND
    ticket = _ticket(venue, caller, now_ns=late_ns)
    assert ticket.expires_ns == caller.expires_ns
    assert _refusal(venue, ticket.text, now_ns=caller.expires_ns).reason == Reason.TICKET_INVALID


def test_the_session_of_a_ticket_ends_with_the_key(venue: Venue) -> None:
    venue.add_ed25519("tw_ED2", expires_ns=NOW_NS + MINUTE)
    ticket = _ticket(venue, _caller(venue, key_id="tw_ED2"))
    assert _redeem(venue, ticket.text).expires_ns == NOW_NS + MINUTE


def test_the_session_of_a_ticket_ends_when_the_key_is_revoked(venue: Venue) -> None:
    ticket = _ticket(venue, _caller(venue))
    issued = venue.authenticator.redeem_ticket(ticket.text, address=ADDRESS, now_ns=NOW_NS)
    told: list[str] = []
    venue.authenticator.watch(_bearer(venue, issued.token), lambda: told.append("ended"))
    venue.keys.revoke("tw_ED", NOW_NS)
    assert told == ["ended"]
    with pytest.raises(AuthError) as refusal:
        _bearer(venue, issued.token)
    assert refusal.value.reason == Reason.KEY_REVOKED


def test_the_session_of_a_ticket_outlives_the_end_of_its_makers(venue: Venue) -> None:
    caller = _caller(venue)
    issued = venue.authenticator.redeem_ticket(
        _ticket(venue, caller).text, address=ADDRESS, now_ns=NOW_NS
    )
    venue.authenticator.end_session(caller, NOW_NS)
    assert _bearer(venue, issued.token).scopes == TRADE


def test_the_session_of_a_ticket_is_not_renewed_with_its_token(venue: Venue) -> None:
    issued = venue.authenticator.redeem_ticket(
        _ticket(venue, _caller(venue)).text, address=ADDRESS, now_ns=NOW_NS
    )
    with pytest.raises(AuthError) as refusal:
        venue.authenticator.renew_session(issued.token, address=ADDRESS, now_ns=NOW_NS)
    assert refusal.value.reason == Reason.UNAUTHENTICATED


def test_a_token_that_was_forgotten_still_says_that_it_is_of_a_ticket() -> None:
    venue = Venue(tokens=TokenPolicy(cached_max=1))
    venue.add_ed25519()
    issued = venue.authenticator.redeem_ticket(
        _ticket(venue, _caller(venue)).text, address=ADDRESS, now_ns=NOW_NS
    )
    _caller(venue, now_ns=NOW_NS + SECOND)
    assert _bearer(venue, issued.token).is_from_ticket


# --- what makes no ticket -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maker", "asked", "text"),
    [
        (SIGNER, frozenset({"read", "transfer"}), "leave out transfer"),
        (SIGNER, frozenset({"admin"}), "leave out admin"),
        (replace(SIGNER, is_from_ticket=True), READ, "begun with a ticket"),
        (replace(SIGNER, scopes=frozenset({"admin", "read"})), READ, "operates the venue"),
        (replace(SIGNER, scopes=frozenset({"admin", "read"})), frozenset(), "operates the venue"),
    ],
)
def test_what_is_not_the_makers_to_give(maker: Caller, asked: frozenset[str], text: str) -> None:
    table = _table()
    with pytest.raises(PermissionDenied, match=text) as refusal:
        table.issue(maker, scopes=asked, now_ns=NOW_NS)
    assert refusal.value.reason == Reason.SCOPE_NOT_GRANTABLE
    assert not len(table)


def test_a_session_of_a_ticket_makes_none(venue: Venue) -> None:
    child = _redeem(venue, _ticket(venue, _caller(venue)).text)
    with pytest.raises(PermissionDenied):
        _ticket(venue, child)


# --- what begins no session -----------------------------------------------------------------------


def _used(venue: Venue, ticket: str) -> int:
    _redeem(venue, ticket)
    return NOW_NS


Spoil = Callable[[Venue, str], int]
SPOILT: dict[str, Spoil] = {
    "used": _used,
    "expired": lambda venue, ticket: NOW_NS + LIFE,
    "of a clock that was set back": lambda venue, ticket: NOW_NS - 1,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_ticket_is_told_apart_from_no_ticket_by_nobody(venue: Venue, spoil: Spoil) -> None:
    ticket = _ticket(venue, _caller(venue)).text
    now_ns = spoil(venue, ticket)
    unknown = _refusal(venue, "A" * 43, now_ns=now_ns)
    found = _refusal(venue, ticket, now_ns=now_ns)
    assert repr(found) == repr(unknown)
    assert found.reason == Reason.TICKET_INVALID
    # And it stays so.
    assert _refusal(venue, ticket).reason == Reason.TICKET_INVALID


@pytest.mark.parametrize("ended_max", [50_000, 0])
def test_a_ticket_ends_with_the_session_that_made_it(ended_max: int) -> None:
    venue = Venue(tokens=TokenPolicy(ended_max=ended_max))
    venue.add_ed25519()
    caller = _caller(venue)
    ticket = _ticket(venue, caller, now_ns=NOW_NS + SECOND)
    venue.authenticator.end_session(caller, NOW_NS + 2 * SECOND)
    now_ns = NOW_NS + 20 * SECOND
    assert repr(_refusal(venue, ticket.text, now_ns=now_ns)) == repr(TicketInvalid())


def test_the_end_of_another_session_ends_no_ticket(venue: Venue) -> None:
    ticket = _ticket(venue, _caller(venue))
    venue.authenticator.end_session(_caller(venue), NOW_NS)
    assert _redeem(venue, ticket.text).account == "alice"


@pytest.mark.parametrize("text", ["", "A", "é", "\ud800", "A" * 5_000])
def test_what_is_no_ticket(venue: Venue, text: str) -> None:
    assert _refusal(venue, text).reason == Reason.TICKET_INVALID


def _revoke(venue: Venue) -> None:
    venue.keys.revoke("tw_ED", NOW_NS)


def _expire(venue: Venue) -> None:
    venue.keys.expire("tw_ED", NOW_NS)


@pytest.mark.parametrize(
    ("end", "reason"), [(_revoke, Reason.KEY_REVOKED), (_expire, Reason.KEY_EXPIRED)]
)
def test_a_ticket_ends_with_its_key(
    venue: Venue, end: Callable[[Venue], None], reason: Reason
) -> None:
    ticket = _ticket(venue, _caller(venue))
    end(venue)
    assert _refusal(venue, ticket.text).reason == reason
    assert _refusal(venue, ticket.text).reason == Reason.TICKET_INVALID


def test_a_ticket_is_for_the_addresses_of_its_key() -> None:
    venue = Venue()
    venue.add_ed25519(addresses=(f"{ADDRESS}/32",))
    caller = _caller(venue)
    refused = _ticket(venue, caller).text
    assert _refusal(venue, refused, address=OTHER_ADDRESS).reason == Reason.ADDRESS_NOT_ALLOWED
    assert _refusal(venue, refused).reason == Reason.TICKET_INVALID
    assert _redeem(venue, _ticket(venue, caller).text).address == ADDRESS


# --- guessing -------------------------------------------------------------------------------------


def test_who_tries_tickets_has_to_wait_and_others_do_not() -> None:
    venue = Venue(limits=STRICT)
    venue.add_ed25519()
    caller = _caller(venue)
    ticket = _ticket(venue, caller).text
    reasons = [_refusal(venue, "A" * 43, address=OTHER_ADDRESS).reason for _ in range(3)]
    assert reasons == [Reason.TICKET_INVALID, Reason.TICKET_INVALID, Reason.RATE_LIMITED]
    # The right one, too; and being told to wait does not use it up.
    assert _refusal(venue, ticket, address=OTHER_ADDRESS).reason == Reason.RATE_LIMITED
    assert _redeem(venue, ticket).account == "alice"


def test_a_ticket_does_not_prove_its_holders_address() -> None:
    venue = Venue()
    venue.add_ed25519()
    _redeem(venue, _ticket(venue, _caller(venue)).text, address=OTHER_ADDRESS)
    assert not venue.authenticator.is_known_key("tw_ED", address=OTHER_ADDRESS)


# --- bounds ---------------------------------------------------------------------------------------


def test_a_key_has_so_many_tickets_and_is_told_when_there_is_room() -> None:
    table = _table(tickets_per_key_max=2)
    first = table.issue(SIGNER, scopes=READ, now_ns=NOW_NS)
    table.issue(SIGNER, scopes=READ, now_ns=NOW_NS + SECOND)
    with pytest.raises(Exhausted) as refusal:
        table.issue(SIGNER, scopes=READ, now_ns=NOW_NS + 2 * SECOND)
    assert refusal.value.reason == Reason.RATE_LIMITED
    assert refusal.value.metadata == {
        "scope": "tickets",
        "limit": "2",
        "retry_after_ms": "28000",
    }
    table.issue(replace(SIGNER, key_id="tw_B"), scopes=READ, now_ns=NOW_NS + 2 * SECOND)
    table.redeem(first.text, NOW_NS + 2 * SECOND)
    table.issue(SIGNER, scopes=READ, now_ns=NOW_NS + 2 * SECOND)
    # And those that nobody used go with time.
    table.issue(SIGNER, scopes=READ, now_ns=NOW_NS + SECOND + LIFE)
    assert len(table) == 3


def test_all_keys_together_have_so_many() -> None:
    table = _table(tickets_max=3)
    for number in range(3):
        table.issue(replace(SIGNER, key_id=f"tw_{number}"), scopes=READ, now_ns=NOW_NS)
    with pytest.raises(Exhausted) as refusal:
        table.issue(SIGNER, scopes=READ, now_ns=NOW_NS)
    assert refusal.value.reason == Reason.OVERLOADED
    table.issue(SIGNER, scopes=READ, now_ns=NOW_NS + LIFE)
    assert len(table) == 1


def test_one_that_ends_early_makes_room_behind_one_that_does_not() -> None:
    table = _table(tickets_per_key_max=1)
    table.issue(replace(SIGNER, key_id="tw_B"), scopes=READ, now_ns=NOW_NS)
    short = replace(SIGNER, token_id="session", expires_ns=NOW_NS + SECOND)
    table.issue(short, scopes=READ, now_ns=NOW_NS)
    assert table.issue(SIGNER, scopes=READ, now_ns=NOW_NS + 2 * SECOND).text


def test_the_bounds_forget_what_was_used() -> None:
    table = _table(tickets_per_key_max=1, tickets_max=1)
    for _ in range(20):
        table.redeem(table.issue(SIGNER, scopes=READ, now_ns=NOW_NS).text, NOW_NS)
    assert not len(table)


@pytest.mark.parametrize(
    "numbers",
    [{"ticket_life_s": 0}, {"ticket_life_s": 61}, {"tickets_max": 0}, {"tickets_per_key_max": 0}],
)
def test_numbers_that_make_no_sense(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="ticket"):
        TicketPolicy(**numbers)
