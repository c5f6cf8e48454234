"""The TypeScript client for tests: its folder, and programs that use it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.node import INSTALLED, needs_node, program

FOLDER = Path(__file__).resolve().parents[2] / "clients" / "typescript"
EXAMPLES = FOLDER / "examples"
NAME = "tradewire-client"
TIMEOUT_S = 100

needs_client = pytest.mark.skipif(
    shutil.which("npm") is None or not (FOLDER / "dist" / "index.js").is_file(),
    reason="needs the TypeScript client that `make typescript` builds where npm is",
)
__all__ = ["EXAMPLES", "FOLDER", "needs_client", "needs_node", "run_npm", "run_program"]


def offer(folder: Path) -> None:
    """Make the client importable by its name for programs in a folder."""
    (folder / "node_modules").mkdir(exist_ok=True)
    link = folder / "node_modules" / NAME
    if not link.exists():
        link.symlink_to(FOLDER)


def run_program(source: Path, folder: Path) -> str:
    """Run a TypeScript program in a folder and return what it shows; warnings are errors."""
    offer(folder)
    # An ES module wherever the folder is.
    copy = folder / f"{source.stem}.mts"
    shutil.copy(source, copy)
    return run([program("tsx"), copy.name], folder)


def run_npm(*arguments: str, folder: Path = FOLDER) -> str:
    """Run a script of the package, or of one in another folder, and return what it shows."""
    return run(["npm", "--loglevel", "error", *arguments], folder)


def run(command: list[str], folder: Path) -> str:
    """Run a command that has to succeed; return what it shows on standard output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def bundle(source: Path, target: Path) -> str:
    """Bundle a program for pages and return its text."""
    offer(source.parent)
    esbuild = str(INSTALLED / ".bin" / "esbuild")
    options = ["--bundle", "--format=esm", "--platform=browser", "--target=es2022"]
    run([esbuild, str(source), *options, f"--outfile={target}"], source.parent)
    return target.read_text()
