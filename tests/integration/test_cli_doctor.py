"""The doctor where it looks at ports and at everything together."""

import socket
from pathlib import Path

from tradewire_server.cli.doctor import all_checks, check_port


def test_a_taken_port_is_told_with_its_flag() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        check = check_port("--grpc-port", port)
    assert (check.verdict, "--grpc-port" in check.text) == ("warn", True)
    assert check_port("--grpc-port", port).verdict == "ok"


def test_all_checks_of_an_empty_place_find_nothing_wrong(tmp_path: Path) -> None:
    checks = list(all_checks(tmp_path / "venue"))
    assert {check.verdict for check in checks} <= {"ok", "warn"}
    assert [check.name for check in checks][:6] == [
        "python",
        "packages",
        "envoy",
        "data directory",
        "disk",
        "journal",
    ]


def test_a_damaged_file_is_a_finding_and_not_the_end(tmp_path: Path) -> None:
    (tmp_path / "venue.json").write_text("{")
    (tmp_path / "journal.sqlite").write_bytes(b"no database")
    failed = [check.name for check in all_checks(tmp_path) if check.verdict == "fail"]
    assert failed == ["journal", "venue.json"]
