"""Commands that go on: what they print is complete, also when the venue is killed in between."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.command_line import run_command, venue_process


@contextmanager
def _following(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tradewire_server.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _take(process: "subprocess.Popen[str]", count: int) -> list[Any]:
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(count)]


def _place(data_dir: Path, price: int) -> str:
    arguments = ("orders", "place", "BTC-USD", "buy", "0.01", "--price", str(price))
    order = run_command(*arguments, "--json", "--data-dir", str(data_dir)).json
    return str(order["order_id"])


def test_followed_executions_have_no_gap_across_a_crash(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with venue_process(data_dir, "--no-bots") as venue:
        ports = venue.wait_until_ready()["ports"]
        orders = [_place(data_dir, 50_000)]
        with _following("executions", "--follow", "--json", "--after", "0", *at) as follower:
            seen = _take(follower, 1)
            orders.append(_place(data_dir, 50_001))
            seen += _take(follower, 1)
            venue.end(signal.SIGKILL)
            same = ("--grpc-port", str(ports["grpc"]), "--admin-port", "0", "--metrics-port", "0")
            with venue_process(data_dir, "--no-bots", ports=same) as again:
                orders.append(_place(data_dir, 50_002))
                seen += _take(follower, 1)
                assert again.end() == 0
    assert [item["sequence"] for item in seen] == [1, 2, 3]
    assert [item["order"]["order_id"] for item in seen] == orders


def test_books_and_trades_are_followed_line_by_line(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with (
        venue_process(data_dir, "--no-bots"),
        _following("book", "BTC-USD", "--json", "--depth", "1", *at) as books,
        _following("trades", "BTC-USD", "--follow", "--json", *at) as trades,
    ):
        assert _take(books, 1)[0]["bids"] == []
        _place(data_dir, 50_000)
        assert _take(books, 1)[0]["bids"] == [{"price": "50000", "quantity": "0.01"}]
        sell = ("orders", "place", "BTC-USD", "sell", "0.01", "--account", "demo-2")
        assert run_command(*sell, *at).exit_code == 0
        assert _take(trades, 1)[0]["price"] == "50000"
        assert _take(books, 1)[0]["bids"] == []


def test_an_interrupt_ends_a_follower_without_a_word(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots"):
        _place(data_dir, 50_000)
        arguments = ("executions", "--follow", "--json", "--data-dir", str(data_dir))
        with _following(*arguments) as follower:
            _take(follower, 1)
            follower.send_signal(signal.SIGINT)
            out, err = follower.communicate(timeout=30)
    assert (follower.returncode, out, err) == (130, "", "")


def test_a_reader_that_goes_away_ends_a_follower_without_a_traceback(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots"):
        for price in range(50_000, 50_003):
            _place(data_dir, price)
        reader, writer = os.pipe()
        command = (sys.executable, "-m", "tradewire_server.cli", "executions", "--follow", "--json")
        process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir)],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writer)
        os.close(reader)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
