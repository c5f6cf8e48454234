"""The master key's file."""

import os
import stat
from pathlib import Path

import pytest
from tradewire_server.auth import master_key
from tradewire_server.auth.master_key import load_or_create_master_key
from tradewire_server.auth.sealing import MasterKeyError, encode_master_key

from tests.unit.server.auth.venue import CountedEntropy


def test_the_first_use_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = load_or_create_master_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_master_key(path) == key
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]


def test_two_venues_have_two_keys(tmp_path: Path) -> None:
    first = load_or_create_master_key(tmp_path / "first")
    assert first != load_or_create_master_key(tmp_path / "second")


def test_of_two_processes_that_start_at_once_the_first_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    entropy = CountedEntropy()

    def draw(length: int) -> bytes:
        # The other process is done between our look and our link.
        path.write_text(encode_master_key(bytes(32)))
        path.chmod(0o600)
        return entropy(length)

    assert load_or_create_master_key(path, entropy=draw) == bytes(32)
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]


def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        load_or_create_master_key(tmp_path / "master.key")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_open_of_the_new_file_is_not_covered_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> int:
        raise OSError("cannot open")

    monkeypatch.setattr(master_key, "_load", _absent)
    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match="cannot open"):
        load_or_create_master_key(tmp_path / "master.key")


def _absent(_path: Path) -> bytes:
    raise FileNotFoundError


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    load_or_create_master_key(path)
    path.chmod(mode)
    with pytest.raises(MasterKeyError, match=f"mode {mode:04o}.*chmod 600"):
        load_or_create_master_key(path)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (pipe, tmp_path):
        with pytest.raises(MasterKeyError, match="not a regular file"):
            load_or_create_master_key(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"c2hvcnQ=\n", b"A" * 5000])
def test_a_file_without_a_key_is_named_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(MasterKeyError, match=str(path)):
        load_or_create_master_key(path)
    assert path.read_bytes() == content
