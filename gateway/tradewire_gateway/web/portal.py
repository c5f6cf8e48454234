"""The documentation portal: pages and files by path, each made when it is first asked for.

Everything that states a fact comes from the contract, from the options or from a test's example. A
path is looked up in one table, so there is nothing to traverse.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from google.rpc import code_pb2
from markupsafe import Markup
from tradewire_contract import asyncapi, methods, reasons

from tradewire_gateway.web.collection import postman_collection
from tradewire_gateway.web.contract_files import contract_file, explorer_bundle, proto_files
from tradewire_gateway.web.documents import HTML, JSON, Document
from tradewire_gateway.web.options import WebOptions
from tradewire_gateway.web.reference import (
    SourceFile,
    calls,
    enum_comments,
    page_of_call,
    source_files,
)
from tradewire_gateway.web.rendering import (
    FOLDER,
    Body,
    PageSource,
    code_block,
    make_body,
    make_environment,
    plain,
    render_markdown,
    without_anchors,
)
from tradewire_gateway.web.socket_reference import socket_reference

_ASSETS = {
    "portal.css": "text/css; charset=utf-8",
    "portal.js": "text/javascript; charset=utf-8",
    "search.js": "text/javascript; charset=utf-8",
    "explorer.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
# The explorer writes its own style elements, and no policy can name them beforehand.
_EXPLORER_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_EXPLORER_PATH = "/docs/explorer"
WEBSOCKET_PATH = "/v1/ws"
# Limits that say how much the venue keeps and lets wait, rather than what one client may do.
OWN_BOUNDS = frozenset(
    {
        "subjects_max",
        "queued_commands",
        "queued_cancels",
        "handle_life_s",
        "handles_max",
        "handles_per_address_max",
        "handles_reserve_percent",
        "tickets_max",
        "leeway_s",
        "cached_max",
        "ended_max",
        "bucket_ms",
        "nonces_max",
    }
)
# Where a page says more about a reason than its advice can.
MORE_ABOUT = {
    "FIELDS_CONFLICT": ("/docs/orders#types", "Order types"),
    "PRICE_OFF_TICK": ("/docs/orders#what-an-instrument-allows", "What an instrument allows"),
    "QUANTITY_OFF_LOT": ("/docs/orders#what-an-instrument-allows", "What an instrument allows"),
    "SIGNATURE_INVALID": ("/docs/signing#what-goes-wrong", "What goes wrong"),
    "TOKEN_INVALID": ("/docs/signing#sessions", "Sessions"),
    "TOKEN_EXPIRED": ("/docs/signing#sessions", "Sessions"),
    "TICKET_INVALID": ("/docs/signing#tickets", "Tickets"),
    "RATE_LIMITED": ("/docs/limits", "Limits"),
    "CLIENT_ORDER_ID_REUSED": ("/docs/retries#exactly-once", "Exactly once"),
    "DEADLINE_PASSED": ("/docs/retries#deadlines", "Deadlines"),
    "SEQUENCE_OUT_OF_RANGE": ("/docs/streams#start-and-resume", "Start and resume"),
    "SLOW_CONSUMER": ("/docs/streams#slow-readers", "Slow readers"),
    "ORIGIN_NOT_ALLOWED": ("/docs/websocket#tickets-for-browsers", "Tickets for browsers"),
    "CONNECTION_IN_USE": ("/docs/websocket#cancel-on-disconnect", "Cancel on disconnect"),
    "CONNECTION_IDLE": ("/docs/websocket#heartbeats", "Heartbeats"),
    "SUBSCRIPTION_NOT_FOUND": ("/docs/websocket#streams-and-resume", "Streams and resume"),
}
_ANCHORED = re.compile(r'<(h[1-4]|tr)\b[^>]*\bid="([^"]+)"[^>]*>')
_CELL_END = re.compile(r"</(h[1-4]|th|td)>")
_SEARCHED_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the list at its side."""

    path: str
    title: str
    description: str
    body: Callable[[], Body]
    # Named below another page in the list, and shown there only when it is open.
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Pages under one heading of the list."""

    title: str
    entries: tuple[Entry, ...]


class Portal:
    """Pages and files by path."""

    def __init__(self, options: WebOptions) -> None:
        self._options = options
        self._made: dict[str, Document | None] = {}
        # Pages are made in threads; one at a time is enough.
        self._lock = Lock()
        self._environment = make_environment(
            {
                "environment_name": options.environment,
                "grpc_target": options.grpc_target,
                "rest_url": options.rest_url,
                "ws_url": lambda: f"{options.rest_url().replace('http', 'ws', 1)}{WEBSOCKET_PATH}",
                "limits": options.limits,
                "own_bounds": OWN_BOUNDS,
                "more_about": MORE_ABOUT,
                "methods": methods(),
                "reasons": reasons(),
                "calls": calls,
                "source_files": source_files,
                "page_of_call": page_of_call,
                "enum_comments": enum_comments,
                "proto_files": proto_files,
                "limit": self._limit,
                "fix_target": options.fix_target,
                "code_name": code_pb2.Code.Name,
                "credential_reasons": _credential_reasons(),
                **_answers(),
            }
        )
        self._groups = self._make_groups()
        self._pages = {entry.path: entry for group in self._groups for entry in group.entries}
        self._files: dict[str, Callable[[], Document | None]] = {
            "/docs/openapi.json": lambda: _file("openapi.json", JSON),
            "/docs/asyncapi.json": self._socket_document,
            "/docs/tradewire.binpb": lambda: _file("tradewire.binpb", "application/octet-stream"),
            "/docs/signing.json": lambda: _file("signing.json", JSON),
            "/docs/tradewire.postman_collection.json": self._collection,
            "/docs/tradewire-fix44.xml": lambda: _file("tradewire-fix44.xml", "text/xml"),
            "/docs/search.json": self._search_index,
            "/docs/assets/scalar.js": _explorer_program,
            "/favicon.ico": lambda: _asset("icon.svg"),
            **{f"/docs/assets/{name}": _asset_of(name) for name in _ASSETS},
            **{f"/docs/proto/{path}": _text_of(content) for path, content in proto_files().items()},
        }

    def paths(self) -> tuple[str, ...]:
        """Return every path that has something, pages first."""
        return (*self._pages, _EXPLORER_PATH, *self._files)

    def find(self, path: str) -> Document | None:
        """Return what is at a path, None if nothing is."""
        if path not in self._made:
            make = self._maker(path)
            if make is None:
                return None
            with self._lock:
                if path not in self._made:
                    self._made[path] = make()
        return self._made[path]

    def missing_page(self, path: str) -> Document:
        """Return the page that says that there is none."""
        body = Body(Markup(self._environment.get_template("missing.html").render(path=path)), ())
        return Document.of(self._frame(path, "Not found", "", body), HTML, status=404)

    def _limit(self, name: str, usual: str) -> str:
        """Return a number of the policy; what is usual where the portal was not told."""
        return next((row.value for row in self._options.limits if row.name == name), usual)

    def _maker(self, path: str) -> Callable[[], Document | None] | None:
        if path == _EXPLORER_PATH:
            return self._explorer
        if path in self._pages:
            return lambda: self._page(self._pages[path])
        return self._files.get(path)

    def _page(self, entry: Entry) -> Document:
        return Document.of(
            self._frame(entry.path, entry.title, entry.description, entry.body()), HTML
        )

    def _frame(self, path: str, title: str, description: str, body: Body) -> str:
        entries = [entry for group in self._groups for entry in group.entries if not entry.parent]
        place = next((index for index, entry in enumerate(entries) if entry.path == path), None)
        return self._environment.get_template("page.html").render(
            path=path,
            title=title,
            description=description,
            body=body,
            groups=self._groups,
            open_parent=self._pages[path].parent if path in self._pages else "",
            before=entries[place - 1] if place else None,
            after=entries[place + 1] if place is not None and place + 1 < len(entries) else None,
        )

    def _make_groups(self) -> tuple[Group, ...]:
        def prose(path: str, title: str, description: str, source: str) -> Entry:
            return Entry(
                path, title, description, lambda: PageSource(self._environment).render(source)
            )

        return (
            Group(
                "Start",
                (
                    prose("/docs", "Overview", "The trading API of this venue.", "overview.md"),
                    prose(
                        "/docs/quick-start",
                        "Quick start",
                        "From nothing to a first order in five minutes.",
                        "quick-start.md",
                    ),
                    prose(
                        "/docs/protocols",
                        "Choose your protocol",
                        "What each protocol is for, and what they share.",
                        "protocols.md",
                    ),
                ),
            ),
            Group(
                "Guides",
                (
                    prose(
                        "/docs/signing",
                        "Signing requests",
                        "Keys, the string to sign, headers, and what goes wrong.",
                        "signing.md",
                    ),
                    prose(
                        "/docs/rest",
                        "REST and JSON",
                        "JSON rules, errors, pages and headers.",
                        "rest.md",
                    ),
                    prose(
                        "/docs/orders",
                        "Orders",
                        "Types, rules, life cycle, amends, cancels and batches.",
                        "orders.md",
                    ),
                    prose(
                        "/docs/retries",
                        "What happened to my order?",
                        "Refused, rejected, unknown; and how to repeat safely.",
                        "retries.md",
                    ),
                    prose(
                        "/docs/streams",
                        "Streams",
                        "Server-sent events that resume without a gap.",
                        "streams.md",
                    ),
                    prose(
                        "/docs/websocket",
                        "WebSocket",
                        "Everything over one connection: orders, streams, resume, tickets.",
                        "websocket.md",
                    ),
                ),
            ),
            Group(
                "Reference",
                (
                    prose(
                        "/docs/methods",
                        "Methods",
                        "Every method with its scope, weight and names on each protocol.",
                        "methods.md",
                    ),
                    prose(
                        "/docs/errors",
                        "Errors",
                        "Every reason with its code on each protocol and what to do.",
                        "errors.md",
                    ),
                    prose(
                        "/docs/limits",
                        "Limits",
                        "Rate limits, bans and bounds, with the numbers of this venue.",
                        "limits.md",
                    ),
                    Entry(
                        "/docs/grpc",
                        "gRPC reference",
                        "Services, messages and enums of the contract.",
                        lambda: PageSource(self._environment).render("grpc.md"),
                    ),
                    *(self._contract_page(file) for file in source_files()),
                    Entry(
                        "/docs/asyncapi",
                        "WebSocket reference",
                        "Methods, subscriptions and notifications, each with an example.",
                        self._socket_reference,
                    ),
                    Entry(
                        "/docs/fix",
                        "FIX rules",
                        "Rules of engagement of FIX 4.4, made of the contract.",
                        lambda: _project_page("rules-of-engagement.md"),
                    ),
                ),
            ),
            Group(
                "More",
                (
                    prose(
                        "/docs/downloads",
                        "Downloads and tools",
                        "OpenAPI, AsyncAPI, protobuf, vectors, a collection for Postman and Bruno.",
                        "downloads.md",
                    ),
                    Entry(
                        "/docs/versioning",
                        "Versions",
                        "What may change, and how it is announced.",
                        lambda: _project_page("VERSIONING.md"),
                    ),
                    Entry(
                        "/docs/changelog",
                        "Changelog",
                        "What changed, newest first.",
                        lambda: _project_page("CHANGELOG.md"),
                    ),
                ),
            ),
        )

    def _socket_reference(self) -> Body:
        template = self._environment.get_template("asyncapi.html")
        return make_body(template.render(reference=socket_reference(), block=code_block))

    def _contract_page(self, file: SourceFile) -> Entry:
        title = file.services[0].name if file.services else f"{file.name}.proto"

        def body() -> Body:
            template = self._environment.get_template("contract.html")
            return make_body(template.render(file=file, title=title))

        return Entry(f"/docs/grpc/{file.name}", title, file.comment, body, parent="/docs/grpc")

    def _explorer(self) -> Document:
        installed = explorer_bundle() is not None and contract_file("openapi.json") is not None
        page = self._environment.get_template("explorer.html").render(
            installed=installed, path=_EXPLORER_PATH, groups=self._groups, open_parent=""
        )
        headers = (("content-security-policy", _EXPLORER_POLICY),) if installed else ()
        return Document.of(page, HTML, headers=headers)

    def _socket_document(self) -> Document | None:
        """Return the document of WebSocket with the address of this venue."""
        content = contract_file("asyncapi.json")
        if content is None:
            return None
        document = json.loads(content)
        for server in document["servers"].values():
            host = server["variables"]["host"]
            host["default"] = urlsplit(self._options.rest_url()).netloc or host["default"]
        return Document.of(asyncapi.render(document), JSON)

    def _collection(self) -> Document | None:
        content = contract_file("openapi.json")
        if content is None:
            return None
        collection = postman_collection(
            json.loads(content),
            rest_url=self._options.rest_url(),
            environment=self._options.environment,
        )
        return Document.of(json.dumps(collection, indent=2), JSON)

    def _search_index(self) -> Document:
        records = [record for entry in self._pages.values() for record in _records(entry)]
        return Document.of(json.dumps(records, separators=(",", ":")), JSON)


def _records(entry: Entry) -> list[dict[str, Any]]:
    """Return what a page can be found by: one record for each place that has an anchor."""
    html = without_anchors(entry.body().html)
    places = list(_ANCHORED.finditer(html))
    start = plain(html[: places[0].start()] if places else html)
    records = [{"page": entry.title, "path": entry.path, "title": "", "text": start}]
    for place, after in zip(places, [*places[1:], None], strict=True):
        part = html[place.end() : after.start() if after else len(html)]
        title, text = _split_title(part)
        records.append(
            {
                "page": entry.title,
                "path": f"{entry.path}#{place[2]}",
                "title": title,
                "text": text[:_SEARCHED_CHARACTERS],
            }
        )
    return records


def _split_title(part: str) -> tuple[str, str]:
    """Return the first heading or cell, and the text that follows it."""
    end = _CELL_END.search(part)
    if end is None:
        return plain(part), ""
    return plain(part[: end.start()]), plain(part[end.end() :])


def _project_page(name: str) -> Body:
    """Render a page that the project keeps for itself, too."""
    content = contract_file(name)
    if content is None:
        return render_markdown("This installation does not have this page.")
    text = content.decode()
    # The frame has the title.
    return render_markdown(text.partition("\n")[2] if text.startswith("# ") else text)


def _credential_reasons() -> list[str]:
    """Return the reasons for which a credential is not accepted, in the catalogue's order."""
    codes = (code_pb2.UNAUTHENTICATED, code_pb2.PERMISSION_DENIED)
    return [
        entry.name
        for entry in reasons().values()
        if entry.outcome == "refused" and entry.code in codes
    ]


def _answers() -> dict[str, Any]:
    """Return what pages show of answers: examples of the OpenAPI document, and a vector."""
    openapi = json.loads(contract_file("openapi.json") or b"{}")
    vectors = json.loads(contract_file("signing.json") or b"{}")
    if not openapi or not vectors:
        raise FileNotFoundError("the installation lacks openapi.json or signing.json")
    place = openapi["paths"]["/v1/orders"]["post"]["responses"]["200"]
    return {
        "order_answer": json.dumps(place["content"]["application/json"]["example"], indent=2),
        "error_answer": json.dumps(
            openapi["components"]["examples"]["FIELD_INVALID"]["value"], indent=2
        ),
        "vector": vectors["requests"][0],
    }


def _file(name: str, media_type: str) -> Document | None:
    content = contract_file(name)
    return None if content is None else Document.of(content, media_type)


def _asset(name: str) -> Document:
    return Document.of((FOLDER / "assets" / name).read_bytes(), _ASSETS[name])


def _asset_of(name: str) -> Callable[[], Document]:
    return lambda: _asset(name)


def _text_of(content: bytes) -> Callable[[], Document]:
    return lambda: Document.of(content, "text/plain; charset=utf-8")


def _explorer_program() -> Document | None:
    content = explorer_bundle()
    return None if content is None else Document.of(content, _ASSETS["portal.js"])
