"""The examples of the README are complete programs that run against a venue."""

import asyncio
import re
import sys
import tomllib
from pathlib import Path

import tradewire_client

from tests.unit.client.venue_process import running_venue

PACKAGE = Path(__file__).resolve().parents[3] / "clients" / "python"
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


async def test_every_example_runs_as_it_stands(tmp_path: Path) -> None:
    folder = tmp_path / ".tradewire"
    async with running_venue(folder):
        assert EXAMPLES
        for number, example in enumerate(EXAMPLES, start=1):
            # In one venue and in the order of the page, as a reader would try them.
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-W",
                "error",
                "-c",
                example,
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await process.communicate()
            assert process.returncode == 0, f"example {number}: {output.decode()}"
            assert output, f"example {number} shows nothing"


def test_names_in_the_text_are_public() -> None:
    mentioned = set(re.findall(r"`([A-Z][A-Za-z0-9]+)`", README))
    assert {name for name in mentioned if not hasattr(tradewire_client, name)} <= {
        "Decimal",
        "TypeError",
    }


def test_every_public_error_is_in_the_text() -> None:
    errors = {
        name
        for name in tradewire_client.__all__
        if isinstance(getattr(tradewire_client, name), type)
        and issubclass(getattr(tradewire_client, name), tradewire_client.TradewireError)
    }
    assert {name for name in errors if f"`{name}" not in README} <= {"BookCorrupted"}


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert tradewire_client.__version__ == project["version"]


def test_the_license_is_that_of_the_project() -> None:
    assert (PACKAGE / "LICENSE").read_bytes() == (PACKAGE.parents[1] / "LICENSE").read_bytes()
