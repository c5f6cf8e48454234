"""Where a command finds the venue and its key, and what it says when it does not."""

import asyncio
import base64
import inspect
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tradewire_client import Ed25519Key
from tradewire_server.cli.connection import (
    AdminOptions,
    VenueOptions,
    with_admin,
    with_venue,
)
from tradewire_server.cli.failure import CommandFailed

SEED = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()


def _demo(directory: Path, **changes: object) -> None:
    entry = {"api_key": "tw_A", "algorithm": "ed25519", "private_key": SEED, "scopes": ["read"]}
    content = {
        "environment": "sandbox",
        "grpc": "127.0.0.1:1",
        "admin": "127.0.0.1:2",
        "accounts": [{"account": "demo-1", **entry}],
        "admin_key": {"account": "admin", **entry},
        **changes,
    }
    (directory / "demo.json").write_text(json.dumps(content))


def _failure(opened: AbstractAsyncContextManager[Any]) -> str:
    async def enter() -> None:
        async with opened:
            pass

    with pytest.raises(CommandFailed) as caught:
        asyncio.run(enter())
    return str(caught.value)


def test_without_any_file_the_way_to_a_venue_is_told(tmp_path: Path) -> None:
    options = VenueOptions(data_dir=tmp_path)
    assert "no venue runs in" in _failure(options.public_client())
    assert "`tradewire up`" in _failure(options.public_client())
    assert "there is no such file" in _failure(options.client())
    assert "--admin" in _failure(AdminOptions(data_dir=tmp_path).operator())


def test_an_unknown_account_is_told_with_the_known_ones(tmp_path: Path) -> None:
    _demo(tmp_path)
    text = _failure(VenueOptions(data_dir=tmp_path, account="bob").client())
    assert "'bob' (it has demo-1)" in text


@pytest.mark.parametrize(
    "changes",
    [{"accounts": [{}]}, {"accounts": 1}, {"accounts": [{"account": "demo-1"}]}],
)
def test_a_damaged_demo_file_is_told(tmp_path: Path, changes: dict[str, object]) -> None:
    _demo(tmp_path, **changes)
    assert "is not what Tradewire writes" in _failure(VenueOptions(data_dir=tmp_path).client())


def test_a_key_that_is_no_base64url_is_told(tmp_path: Path) -> None:
    entry = {"account": "demo-1", "api_key": "tw_A", "private_key": "a b"}
    _demo(tmp_path, accounts=[entry])
    assert "not base64url" in _failure(VenueOptions(data_dir=tmp_path).client())


def test_a_missing_key_file_is_told(tmp_path: Path) -> None:
    _demo(tmp_path)
    missing = tmp_path / "none.json"
    assert "no such key file" in _failure(VenueOptions(data_dir=tmp_path, key=missing).client())
    options = AdminOptions(data_dir=tmp_path, admin_key=missing)
    assert "no such key file" in _failure(options.operator())


def test_an_operator_without_a_key_is_told_where_one_could_be(tmp_path: Path) -> None:
    options = AdminOptions(data_dir=tmp_path, admin="127.0.0.1:1")
    assert "there is no admin key in" in _failure(options.operator())


def test_keys_come_from_the_account_the_file_or_the_first_start(tmp_path: Path) -> None:
    _demo(tmp_path)
    # The lookup itself: no venue is asked.
    assert VenueOptions(data_dir=tmp_path)._find_key().api_key == "tw_A"
    assert AdminOptions(data_dir=tmp_path)._find_key().api_key == "tw_A"
    own = tmp_path / "own.json"
    Ed25519Key.generate("tw_B").save(own)
    assert VenueOptions(data_dir=tmp_path, key=own)._find_key().api_key == "tw_B"
    (tmp_path / "demo.json").unlink()
    admin = {"account": "admin", "api_key": "tw_C", "private_key": SEED, "scopes": ["admin"]}
    (tmp_path / "admin.json").write_text(json.dumps(admin))
    assert AdminOptions(data_dir=tmp_path)._find_key().api_key == "tw_C"


def test_a_command_has_its_own_arguments_and_those_of_the_connection(tmp_path: Path) -> None:
    seen: list[tuple[VenueOptions, str, int]] = []

    @with_venue
    async def command(options: VenueOptions, symbol: str, count: int = 3) -> None:
        """Do something."""
        seen.append((options, symbol, count))

    assert command.__doc__ == "Do something."
    names = list(inspect.signature(command).parameters)
    assert names[:4] == ["symbol", "count", "data_dir", "account"]
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(command).parameters.items()
        if name not in ("symbol", "count")
    }
    command(symbol="A-B", count=1, **{**defaults, "data_dir": tmp_path})
    assert seen == [(VenueOptions(data_dir=tmp_path), "A-B", 1)]


def test_an_admin_command_has_those_of_the_admin_listener() -> None:
    @with_admin
    async def command(options: AdminOptions) -> None:
        """Do something."""

    assert list(inspect.signature(command).parameters) == ["data_dir", "admin", "admin_key"]
