"""The routes of the HTTP edge. What is not here does not exist, whatever the path says."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewire_gateway.web.console import Console, not_allowed
from tradewire_gateway.web.documents import Document, answer
from tradewire_gateway.web.health import Health
from tradewire_gateway.web.options import WebOptions
from tradewire_gateway.web.portal import Portal
from tradewire_gateway.web.refusals import refusal, wants_page

# Nothing from elsewhere, nothing inline, nobody's frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
WEBSOCKET = "/v1/ws"
_READING = ("GET", "HEAD")
# What is handed to a connection before it has taken the former part: readers that do not read make
# the process hold no more.
_PART_BYTES = 65_536


def make_app(options: WebOptions, *, clock: Callable[[], float] = time.monotonic) -> ASGIApp:
    """Build the application; `clock` is in seconds."""
    portal = Portal(options)
    console = Console(options, missing_page=portal.missing_page, clock=clock)
    edge = _Edge(Health(options.channel, clock=clock), portal, console)
    return _WithSecurityHeaders(_InParts(edge))


class _Edge:
    """The one endpoint: paths are looked up, never joined to a folder."""

    _log = logging.getLogger(__name__)

    def __init__(self, health: Health, portal: Portal, console: Console) -> None:
        self._health = health
        self._portal = portal
        self._console = console
        self._paths = frozenset(portal.paths())
        self._found: dict[str, Document] = {}
        self._missing_page: Document | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except Exception:  # noqa: BLE001 - the outermost loop of a request
            self._log.exception("%s %s failed", request.method, request.scope["path"])
            response = answer(request, refusal("INTERNAL", "the page could not be made"))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if self._console.takes(request.scope["path"]):
            return await self._console.respond(request)
        if request.method not in _READING:
            return answer(request, not_allowed(request.scope["path"], ", ".join(_READING)))
        match request.scope["path"]:
            case "/":
                return RedirectResponse("/docs", 307)
            case "/docs/":
                return RedirectResponse("/docs", 308)
            case "/healthz":
                return answer(request, await self._health.document())
            case path:
                document = self._found.get(path) or await self._make(path)
                return answer(request, document or await self._missing(request))

    async def _make(self, path: str) -> Document | None:
        """Render a page when it is first asked for, beside the event loop: it is the venue's."""
        if path not in self._paths:
            return None
        document = await asyncio.to_thread(self._portal.find, path)
        if document is not None:
            self._found[path] = document
        return document

    async def _missing(self, request: Request) -> Document:
        if request.scope["path"] == WEBSOCKET:
            return replace(
                refusal(
                    "METHOD_NOT_ALLOWED",
                    f"{WEBSOCKET} is opened as a WebSocket",
                    headers=(("upgrade", "websocket"),),
                ),
                status=426,
            )
        if not wants_page(request) or request.scope["path"].startswith("/v1/"):
            return refusal("METHOD_NOT_FOUND", "there is nothing at this path")
        # One page for all that does not exist: it would take long to make, for anybody who asks.
        if self._missing_page is None:
            self._missing_page = await asyncio.to_thread(self._portal.missing_page, "")
        return self._missing_page


class _InParts:
    """Sends a large body in parts, each when the connection has room for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_parts(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= _PART_BYTES:
                await send(message)
                return
            more = message.get("more_body", False)
            for start in range(0, len(body), _PART_BYTES):
                part = body[start : start + _PART_BYTES]
                last = start + _PART_BYTES >= len(body)
                await send({**message, "body": part, "more_body": more or not last})

        await self._app(scope, receive, send_in_parts)


class _WithSecurityHeaders:
    """Adds the headers that every answer carries; a page may have a policy of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                headers.extend(_SECURITY_HEADERS)
                if not any(name == b"content-security-policy" for name, _ in headers):
                    headers.append((b"content-security-policy", CONTENT_SECURITY_POLICY.encode()))
            await send(message)

        await self._app(scope, receive, send_with_headers)
