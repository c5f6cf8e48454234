"""How the user starts this program, so that what is printed can be pasted."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tradewire_server.cli.connection import DATA_DIR

PROGRAM = "tradewire"


def command_line(data_dir: Path) -> Callable[[str], str]:
    """Return what makes a pasteable line of a command's arguments."""
    options = "" if data_dir == DATA_DIR else f" --data-dir {shlex.quote(str(data_dir))}"

    def line(arguments: str) -> str:
        return f"{program()} {arguments}{options}"

    return line


def program() -> str:
    """Return the shortest name under which the shell finds the running program."""
    running = Path(sys.argv[0])
    if running.name != PROGRAM or not running.exists():
        return f"{shlex.quote(sys.executable)} -m tradewire_server.cli"
    on_path = shutil.which(PROGRAM)
    if on_path is not None and os.path.samefile(on_path, running):
        return PROGRAM
    absolute = running.absolute()
    here = Path.cwd()
    if absolute.is_relative_to(here):
        return shlex.quote(str(absolute.relative_to(here)))
    return shlex.quote(str(absolute))
