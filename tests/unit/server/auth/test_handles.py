"""Handles: for one call, of one method, for a while."""

import pytest
from tradewire_server.auth.caller import Caller
from tradewire_server.auth.errors import AuthError, Exhausted, Unauthenticated
from tradewire_server.auth.handles import Grant, HandlePolicy, HandleTable

from tests.unit.server.auth.venue import ADDRESS, NOW_NS, SECOND, CountedEntropy

PLACE, CANCEL = "/tradewire.v1.OrderService/PlaceOrder", "/tradewire.v1.OrderService/CancelOrder"
OTHER_ADDRESS = "198.51.100.4"
LIFE = 30 * SECOND
ALICE = Caller("alice", "tw_ED", frozenset({"trade"}), ADDRESS, None, NOW_NS + 5 * SECOND)


def table(**numbers: int) -> HandleTable:
    return HandleTable(HandlePolicy(**numbers), entropy=CountedEntropy())


def issue(
    handles: HandleTable,
    *,
    caller: Caller | None = None,
    address: str | None = ADDRESS,
    now_ns: int = NOW_NS,
) -> str:
    return handles.issue(PLACE, caller=caller, address=address, now_ns=now_ns)


def refusal(handles: HandleTable, handle: str, path: str = PLACE, now_ns: int = NOW_NS) -> str:
    with pytest.raises(Unauthenticated) as error:
        handles.redeem(handle, path, now_ns)
    assert error.value.reason == "UNAUTHENTICATED"
    return error.value.message


def test_a_handle_stands_for_what_was_checked() -> None:
    handles = table()
    handle = issue(handles, caller=ALICE)
    assert handles.redeem(handle, PLACE, NOW_NS) == Grant(PLACE, ALICE, ADDRESS, NOW_NS + LIFE)
    anonymous = issue(handles, address=None)
    assert handles.redeem(anonymous, PLACE, NOW_NS) == Grant(PLACE, None, None, NOW_NS + LIFE)
    assert len(handles) == 0


def test_handles_differ_and_have_192_bits() -> None:
    handles = HandleTable()
    issued = {issue(handles) for _ in range(100)}
    assert len(issued) == 100
    assert {len(handle) for handle in issued} == {32}


def test_a_handle_is_good_once() -> None:
    handles = table()
    handle = issue(handles)
    handles.redeem(handle, PLACE, NOW_NS)
    assert "used before" in refusal(handles, handle)


def test_a_handle_is_for_the_method_that_was_checked_and_a_try_uses_it_up() -> None:
    handles = table()
    handle = issue(handles)
    assert f"for a call of {PLACE}" in refusal(handles, handle, CANCEL)
    assert "used before" in refusal(handles, handle)


def test_a_handle_that_was_never_issued_opens_nothing() -> None:
    assert "not known" in refusal(table(), "A" * 32)
    assert "not known" in refusal(table(), "")


def test_a_handle_expires() -> None:
    handles = table()
    first, second = issue(handles), issue(handles)
    handles.redeem(first, PLACE, NOW_NS + LIFE - 1)
    assert "has expired" in refusal(handles, second, now_ns=NOW_NS + LIFE)


def test_expired_handles_make_room_when_the_next_is_issued() -> None:
    handles = table(handles_max=2, handles_per_address_max=2)
    issue(handles)
    issue(handles, now_ns=NOW_NS + SECOND)
    with pytest.raises(Exhausted):
        issue(handles, now_ns=NOW_NS + LIFE - 1)
    issue(handles, now_ns=NOW_NS + LIFE)
    assert len(handles) == 2
    with pytest.raises(Exhausted):
        issue(handles, now_ns=NOW_NS + LIFE)


def test_a_full_table_refuses_and_forgets_nothing() -> None:
    handles = table(handles_max=2)
    kept = [issue(handles, address=None), issue(handles, address=None)]
    with pytest.raises(AuthError) as error:
        issue(handles, address=None)
    assert error.value.reason == "OVERLOADED"
    for handle in kept:
        handles.redeem(handle, PLACE, NOW_NS)
    issue(handles, address=None)


def test_one_address_cannot_fill_the_table() -> None:
    handles = table(handles_per_address_max=2)
    kept = [issue(handles), issue(handles)]
    with pytest.raises(Exhausted) as error:
        handles.check_room(ADDRESS, NOW_NS)
    assert error.value.reason == "RATE_LIMITED"
    assert error.value.metadata == {"scope": "requests", "limit": "2", "retry_after_ms": "30000"}
    issue(handles, address=OTHER_ADDRESS)
    issue(handles, address=None)
    handles.redeem(kept[0], PLACE, NOW_NS)
    issue(handles)


@pytest.mark.parametrize("address", [ADDRESS, None])
def test_what_reduces_risk_has_a_reserve_of_the_table_and_of_its_address(
    address: str | None,
) -> None:
    bound = "handles_max" if address is None else "handles_per_address_max"
    handles = table(**{bound: 20})
    for _ in range(18):
        issue(handles, address=address)
    for _ in range(2):
        with pytest.raises(Exhausted):
            handles.check_room(address, NOW_NS)
        handles.issue(CANCEL, caller=None, address=address, now_ns=NOW_NS, reduces_risk=True)
    with pytest.raises(Exhausted):
        handles.check_room(address, NOW_NS, reduces_risk=True)


def test_addresses_of_one_network_share_what_they_may_hold() -> None:
    handles = table(handles_per_address_max=1)
    issue(handles, address="2001:db8::1")
    with pytest.raises(Exhausted):
        issue(handles, address="2001:db8::2")


def test_what_was_issued_before_the_clock_was_set_back_is_gone() -> None:
    handles = table(handles_max=2)
    ahead = [issue(handles, now_ns=NOW_NS + 3600 * SECOND) for _ in range(2)]
    issue(handles)
    assert len(handles) == 1
    for handle in ahead:
        assert "not known" in refusal(handles, handle)
