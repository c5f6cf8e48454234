"""A page in a real browser, for tests that do what people do: see `page.mjs`."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.node import CHROMIUM

DRIVER = Path(__file__).with_suffix(".mjs")
# Screenshots of the last run, to be looked at; not in the repository.
ARTIFACTS = Path(__file__).parents[1] / "artifacts"
# Longest line of an answer.
ANSWER_BYTES_MAX = 1 << 20
PATIENCE_S = 30.0
PAUSE_S = 0.02


@dataclass
class Page:
    """A browser with one page; places are Playwright's selectors."""

    process: asyncio.subprocess.Process

    async def do(self, verb: str, **arguments: Any) -> Any:
        """Run a verb of the driver and return its value."""
        return await self._send({"do": verb, **arguments})

    async def open(
        self, origin: str, path: str, *, width: int = 1440, height: int = 900, scheme: str = "light"
    ) -> int:
        """Open an address with nothing remembered from before; return the HTTP status."""
        status: int = await self.do(
            "open", origin=origin, path=path, width=width, height=height, scheme=scheme
        )
        return status

    async def click(self, at: str) -> None:
        """Click what is there, as soon as it can be clicked."""
        await self.do("click", at=at)

    async def fill(self, at: str, text: str) -> None:
        """Write into a field in place of what stands there."""
        await self.do("fill", at=at, text=text)

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self.do("press", key=key)

    async def wait(self, at: str, state: str = "visible") -> None:
        """Wait until something is there, or with another state until it is not."""
        await self.do("wait", at=at, state=state)

    async def text(self, at: str) -> str:
        """Return the text of the first that is there."""
        return " ".join((await self.do("text", at=at)).split())

    async def texts(self, at: str) -> list[str]:
        """Return the text of each that is there."""
        return [" ".join(text.split()) for text in await self.do("texts", at=at)]

    async def becomes(self, at: str, wanted: str) -> None:
        """Wait until a text is what it should be."""
        await self.eventually(lambda: self.text(at), wanted)

    async def eventually(self, read: Callable[[], Awaitable[Any]], wanted: Any) -> None:
        """Wait until what is read is what it should be; say what it was if it never is."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while (found := await read()) != wanted:
            assert asyncio.get_running_loop().time() < deadline, f"{found!r} is not {wanted!r}"
            await asyncio.sleep(PAUSE_S)

    async def shot(self, folder: str, name: str) -> None:
        """Keep a screenshot."""
        path = ARTIFACTS / folder
        path.mkdir(parents=True, exist_ok=True)
        await self.do("shot", path=str(path / f"{name}.png"))

    async def barriers(self, within: str = "html") -> list[str]:
        """Return what keeps people out of a part of the page, by the rules of WCAG 2.2 AA."""
        found: list[str] = await self.do("barriers", within=within)
        return found

    async def problems(self) -> dict[str, list[str]]:
        """Return what nobody should see: console, breaches of policy, requests to elsewhere."""
        found: dict[str, list[str]] = await self.do("problems")
        return found

    async def _send(self, command: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), 2 * PATIENCE_S)
        assert line, (await self.process.stderr.read()).decode()
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]


@asynccontextmanager
async def browser_page() -> AsyncIterator[Page]:
    """Start a browser; it ends with the context."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(DRIVER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=ANSWER_BYTES_MAX,
    )
    page = Page(process)
    try:
        await page._send({"chromium": CHROMIUM})
        yield page
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
