"""The documentation portal: pages and files by path, each rendered once."""

from tradewire_gateway.web.documents import HTML, Document
from tradewire_gateway.web.options import WebOptions


class Portal:
    """Pages and files by path."""

    def __init__(self, options: WebOptions) -> None:
        self._options = options

    def find(self, path: str) -> Document | None:
        """Return what is at a path, None if nothing is."""
        if path != "/docs":
            return None
        page = "<!doctype html><html lang=en><title>Tradewire</title><h1>Tradewire</h1></html>"
        return Document.of(page, HTML)

    def missing_page(self, path: str) -> Document:
        """Return the page that says that there is none."""
        return Document.of(f"There is nothing at {path}.", "text/plain; charset=utf-8", status=404)
