"""The HTTP edge as a process of its own, beside a server without gateways."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx

from tests.support.venue import running_venue

PATIENCE_S = 30
COMMAND = (sys.executable, "-m", "tradewire_gateway.web", "--rest-url", "https://api.example/")


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_it_shows_documents_and_health_of_the_venue_and_ends_when_told(
    tmp_path: Path,
) -> None:
    async with running_venue(tmp_path) as venue:
        process = await start("--upstream", venue.target, "--port", "0")
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        url = line.rpartition(" ")[2].strip()
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/healthz")).json() == {"status": "SERVING"}
            page = (await http.get("/docs")).text
            await venue.app.set_health(serving=False)
            # What it knows of the venue's health is a second old at most.
            async with asyncio.timeout(PATIENCE_S):
                while (await http.get("/healthz")).status_code != 503:  # noqa: ASYNC110 - polled
                    await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, complaints = await process.communicate()
    assert "https://api.example" in page
    assert "https://api.example/<" not in page
    assert "sandbox" in page
    assert (process.returncode, complaints) == (0, b"")


async def test_a_venue_that_does_not_answer_is_named(tmp_path: Path) -> None:
    process = await start("--upstream", "127.0.0.1:1", "--port", "0")
    _, complaints = await process.communicate()
    assert process.returncode == 1
    assert complaints.startswith(b"the venue does not answer: ")
