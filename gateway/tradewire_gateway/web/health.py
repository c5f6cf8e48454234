"""`/healthz`: what the venue says of its health, for load balancers and people."""

import json
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tradewire_gateway.web.documents import JSON, Document

_TIMEOUT_S = 2
_NEVER_KEPT = (("cache-control", "no-store"),)


async def health(channel: grpc.aio.Channel) -> Document:
    """Ask the venue; 200 when it serves, else 503."""
    try:
        # Its types know the blocking stub only.
        stub: Any = health_pb2_grpc.HealthStub(channel)
        found = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return _answer(503, "UNREACHABLE", error.code().name)
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(found.status)
    return _answer(200 if status == "SERVING" else 503, status)


def _answer(code: int, status: str, cause: str = "") -> Document:
    content = {"status": status, **({"cause": cause} if cause else {})}
    return Document.of(json.dumps(content), JSON, headers=_NEVER_KEPT, status=code)
