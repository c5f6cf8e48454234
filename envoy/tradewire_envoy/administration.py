"""Envoy's administration interface on its socket: is it ready, where does it listen, drain."""

import asyncio
import io
import json
import re
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from socket import socket
from typing import NamedTuple, cast

ANSWER_MAX = 1 << 20
_HEADERS = b"\r\nhost: envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_ACTIVE = "http.rest.downstream_rq_active"


class Answer(NamedTuple):
    """What the interface said."""

    status: int
    body: bytes


class NoAnswer(Exception):
    """The interface does not answer, or not in HTTP."""


class Administration:
    """Asks on the socket; every question has a connection of its own, and a time to be answered.

    All methods raise NoAnswer.
    """

    def __init__(self, path: Path, *, timeout_s: float = 5.0) -> None:
        self._path = path
        self._timeout_s = timeout_s

    async def is_ready(self) -> bool:
        """Return whether it serves."""
        return (await self._ask("GET", "/ready")).status == 200

    async def port(self, listener: str) -> int:
        """Return the port that a listener has got."""
        return port_of((await self._ask("GET", "/listeners?format=json")).body, listener)

    async def stop_listening(self) -> None:
        """Take no more connections; those that are there are told to end after their request."""
        await self._ask("POST", "/healthcheck/fail")
        await self._ask("POST", "/drain_listeners")

    async def requests_under_way(self) -> int:
        """Return how many requests have not been answered to their end."""
        answer = await self._ask("GET", f"/stats?filter=^{re.escape(_ACTIVE)}$")
        return int(answer.body.decode().rpartition(":")[2] or 0)

    async def _ask(self, verb: str, path: str) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                return parse(await self._exchange(f"{verb} {path} HTTP/1.1".encode()))
        except (OSError, ValueError, HTTPException) as error:
            raise NoAnswer(f"{self._path}: {error!r}") from error

    async def _exchange(self, line: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        try:
            writer.write(line + _HEADERS)
            received = b""
            while len(received) < ANSWER_MAX:
                part = await reader.read(1 << 16)
                if not part:
                    break
                received += part
            return received
        finally:
            writer.close()


def parse(received: bytes) -> Answer:
    """Read an HTTP response that was received whole.

    Raises HTTPException and ValueError.
    """
    response = HTTPResponse(cast(socket, _Received(received)))
    response.begin()
    return Answer(response.status, response.read())


class _Received:
    """Stands for a socket on which everything has come already."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._received)


def port_of(listeners: bytes, name: str) -> int:
    """Return the port of a listener from the answer to `/listeners?format=json`.

    Raises NoAnswer when it is not among them (yet).
    """
    try:
        for status in json.loads(listeners)["listener_statuses"]:
            if status["name"] == name:
                return int(status["local_address"]["socket_address"]["port_value"])
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"its listeners are not as expected: {error!r}") from error
    raise NoAnswer(f"it has no listener {name}")
