"""The session: after a Logon(A), mostly a good one, whatever a client may send, and time.

It must not raise; all that it sends must be valid by the dictionary that clients have; its actions
must be such as a store can follow; and what it holds must be bounded.
"""

from __future__ import annotations

from functools import cache

from tradewire_gateway.fix.codec import SOH, Decoder, RawMessage
from tradewire_gateway.fix.message import Message
from tradewire_gateway.fix.session import (
    Action,
    Consumed,
    Deliver,
    Disconnect,
    Fetch,
    LogonRequested,
    Reset,
    Send,
    Session,
    SessionSettings,
    State,
)
from tradewire_gateway.fix.store import MemoryStore, Record
from tradewire_gateway.fix.translate import dictionary
from tradewire_gateway.fix.validation import Validator
from tradewire_gateway.fix.values import SECOND_NS, format_utc_timestamp

from tests.fuzz.fuzzed import Input, frame

INPUT_BYTES = 2048
_NOW_NS = 1_795_342_530 * SECOND_NS
_STEPS_MAX = 40
_BYTES_MAX = 2048
_HELD_MAX = 8
_TYPES = [*"012345ADFGHVBj89", "AF", "BE", "s", "", "??"]
_TAGS = [
    "7", "16", "36", "123", "43", "97", "122", "108", "98", "141", "789", "112", "45", "371", "372",
    "373", "58", "95", "96", "89", "93", "115", "128", "116", "129", "11", "55", "54", "60", "38",
    "40", "44", "59", "146", "267", "269", "553", "9999", "34", "49", "52", "56", "35", "8", "9",
    "10", "0", "-1", "07", "x", "",
]  # fmt: skip
_VALUES = [
    "0", "1", "2", "5", "30", "999999", "Y", "N", "-1", "", "x", "20261122-09:35:30.000", "BTC-USD",
    "1" * 18, "1" * 19, "1.5", "LIMIT", "\xff", "a=b",
]  # fmt: skip
# What comes up often: the message as it should be.
_GOOD = {
    "0": [], "1": ["112=q"], "2": ["7=1", "16=0"], "4": ["123=Y", "36=9"], "5": [],
    "3": ["45=1", "58=no"], "A": ["98=0", "108=30"],
    "D": ["11=a", "55=BTC-USD", "54=1", "60=20261122-09:35:30", "38=1", "40=2", "44=1", "59=1"],
}  # fmt: skip


@cache
def _validator() -> Validator:
    return Validator(dictionary())


class _Shell:
    """Performs a session's actions, and checks them."""

    def __init__(self, fuzzed: Input) -> None:
        self.fuzzed = fuzzed
        self.settings = SessionSettings(
            message_bytes_max=_BYTES_MAX,
            waiting_bytes_max=4 * _BYTES_MAX,
            held_messages_max=_HELD_MAX,
            resend_requests_max=3,
            resend_chunk=2,
            reset_on_logon=fuzzed.chance(8),
            reset_in_session=fuzzed.chance(4),
            explain=not fuzzed.chance(8),
        )
        self.now_ns = _NOW_NS
        self.session = Session(_validator(), self.settings, self.now_ns)
        self.store = MemoryStore()
        self.fetches = list[Fetch]()
        self.logon: Message | None = None
        self._reader = Decoder(dictionary().data_fields)
        self._is_over = False
        self._next_inbound = 1

    def perform(self) -> None:
        while actions := self.session.actions():
            for action in actions:
                assert not self._is_over, f"{action} after the end"
                self._perform(action)
        assert (self.session.state is State.CLOSED) == self._is_over
        # What is held: bytes in the decoder, and messages that came too early.
        assert self.session._decoder.buffered <= 4 * _BYTES_MAX + 4096
        assert len(self.session._inbound._held) <= _HELD_MAX
        assert self.session._resend.waiting <= self.settings.resend_requests_max

    def _perform(self, action: Action) -> None:
        match action:
            case Send(data, number, record):
                self._check_sent(data)
                if number is not None:
                    self.store.append(number, record)
            case Deliver(_, number):
                assert number == self._next_inbound, "delivered out of order"
                self._next_inbound = number + 1
            case Consumed(next_inbound):
                assert next_inbound > self._next_inbound, "a number was consumed twice"
                self._next_inbound = next_inbound
            case Reset():
                self.store.reset()
                self._next_inbound = 1
                self.fetches.clear()
            case Fetch():
                self.fetches.append(action)
            case LogonRequested(message):
                self.logon = message
            case Disconnect():
                self._is_over = True

    def _check_sent(self, data: bytes) -> None:
        self._reader.feed(data)
        raw = self._reader.next()
        assert isinstance(raw, RawMessage), (raw, data)
        verdict = _validator().validate(raw)
        assert isinstance(verdict, Message), (verdict, data)
        assert self._reader.buffered == 0, "bytes behind the message"

    def receive(self, data: bytes) -> None:
        cut = self.fuzzed.number(len(data)) if self.fuzzed.chance(8) else len(data)
        for piece in (data[:cut], data[cut:]):
            self.session.receive_data(piece, self.now_ns)
            self.perform()

    def decide(self) -> None:
        if self.logon is None:
            return
        if self.fuzzed.chance(16):
            self.session.refuse("no", self.now_ns)
        else:
            numbers = self.store.numbers()
            if self.fuzzed.chance(4):
                numbers = numbers._replace(outbound=1 + self.fuzzed.number(5))
                self.store.append(max(numbers.outbound - 1, 1), None)
                numbers = self.store.numbers()
            self.session.accept(numbers, self.now_ns)
        self.logon = None
        self.perform()

    def resend(self) -> None:
        if not self.fetches:
            return
        fetch = self.fetches.pop(0)
        records = self.store.read(fetch.begin, fetch.end, fetch.limit)
        if self.fuzzed.chance(4):
            records = [(number, record._replace(body="")) for number, record in records]
        self.session.resend(fetch, _complete(records), self.now_ns)
        self.perform()

    def advance(self) -> None:
        deadline_ns = self.session.deadline_ns
        if deadline_ns is not None and self.fuzzed.chance(2):
            self.now_ns = max(self.now_ns, deadline_ns)
        else:
            self.now_ns += self.fuzzed.number(60) * SECOND_NS
        self.session.tick(self.now_ns)
        self.perform()

    def send(self) -> None:
        if self.session.state is State.ESTABLISHED:
            reference = 7 if self.fuzzed.chance(2) else None
            keep = not self.fuzzed.chance(4)
            news = f"148=x{SOH}33=1{SOH}58=y{SOH}"
            self.session.send("B", news, self.now_ns, keep=keep, reference=reference)
            self.perform()


def _complete(records: object) -> list[tuple[int, Record]]:
    assert isinstance(records, list)
    news = f"148=x{SOH}33=1{SOH}58=y{SOH}"
    return [
        (number, each if each.reference is None else each._replace(body=news))
        for number, each in records
    ]


def run(data: bytes) -> None:
    """Hold a conversation."""
    fuzzed = Input(data)
    shell = _Shell(fuzzed)
    if fuzzed.chance(8):
        shell.receive(_message(fuzzed, shell))
    else:
        shell.receive(_good_logon(fuzzed))
    for _ in range(_STEPS_MAX):
        if not fuzzed or shell.session.state is State.CLOSED:
            break
        step = fuzzed.number(15)
        if step < 9:
            shell.receive(_message(fuzzed, shell))
        elif step == 9:
            shell.receive(fuzzed.data(100))
        elif step == 10:
            shell.advance()
        elif step == 11:
            shell.send()
        elif step == 12 and shell.session.state is State.ESTABLISHED and fuzzed.chance(4):
            shell.session.logout(shell.now_ns, "bye")
            shell.perform()
        else:
            shell.resend()
        if not fuzzed.chance(8):
            shell.decide()
    shell.session.receive_eof()
    shell.perform()


def _good_logon(fuzzed: Input) -> bytes:
    flag = f"141=Y{SOH}" if fuzzed.chance(4) else ""
    expected = f"789={fuzzed.number(4)}{SOH}" if fuzzed.chance(4) else ""
    text = f"35=A|34=1|49=C|52={format_utc_timestamp(_NOW_NS)}|56=TW-ORDERS|98=0|108=30|"
    return frame(text.replace("|", SOH) + flag + expected)


def _message(fuzzed: Input, shell: _Shell) -> bytes:
    """Return a message: the next one and as it should be, or not."""
    msg_type = fuzzed.one_of(list(_GOOD) if fuzzed.number(3) else _TYPES)
    number = str(max(shell.session.next_inbound + fuzzed.number(6) - 3, 0))
    if fuzzed.number(3):
        number = str(shell.session.next_inbound)
    late = (fuzzed.number(400) - 200 if fuzzed.chance(8) else 0) * SECOND_NS
    header = [f"34={number}", "49=C", f"52={format_utc_timestamp(shell.now_ns + late)}"]
    header.append("56=TW-ORDERS")
    if fuzzed.chance(4):
        header += ["43=Y", f"122={format_utc_timestamp(shell.now_ns - SECOND_NS)}"]
    fields = [*header, *_GOOD.get(msg_type, [])]
    for _ in range(fuzzed.number(3) if fuzzed.chance(2) else 0):
        place = fuzzed.number(len(fields))
        kind = fuzzed.number(3)
        if kind == 0 and place < len(fields):
            del fields[place]
        elif kind == 1 and place < len(fields):
            fields[place] = f"{fields[place].partition('=')[0]}={_value(fuzzed)}"
        else:
            fields.insert(place, f"{fuzzed.one_of(_TAGS)}={_value(fuzzed)}")
    return frame(SOH.join([f"35={msg_type}", *fields]) + SOH)


def _value(fuzzed: Input) -> str:
    return fuzzed.text(12) if fuzzed.chance(4) else fuzzed.one_of(_VALUES)
