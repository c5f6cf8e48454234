"""The unix sockets on which Envoy reaches the server: where they are, and that nobody else does.

- `edge.sock`   gRPC; its peers are believed when they say who the client is;
- `calls.sock`  the same for unary calls over HTTP/1.1, which costs less;
- `authz.sock`  HTTP; says which requests may pass;
- `http.sock`   the HTTP edge of `tradewire up`, for WebSocket: its peers are believed likewise.

They belong to this user (mode 0600) and live as long as the process. A file that a killed process
left behind is replaced: the data directory is locked, so nobody listens on it any more.
"""

import contextlib
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

# What fits into `sockaddr_un`, with the zero at its end.
PATH_MAX = 107
OWNER_ONLY = 0o177
EDGE, CALLS, AUTHORISATION, HTTP = "edge.sock", "calls.sock", "authz.sock", "http.sock"


class SocketError(Exception):
    """A socket cannot be made; the text says what to do."""


class Sockets:
    """The paths of a server's sockets."""

    def __init__(self, data_dir: Path, socket_dir: Path | None = None) -> None:
        """Put them into `socket_dir`, else into the data directory, else, when its path is too
        long, into a fresh directory for temporary files.

        Raises SocketError when `socket_dir` itself is too long.
        """
        self._temporary: Path | None = None
        directory = (socket_dir or data_dir).absolute()
        if not _fits(directory):
            if socket_dir is not None:
                raise SocketError(
                    f"{directory} is too long for the path of a unix socket (at most {PATH_MAX} "
                    f"bytes with /{AUTHORISATION}): choose a shorter directory"
                )
            directory = self._temporary = Path(tempfile.mkdtemp(prefix="tradewire-"))
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self.edge = directory / EDGE
        self.calls = directory / CALLS
        self.authz = directory / AUTHORISATION
        self.http = directory / HTTP

    @contextlib.contextmanager
    def making(self, path: Path) -> Iterator[str]:
        """Make room for a socket, and let only this user use what is bound meanwhile.

        Raises SocketError.
        """
        self._replace(path)
        # A mode that is set after the socket was bound would come too late.
        former = os.umask(OWNER_ONLY)
        try:
            yield str(path)
        finally:
            os.umask(former)

    def bind(self, wanted: Path) -> socket.socket:
        """Bind one of the HTTP sockets.

        Raises SocketError.
        """
        with contextlib.ExitStack() as until_bound:
            listener = until_bound.enter_context(socket.socket(socket.AF_UNIX))
            try:
                with self.making(wanted) as path:
                    listener.bind(path)
            except OSError as error:
                raise SocketError(f"{wanted} cannot be opened: {error.strerror}") from error
            until_bound.pop_all()
        listener.setblocking(False)
        return listener

    def remove(self) -> None:
        """Remove what was made."""
        for path in (self.edge, self.calls, self.authz, self.http):
            path.unlink(missing_ok=True)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _replace(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise SocketError(
                    f"{path} is in the way and is no socket: move it, or choose another directory"
                )
            path.unlink()


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / AUTHORISATION)) <= PATH_MAX
