"""What is understood of Envoy's administration interface."""

import asyncio
import json
from pathlib import Path

import pytest
from tradewire_envoy.administration import ANSWER_MAX, Administration, NoAnswer, parse, port_of

LISTENERS = {
    "listener_statuses": [
        {"name": "other", "local_address": {"pipe": {"path": "/x"}}},
        {
            "name": "rest",
            "local_address": {"socket_address": {"address": "127.0.0.1", "port_value": 4711}},
        },
    ]
}


def test_answers_in_pieces_are_put_together() -> None:
    received = (
        b"HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n"
        b"4\r\nPRE_\r\nc\r\nINITIALIZING\r\n0\r\n\r\n"
    )
    assert parse(received) == (503, b"PRE_INITIALIZING")


def test_the_port_of_a_listener_is_found_by_its_name() -> None:
    assert port_of(json.dumps(LISTENERS).encode(), "rest") == 4711


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"listener_statuses": []}'])
def test_a_listener_that_is_not_there_is_an_error(answer: bytes) -> None:
    with pytest.raises(NoAnswer):
        port_of(answer, "rest")


async def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match=r"none\.sock"):
        await Administration(tmp_path / "none.sock").is_ready()


@pytest.mark.parametrize("said", [b"", b"hello\r\n", b"x" * (ANSWER_MAX + 1)])
async def test_what_is_not_http_is_no_answer(tmp_path: Path, said: bytes) -> None:
    with pytest.raises(NoAnswer):
        await _ask(tmp_path, said)


async def test_who_does_not_answer_in_time_gives_no_answer(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="Timeout"):
        await _ask(tmp_path, None)


@pytest.mark.parametrize(("status", "ready"), [("200 OK", True), ("503 No", False)])
async def test_ready_is_what_answers_200(tmp_path: Path, status: str, ready: bool) -> None:
    assert await _ask(tmp_path, f"HTTP/1.1 {status}\r\n\r\n".encode()) is ready


async def _ask(directory: Path, said: bytes | None) -> bool:
    """Ask somebody who says this, or nothing."""
    asked: list[bytes] = []
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if said is None:
            await done.wait()
        else:
            writer.write(said)
        writer.close()

    path = directory / "envoy.sock"
    server = await asyncio.start_unix_server(answer, str(path))
    try:
        return await Administration(path, timeout_s=0.05 if said is None else 10).is_ready()
    finally:
        done.set()
        server.close()
        await server.wait_closed()
        assert asked == [
            b"GET /ready HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        ]
