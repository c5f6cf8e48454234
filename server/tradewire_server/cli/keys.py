"""`tradewire keys`: the account's own API keys. Private halves are made here and never leave."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradewire_server.cli.arguments import Json, as_typed, time_of
from tradewire_server.cli.connection import VenueOptions, with_venue
from tradewire_server.cli.failure import CommandFailed

if TYPE_CHECKING:
    from tradewire_client import ApiKey, Ed25519Key

app = typer.Typer(no_args_is_help=True, help="List, create, rotate and revoke API keys.")

KEYS_DIR = "keys"

ApiKeyName = Annotated[str, typer.Argument(help="The key's id.", metavar="API_KEY")]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Where to write the key; `keys/API_KEY.json` in the data directory."
    ),
]

COLUMNS = (
    ("API key", "api_key"),
    ("Account", "account"),
    ("Algorithm", "algorithm"),
    ("Scopes", "scopes"),
    ("Addresses", "addresses"),
    ("Label", "label"),
    ("Created", "create_time_ns"),
    ("Expires", "expire_time_ns"),
    ("Revoked", "revoke_time_ns"),
)
OPTIONAL_COLUMNS = ("label", "algorithm", "account", "create_time_ns")


@app.command("list")
@with_venue
async def list_keys(options: VenueOptions, json: Json = False) -> None:
    """List the account's keys, revoked ones included.

    Example: `tradewire keys list --account demo-2`
    """
    async with options.client() as client:
        found = await client.keys.list()
    show_keys(found, as_json=json)


@app.command()
@with_venue
async def create(
    options: VenueOptions,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="read, trade, transfer or quote; repeat for several. Read alone if none."
        ),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(help="Address block from which it may be used, e.g. 192.0.2.0/24; repeat."),
    ] = None,
    label: Annotated[str, typer.Option(help="What you call it.")] = "",
    expire_time: Annotated[str | None, typer.Option(help="When it ends.")] = None,
    hmac: Annotated[bool, typer.Option("--hmac", help="HMAC-SHA256 in place of Ed25519.")] = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Make a key and write it to a file that only you can read.

    Of an Ed25519 key the venue learns the public half only; an HMAC secret is shown this once.
    Example: `tradewire keys create --scope read --scope trade --label laptop`
    """
    from tradewire_client import Ed25519Key, HmacKey

    check_out(out)
    async with options.client() as client:
        pair = None if hmac else Ed25519Key.generate()
        with as_typed():
            reply = client.keys.create(
                public_key="" if pair is None else pair.public_key,
                algorithm="hmac_sha256" if hmac else "ed25519",
                scopes=scope or (),  # type: ignore[arg-type]
                addresses=address or (),
                expire_time=time_of(expire_time),
                label=label,
            )
            created = await reply
    path = key_path(options.data_dir, out, created.key.api_key)
    if pair is not None:
        save_pair(pair, created.key.api_key, path)
    else:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        HmacKey(created.key.api_key, created.secret).save(path)
    show_created({"key": created.key, "file": path}, created.key, path, as_json=json)


@app.command()
@with_venue
async def rotate(
    options: VenueOptions,
    api_key: ApiKeyName,
    overlap: Annotated[
        int, typer.Option(metavar="SECONDS", min=0, help="How long both are live; 0 is a day.")
    ] = 0,
    hmac: Annotated[bool, typer.Option("--hmac", help="The key is an HMAC key.")] = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Make a successor with the same permissions; the old key ends after the overlap.

    Example: `tradewire keys rotate tw_ABC --overlap 3600`
    """
    from tradewire_client import Ed25519Key, HmacKey

    check_out(out)
    async with options.client() as client:
        pair = None if hmac else Ed25519Key.generate()
        rotated = await client.keys.rotate(
            api_key,
            public_key="" if pair is None else pair.public_key,
            overlap_seconds=overlap,
        )
    path = key_path(options.data_dir, out, rotated.key.api_key)
    if pair is not None:
        save_pair(pair, rotated.key.api_key, path)
    else:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        HmacKey(rotated.key.api_key, rotated.secret).save(path)
    answer = {"key": rotated.key, "file": path, "replaced": rotated.replaced}
    show_created(answer, rotated.key, path, as_json=json)


@app.command()
@with_venue
async def revoke(options: VenueOptions, api_key: ApiKeyName, json: Json = False) -> None:
    """End a key, its sessions and its streams within a second.

    Example: `tradewire keys revoke tw_ABC`
    """
    async with options.client() as client:
        revoked = await client.keys.revoke(api_key)
    show_keys([revoked], as_json=json, single=True)


def show_keys(
    keys: "list[ApiKey] | tuple[ApiKey, ...]", *, as_json: bool, single: bool = False
) -> None:
    """Print keys."""
    from tradewire_server.cli.rendering import print_json, show, table

    if as_json:
        print_json(keys[0] if single else keys)
    else:
        show(table(keys, COLUMNS, optional=OPTIONAL_COLUMNS, empty="no keys"))


def show_created(answer: dict[str, Any], key: "ApiKey", path: Path, *, as_json: bool) -> None:
    """Print a new key and where it is."""
    from tradewire_server.cli.rendering import print_json, record, show

    if as_json:
        print_json({**answer, "file": str(path)})
    else:
        show(record(key))
        show(f"written to {path}; use it with --key {path}")


def check_out(out: Path | None) -> None:
    """Refuse before a key is made that could not be kept."""
    if out is not None and out.exists():
        raise CommandFailed(f"{out} exists: choose another file with --out")
    if out is not None and not out.parent.is_dir():
        raise CommandFailed(f"{out.parent} is no directory: make it, or choose another --out")


def key_path(data_dir: Path, out: Path | None, api_key: str) -> Path:
    """Return where a new key is kept."""
    return out or data_dir / KEYS_DIR / f"{api_key}.json"


def save_pair(pair: "Ed25519Key", api_key: str, path: Path) -> None:
    """Write a key that the venue knows by its id now."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pair.with_api_key(api_key).save(path)
