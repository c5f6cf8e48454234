"""How a command finds the venue, and who it is there: from options, or from the data directory."""

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.venue_files import (
    ADMIN_FILE,
    DEMO_FILE,
    RunningVenue,
    damaged,
    read_json,
)

if TYPE_CHECKING:
    from grpc.aio import Channel
    from tradewire_client import Client, Ed25519Key, HmacKey

    from tradewire_server.cli.operator import Operator

DATA_DIR = Path(".tradewire")
DEFAULT_ACCOUNT = "demo-1"
ADMIN_ACCOUNT = "admin"
_PANEL = "Connection"

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="TRADEWIRE_DATA_DIR",
        help="Directory of the venue.",
        rich_help_panel=_PANEL,
    ),
]
Account = Annotated[
    str,
    typer.Option(
        "--account",
        envvar="TRADEWIRE_ACCOUNT",
        help="Account of demo.json whose key signs in.",
        rich_help_panel=_PANEL,
    ),
]
Grpc = Annotated[
    str,
    typer.Option(
        "--grpc",
        envvar="TRADEWIRE_GRPC",
        metavar="HOST:PORT",
        help="The venue, if not the one of the data directory.",
        rich_help_panel=_PANEL,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        envvar="TRADEWIRE_KEY",
        metavar="FILE",
        help="Key file, in place of the account's key in demo.json.",
        rich_help_panel=_PANEL,
    ),
]
TlsCa = Annotated[
    Path | None,
    typer.Option(
        "--tls-ca",
        envvar="TRADEWIRE_TLS_CA",
        metavar="FILE",
        help="Certificates that vouch for the venue (PEM).",
        rich_help_panel=_PANEL,
    ),
]
ClientCertificate = Annotated[
    Path | None,
    typer.Option(
        "--client-certificate",
        envvar="TRADEWIRE_CLIENT_CERTIFICATE",
        metavar="FILE",
        help="Own certificate for mutual TLS (PEM).",
        rich_help_panel=_PANEL,
    ),
]
ClientKey = Annotated[
    Path | None,
    typer.Option(
        "--client-key",
        envvar="TRADEWIRE_CLIENT_KEY",
        metavar="FILE",
        help="Key of that certificate (PEM).",
        rich_help_panel=_PANEL,
    ),
]
Admin = Annotated[
    str,
    typer.Option(
        "--admin",
        envvar="TRADEWIRE_ADMIN",
        metavar="HOST:PORT",
        help="The admin listener, if not the one of the data directory.",
        rich_help_panel=_PANEL,
    ),
]
AdminKey = Annotated[
    Path | None,
    typer.Option(
        "--admin-key",
        envvar="TRADEWIRE_ADMIN_KEY",
        metavar="FILE",
        help="Admin key file, in place of the one in the data directory.",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOptions:
    """Where the venue is, and whose key signs in."""

    data_dir: DataDir = DATA_DIR
    account: Account = DEFAULT_ACCOUNT
    grpc: Grpc = ""
    key: KeyFile = None
    tls_ca: TlsCa = None
    client_certificate: ClientCertificate = None
    client_key: ClientKey = None

    @asynccontextmanager
    async def client(self) -> "AsyncIterator[Client]":
        """Open a client that is signed in with the account's key."""
        async with self._open(self._find_key()) as (client, _):
            yield client

    @asynccontextmanager
    async def public_client(self) -> "AsyncIterator[Client]":
        """Open a client for market data, which needs no key."""
        async with self._open(None) as (client, _):
            yield client

    @asynccontextmanager
    async def client_and_channel(self) -> "AsyncIterator[tuple[Client, Channel]]":
        """Open a client that is signed in, and show the channel that it uses."""
        async with self._open(self._find_key()) as both:
            yield both

    @asynccontextmanager
    async def _open(
        self, key: "Ed25519Key | HmacKey | None"
    ) -> "AsyncIterator[tuple[Client, Channel]]":
        from tradewire_client import Client, RetryPolicy, Tls
        from tradewire_client._channel import open_channel

        running = None if self.grpc else RunningVenue.load(self.data_dir)
        tls = None
        if self.tls_ca or self.client_certificate or (running is not None and running.tls):
            tls = Tls(
                root_certificates=self.tls_ca,
                certificate=self.client_certificate,
                private_key=self.client_key,
            )
        target = self.grpc or self._target(running)
        environment = "" if running is None else running.environment
        # A person waits: rather an answer soon than one more attempt.
        patience = RetryPolicy(attempts=3, deadline=8.0)
        async with (
            open_channel(target, tls=tls, allow_plaintext=False) as channel,
            Client(channel=channel, key=key, environment=environment, retry=patience) as client,
        ):
            yield client, channel

    def _target(self, running: RunningVenue | None) -> str:
        return _target(self.data_dir, running.grpc if running else "", "grpc", "--grpc")

    def _find_key(self) -> "Ed25519Key | HmacKey":
        from tradewire_client import Ed25519Key, HmacKey

        if self.key is not None:
            content = _must_read(self.key)
            if "secret" in content:
                return HmacKey.from_file(self.key)
            return Ed25519Key.from_file(self.key)
        entries = _demo_entries(self.data_dir)
        if self.account not in entries:
            known = f"it has {', '.join(sorted(entries))}" if entries else "there is no such file"
            raise CommandFailed(
                f"{self.data_dir / DEMO_FILE} has no key of account {self.account!r} ({known}): "
                "choose one with --account, or name a key file with --key"
            )
        return _key_of(self.data_dir / DEMO_FILE, entries[self.account])


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminOptions:
    """Where the admin listener is, and the key that may use it."""

    data_dir: DataDir = DATA_DIR
    admin: Admin = ""
    admin_key: AdminKey = None

    @asynccontextmanager
    async def operator(self) -> "AsyncIterator[Operator]":
        """Open a client of the admin service."""
        from tradewire_server.cli.operator import open_operator

        running = None if self.admin else RunningVenue.load(self.data_dir)
        target = self.admin or _target(
            self.data_dir, running.admin if running else "", "admin", "--admin"
        )
        environment = "" if running is None else running.environment
        async with open_operator(target, self._find_key(), environment=environment) as operator:
            yield operator

    def _find_key(self) -> "Ed25519Key":
        from tradewire_client import Ed25519Key

        if self.admin_key is not None:
            _must_read(self.admin_key)
            return Ed25519Key.from_file(self.admin_key)
        demo = read_json(self.data_dir / DEMO_FILE)
        if demo is not None and isinstance(demo.get("admin_key"), dict):
            return _key_of(self.data_dir / DEMO_FILE, demo["admin_key"])
        admin = read_json(self.data_dir / ADMIN_FILE)
        if admin is not None:
            return _key_of(self.data_dir / ADMIN_FILE, admin)
        raise CommandFailed(
            f"there is no admin key in {self.data_dir}: name its file with --admin-key, or the "
            "venue's directory with --data-dir"
        )


def _target(data_dir: Path, running: str, name: str, flag: str) -> str:
    """Return an address: that of the running venue, else the one that `up` used last."""
    if running:
        return running
    demo = read_json(data_dir / DEMO_FILE)
    if demo is not None and isinstance(demo.get(name), str):
        return str(demo[name])
    raise CommandFailed(
        f"no venue runs in {data_dir}: start one with `tradewire up`, or name another one with "
        f"--data-dir or {flag} HOST:PORT"
    )


def _demo_entries(data_dir: Path) -> dict[str, dict[str, Any]]:
    path = data_dir / DEMO_FILE
    demo = read_json(path)
    if demo is None:
        return {}
    try:
        return {str(entry["account"]): entry for entry in demo["accounts"]}
    except (KeyError, TypeError) as error:
        raise damaged(path, error) from error


def _key_of(path: Path, entry: dict[str, Any]) -> "Ed25519Key":
    from tradewire_client import Ed25519Key

    from tradewire_server.auth.encoding import decode_base64url

    try:
        seed = decode_base64url(str(entry["private_key"]))
        if seed is None:
            raise damaged(path, "the private key is not base64url")
        return Ed25519Key.from_seed(str(entry["api_key"]), seed)
    except KeyError as error:
        raise damaged(path, f"{error} is missing") from error


def _must_read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if content is None:
        raise CommandFailed(f"{path}: there is no such key file")
    return content


P = ParamSpec("P")
Command = Callable[..., None]


def with_venue(
    function: Callable[Concatenate[VenueOptions, P], Coroutine[Any, Any, None]],
) -> Command:
    """Make a command of a coroutine function: its first argument are the options of a client."""
    return with_options(VenueOptions, function)


def with_admin(
    function: Callable[Concatenate[AdminOptions, P], Coroutine[Any, Any, None]],
) -> Command:
    """Make a command of a coroutine function: its first argument are the options of an admin."""
    return with_options(AdminOptions, function)


def with_options(kind: type[Any], function: Callable[..., Coroutine[Any, Any, None]]) -> Command:
    """Make a command of a coroutine function whose first argument are options of some kind: the
    fields of the class go into the signature that typer reads.
    """
    import asyncio

    @wraps(function)
    def command(**arguments: Any) -> None:
        options = kind(**{name: arguments.pop(name) for name in names})
        asyncio.run(function(options, **arguments))

    names = [field.name for field in fields(kind)]
    own = list(inspect.signature(function).parameters.values())[1:]
    extra = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
        )
        for field in fields(kind)
    ]
    keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    command.__signature__ = inspect.Signature([*keyword_only, *extra])  # type: ignore[attr-defined]
    command.__annotations__ = {
        parameter.name: parameter.annotation for parameter in (*keyword_only, *extra)
    }
    del command.__wrapped__
    return command
