"""One connection: who it is, what it has under way, and in which order things are done.

Order. Commands reach the engine in the order in which they came: they go through one stream. A call
that may change something and is no command (a batch, a withdrawal) waits for the commands before
it, and those behind it wait for its answer: `_line` holds what waits. Reads and subscriptions wait
for nobody, except for a sign-in or sign-out that came before them.
"""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Protocol

from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from tradewire.v1 import session_service_pb2, websocket_pb2
from tradewire_contract.statuses import make_status

from tradewire_gateway.ws import json_rpc
from tradewire_gateway.ws.addresses import Address
from tradewire_gateway.ws.calls import Calls
from tradewire_gateway.ws.credential import Credential, Metadata, metadata_of
from tradewire_gateway.ws.json_form import FormInvalid, reader, writer
from tradewire_gateway.ws.json_rpc import Failure
from tradewire_gateway.ws.meters import Meters
from tradewire_gateway.ws.methods import (
    CommandStream,
    Kind,
    Target,
    notification_name,
    own_requests,
    targets,
)
from tradewire_gateway.ws.options import WebSocketLimits
from tradewire_gateway.ws.pipe import CommandPipe
from tradewire_gateway.ws.requests import Request
from tradewire_gateway.ws.subscriptions import Subscription
from tradewire_gateway.ws.upstream import Upstream, closing_status, reason_of

CLOSE_GOING_AWAY: Final = 1001
CLOSE_INVALID_DATA: Final = 1007
CLOSE_POLICY: Final = 1008
CLOSE_TRY_LATER: Final = 1013
MALFORMED_WINDOW_S: Final = 10.0
# A setting of streams that take commands.
RESULTS_ONLY: Final = "results_only"
# What the venue answers of a credential that was good and is not any more, whatever it was for.
_CREDENTIAL_ENDED: Final = frozenset({"CREDENTIAL_ENDED", "KEY_REVOKED", "KEY_EXPIRED"})
_write_closing = writer(websocket_pb2.ConnectionClosing.DESCRIPTOR)
_write_configured = writer(websocket_pb2.ConfigureConnectionResponse.DESCRIPTOR)


class Wire(Protocol):
    """What a connection needs of its socket."""

    @property
    def has_room(self) -> bool:
        """Whether the client reads what it is sent."""

    async def room(self) -> None:
        """Wait until it does, or the connection ends."""

    def send(self, text: bytes) -> None:
        """Send a text frame."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and close."""

    def hold_reading(self, held: bool) -> None:
        """Read no further, or go on."""

    def rest(self, seconds: float) -> None:
        """Read no further for some time."""


class Connection:
    """See the module's text. `address` is the client's."""

    def __init__(
        self,
        wire: Wire,
        upstream: Upstream,
        limits: WebSocketLimits,
        *,
        address: str,
        purse: Address,
        credential: Credential | None,
        meters: Meters,
    ) -> None:
        self.upstream = upstream
        self.has_ended = False
        # Goes up when the client signs out: what began before is none of what comes then.
        self.tenure = 0
        self._is_leaving = False
        self._wire = wire
        self._limits = limits
        self._address = address
        self._purse = purse
        self._credential = credential
        self._meters = meters
        self._metadata = metadata_of(credential, address)
        self._calls = Calls(
            self, at_once_max=limits.websocket_calls_max, timeout_s=limits.websocket_call_s
        )
        self._pipes: dict[str, CommandPipe] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._subscription_count = 0
        self._line: deque[Request] = deque()
        self._serial: Request | None = None
        self._sign_ins = 0
        self._unanswered = 0
        self._unanswered_bytes = 0
        # Of the frame that is being read, for each of its requests.
        self._share = 0
        self._is_held = False
        self._malformed: deque[float] = deque()
        self.settings: dict[str, Any] = {}

    # --- for what works for the connection ---

    @property
    def has_room(self) -> bool:
        """Whether the client reads what it is sent."""
        return self._wire.has_room

    async def room(self) -> None:
        """Wait until there is room for more."""
        while not self._wire.has_room and not self.has_ended:
            await self._wire.room()

    def send(self, text: bytes) -> None:
        """Send a frame, unless the connection has ended."""
        if not self.has_ended:
            self._wire.send(text)

    def metadata(self) -> Metadata:
        """Return what calls carry now."""
        return self._metadata

    def metadata_of(self, credential: Credential) -> Metadata:
        """Return what calls of this client carry with another credential."""
        return metadata_of(credential, self._address)

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    def answer(self, text: str | None, batch: json_rpc.Batch | None, size: int = 0) -> None:
        """Send the answer of a request, None of a notification; alone or with its batch. `size` is
        what the request has held until now.
        """
        self._unanswered -= 1
        self._unanswered_bytes -= size
        if batch is not None:
            batch.add(text)
        elif text is not None:
            self.send(text.encode())
        if (
            self._is_held
            and self._unanswered <= self._limits.websocket_unanswered_max // 2
            and self._unanswered_bytes <= self._limits.websocket_unanswered_bytes_max // 2
        ):
            self._is_held = False
            self._wire.hold_reading(False)

    def forget(self, subscription: Subscription) -> None:
        """Take note that a subscription has ended."""
        if self._subscriptions.pop(subscription.number, None) is not None:
            self._meters.subscriptions.dec()

    def look_for_end(self, data: bytes, stream: Target | CommandStream, tenure: int) -> None:
        """End the connection when the last message of a stream says that its credential ended."""
        status = closing_status(data, stream.response)
        if status is not None:
            self.look_at(status, tenure)

    def look_at(self, status: status_pb2.Status, tenure: int) -> None:
        """End the connection when an error says that its credential is none any more, unless the
        client itself has ended it: then only what needs it ends.
        """
        if self._is_leaving or tenure != self.tenure:
            return
        if status.code == code_pb2.UNAUTHENTICATED and reason_of(status) in _CREDENTIAL_ENDED:
            text = "the key was revoked or has expired, or the session ended"
            self.end(make_status("CREDENTIAL_ENDED", text), CLOSE_POLICY)

    def advance(self) -> None:
        """Do what has waited for what is done now."""
        while self._line and not self.has_ended and self._may_start(self._line[0]):
            self._start(self._line.popleft())

    # --- the life of the connection ---

    def receive(self, frames: Iterable[bytes | bytearray]) -> None:
        """Take the text frames that came together."""
        refused = 0
        for data in frames:
            if self.has_ended:
                return
            refused += self._receive(data)
        if refused:
            self.charge(refused)
        if not self._is_held and (
            self._unanswered >= self._limits.websocket_unanswered_max
            or self._unanswered_bytes >= self._limits.websocket_unanswered_bytes_max
        ):
            self._is_held = True
            self._wire.hold_reading(True)

    def charge(self, count: int) -> None:
        """Let the address pay for what costs no weight at the venue, because it ends here."""
        pause_s = self._purse.refuse(
            count, time.monotonic(), per_s=self._limits.websocket_refused_per_s
        )
        if pause_s:
            self._wire.rest(pause_s)

    def notify_closing(
        self, status: status_pb2.Status, *, in_s: float, retry_after_ms: int = 0
    ) -> None:
        """Tell the client that the connection will be closed."""
        message = websocket_pb2.ConnectionClosing(status=status, retry_after_ms=retry_after_ms)
        message.close_time.FromNanoseconds(time.time_ns() + int(in_s * 1e9))
        name = notification_name(websocket_pb2.ConnectionClosing.DESCRIPTOR)
        self.send(json_rpc.notification(name, _write_closing(message)).encode())

    def end(
        self,
        status: status_pb2.Status,
        code: int,
        *,
        retry_after_ms: int = 0,
        is_announced: bool = False,
    ) -> None:
        """Tell the client why, close the connection, and give up what it has under way."""
        if self.has_ended:
            return
        if not is_announced:
            self.notify_closing(status, in_s=0, retry_after_ms=retry_after_ms)
        reason = reason_of(status)
        self.lost()
        self._wire.close(code, reason)

    def lost(self) -> None:
        """Give up what the connection has under way: it is no more."""
        if self.has_ended:
            return
        self.has_ended = True
        self._line.clear()
        self._calls.stop()
        for pipe in self._pipes.values():
            pipe.stop()
        for subscription in tuple(self._subscriptions.values()):
            subscription.stop()

    # --- requests ---

    def _receive(self, data: bytes | bytearray) -> int:
        """Take a frame; return how many of its requests were refused here."""
        try:
            frame = json_rpc.read_frame(data, batch_max=self._limits.websocket_batch_max)
        except Failure as error:
            self._unanswered += 1
            self._refuse("null", error, None)
            if not _is_utf_8(data):
                # RFC 6455, 8.1: it is not even text, so the connection is failed.
                self.end(error.status, CLOSE_INVALID_DATA)
            return 1
        batch = None
        if frame.is_batch:
            batch = json_rpc.Batch(len(frame.requests), lambda text: self.send(text.encode()))
        refused = 0
        self._share = len(data) // max(1, len(frame.requests))
        for request in frame.requests:
            self._unanswered += 1
            if isinstance(request, json_rpc.Refused):
                self._refuse(request.id, request.failure, batch)
                refused += 1
                continue
            try:
                self._dispatch(request, batch)
            except Failure as error:
                self._refuse(request.id, error, batch)
                refused += 1
            if self.has_ended:
                break
        return refused

    def _dispatch(self, call: json_rpc.Call, batch: json_rpc.Batch | None) -> None:
        """Begin what a request asks for, or put it into the line.

        Raises Failure.
        """
        target = targets().get(call.method)
        if target is None:
            self._answer_own(call, batch)
            return
        try:
            message = target.read(call.params)
        except FormInvalid as error:
            raise Failure(error.status) from None
        request = self._request(call.id, target, message, batch)
        if target.command is not None and not self._line and self._serial is None:
            # The usual case: an order with nothing before it but orders.
            pipe = self._pipe_for(request)
            if pipe is not None:
                pipe.put(request)
                return
        if target.is_sign_in or target.is_sign_out:
            self._sign_ins += 1
        if (not self._line or self._overtakes(request)) and self._may_start(request):
            self._start(request)
        else:
            self._line.append(request)

    def _request(
        self, id_text: str | None, target: Target, message: Message, batch: json_rpc.Batch | None
    ) -> Request:
        self._unanswered_bytes += self._share
        return Request(self, id_text, target, message, batch, self._share)

    def _overtakes(self, request: Request) -> bool:
        return self._is_free(request.target) and not self._sign_ins

    @staticmethod
    def _is_free(target: Target) -> bool:
        """Say whether a method waits for nobody but sign-ins."""
        return target.is_read or target.kind is not Kind.UNARY

    def _may_start(self, request: Request) -> bool:
        if self._serial is not None:
            return self._overtakes(request)
        if self._is_free(request.target) or self._pipe_for(request) is not None:
            return True
        return all(pipe.is_idle for pipe in self._pipes.values())

    def _pipe_for(self, request: Request) -> CommandPipe | None:
        """Return the stream that takes a command; None when it is a call like others: for the venue
        to refuse, because nobody is signed in or no more.
        """
        command, credential = request.target.command, self._credential
        if command is None or credential is None or credential.has_expired:
            return None
        stream = command.stream
        pipe = self._pipes.get(stream.path)
        if pipe is None:
            known = stream.frame.DESCRIPTOR.fields_by_name
            settings = {name: value for name, value in self.settings.items() if name in known}
            if RESULTS_ONLY in known:
                # Executions come to who subscribes to them.
                settings[RESULTS_ONLY] = True
            pipe = self._pipes[stream.path] = CommandPipe(self, stream, settings)
        return pipe

    def _start(self, request: Request) -> None:
        target = request.target
        if target.kind is not Kind.UNARY:
            self._subscribe(request)
        elif target.is_read:
            self._calls.start(request, _nothing)
        elif (pipe := self._pipe_for(request)) is not None:
            pipe.put(request)
        else:
            self._serial = request
            self._is_leaving = target.is_sign_out
            self._calls.start(request, self._serial_done)

    def _serial_done(self, request: Request, response: Message | None) -> Failure | None:
        self._serial = None
        self._is_leaving = False
        failure = None
        if request.target.is_sign_in or request.target.is_sign_out:
            self._sign_ins -= 1
        if isinstance(response, session_service_pb2.CreateSessionResponse):
            failure = self._sign_in(Credential.of_session(response))
        elif request.target.is_sign_out and response is not None:
            self._sign_out()
        self.advance()
        return failure

    def _sign_in(self, credential: Credential) -> Failure | None:
        """Call with this credential from now on, if it may do what the former one may: streams that
        are open go on with that.
        """
        former = self._credential
        text = "" if former is None else former.differs(credential)
        if text:
            return Failure(make_status("CONNECTION_IN_USE", text))
        self._credential = credential
        self._metadata = metadata_of(credential, self._address)
        return None

    def _sign_out(self) -> None:
        """Forget the credential, and end what needs it. The venue itself ends the streams of the
        session, and says so in each; those of a former one, which was renewed, are ended here.
        """
        ended, self._credential = self._metadata, None
        self._metadata = metadata_of(None, self._address)
        self.tenure += 1
        for pipe in self._pipes.values():
            pipe.stop()
        self._pipes.clear()
        status = make_status("CREDENTIAL_ENDED", "the connection was signed out")
        for subscription in tuple(self._subscriptions.values()):
            if not subscription.target.is_public and subscription.metadata is not ended:
                subscription.finish(status)

    def _subscribe(self, request: Request) -> None:
        most = self._limits.websocket_subscriptions_max
        if len(self._subscriptions) >= most:
            text = f"the connection has {most} subscriptions; cancel one that is not needed"
            metadata = {"scope": "connection", "limit": str(most)}
            request.fail(Failure(make_status("STREAM_LIMIT", text, metadata=metadata)))
            return
        self._subscription_count += 1
        number = self._subscription_count
        self._subscriptions[number] = Subscription(self, number, request)
        self._meters.subscriptions.inc()

    # --- requests without an RPC ---

    def _answer_own(self, call: json_rpc.Call, batch: json_rpc.Batch | None) -> None:
        """Do what the gateway itself is asked for.

        Raises Failure.
        """
        message_type = own_requests().get(call.method)
        if message_type is None:
            raise json_rpc.unknown_method(call.method, (*targets(), *own_requests()))
        if message_type is websocket_pb2.SendToSubscriptionRequest:
            self._send_to(call, batch)
            return
        message = _read(message_type, call.params)
        result = "{}"
        if isinstance(message, websocket_pb2.CancelSubscriptionRequest):
            self._find(message.subscription).cancel()
        else:
            assert isinstance(message, websocket_pb2.ConfigureConnectionRequest), call.method
            result = self._configure(message)
        self.charge(1)
        text = None if call.id is None else json_rpc.success(call.id, result, "")
        self.answer(text, batch)

    def _find(self, number: int) -> Subscription:
        subscription = self._subscriptions.get(number)
        if subscription is None:
            text = f"the connection has no subscription {number}"
            raise Failure(make_status("SUBSCRIPTION_NOT_FOUND", text))
        return subscription

    def _send_to(self, call: json_rpc.Call, batch: json_rpc.Batch | None) -> None:
        """Pass a message on, read as the type that its stream takes: that is known only now."""
        params, content = call.params, None
        if isinstance(params, dict) and "message" in params:
            params = params.copy()
            content = params.pop("message")
        request = _read(websocket_pb2.SendToSubscriptionRequest, params)
        if content is None:
            fields = [("message", "must be set")]
            raise Failure(make_status("FIELD_INVALID", "message must be set", fields=fields))
        subscription = self._find(request.subscription)  # type: ignore[attr-defined]
        if not subscription.takes_messages:
            text = f"subscription {subscription.number} takes no messages"
            raise Failure(make_status("SUBSCRIPTION_NOT_FOUND", text))
        message = _read(subscription.target.request, content)
        subscription.send(self._request(call.id, subscription.target, message, batch))

    def _configure(self, message: websocket_pb2.ConfigureConnectionRequest) -> str:
        if self._pipes or any(request.target.command for request in self._line):
            text = "the connection has placed orders: configure it before the first of them"
            raise Failure(make_status("CONNECTION_IN_USE", text))
        self.settings = {field.name: value for field, value in message.ListFields()}
        response = websocket_pb2.ConfigureConnectionResponse(
            cancel_on_disconnect=message.cancel_on_disconnect
        )
        return _write_configured(response)

    # --- refusals ---

    def _refuse(self, id_text: str | None, error: Failure, batch: json_rpc.Batch | None) -> None:
        self._meters.refused(reason_of(error.status))
        text = None if id_text is None else json_rpc.failure(id_text, error, "")
        self.answer(text, batch)
        if json_rpc.is_malformed(error):
            self._count_malformed()

    def _count_malformed(self) -> None:
        now_s = time.monotonic()
        recent = self._malformed
        recent.append(now_s)
        while recent[0] <= now_s - MALFORMED_WINDOW_S:
            recent.popleft()
        most = self._limits.websocket_malformed_max
        if len(recent) > most:
            text = f"more than {most} messages within {MALFORMED_WINDOW_S:.0f} s were no requests"
            self.end(make_status("MESSAGE_MALFORMED", text), CLOSE_POLICY)


def _read(message_type: type[Message], params: Any) -> Message:
    """Return parameters as a message.

    Raises Failure.
    """
    try:
        return reader(message_type.DESCRIPTOR)(params)
    except FormInvalid as error:
        raise Failure(error.status) from None


def _is_utf_8(data: bytes | bytearray) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _nothing(request: Request, response: Message | None) -> None:
    """Do nothing more with an answer."""
