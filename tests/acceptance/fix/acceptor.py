"""A FIX acceptor without sockets, in virtual time: what scenarios talk to.

It does what the shell of a session does, and shows how little that is: it performs actions against
stores in memory, finds the session of a Logon(A), keeps one live connection for each, and moves
the clock to the next deadline when a scenario waits.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

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
from tradewire_gateway.fix.store import MemoryStore
from tradewire_gateway.fix.validation import Validator
from tradewire_gateway.fix.values import SECOND_NS

START_NS = int(datetime(2026, 11, 22, 9, 30, tzinfo=UTC).timestamp()) * SECOND_NS

Application = Callable[[Session, Message, int], None]
"""What a delivered message is given to: the session, the message, the time."""


class Connection:
    """One connection of a client: its session, and the bytes sent to it that were not read."""

    def __init__(self, acceptor: Acceptor, application: Application) -> None:
        self.session = Session(acceptor.validator, acceptor.settings, acceptor.now_ns)
        self.acceptor = acceptor
        self.application = application
        self.store: MemoryStore | None = None
        self.unread = bytearray()
        self.is_open = True
        self.reason = ""

    def receive(self, data: bytes) -> None:
        self.session.receive_data(data, self.acceptor.now_ns)
        self.perform()

    def close(self) -> None:
        """Close from the client's side."""
        self.session.receive_eof()
        self.perform()

    def perform(self) -> None:
        while actions := self.session.actions():
            for action in actions:
                self._perform(action)

    def _perform(self, action: Action) -> None:
        now_ns = self.acceptor.now_ns
        if isinstance(action, LogonRequested):
            self.acceptor.decide(self, action.message)
        elif isinstance(action, Disconnect):
            self.is_open, self.reason = False, action.reason
            self.acceptor.forget(self)
        elif isinstance(action, Send) and action.number is None:
            self.unread += action.data
        elif self.store is not None:
            match action:
                case Send(data, int(number), record):
                    self.store.append(number, record)
                    self.unread += data
                case Deliver(message, number):
                    self.application(self.session, message, now_ns)
                    self.store.set_next_inbound(number + 1)
                case Consumed(next_inbound):
                    self.store.set_next_inbound(next_inbound)
                case Reset():
                    self.store.reset()
                case Fetch(begin, end, limit):
                    records = self.store.read(begin, end, limit)
                    self.session.resend(action, records, now_ns)


class Acceptor:
    """The acceptor of the CompIDs given, each of which has one session with `comp_id`."""

    def __init__(
        self,
        validator: Validator,
        settings: SessionSettings,
        *,
        comp_id: str,
        clients: set[str],
        new_application: Callable[[], Application],
    ) -> None:
        self.validator = validator
        self.settings = settings
        self.now_ns = START_NS
        self.stores = {client: MemoryStore() for client in clients}
        self._comp_id = comp_id
        self._new_application = new_application
        self._live = dict[str, Connection]()
        self._connections = list[Connection]()

    def connect(self) -> Connection:
        connection = Connection(self, self._new_application())
        self._connections.append(connection)
        return connection

    def decide(self, connection: Connection, logon: Message) -> None:
        client = logon.header.text(49) or ""
        if client not in self.stores or logon.header.text(56) != self._comp_id:
            connection.session.refuse("Unknown CompID", self.now_ns)
        elif client in self._live:
            connection.session.refuse("This session is logged on already", self.now_ns)
        else:
            self._live[client] = connection
            connection.store = self.stores[client]
            connection.session.accept(connection.store.numbers(), self.now_ns)

    def forget(self, connection: Connection) -> None:
        self._connections.remove(connection)
        self._live = {key: each for key, each in self._live.items() if each is not connection}

    def advance(self, until_ns: int) -> bool:
        """Move on to the next deadline, at most until then; return whether there was one."""
        sessions = [each.session for each in self._connections]
        deadlines = [each.deadline_ns for each in sessions if each.deadline_ns is not None]
        if not deadlines or min(deadlines) > until_ns:
            self.now_ns = max(self.now_ns, until_ns)
            return False
        self.now_ns = max(self.now_ns, min(deadlines))
        for connection in list(self._connections):
            assert connection.session.state is not State.CLOSED
            connection.session.tick(self.now_ns)
            connection.perform()
        return True
