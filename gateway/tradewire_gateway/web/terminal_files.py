"""The terminal's built files: from an installed package, or from a checkout where it was built.

They are read into one table by path when the terminal is first asked for, so a path of a request is
looked up and never joined to a folder. What is no file of a build, or too much, is not served.
"""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tradewire_gateway.web.contract_files import CHECKOUT
from tradewire_gateway.web.documents import Document

PREFIX = "/console/"
INDEX = "index.html"
# Whoever changes one of these gives it another name: the build puts a hash of the content into it.
HASHED = "assets/"
INSTALLED = Path(__file__).parent / "terminal"
BUILT = CHECKOUT / "clients" / "terminal" / "dist"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
FILES_MAX = 500
BYTES_MAX = 32 << 20
# Scripts and styles of its own files only, none written into the page. `'self'` is the WebSocket of
# the same place, too.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_FOR_EVER = ("cache-control", "public, max-age=31536000, immutable")
_POLICY = ("content-security-policy", CONTENT_SECURITY_POLICY)

_log = logging.getLogger(__name__)


class Build(NamedTuple):
    """A built terminal: where it is, and when it was built, in nanoseconds."""

    folder: Path
    time_ns: int


def newest_build() -> Build | None:
    """Return the built terminal, None if there is none."""
    for folder in (INSTALLED, BUILT):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return Build(folder, (folder / INDEX).stat().st_mtime_ns)
    return None


def read_terminal(folder: Path) -> Mapping[str, Document]:
    """Return the documents of a built terminal by path; empty when it is none that can be served.

    It reads and packs all files, which takes a while.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_odd(path)]
    size = sum(path.stat().st_size for path in files)
    if len(files) > FILES_MAX or size > BYTES_MAX:
        _log.error("%s has %d files of %d bytes: that is no terminal", folder, len(files), size)
        return {}
    found = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        found[PREFIX + name] = _document(name, path)
    if PREFIX + INDEX in found:
        found[PREFIX] = found[PREFIX + INDEX]
    return found


def _document(name: str, path: Path) -> Document:
    headers = [_POLICY]
    if name.startswith(HASHED):
        headers.append(_FOR_EVER)
    return Document.of(path.read_bytes(), MEDIA_TYPES[path.suffix], headers=tuple(headers))


def _is_odd(path: Path) -> bool:
    """Say whether a file is none of a build: of an unknown kind, hidden, or elsewhere."""
    return path.suffix not in MEDIA_TYPES or path.name.startswith(".") or path.is_symlink()
