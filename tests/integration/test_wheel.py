"""The wheel: what it holds with a built terminal, and that it is whole without one."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns("node_modules", "__pycache__", "explorer", "*.pyc")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what a wheel is made of, without a terminal."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("proto", "server", "gateway", "envoy"):
        shutil.copytree(ROOT / name, copy / name, ignore=LEFT_OUT)
    (copy / "tests" / "vectors").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "vectors" / "signing.json", copy / "tests" / "vectors")
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, copy)
    return copy


def build(checkout: Path, to: Path) -> dict[str, bytes]:
    """Build the wheel and return its files."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(to)],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = to.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names)
        return {name: archive.read(name) for name in names}


def test_it_holds_the_terminal_where_that_was_built(checkout: Path, tmp_path: Path) -> None:
    without = build(checkout, tmp_path / "without")
    assert "tradewire_gateway/web/console.py" in without
    assert not [name for name in without if "/web/terminal/" in name]

    dist = checkout / "clients" / "terminal" / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("the terminal")
    (dist / "assets" / "index-1a2b3c.js").write_text("'use strict'")
    found = build(checkout, tmp_path / "with")
    assert {name: found[name] for name in set(found) - set(without)} == {
        "tradewire_gateway/web/terminal/index.html": b"the terminal",
        "tradewire_gateway/web/terminal/assets/index-1a2b3c.js": b"'use strict'",
    }

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, target in included.items():
        if (ROOT / source).is_file():
            assert found[target] == (ROOT / source).read_bytes(), target
    assert not [name for name in found if name.startswith(("tests/", "clients/"))]
