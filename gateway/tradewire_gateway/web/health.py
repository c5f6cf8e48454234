"""`/healthz`: what the venue says of its health, for load balancers and people."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tradewire_gateway.web.documents import JSON, Document

# How old an answer may be: whoever asks, and however often, the venue is asked this often.
KEPT_S = 1.0
_TIMEOUT_S = 2
_NEVER_KEPT = (("cache-control", "no-store"),)


class Health:
    """The last answer of the venue, asked for again when it is too old; `clock` is in seconds."""

    def __init__(self, channel: grpc.aio.Channel, *, clock: Callable[[], float]) -> None:
        self._channel = channel
        self._clock = clock
        # All who come meanwhile wait for one question.
        self._asking = asyncio.Lock()
        self._found: Document | None = None
        self._found_s = 0.0

    async def document(self) -> Document:
        """Return 200 when the venue serves, else 503."""
        async with self._asking:
            now_s = self._clock()
            if self._found is None or now_s - self._found_s >= KEPT_S:
                self._found = await _ask(self._channel)
                self._found_s = now_s
            return self._found


async def _ask(channel: grpc.aio.Channel) -> Document:
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
