"""Server-sent events as a REST client reads them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx


async def events(response: httpx.Response) -> AsyncIterator[Any]:
    """Yield the JSON of each event; what is not one is an error."""
    data: list[str] = []
    async for line in response.aiter_lines():
        if line:
            assert line.startswith("data: "), line
            data.append(line.removeprefix("data: "))
        elif data:
            yield json.loads("\n".join(data))
            data.clear()
    assert not data, "the stream ended within an event"


@asynccontextmanager
async def event_stream(
    client: httpx.AsyncClient, path: str, **query: str | int
) -> AsyncIterator[AsyncIterator[Any]]:
    """Open a stream, which must be one; yields its events."""
    async with client.stream("GET", path, params=query) as response:
        if response.status_code != 200:
            await response.aread()
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "text/event-stream"
        yield events(response)
