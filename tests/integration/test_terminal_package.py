"""The terminal as a package: its rules, its own tests, what is built of it."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from tradewire_gateway.web.terminal_files import (
    BUILT,
    HASHED,
    INDEX,
    MEDIA_TYPES,
    PREFIX,
    read_terminal,
)

from tests.support.typescript import run_npm

FOLDER = BUILT.parent
CHECKED = FOLDER / "node_modules" / ".cache" / "tradewire-checked"
# What a page may load before it shows anything, packed: as much as a photograph.
PACKED_BYTES_MAX = 400_000

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None or not (BUILT / INDEX).is_file(),
    reason="needs the terminal that `make terminal` builds where npm is",
)


def _digest() -> str:
    """Return what all files together are that the check looks at."""
    found = hashlib.sha256()
    patterns = ("*.json", "*.js", "*.ts", "src/**/*", "test/**/*", "../typescript/dist/**/*.d.ts")
    for pattern in patterns:
        for path in sorted(FOLDER.glob(pattern)):
            if path.is_file():
                found.update(f"{path.name}\0".encode() + path.read_bytes())
    return found.hexdigest()


@pytest.mark.timeout(240)
def test_it_compiles_strictly_and_keeps_its_rules() -> None:
    # It takes a while, and follows from the files alone: what has passed is not asked again.
    files = _digest()
    if not CHECKED.is_file() or CHECKED.read_text() != files:
        run_npm("run", "check", folder=FOLDER)
        CHECKED.parent.mkdir(exist_ok=True)
        CHECKED.write_text(files)


@pytest.mark.timeout(240)
def test_its_own_tests_pass() -> None:
    shown = run_npm("test", "--", "--reporter=json", folder=FOLDER)
    report = json.loads(shown[shown.index("{") :])
    assert report["success"] is True
    assert report["numPassedTests"] > 100
    assert report["numPendingTests"] == 0


def test_nothing_names_where_packages_came_from() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    for name, package in lock["packages"].items():
        # A link to the client beside it is no registry.
        assert package.get("resolved", "../typescript") == "../typescript", name


def test_all_that_is_built_can_be_served() -> None:
    names = {path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*") if path.is_file()}
    assert {Path(name).suffix for name in names} <= set(MEDIA_TYPES)
    served = read_terminal(BUILT)
    assert set(served) == {PREFIX, *(PREFIX + name for name in names)}
    for name in names - {INDEX}:
        # What is kept for ever has another name when it is another file.
        assert not name.startswith(HASHED) or re.search(r"-[\w-]{8}\.\w+$", name), name
    size = sum(len(document.packed or document.content) for document in served.values())
    assert size < PACKED_BYTES_MAX


def test_its_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    page = (BUILT / INDEX).read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", page)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    for source in sources:
        assert re.match(r"\./|/(?!/)|assets/", source), source
