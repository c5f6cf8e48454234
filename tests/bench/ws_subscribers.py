"""Subscribers of market data over WebSocket, as many as wanted, some of which do not read.

One process, so that one clock says when a change of the book was sent and when each subscriber saw
it. Each change is a better bid at a price that was not there before, by which it is known.
"""

import asyncio
import json
import re
import socket
import sys
import time
from collections.abc import Callable
from typing import cast

import uvloop

from tests.bench.ws_load import is_upgraded, text_frame, upgrade

SYMBOL = "BTC-USD"
DEPTH = 5
CLIENTS_AT_ONCE = 50
SETTLE_S = 3.0
LATE_S = 20.0
# So small that a stalled reader is full at once.
STALLED_BUFFER = 4_096
_PRICE = re.compile(rb'"price":"([0-9]+\.[0-9]{2})"')
_STREAM = b'"method":"marketData.stream"'
_END_OF_HEAD = b"\r\n\r\n"
_CLOSE, _PING, _PONG = 0x88, 0x89, 0x8A


class Subscriber(asyncio.Protocol):
    """Notes when it sees each of the wanted prices first."""

    def __init__(self, hello: bytes, requests: list[bytes], wanted: frozenset[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self.seen: dict[bytes, float] = {}
        self.frames = 0
        self.ready: asyncio.Future[None] = loop.create_future()
        self.complete: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.Transport | None = None
        self._hello = hello
        self._requests = requests
        self._wanted = wanted
        self._is_upgraded = False
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by inheritance: uvloop has transports of its own.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._hello)

    def send(self, data: bytes) -> None:
        """Send bytes. Raises RuntimeError when the connection has ended."""
        assert self.transport is not None
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._data += data
        if not self._is_upgraded and not self._take_head():
            return
        position = 0
        while (frame := server_frame(self._data, position)) is not None:
            kind, payload, position = frame
            if kind == _PING:
                self.send(bytes((_PONG, 0x80 | len(payload))) + b"\0\0\0\0" + payload)
            elif kind == _CLOSE:
                self._fail(f"closed: {payload!r}")
            elif not self.ready.done():
                self._take_answer(payload)
            elif _STREAM in payload:
                self.frames += 1
                self._take_prices(payload, now)
        self._data = self._data[position:]

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"lost: {error}")

    def _take_head(self) -> bool:
        head, end, rest = self._data.partition(_END_OF_HEAD)
        if not end:
            return False
        self._is_upgraded, self._data = True, rest
        if not is_upgraded(head):
            self._fail(f"not upgraded: {head!r}")
        for request in self._requests:
            self.send(request)
        return True

    def _take_answer(self, payload: bytes) -> None:
        if b'"result":{' in payload:
            self.ready.set_result(None)
        else:
            self._fail(payload.decode())

    def _take_prices(self, payload: bytes, now: float) -> None:
        for price in _PRICE.findall(payload):
            if price in self._wanted:
                self.seen.setdefault(price, now)
        if len(self.seen) == len(self._wanted) and not self.complete.done():
            self.complete.set_result(None)

    def _fail(self, text: str) -> None:
        for future in (self.ready, self.complete):
            if not future.done():
                future.set_exception(RuntimeError(text))
                # Who does not wait for it is not told.
                future.exception()


def server_frame(data: bytes, position: int) -> tuple[int, bytes, int] | None:
    """Return the first byte, the payload and the end of a frame, None if it is not there whole."""
    if len(data) < position + 2:
        return None
    size, start = data[position + 1], position + 2
    if size > 125:
        width = 2 if size == 126 else 8
        size = int.from_bytes(data[start : start + width])
        start += width
    if len(data) < start + size:
        return None
    return data[position], data[start : start + size], start + size


def request(number: int, method: str, params: dict[str, object]) -> bytes:
    """Return the frame of a request."""
    content = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return text_frame(json.dumps(content).encode())


def place(number: int, price: str) -> bytes:
    """Return the frame of a bid."""
    params: dict[str, object] = {
        "clientOrderId": f"s-{time.time_ns()}",
        "symbol": SYMBOL,
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "0.01",
        "price": price,
    }
    return request(number, "orders.place", params)


def prices(count: int) -> list[str]:
    """Return rising prices that the venue writes as they stand: without a zero at the end."""
    return [f"{100 + i // 90}.{i % 90 // 9}{i % 9 + 1}" for i in range(count)]


async def connect(port: int, make: Callable[[], Subscriber], *, buffer: int = 0) -> Subscriber:
    """Open a connection and wait until its request is answered."""
    client = socket.socket()
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    _, subscriber = await loop.create_connection(make, sock=client)
    await subscriber.ready
    return subscriber


async def run(
    port: int, token: str, count: int, stalled: int, changes: int, changes_per_s: float
) -> dict[str, float]:
    """Subscribe, change the book, and return what the readers saw.

    Raises RuntimeError when a reader's connection ends.
    """
    steps = prices(changes)
    wanted = frozenset(price.encode() for price in steps)
    start_over = [request(1, "orders.cancelAll", {})]
    trader = await connect(port, lambda: Subscriber(upgrade(port, token), start_over, frozenset()))
    follow = [request(1, "marketData.stream", {"symbols": [SYMBOL], "depth": DEPTH})]
    subscribers: list[Subscriber] = []
    for start in range(0, count, CLIENTS_AT_ONCE):
        subscribers += await asyncio.gather(
            *(
                connect(
                    port,
                    lambda: Subscriber(upgrade(port), follow, wanted),
                    buffer=STALLED_BUFFER if number < stalled else 0,
                )
                for number in range(start, min(start + CLIENTS_AT_ONCE, count))
            )
        )
    for subscriber in subscribers[:stalled]:
        assert subscriber.transport is not None
        subscriber.transport.pause_reading()
    await asyncio.sleep(SETTLE_S)
    before = sum(subscriber.frames for subscriber in subscribers)
    sent: dict[bytes, float] = {}
    started = time.perf_counter()
    for number, price in enumerate(steps):
        await asyncio.sleep(max(0.0, started + number / changes_per_s - time.perf_counter()))
        sent[price.encode()] = time.perf_counter()
        trader.send(place(number + 2, price))
    readers = subscribers[stalled:]
    # Who was too slow has seen merged updates and misses some: that is counted.
    await asyncio.wait([reader.complete for reader in readers], timeout=LATE_S)
    frames = sum(subscriber.frames for subscriber in subscribers) - before
    return _report(readers, sent) | {"frames": frames}


def _report(readers: list[Subscriber], sent: dict[bytes, float]) -> dict[str, float]:
    late = sorted(at - sent[price] for reader in readers for price, at in reader.seen.items())
    return {
        "p50_ms": late[len(late) // 2] * 1000,
        "p99_ms": late[len(late) * 99 // 100] * 1000,
        "max_ms": late[-1] * 1000,
        "merged": len(readers) * len(sent) - len(late),
        "ended": sum(
            reader.complete.done() and reader.complete.exception() is not None for reader in readers
        ),
    }


if __name__ == "__main__":
    _, port, token, count, stalled, changes, changes_per_s = sys.argv
    print(
        json.dumps(
            uvloop.run(
                run(int(port), token, int(count), int(stalled), int(changes), float(changes_per_s))
            )
        )
    )
