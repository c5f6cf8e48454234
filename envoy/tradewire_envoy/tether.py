"""Becomes another program which ends with its parent, also when that is killed.

Run as a script, before any package can be imported: `python tether.py PARENT_PID PROGRAM ...`.
Where the system has no way to do it (macOS), the program runs without.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
EXIT_ORPHANED = 75


def main(arguments: Sequence[str]) -> None:
    """Become the program, or end if the parent is gone already."""
    parent, *program = arguments
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    # From here on its end reaches us. If it has ended before, nothing will.
    if os.getppid() != int(parent):
        sys.exit(EXIT_ORPHANED)
    allow_files()
    os.execv(program[0], program)


def allow_files() -> None:
    """Allow as many open files as the system lets this process: a connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS has a bound of its own beside this one.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main(sys.argv[1:])
