"""The files with which a venue tells its users on this machine where it is and who they are.

- `venue.json`  where the venue listens, written when it is ready and removed when it ends;
- `demo.json`   the demo accounts of `tradewire up` and their private keys;
- `admin.json`  the first key of `tradewire serve`.

All are written whole or not at all, and only their owner can read those with private keys.
"""

import contextlib
import dataclasses
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewire_server.cli.failure import CommandFailed

VENUE_FILE = "venue.json"
DEMO_FILE = "demo.json"
ADMIN_FILE = "admin.json"
OWNER_ONLY = 0o600
ED25519 = "ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where a venue listens; 0 where it does not."""

    grpc: int
    admin: int
    metrics: int
    rest: int = 0
    http: int = 0
    fix: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningVenue:
    """The content of `venue.json`. `rest` is empty without Envoy, `sockets` is where its sockets
    are.
    """

    pid: int
    environment: str
    journal_id: str
    version: str
    host: str
    tls: bool
    ports: Ports
    sockets: Path
    rest: str = ""

    @property
    def grpc(self) -> str:
        """Where a client on this machine finds it."""
        return f"{reachable(self.host)}:{self.ports.grpc}"

    @property
    def admin(self) -> str:
        """Where the admin service is, always on this machine only."""
        return f"127.0.0.1:{self.ports.admin}"

    @property
    def metrics(self) -> str:
        """Where Prometheus reads."""
        return f"http://127.0.0.1:{self.ports.metrics}/metrics"

    @property
    def fix(self) -> str:
        """Where FIX is, empty where it is not served."""
        return f"{reachable(self.host)}:{self.ports.fix}" if self.ports.fix else ""

    def save(self, data_dir: Path) -> None:
        """Write the file."""
        content = {
            "pid": self.pid,
            "environment": self.environment,
            "journal_id": self.journal_id,
            "version": self.version,
            "host": self.host,
            "tls": self.tls,
            "grpc": self.grpc,
            "admin": self.admin,
            "metrics": self.metrics,
            "rest": self.rest or None,
            "fix": self.fix or None,
            "sockets": str(self.sockets),
            "ports": dataclasses.asdict(self.ports),
        }
        write_json(data_dir / VENUE_FILE, content)

    @classmethod
    def load(cls, data_dir: Path) -> "RunningVenue | None":
        """Read the file, None when there is none.

        Raises CommandFailed when it is damaged.
        """
        content = read_json(data_dir / VENUE_FILE)
        if content is None:
            return None
        try:
            ports = content["ports"]
            return cls(
                pid=int(content["pid"]),
                environment=str(content["environment"]),
                journal_id=str(content["journal_id"]),
                version=str(content["version"]),
                host=str(content["host"]),
                tls=bool(content["tls"]),
                ports=Ports(
                    grpc=int(ports["grpc"]),
                    admin=int(ports["admin"]),
                    metrics=int(ports["metrics"]),
                    rest=int(ports["rest"]),
                    http=int(ports["http"]),
                    fix=int(ports["fix"]),
                ),
                sockets=Path(content["sockets"]),
                rest=str(content["rest"] or ""),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(data_dir / VENUE_FILE, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoKey:
    """A key with its private half, as `demo.json` and `admin.json` hold it."""

    account: str
    api_key: str
    private_key: str
    scopes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return an entry of the file."""
        return {
            "account": self.account,
            "api_key": self.api_key,
            "algorithm": ED25519,
            "private_key": self.private_key,
            "scopes": list(self.scopes),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "DemoKey":
        """Read an entry of the file.

        Raises KeyError and TypeError.
        """
        return cls(
            account=str(entry["account"]),
            api_key=str(entry["api_key"]),
            private_key=str(entry["private_key"]),
            scopes=tuple(map(str, entry["scopes"])),
        )


def reachable(host: str) -> str:
    """Return the address at which a listener of this host is reached from this machine."""
    if host in ("0.0.0.0", ""):
        return "127.0.0.1"
    if host in ("::", "[::]"):
        return "[::1]"
    return host


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file, None when there is no file.

    Raises CommandFailed when it holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise damaged(path, error) from error
    if not isinstance(content, dict):
        raise damaged(path, "the JSON is no object")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> bool:
    """Write an object to a file, readable by its owner only, whole or not at all.

    Returns whether there was a need to: equal content stays untouched.
    """
    data = json.dumps(content, indent=2).encode() + b"\n"
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == data and path.stat().st_mode & 0o777 == OWNER_ONLY:
            return False
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True


def damaged(path: Path, why: object) -> CommandFailed:
    """Return the error of a file that nobody can use."""
    return CommandFailed(
        f"{path} is not what Tradewire writes ({why}): move it away, and start the venue again "
        "to have it written anew"
    )
