"""A channel of gRPC over HTTP/1.1, as Envoy speaks it to `calls.sock`: unary calls only, each on a
connection of its own.
"""

import asyncio
import base64
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio

_CODES = {code.value[0]: code for code in grpc.StatusCode}

Pairs = Sequence[tuple[str, str | bytes]]


class CallsChannel:
    """Looks like the channel of gRPC that it stands for, as far as unary calls go."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def unary_unary(
        self,
        method: str,
        *,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
    ) -> Callable[..., "Call"]:
        """Return what calls a method."""

        def call(request: Any, *, metadata: Pairs = (), timeout: float = 10) -> Call:
            message = request_serializer(request)
            head = [f"POST {method} HTTP/1.1", "host: venue", "te: trailers"]
            head += ["content-type: application/grpc", f"grpc-timeout: {int(timeout)}S"]
            head += [f"{name}: {value!s}" for name, value in metadata]
            head += [f"content-length: {len(message) + 5}", "", ""]
            sent = "\r\n".join(head).encode("latin-1") + framed(message)
            return Call(asyncio.create_task(self._exchange(sent)), response_deserializer)

        return call

    async def _exchange(self, request: bytes) -> "Answer":
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        try:
            writer.write(request)
            return await read_answer(reader)
        finally:
            writer.close()
            await writer.wait_closed()


def framed(message: bytes) -> bytes:
    """Return a message as gRPC frames it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Answer:
    """What came back: headers, a message unless there is an error, and trailers."""

    def __init__(self, headers: dict[str, str], body: bytes, trailers: dict[str, str]) -> None:
        self.headers = headers
        self.body = body
        self.trailers = trailers

    @property
    def code(self) -> grpc.StatusCode:
        """The status, which stands in the trailers, or with an error in the headers."""
        return _CODES[int({**self.headers, **self.trailers}["grpc-status"])]


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one answer, which is of one of the two forms."""
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    assert status == "HTTP/1.1 200 OK"
    headers = _fields(lines)
    assert headers["content-type"] == "application/grpc"
    if "content-length" in headers:
        assert headers["content-length"] == "0", "an error has no body"
        return Answer(headers, b"", {})
    assert headers["transfer-encoding"] == "chunked"
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).decode(), 16):
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    lines = []
    while line := (await reader.readuntil(b"\r\n")).decode("latin-1").rstrip("\r\n"):
        lines.append(line)
    return Answer(headers, body, _fields(lines))


def _fields(lines: Sequence[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name not in fields, f"a header is there twice: {lines}"
        if name:
            fields[name] = value
    return fields


class Call:
    """A call under way, awaited for its answer."""

    def __init__(self, task: "asyncio.Task[Answer]", deserialize: Callable[[bytes], Any]) -> None:
        self._task = task
        self._deserialize = deserialize

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result().__await__()

    async def _result(self) -> Any:
        answer = await self._task
        if answer.code is grpc.StatusCode.OK:
            assert answer.body[:5] == framed(answer.body[5:])[:5]
            return self._deserialize(answer.body[5:])
        raise grpc.aio.AioRpcError(
            answer.code,
            _metadata(answer.headers),
            _metadata(answer.headers),
            details=unquote(answer.headers["grpc-message"]),
        )

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """Return what came before the message."""
        return _metadata((await self._task).headers)


def _metadata(fields: dict[str, str]) -> grpc.aio.Metadata:
    return grpc.aio.Metadata(
        *(
            (name, base64.b64decode(value + "==") if name.endswith("-bin") else value)
            for name, value in fields.items()
        )
    )
