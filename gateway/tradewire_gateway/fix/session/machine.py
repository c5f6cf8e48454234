"""A FIX session over one connection, as a machine: bytes, time and messages in, actions out.

Rules of this file
- No I/O and no clock: every input carries the time, in nanoseconds since 1970.
- Nothing here raises on what a peer sends. Exceptions mean that the shell broke a rule.
- Inputs append to one list of actions, which the shell takes and performs in order (`actions`).

Life of a session
    AWAITING_LOGON   an acceptor waits for the first message; anything but a Logon(A) ends it
    DECIDING         the shell finds out who that is: `accept` or `refuse`
    LOGON_SENT       an initiator waits for the answer to its Logon(A)
    ESTABLISHED      messages go in both directions
    LOGGING_OUT      we sent Logout(5) and wait for the answer, but not for long
    CLOSED           nothing more happens; a new connection is a new Session

What happens to a message in an established session, in this order (FIX 4.4, volume 2)
1. Garbled: ignored; it used up no number.
2. Wrong BeginString(8), no MsgSeqNum(34), wrong CompIDs, SendingTime(52) too far from the clock:
   the peer is told and the session ends.
3. Logout(5), ResendRequest(2), SequenceReset(4) in reset mode and Logon(A) with
   ResetSeqNumFlag(141): obeyed whatever their number, else two sides that both miss messages could
   wait for each other for ever. Such a Logon(A) ends the session unless the settings allow it.
4. Number too high: held, the missing ones are asked for. Too low: a duplicate where PossDupFlag(43)
   says so, else the end of the session, since the two sides disagree about the past.
5. The expected number: rejected when it is not valid, handled here when it is an admin message,
   delivered to the application otherwise; then those that are held and now next.

Numbers, not messages, are what is never lost: a number is passed on (`Deliver`, `Consumed`) only in
order and only once in the life of a Session. Over several, exactly-once delivery needs the shell
to remember the inbound number together with the effect of the message, or the application to know
the message again, as a venue does by ClOrdID(11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from tradewire_gateway.fix.codec import Decoder, Garbled, RawMessage, encode_fields
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.session import logon as logons
from tradewire_gateway.fix.session.actions import (
    Action,
    Consumed,
    Deliver,
    Disconnect,
    Fetch,
    LoggedOn,
    LogonRequested,
    Note,
    PeerRejected,
    Reset,
)
from tradewire_gateway.fix.session.gap import Held, Inbound
from tradewire_gateway.fix.session.liveness import Due, Liveness
from tradewire_gateway.fix.session.outbound import Outbound, reverse_route
from tradewire_gateway.fix.session.resend import Resend
from tradewire_gateway.fix.session.settings import SessionSettings
from tradewire_gateway.fix.store import Numbers, Record
from tradewire_gateway.fix.validation import (
    Invalid,
    Rejection,
    SessionRejectReason,
    Unsupported,
    Validator,
    Verdict,
)
from tradewire_gateway.fix.values import (
    SECOND_NS,
    parse_sequence_number,
    parse_utc_timestamp,
)

# TestReqID(112) of our test requests; QuickFIX's acceptance tests want this one.
_TEST_REQUEST_ID = "TEST"
# How long, without HeartBtInt(108), missing messages may take; and how often they are asked for.
_PATIENCE_S = 30
_ATTEMPTS_MAX = 3
_NO_RESET = "ResetSeqNumFlag(141)=Y is for the first message: log out and log on again"
# About what the objects of a field take beside its text, for the bound on held messages.
_FIELD_BYTES = 64


class State(Enum):
    """Where a session stands."""

    AWAITING_LOGON = "awaiting logon"
    DECIDING = "deciding"
    LOGON_SENT = "logon sent"
    ESTABLISHED = "established"
    LOGGING_OUT = "logging out"
    CLOSED = "closed"


class NotEstablished(RuntimeError):
    """There is no established session to send over."""


class Session:
    """One connection's session, of an acceptor unless `start_logon` is called first."""

    def __init__(self, validator: Validator, settings: SessionSettings, now_ns: int) -> None:
        self._validator = validator
        self._settings = settings
        self._decoder = Decoder(
            validator.dictionary.data_fields, message_bytes_max=settings.message_bytes_max
        )
        self._actions = list[Action]()
        self._outbound = Outbound(settings.begin_string, self._actions)
        self._inbound = Inbound(settings.held_messages_max, settings.held_bytes_max)
        self._resend = Resend(self._outbound, self._actions, settings.resend_chunk)
        self._liveness = Liveness(0, now_ns)
        self._tolerance_ns = settings.sending_time_tolerance_s * SECOND_NS
        self._state = State.AWAITING_LOGON
        self._deadline_ns = now_ns + settings.logon_timeout_s * SECOND_NS
        # The Logon(A) that is being decided on.
        self._logon = Message("A")
        # Set when the session ends because of what the peer did: only its Logout(5) counts then.
        self._is_deaf = False
        self._admin: dict[str, Callable[[Message, int, int], None]] = {
            "0": self._on_heartbeat,
            "1": self._on_test_request,
            "3": self._on_reject,
            "4": self._on_gap_fill,
            "A": self._on_logon_again,
        }

    # What the shell calls.

    @property
    def state(self) -> State:
        return self._state

    @property
    def next_outbound(self) -> int:
        """The number of the message that is sent next."""
        return self._outbound.next_number

    @property
    def next_inbound(self) -> int:
        """The number that the peer must use next."""
        return self._inbound.expected

    @property
    def is_resending(self) -> bool:
        """Whether a ResendRequest(2) is not completely answered yet."""
        return self._resend.waiting > 0

    def actions(self) -> list[Action]:
        """Return what is to be done, once."""
        actions = self._actions[:]
        self._actions.clear()
        return actions

    def receive_data(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the peer."""
        if self._state is State.CLOSED:
            return
        self._decoder.feed(data)
        self._process(now_ns)

    def receive_eof(self) -> None:
        """Note that the connection is gone."""
        if self._state is not State.CLOSED:
            self._close("the connection was closed")

    def tick(self, now_ns: int) -> None:
        """Do what the clock asks for; to be called at `deadline_ns` or any time."""
        if self._state is State.ESTABLISHED:
            self._tick_established(now_ns)
        elif self._state is not State.CLOSED and now_ns >= self._deadline_ns:
            self._close(f"time ran out: {self._state.value}")

    @property
    def deadline_ns(self) -> int | None:
        """When `tick` should be called next."""
        if self._state is State.CLOSED:
            return None
        if self._state is not State.ESTABLISHED:
            return self._deadline_ns
        deadlines = (
            self._liveness.deadline_ns(self._outbound.last_sent_ns),
            self._inbound.retry_ns(self._patience_ns),
        )
        return min((each for each in deadlines if each is not None), default=None)

    def accept(self, numbers: Numbers, now_ns: int, body: Fields | None = None) -> None:
        """Let the client in whose Logon(A) was asked about, with the numbers of its session.

        The answer to the Logon(A) carries the fields of `body` beside its own.
        """
        if self._state is not State.DECIDING:
            # The connection went away while the shell made up its mind.
            assert self._state is State.CLOSED, "accept answers LogonRequested"
            return
        logon = self._logon
        reset = logon.body.flag(141)
        if reset or self._settings.reset_on_logon:
            numbers = self._reset()
        self._outbound.next_number = numbers.outbound
        self._inbound.advance(numbers.inbound, now_ns)
        if not self._is_logon_in_sequence(logon, numbers.outbound, now_ns):
            return
        self._answer_logon(logon, now_ns, body)
        self._establish(logon, numbers.outbound - 1, now_ns)
        self._process(now_ns)

    def refuse(self, text: str, now_ns: int) -> None:
        """Turn away the client whose Logon(A) was asked about."""
        if self._state is not State.CLOSED:
            assert self._state is State.DECIDING, "refuse answers LogonRequested"
            self._turn_away(text, now_ns)

    def start_logon(
        self,
        sender: str,
        target: str,
        numbers: Numbers,
        now_ns: int,
        *,
        heartbeat_s: int = 30,
        reset: bool = False,
        next_expected: bool = False,
        body: Fields | None = None,
    ) -> None:
        """Begin a session as the initiator.

        Args:
            sender: our CompID.
            target: the CompID of the acceptor.
            numbers: the numbers of the session so far.
            now_ns: the time.
            heartbeat_s: HeartBtInt(108).
            reset: begin again at 1, with ResetSeqNumFlag(141)=Y.
            next_expected: have messages that we missed resent by NextExpectedMsgSeqNum(789).
            body: further fields, for example Username(553).
        """
        assert self._state is State.AWAITING_LOGON, "a session begins once"
        if reset:
            numbers = self._reset()
        self._outbound.sender, self._outbound.target = sender, target
        self._outbound.next_number = numbers.outbound
        self._inbound.advance(numbers.inbound, now_ns)
        self._liveness = Liveness(heartbeat_s, now_ns)
        expected = numbers.inbound if next_expected else None
        text = logons.logon_body(heartbeat_s, reset=reset, next_expected=expected, extra=body)
        self._outbound.send("A", text, now_ns)
        self._state = State.LOGON_SENT

    def send(
        self,
        msg_type: str,
        body: str,
        now_ns: int,
        *,
        header: Fields | None = None,
        keep: bool = True,
        reference: int | None = None,
    ) -> int:
        """Send an application message and return its number.

        Args:
            msg_type: MsgType(35).
            body: the body as `encode_fields` returns it.
            now_ns: the time.
            header: header fields beside the standard ones, such as PossResend(97).
            keep: False for what is not worth sending again, such as market data.
            reference: the execution sequence to store in place of the body.

        Raises:
            NotEstablished: there is no session, or it is ending.
        """
        if self._state is not State.ESTABLISHED:
            raise NotEstablished(f"the session is {self._state.value}")
        return self._outbound.send(
            msg_type, body, now_ns, header=header, keep=keep, reference=reference
        )

    def reject_business(
        self, message: Message | Unsupported, reason: int, text: str, now_ns: int
    ) -> None:
        """Answer a delivered message with a BusinessMessageReject(j).

        Args:
            message: the message.
            reason: BusinessRejectReason(380).
            text: Text(58).
            now_ns: the time.

        Raises:
            NotEstablished: the session is over.
        """
        if self._state is State.CLOSED:
            raise NotEstablished(f"the session is {self._state.value}")
        fields = {45: message.header.text(34) or "0", 58: text, 372: message.type, 380: str(reason)}
        route = reverse_route(message.header)
        self._outbound.send("j", encode_fields(Fields(fields)), now_ns, header=route, keep=True)

    def ask(self, now_ns: int) -> None:
        """Ask the peer of an established session for a sign of life, if that was not done."""
        if self._state is State.ESTABLISHED and not self._liveness.is_asked:
            self._liveness.asked(now_ns)
            self._outbound.send("1", f"112={_TEST_REQUEST_ID}\x01", now_ns)

    def logout(self, now_ns: int, text: str | None = None) -> None:
        """End the session in order: the peer's messages are taken until it answers.

        Raises:
            NotEstablished: there is no session, or it is ending.
        """
        if self._state is not State.ESTABLISHED:
            raise NotEstablished(f"the session is {self._state.value}")
        self._send_logout(now_ns, text)

    def resend(self, fetch: Fetch, records: Sequence[tuple[int, Record]], now_ns: int) -> None:
        """Take what was fetched from the store; bodies made from references where need be."""
        if self._state is not State.CLOSED:
            self._resend.supply(fetch, records, now_ns)

    # From bytes to messages.

    def _process(self, now_ns: int) -> None:
        while self._state is not State.CLOSED:
            if self._state is State.DECIDING:
                if self._decoder.buffered > self._settings.waiting_bytes_max:
                    self._close("too many bytes before the answer to Logon(A)")
                return
            found = self._decoder.next()
            if found is None:
                return
            if isinstance(found, Garbled):
                self._on_garbled(found)
            elif self._state is State.AWAITING_LOGON:
                self._on_first_message(found, now_ns)
            elif self._state is State.LOGON_SENT:
                self._on_answer_to_logon(found, now_ns)
            else:
                self._on_message(found, now_ns)

    def _on_garbled(self, garbled: Garbled) -> None:
        if self._state is State.AWAITING_LOGON:
            self._close(f"garbled: {garbled.reason}")
        else:
            self._actions.append(Note(f"garbled, ignored: {garbled.reason}"))

    # Logon.

    def _on_first_message(self, raw: RawMessage, now_ns: int) -> None:
        verdict = self._validator.validate(raw)
        self._outbound.sender = verdict.header.text(56) or "-"
        self._outbound.target = verdict.header.text(49) or "-"
        text = logons.objection(verdict)
        if raw.begin_string != self._settings.begin_string:
            text = "Incorrect BeginString"
        elif text is None and not self._is_on_time(verdict, now_ns):
            text = SessionRejectReason.SENDING_TIME_ACCURACY_PROBLEM.text
        if text is None and isinstance(verdict, Message):
            self._logon = verdict
            text = logons.objection_to_terms(verdict, self._settings)
        if text is not None:
            self._turn_away(text, now_ns)
        else:
            self._state = State.DECIDING
            self._actions.append(LogonRequested(self._logon))

    def _turn_away(self, text: str, now_ns: int) -> None:
        """Close before there is a session; the Logout(5) that says why uses up no number."""
        if self._settings.explain:
            self._outbound.send_outside("5", f"58={text}\x01", now_ns)
        self._close(text)

    def _on_answer_to_logon(self, raw: RawMessage, now_ns: int) -> None:
        verdict = self._validator.validate(raw)
        text = logons.objection(verdict)
        if verdict.type == "5":
            reason = verdict.body.text(58) if isinstance(verdict, Message) else None
            self._close(f"Logon(A) was refused: {reason or 'no reason given'}")
        elif text is not None:
            self._end_at_once(text, now_ns)
        elif (
            isinstance(verdict, Message)
            and self._is_peer_trusted(raw, verdict, now_ns)
            and self._is_logon_in_sequence(verdict, self._outbound.next_number, now_ns)
        ):
            self._establish(verdict, self._outbound.next_number - 1, now_ns)

    def _is_logon_in_sequence(self, logon: Message, next_outbound: int, now_ns: int) -> bool:
        """End the session where the two sides cannot agree about the past."""
        number, expected = logon.header.integer(34) or 0, self._inbound.expected
        wanted = logon.body.integer(789)
        if number < expected:
            self._end_at_once(_too_low(expected, number), now_ns)
        elif wanted is not None and not 0 < wanted <= next_outbound:
            self._end_at_once(
                f"NextExpectedMsgSeqNum(789) too high, expecting at most {next_outbound} "
                f"but received {wanted}",
                now_ns,
            )
        return self._state is not State.CLOSED

    def _answer_logon(self, logon: Message, now_ns: int, body: Fields | None = None) -> None:
        expected = self._inbound.expected
        if logon.header.integer(34) == expected:
            expected += 1
        text = logons.logon_body(
            logon.body.integer(108) or 0,
            reset=logon.body.flag(141),
            # The peer that says what it expects is told the same of us.
            next_expected=None if 789 not in logon.body else expected,
            extra=body,
        )
        self._outbound.send("A", text, now_ns)

    def _establish(self, logon: Message, last_sent: int, now_ns: int) -> None:
        """Begin the session of which the peer's Logon(A) is this, and close gaps on both sides."""
        self._state = State.ESTABLISHED
        self._liveness = Liveness(logon.body.integer(108) or 0, now_ns)
        self._actions.append(LoggedOn(logon))
        number, wanted = logon.header.integer(34) or 0, logon.body.integer(789)
        if number == self._inbound.expected:
            self._consume(number + 1, now_ns)
        else:
            self._inbound.hold(number, Held(None, 0))
            if wanted is None:
                self._request_missing(number - 1, now_ns)
            else:
                # It saw in NextExpectedMsgSeqNum(789) what is missing, and sends it unasked.
                self._inbound.requested(number - 1, now_ns)
        if wanted is not None and wanted <= last_sent:
            self._resend.request(wanted, last_sent)

    def _reset(self) -> Numbers:
        self._actions.append(Reset())
        self._outbound.next_number = 1
        self._inbound.reset()
        self._resend.reset()
        return Numbers()

    # Messages of an established session.

    def _on_message(self, raw: RawMessage, now_ns: int) -> None:
        verdict = self._validator.validate(raw)
        if self._is_deaf and verdict.type != "5":
            return
        self._liveness.received(now_ns)
        number = parse_sequence_number(verdict.header.get(34))
        if number is None:
            self._end_at_once("MsgSeqNum(34) is missing", now_ns)
        elif verdict.type == "5":
            self._on_logout(number, now_ns)
        elif self._is_peer_trusted(raw, verdict, now_ns):
            if verdict.type in _OUT_OF_SEQUENCE and isinstance(verdict, Message):
                self._on_session_command(verdict, number, now_ns)
            else:
                self._on_numbered(raw, verdict, number, now_ns)

    def _is_peer_trusted(self, raw: RawMessage, verdict: Verdict, now_ns: int) -> bool:
        """End the session when a message comes from the wrong side, time or version."""
        header = verdict.header
        sender, target = header.get(49), header.get(56)
        if raw.begin_string != self._settings.begin_string:
            self._skip_expected(verdict, now_ns)
            self._end(now_ns, "Incorrect BeginString")
        elif (sender and sender != self._outbound.target) or (
            target and target != self._outbound.sender
        ):
            self._end_with_reject(verdict, SessionRejectReason.COMP_ID_PROBLEM, now_ns)
        elif not self._is_on_time(verdict, now_ns):
            self._end_with_reject(
                verdict, SessionRejectReason.SENDING_TIME_ACCURACY_PROBLEM, now_ns
            )
        else:
            return True
        return False

    def _is_on_time(self, verdict: Verdict, now_ns: int) -> bool:
        """Return whether SendingTime(52) is near the clock; validation sees to one that is none."""
        sent = verdict.header.get(52)
        sent_ns = parse_utc_timestamp(sent) if isinstance(sent, str) else None
        return sent_ns is None or abs(now_ns - sent_ns) <= self._tolerance_ns

    def _on_session_command(self, message: Message, number: int, now_ns: int) -> None:
        """Obey what is obeyed whatever its number, when it is that."""
        if message.type == "2":
            self._on_resend_request(message, number, now_ns)
        elif message.type == "4" and not message.body.flag(123):
            self._on_sequence_reset(message, now_ns)
        elif message.type == "A" and message.body.flag(141) and self._state is State.ESTABLISHED:
            self._on_reset_in_session(message, now_ns)
        else:
            self._on_numbered(None, message, number, now_ns)

    def _on_numbered(
        self, raw: RawMessage | None, verdict: Verdict, number: int, now_ns: int
    ) -> None:
        expected = self._inbound.expected
        if number == expected:
            self._take(verdict, now_ns)
            if self._inbound.is_holding:
                self._take_held(now_ns)
        elif number > expected:
            size = sum(map(len, raw.values)) + _FIELD_BYTES * len(raw.values) if raw else 0
            self._on_too_high(number, Held(verdict, size), now_ns)
        else:
            self._on_too_low(verdict, number, now_ns)

    def _on_too_high(self, number: int, held: Held, now_ns: int) -> None:
        if not self._inbound.hold(number, held):
            self._actions.append(Note(f"no room to hold message {number}"))
        if not self._inbound.is_waiting:
            self._request_missing(number - 1, now_ns)

    def _on_too_low(self, verdict: Verdict, number: int, now_ns: int) -> None:
        if verdict.header.get(43) != "Y":
            self._end_at_once(_too_low(self._inbound.expected, number), now_ns)
        elif self._is_duplicate_sound(verdict, now_ns):
            self._actions.append(Note(f"duplicate of message {number}, ignored"))

    def _is_duplicate_sound(self, verdict: Verdict, now_ns: int) -> bool:
        """Reject a PossDupFlag(43) whose OrigSendingTime(122) is missing or later than 52."""
        if verdict.type == "4" or not isinstance(verdict, Message):
            return True
        first_sent_ns = verdict.header.timestamp(122)
        sent_ns = verdict.header.timestamp(52)
        if first_sent_ns is None:
            rejection = Rejection(SessionRejectReason.REQUIRED_TAG_MISSING, 122)
            self._reject(verdict, rejection, now_ns)
            return False
        if sent_ns is not None and first_sent_ns > sent_ns:
            self._end_with_reject(
                verdict, SessionRejectReason.SENDING_TIME_ACCURACY_PROBLEM, now_ns
            )
            return False
        return True

    def _take(self, verdict: Verdict, now_ns: int) -> None:
        """Deal with the message whose turn it is."""
        number = self._inbound.expected
        if isinstance(verdict, Message):
            if verdict.header.get(43) == "Y" and not self._is_duplicate_sound(verdict, now_ns):
                self._skip_expected(verdict, now_ns)
                return
            admin = self._admin.get(verdict.type)
            if admin is not None:
                admin(verdict, number, now_ns)
            else:
                self._inbound.advance(number + 1, now_ns)
                self._actions.append(Deliver(verdict, number))
        else:
            if isinstance(verdict, Invalid):
                self._reject(verdict, verdict.rejection, now_ns)
            else:
                self.reject_business(verdict, 3, "Unsupported Message Type", now_ns)
            self._consume(number + 1, now_ns)

    def _take_held(self, now_ns: int) -> None:
        """Deal with what was held and is next; ask again where there is another gap behind."""
        while not self._is_deaf and (held := self._inbound.take()) is not None:
            if held.verdict is None:
                self._consume(self._inbound.expected + 1, now_ns)
            else:
                self._take(held.verdict, now_ns)
        missing = self._inbound.missing_before()
        if missing is not None and not self._inbound.is_waiting and not self._is_deaf:
            self._request_missing(missing, now_ns)

    def _skip_expected(self, verdict: Verdict, now_ns: int) -> None:
        """Use up the number of a message that is not accepted, when it was its turn."""
        if parse_sequence_number(verdict.header.get(34)) == self._inbound.expected:
            self._consume(self._inbound.expected + 1, now_ns)

    def _consume(self, next_inbound: int, now_ns: int) -> None:
        self._inbound.advance(next_inbound, now_ns)
        self._actions.append(Consumed(next_inbound))

    def _request_missing(self, end: int, now_ns: int) -> None:
        # To the end of what there is: FIX 4.4 writes it as 0.
        self._outbound.send("2", f"7={self._inbound.expected}\x0116=0\x01", now_ns)
        self._inbound.requested(end, now_ns)

    # Admin messages.

    def _on_heartbeat(self, message: Message, number: int, now_ns: int) -> None:
        self._consume(number + 1, now_ns)

    def _on_test_request(self, message: Message, number: int, now_ns: int) -> None:
        self._outbound.send("0", f"112={message.body.text(112)}\x01", now_ns)
        self._consume(number + 1, now_ns)

    def _on_reject(self, message: Message, number: int, now_ns: int) -> None:
        self._actions.append(PeerRejected(message))
        self._consume(number + 1, now_ns)

    def _on_gap_fill(self, message: Message, number: int, now_ns: int) -> None:
        next_number = message.body.integer(36) or 0
        if next_number <= number:
            self._reject(message, Rejection(SessionRejectReason.VALUE_INCORRECT), now_ns)
        self._consume(max(next_number, number + 1), now_ns)

    def _on_sequence_reset(self, message: Message, now_ns: int) -> None:
        next_number = message.body.integer(36) or 0
        if next_number < self._inbound.expected:
            self._reject(message, Rejection(SessionRejectReason.VALUE_INCORRECT), now_ns)
        elif next_number > self._inbound.expected:
            self._consume(next_number, now_ns)
            self._take_held(now_ns)

    def _on_logon_again(self, message: Message, number: int, now_ns: int) -> None:
        text = "Logon(A) is for the first message: log out and log on again"
        self._reject(message, Rejection(SessionRejectReason.OTHER), now_ns, text)
        self._consume(number + 1, now_ns)

    def _on_reset_in_session(self, logon: Message, now_ns: int) -> None:
        text = logons.objection_to_terms(logon, self._settings)
        if not self._settings.reset_in_session:
            text = _NO_RESET
        if text is not None:
            self._end(now_ns, text)
            return
        self._reset()
        self._answer_logon(logon, now_ns)
        self._liveness = Liveness(logon.body.integer(108) or 0, now_ns)
        self._consume(2, now_ns)

    def _on_resend_request(self, message: Message, number: int, now_ns: int) -> None:
        if number < self._inbound.expected and message.header.get(43) == "Y":
            self._on_too_low(message, number, now_ns)
            return
        begin, end = message.body.integer(7) or 0, message.body.integer(16) or 0
        last = self._outbound.next_number - 1
        if not 0 < begin <= last:
            self._reject(message, Rejection(SessionRejectReason.VALUE_INCORRECT, 7), now_ns)
        elif 0 < end < begin:
            self._reject(message, Rejection(SessionRejectReason.VALUE_INCORRECT, 16), now_ns)
        elif self._resend.waiting >= self._settings.resend_requests_max:
            self._end(now_ns, "Too many ResendRequests(2) at once")
        else:
            # 0 means to the end, as did 999999 in older versions.
            self._resend.request(begin, min(end or last, last))
        if number == self._inbound.expected:
            self._consume(number + 1, now_ns)
            self._take_held(now_ns)
        elif number > self._inbound.expected:
            # It has been obeyed: only its number is kept for its turn.
            self._on_too_high(number, Held(None, 0), now_ns)

    def _on_logout(self, number: int, now_ns: int) -> None:
        if number == self._inbound.expected:
            self._consume(number + 1, now_ns)
        if self._state is State.LOGGING_OUT:
            self._close("logged out")
        else:
            self._outbound.send("5", "", now_ns)
            self._close("the peer logged out")

    # Time.

    @property
    def _patience_ns(self) -> int:
        return self._liveness.interval_ns or _PATIENCE_S * SECOND_NS

    def _tick_established(self, now_ns: int) -> None:
        retry_ns = self._inbound.retry_ns(self._patience_ns)
        if retry_ns is not None and now_ns >= retry_ns:
            if self._inbound.attempts >= _ATTEMPTS_MAX:
                self._end_at_once(
                    f"No answer to ResendRequest(2) from {self._inbound.expected}", now_ns
                )
                return
            self._request_missing(0, now_ns)
        match self._liveness.due(self._outbound.last_sent_ns, now_ns):
            case Due.HEARTBEAT:
                self._outbound.send("0", "", now_ns)
            case Due.TEST_REQUEST:
                self._outbound.send("1", f"112={_TEST_REQUEST_ID}\x01", now_ns)
            case Due.GIVING_UP:
                self._give_up(now_ns)

    def _give_up(self, now_ns: int) -> None:
        text = "No answer to TestRequest(1)"
        if self._settings.explain:
            self._end_at_once(text, now_ns)
        else:
            self._close(text)

    # Rejecting and ending.

    def _reject(
        self, verdict: Verdict, rejection: Rejection, now_ns: int, text: str | None = None
    ) -> None:
        if verdict.type == "3":
            # Two sides that reject each other's rejects would never stop.
            self._actions.append(Note(f"a Reject(3) that is not valid: {rejection.reason.text}"))
            return
        fields = Fields({45: verdict.header.text(34) or "0", 58: text or rejection.reason.text})
        if rejection.tag is not None:
            fields[371] = str(rejection.tag)
        if verdict.type:
            fields[372] = verdict.type
        fields[373] = str(rejection.reason.value)
        route = reverse_route(verdict.header)
        # Reject(3) is the one admin message that is sent again when asked for.
        self._outbound.send("3", encode_fields(fields), now_ns, header=route, keep=True)

    def _end_with_reject(self, verdict: Verdict, reason: SessionRejectReason, now_ns: int) -> None:
        self._reject(verdict, Rejection(reason), now_ns)
        self._skip_expected(verdict, now_ns)
        self._end(now_ns, None)

    def _end(self, now_ns: int, text: str | None) -> None:
        """Log out because of what the peer did, and listen to nothing but its answer."""
        if self._state is not State.LOGGING_OUT:
            self._send_logout(now_ns, text)
        self._is_deaf = True

    def _end_at_once(self, text: str, now_ns: int) -> None:
        """Say why the session cannot go on, and close."""
        self._outbound.send("5", f"58={text}\x01", now_ns)
        self._close(text)

    def _send_logout(self, now_ns: int, text: str | None) -> None:
        self._outbound.send("5", f"58={text}\x01" if text else "", now_ns)
        self._state = State.LOGGING_OUT
        self._deadline_ns = now_ns + self._settings.logout_timeout_s * SECOND_NS

    def _close(self, reason: str) -> None:
        self._state = State.CLOSED
        self._actions.append(Disconnect(reason))


# What is obeyed whatever its number, in some of its forms; Logout(5) is seen to before.
_OUT_OF_SEQUENCE = frozenset("24A")


def _too_low(expected: int, number: int) -> str:
    return f"MsgSeqNum too low, expecting {expected} but received {number}"
