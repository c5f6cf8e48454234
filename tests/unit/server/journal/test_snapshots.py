"""Snapshots: whole or passed over, the newest two, never half written."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tradewire_server.journal import snapshots
from tradewire_server.journal.errors import JournalFull, JournalWriteFailed
from tradewire_server.journal.records import Snapshot
from tradewire_server.journal.snapshots import SnapshotDamaged

HASH = b"h" * 16


def snapshot_of(number: int) -> Snapshot:
    return Snapshot(number, number * 10, b"state", b"data of " + str(number).encode())


def write(directory: Path, *numbers: int) -> None:
    for number in numbers:
        snapshots.write(directory, snapshot_of(number), journal_id="ours", chain_hash=HASH)


def test_a_snapshot_comes_back(tmp_path: Path) -> None:
    write(tmp_path, 7)
    (path,) = snapshots.paths(tmp_path)
    header, snapshot = snapshots.read(path)
    assert snapshot == snapshot_of(7)
    assert header == snapshots.read_header(path)
    assert header[:5] == ("ours", 7, 70, HASH, b"state")


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    write(tmp_path, 7, 100, 9, 20)
    assert [header.event_number for _, header in snapshots.whole_headers(tmp_path)] == [100, 20]


def test_no_snapshots_without_a_directory(tmp_path: Path) -> None:
    assert snapshots.paths(tmp_path) == []
    snapshots.remove_unfinished(tmp_path)


def test_any_damage_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, 7)
    (path,) = snapshots.paths(tmp_path)
    data = path.read_bytes()
    for offset in range(len(data)):
        path.write_bytes(data[:offset] + bytes((data[offset] ^ 1,)) + data[offset + 1 :])
        with pytest.raises(SnapshotDamaged):
            snapshots.read(path)
        path.write_bytes(data[:offset])
        with pytest.raises(SnapshotDamaged):
            snapshots.read(path)


def test_a_damaged_header_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 7, 8)
    snapshots.paths(tmp_path)[0].write_bytes(b"")
    assert [header.event_number for _, header in snapshots.whole_headers(tmp_path)] == [7]


def test_what_is_no_file_is_damaged(tmp_path: Path) -> None:
    for read in (snapshots.read, snapshots.read_header):
        with pytest.raises(SnapshotDamaged):
            read(tmp_path)


def test_unfinished_files_are_no_snapshots_and_are_removed(tmp_path: Path) -> None:
    write(tmp_path, 7)
    unfinished = tmp_path / snapshots.DIRECTORY / "00000000000000000008.unfinished"
    unfinished.write_bytes(b"half")
    assert len(snapshots.paths(tmp_path)) == 1
    snapshots.remove_unfinished(tmp_path)
    assert not unfinished.exists()


def failing(code: int) -> Callable[[int], None]:
    def fsync(_fd: int) -> None:
        raise OSError(code, os.strerror(code))

    return fsync


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.EIO, JournalWriteFailed),
        (errno.ENOSPC, JournalFull),
        (errno.EDQUOT, JournalFull),
    ],
)
def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    write(tmp_path, 7)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(code))
        with pytest.raises(error) as caught:
            write(tmp_path, 8)
    assert type(caught.value) is error
    files = os.listdir(tmp_path / snapshots.DIRECTORY)
    assert files == [f"{7:020d}.snapshot"]


def test_a_snapshot_is_durable_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def fsync_noted(fd: int) -> None:
        kind = "directory" if os.path.isdir(f"/proc/self/fd/{fd}") else "file"
        steps.append(f"fsync {kind}")
        fsync(fd)

    def rename_noted(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", fsync_noted)
    monkeypatch.setattr(Path, "rename", rename_noted)
    write(tmp_path, 7)
    assert steps == ["fsync file", "rename", "fsync directory"]
