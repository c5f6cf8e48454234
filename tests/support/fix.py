"""A FIX client for tests, made of the gateway's own session layer as initiator."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tradewire_gateway.fix import translate
from tradewire_gateway.fix.acceptor import Acceptor, AcceptorSettings
from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.session import (
    Consumed,
    Deliver,
    Fetch,
    LoggedOn,
    PeerRejected,
    Reset,
    Send,
    Session,
    SessionSettings,
    State,
)
from tradewire_gateway.fix.sqlite_store import SqliteStores
from tradewire_gateway.fix.store import MemoryStore, Numbers
from tradewire_gateway.fix.validation import Validator
from tradewire_gateway.fix.values import format_utc_timestamp

from tests.support.venue import Credential, RunningVenue

ORDERS = "TW-ORDERS"
ANSWER_S = 10.0


@dataclass
class Peer:
    """What a client remembers beyond a connection."""

    credential: Credential
    sender: str = "CLIENT"
    target: str = ORDERS
    store: MemoryStore = field(default_factory=MemoryStore)


class FixClient:
    """One connection of a client; what arrived is in `messages`, in order."""

    def __init__(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.peer = peer
        self.messages: list[Message] = []
        self.logon: Message | None = None
        self.rejects: list[Message] = []
        self.sent: list[bytes] = []
        self._reader = reader
        self._writer = writer
        self._changed = asyncio.Event()
        validator = Validator(translate.dictionary())
        self.session = Session(validator, SessionSettings(), time.time_ns())
        self._task: asyncio.Task[None] | None = None

    def log_on(
        self,
        *,
        reset: bool = False,
        age_s: float = 0,
        change: Callable[[Fields], None] | None = None,
        **extra: str,
    ) -> None:
        """Send a signed Logon(A); `t20008="Y"` gives it the field 20008."""
        peer, now_ns = self.peer, time.time_ns() - int(age_s * 10**9)
        numbers = Numbers() if reset else peer.store.numbers()
        sending_time = format_utc_timestamp(now_ns)
        text = "\x01".join(("A", peer.sender, peer.target, str(numbers.outbound), sending_time))
        signature = base64.b64encode(peer.credential.private_key.sign(text.encode())).decode()
        body = Fields({95: str(len(signature)), 96: signature, 553: peer.credential.key_id})
        body |= {int(tag[1:]): value for tag, value in extra.items()}
        if change is not None:
            change(body)
        self.session.start_logon(
            peer.sender, peer.target, numbers, now_ns, heartbeat_s=30, reset=reset, body=body
        )
        self._perform()
        self._task = asyncio.create_task(self._run())

    def send(self, msg_type: str, fields: dict[int, str], *, header: Fields | None = None) -> None:
        """Send an application message."""
        body = encode_fields(Fields(fields))
        self.session.send(msg_type, body, time.time_ns(), header=header)
        self._perform()

    def place(self, client_order_id: str, *, header: Fields | None = None, **changes: str) -> None:
        """Send a NewOrderSingle(D): buys 1 BTC at 100 until canceled."""
        fields = {11: client_order_id, 55: "BTC-USD", 54: "1", 60: _now(), 38: "1", 40: "2"}
        fields |= {44: "100", 59: "1"} | {int(tag[1:]): value for tag, value in changes.items()}
        self.send("D", fields, header=header)

    def cancel(self, client_order_id: str, original: str, **changes: str) -> None:
        """Send an OrderCancelRequest(F)."""
        fields = {41: original, 11: client_order_id, 55: "BTC-USD", 54: "1", 60: _now(), 38: "1"}
        self.send("F", fields | {int(tag[1:]): value for tag, value in changes.items()})

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until something is so, because of what arrives."""
        async with asyncio.timeout(ANSWER_S):
            while not wanted():
                self._changed.clear()
                await self._changed.wait()

    async def established(self) -> None:
        """Wait until the logon has been answered."""
        await self.until(lambda: self.logon is not None or self.is_closed)
        assert self.logon is not None, self.last_words

    async def next(self, msg_type: str = "8", **wanted: str) -> Message:
        """Return the first message of a type with these fields, and forget those up to it."""

        def find() -> int | None:
            for index, message in enumerate(self.messages):
                if message.type == msg_type and all(
                    message.body.get(int(tag[1:])) == value for tag, value in wanted.items()
                ):
                    return index
            return None

        await self.until(lambda: find() is not None or self.is_closed)
        index = find()
        assert index is not None, (msg_type, wanted, self.messages, self.last_words)
        message = self.messages[index]
        del self.messages[: index + 1]
        return message

    async def closed(self) -> str:
        """Wait for the end of the connection; return the text of the Logout(5)."""
        await self.until(lambda: self.is_closed)
        return self.last_words

    @property
    def is_closed(self) -> bool:
        """Whether the connection is over."""
        return self._task is not None and self._task.done()

    last_words = ""

    async def log_out(self) -> None:
        """End the session in order."""
        self.session.logout(time.time_ns())
        self._perform()
        await self.closed()

    async def break_off(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _perform(self) -> None:
        store = self.peer.store
        while actions := self.session.actions():
            for action in actions:
                match action:
                    case Send(data, number, record):
                        if number is not None:
                            store.append(number, record)
                        self.sent.append(data)
                        self._writer.write(data)
                    case Deliver(message, number):
                        store.set_next_inbound(number + 1)
                        self.messages.append(message)
                    case Consumed(number):
                        store.set_next_inbound(number)
                    case Reset():
                        store.reset()
                    case Fetch(begin, end, limit):
                        found = store.read(begin, end, limit)
                        self.session.resend(action, found, time.time_ns())
                    case LoggedOn(message):
                        self.logon = message
                    case PeerRejected(message):
                        self.rejects.append(message)
                    case _:
                        pass
        self._changed.set()

    async def _run(self) -> None:
        try:
            while self.session.state is not State.CLOSED:
                data = await self._reader.read(65536)
                if not data:
                    self.session.receive_eof()
                self._note_last_words(data)
                self.session.receive_data(data, time.time_ns())
                self._perform()
        except OSError:
            self.session.receive_eof()
        finally:
            with contextlib.suppress(OSError):
                self._writer.close()
            asyncio.get_running_loop().call_soon(self._changed.set)

    def _note_last_words(self, data: bytes) -> None:
        for message in data.split(b"8=FIX"):
            if b"\x0135=5\x01" in message and b"\x0158=" in message:
                text = message.partition(b"\x0158=")[2].partition(b"\x01")[0]
                self.last_words = text.decode("latin-1")


def _now() -> str:
    return format_utc_timestamp(time.time_ns())


@dataclass
class Gateway:
    """A FIX gateway before a venue, and how to make another one of what it leaves."""

    venue: RunningVenue
    acceptor: Acceptor
    stores: SqliteStores
    port: int

    async def connect(self, peer: Peer) -> FixClient:
        """Open a connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        return FixClient(peer, reader, writer)

    @asynccontextmanager
    async def logged_on(self, peer: Peer, **options: object) -> AsyncIterator[FixClient]:
        """Log a client on, and cut it off at the end."""
        client = await self.connect(peer)
        try:
            client.log_on(**options)  # type: ignore[arg-type]
            await client.established()
            yield client
        finally:
            await client.break_off()


@asynccontextmanager
async def running_gateway(
    venue: RunningVenue,
    path: Path,
    *,
    kind: str = "in_process",
    settings: AcceptorSettings | None = None,
) -> AsyncIterator[Gateway]:
    """Start a gateway on a free port."""
    async with venue.connect(kind) as channel:
        with SqliteStores(path / "fix.db") as stores:
            acceptor = Acceptor(
                channel,
                stores,
                settings or AcceptorSettings(drain_s=1),
                clock_ns=venue.app.clock_ns,
            )
            port = await acceptor.start("127.0.0.1", 0)
            try:
                yield Gateway(venue, acceptor, stores, port)
            finally:
                await acceptor.stop()
