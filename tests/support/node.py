"""Programs of Node that tests use: those of `gateway/explorer`, where `make explorer` put them."""

import shutil
from pathlib import Path

import pytest

EXPLORER = Path(__file__).resolve().parents[2] / "gateway" / "explorer"
INSTALLED = EXPLORER / "node_modules"

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not INSTALLED.is_dir(),
    reason="needs node, and the packages that `make explorer` installs where npm is",
)
CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or shutil.which("node") is None or not INSTALLED.is_dir(),
    reason="needs chromium, node, and the packages that `make explorer` installs where npm is",
)

TERMINAL = EXPLORER.parents[1] / "clients" / "terminal" / "dist" / "index.html"
needs_terminal = pytest.mark.skipif(
    CHROMIUM is None
    or shutil.which("node") is None
    or not INSTALLED.is_dir()
    or not TERMINAL.exists(),
    reason="needs chromium, node, and what `make explorer terminal` makes where npm is",
)


def program(name: str) -> str:
    """Return the path of a program of one of the packages."""
    return str(INSTALLED / ".bin" / name)
