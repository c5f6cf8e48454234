"""Order entry over one WebSocket, and a market that a thousand of them follow.

Orders are durable, in JSON-RPC: one to a frame without waiting, arrays, and one at a time; with the
gateway in the venue's process, as `tradewire up` has it, and in one of its own. Beside what the
load saw stands what an order cost in processor time, which a busy machine changes less. On
a machine where something else runs, the rates and times say little.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from google.protobuf import json_format

from tests.bench import peers
from tests.bench.load import Load, write_requests
from tests.bench.orders import order
from tests.bench.ws_load import text_frame
from tests.bench.ws_venue import ONE_PROCESS

DEPLOYMENTS = {ONE_PROCESS: "gateway in the venue's process", "own": "gateway in its own process"}
# As many requests as a connection may have unanswered.
UNANSWERED = 1_000
BATCH = 64
BATCHES_UNANSWERED = 15
ORDERS = 30_000
ORDERS_ALONE = 2_000
ROUNDS = 3
SUBSCRIBERS = 1_000
CHANGES = 200
CHANGES_PER_S = 10


class Kind(NamedTuple):
    """How orders are sent."""

    orders: int
    orders_a_frame: int
    unanswered: int
    trade: bool


KINDS = {
    "one order a frame": Kind(ORDERS, 1, UNANSWERED, False),
    "one order a frame, one in four trades": Kind(ORDERS, 1, UNANSWERED, True),
    f"arrays of {BATCH}": Kind(ORDERS, BATCH, BATCHES_UNANSWERED, False),
    "one at a time": Kind(ORDERS_ALONE, 1, 1, False),
}


class Measured(NamedTuple):
    """What the load saw, and the processor time that gateway and venue took per order."""

    load: Load
    cpu_us: float


def frames(kind: Kind, first: int) -> Iterator[bytes]:
    """Yield the frames of so many orders, whose ids begin at `first`."""
    requests = []
    for number in range(first, first + kind.orders):
        placed = order(number)
        if not kind.trade:
            away = 50 if placed.side == 1 else 150
            placed.price = f"{away + number % 25}.00"
        params = json_format.MessageToDict(placed)
        request = {"jsonrpc": "2.0", "id": number, "method": "orders.place", "params": params}
        requests.append(json.dumps(request, separators=(",", ":")))
        if len(requests) == kind.orders_a_frame:
            text = f"[{','.join(requests)}]" if kind.orders_a_frame > 1 else requests[0]
            yield text_frame(text.encode())
            requests.clear()


def measure(path: Path, gateway: peers.WebSocketGateway, kind: Kind, first: int) -> Measured:
    """Send orders, from another process."""
    count = write_requests(path, frames(kind, first)) * kind.orders_a_frame
    command = [sys.executable, "-m", "tests.bench.ws_load", str(path), str(gateway.port)]
    command += [gateway.token, str(kind.unanswered), str(kind.orders_a_frame)]
    before_s = sum(map(peers.cpu_s, gateway.pids))
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    took_s = sum(map(peers.cpu_s, gateway.pids)) - before_s
    return Measured(Load(*json.loads(done.stdout)), took_s / count * 10**6)


def main(*, scale: int = 1) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        print(f"fdatasync p50 {peers.fdatasync_ms(directory):.2f} ms")
        for deployment, words in DEPLOYMENTS.items():
            with peers.websocket_gateway(directory / deployment, deployment) as gateway:
                _orders(directory / "frames", gateway, words, scale)
                _market(gateway, words)


def _orders(path: Path, gateway: peers.WebSocketGateway, words: str, scale: int) -> None:
    first = 10_000_000
    found: dict[str, list[Measured]] = {name: [] for name in KINDS}
    # In turns, and several times: the machine's speed drifts.
    for _ in range(ROUNDS):
        for name, kind in KINDS.items():
            scaled = kind._replace(orders=kind.orders * scale)
            found[name].append(measure(path, gateway, scaled, first))
            first += scaled.orders
    for name, rounds in found.items():
        load, cpu_us = max(rounds, key=lambda measured: measured.load.per_second)
        print(
            f"WebSocket orders, {name}, {words}: {load.per_second:,.0f} orders/s "
            f"p50 {load.p50_ms:.2f} ms p99 {load.p99_ms:.2f} ms cpu {cpu_us:.0f} us/order"
        )


def _market(gateway: peers.WebSocketGateway, words: str) -> None:
    for stalled in (0, 1):
        command = [sys.executable, "-m", "tests.bench.ws_subscribers", str(gateway.port)]
        command += [gateway.token, str(SUBSCRIBERS), str(stalled), str(CHANGES), str(CHANGES_PER_S)]
        before_s = sum(map(peers.cpu_s, gateway.pids))
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        took_s = sum(map(peers.cpu_s, gateway.pids)) - before_s
        seen = json.loads(done.stdout)
        cpu_us = took_s / max(1, seen["frames"]) * 10**6
        print(
            f"Market data, {SUBSCRIBERS:,} WebSockets, {stalled} of them stalled, {CHANGES_PER_S} "
            f"changes/s, {words}: p50 {seen['p50_ms']:.1f} ms p99 {seen['p99_ms']:.1f} ms max "
            f"{seen['max_ms']:.1f} ms, {seen['merged']} of {SUBSCRIBERS * CHANGES:,} merged, "
            f"{seen['ended']} ended, cpu {cpu_us:.0f} us/frame"
        )


if __name__ == "__main__":
    main()
