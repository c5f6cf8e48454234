"""The load: prepared HTTP/1.1 requests over a few kept connections, each one after the other.

A process of its own, so that what it costs is the same whoever answers. Requests come from a file,
made before the clock starts: making them is the client's own business, signing as well.
"""

import asyncio
import json
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, cast

import httptools
import uvloop

_LENGTH = struct.Struct("<I")


class Load(NamedTuple):
    """What came of it: requests per second, and the time from a request to its answer."""

    per_second: float
    p50_ms: float
    p99_ms: float


def write_requests(path: Path, requests: Iterable[bytes]) -> int:
    """Write requests for the load to send; return how many."""
    count = 0
    with path.open("wb") as file:
        for request in requests:
            file.write(_LENGTH.pack(len(request)) + request)
            count += 1
    return count


def read_requests(path: Path) -> Iterator[bytes]:
    """Yield the requests of a file."""
    data = path.read_bytes()
    position = 0
    while position < len(data):
        (size,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        yield data[position : position + size]
        position += size


class _Connection(asyncio.Protocol):
    """Sends the next request when the last one is answered, until there is none."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by inheritance: uvloop has transports of its own.
        self._transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._body = b""
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed before its answer"))

    # What the parser calls.

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._latencies.append(time.perf_counter() - self._sent_at)
        if self._parser.get_status_code() != 200 or b'"error":{' in self._body:
            self.done.set_exception(RuntimeError(self._body.decode()))
            return
        self.send_next()


async def run(path: Path, host: str, port: int, connections: int) -> Load:
    """Send all requests and return what came of it.

    Raises RuntimeError for an answer that is an error.
    """
    requests, latencies = iter(list(read_requests(path))), list[float]()
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: _Connection(requests, latencies), host, port))[1]
        for _ in range(connections)
    ]
    started = time.perf_counter()
    for connection in opened:
        connection.send_next()
    await asyncio.gather(*(connection.done for connection in opened))
    took = time.perf_counter() - started
    latencies.sort()
    count = len(latencies)
    return Load(count / took, latencies[count // 2] * 1000, latencies[count * 99 // 100] * 1000)


if __name__ == "__main__":
    _, file, host, port, connections = sys.argv
    print(json.dumps(uvloop.run(run(Path(file), host, int(port), int(connections)))))
