"""The server of the HTTP edge lives in the venue's event loop, and leaves its signals alone."""

import asyncio
import signal
import socket
from dataclasses import replace

import httpx
import pytest
from tradewire_gateway.web import serve_web

from tests.support.portal import options


async def test_it_serves_on_any_free_port_and_then_no_more() -> None:
    async with serve_web(options()) as address, httpx.AsyncClient() as client:
        assert (await client.get(f"http://{address}/docs")).status_code == 200
    host, _, port = address.rpartition(":")
    assert host == "127.0.0.1"
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await asyncio.open_connection(host, int(port))


async def test_it_takes_a_listener() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with serve_web(options(), listener=listener) as address:
        assert address == f"127.0.0.1:{port}"
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://{address}/docs")).status_code == 200
    assert listener.fileno() == -1


async def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        web = serve_web(replace(options(), port=taken.getsockname()[1]))
        with pytest.raises(OSError, match="already in use"):
            await web.__aenter__()


async def test_signals_stay_with_the_process() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    async with serve_web(options()):
        assert [signal.getsignal(number) for number in numbers] == before
    assert [signal.getsignal(number) for number in numbers] == before


async def test_a_connection_that_stays_open_does_not_hold_up_the_end() -> None:
    async with serve_web(options()) as address:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /nothing HTTP/1.1\r\nhost: edge\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 404")
    assert b"METHOD_NOT_FOUND" in await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
