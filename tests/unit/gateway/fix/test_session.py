"""What scenarios cannot say of a session: initiators, shells that take their time, wrong use."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.session import (
    Action,
    Consumed,
    Deliver,
    Disconnect,
    Fetch,
    LoggedOn,
    LogonRequested,
    Note,
    NotEstablished,
    PeerRejected,
    Reset,
    Send,
    Session,
    SessionSettings,
    State,
)
from tradewire_gateway.fix.store import MemoryStore, Numbers, Record
from tradewire_gateway.fix.validation import Validator
from tradewire_gateway.fix.values import SECOND_NS, parse_utc_timestamp

from tests.unit.gateway.fix.wire import content, frame, validator

NOW = "20261122-09:30:00.000"
NOW_NS = parse_utc_timestamp(NOW) or 0
LATER_NS = NOW_NS + 1000 * SECOND_NS
TO_US = f"49=THEM|52={NOW}|56=US|"
LOGON = f"35=A|34=1|{TO_US}98=0|108=30|"
SETTINGS = SessionSettings()


def shown(actions: list[Action]) -> list[object]:
    """Return actions in short: of what is sent, only what differs from message to message."""
    usual = f"49=US|52={NOW}|56=THEM|"
    return [
        content(each.data).replace(usual, "") if isinstance(each, Send) else each
        for each in actions
    ]


def new_session(settings: SessionSettings = SETTINGS) -> Session:
    return Session(validator(), settings, NOW_NS)


def established(settings: SessionSettings = SETTINGS) -> Session:
    session = new_session(settings)
    session.receive_data(frame(LOGON), NOW_NS)
    session.accept(Numbers(), NOW_NS)
    session.actions()
    return session


def initiator(*, reset: bool = False, next_expected: bool = False) -> Session:
    session = new_session()
    numbers = Numbers(7, 5)
    session.start_logon("US", "THEM", numbers, NOW_NS, reset=reset, next_expected=next_expected)
    return session


def receive(session: Session, *contents: str) -> list[object]:
    for each in contents:
        session.receive_data(frame(each), NOW_NS)
    return shown(session.actions())


def test_an_initiator_logs_on() -> None:
    session = initiator()
    (sent,) = session.actions()
    assert isinstance(sent, Send)
    assert (content(sent.data), sent.number) == (
        f"35=A|34=7|49=US|52={NOW}|56=THEM|98=0|108=30|",
        7,
    )
    assert session.state is State.LOGON_SENT
    session.receive_data(frame(f"35=A|34=5|{TO_US}98=0|108=30|"), NOW_NS)
    logged_on, consumed = session.actions()
    assert isinstance(logged_on, LoggedOn)
    assert consumed == Consumed(6)
    assert (session.state, session.next_outbound, session.next_inbound) == (
        State.ESTABLISHED,
        8,
        6,
    )


def test_an_initiator_begins_again() -> None:
    session = initiator(reset=True)
    assert shown(session.actions()) == [Reset(), "35=A|34=1|98=0|108=30|141=Y|"]
    answer = receive(session, f"35=A|34=1|{TO_US}98=0|108=30|141=Y|")
    assert answer[1:] == [Consumed(2)]


def test_an_initiator_tells_what_it_expects_and_sends_what_the_acceptor_lacks() -> None:
    session = initiator(next_expected=True)
    assert shown(session.actions()) == ["35=A|34=7|98=0|108=30|789=5|"]
    answer = receive(session, f"35=A|34=8|{TO_US}98=0|108=30|789=3|")
    # What we lack, 5 to 7, comes without asking; what it lacks, 3 to 7, is fetched.
    assert answer[1:] == [Fetch(3, 7, SETTINGS.resend_chunk)]
    filled = receive(session, f"35=4|34=5|43=Y|{TO_US}36=9|123=Y|")
    assert filled == [Consumed(9)]


@pytest.mark.parametrize(
    ("answer", "sent", "reason"),
    [
        (f"35=5|34=1|{TO_US}58=no such key|", [], "Logon(A) was refused: no such key"),
        (f"35=5|34=1|{TO_US}9999=x|", [], "Logon(A) was refused: no reason given"),
        (
            f"35=0|34=5|{TO_US}",
            ["35=5|34=8|58=The first message must be Logon(A)|"],
            "The first message must be Logon(A)",
        ),
        (
            f"35=A|34=4|{TO_US}98=0|108=30|",
            ["35=5|34=8|58=MsgSeqNum too low, expecting 5 but received 4|"],
            "MsgSeqNum too low, expecting 5 but received 4",
        ),
    ],
)
def test_an_initiator_that_is_not_let_in_closes(answer: str, sent: list[str], reason: str) -> None:
    session = initiator()
    session.actions()
    assert receive(session, answer) == [*sent, Disconnect(reason)]


def test_an_initiator_does_not_believe_another_acceptor() -> None:
    session = initiator()
    session.actions()
    sent = receive(session, f"35=A|34=5|49=WHO|52={NOW}|56=US|98=0|108=30|")
    assert sent[-1] == "35=5|34=9|"
    assert session.state is State.LOGGING_OUT


def test_an_initiator_ignores_garbage_and_does_not_wait_for_ever() -> None:
    session = initiator()
    session.actions()
    session.receive_data(b"?", NOW_NS)
    assert session.actions() == [Note("garbled, ignored: bytes outside of a message")]
    assert session.deadline_ns == NOW_NS + 10 * SECOND_NS
    session.tick(LATER_NS)
    assert session.actions() == [Disconnect("time ran out: logon sent")]


def test_nothing_is_looked_at_while_a_logon_is_decided_on() -> None:
    session = new_session()
    session.receive_data(frame(LOGON) + frame(f"35=1|34=2|{TO_US}112=x|"), NOW_NS)
    (asked,) = session.actions()
    assert isinstance(asked, LogonRequested)
    assert (asked.message.header.text(49), session.state) == ("THEM", State.DECIDING)
    session.receive_data(frame(f"35=1|34=3|{TO_US}112=y|"), NOW_NS)
    assert session.actions() == []
    session.accept(Numbers(), NOW_NS, Fields({58: "welcome"}))
    assert shown(session.actions()) == [
        "35=A|34=1|98=0|108=30|58=welcome|",
        LoggedOn(asked.message),
        Consumed(2),
        "35=0|34=2|112=x|",
        Consumed(3),
        "35=0|34=3|112=y|",
        Consumed(4),
    ]


def test_who_sends_too_much_before_the_decision_is_disconnected() -> None:
    session = new_session(replace(SETTINGS, waiting_bytes_max=100))
    session.receive_data(frame(LOGON) + b"x" * 100, NOW_NS)
    assert len(session.actions()) == 1
    session.receive_data(b"x", NOW_NS)
    assert session.actions() == [Disconnect("too many bytes before the answer to Logon(A)")]


def test_a_decision_that_comes_too_late_is_void() -> None:
    for answer in ("accept", "refuse"):
        session = new_session()
        session.receive_data(frame(LOGON), NOW_NS)
        session.receive_eof()
        assert session.actions()[1:] == [Disconnect("the connection was closed")]
        if answer == "accept":
            session.accept(Numbers(), NOW_NS)
        else:
            session.refuse("who are you?", NOW_NS)
        assert session.actions() == []


def test_a_decision_takes_no_longer_than_a_logon() -> None:
    session = new_session()
    session.receive_data(frame(LOGON), NOW_NS)
    session.actions()
    session.tick(LATER_NS)
    assert session.actions() == [Disconnect("time ran out: deciding")]


def test_application_messages_are_delivered_with_their_number() -> None:
    session = established()
    session.receive_data(frame(f"35=D|34=2|{TO_US}97=Y|11=a|55=X|54=1|40=1|"), NOW_NS)
    (delivered,) = session.actions()
    assert isinstance(delivered, Deliver)
    assert delivered.number == 2
    assert delivered.message.header.flag(97)
    assert delivered.message.body == {11: "a", 55: "X", 54: "1", 40: "1"}


def test_what_is_sent_says_how_it_is_stored() -> None:
    session = established()
    assert session.send("8", "58=x\x01", NOW_NS) == 2
    assert session.send("8", "58=y\x01", NOW_NS, keep=False) == 3
    assert session.send("8", "58=z\x01", NOW_NS, reference=77) == 4
    session.send("8", "58=w\x01", NOW_NS, header=Fields({97: "Y"}))
    assert [(each.number, each.record) for each in session.actions() if isinstance(each, Send)] == [
        (2, Record("8", NOW_NS, "58=x\x01")),
        (3, None),
        (4, Record("8", NOW_NS, "", None, 77)),
        (5, Record("8", NOW_NS, "58=w\x01", Fields({97: "Y"}))),
    ]


def test_a_reference_is_resent_as_what_the_shell_makes_of_it() -> None:
    session = established()
    session.send("8", "58=z\x01", NOW_NS, reference=77)
    session.actions()
    assert receive(session, f"35=2|34=2|{TO_US}7=2|16=2|") == [
        Fetch(2, 2, SETTINGS.resend_chunk),
        Consumed(3),
    ]
    # Fetching takes its time; meanwhile the session goes on.
    session = established()
    session.send("8", "58=z\x01", NOW_NS, reference=77)
    session.receive_data(frame(f"35=2|34=2|{TO_US}7=1|16=0|"), NOW_NS)
    (fetch,) = [each for each in session.actions() if isinstance(each, Fetch)]
    assert session.is_resending
    assert receive(session, f"35=1|34=3|{TO_US}112=x|")[0] == "35=0|34=3|112=x|"
    session.resend(fetch, [(2, Record("8", NOW_NS, "58=again\x01"))], LATER_NS)
    fill, again = [content(each.data) for each in session.actions() if isinstance(each, Send)]
    assert fill.startswith("35=4|34=1|43=Y|")
    assert again == (f"35=8|34=2|43=Y|49=US|52=20261122-09:46:40.000|56=THEM|122={NOW}|58=again|")
    assert not session.is_resending


def test_what_cannot_be_made_again_is_filled() -> None:
    session = established(replace(SETTINGS, resend_chunk=2))
    for number in range(2, 8):
        session.send("8", "58=x\x01", NOW_NS, reference=number)
    session.receive_data(frame(f"35=2|34=2|{TO_US}7=1|16=7|"), NOW_NS)
    kept = {number: Record("8", NOW_NS, "58=x\x01" if number > 5 else "") for number in range(2, 8)}
    sent = list[object]()
    while actions := session.actions():
        for action in actions:
            if isinstance(action, Fetch):
                numbers = [number for number in kept if number >= action.begin][: action.limit]
                session.resend(action, [(number, kept[number]) for number in numbers], NOW_NS)
        sent += [each for each in shown(actions) if isinstance(each, str) and "43=Y" in each]
    again = f"43=Y|122={NOW}|"
    assert sent == [
        f"35=4|34=1|{again}36=4|123=Y|",
        f"35=4|34=4|{again}36=6|123=Y|",
        f"35=8|34=6|{again}58=x|",
        f"35=8|34=7|{again}58=x|",
    ]


def test_what_is_fetched_from_before_a_reset_is_void() -> None:
    session = established(replace(SETTINGS, reset_in_session=True))
    session.receive_data(frame(f"35=2|34=2|{TO_US}7=1|16=0|"), NOW_NS)
    (fetch,) = [each for each in session.actions() if isinstance(each, Fetch)]
    receive(session, f"35=A|34=1|{TO_US}98=0|108=30|141=Y|")
    session.resend(fetch, [], NOW_NS)
    assert session.actions() == []
    session.receive_eof()
    session.resend(fetch, [], NOW_NS)
    assert session.actions() == [Disconnect("the connection was closed")]


def test_requests_that_repeat_each_other_are_answered_once() -> None:
    session = established()
    asked = [f"35=2|34={number}|{TO_US}7=1|16=0|" for number in range(2, 30)]
    actions = receive(session, *asked)
    assert [each for each in actions if isinstance(each, Fetch)] == [
        Fetch(1, 1, SETTINGS.resend_chunk)
    ]
    assert session.state is State.ESTABLISHED


def test_too_many_requests_at_once_end_the_session() -> None:
    session = established(replace(SETTINGS, resend_requests_max=2))
    for _ in range(6):
        session.send("8", "58=x\x01", NOW_NS)
    session.actions()
    asked = [f"35=2|34={n + 2}|{TO_US}7={begin}|16={begin}|" for n, begin in enumerate([5, 3, 1])]
    assert receive(session, *asked)[-2:] == [
        "35=5|34=8|58=Too many ResendRequests(2) at once|",
        Consumed(5),
    ]


def test_a_peers_reject_is_shown_to_the_shell() -> None:
    session = established()
    rejected, consumed = receive(session, f"35=3|34=2|{TO_US}45=1|58=why?|")
    assert isinstance(rejected, PeerRejected)
    assert rejected.message.body == {45: "1", 58: "why?"}
    assert consumed == Consumed(3)


def test_a_message_of_the_application_is_rejected_by_it() -> None:
    session = established()
    session.receive_data(frame(f"35=D|34=2|{TO_US}115=DESK|11=a|55=X|54=1|40=1|"), NOW_NS)
    (delivered,) = session.actions()
    assert isinstance(delivered, Deliver)
    session.reject_business(delivered.message, 6, "Not authorised", NOW_NS)
    (sent,) = session.actions()
    assert isinstance(sent, Send)
    assert content(sent.data).endswith("|128=DESK|45=2|58=Not authorised|372=D|380=6|")
    assert sent.record is not None


def test_unsupported_types_are_answered_as_such() -> None:
    dictionary = replace(validator().dictionary, unsupported=frozenset("6"))
    session = Session(Validator(dictionary), SETTINGS, NOW_NS)
    session.receive_data(frame(LOGON), NOW_NS)
    session.accept(Numbers(), NOW_NS)
    session.actions()
    assert receive(session, f"35=6|34=2|{TO_US}23=x|") == [
        "35=j|34=2|45=2|58=Unsupported Message Type|372=6|380=3|",
        Consumed(3),
    ]


def test_a_dictionary_without_logon_lets_nobody_in() -> None:
    dictionary = replace(validator().dictionary, unsupported=frozenset("A"))
    session = Session(Validator(dictionary), SETTINGS, NOW_NS)
    assert receive(session, LOGON) == [
        "35=5|34=1|58=Logon(A) is not supported|",
        Disconnect("Logon(A) is not supported"),
    ]


def test_sending_without_a_session_is_a_mistake() -> None:
    session = new_session()
    with pytest.raises(NotEstablished, match="awaiting logon"):
        session.send("8", "", NOW_NS)
    with pytest.raises(NotEstablished, match="awaiting logon"):
        session.logout(NOW_NS)
    session = established()
    session.logout(NOW_NS, "good night")
    with pytest.raises(NotEstablished, match="logging out"):
        session.send("8", "", NOW_NS)


def test_decisions_nobody_asked_for_are_a_mistake() -> None:
    with pytest.raises(AssertionError, match="accept answers LogonRequested"):
        new_session().accept(Numbers(), NOW_NS)
    with pytest.raises(AssertionError, match="refuse answers LogonRequested"):
        established().refuse("no", NOW_NS)
    with pytest.raises(AssertionError, match="a session begins once"):
        established().start_logon("US", "THEM", Numbers(), NOW_NS)


def test_a_closed_session_does_nothing() -> None:
    session = established()
    session.receive_eof()
    assert session.actions() == [Disconnect("the connection was closed")]
    session.receive_eof()
    session.receive_data(frame(LOGON), NOW_NS)
    session.tick(LATER_NS)
    assert (session.actions(), session.deadline_ns) == ([], None)


def test_an_error_during_the_logout_makes_it_deaf_but_not_louder() -> None:
    session = established()
    session.logout(NOW_NS)
    session.actions()
    stranger = f"49=WHO|52={NOW}|56=US|"
    assert receive(session, f"35=0|34=2|{stranger}")[0] == (
        "35=3|34=3|45=2|58=CompID problem|372=0|373=9|"
    )
    assert receive(session, f"35=1|34=3|{TO_US}112=x|") == []
    assert receive(session, f"35=5|34=4|{TO_US}") == [Disconnect("logged out")]


def test_held_messages_are_not_taken_after_an_error() -> None:
    session = established()
    early = f"35=D|34=3|43=Y|122=20261122-09:40:00|{TO_US}11=a|55=X|54=1|40=1|"
    receive(session, early, f"35=1|34=4|{TO_US}112=x|")
    answer = receive(session, f"35=0|34=2|{TO_US}")
    assert answer == [
        Consumed(3),
        "35=3|34=3|45=3|58=SendingTime accuracy problem|372=D|373=10|",
        Consumed(4),
        "35=5|34=4|",
    ]


# A peer that knows FIX and means ill: numbers near the right ones, fields that exist.
TYPES = st.sampled_from([*"01234534AD8", "2", "4", "ZZ", ""])
NUMBERS = st.sampled_from(["0", "1", "2", "3", "4", "5", "6", "9", "100", "x", "", "9" * 18])
FIELDS = st.lists(
    st.tuples(
        st.sampled_from([7, 16, 36, 43, 97, 112, 122, 123, 141, 98, 108, 789, 95, 96, 11, 55, 54]),
        st.sampled_from(["", "0", "1", "2", "5", "Y", "N", "x", NOW, "9" * 18]),
    ),
    max_size=6,
)
PEER_MESSAGES = st.builds(
    lambda msg_type, number, fields, usual: frame(
        f"35={msg_type}|34={number}|{usual}{''.join(f'{tag}={value}|' for tag, value in fields)}"
    ),
    TYPES,
    NUMBERS,
    FIELDS,
    st.sampled_from([TO_US, TO_US, TO_US, f"49=WHO|52={NOW}|56=US|", "49=THEM|56=US|", ""]),
)
PEER_BYTES = st.one_of(PEER_MESSAGES, PEER_MESSAGES, PEER_MESSAGES, st.binary(max_size=50))


def perform(session: Session, store: MemoryStore, action: Action, now_ns: int) -> None:
    """Perform an action, and see that numbers go up one by one."""
    match action:
        case LogonRequested():
            session.accept(store.numbers(), now_ns)
        case Send(_, int(number), record):
            assert number == store.numbers().outbound
            store.append(number, record)
        case Deliver(message, number):
            assert isinstance(message, Message)
            assert number == store.numbers().inbound
            store.set_next_inbound(number + 1)
        case Consumed(number):
            assert number > store.numbers().inbound
            store.set_next_inbound(number)
        case Fetch():
            session.resend(action, store.read(*action), now_ns)
        case Reset():
            store.reset()
        case _:
            pass


@given(
    st.booleans(),
    st.lists(st.tuples(PEER_BYTES, st.integers(0, 20)), max_size=40),
    st.booleans(),
)
def test_no_peer_breaks_a_session(
    is_initiator: bool, inputs: list[tuple[bytes, int]], explain: bool
) -> None:
    settings = replace(SETTINGS, held_messages_max=5, explain=explain)
    session, store, now_ns = new_session(settings), MemoryStore(), NOW_NS
    if is_initiator:
        session.start_logon("US", "THEM", store.numbers(), now_ns)
    else:
        session.receive_data(frame(LOGON), now_ns)
    for data, seconds in inputs:
        now_ns += seconds * SECOND_NS
        session.tick(now_ns)
        session.receive_data(data, now_ns)
        done = list[Action]()
        while actions := session.actions():
            for action in actions:
                perform(session, store, action, now_ns)
            done += actions
        assert len(session._inbound._held) <= 5
        assert session._decoder.buffered <= 2 * 65536 + 1000
        ends = [place for place, each in enumerate(done) if isinstance(each, Disconnect)]
        assert ends == ([len(done) - 1] if session.state is State.CLOSED else [])
        if ends:
            return


def test_who_was_not_asked_is_not_cut_off_whatever_the_clock_says() -> None:
    session = established()
    # The machine slept, or its clock was set.
    session.tick(LATER_NS)
    (asked,) = session.actions()
    assert isinstance(asked, Send)
    assert "35=1|" in content(asked.data)
    assert session.deadline_ns == LATER_NS + 36 * SECOND_NS
    session.tick(LATER_NS + 35 * SECOND_NS)
    assert session.actions() == []
    session.receive_data(frame(f"35=0|34=2|{TO_US}112=TEST|"), NOW_NS)
    assert session.state is State.ESTABLISHED
    session.actions()
    session.tick(LATER_NS)
    session.actions()
    session.tick(LATER_NS + 36 * SECOND_NS)
    assert session.actions()[-1] == Disconnect("No answer to TestRequest(1)")


def test_a_clock_that_is_set_back_does_not_silence_a_session() -> None:
    session = established()
    back_ns = NOW_NS - 1000 * SECOND_NS
    for later_s, msg_type in ((0, "0"), (36, "1")):
        session.tick(back_ns + later_s * SECOND_NS)
        (sent,) = session.actions()
        assert isinstance(sent, Send)
        assert f"35={msg_type}|" in content(sent.data)
    session.tick(back_ns + 72 * SECOND_NS)
    assert session.state is State.CLOSED


def test_a_peer_is_asked_for_a_sign_of_life_once() -> None:
    session = established()
    for _ in range(3):
        session.ask(NOW_NS)
    assert shown(session.actions()) == ["35=1|34=2|112=TEST|"]
    receive(session, f"35=0|34=2|{TO_US}112=TEST|")
    session.ask(NOW_NS)
    assert shown(session.actions()) == ["35=1|34=3|112=TEST|"]
    session.logout(NOW_NS)
    session.actions()
    session.ask(NOW_NS)
    assert session.actions() == []
