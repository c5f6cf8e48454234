"""A table of bad input and the exact answer to each: session, logon and orders.

`|` is the separator, `<now-121>` a time. CompIDs, times and what the gateway makes up (ExecID(17),
TransactTime(60), the limit's state) are left out of what is shown of an answer. The rows
of orders stand in `bad_orders.txt`.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tradewire_gateway.fix import translate, validation
from tradewire_gateway.fix.codec import SOH, encode_fields
from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.session import machine
from tradewire_gateway.fix.validation import SessionRejectReason, Validator

from tests.acceptance.fix.scenario import Scenario, run
from tests.support.fix import FixClient, Gateway, Peer, running_gateway
from tests.support.venue import RunningVenue

ORDER = "11=a|55=BTC-USD|54=1|60=<now>|38=1|40=2|44=100"
VALUE, FORMAT = "Value is incorrect (out of range) for this tag", "Incorrect data format for value"
UNKNOWN, MISSING = "Invalid tag number", "Required tag missing"
STRANGE, EMPTY = "Tag not defined for this message type", "Tag specified without a value"
AGAIN = "is for the first message: log out and log on again"
GROUP = "Repeating group fields out of order"
POSITIONS = "710=p|724=0|1=alice|581=1|715=20261122|60=<now>"
CLOSED = "closed"
NOT_AUTHENTICATED = (
    "Not authenticated: check Username(553), RawData(96), SenderCompID(49), TargetCompID(56) and "
    "the clock"
)


def rejected(reason: int, text: str, msg_type: str, tag: int | None = None) -> str:
    """Return the Reject(3) of the message with number 2."""
    blamed = "" if tag is None else f"371={tag}|"
    of_type = f"372={msg_type}|" if msg_type else ""
    return f"35=3|34=2|45=2|58={text}|{blamed}{of_type}373={reason}"


# What is wrong, what is sent as number 2 after a Logon(A), and what comes back.
IN_SESSION = [
    # SessionRejectReason(373) 0 to 6: fields.
    ("a tag that FIX has not", "35=0|34=2|9999=x", rejected(0, UNKNOWN, "0", 9999)),
    ("a tag that is no number", "35=0|34=2|x=1", rejected(0, UNKNOWN, "0")),
    ("a tag of 20 digits", f"35=0|34=2|{'9' * 20}=1", rejected(0, UNKNOWN, "0")),
    ("a required field is missing", f"35=D|34=2|{ORDER[5:]}", rejected(1, MISSING, "D", 11)),
    ("data without its length", "35=A|34=2|98=0|108=9|96=ab", rejected(1, MISSING, "A", 95)),
    ("a repeat without OrigSendingTime", "35=0|34=2|43=Y", rejected(1, MISSING, "0", 122)),
    ("a field of other messages", "35=0|34=2|55=BTC-USD", rejected(2, STRANGE, "0", 55)),
    ("a group of other messages", f"35=D|34=2|{ORDER}|146=1", rejected(2, STRANGE, "D", 146)),
    ("a field without a value", "35=1|34=2|112=", rejected(4, EMPTY, "1", 112)),
    ("no MsgType", "35=|34=2", rejected(4, EMPTY, "", 35)),
    (
        "a value out of a list",
        f"35=D|34=2|{ORDER.replace('54=1', '54=X')}",
        rejected(5, VALUE, "D", 54),
    ),
    (
        "a length that is not that of the data",
        "35=A|34=2|98=0|108=9|95=3|96=abcd",
        rejected(5, VALUE, "A", 95),
    ),
    ("a resend from 0 on", "35=2|34=2|7=0|16=0", rejected(5, VALUE, "2", 7)),
    ("a resend of what is to come", "35=2|34=2|7=5|16=0", rejected(5, VALUE, "2", 7)),
    ("a gap fill that leads nowhere", "35=4|34=2|36=2|123=Y", rejected(5, VALUE, "4")),
    ("a sequence that is reset backwards", "35=4|34=2|36=1", rejected(5, VALUE, "4")),
    ("an exponent", f"35=D|34=2|{ORDER.replace('38=1', '38=1e5')}", rejected(6, FORMAT, "D", 38)),
    (
        "a word for a character",
        f"35=D|34=2|{ORDER.replace('54=1', '54=BUY')}",
        rejected(6, FORMAT, "D", 54),
    ),
    (
        "a date for a time",
        f"35=D|34=2|{ORDER.replace('<now>', '20261122')}",
        rejected(6, FORMAT, "D", 60),
    ),
    ("a flag that is none", "35=0|34=2|43=X", rejected(6, FORMAT, "0", 43)),
    # 9 and 10: who and when; the session ends.
    ("another SenderCompID", "35=0|34=2|49=OTHER", rejected(9, "CompID problem", "0"), "35=5|34=3"),
    (
        "another TargetCompID",
        "35=0|34=2|56=TW-DROPCOPY",
        rejected(9, "CompID problem", "0"),
        "35=5|34=3",
    ),
    (
        "a message of two minutes ago",
        "35=0|34=2|49=TRADER|52=<now-121>|56=TW-ORDERS",
        rejected(10, "SendingTime accuracy problem", "0"),
        "35=5|34=3",
    ),
    (
        "a repeat from the future",
        "35=0|34=2|43=Y|122=<now+1>",
        rejected(10, "SendingTime accuracy problem", "0"),
        "35=5|34=3",
    ),
    # 11 to 16: messages, order and groups.
    ("a type that FIX has not", "35=zz|34=2", rejected(11, "Invalid MsgType", "zz")),
    (
        "a field twice",
        f"35=D|34=2|{ORDER}|44=100",
        rejected(13, "Tag appears more than once", "D", 44),
    ),
    (
        "a header field in the body",
        "35=0|34=2|112=x|50=desk",
        rejected(14, "Tag specified out of required order", "0", 50),
    ),
    (
        "an entry without its first field",
        f"35=AN|34=2|{POSITIONS}|453=1|447=D|448=me",
        rejected(15, GROUP, "AN", 453),
    ),
    (
        "an entry in another order",
        f"35=AN|34=2|{POSITIONS}|453=1|448=me|452=24|447=D",
        rejected(15, GROUP, "AN", 447),
    ),
    (
        "a wrong count",
        "35=V|34=2|262=q|263=1|264=0|267=2|269=0|269=1|269=2|146=1|55=BTC-USD",
        rejected(16, "Incorrect NumInGroup count for repeating group", "V", 267),
    ),
    # 99, and a message that this venue has not.
    ("a second Logon", "35=A|34=2|98=0|108=30", rejected(99, f"Logon(A) {AGAIN}", "A")),
    (
        "a type that the venue has not",
        "35=s|34=2",
        "35=j|34=2|45=2|58=Unsupported Message Type|372=s|380=3",
    ),
    # Numbers.
    (
        "a reset that nobody signed",
        "35=A|34=1|98=0|108=30|141=Y",
        f"35=5|34=2|58=ResetSeqNumFlag(141)=Y {AGAIN}",
    ),
    (
        "a number that is too low",
        "35=0|34=1",
        "35=5|34=2|58=MsgSeqNum too low, expecting 2 but received 1",
        CLOSED,
    ),
    ("a number that is too high", "35=0|34=5", "35=2|34=2|7=2|16=0"),
    ("a number that is none", "35=0|34=x", "35=5|34=2|58=MsgSeqNum(34) is missing", CLOSED),
    # No answer: to a Reject(3), which could go on for ever.
    ("a Reject that is not valid", "35=3|34=2|45=1|9999=1"),
]


def name_of(case: tuple[str, ...]) -> str:
    """Return what a row is called."""
    return case[0]


def converse(*lines: str) -> None:
    """Hold a conversation in the language of the scenarios, with the venue's dictionary."""
    validator = Validator(translate.dictionary())
    run(Scenario("by hand", Path("table"), tuple(enumerate(lines, start=1))), validator)


@pytest.mark.parametrize("case", IN_SESSION, ids=name_of)
def test_within_a_session(case: tuple[str, ...]) -> None:
    _, sent, *answers = case
    expected = [each if each == CLOSED else f"< {each}" for each in answers]
    converse("logon", f"> {sent}", *expected, "nothing")


# Garbled: no answer, and the number is still to come.
GARBLED = [
    ("a wrong checksum", "8=FIX.4.4|9=57|35=1|34=2|49=TRADER|52=<now>|56=TW-ORDERS|112=x|10=000|"),
    (
        "a length that is too short",
        "8=FIX.4.4|9=20|35=1|34=2|49=TRADER|52=<now>|56=TW-ORDERS|112=x|",
    ),
    (
        "a length that is no number",
        "8=FIX.4.4|9=x|35=1|34=2|49=TRADER|52=<now>|56=TW-ORDERS|112=x|",
    ),
    ("a length above 64 KiB", "8=FIX.4.4|9=65537|35=1|34=2|10=000|"),
    ("no BodyLength", "8=FIX.4.4|35=1|9=5|34=2|10=000|"),
    (
        "MsgType is not the third field",
        "8=FIX.4.4|34=2|35=1|49=TRADER|52=<now>|56=TW-ORDERS|112=x|",
    ),
    ("another protocol", "GET / HTTP/1.1|Host: fix|"),
]


@pytest.mark.parametrize("case", GARBLED, ids=name_of)
def test_garbled(case: tuple[str, str]) -> None:
    good = "> 35=1|34=2|112=good"
    converse("logon", f">raw {case[1]}", "nothing", good, "< 35=0|34=2|112=good")


# As the first message: what Logout(5) says before the connection is closed; "" says nothing.
FIRST = [
    ("no Logon", "35=D|34=1|11=a", "The first message must be Logon(A)"),
    ("a Logout", "35=5|34=1", "The first message must be Logon(A)"),
    ("encryption", "35=A|34=1|98=1|108=30", f"{VALUE}: 98"),
    ("no heartbeats", "35=A|34=1|98=0|108=0", "HeartBtInt(108) must be from 1 to 120"),
    ("rare heartbeats", "35=A|34=1|98=0|108=121", "HeartBtInt(108) must be from 1 to 120"),
    ("no HeartBtInt", "35=A|34=1|98=0", f"{MISSING}: 108"),
    ("an unknown field", "35=A|34=1|98=0|108=30|9999=1", f"{UNKNOWN}: 9999"),
    (
        "a reset that begins at 2",
        "35=A|34=2|98=0|108=30|141=Y",
        "ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1",
    ),
    (
        "NextExpectedMsgSeqNum of what never was",
        "35=A|34=1|98=0|108=30|789=2",
        "NextExpectedMsgSeqNum(789) too high, expecting at most 1 but received 2",
    ),
    (
        "a number that is too low",
        "35=A|34=0|98=0|108=30",
        "MsgSeqNum too low, expecting 1 but received 0",
    ),
    (
        "an old Logon",
        "35=A|34=1|49=TRADER|52=<now-121>|56=TW-ORDERS|98=0|108=30",
        "SendingTime accuracy problem",
    ),
    ("no MsgSeqNum", "35=A|49=TRADER|52=<now>|56=TW-ORDERS|98=0|108=30", f"{MISSING}: 34"),
]


@pytest.mark.parametrize("case", FIRST, ids=name_of)
def test_as_first_message(case: tuple[str, str, str]) -> None:
    _, sent, text = case
    converse("connect", f"> {sent}", f"< 35=5|34=1|58={text}", CLOSED)


@pytest.mark.parametrize("sent", ["GET / HTTP/1.1|", "8=FIX.4.4|9=5|35=A|34=1|10=000|"])
def test_garbage_as_first_message_has_no_answer(sent: str) -> None:
    converse("connect", f">raw {sent}", CLOSED)


def test_another_version_is_told_so() -> None:
    fields = "49=TRADER|52=<now>|56=TW-ORDERS"
    told = "58=Incorrect BeginString"
    converse(
        "connect", f">raw 8=FIX.4.2|35=A|34=1|{fields}|98=0|108=30|", f"< 35=5|34=1|{told}", CLOSED
    )
    converse("logon", f">raw 8=FIX.4.2|35=0|34=2|{fields}|", f"< 35=5|34=2|{told}", "nothing")


def test_every_reason_that_is_given_has_a_row() -> None:
    sources = [Path(str(module.__file__)).read_text() for module in (validation, machine)]
    # The dictionary of texts has each of them, also those that never occur.
    used = re.sub(r"(?m)^    SessionRejectReason[.]\w+: .*", "", "".join(sources))
    given = set(re.findall(r"SessionRejectReason[.]([A-Z_]+)", used))
    answers = [answer for case in IN_SESSION for answer in case[2:]]
    shown = {int(code) for code in re.findall(r"373=([0-9]+)", " ".join(answers))}
    assert {SessionRejectReason[name].value for name in given} == shown


# --- before a venue -------------------------------------------------------------------------------

# What is not the same every time: ExecID(17), TransactTime(60), ids that the gateway makes, limits.
_VARYING = {17, 45, 60, 322, 20010, 20014, 20015, 20016}
_ROW = re.compile(r"^== (.+)\n> (.+)\n< (.+)$", re.MULTILINE)
ORDERS = _ROW.findall((Path(__file__).parent / "bad_orders.txt").read_text("utf-8"))


@pytest.fixture
def alice(venue: RunningVenue) -> Peer:
    """Return alice's client."""
    return Peer(venue.credentials["alice"], sender="ALICE")


@pytest.fixture
async def gateway(venue: RunningVenue, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Return a gateway before the test's venue."""
    async with running_gateway(venue, tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def client(gateway: Gateway, alice: Peer) -> AsyncIterator[FixClient]:
    """Log alice on, with an order `good` in the book and one, `gone`, that is canceled."""
    async with gateway.logged_on(alice) as client:
        client.place("good", t38="2")
        await client.next(t11="good")
        client.place("gone", t44="99")
        client.cancel("gone-1", "gone")
        await client.next(t11="gone-1")
        yield client


async def test_orders(client: FixClient) -> None:
    answers = {name: await answer(client, sent) for name, sent, _ in ORDERS}
    assert answers == {name: expected for name, _, expected in ORDERS}


def write(client: FixClient, sent: str) -> int:
    """Send a message as it stands; return its number."""
    msg_type, _, body = sent.partition("|")
    number = client.session.send(msg_type[3:], f"{body}|".replace("|", SOH), time.time_ns())
    client._perform()
    return number


async def answer(client: FixClient, sent: str) -> str:
    """Send a message; return the one that comes back."""
    client.messages.clear()
    client.rejects.clear()
    number = write(client, sent)
    await client.until(lambda: bool(client.messages or client.rejects))
    (message,) = client.messages + client.rejects
    assert message.body.get(45, str(number)) == str(number)
    fields = Fields({tag: each for tag, each in message.body.items() if tag not in _VARYING})
    return f"35={message.type}|{encode_fields(fields)}".replace(SOH, "|").removesuffix("|")


async def test_a_business_reject_is_not_answered(client: FixClient) -> None:
    # Two sides that reject each other's rejects would never stop.
    client.messages.clear()
    write(client, "35=j|45=1|372=8|380=0")
    sent = "35=H|790=s|11=never"
    assert (await answer(client, sent)).startswith("35=8|790=s|")


async def test_a_bad_order_with_a_logout_behind_it_is_answered_at_the_next_logon(
    gateway: Gateway, alice: Peer
) -> None:
    async with gateway.logged_on(alice) as client:
        now_ns = time.time_ns()
        client.session.send("F", f"11=c{SOH}60=20261122-10:00:00{SOH}", now_ns)
        client.session.logout(now_ns)
        client._perform()
        await client.closed()
        assert client.messages == []
    async with gateway.logged_on(alice) as client:
        refused = await client.next("9", t11="c")
        assert refused.body[102] == "99"


# A Logon(A) that is right in form: nobody is told which part of a credential is wrong.
CREDENTIALS: list[tuple[str, dict[str, Any], str]] = [
    ("another key", {"change": lambda body: body.update({553: "tw_NOTHING"})}, NOT_AUTHENTICATED),
    ("no key", {"change": lambda body: body.pop(553)}, NOT_AUTHENTICATED),
    ("no signature", {"change": lambda body: [body.pop(95), body.pop(96)]}, NOT_AUTHENTICATED),
    (
        "another signature",
        {"change": lambda body: body.update({95: "4", 96: "abcd"})},
        NOT_AUTHENTICATED,
    ),
    ("a signature of six seconds ago", {"age_s": 6}, NOT_AUTHENTICATED),
    ("only the own orders", {"t20011": "Y"}, "OwnOrdersOnly(20011)=Y is not served"),
    (
        "reports of what is to come",
        {"t20012": "5"},
        "SEQUENCE_OUT_OF_RANGE: after_sequence must be between 0 and 0",
    ),
]


@pytest.mark.parametrize("case", CREDENTIALS, ids=lambda case: case[0])
async def test_credentials(
    gateway: Gateway, alice: Peer, case: tuple[str, dict[str, Any], str]
) -> None:
    _, options, text = case
    client = await gateway.connect(alice)
    client.log_on(**options)
    assert await client.closed() == text


async def test_an_application_that_is_none(gateway: Gateway, alice: Peer) -> None:
    alice.target = "TW-NOTHING"
    client = await gateway.connect(alice)
    client.log_on()
    assert await client.closed() == NOT_AUTHENTICATED


async def test_a_session_that_is_logged_on(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice):
        again = await gateway.connect(Peer(alice.credential, sender=alice.sender))
        again.log_on()
        told = "ALICE is logged on to TW-ORDERS already, from one connection at once"
        assert await again.closed() == told
