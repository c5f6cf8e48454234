"""The socket of a connection: `websockets` without I/O, on a transport of the HTTP edge.

uvicorn hands over the connection with the head of the request; from there on nothing of ASGI is
involved. What is sent while the event loop turns once is written together. What came is taken in
small steps, for no longer than a turn: see `turns`.
"""

import asyncio
import logging
import socket
import time
from typing import TYPE_CHECKING, Final, cast

from google.rpc import status_pb2
from tradewire_contract.statuses import make_status
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from tradewire_gateway.ws.addresses import Address
from tradewire_gateway.ws.connection import CLOSE_GOING_AWAY, CLOSE_TRY_LATER, Connection
from tradewire_gateway.ws.credential import Credential
from tradewire_gateway.ws.frames import take_texts
from tradewire_gateway.ws.turns import TURN_S
from tradewire_gateway.ws.upgrade import Refusal, Upgrade, refusal_response, sign_in
from tradewire_gateway.ws.upstream import reason_of

if TYPE_CHECKING:
    from tradewire_gateway.ws.gateway import Gateway

logger = logging.getLogger("tradewire.websocket")

CLOSE_UNSUPPORTED: Final = 1003
CLOSE_TOO_LARGE: Final = 1009
# Smaller ones are sent as they are, also to who takes them deflated: an order's answer costs a
# multiple to deflate of what it costs to make.
DEFLATED_MIN: Final = 1_024
# Time for the client's close frame, then for what was written to leave.
CLOSE_S: Final = 5.0
# What is taken at once, before anybody looks at the clock or at what is unanswered: some messages,
# or as many bytes as one has that deflates well to the largest batch.
STEP_FRAMES: Final = 4
STEP_BYTES: Final = 256
# What the kernel takes of what the client does not read yet, beside what is under way.
UNSENT_BYTES: Final = 128 << 10
_SHORT, _MEDIUM = 126, 1 << 16
_TEXT_HEAD: Final = 0x81
# Small windows: 32 KiB for a connection, where the default takes ten times as much.
_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)


class WebSocketProtocol(asyncio.Protocol):
    """One socket."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._core = _Core(self, size_max=gateway.limits.websocket_frame_bytes_max)
        self._loop = asyncio.get_running_loop()
        self.connection: Connection | None = None
        self._transport: asyncio.Transport
        self._address: Address | None = None
        self._upgrading: asyncio.Task[None] | None = None
        self._flushing = False
        self._queued = 0
        self._written = 0
        self._is_blocked = False
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._parts = bytearray()
        self._unread = b""
        self._taken_bytes = 0
        self._waits_for_turn = False
        self._is_paused = False
        self._is_resting = False
        self._is_held = False
        self._received_s = self._moved_s = self._opened_s = time.monotonic()
        self._moved_bytes = 0
        self._pinged_s = 0.0
        self._is_warned = False
        self._closer: asyncio.TimerHandle | None = None

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._gateway.limits.websocket_buffer_bytes)
        found = transport.get_extra_info("socket")
        if found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        """Take what came: the requests in it begin together, as far as a turn reaches."""
        self._received_s = time.monotonic()
        if self.connection is None:
            self._take_head(data)
            return
        # Nothing is left unread as a rule: the socket is not read then.
        self._unread = self._unread[self._taken_bytes :] + data if self._unread else data
        self._taken_bytes = 0
        if not self._waits_for_turn:
            self._take_or_wait()

    def take_turn(self) -> None:
        """Take of what came for as long as a turn lasts; the rest waits for the next one."""
        self._waits_for_turn = False
        connection, core = self.connection, self._core
        if connection is None or self._transport.is_closing():
            return
        end_s = time.monotonic() + TURN_S
        size_max = self._gateway.limits.websocket_frame_bytes_max
        data, at = self._unread, self._taken_bytes
        while at < len(data) and self._may_take:
            texts: list[bytes | bytearray] = []
            if core.is_between_texts:
                taken, at = take_texts(data, at, size_max=size_max, count_max=STEP_FRAMES)
                texts.extend(taken)
            if not texts:
                core.receive_data(data[at : at + STEP_BYTES])
                at += STEP_BYTES
            extra = sum(self._take(event, texts) for event in core.events_received())
            if texts:
                self._gateway.meters.frames.inc(len(texts))
                connection.receive(texts)
            if extra:
                connection.charge(extra)
            if time.monotonic() >= end_s:
                break
        if at < len(data):
            self._taken_bytes = at
        else:
            self._unread, self._taken_bytes = b"", 0
        self._flush()
        self._update_reading()

    def eof_received(self) -> None:
        """Close: a half-open connection is of no use."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Give everything up."""
        if self._closer is not None:
            self._closer.cancel()
        if self._upgrading is not None:
            self._upgrading.cancel()
        if self.connection is not None:
            self.connection.lost()
        self._may_write.set()
        self._gateway.leave(self)
        if self._address is not None:
            self._gateway.addresses.leave(self._address)
            self._address = None

    def pause_writing(self) -> None:
        """Take note that the client reads more slowly than it is sent to."""
        self._is_blocked = True
        self._may_write.clear()
        self._moved_s, self._moved_bytes = time.monotonic(), self._sent_bytes()
        self._update_reading()

    def resume_writing(self) -> None:
        """Take note that there is room again."""
        self._is_blocked = False
        self._may_write.set()
        self._update_reading()

    # --- for the connection ---

    @property
    def has_room(self) -> bool:
        """Whether the client reads what it is sent."""
        return not self._is_blocked and self._queued < self._gateway.limits.websocket_buffer_bytes

    async def room(self) -> None:
        """Wait until it does, or the connection ends."""
        if self._queued:
            # Not written yet: it is, once the loop has turned.
            await asyncio.sleep(0)
        await self._may_write.wait()

    def send(self, text: bytes) -> None:
        """Send a text frame, with what else is sent before the loop turns."""
        core = self._core
        if core.state is not State.OPEN:
            return
        size = len(text)
        if core.extensions and size >= DEFLATED_MIN:
            core.send_text(text)
        else:
            # What `Frame.serialize` does, for the only kind of frame that there are many of.
            if size < _SHORT:
                core.writes.append(bytes((_TEXT_HEAD, size)) + text)
            elif size < _MEDIUM:
                core.writes.append(b"\x81\x7e" + size.to_bytes(2, "big") + text)
            else:
                core.writes.append(b"\x81\x7f" + size.to_bytes(8, "big") + text)
        self._queued += size
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def close(self, code: int, reason: str) -> None:
        """Send the close frame; the socket is closed when the client has answered it, or late."""
        if self._core.state is State.OPEN:
            self._gateway.meters.closed(reason)
            self._core.send_close(code, reason)
        self._flush()
        self._close_late()

    def abort(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    def hold_reading(self, held: bool) -> None:
        """Read no further, or go on."""
        self._is_held = held
        self._update_reading()

    def rest(self, seconds: float) -> None:
        """Read no further for some time."""
        if not self._is_resting:
            self._is_resting = True
            self._update_reading()
            self._loop.call_later(seconds, self._rested)

    def tick(self, now_s: float) -> None:
        """Look after the connection; called about once a second."""
        limits, connection = self._gateway.limits, self.connection
        if connection is None or connection.has_ended:
            return
        if self._is_blocked:
            self._watch_writing(connection, now_s)
        elif not self._may_take or self._unread:
            # Its silence is our doing.
            self._received_s = now_s
        if now_s - self._received_s >= limits.websocket_idle_s:
            text = f"nothing came for {limits.websocket_idle_s:g} s, not even pongs"
            self._end("CONNECTION_IDLE", text, CLOSE_GOING_AWAY)
        elif now_s - self._pinged_s >= limits.websocket_ping_s:
            self._pinged_s = now_s
            self._core.send_ping(b"")
            self._flush()
        left_s = self._opened_s + limits.websocket_lifetime_s - now_s
        if left_s <= 0:
            status = _lifetime_status(limits.websocket_lifetime_s)
            connection.end(status, CLOSE_GOING_AWAY, is_announced=self._is_warned)
        elif left_s <= limits.websocket_notice_s and not self._is_warned:
            self._is_warned = True
            status = _lifetime_status(limits.websocket_lifetime_s)
            connection.notify_closing(status, in_s=left_s)

    # --- the upgrade ---

    def _take_head(self, data: bytes) -> None:
        """Take the request; what comes behind it waits in the socket for our answer."""
        self._core.receive_data(data)
        for event in self._core.events_received():
            if isinstance(event, Request):
                self._upgrading = self._loop.create_task(self._upgrade(event))
        self._flush()
        self._update_reading()

    async def _upgrade(self, request: Request) -> None:
        gateway = self._gateway
        try:
            upgrade = Upgrade.of(request, self._transport)
            upgrade.check(gateway.options.origins, is_draining=gateway.is_draining)
            self._enter(upgrade)
            response = self._core.accept(request)
            if response.status_code != 101:
                text = "this is no upgrade to WebSocket as RFC 6455 has it"
                raise Refusal("MESSAGE_MALFORMED", text)
            credential = await sign_in(upgrade, gateway.upstream)
        except Refusal as refusal:
            gateway.meters.refused(refusal.reason)
            self._answer(refusal_response(refusal))
        except Exception:
            logger.exception("an upgrade failed")
            text = "the gateway broke one of its own rules"
            self._answer(refusal_response(Refusal("INTERNAL", text)))
        else:
            self._open(upgrade, credential, response)

    def _enter(self, upgrade: Upgrade) -> None:
        """Count the connection.

        Raises Refusal when there are too many.
        """
        self._address = self._gateway.addresses.enter(upgrade.address)
        if self._address is None:
            limits = self._gateway.limits
            text = (
                f"one address may have {limits.websocket_address_connections_max} connections, "
                f"all clients {limits.websocket_connections_max}"
            )
            raise Refusal("CONNECTION_LIMIT", text)

    def _open(self, upgrade: Upgrade, credential: Credential | None, response: Response) -> None:
        assert self._address is not None, "it was counted"
        gateway = self._gateway
        self._opened_s = self._pinged_s = self._received_s = time.monotonic()
        self.connection = Connection(
            self,
            gateway.upstream,
            gateway.limits,
            address=upgrade.address,
            purse=self._address,
            credential=credential,
            meters=gateway.meters,
        )
        gateway.enter(self)
        self._answer(response)
        self._update_reading()
        if gateway.is_draining:
            # Since it was looked at.
            self._end("SERVER_DRAINING", "the gateway ends; connect again", CLOSE_GOING_AWAY)

    def _answer(self, response: Response) -> None:
        self._core.send_response(response)
        self._flush()

    # --- frames ---

    def _take(self, frame: object, texts: list[bytes | bytearray]) -> int:
        """Collect the texts; pings and close frames have been answered already. Return 1 of a frame
        that is no message, and so is paid for by no request.
        """
        assert isinstance(frame, Frame), "the head of the request was the first event"
        opcode = frame.opcode
        if opcode is Opcode.TEXT:
            if frame.fin:
                texts.append(frame.data)  # type: ignore[arg-type]
                return 0
            self._parts = bytearray(frame.data)
        elif opcode is Opcode.CONT:
            self._parts += frame.data
            if frame.fin:
                texts.append(self._parts)
                self._parts = bytearray()
        elif opcode is Opcode.BINARY:
            self._end("MESSAGE_MALFORMED", "frames are text, not binary", CLOSE_UNSUPPORTED)
        return 1

    # --- writing ---

    def _flush(self) -> None:
        self._flushing = False
        writes = self._core.data_to_send()
        if not writes:
            return
        self._queued = 0
        transport = self._transport
        if not transport.is_closing():
            data = b"".join(writes)
            self._written += len(data)
            transport.write(data)
            if transport.get_write_buffer_size() > self._gateway.limits.websocket_buffer_bytes_max:
                self._end_slow("too much waits for the client to read it")
        # An empty text says that nothing more will be sent.
        if not writes[-1] or self._core.close_expected():
            self._finish(is_final=not writes[-1])

    def _finish(self, *, is_final: bool) -> None:
        if self.connection is not None:
            self.connection.lost()
        if is_final and not self._transport.is_closing():
            self._transport.close()
        self._close_late()

    def _close_late(self) -> None:
        if self._closer is None:
            self._closer = self._loop.call_later(CLOSE_S, self._transport.abort)

    def _sent_bytes(self) -> int:
        return self._written - self._transport.get_write_buffer_size()

    def _watch_writing(self, connection: Connection, now_s: float) -> None:
        sent = self._sent_bytes()
        if sent > self._moved_bytes:
            self._moved_s, self._moved_bytes = now_s, sent
        elif now_s - self._moved_s >= self._gateway.limits.websocket_stalled_s:
            stalled_s = self._gateway.limits.websocket_stalled_s
            self._end_slow(f"the client has read nothing for {stalled_s:g} s")

    def _end_slow(self, text: str) -> None:
        """End a connection whose client does not read; it may yet read why."""
        self._end("SLOW_CONSUMER", text, CLOSE_TRY_LATER)

    # --- reading ---

    @property
    def _may_take(self) -> bool:
        return not (self._is_held or self._is_resting or self._is_blocked)

    def _take_or_wait(self) -> None:
        """Take what came, unless others of the same address have waited for longer."""
        assert self._address is not None, "the connection is open"
        if self._address in self._gateway.turns:
            self._update_reading()
        else:
            self.take_turn()

    def _update_reading(self) -> None:
        """Read the socket when all that came has been taken; wait for a turn when it was not."""
        if self._transport.is_closing():
            return
        if self._unread and self._may_take and not self._waits_for_turn:
            assert self._address is not None, "the connection is open"
            self._waits_for_turn = True
            self._gateway.turns.wait(self._address, self)
        is_paused = bool(self._unread) or not self._may_take or self.connection is None
        if is_paused == self._is_paused:
            return
        self._is_paused = is_paused
        if is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _rested(self) -> None:
        self._is_resting = False
        self._update_reading()

    # --- the end ---

    def _end(self, reason: str, text: str, code: int) -> None:
        if self.connection is not None:
            self.connection.end(make_status(reason, text), code)

    def protocol_failed(self, code: int) -> tuple[str, status_pb2.Status]:
        """Return the name and the status of a violation of RFC 6455."""
        if code == CLOSE_TOO_LARGE:
            most = self._gateway.limits.websocket_frame_bytes_max
            status = make_status("REQUEST_TOO_LARGE", f"a message has at most {most} bytes")
        else:
            status = make_status("MESSAGE_MALFORMED", "what came is no WebSocket")
        return reason_of(status), status


class _Core(ServerProtocol):
    """The library's state machine. When it fails a connection, the client is told as always."""

    def __init__(self, protocol: WebSocketProtocol, *, size_max: int) -> None:
        super().__init__(extensions=[_DEFLATE], max_size=size_max, logger=_QUIET)
        self._protocol = protocol

    @property
    def is_between_texts(self) -> bool:
        """Whether what comes next begins a frame that needs nothing of what came before."""
        return (
            self.state is State.OPEN
            and not self.extensions
            and self.current_size is None
            and not self.reader.buffer
        )

    def fail(self, code: int, reason: str = "") -> None:
        """Fail the connection, with our reason in place of the library's text."""
        connection = self._protocol.connection
        if connection is None or self.state is not State.OPEN or code == 1006:
            super().fail(code, reason)
            return
        name, status = self._protocol.protocol_failed(code)
        connection.notify_closing(status, in_s=0)
        super().fail(code, name)


# What clients do wrong is counted, and told to them.
_QUIET = logging.getLogger("tradewire.websocket.frames")
_QUIET.setLevel(logging.CRITICAL)


def _lifetime_status(seconds: float) -> status_pb2.Status:
    return make_status("STREAM_LIFETIME", f"a connection is closed when it is {seconds:g} s old")
