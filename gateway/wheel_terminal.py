"""Puts the built terminal into the wheel, where it was built: `make terminal` does, where npm is.

A build hook of hatchling, named in pyproject.toml. A wheel without the terminal is whole as well:
its `/console` says what is missing.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "clients/terminal/dist"
IN_WHEEL = "tradewire_gateway/web/terminal"


class TerminalHook(BuildHookInterface):  # type: ignore[type-arg]
    """What hatchling calls before it builds."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the terminal to a wheel; a checkout that is installed as it stands has it already."""
        built = Path(self.root) / BUILT
        if version == "standard" and (built / "index.html").is_file():
            build_data["force_include"][str(built)] = IN_WHEEL
