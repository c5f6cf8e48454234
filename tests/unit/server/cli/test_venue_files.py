"""The files beside the journal: whole or not at all, private, untouched when nothing changed."""

import dataclasses
import json
from pathlib import Path

import pytest
from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.venue_files import (
    DemoKey,
    Ports,
    RunningVenue,
    reachable,
    read_json,
    write_json,
)

RUNNING = RunningVenue(
    pid=1,
    environment="sandbox",
    journal_id="j",
    version="0",
    host="127.0.0.1",
    tls=False,
    ports=Ports(grpc=1, admin=2, metrics=3, rest=4, http=5, fix=6),
    sockets=Path("/venue"),
    rest="http://127.0.0.1:4",
)


def test_the_place_of_a_venue_survives_its_file(tmp_path: Path) -> None:
    RUNNING.save(tmp_path)
    assert RunningVenue.load(tmp_path) == RUNNING
    content = json.loads((tmp_path / "venue.json").read_bytes())
    assert (content["grpc"], content["admin"]) == ("127.0.0.1:1", "127.0.0.1:2")
    assert content["metrics"] == "http://127.0.0.1:3/metrics"
    assert content["rest"] == "http://127.0.0.1:4"
    assert content["fix"] == "127.0.0.1:6"


def test_a_venue_without_rest_has_no_address_for_it(tmp_path: Path) -> None:
    running = dataclasses.replace(RUNNING, rest="", ports=Ports(grpc=1, admin=2, metrics=3))
    running.save(tmp_path)
    content = json.loads((tmp_path / "venue.json").read_bytes())
    assert (content["rest"], content["fix"]) == (None, None)
    assert RunningVenue.load(tmp_path) == running


def test_without_a_file_no_venue_is_known(tmp_path: Path) -> None:
    assert RunningVenue.load(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 1, "ports": {}}', '{"pid": "x"}'])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "venue.json").write_text(content)
    with pytest.raises(CommandFailed, match="move it away"):
        RunningVenue.load(tmp_path)


def test_a_wildcard_host_is_reached_on_this_machine() -> None:
    hosts = ("0.0.0.0", "", "::", "[::]", "10.0.0.1")
    assert [reachable(host) for host in hosts] == [
        "127.0.0.1",
        "127.0.0.1",
        "[::1]",
        "[::1]",
        "10.0.0.1",
    ]


def test_files_are_their_owners_and_written_only_when_they_differ(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    assert write_json(path, {"a": 1})
    assert path.stat().st_mode & 0o777 == 0o600
    assert not write_json(path, {"a": 1})
    assert write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_an_open_file_is_closed_to_others_again(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"a": 1})
    path.chmod(0o644)
    assert write_json(path, {"a": 1})
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"a": 1})

    def refuse(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_demo_key_survives_its_file() -> None:
    key = DemoKey(account="demo-1", api_key="tw_A", private_key="c2VlZA", scopes=("read", "trade"))
    assert DemoKey.from_json(key.as_json()) == key
    assert key.as_json()["algorithm"] == "ed25519"
