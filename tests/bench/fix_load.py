"""The load: prepared FIX messages over one socket, a bounded number of orders unanswered.

A process of its own that knows no more of FIX than what a report looks like, so that what it costs
is the same whoever answers. The first message is the Logon(A), the last one the Logout(5).
"""

import json
import socket
import sys
import time
from collections import deque
from pathlib import Path

from tests.bench.load import Load, read_requests

NEW = b"\x01150=0\x01"
REFUSED = b"\x01150=8\x01"
# A session that does not answer any more.
ANSWER_S = 60.0


class _Reports:
    """Counts the orders that are reported new."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def receive(self) -> int:
        """Wait for bytes; return how many orders they report.

        Raises RuntimeError for a refusal and when the session ends.
        """
        data = self._connection.recv(1 << 18)
        seen = self._rest + data
        if not data or REFUSED in seen:
            raise RuntimeError(f"not what was to come: {seen[-500:]!r}")
        # What may be the beginning of a mark that goes on in the next bytes.
        self._rest = seen[-(len(NEW) - 1) :]
        return seen.count(NEW)


def log_on(connection: socket.socket, logon: bytes) -> None:
    """Log on.

    Raises RuntimeError when the answer is not a Logon(A).
    """
    connection.sendall(logon)
    answer = b""
    while b"\x0110=" not in answer or not answer.endswith(b"\x01"):
        data = connection.recv(1 << 16)
        answer += data
        if not data:
            break
    if b"\x0135=A\x01" not in answer:
        raise RuntimeError(f"not logged on: {answer!r}")


def run(path: Path, port: int, unanswered: int) -> Load:
    """Send all orders and return what came of it.

    Raises RuntimeError when not each of them is reported new.
    """
    logon, *orders, logout = read_requests(path)
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        log_on(connection, logon)
        reports = _Reports(connection)
        latencies = list[float]()
        sent_at = deque[float]()
        position = done = 0
        started = time.perf_counter()
        while done < len(orders):
            room = unanswered - (position - done)
            if room > 0 and position < len(orders):
                portion = orders[position : position + room]
                sent_at.extend([time.perf_counter()] * len(portion))
                connection.sendall(b"".join(portion))
                position += len(portion)
            count = reports.receive()
            now = time.perf_counter()
            latencies.extend(now - sent_at.popleft() for _ in range(count))
            done += count
        took = time.perf_counter() - started
        connection.sendall(logout)
        while connection.recv(1 << 16):
            pass
    latencies.sort()
    count = len(latencies)
    return Load(count / took, latencies[count // 2] * 1000, latencies[count * 99 // 100] * 1000)


if __name__ == "__main__":
    _, file, port, unanswered = sys.argv
    print(json.dumps(run(Path(file), int(port), int(unanswered))))
