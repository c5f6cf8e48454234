"""One FIX connection: bytes, the clock and a store around a session, an application behind it.

Everything that happens to a session happens in the event loop and in one piece: bytes or time go
in, the actions that come out are performed, what is to be remembered is written, and then what is
to be sent is given to the socket. So nothing is sent that is not remembered, and nothing can come
between. What takes its time (deciding on a Logon(A), reading for a ResendRequest(2), the venue) is
done by tasks, which come back the same way.

Bounds. Bytes are read in portions, and not while the client does not take what it is sent, nor
while the application has enough to do: then the client's own flow control does the rest. A client
that takes nothing for `unread_s` is told by Logout(5), as far as it still reads, and dropped. One
that sends more messages than it may is logged out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tradewire_gateway.fix.codec import encode_fields
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
from tradewire_gateway.fix.sqlite_store import FAILURES, SqliteStore
from tradewire_gateway.fix.store import Record
from tradewire_gateway.fix.translate import Answer
from tradewire_gateway.fix.translate.errors import plain_text
from tradewire_gateway.fix.validation import Validator

logger = logging.getLogger("tradewire.fix")

BUSINESS_REJECT: Final = "j"
# What counts as a message, where messages are larger.
CHARGED_BYTES: Final = 1024
# Answers to one question that are made before others have their turn.
ANSWERS_AT_ONCE: Final = 64
# Notes about one connection that are logged.
NOTES_MAX: Final = 50
READ_BYTES: Final = 32 * 1024
WRITE_BUFFER_BYTES: Final = 1024 * 1024
NS_PER_S: Final = 10**9
NOT_REMEMBERED: Final = "The gateway cannot remember sessions now: try again later"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """The bounds of a connection."""

    session: SessionSettings = field(default_factory=SessionSettings)
    unread_s: float = 10.0
    """How long a client may take nothing of what it is sent."""
    close_s: float = 2.0
    """How long a closed connection may take to send what is left."""
    messages_per_second: int = 10_000
    message_burst: int = 20_000
    resent_per_second: int = 5_000
    resent_burst: int = 500_000
    """Messages that are sent again as fast as they are taken: twice all that is kept. Then slowly,
    since one short ResendRequest(2) after the other would ask for all of it."""
    sign_of_life_s: float = 4.0
    """How long a client may take to answer when another wants to log on to its session."""


class Refused(Exception):
    """A Logon(A) is not accepted; the text is for the client."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Application(Protocol):
    """What a client of one TargetCompID talks to; the connection calls, in its own order."""

    def start(self) -> None:
        """Begin: the session is established."""

    def deliver(self, message: Message, number: int) -> None:
        """Take a message; `Connection.done(number)` says that it cannot be lost any more."""

    def flush(self) -> None:
        """Pass on what was delivered since."""

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read from the client now."""

    async def room(self) -> None:
        """Return when it is not full any more."""

    async def complete(self, records: list[tuple[int, Record]]) -> list[tuple[int, Record]] | None:
        """Return the records with the bodies of those that only refer to an execution.

        None says that the venue did not give them, and that the connection ends.
        """

    async def close(self) -> None:
        """End: the connection is closed, or being closed."""


@dataclass(slots=True)
class Admitted:
    """A client that may log on: its store, its application, and how to forget it."""

    store: SqliteStore
    application: Application
    body: Fields
    release: Callable[[], None]


Admit = Callable[["Connection", Message], Awaitable[Admitted]]
"""Decides on a Logon(A); raises Refused."""


class Connection:
    """See the module's docstring."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        validator: Validator,
        admit: Admit,
        settings: ConnectionSettings,
        clock_ns: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._admit = admit
        self._settings = settings
        self._clock_ns = clock_ns
        self._session = Session(validator, settings.session, clock_ns())
        self._admitted: Admitted | None = None
        self._is_started = False
        self._dealt_with = _Progress()
        self._tasks = set[asyncio.Task[None]]()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._is_performing = False
        self._is_dropped = False
        self._is_over = False
        self._closed = asyncio.Event()
        self.released = asyncio.Event()
        """Set when the session may be logged on again."""
        self._heard = asyncio.Event()
        self._decided = asyncio.Event()
        self._decided.set()
        self._notes = 0
        self._resent = 0.0
        self._resent_ns = clock_ns()
        self._allowance = float(settings.message_burst)
        self._counted_ns = clock_ns()
        peer = writer.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        self.name = "-"
        transport = writer.transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    # --- life ---

    async def run(self) -> None:
        """Serve the connection to its end."""
        self.spawn(self._read())
        self._arm()
        try:
            await self._closed.wait()
        finally:
            self._is_over = True
            if self._timer is not None:
                self._timer.cancel()
            if self._is_dropped:
                self._writer.transport.abort()
            try:
                await self._end_application()
            finally:
                self.released.set()
                await self._close_socket()

    async def _end_application(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        admitted = self._admitted
        if admitted is not None:
            try:
                await admitted.application.close()
            finally:
                admitted.release()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that ends with the connection, and ends it when it fails."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("%s: broke a rule of its own", self.name, exc_info=task.exception())
            self.drop()

    def drop(self) -> None:
        """Close without another word."""
        self._is_dropped = True
        self._closed.set()

    async def _close_socket(self) -> None:
        """Let what is left be sent, but not for long."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._settings.close_s):
                self._writer.close()
                await self._writer.wait_closed()
        self._writer.transport.abort()

    # --- what applications call ---

    @property
    def is_closed(self) -> bool:
        """Whether the session is over, and will be released."""
        return self._closed.is_set()

    async def gone_or_heard(self) -> None:
        """Ask the client for a sign of life; return when there is one, or the session is released.

        A client that gives none in time is told why, as far as it can be, and dropped.
        """
        self._heard.clear()
        if self._session.state is State.ESTABLISHED:
            self._session.ask(self._clock_ns())
            self.perform()
        waits = [asyncio.ensure_future(each.wait()) for each in (self._heard, self.released)]
        try:
            _, late = await asyncio.wait(
                waits, timeout=self._settings.sign_of_life_s, return_when=asyncio.FIRST_COMPLETED
            )
            if len(late) == len(waits) and self._session.state is State.ESTABLISHED:
                logger.warning("%s: gives no sign of life, another takes over", self.name)
                self.end("No answer to TestRequest(1), and another connection has logged on")
                self.drop()
                await self.released.wait()
        finally:
            for each in waits:
                each.cancel()

    def now_ns(self) -> int:
        """Return the time."""
        return self._clock_ns()

    def send(
        self,
        msg_type: str,
        body: str,
        *,
        keep: bool = True,
        reference: int | None = None,
        header: Fields | None = None,
    ) -> None:
        """Put a message with an encoded body into the session; `perform` lets it go.

        Raises NotEstablished.
        """
        self._session.send(
            msg_type,
            body,
            self._clock_ns(),
            keep=keep,
            reference=reference,
            header=header,
        )

    async def send_answers(self, answers: Iterable[Answer]) -> None:
        """Send the answers to a question, as fast as they are taken; none is kept to be resent."""
        with contextlib.suppress(NotEstablished):
            for count, answer in enumerate(answers, 1):
                self.send(answer.type, answer.body, keep=False)
                if count % ANSWERS_AT_ONCE == 0:
                    self.perform()
                    await asyncio.sleep(0)
                    await self.taken()

    def reject_business(self, message: Message, reason: int, text: str) -> None:
        """Answer a message with a BusinessMessageReject(j)."""
        self._session.reject_business(message, reason, text, self._clock_ns())

    def identity(self, message: Message) -> str:
        """Return a text for the answer to a message that no other has, nor after a reset."""
        return f"{self.name}-{message.header.text(34)}-{self._clock_ns():x}"

    def done(self, number: int) -> None:
        """Note that what an inbound message asked for cannot be lost any more."""
        self._dealt_with.done(number)

    def end(self, text: str, *, headline: str | None = None) -> None:
        """Log the client out, with News(B) before it when there is a headline."""
        now_ns = self._clock_ns()
        if self._session.state is State.ESTABLISHED:
            if headline is not None:
                news = Fields({148: headline, 33: [Fields({58: text})]})
                self._session.send("B", encode_fields(news), now_ns, keep=False)
            self._session.logout(now_ns, text)
            self.perform()
        elif self._session.state is not State.LOGGING_OUT:
            self.drop()

    async def taken(self) -> None:
        """Wait until the client takes what it is sent; one that does not is ended."""
        if self._writer.transport.get_write_buffer_size() <= WRITE_BUFFER_BYTES:
            return
        try:
            async with asyncio.timeout(self._settings.unread_s):
                await self._writer.drain()
        except TimeoutError:
            unread = self._writer.transport.get_write_buffer_size()
            logger.warning("%s: %d bytes are not taken, dropped", self.name, unread)
            self.end(
                f"What was sent is not taken for {self._settings.unread_s:g} s: log on again with "
                "ResetSeqNumFlag(141)=N, nothing is lost"
            )
            # What the Logout(5) waits behind may never be taken.
            await asyncio.sleep(self._settings.close_s)
            self.drop()
        except OSError:
            self.drop()

    def perform(self) -> None:
        """Do what the session wants, write what is to be remembered, then send."""
        if self._is_performing or self._is_dropped or self._is_over:
            # Whoever performs takes what was added meanwhile.
            return
        self._is_performing = True
        try:
            data = self._take_actions()
            admitted = self._admitted
            if admitted is not None:
                if self._is_started:
                    admitted.application.flush()
                number = self._dealt_with.next_inbound
                if number is not None:
                    admitted.store.set_next_inbound(number)
                admitted.store.commit()
            if data and not self._writer.transport.is_closing():
                self._writer.write(b"".join(data))
        except FAILURES:
            # Nothing may be sent that is not remembered.
            logger.critical("%s: the store has failed, dropped", self.name, exc_info=True)
            self.drop()
        finally:
            self._is_performing = False
        if self._session.state is State.CLOSED:
            self._closed.set()
        else:
            self._arm()

    # --- inputs ---

    async def _read(self) -> None:
        while not self._closed.is_set():
            # Nothing is taken from somebody about whom nothing is known.
            await self._decided.wait()
            admitted = self._admitted
            if admitted is not None and self._is_started and admitted.application.is_full:
                await admitted.application.room()
            await self.taken()
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError:
                data = b""
            if data:
                self._heard.set()
                self._receive(data)
            else:
                self._session.receive_eof()
            self.perform()
            # What has arrived may be much: others have their turn between two portions.
            await asyncio.sleep(0)

    def _receive(self, data: bytes) -> None:
        """Take what the client sends, as long as it is not more than it may send."""
        self._charge(max(data.count(b"\x0110="), len(data) // CHARGED_BYTES, 1))
        if self._allowance >= 0:
            self._session.receive_data(data, self._clock_ns())
        else:
            self.end(
                f"More than {self._settings.messages_per_second} messages per second: send less"
            )

    def _charge(self, count: int) -> None:
        """Count messages against what the client may send."""
        now_ns, settings = self._clock_ns(), self._settings
        gained = (now_ns - self._counted_ns) / NS_PER_S * settings.messages_per_second
        self._allowance = min(self._allowance + max(gained, 0), settings.message_burst)
        self._counted_ns = now_ns
        self._allowance -= count

    def _arm(self) -> None:
        """See to it that the session is told the time when it wants."""
        deadline_ns = self._session.deadline_ns
        if deadline_ns is None or (self._timer is not None and self._timer_ns <= deadline_ns):
            # One that comes too early arms itself again.
            return
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(deadline_ns - self._clock_ns(), 0) / NS_PER_S
        self._timer_ns = deadline_ns
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._session.tick(self._clock_ns())
        self.perform()

    # --- actions ---

    def _take_actions(self) -> list[bytes]:
        """Perform the session's actions until there are none; return what is to be sent."""
        data = list[bytes]()
        admitted = self._admitted
        while actions := self._session.actions():
            for action in actions:
                match action:
                    case Send(message, number, record):
                        if number is not None and admitted is not None:
                            admitted.store.append(number, record)
                        data.append(message)
                    case LogonRequested(message):
                        self._decided.clear()
                        self.spawn(self._decide(message))
                    case PeerRejected(message):
                        self._note_rejection(message)
                    case Note(text):
                        # Garbage costs as much as messages do, or there is no bound on it.
                        self._charge(1)
                        self._note(logging.INFO, text)
                    case Disconnect(reason):
                        logger.info("%s: closed: %s", self.name, reason)
                    case _:
                        assert admitted is not None, "nothing else comes before a Logon(A)"
                        self._perform_established(action, admitted)
        return data

    def _perform_established(self, action: Action, admitted: Admitted) -> None:
        match action:
            case Deliver(message, number):
                self._dealt_with.expect(number)
                if message.type == BUSINESS_REJECT:
                    # Two sides that reject each other's rejects would never stop.
                    self._note_rejection(message)
                    self._dealt_with.done(number)
                    return
                # A client that has logged out behind a message which cannot be answered any more
                # is asked for it at its next logon.
                with contextlib.suppress(NotEstablished):
                    admitted.application.deliver(message, number)
            case Consumed(next_inbound):
                self._dealt_with.consumed(next_inbound)
            case Fetch():
                self.spawn(self._resend(action))
            case LoggedOn():
                self._is_started = True
                admitted.application.start()
            case Reset():
                self._dealt_with = _Progress()
                admitted.store.reset()

    def _note_rejection(self, message: Message) -> None:
        text = plain_text(message.body.text(58) or "")
        self._note(logging.WARNING, f"rejects what it was sent: {text}")

    def _note(self, level: int, text: str) -> None:
        """Log something about the client, which decides how often there is something."""
        self._notes += 1
        if self._notes <= NOTES_MAX:
            logger.log(level, "%s: %s", self.name, text)
        if self._notes == NOTES_MAX:
            logger.log(level, "%s: nothing more of this is logged", self.name)

    async def _decide(self, logon: Message) -> None:
        try:
            await self._decide_on(logon)
        finally:
            self._decided.set()

    async def _decide_on(self, logon: Message) -> None:
        try:
            admitted = await self._admit(self, logon)
        except Refused as refused:
            self._session.refuse(refused.text, self._clock_ns())
            self.perform()
            return
        self._admitted = admitted
        if logon.body.flag(141):
            admitted.store.reset()
        try:
            # Reset or new, its numbers are not to be lost with the power.
            await admitted.store.reserve()
        except FAILURES:
            logger.critical("%s: the store has failed, refused", self.name, exc_info=True)
            self._admitted = None
            admitted.release()
            self._session.refuse(NOT_REMEMBERED, self._clock_ns())
            self.perform()
            return
        self._session.accept(admitted.store.numbers(), self._clock_ns(), admitted.body)
        self.perform()

    async def _resend(self, fetch: Fetch) -> None:
        admitted = self._admitted
        assert admitted is not None, "messages come behind the Logon(A)"
        # One who asks for much is served as fast as it reads, and who asks for too much slowly.
        await self.taken()
        await asyncio.sleep(self._resend_pause_s())
        try:
            records = list(admitted.store.read(fetch.begin, fetch.end, fetch.limit))
        except FAILURES:
            logger.critical("%s: the store has failed, dropped", self.name, exc_info=True)
            self.drop()
            return
        self._resent += len(records)
        completed = await admitted.application.complete(records)
        if completed is not None:
            self._session.resend(fetch, completed, self._clock_ns())
        self.perform()

    def _resend_pause_s(self) -> float:
        """Return how long the next messages that are asked for have to wait."""
        now_ns, settings = self._clock_ns(), self._settings
        forgiven = max(now_ns - self._resent_ns, 0) / NS_PER_S * settings.resent_per_second
        self._resent, self._resent_ns = max(self._resent - forgiven, 0.0), now_ns
        return max(self._resent - settings.resent_burst, 0.0) / settings.resent_per_second


class _Progress:
    """Which inbound messages are dealt with, without a gap: all below `next_inbound`."""

    def __init__(self) -> None:
        self.next_inbound: int | None = None
        # Delivered and not dealt with, in order; or consumed behind such, by their number.
        self._waiting = deque[int]()
        self._done = set[int]()

    def expect(self, number: int) -> None:
        """Wait for a message that was delivered."""
        self._waiting.append(number)

    def consumed(self, next_inbound: int) -> None:
        """Note messages that are dealt with, behind all that were delivered before."""
        self._waiting.append(next_inbound - 1)
        self.done(next_inbound - 1)

    def done(self, number: int) -> None:
        """Note that a message is dealt with."""
        self._done.add(number)
        while self._waiting and self._waiting[0] in self._done:
            first = self._waiting.popleft()
            self._done.discard(first)
            self.next_inbound = first + 1
