"""A WebSocket client for tests, and the gateway beside a test's venue."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc.aio
from google.protobuf import json_format
from tradewire_gateway.channel import InProcessChannel, InProcessServer, open_channel
from tradewire_gateway.web import WebOptions, serve_web
from tradewire_gateway.ws import AllowedOrigins, Gateway, WebSocketLimits, WebSocketOptions
from tradewire_gateway.ws.upstream import CHANNEL_OPTIONS
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.venue import Credential, RunningVenue, session_request

ANSWER_S = 20.0
OWN_ORIGIN = "https://console.example"


class RpcError(Exception):
    """A request was answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.error = error

    @property
    def code(self) -> int:
        """The error's number."""
        return int(self.error["code"])

    @property
    def reason(self) -> str:
        """The reason of the catalogue."""
        return reason_of(self.error["data"])


def reason_of(status: dict[str, Any]) -> str:
    """Return the reason of a google.rpc.Status in JSON."""
    found: str = status["details"][0]["reason"]
    return found


class WsClient:
    """One connection. Answers go to who asked; what the server says by itself is in
    `notifications`, in order.
    """

    def __init__(self, socket_: ClientConnection) -> None:
        self.socket = socket_
        self.notifications: list[dict[str, Any]] = []
        self.rate_limit: dict[str, str] | None = None
        self._ids = itertools.count(1)
        self._asked: dict[Any, asyncio.Future[Any]] = {}
        self._changed = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
        compression: str | None = None,
        **options: Any,
    ) -> AsyncIterator[Self]:
        """Open a connection; it is closed with the context."""
        found = dict(headers or {})
        if origin is not None:
            found["Origin"] = origin
        async with connect(
            url,
            additional_headers=found,
            compression=compression,
            max_size=None,
            # Otherwise a close frame behind what nobody reads any more is not seen.
            max_queue=None,
            ping_interval=None,
            proxy=None,
            **options,
        ) as connection:
            client = cls(connection)
            try:
                yield client
            finally:
                client._reading.cancel()
                await asyncio.gather(client._reading, return_exceptions=True)

    async def call(self, method: str, params: Any = None, **named: Any) -> Any:
        """Ask and return the result. Raises RpcError."""
        return await self.ask(method, params, **named)

    def ask(self, method: str, params: Any = None, **named: Any) -> asyncio.Future[Any]:
        """Send a request with the next write, in order; returns its answer to come."""
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        sending = asyncio.create_task(self.send(request(method, params, number, **named)))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        return answer

    async def send(self, content: Any) -> None:
        """Send one frame: a text as it is, everything else as JSON."""
        await self.socket.send(content if isinstance(content, str) else json.dumps(content))

    async def exchange(self, content: Any) -> Any:
        """Send one frame and return the frame that answers it, which has no known `id`."""
        answer = self._asked[None] = asyncio.get_running_loop().create_future()
        await self.send(content)
        async with asyncio.timeout(ANSWER_S):
            return await answer

    async def sign_in(self, credential: Credential, environment: str = "sandbox") -> Any:
        """Sign the connection in with a key."""
        message = session_request(credential, environment)
        return await self.call("session.login", json_format.MessageToDict(message))

    async def subscribe(self, method: str, params: Any = None) -> int:
        """Subscribe; returns the number."""
        return int((await self.call(method, params))["subscription"])

    async def expect(
        self, matches: Callable[[dict[str, Any]], bool], *, start: int = 0
    ) -> dict[str, Any]:
        """Return the first notification from `start` on that matches, once it is there."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                for found in self.notifications[start:]:
                    if matches(found):
                        return found
                self._changed.clear()
                await self._changed.wait()

    async def notified(self, method: str, *, start: int = 0) -> dict[str, Any]:
        """Return the parameters of the first notification of a name, once it is there."""
        found = await self.expect(lambda each: bool(each["method"] == method), start=start)
        params: dict[str, Any] = found["params"]
        return params

    def messages(self, subscription: int) -> list[dict[str, Any]]:
        """Return what a subscription has brought."""
        return [
            each["params"]["message"]
            for each in self.notifications
            if each["params"].get("subscription") == subscription and "message" in each["params"]
        ]

    async def closed(self) -> tuple[int, str]:
        """Wait for the server's close frame; returns code and reason."""
        async with asyncio.timeout(ANSWER_S):
            await self.socket.wait_closed()
        return self.socket.close_code or 0, self.socket.close_reason or ""

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                self._take(json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the connection has ended"))
                    answer.exception()

    def _take(self, content: Any) -> None:
        if isinstance(content, dict) and "method" in content:
            self.notifications.append(content)
            self._changed.set()
            return
        number = content.get("id") if isinstance(content, dict) else None
        if None in self._asked and (number is None or number not in self._asked):
            self._asked.pop(None).set_result(content)
            return
        answer = self._asked.pop(number, None)
        if answer is None or answer.done():
            return
        self.rate_limit = content.get("rateLimit")
        if "error" in content:
            answer.set_exception(RpcError(content["error"]))
        else:
            answer.set_result(content["result"])


def request(method: str, params: Any = None, number: Any = 1, **named: Any) -> dict[str, Any]:
    """Return a request of JSON-RPC; parameters may be given by name."""
    found = {"jsonrpc": "2.0", "id": number, "method": method}
    if params is not None or named:
        found["params"] = {**(params or {}), **named}
    return found


def order(client_order_id: str, **changes: Any) -> dict[str, Any]:
    """Return the parameters of `orders.place` for a small order that rests."""
    return {
        "clientOrderId": client_order_id,
        "symbol": "BTC-USD",
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "0.01",
        "price": "100",
        **changes,
    }


@dataclass
class GatewayEdge:
    """A gateway that runs, and where."""

    gateway: Gateway
    address: str
    trusted: Path

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://{self.address}/v1/ws"

    @asynccontextmanager
    async def client(self, credential: Credential | None = None, **options: Any) -> Any:
        """Open a connection, and sign it in."""
        async with WsClient.connect(self.url, **options) as client:
            if credential is not None:
                await client.sign_in(credential)
            yield client

    @asynccontextmanager
    async def client_at(
        self, address: str, credential: Credential | None = None, **options: Any
    ) -> AsyncIterator[WsClient]:
        """Open a connection as Envoy does for a client at another address."""
        headers = {"x-tradewire-client-address": address}
        found = socket.socket(socket.AF_UNIX)
        found.setblocking(False)
        await asyncio.get_running_loop().sock_connect(found, str(self.trusted))
        async with WsClient.connect(self.url, headers=headers, sock=found, **options) as client:
            if credential is not None:
                await client.sign_in(credential)
            yield client


@asynccontextmanager
async def gateway_over(
    channel: grpc.aio.Channel,
    trusted: Path,
    *,
    limits: WebSocketLimits | None = None,
    notice_s: float = 0.1,
    more: Callable[[], grpc.aio.Channel] | None = None,
) -> AsyncIterator[GatewayEdge]:
    """Run a gateway on a free port, over a channel that is there; `more` opens further ones."""
    options = WebSocketOptions(
        channel=channel,
        open_channel=more,
        origins=AllowedOrigins([OWN_ORIGIN]),
        limits=limits or WebSocketLimits(),
        notice_s=notice_s,
    )
    gateway = Gateway(options)
    pages = WebOptions(channel=channel, environment="sandbox", rest_url=str, grpc_target="", port=0)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(trusted))
    listener.listen()
    try:
        async with serve_web(pages, trusted=listener, upgrades=gateway) as address:
            yield GatewayEdge(gateway, address, trusted)
    finally:
        await asyncio.to_thread(trusted.unlink, missing_ok=True)


@asynccontextmanager
async def gateway_beside(
    venue: RunningVenue,
    *,
    kind: str = "in process",
    limits: WebSocketLimits | None = None,
    notice_s: float = 0.1,
) -> AsyncIterator[GatewayEdge]:
    """Run a gateway beside a venue: in its process, or as one over the network sees it."""
    trusted = venue.app.settings.data_dir / "trusted.sock"
    if kind == "network":
        # As a gateway of its own on the same machine, which is believed about its clients.
        def more() -> grpc.aio.Channel:
            return open_channel(f"unix:{venue.app.sockets.edge}", options=CHANNEL_OPTIONS)

        async with (
            more() as channel,
            gateway_over(channel, trusted, limits=limits, notice_s=notice_s, more=more) as edge,
        ):
            yield edge
        return
    server = InProcessServer(interceptors=[venue.app.public_edge()])
    venue.app.add_public(server)
    await server.start()
    try:
        async with (
            InProcessChannel(server, name="websocket gateway", stream_length_max=2) as channel,
            gateway_over(channel, trusted, limits=limits, notice_s=notice_s) as edge,
        ):
            yield edge
    finally:
        await server.stop(None)
