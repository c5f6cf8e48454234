"""The load: prepared JSON-RPC frames over one WebSocket, a bounded number of frames unanswered.

A process of its own that knows no more of WebSocket than how a frame begins, so that what it costs
is the same whatever answers. Answers to orders come in the order of the orders.
"""

import json
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from tests.bench.load import Load, read_requests

RESULT = b'"result":{"order":'
REFUSED = b'"error":{'
# A connection that does not answer any more.
ANSWER_S = 60.0
_NO_MASK = b"\0\0\0\0"
_HEADER = struct.Struct("!BB")
_LENGTH_16, _LENGTH_64 = struct.Struct("!H"), struct.Struct("!Q")
_MASKED, _FINAL_TEXT = 0x80, 0x81


def text_frame(payload: bytes) -> bytes:
    """Return a frame of a client. Its mask is zero, which costs the server as much as any other."""
    size = len(payload)
    if size < 126:
        return _HEADER.pack(_FINAL_TEXT, _MASKED | size) + _NO_MASK + payload
    if size < 1 << 16:
        length = _HEADER.pack(_FINAL_TEXT, _MASKED | 126) + _LENGTH_16.pack(size)
    else:
        length = _HEADER.pack(_FINAL_TEXT, _MASKED | 127) + _LENGTH_64.pack(size)
    return length + _NO_MASK + payload


def upgrade(port: int, token: str = "") -> bytes:
    """Return the request that makes a WebSocket of a connection."""
    lines = [
        "GET /v1/ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dHJhZGV3aXJlLWJlbmNoLQ==",
        "Sec-WebSocket-Version: 13",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def is_upgraded(head: bytes) -> bool:
    """Say whether a connection has become a WebSocket."""
    return head.startswith(b"HTTP/1.1 101")


class _Answers:
    """Counts the orders that are answered."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def receive(self) -> int:
        """Wait for bytes; return how many orders they answer.

        Raises RuntimeError for an error and when the connection ends.
        """
        data = self._connection.recv(1 << 18)
        seen = self._rest + data
        if not data or REFUSED in seen:
            raise RuntimeError(f"not what was to come: {seen[-500:]!r}")
        # What may be the beginning of a mark that goes on in the next bytes.
        self._rest = seen[-(len(RESULT) - 1) :]
        return seen.count(RESULT)


def run(path: Path, port: int, token: str, unanswered: int, orders_a_frame: int) -> Load:
    """Send all frames and return what came of it; latency is from a frame to its last answer.

    Raises RuntimeError when not each order is answered.
    """
    frames = list(read_requests(path))
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(upgrade(port, token))
        head = connection.recv(1 << 16)
        if not is_upgraded(head):
            raise RuntimeError(f"not upgraded: {head!r}")
        took, latencies = _exchange(connection, frames, unanswered, orders_a_frame)
    latencies.sort()
    count = len(latencies)
    orders = count * orders_a_frame
    return Load(orders / took, latencies[count // 2] * 1000, latencies[count * 99 // 100] * 1000)


def _exchange(
    connection: socket.socket, frames: list[bytes], unanswered: int, orders_a_frame: int
) -> tuple[float, list[float]]:
    answers = _Answers(connection)
    latencies = list[float]()
    sent_at = deque[float]()
    position = done = answered = 0
    started = time.perf_counter()
    while done < len(frames):
        room = unanswered - (position - done)
        if room > 0 and position < len(frames):
            portion = frames[position : position + room]
            sent_at.extend([time.perf_counter()] * len(portion))
            connection.sendall(b"".join(portion))
            position += len(portion)
        answered += answers.receive()
        now = time.perf_counter()
        latencies.extend(_finished(sent_at, now, answered // orders_a_frame - done))
        done = answered // orders_a_frame
    return time.perf_counter() - started, latencies


def _finished(sent_at: deque[float], now: float, count: int) -> Iterator[float]:
    for _ in range(count):
        yield now - sent_at.popleft()


if __name__ == "__main__":
    _, file, port, token, unanswered, orders_a_frame = sys.argv
    print(json.dumps(run(Path(file), int(port), token, int(unanswered), int(orders_a_frame))))
