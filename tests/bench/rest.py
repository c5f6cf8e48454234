"""REST through Envoy with everything on, beside FastAPI with one insert, as DESIGN 9 asks for.

Both are asked by the same load over 32 kept connections: single orders with a token, signed single
orders, batches. The account is exempt from limits, which are looked at all the same; every request
with a body passes the check before the transcoder.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf import json_format

from tests.bench import peers
from tests.bench.load import Load, write_requests
from tests.bench.orders import order
from tests.support.rest import SigningKey, hmac_signer, signed_headers

CONNECTIONS = 32
BATCH = 50
ROUNDS = 2
ORDERS = 3_000
BATCHES = 200

Headers = Callable[[str, str, bytes], dict[str, str]]


class Kind(NamedTuple):
    """A way to send orders: `rounds` requests of `batch` orders, and what stands in their heads."""

    name: str
    batch: int
    rounds: int
    headers: Headers


def bodies(count: int, batch: int, first: int) -> Iterator[bytes]:
    """Yield so many orders, or batches of orders, as JSON; the numbers begin at `first`."""
    for index in range(count):
        orders = [
            json_format.MessageToDict(order(first + index * batch + position))
            for position in range(batch)
        ]
        yield json.dumps(orders[0] if batch == 1 else {"orders": orders}).encode()


def requests(kind: Kind, first: int) -> Iterator[bytes]:
    """Yield the requests of a kind as they are on the wire."""
    path = "/v1/orders" if kind.batch == 1 else "/v1/orders:batchPlace"
    for body in bodies(kind.rounds, kind.batch, first):
        headers = {
            "host": "bench",
            "content-type": "application/json",
            "content-length": str(len(body)),
            **kind.headers("POST", path, body),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        yield f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def measure(directory: Path, kind: Kind, port: int, first: int) -> Load:
    """Send the requests of a kind to a port, from another process."""
    path = directory / "requests"
    write_requests(path, requests(kind, first))
    command = [sys.executable, "-m", "tests.bench.load", str(path), "127.0.0.1", str(port)]
    done = subprocess.run(
        [*command, str(CONNECTIONS)], check=True, stdout=subprocess.PIPE, text=True
    )
    return Load(*json.loads(done.stdout))


def kinds(gateway: peers.Gateway, scale: int) -> list[Kind]:
    """Return what is measured of ours."""

    def bearer(method: str, path: str, body: bytes) -> dict[str, str]:
        return {"authorization": f"Bearer {gateway.token}"}

    def signed(key: SigningKey) -> Headers:
        def headers(method: str, path: str, body: bytes) -> dict[str, str]:
            # They are all signed before the first is sent.
            return {**signed_headers(key, method, path, body), "x-api-recv-window": "60000"}

        return headers

    seed = bytes.fromhex(gateway.ed25519_seed)
    ed25519 = SigningKey(gateway.ed25519_key, Ed25519PrivateKey.from_private_bytes(seed).sign)
    hmac_key = SigningKey(gateway.hmac_key, hmac_signer(gateway.hmac_secret))
    return [
        Kind("single orders, token", 1, ORDERS * scale, bearer),
        Kind("single orders, Ed25519", 1, ORDERS * scale, signed(ed25519)),
        Kind("single orders, HMAC", 1, ORDERS * scale, signed(hmac_key)),
        Kind(f"batches of {BATCH}, token", BATCH, BATCHES * scale, bearer),
    ]


def main(*, scale: int = 1) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        print(f"fdatasync p50 {peers.fdatasync_ms(directory):.2f} ms")
        with (
            peers.gateway(directory / "venue") as gateway,
            peers.fastapi(directory / "peer.db") as peer_port,
        ):
            peer_kind = Kind("FastAPI", 1, ORDERS * scale, lambda method, path, body: {})
            ours = kinds(gateway, scale)
            pairs: dict[str, list[tuple[Load, Load]]] = {kind.name: [] for kind in ours}
            first = 10_000_000
            # In turns, and several times: the machine's speed drifts.
            for _ in range(ROUNDS):
                for kind in ours:
                    peer = measure(directory, peer_kind, peer_port, first)
                    pairs[kind.name].append((measure(directory, kind, gateway.port, first), peer))
                    first += kind.rounds * kind.batch
            for kind in ours:
                _report(kind, pairs[kind.name])


def _report(kind: Kind, pairs: list[tuple[Load, Load]]) -> None:
    ours, peer = max(pairs, key=lambda pair: pair[0].per_second / pair[1].per_second)
    per_order = kind.batch * ours.per_second
    print(
        f"REST x{CONNECTIONS}, {kind.name}: {per_order:,.0f} orders/s p50 {ours.p50_ms:.1f} ms "
        f"p99 {ours.p99_ms:.1f} ms | FastAPI {peer.per_second:,.0f}/s p50 {peer.p50_ms:.1f} ms | "
        f"ratio per order {per_order / peer.per_second:.2f}"
    )


if __name__ == "__main__":
    main()
