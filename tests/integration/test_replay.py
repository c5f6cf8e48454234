"""Replay: a recording goes through the API of a venue process, and its figures come out."""

import json
import lzma
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import run_command, venue_process

FIXTURE = (
    Path(__file__).resolve().parents[3]
    / "shared"
    / "fixtures"
    / "bitstamp-2015-05-01"
    / "events-part1.log.xz"
)
ALL = {"best_bid": 1.0, "best_ask": 1.0, "top5_bid": 1.0, "top5_ask": 1.0}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One venue for the module; every replay has an instrument of its own."""
    data_dir = tmp_path_factory.mktemp("replay") / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        yield data_dir
        assert venue.end() == 0
    # What the replays did is in the journal, and in order.
    assert run_command("journal", "verify", "--data-dir", str(data_dir)).exit_code == 0


def _replay(data_dir: Path, recording: Path, *arguments: str) -> Any:
    at = ("--data-dir", str(data_dir))
    return run_command("replay", str(recording), "--json", *arguments, *at).json


class Tape:
    """Writes a recording."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def order(self, kind: str, order: int, side: int, price: str, amount: str) -> None:
        """Add an event of an order."""
        self._add(
            f"order_{kind}", {"id": order, "order_type": side, "price": price, "amount": amount}
        )

    def trade(self, price: float, amount: float) -> None:
        """Add a trade."""
        self._add("trade", {"id": 1, "price": price, "amount": amount})

    def book(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        """Add a snapshot."""
        self._add("order_book", {"bids": bids, "asks": asks})

    def _add(self, kind: str, content: dict[str, Any]) -> None:
        self.lines.append(f"{1_430_438_400_000 + len(self.lines)} {kind} {json.dumps(content)}\n")

    def save(self, path: Path) -> Path:
        """Write the file, compressed if its name says so."""
        data = "".join(self.lines).encode()
        path.write_bytes(lzma.compress(data) if path.suffix == ".xz" else data)
        return path


def _small_day() -> Tape:
    """Return a recording that price-time priority explains completely."""
    tape = Tape()
    tape.order("created", 1, 0, "100.00", "2.00000000")
    tape.order("created", 2, 1, "101.00", "1.50000000")
    tape.book([("100.00", "2.00000000")], [("101.00", "1.50000000")])
    # Takes from order 1 at its price, not at its own; so the cancel below comes too late.
    tape.order("created", 3, 1, "99.50", "0.75000000")
    tape.order("changed", 1, 0, "100.00", "1.25000000")
    tape.order("deleted", 3, 1, "99.50", "0.00000000")
    tape.trade(100.0, 0.75)
    tape.book([("100.00", "1.25000000")], [("101.00", "1.50000000")])
    tape.order("deleted", 1, 0, "100.00", "1.25000000")
    # It rested before the recording began, so nobody knows it.
    tape.order("deleted", 99, 0, "50.00", "1.00000000")
    tape.book([], [("101.00", "1.50000000")])
    tape.order("created", 4, 0, "102.00", "1.00000000")
    tape.trade(101.00000000000001, 1.0)
    tape.book([], [("101.00", "0.50000000")])
    return tape


def test_a_day_that_price_time_priority_explains_comes_out_as_it_was(
    data_dir: Path, tmp_path: Path
) -> None:
    report = _replay(data_dir, _small_day().save(tmp_path / "day.log"))
    assert report.pop("seconds") > 0
    assert report.pop("orders_per_second") >= 0
    symbol = report.pop("symbol")
    assert report == {
        "trades_recorded": 2,
        "trades_reproduced": 2,
        "fills": 2,
        "orders": 4,
        "cancels": 2,
        "seeds": 0,
        "refused": {},
        "snapshots": 4,
        "whole": ALL,
        "second_half": ALL,
    }
    # Nothing of it is left to trade with.
    at = ("--data-dir", str(data_dir))
    book = run_command("book", symbol, "--once", "--json", *at).json
    assert (book["bids"], book["asks"]) == ([], [])
    instruments = {item["symbol"]: item for item in run_command("instruments", "--json", *at).json}
    assert instruments[symbol]["status"] == "halted"
    trades = run_command("trades", symbol, "--json", *at).json
    assert [(trade["price"], trade["quantity"]) for trade in trades] == [
        ("100", "0.75"),
        ("101", "1"),
    ]


def test_a_replay_can_be_kept(data_dir: Path, tmp_path: Path) -> None:
    report = _replay(data_dir, _small_day().save(tmp_path / "day.log.xz"), "--keep")
    at = ("--data-dir", str(data_dir))
    book = run_command("book", report["symbol"], "--once", "--json", *at).json
    assert book["asks"] == [{"price": "101", "quantity": "0.5"}]


def test_a_limit_stops_early(data_dir: Path, tmp_path: Path) -> None:
    report = _replay(data_dir, _small_day().save(tmp_path / "day.log"), "--limit", "3")
    assert (report["orders"], report["snapshots"], report["fills"]) == (2, 1, 0)


def test_what_differs_is_counted_as_different(data_dir: Path, tmp_path: Path) -> None:
    tape = Tape()
    tape.order("created", 1, 0, "100.00", "1.00000000")
    tape.trade(100.0, 1.0)
    tape.book([("100.00", "2.00000000")], [("101.00", "1.00000000")])
    report = _replay(data_dir, tape.save(tmp_path / "day.log"))
    assert (report["trades_recorded"], report["trades_reproduced"]) == (1, 0)
    assert report["whole"] == {
        "best_bid": 1.0,
        "best_ask": 0.0,
        "top5_bid": 0.0,
        "top5_ask": 0.0,
    }


def test_a_seeded_book_trades_with_what_rested_before(data_dir: Path, tmp_path: Path) -> None:
    tape = Tape()
    tape.order("created", 50, 0, "90.00", "1.00000000")
    tape.book([("90.00", "1.00000000")], [("101.00", "3.00000000")])
    tape.order("created", 51, 0, "101.00", "1.00000000")
    tape.trade(101.0, 1.0)
    tape.book([("90.00", "1.00000000")], [("101.00", "2.00000000")])
    # Known by its end: one of the three came from this order.
    tape.order("deleted", 7, 1, "101.00", "1.00000000")
    tape.book([("90.00", "1.00000000")], [("101.00", "1.00000000")])
    recording = tape.save(tmp_path / "day.log")
    bare = _replay(data_dir, recording)
    assert (bare["trades_reproduced"], bare["whole"]["top5_ask"]) == (0, 0.0)
    seeded = _replay(data_dir, recording, "--seed-book")
    assert (seeded["seeds"], seeded["trades_reproduced"], seeded["whole"]) == (2, 1, ALL)


def test_many_commands_are_under_way_at_once_and_stay_in_order(
    data_dir: Path, tmp_path: Path
) -> None:
    tape = Tape()
    best = 0
    for number in range(1, 3_000):
        price = 100 + number % 7
        tape.order("created", number, 0, f"{price}.00", "1.00000000")
        if number % 3 == 0:
            tape.order("deleted", number, 0, f"{price}.00", "1.00000000")
        else:
            best = max(best, price)
        tape.book([(f"{best}.00", "1.00000000")], [])
    report = _replay(data_dir, tape.save(tmp_path / "day.log"))
    assert (report["orders"], report["cancels"], report["snapshots"]) == (2999, 999, 2999)
    assert (report["whole"]["best_bid"], report["refused"]) == (1.0, {})


def test_a_malformed_line_is_told_before_anything_is_sent(data_dir: Path, tmp_path: Path) -> None:
    lines = _small_day().lines
    path = tmp_path / "day.log"
    path.write_text("".join(lines) + "garbage\n")
    result = run_command("replay", str(path), "--data-dir", str(data_dir))
    assert (result.exit_code, result.out) == (1, "")
    assert result.err.startswith(f"tradewire: {path}, line {len(lines) + 1}: ")


def test_an_account_with_rate_limits_is_refused(data_dir: Path, tmp_path: Path) -> None:
    path = _small_day().save(tmp_path / "day.log")
    result = run_command("replay", str(path), "--account", "demo-1", "--data-dir", str(data_dir))
    assert (result.exit_code, "--exempt" in result.err) == (1, True)


def test_people_get_a_table(data_dir: Path, tmp_path: Path) -> None:
    path = _small_day().save(tmp_path / "day.log")
    result = run_command("replay", str(path), "--data-dir", str(data_dir))
    assert result.exit_code == 0
    assert "2 of 2 fills" in result.out
    assert "100.00 %" in result.out


@pytest.mark.skipif(not FIXTURE.exists(), reason=f"needs the recording {FIXTURE.name}")
def test_a_recorded_day_of_a_real_exchange_comes_out_as_it_was_recorded(data_dir: Path) -> None:
    report = _replay(data_dir, FIXTURE)
    assert (report["orders"], report["snapshots"], report["refused"]) == (13_312, 2_682, {})
    assert (report["trades_recorded"], report["fills"]) == (328, 278)
    assert report["trades_reproduced"] >= 271
    whole, half = report["whole"], report["second_half"]
    assert whole["best_bid"] >= 0.9795
    assert whole["best_ask"] >= 0.9985
    assert half["best_bid"] == 1.0
    assert half["best_ask"] >= 0.9985
    assert half["top5_bid"] >= 0.9585
    assert half["top5_ask"] >= 0.9275


@pytest.mark.skipif(not FIXTURE.exists(), reason=f"needs the recording {FIXTURE.name}")
def test_a_seeded_book_comes_nearer_to_the_recording(data_dir: Path) -> None:
    report = _replay(data_dir, FIXTURE, "--seed-book")
    assert report["trades_reproduced"] >= 284
    assert report["whole"]["best_bid"] >= 0.99
    assert report["whole"]["best_ask"] >= 0.999
    assert report["second_half"]["top5_bid"] >= 0.986
    assert report["second_half"]["top5_ask"] >= 0.991


@pytest.mark.slow
def test_a_venue_that_dies_ends_the_replay_with_one_line(tmp_path: Path) -> None:
    tape = Tape()
    for number in range(1, 30_000):
        tape.order("created", number, 0, "100.00", "1.00000000")
    recording = tape.save(tmp_path / "day.log")
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with venue_process(data_dir, "--no-bots") as venue:
        replay = subprocess.Popen(
            [sys.executable, "-m", "tradewire_server.cli", "replay", str(recording), "--json", *at],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while run_command("admin", "venue", "--json", *at).json["open_order_count"] < 1_000:
            assert replay.poll() is None, replay.communicate()
        venue.end(signal.SIGKILL)
        out, err = replay.communicate(timeout=60)
    assert (replay.returncode, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("tradewire: the venue ended the stream: ")
