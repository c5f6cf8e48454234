"""A portal for tests, and a reader of its pages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, NamedTuple

from tradewire_gateway.web import WebOptions
from tradewire_gateway.web.portal import Portal

REST_URL = "http://127.0.0.1:8080"


class Row(NamedTuple):
    """A row of a policy."""

    name: str
    value: str
    unit: str
    meaning: str


ROWS = (Row("key", "7 per s, at most 11 at once", "weight units", "What one API key may do"),)


def options(channel: Any = None) -> WebOptions:
    """Return options; without a channel nobody may ask for health."""
    return WebOptions(
        channel=channel,
        environment="sandbox",
        rest_url=lambda: REST_URL,
        grpc_target="127.0.0.1:50051",
        limits=ROWS,
        port=0,
    )


@dataclass
class Page(HTMLParser):
    """What a page holds: elements in order, ids, links, text."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._in_command = False
        self._language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if found.get("class") == "code":
            self._language = found["data-language"]
        if tag == "pre" and self._language == "bash":
            self.commands.append("")
            self._in_command = True

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._in_command:
            self.commands[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._in_command = False

    @property
    def ids(self) -> list[str]:
        """The anchors."""
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    @property
    def links(self) -> list[str]:
        """Where it leads."""
        return [
            attributes["href"]
            for tag, attributes in self.elements
            if tag == "a" and "href" in attributes
        ]

    @property
    def words(self) -> str:
        """The text."""
        return " ".join(" ".join(self.text).split())


def read_page(portal: Portal, path: str) -> Page:
    """Return what is at a path, read."""
    document = portal.find(path)
    assert document is not None, path
    page = Page()
    page.feed(document.content.decode())
    page.close()
    return page


def page_paths(portal: Portal) -> Iterator[str]:
    """Return the paths that are pages."""
    for path in portal.paths():
        document = portal.find(path)
        if document is not None and document.media_type.startswith("text/html"):
            yield path
