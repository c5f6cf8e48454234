"""The life of a venue process: first and second start, ports, signals, lost files, bots."""

import base64
import datetime
import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tradewire_server.journal.lock import DirectoryLock

from tests.support.command_line import FREE_PORTS, VenueProcess, run_command, venue_process

PATIENCE_S = 30.0


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def test_a_first_start_makes_what_a_newcomer_needs(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        marker = venue.wait_until_ready()
        demo = json.loads((data_dir / "demo.json").read_bytes())
        metrics = urlopen(marker["metrics"], timeout=10).read().decode()
        _eventually(lambda: "Ctrl-C ends the venue." in venue.printed)
        # Every printed line can be pasted; `--follow` would go on for ever.
        lines = [line for line in venue.printed.splitlines() if "--data-dir" in line]
        outcomes = [
            subprocess.run(
                line.replace(" --follow", ""),
                shell=True,
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
            for line in lines
        ]
        assert venue.end() == 0
    assert set(demo) == {"environment", "grpc", "admin", "accounts", "admin_key"}
    assert demo["environment"] == "sandbox"
    assert demo["grpc"] == f"127.0.0.1:{marker['ports']['grpc']}"
    assert demo["admin"] == f"127.0.0.1:{marker['ports']['admin']}"
    assert {entry["account"]: entry["scopes"] for entry in demo["accounts"]} == {
        "demo-1": ["read", "trade", "transfer"],
        "demo-2": ["read", "trade", "transfer"],
        "maker": ["read", "trade"],
        "taker": ["read", "trade"],
        "replay": ["read", "trade"],
    }
    for entry in (*demo["accounts"], demo["admin_key"]):
        assert set(entry) == {"account", "api_key", "algorithm", "private_key", "scopes"}
        assert entry["algorithm"] == "ed25519"
        assert len(base64.urlsafe_b64decode(entry["private_key"] + "=")) == 32
    assert (data_dir / "demo.json").stat().st_mode & 0o777 == 0o600
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert "tradewire_event_number" in metrics
    assert [(outcome.returncode, outcome.stderr) for outcome in outcomes] == [(0, "")] * 4
    # The last one is REST: `curl` itself does not fail when the venue refuses.
    assert json.loads(outcomes[-1].stdout)["order"]["clientOrderId"] == "first-by-curl"
    # Ended in order, it leaves no sign of running.
    assert not (data_dir / "venue.json").exists()


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with venue_process(data_dir, "--no-bots") as venue:
        ports = venue.wait_until_ready()["ports"]
        before = run_command("admin", "venue", "--state-hash", "--json", *at).json
        demo = (data_dir / "demo.json").read_bytes()
        inode = (data_dir / "demo.json").stat().st_ino
        assert venue.end() == 0
    same = (
        *("--grpc-port", str(ports["grpc"]), "--admin-port", str(ports["admin"])),
        *("--metrics-port", str(ports["metrics"])),
    )
    with venue_process(data_dir, "--no-bots", ports=same) as venue:
        after = run_command("admin", "venue", "--state-hash", "--json", *at).json
        assert venue.end(signal.SIGINT) == 0
    assert (after["event_number"], after["state_hash"], after["journal_id"]) == (
        before["event_number"],
        before["state_hash"],
        before["journal_id"],
    )
    assert (data_dir / "demo.json").read_bytes() == demo
    assert (data_dir / "demo.json").stat().st_ino == inode


def test_lost_keys_are_replaced_and_the_lost_ones_revoked(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with venue_process(data_dir, "--no-bots") as venue:
        run_command("admin", "update-account", "demo-1", "--taker-fee", "0.005", *at)
        venue.end()
    (data_dir / "demo.json").rename(tmp_path / "old.json")
    with venue_process(data_dir, "--no-bots") as venue:
        _eventually(lambda: "the accounts have new keys" in venue.printed)
        keys = run_command("keys", "list", "--json", *at).json
        accounts = run_command("admin", "accounts", "--json", *at).json
        balances = run_command("balances", "--json", *at).json
        (data_dir / "demo.json").rename(tmp_path / "new.json")
        (tmp_path / "old.json").rename(data_dir / "demo.json")
        refused = run_command("balances", *at)
    assert [key["revoke_time"] is None for key in keys] == [False, True]
    assert (refused.exit_code, "KEY_REVOKED" in refused.err) == (1, True)
    # What was changed since the first start stays changed, and nobody gets money twice.
    assert accounts[1]["taker_fee_rate"] == "0.005"
    assert {item["asset"]: item["total"] for item in balances} == {
        "BTC": "10",
        "ETH": "100",
        "USD": "1000000",
    }


@pytest.mark.slow
def test_keys_that_a_venue_does_not_know_are_made_anew(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        venue.end()
    demo = (data_dir / "demo.json").read_bytes()
    for path in data_dir.glob("*.sqlite*"):
        path.unlink()
    (data_dir / "head").unlink()
    for path in (data_dir / "snapshots").iterdir():
        path.unlink()
    with venue_process(data_dir, "--no-bots") as venue:
        _eventually(lambda: "did not hold any more" in venue.printed)
        assert run_command("balances", "--data-dir", str(data_dir)).exit_code == 0
    assert (data_dir / "demo.json").read_bytes() != demo


@pytest.mark.parametrize(
    "flag",
    ["--grpc-port", "--admin-port", "--metrics-port", "--rest-port", "--http-port", "--fix-port"],
)
def test_a_taken_port_is_an_error_that_names_the_flag(tmp_path: Path, flag: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        venue = VenueProcess(tmp_path / "venue", *FREE_PORTS, flag, port)
        assert venue.process.wait(60) == 1
    lines = venue.printed.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"tradewire: port {port} on 127.0.0.1 cannot be opened")
    assert flag in lines[0]
    # Nothing is left locked: with another port it would start.
    DirectoryLock(tmp_path / "venue").release()


def test_a_second_process_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        marker = venue.wait_until_ready()
        second = run_command("up", "--data-dir", str(data_dir), *FREE_PORTS)
        assert second.exit_code == 21
        assert f"is held by process {venue.process.pid}" in second.err
        # The first one is not disturbed.
        assert json.loads((data_dir / "venue.json").read_bytes()) == marker
        assert run_command("balances", "--data-dir", str(data_dir)).exit_code == 0
        assert venue.end() == 0


def test_plaintext_does_not_leave_the_machine_unless_allowed(tmp_path: Path) -> None:
    result = run_command("up", "--data-dir", str(tmp_path / "v"), *FREE_PORTS, "--host", "0.0.0.0")
    assert result.exit_code == 1
    assert "--tls-certificate" in result.err
    assert "--allow-plaintext" in result.err


def test_half_of_a_tls_pair_is_refused(tmp_path: Path) -> None:
    at = ("--data-dir", str(tmp_path / "v"), *FREE_PORTS)
    missing = str(tmp_path / "none.pem")
    for arguments, words in (
        (("--tls-certificate", missing), "give both"),
        (("--tls-client-ca", missing), "needs --tls-certificate"),
        (("--tls-certificate", missing, "--tls-key", missing), "there is no such file"),
    ):
        result = run_command("up", *at, *arguments)
        assert (result.exit_code, words in result.err) == (1, True), result


def test_with_a_certificate_clients_speak_tls(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    data_dir = tmp_path / "venue"
    arguments = ("--no-bots", "--tls-certificate", str(certificate), "--tls-key", str(key))
    with venue_process(data_dir, *arguments) as venue:
        assert venue.wait_until_ready()["metrics"].startswith("http://127.0.0.1:")
        at = ("--data-dir", str(data_dir))
        trusting = run_command("balances", "--json", *at, "--tls-ca", str(certificate))
        doubting = run_command("balances", *at)
        operator = run_command("admin", "accounts", "--json", *at)
        assert venue.end() == 0
    assert len(trusting.json) == 3
    assert doubting.exit_code == 1
    assert len(operator.json) == 7


def _certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "venue")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(IPv4Address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "venue.pem", directory / "venue.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def test_a_venue_that_was_killed_starts_again_where_it_was(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with venue_process(data_dir, "--no-bots") as venue:
        order = run_command(
            "orders", "place", "BTC-USD", "buy", "0.5", "--price", "50000", "--json", *at
        ).json
        venue.end(signal.SIGKILL)
        assert (data_dir / "venue.json").exists()
        gone = run_command("orders", "list", *at)
        assert gone.exit_code == 1
        assert gone.err.startswith("tradewire: no venue answers (")
        told = run_command("doctor", *at)
        assert "has ended without a word" in told.out
    with venue_process(data_dir, "--no-bots") as venue:
        found = run_command("orders", "list", "--json", *at).json
        assert [item["order_id"] for item in found] == [order["order_id"]]
        assert venue.end() == 0


def test_the_second_signal_ends_at_once(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        # Stopped, it finds both signals waiting when it goes on, however fast it could drain.
        os.kill(venue.process.pid, signal.SIGSTOP)
        os.kill(venue.process.pid, signal.SIGTERM)
        os.kill(venue.process.pid, signal.SIGINT)
        os.kill(venue.process.pid, signal.SIGCONT)
        assert venue.process.wait(30) in (128 + signal.SIGTERM, 128 + signal.SIGINT)
        assert not (data_dir / "venue.json").exists()
    assert run_command("journal", "verify", "--data-dir", str(data_dir)).exit_code == 0


def test_bots_make_a_market_and_leave_none_of_the_makers_orders(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with venue_process(data_dir) as venue:
        for symbol in ("BTC-USD", "ETH-USD"):
            _eventually(
                lambda symbol=symbol: (  # type: ignore[misc]
                    len(run_command("trades", symbol, "--json", *at).json) >= 2
                )
            )
            book = run_command("book", symbol, "--once", "--json", *at).json
            assert (len(book["bids"]), len(book["asks"])) >= (6, 6)
            assert float(book["bids"][0]["price"]) < float(book["asks"][0]["price"])
        assert venue.end() == 0
    with venue_process(data_dir, "--no-bots") as venue:
        assert run_command("orders", "list", "--account", "maker", "--json", *at).json == []
        assert venue.end() == 0
    assert run_command("journal", "verify", *at).exit_code == 0


def test_the_server_alone_makes_one_admin_key_and_nothing_else(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with venue_process(data_dir, command="serve") as venue:
        first = json.loads((data_dir / "admin.json").read_bytes())
        assert (data_dir / "admin.json").stat().st_mode & 0o777 == 0o600
        assert not (data_dir / "demo.json").exists()
        accounts = run_command("admin", "accounts", "--json", *at).json
        assert [account["account"] for account in accounts] == ["admin", "fees"]
        assert run_command("instruments", "--json", *at).json == []
        assert venue.end() == 0
    (data_dir / "admin.json").unlink()
    with venue_process(data_dir, command="serve") as venue:
        # A lost key is not replaced unless that is asked for.
        assert not (data_dir / "admin.json").exists()
        assert venue.end() == 0
    with venue_process(data_dir, "--new-admin-key", command="serve") as venue:
        second = json.loads((data_dir / "admin.json").read_bytes())
        assert second["api_key"] != first["api_key"]
        assert run_command("admin", "venue", "--json", *at).json["account_count"] == 2
        assert venue.end() == 0


def test_a_venue_that_cannot_write_any_more_stops_itself(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    at = ("--data-dir", str(data_dir))
    with venue_process(data_dir, "--no-bots") as venue:
        kept = run_command(
            "orders", "place", "BTC-USD", "buy", "1", "--price", "100", *at, "--json"
        )
        # As if the disk were full: files cannot grow beyond this, and the journal's is there.
        limit = 20_000
        resource.prlimit(venue.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        lost = run_command("orders", "place", "BTC-USD", "buy", "1", "--price", "101", *at)
        assert venue.process.wait(30) == 3
        assert not (data_dir / "venue.json").exists()
    assert lost.exit_code == 1
    last = venue.printed.splitlines()[-1]
    assert last.startswith("tradewire: the venue has stopped itself: ")
    assert f"`tradewire doctor --data-dir {data_dir}`" in last
    # What was acknowledged is there.
    with venue_process(data_dir, "--no-bots") as venue:
        found = run_command("orders", "list", "--json", *at).json
        assert kept.json["order_id"] in [order["order_id"] for order in found]
        assert venue.end() == 0
