"""The HTTP edge as a process of its own, beside a server that `tradewire serve` runs.

For example: `python -m tradewire_gateway.web --upstream HOST:50051 --rest-url https://api.example`.
"""

import argparse
import asyncio
import sys

import grpc.aio
from tradewire.v1 import session_service_pb2, session_service_pb2_grpc

from tradewire_gateway.channel import PlaintextRefused
from tradewire_gateway.process import add_upstream, open_upstream, told_to_end
from tradewire_gateway.web.options import DEFAULT_PORT, WebOptions
from tradewire_gateway.web.serving import serve_web

ANSWER_S = 10.0


def main() -> int:
    """Serve until a signal comes; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tradewire_gateway.web",
        description="Serve documentation and health of a venue over HTTP.",
    )
    add_upstream(parser)
    parser.add_argument(
        "--rest-url", required=True, help="where clients find REST, e.g. https://api.example"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes any free one")
    try:
        asyncio.run(_serve(parser.parse_args()))
    except grpc.aio.AioRpcError as error:
        print(f"the venue does not answer: {error.details()}", file=sys.stderr)
        return 1
    except (OSError, PlaintextRefused) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    told = told_to_end()
    async with open_upstream(arguments) as channel:
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
        async with serve_web(options) as address:
            print(f"Documents and health of {arguments.upstream}: http://{address}", flush=True)
            await told.wait()


if __name__ == "__main__":
    sys.exit(main())
