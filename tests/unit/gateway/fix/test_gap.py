"""What comes too early is held within bounds, and what is missing is known."""

from tradewire_gateway.fix.session.gap import Held, Inbound


def test_what_is_held_is_bounded_by_number() -> None:
    inbound = Inbound(messages_max=2, bytes_max=100)
    assert [inbound.hold(number, Held(None, 1)) for number in (5, 7, 9)] == [True, True, False]
    # Again is no more.
    assert inbound.hold(7, Held(None, 1))


def test_what_is_held_is_bounded_by_bytes_and_room_comes_back() -> None:
    inbound = Inbound(messages_max=10, bytes_max=100)
    assert inbound.hold(2, Held(None, 60))
    assert not inbound.hold(3, Held(None, 41))
    inbound.advance(2, 0)
    assert inbound.take() == Held(None, 60)
    assert inbound.hold(3, Held(None, 100))
    inbound.advance(4, 0)
    assert inbound.hold(5, Held(None, 100))
    inbound.reset()
    assert inbound.hold(5, Held(None, 100))


def test_waiting_ends_when_all_that_was_asked_for_has_come() -> None:
    inbound = Inbound(messages_max=10, bytes_max=100)
    assert (inbound.is_waiting, inbound.retry_ns(9)) == (False, None)
    inbound.requested(3, 1000)
    assert (inbound.is_waiting, inbound.attempts, inbound.retry_ns(9)) == (True, 1, 1009)
    inbound.requested(0, 2000)
    assert (inbound.attempts, inbound.retry_ns(9)) == (2, 2009)
    inbound.advance(3, 3000)
    assert (inbound.is_waiting, inbound.attempts, inbound.retry_ns(9)) == (True, 1, 3009)
    inbound.advance(4, 4000)
    assert not inbound.is_waiting


def test_the_gap_before_what_is_held() -> None:
    inbound = Inbound(messages_max=10, bytes_max=100)
    assert inbound.missing_before() is None
    for number in (9, 4):
        inbound.hold(number, Held(None, 1))
    assert inbound.missing_before() == 8
    inbound.advance(9, 0)
    assert inbound.take() == Held(None, 1)
    assert inbound.missing_before() is None
