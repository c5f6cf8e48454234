"""The doctor's findings, each with what to do."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from tradewire_server.cli.doctor import (
    check_directory,
    check_disk,
    check_journal,
    check_packages,
    check_private,
    check_python,
)


class _Usage(NamedTuple):
    free: int


def test_an_old_python_fails() -> None:
    assert check_python((3, 11)).verdict == "ok"
    check = check_python((3, 10))
    assert (check.verdict, check.text) == ("fail", "3.10 is too old: install 3.11 or newer")


def test_the_packages_of_this_environment_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_packages().verdict == "ok"
    monkeypatch.setattr("tradewire_server.cli.doctor.PACKAGES", ("no-such-package",))
    assert check_packages().text == "no-such-package missing: run `make setup`"


def test_a_data_directory_is_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert check_directory(tmp_path).verdict == "ok"
    assert check_directory(tmp_path / "later").verdict == "ok"
    tmp_path.chmod(0o755)
    assert f"chmod 700 {tmp_path}" in check_directory(tmp_path).text
    file = tmp_path / "file"
    file.touch()
    assert check_directory(file).verdict == "fail"


@pytest.mark.parametrize(("free", "verdict"), [(10**6, "fail"), (10**9, "warn"), (10**11, "ok")])
def test_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: _Usage(free))
    assert check_disk(tmp_path / "not" / "there").verdict == verdict


def test_secrets_are_their_owners(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.touch(mode=0o600)
    assert check_private(path).verdict == "ok"
    path.chmod(0o640)
    check = check_private(path)
    assert check.verdict == "fail"
    assert f"chmod 600 {path}" in check.text


def test_no_journal_is_no_finding(tmp_path: Path) -> None:
    assert check_journal(tmp_path, now_ns=1).verdict == "ok"
