"""Two FIX sides, a bad link between them, and everything that can go wrong, from one seed.

An initiator and an acceptor exchange numbered messages while bytes arrive in pieces, change on the
way or never arrive, connections break, processes die in the middle of what they were doing, and
time passes. What a process knows is lost with it; what it gave to its store is not. In the end
the link is mended, and both must have received what the other sent: in order, each once.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields, Message
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

from tests.acceptance.fix.acceptor import START_NS

_HEARTBEAT_S = 5
# More than the give-up time of a session, many times: else mending does not end.
_MENDING_ROUNDS = 2000


class Killed(Exception):
    """A process died."""


class Side:
    """A process with a session, and what it keeps on disk.

    Args:
        world: the world it lives in.
        name: its CompID.
        is_atomic: whether a message's effect and its number are remembered together. If not, the
            application must know a message again that it has seen, as a venue does by ClOrdID(11).
    """

    def __init__(self, world: World, name: str, *, is_atomic: bool) -> None:
        self.name = name
        self.session: Session | None = None
        self.inbox = bytearray()
        self.store = MemoryStore()
        self.sent = 0
        self.received = list[int]()
        self.prices = list[int]()
        self.repeats = 0
        self._prices_sent = 0
        self._world = world
        self._is_atomic = is_atomic

    @property
    def peer(self) -> Side:
        return self._world.peer_of(self)

    @property
    def is_established(self) -> bool:
        return self.session is not None and self.session.state is State.ESTABLISHED

    def send_next(self) -> None:
        """Send the next message; it counts as sent once it is in the store."""
        self._send(f"{self.sent}", keep=True)

    def send_price(self) -> None:
        """Send what may be lost, but neither doubled nor late."""
        self._prices_sent += 1
        self._send(f"price {self._prices_sent}", keep=False)

    def _send(self, text: str, *, keep: bool) -> None:
        if self.session is not None and self.is_established:
            fields = Fields({11: text, 55: "BTC-USD", 54: "1", 40: "1"})
            self.session.send("D", encode_fields(fields), self._world.now_ns, keep=keep)
            self.perform()

    def take(self, size: int) -> None:
        """Receive as many of the bytes that have arrived."""
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        if self.session is not None and data:
            self.session.receive_data(data, self._world.now_ns)
            self.perform()

    def tick(self) -> None:
        if self.session is not None:
            self.session.tick(self._world.now_ns)
            self.perform()

    def lose_connection(self) -> None:
        self.inbox.clear()
        if self.session is not None:
            self.session.receive_eof()
            self.session = None

    def perform(self) -> None:
        """Perform what the session asks for; the process may die between two actions."""
        try:
            while self.session is not None and (actions := self.session.actions()):
                for action in actions:
                    self._world.maybe_kill()
                    self._perform(self.session, action)
        except Killed:
            self.die()

    def die(self) -> None:
        """Lose everything but the store; the peer sees the connection break."""
        self.session = None
        self.inbox.clear()
        self._world.break_link()

    def _perform(self, session: Session, action: Action) -> None:
        match action:
            case LogonRequested():
                session.accept(self.store.numbers(), self._world.now_ns)
            case Send(data, number, record):
                if number is not None:
                    self.store.append(number, record)
                    if record is not None and record.type == "D":
                        self.sent += 1
                self.peer.inbox += data
            case Deliver(message, number):
                self._apply(message)
                if not self._is_atomic:
                    self._world.maybe_kill()
                self.store.set_next_inbound(number + 1)
            case Consumed(next_inbound):
                self.store.set_next_inbound(next_inbound)
            case Fetch():
                session.resend(action, self.store.read(*action), self._world.now_ns)
            case Disconnect():
                self._world.break_link()
            case Reset():
                raise AssertionError("nobody asks for a reset here")
            case _:
                pass

    def _apply(self, message: Message) -> None:
        text = message.body.text(11) or ""
        if text.startswith("price "):
            self.prices.append(int(text.removeprefix("price ")))
        elif not self._is_atomic and int(text) in self.received:
            assert message.header.flag(43), "what comes again says so"
            self.repeats += 1
        else:
            self.received.append(int(text))


class World:
    """The two sides, the clock, and the misfortunes that the seed has in store."""

    def __init__(self, seed: int, validator: Validator) -> None:
        self.now_ns = START_NS
        self.random = Random(seed)
        self._validator = validator
        self._can_die = True
        self._is_breaking = False
        self._settings = replace(
            SessionSettings(),
            explain=self.random.random() < 0.5,
            resend_chunk=self.random.choice([1, 2, 7, 500]),
            held_messages_max=self.random.choice([1, 3, 2500]),
        )
        self._kill_rate = self.random.choice([0, 0.002, 0.01])
        self._next_expected = self.random.random() < 0.5
        is_atomic = self.random.random() < 0.5
        self.initiator = Side(self, "INITIATOR", is_atomic=is_atomic)
        self.acceptor = Side(self, "ACCEPTOR", is_atomic=is_atomic)

    def peer_of(self, side: Side) -> Side:
        return self.acceptor if side is self.initiator else self.initiator

    def maybe_kill(self) -> None:
        if self._can_die and self.random.random() < self._kill_rate:
            raise Killed

    def break_link(self) -> None:
        """Break the connection: part of what is under way still arrives, the rest never does."""
        if self._is_breaking:
            return
        self._is_breaking = True
        for side in (self.initiator, self.acceptor):
            side.take(self.random.randrange(len(side.inbox) + 1))
        self.initiator.lose_connection()
        self.acceptor.lose_connection()
        self._is_breaking = False

    def connect(self) -> None:
        for side in (self.initiator, self.acceptor):
            side.session = Session(self._validator, self._settings, self.now_ns)
        session, numbers = self.initiator.session, self.initiator.store.numbers()
        assert session is not None
        session.start_logon(
            self.initiator.name,
            self.acceptor.name,
            numbers,
            self.now_ns,
            heartbeat_s=_HEARTBEAT_S,
            next_expected=self._next_expected,
        )
        self.initiator.perform()

    def step(self) -> None:
        """Let one thing happen."""
        if self.initiator.session is None or self.acceptor.session is None:
            self.connect()
            return
        side = self.random.choice([self.initiator, self.acceptor])
        match self.random.choices(
            ["send", "price", "take", "time", "change", "break", "die"],
            weights=[30, 5, 60, 5, 1, 1, 1],
        )[0]:
            case "send":
                side.send_next()
            case "price":
                side.send_price()
            case "take":
                side.take(self.random.choice([1, 10, 100, 1000, 10_000]))
            case "time":
                self._pass_time(self.random.randrange(4 * SECOND_NS))
            case "change" if side.inbox:
                place = self.random.randrange(len(side.inbox))
                # One more: changes that make up for each other would need 256 in a message.
                side.inbox[place] = (side.inbox[place] + 1) % 256
            case "break":
                self.break_link()
            case "die":
                side.die()
            case _:
                pass

    def mend(self) -> None:
        """Let nothing go wrong any more until both sides know everything."""
        self._can_die = False
        for _ in range(_MENDING_ROUNDS):
            if self.initiator.session is None or self.acceptor.session is None:
                self.connect()
            elif self.initiator.inbox or self.acceptor.inbox:
                self.initiator.take(len(self.initiator.inbox))
                self.acceptor.take(len(self.acceptor.inbox))
            elif self._is_complete():
                return
            else:
                self._pass_time(SECOND_NS)
        raise AssertionError("the two sides do not get together")

    def _is_complete(self) -> bool:
        return all(
            side.is_established and len(side.received) == side.peer.sent
            for side in (self.initiator, self.acceptor)
        )

    def _pass_time(self, duration_ns: int) -> None:
        self.now_ns += duration_ns
        self.initiator.tick()
        self.acceptor.tick()
