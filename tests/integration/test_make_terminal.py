"""`make terminal`: builds once, says what is missing, and never stands in the way of `make up`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Stands for npm: notes what it is told, and builds what the venue looks for.
NPM = """#!/bin/sh
echo "$(basename "$PWD") $*" >> "{log}"
{body}
"""
BUILDS = """
case "$*" in
  ci*) mkdir -p node_modules ;;
  *--outDir*) mkdir -p dist.part && echo built > dist.part/index.html ;;
  *build*) mkdir -p dist ;;
esac
"""


class Checkout:
    """A checkout with two packages and a Makefile, and a PATH with an npm of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "npm.log"
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name in ("sh", "bash", "make", "cat", "mkdir", "touch", "rm", "mv", "basename", "find"):
            found = shutil.which(name)
            assert found is not None, name
            (self.programs / name).symlink_to(found)
        shutil.copy(ROOT / "Makefile", folder)
        for name in ("typescript", "terminal"):
            package = folder / "clients" / name
            (package / "src").mkdir(parents=True)
            for file in ("package.json", "package-lock.json", "src/index.ts"):
                (package / file).write_text("{}")
        self.built = folder / "clients" / "terminal" / "dist" / "index.html"

    def have_npm(self, body: str) -> None:
        """Put an npm into the PATH that does this."""
        npm = self.programs / "npm"
        npm.write_text(NPM.format(log=self.log, body=body))
        npm.chmod(0o755)

    def make(self) -> str:
        """Make the terminal, which must not fail; return what is said."""
        done = subprocess.run(
            ["make", "terminal"],
            cwd=self.folder,
            env={**os.environ, "PATH": str(self.programs), "MAKEFLAGS": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def steps(self) -> list[str]:
        """Return what npm was told since the last time: where, and which command."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [" ".join(line.split(" ")[:2]) for line in lines]

    def age(self) -> None:
        """Let everything be an hour older, so that what changes now is newer."""
        for path in self.folder.rglob("*"):
            if not path.is_symlink():
                before = path.stat().st_mtime - 3_600
                os.utime(path, (before, before))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_it_is_built_once_and_again_when_something_changes(checkout: Checkout) -> None:
    checkout.have_npm(BUILDS)
    checkout.make()
    assert checkout.steps() == ["typescript ci", "terminal ci", "typescript run", "terminal run"]
    assert checkout.built.read_text() == "built\n"
    checkout.make()
    assert checkout.steps() == []

    for changed, steps in (
        ("terminal/src/index.ts", ["terminal run"]),
        ("typescript/src/index.ts", ["typescript run", "terminal run"]),
        ("terminal/package-lock.json", ["terminal ci", "terminal run"]),
    ):
        checkout.age()
        (checkout.folder / "clients" / changed).write_text("{ }")
        checkout.make()
        assert checkout.steps() == steps, changed


def test_without_npm_it_says_so(checkout: Checkout) -> None:
    assert "npm is not here" in checkout.make()
    assert not checkout.built.exists()


@pytest.mark.parametrize("step", ["ci", "run"])
def test_where_npm_fails_what_was_built_before_stays(checkout: Checkout, step: str) -> None:
    checkout.have_npm(f'case "$*" in {step}*) exit 1 ;; esac\n{BUILDS}')
    assert "npm has failed" in checkout.make()
    assert not checkout.built.exists()
    checkout.have_npm(BUILDS)
    checkout.make()
    checkout.have_npm("exit 1")
    checkout.age()
    (checkout.folder / "clients" / "terminal" / "src" / "index.ts").write_text("new")
    assert "or with the one built before" in checkout.make()
    assert checkout.built.read_text() == "built\n"
