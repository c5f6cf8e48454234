"""`/console`: the terminal in the browser, what it has to know of the venue, and the demo sign-in.

Where the terminal was not built, a page says so and what to do. It is looked for again with each
page, so a terminal that is built, or built anew, while the venue runs is there at once.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tradewire_gateway.web.addresses import client_address
from tradewire_gateway.web.demo_sign_in import PATH as DEMO
from tradewire_gateway.web.demo_sign_in import DemoDesk
from tradewire_gateway.web.documents import JSON, Document, answer
from tradewire_gateway.web.options import WebOptions
from tradewire_gateway.web.refusals import refusal, wants_page
from tradewire_gateway.web.terminal_files import PREFIX, Build, newest_build, read_terminal

CONFIG = "/console/config.json"
WITHOUT_SLASH = "/console"
NOT_BUILT = (
    "the terminal was not built: where npm (Node.js 20 or newer) is, `make terminal` builds it"
)


class Console:
    """The paths below `/console`; `clock` is in seconds."""

    def __init__(
        self,
        options: WebOptions,
        *,
        missing_page: Callable[[str], Document],
        clock: Callable[[], float],
    ) -> None:
        """`missing_page` makes the page for a path at which nothing is."""
        self._missing_page = missing_page
        self._files: Mapping[str, Document] = {}
        self._build: Build | None = None
        self._reading = asyncio.Lock()
        self._desk = None if options.demo is None else DemoDesk(options.demo, clock=clock)
        config = {
            "environment": options.environment,
            "version": version("tradewire"),
            "demo": self._desk is not None,
            "webSocket": "/v1/ws",
            "docs": "/docs",
        }
        no_store = (("cache-control", "no-store"),)
        self._config = Document.of(json.dumps(config), JSON, headers=no_store)

    def takes(self, path: str) -> bool:
        """Say whether a path is one of these."""
        return path == WITHOUT_SLASH or path.startswith(PREFIX)

    async def respond(self, request: Request) -> Response:
        """Answer a request for one of these paths."""
        path = request.scope["path"]
        if path == DEMO and self._desk is not None:
            return await self._sign_in(request, self._desk)
        if request.method not in ("GET", "HEAD"):
            return answer(request, not_allowed(path, "GET, HEAD"))
        if path == WITHOUT_SLASH:
            return RedirectResponse(PREFIX, 308)
        if path == CONFIG:
            return answer(request, self._config)
        files = self._files if path in self._files and path != PREFIX else await self._built()
        document = files.get(path)
        if document is None:
            document = await self._missing(request, is_built=bool(files))
        return answer(request, document)

    async def _sign_in(self, request: Request, desk: DemoDesk) -> Response:
        if request.method != "POST":
            return answer(request, not_allowed(DEMO, "POST"))
        return answer(request, await desk.respond(request, address=client_address(request.scope)))

    async def _built(self) -> Mapping[str, Document]:
        """Return the terminal's files, which are read when there is another build of them."""
        async with self._reading:
            build = await asyncio.to_thread(newest_build)
            if build != self._build:
                files = await asyncio.to_thread(read_terminal, build.folder) if build else {}
                self._files, self._build = files, build
            return self._files

    async def _missing(self, request: Request, *, is_built: bool) -> Document:
        if not wants_page(request):
            text = "there is nothing at this path" if is_built else NOT_BUILT
            return refusal("METHOD_NOT_FOUND", text)
        # One page for all that does not exist: it would take long to make, for anybody who asks.
        return await asyncio.to_thread(self._missing_page, "" if is_built else WITHOUT_SLASH)


def not_allowed(path: str, allow: str) -> Document:
    """Return the error of a method that a path does not have."""
    text = f"{path} is read with {allow}" if "GET" in allow else f"{path} takes {allow}"
    return refusal("METHOD_NOT_ALLOWED", text, headers=(("allow", allow),))
