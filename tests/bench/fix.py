"""FIX order entry, NewOrderSingle(D) to ExecutionReport(8), beside an executor made with QuickFIX.

Both are asked by the same load over one session, as DESIGN 9 asks for. Ours validates everything,
matches, keeps the ledger, and reports what is on disk; QuickFIX's validates against the same
dictionary, matches nothing, and remembers in its file store, which is not synced. Beside what the
load saw stands what an order cost in processor time, which a busy machine changes less.
"""

import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tradewire.v1 import order_pb2

from tests.bench import peers
from tests.bench.load import Load, write_requests
from tests.bench.orders import order
from tests.support.fix_peers.quickfix import has_quickfix

SENDER = "BENCH"
TARGET = "TW-ORDERS"
UNANSWERED = 1_000
ORDERS = 20_000
ORDERS_ALONE = 2_000
ROUNDS = 3


def encode(msg_type: str, number: int, sending_time: str, body: str) -> bytes:
    """Return a message as it is on the wire."""
    content = f"35={msg_type}\x0149={SENDER}\x0156={TARGET}\x0134={number}\x0152={sending_time}\x01"
    content += body
    head = f"8=FIX.4.4\x019={len(content)}\x01{content}".encode()
    return head + f"10={sum(head) % 256:03d}\x01".encode()


def logon(sending_time: str, gateway: peers.FixGateway | None) -> str:
    """Return the fields of a Logon(A) that begins anew; ours wants it signed."""
    body = "98=0\x01108=60\x01"
    if gateway is not None:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(gateway.seed))
        text = "\x01".join(("A", SENDER, TARGET, "1", sending_time))
        signature = base64.b64encode(key.sign(text.encode())).decode()
        body += f"95={len(signature)}\x0196={signature}\x01553={gateway.key_id}\x01"
    return body + "141=Y\x01"


def messages(
    count: int, first: int, gateway: peers.FixGateway | None, *, trade: bool
) -> Iterator[bytes]:
    """Yield a session of so many orders, whose ids begin at `first`."""
    sending_time = datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%d-%H:%M:%S.%f")
    yield encode("A", 1, sending_time, logon(sending_time, gateway))
    for index in range(count):
        # One in four trades, or none.
        placed = order(first + index)
        side = "1" if placed.side == order_pb2.SIDE_BUY else "2"
        price = placed.price
        if not trade:
            price = f"{50 + index % 25 if side == '1' else 150 + index % 25}.00"
        body = (
            f"11={placed.client_order_id}\x0155={placed.symbol}\x0154={side}\x01"
            f"60={sending_time}\x0138={placed.quantity}\x0140=2\x0144={price}\x0159=1\x01"
        )
        yield encode("D", index + 2, sending_time, body)
    yield encode("5", count + 2, sending_time, "")


class Measured(NamedTuple):
    """What the load saw, and the processor time that the answering process took per order."""

    load: Load
    cpu_us: float


def measure(path: Path, port: int, pid: int, session: Iterator[bytes], unanswered: int) -> Measured:
    """Send a session to a port, from another process."""
    count = write_requests(path, session) - len(("logon", "logout"))
    command = [sys.executable, "-m", "tests.bench.fix_load", str(path), str(port), str(unanswered)]
    before_s = peers.cpu_s(pid)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    took_s = peers.cpu_s(pid) - before_s
    return Measured(Load(*json.loads(done.stdout)), took_s / count * 10**6)


def main(*, scale: int = 1) -> None:
    """Print the table."""
    if not has_quickfix():
        print("FIX: not measured, the peer needs g++, libquickfix-dev and libssl-dev")
        return
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        sync_ms = peers.fdatasync_ms(directory)
        print(f"fdatasync p50 {sync_ms:.2f} ms")
        with (
            peers.fix_gateway(directory / "venue") as gateway,
            peers.executor(directory, SENDER, TARGET) as executor,
        ):
            _compare(directory / "session", gateway, executor, sync_ms, scale)


def _compare(
    path: Path, gateway: peers.FixGateway, executor: peers.Executor, sync_ms: float, scale: int
) -> None:
    first = 10_000_000
    kinds = {
        "pipelined": (ORDERS * scale, UNANSWERED, False),
        "pipelined, one in four trades": (ORDERS * scale, UNANSWERED, True),
        "one at a time": (ORDERS_ALONE * scale, 1, False),
    }
    pairs: dict[str, list[tuple[Measured, Measured]]] = {kind: [] for kind in kinds}
    # In turns, and several times: the machine's speed drifts.
    for _ in range(ROUNDS):
        for kind, (count, unanswered, trade) in kinds.items():
            session = messages(count, first, None, trade=trade)
            peer = measure(path, executor.port, executor.pid, session, unanswered)
            session = messages(count, first, gateway, trade=trade)
            ours = measure(path, gateway.port, gateway.pid, session, unanswered)
            pairs[kind].append((ours, peer))
            first += count
    for kind, found in pairs.items():
        _report(kind, found, sync_ms)


def _report(kind: str, pairs: list[tuple[Measured, Measured]], sync_ms: float) -> None:
    ours, peer = max(pairs, key=lambda pair: pair[0].load.per_second / pair[1].load.per_second)
    throughput = ours.load.per_second / peer.load.per_second
    latency = ours.load.p50_ms / (peer.load.p50_ms + sync_ms)
    print(
        f"FIX D -> 8, {kind}: {_words(ours)} | QuickFIX {_words(peer)} | throughput ratio "
        f"{throughput:.2f}, p50 over QuickFIX's plus fdatasync {latency:.2f}, cpu ratio "
        f"{ours.cpu_us / peer.cpu_us:.2f}"
    )


def _words(measured: Measured) -> str:
    load, cpu_us = measured
    return (
        f"{load.per_second:,.0f} orders/s p50 {load.p50_ms:.2f} ms p99 {load.p99_ms:.2f} ms "
        f"cpu {cpu_us:.0f} us/order"
    )


if __name__ == "__main__":
    main()
