"""The HTTP edge as a process of its own, beside a server that `tradewire serve` runs.

For example: `python -m tradewire_gateway.web --upstream unix:/var/lib/tradewire/edge.sock
--rest-url https://api.example --envoy-socket /var/lib/tradewire/http.sock`.

It serves WebSocket, too. Over the server's edge socket the addresses of its clients count there,
for allow-lists and limits; over its public listener all of them are the gateway's. Envoy comes
through the socket that `--envoy-socket` names and is believed when it says where a client is; who
comes through the port is where the connection is from.
"""

import argparse
import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import prometheus_client
import uvloop
from tradewire.v1 import session_service_pb2, session_service_pb2_grpc

from tradewire_gateway.channel import PlaintextRefused
from tradewire_gateway.process import add_upstream, open_upstream, told_to_end
from tradewire_gateway.web.options import DEFAULT_PORT, WebOptions
from tradewire_gateway.web.serving import serve_web
from tradewire_gateway.ws import AllowedOrigins, Gateway, OriginError, WebSocketOptions
from tradewire_gateway.ws.meters import Meters
from tradewire_gateway.ws.upstream import CHANNEL_OPTIONS

ANSWER_S = 10.0
LOOPBACK = "127.0.0.1"
OWNER_ONLY = 0o177


def main() -> int:
    """Serve until a signal comes; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tradewire_gateway.web",
        description="Serve documentation, health and WebSocket of a venue.",
    )
    add_upstream(parser)
    parser.add_argument(
        "--rest-url", required=True, help="where clients find REST, e.g. https://api.example"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes any free one")
    parser.add_argument(
        "--envoy-socket", type=Path, help="unix socket to listen on, for Envoy's WebSocket route"
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        help="web origin whose pages may open a WebSocket, e.g. https://app.example; repeat for "
        "more. That of --rest-url may",
    )
    parser.add_argument("--drain-s", type=float, default=5.0, help="notice before connections end")
    parser.add_argument("--metrics-port", type=int, help="where Prometheus reads, on this machine")
    arguments = parser.parse_args()
    try:
        origins = AllowedOrigins(arguments.origin, own=lambda: (arguments.rest_url,))
    except OriginError as error:
        parser.error(str(error))
    try:
        uvloop.run(_serve(arguments, origins))
    except grpc.aio.AioRpcError as error:
        print(f"the venue does not answer: {error.details()}", file=sys.stderr)
        return 1
    except (OSError, PlaintextRefused) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _serve(arguments: argparse.Namespace, origins: AllowedOrigins) -> None:
    told = told_to_end()
    meters = Meters()
    async with open_upstream(arguments, options=CHANNEL_OPTIONS) as channel:
        sessions = session_service_pb2_grpc.SessionServiceStub(channel)
        server = await sessions.GetServerTime(
            session_service_pb2.GetServerTimeRequest(), timeout=ANSWER_S
        )
        options = WebOptions(
            channel=channel,
            environment=server.environment,
            rest_url=lambda: str(arguments.rest_url).rstrip("/"),
            grpc_target=arguments.upstream,
            host=arguments.host,
            port=arguments.port,
        )
        gateway = Gateway(
            WebSocketOptions(
                channel=channel,
                open_channel=lambda: open_upstream(arguments, options=CHANNEL_OPTIONS),
                origins=origins,
                meters=meters,
                notice_s=arguments.drain_s,
            )
        )
        with _metrics(arguments.metrics_port, meters), _trusted(arguments.envoy_socket) as trusted:
            async with serve_web(options, trusted=trusted, upgrades=gateway) as address:
                print(
                    f"Documents, health and WebSocket of {arguments.upstream}: http://{address}",
                    flush=True,
                )
                await told.wait()


@contextlib.contextmanager
def _trusted(path: Path | None) -> Iterator[socket.socket | None]:
    """Open the socket for Envoy, which only this user can use.

    Raises OSError: another process listens there, or it cannot be made.
    """
    if path is None:
        yield None
        return
    with socket.socket(socket.AF_UNIX) as listener:
        _make_room(path)
        former = os.umask(OWNER_ONLY)
        try:
            listener.bind(str(path))
        finally:
            os.umask(former)
        listener.listen()
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _make_room(path: Path) -> None:
    """Remove a socket on which nobody listens any more.

    Raises OSError when somebody does, or when it is no socket.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            if not path.is_socket():
                raise FileExistsError(f"{path} is in the way and is no socket") from None
            path.unlink()
            return
    raise FileExistsError(f"another process listens on {path}")


@contextlib.contextmanager
def _metrics(port: int | None, meters: Meters) -> Iterator[None]:
    """Let Prometheus read while the context lasts.

    Raises OSError when the port cannot be opened.
    """
    if port is None:
        yield
        return
    server, thread = prometheus_client.start_http_server(
        port, addr=LOOPBACK, registry=meters.registry
    )
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
