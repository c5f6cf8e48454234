"""The doctor where it looks at ports and at everything together."""

import asyncio
import socket
from pathlib import Path

from tradewire_gateway.web.terminal_files import newest_build
from tradewire_server.cli.doctor import all_checks, check_port, check_terminal, check_websocket

from tests.support.command_line import venue_process
from tests.support.envoy import data_directory, running_rest_venue


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


def test_every_way_into_a_running_venue_is_looked_at(tmp_path: Path) -> None:
    with venue_process(tmp_path / "venue", "--no-bots") as venue:
        running = venue.wait_until_ready()
        checks = {check.name: check for check in all_checks(tmp_path / "venue")}
    socket_url = f"{running['rest'].replace('http', 'ws')}/v1/ws"
    for name in ("venue", "admin service", "REST", "WebSocket"):
        assert checks[name].verdict == "ok", checks[name]
    assert checks["WebSocket"].text == f"answers at {socket_url}"
    built = newest_build() is not None
    assert checks["terminal"].verdict == ("ok" if built else "warn")
    # And what does not answer is said.
    assert check_websocket(running["rest"]).verdict == "fail"
    assert check_terminal(running["rest"]).verdict == "fail"


async def test_pages_that_nobody_serves_are_no_failure() -> None:
    async with data_directory() as path, running_rest_venue(path) as rest:
        for check in (check_websocket, check_terminal):
            found = await asyncio.to_thread(check, rest.url)
            assert (found.verdict, "tradewire_gateway.web" in found.text) == ("warn", True)


def test_a_damaged_file_is_a_finding_and_not_the_end(tmp_path: Path) -> None:
    (tmp_path / "venue.json").write_text("{")
    (tmp_path / "journal.sqlite").write_bytes(b"no database")
    failed = [check.name for check in all_checks(tmp_path) if check.verdict == "fail"]
    assert failed == ["journal", "venue.json"]
