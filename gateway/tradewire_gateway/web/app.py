"""The routes of the HTTP edge. What is not here does not exist, whatever the path says."""

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewire_gateway.web.documents import Document, answer
from tradewire_gateway.web.health import health
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
_READING = ("GET", "HEAD")


def make_app(options: WebOptions) -> ASGIApp:
    """Build the application."""
    return _WithSecurityHeaders(_Edge(options, Portal(options)))


class _Edge:
    """The one endpoint: paths are looked up, never joined to a folder."""

    _log = logging.getLogger(__name__)

    def __init__(self, options: WebOptions, portal: Portal) -> None:
        self._options = options
        self._portal = portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except Exception:  # noqa: BLE001 - the outermost loop of a request
            self._log.exception("%s %s failed", request.method, request.url.path)
            response = answer(request, refusal("INTERNAL", "the page could not be made"))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method not in _READING:
            allow = ", ".join(_READING)
            return answer(
                request,
                refusal(
                    "METHOD_NOT_ALLOWED",
                    f"{request.url.path} is read with {allow}",
                    headers=(("allow", allow),),
                ),
            )
        match request.url.path:
            case "/":
                return RedirectResponse("/docs", 307)
            case "/docs/":
                return RedirectResponse("/docs", 308)
            case "/healthz":
                return answer(request, await health(self._options.channel))
            case path:
                # Pages are rendered when they are first asked for, beside the event loop: it is
                # that of the venue.
                document = await asyncio.to_thread(self._portal.find, path)
                return answer(request, document or await self._missing(request))

    async def _missing(self, request: Request) -> Document:
        path = request.url.path
        if wants_page(request) and not path.startswith("/v1/"):
            return await asyncio.to_thread(self._portal.missing_page, path)
        known = {
            "/console": "this release has no terminal in the browser",
            "/v1/ws": "this release has no WebSocket gateway",
        }
        return refusal("METHOD_NOT_FOUND", known.get(path, "there is nothing at this path"))


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
