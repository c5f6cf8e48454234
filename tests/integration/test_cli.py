"""Commands against a running venue: what `--json` prints, word for word, and what errors say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tradewire_server.cli.venue_files import RunningVenue

from tests.support.command_line import Result, run_command, venue_process

TIME = re.compile(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")


class Shell:
    """Runs commands on one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def __call__(self, *arguments: str) -> Result:
        return run_command(*arguments, "--data-dir", str(self.data_dir))

    def json(self, *arguments: str) -> Any:
        """Return the answer, with what differs from run to run made equal."""
        return steady(self(*arguments, "--json").json)


def steady(value: Any) -> Any:
    """Replace times."""
    if isinstance(value, dict):
        return {name: steady(item) for name, item in value.items()}
    if isinstance(value, list):
        return [steady(item) for item in value]
    return "<time>" if isinstance(value, str) and TIME.match(value) else value


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One venue for the module, without bots: nothing happens unless a test does it."""
    data_dir = tmp_path_factory.mktemp("cli") / "venue"
    with venue_process(data_dir, "--no-bots") as venue:
        yield Shell(data_dir)
        assert venue.end() == 0


@pytest.fixture
def account(shell: Shell, request: pytest.FixtureRequest) -> str:
    """Make an account of the test's own with money, and return the file of its key."""
    name = request.node.name[:32]
    shell.json("admin", "create-account", name, "--maker-fee", "0", "--taker-fee", "0")
    shell.json("admin", "deposit", name, "USD", "100000")
    shell.json("admin", "deposit", name, "BTC", "10")
    scopes = ("--scope", "read", "--scope", "trade", "--scope", "transfer")
    created = shell("admin", "keys", "create", name, *scopes, "--json").json
    return str(created["file"])


ORDER = {
    "order_id": "<id>",
    "client_order_id": "golden-1",
    "original_client_order_id": "",
    "account": "demo-1",
    "symbol": "BTC-USD",
    "side": "buy",
    "type": "limit",
    "time_in_force": "gtc",
    "quantity": "0.5",
    "quote_quantity": None,
    "price": "50000",
    "expire_time": None,
    "post_only": None,
    "self_trade_prevention": None,
    "status": "new",
    "reason": None,
    "filled_quantity": "0",
    "leaves_quantity": "0.5",
    "average_price": "0",
    "fee": "0",
    "create_time": "<time>",
    "cancel_on_disconnect": False,
}


def test_an_orders_life_in_json(shell: Shell) -> None:
    placed = shell.json(
        *("orders", "place", "BTC-USD", "buy", "0.5", "--price", "50000"),
        *("--client-order-id", "golden-1"),
    )
    order_id = placed["order_id"]
    assert placed == {
        **ORDER,
        "order_id": order_id,
        "as_of_sequence": 1,
        "priority_kept": False,
        "journal_id": "",
    }
    assert shell.json("orders", "list") == [{**ORDER, "order_id": order_id}]
    amended = shell.json("orders", "amend", order_id, "--quantity", "0.4")
    assert (amended["quantity"], amended["priority_kept"]) == ("0.4", True)
    balances = {item["asset"]: item for item in shell.json("balances")}
    assert balances["USD"] == {
        "asset": "USD",
        "total": "1000000",
        "available": "979960",
        "held": "20040",
    }
    by_client = shell.json("orders", "get", "golden-1", "--by-client-id")
    assert (by_client["order_id"], by_client["as_of_sequence"]) == (order_id, 2)
    canceled = shell.json("orders", "cancel", "golden-1", "--by-client-id")
    assert (canceled["status"], canceled["reason"]) == ("canceled", "user_canceled")
    assert shell.json("orders", "list") == []
    closed = shell.json("orders", "list", "--closed", "--symbol", "BTC-USD")
    assert [order["order_id"] for order in closed] == [order_id]
    again = shell("orders", "cancel", order_id)
    assert (again.exit_code, again.err.startswith("tradewire: ORDER_CLOSED: ")) == (1, True)


def test_several_orders_are_canceled_with_one_call(shell: Shell, account: str) -> None:
    key = ("--key", account)
    place = ("orders", "place", "ETH-USD", "buy", "1", "--price", "1000")
    ids = [shell.json(*place, *key)["order_id"] for _ in range(3)]
    canceled = shell.json("orders", "cancel", *ids[:2], *key)
    assert [(item["order"]["order_id"], item["error"]) for item in canceled] == [
        (ids[0], None),
        (ids[1], None),
    ]
    assert {item["order"]["status"] for item in canceled} == {"canceled"}

    mixed = shell("orders", "cancel", ids[2], ids[0], "999999999", *key)
    assert mixed.exit_code == 1
    assert mixed.err == "tradewire: 2 of 3 could not be canceled\n"
    assert ids[2] in mixed.out
    assert f"{ids[0]}: ORDER_CLOSED: " in mixed.out
    assert "999999999: ORDER_NOT_FOUND: " in mixed.out
    assert shell.json("orders", "list", *key) == []

    one_id = ("orders", "cancel", "1", "2", "--client-order-id", "c", *key)
    assert shell(*one_id).exit_code == 2
    assert shell("orders", "cancel", *map(str, range(1, 102)), *key).exit_code == 2


def test_executions_in_json_and_as_lines(shell: Shell, account: str) -> None:
    key = ("--key", account)
    order = shell.json("orders", "place", "ETH-USD", "buy", "2", "--price", "1000", *key)
    shell.json("orders", "cancel-all", "--symbol", "ETH-USD", *key)
    found = shell.json("executions", *key)
    assert [(item["sequence"], item["type"], item["reason"]) for item in found] == [
        (1, "new", None),
        (2, "canceled", "mass_canceled"),
    ]
    assert found[0] == {
        "sequence": 1,
        "execution_id": found[0]["execution_id"],
        "type": "new",
        "order": {
            name: value
            for name, value in order.items()
            if name not in ("as_of_sequence", "priority_kept", "journal_id")
        },
        "transact_time": "<time>",
        "last_quantity": None,
        "last_price": None,
        "trade_id": None,
        "liquidity": None,
        "last_fee": None,
        "reason": None,
        "counter_order_id": "",
        "command_client_order_id": "",
        "replaced_client_order_id": "",
        "priority_kept": None,
    }
    assert [item["sequence"] for item in shell.json("executions", "--after", "1", *key)] == [2]
    assert "mass canceled" in shell("executions", *key).out


def test_a_trade_moves_money_positions_and_market_data(shell: Shell, account: str) -> None:
    key = ("--key", account)
    shell.json("orders", "place", "ETH-USD", "buy", "1", "--price", "2000", *key)
    sold = shell.json("orders", "place", "ETH-USD", "sell", "0.25", "--account", "demo-2")
    assert (sold["status"], sold["average_price"], sold["fee"]) == ("filled", "2000", "1")
    assert shell.json("positions", *key) == [
        {
            "symbol": "ETH-USD",
            "quantity": "0.25",
            "average_entry_price": "2000",
            "realized_pnl": "0",
            "unrealized_pnl": "0",
            "fees": "0",
        }
    ]
    entry = shell.json("ledger", *key)[-1]
    assert entry == {
        "ledger_sequence": 3,
        "type": "trade",
        "time": "<time>",
        "changes": [
            {"asset": "ETH", "amount": "0.25", "total": "0.25"},
            {"asset": "USD", "amount": "-500", "total": "99500"},
        ],
        "request_id": "",
        "symbol": "ETH-USD",
        "trade_id": 1,
        "order_id": entry["order_id"],
        "fee": "0",
    }
    trade = {
        "trade_id": 1,
        "symbol": "ETH-USD",
        "price": "2000",
        "quantity": "0.25",
        "taker_side": "sell",
        "time": "<time>",
    }
    assert shell.json("trades", "ETH-USD") == [trade]
    assert shell.json("trades", "ETH-USD", "--after", "1") == []
    book = shell.json("book", "ETH-USD", "--once", "--depth", "1")
    assert (book["bids"], book["asks"]) == ([{"price": "2000", "quantity": "0.75"}], [])
    ticker = shell.json("ticker", "ETH-USD")
    assert (ticker["last_price"], ticker["volume"], ticker["trade_count"]) == ("2000", "0.25", 1)
    (candle,) = shell.json("candles", "ETH-USD")
    assert candle == {
        "open_time": "<time>",
        "open_price": "2000",
        "high_price": "2000",
        "low_price": "2000",
        "close_price": "2000",
        "volume": "0.25",
        "trade_count": 1,
    }
    assert shell.json("orders", "cancel-all", *key)["canceled_count"] == 1


def test_people_see_the_same_as_tables(shell: Shell, account: str) -> None:
    key = ("--key", account)
    shell.json("orders", "place", "BTC-USD", "buy", "1", "--price", "45678.9", *key)
    for command in (["orders", "list"], ["executions"], ["book", "BTC-USD"]):
        assert "45678.9" in shell(*command, *key).out
    for command in (["balances"], ["ledger"]):
        assert "100000" in shell(*command, *key).out
    assert shell("positions", *key).out == "no positions\n"
    assert "open orders: 1 of 1000" in shell("limits", *key).out
    assert shell("orders", "cancel-all", *key).out == "1 canceled\n"
    assert shell("trades", "BTC-USD").out == "no trades\n"
    assert "BTC-USD" in shell("instruments").out
    assert "demo-1" in shell("admin", "accounts").out


def test_instruments_and_limits_in_json(shell: Shell) -> None:
    instruments = {item["symbol"]: item for item in shell.json("instruments")}
    assert instruments["BTC-USD"] == {
        "symbol": "BTC-USD",
        "base_asset": "BTC",
        "quote_asset": "USD",
        "tick_size": "0.01",
        "lot_size": "0.000001",
        "minimum_quantity": "0.00001",
        "maximum_quantity": "1000",
        "minimum_notional": "1",
        "maximum_notional": "10000000",
        "price_band_percent": "100",
        "market_protection_percent": "5",
        "status": "trading",
    }
    limits = shell.json("limits", "--account", "demo-2")
    assert (limits["open_order_limit"], limits["rate_limit_exempt"]) == (1000, False)
    assert {limit["name"] for limit in limits["limits"]} == {"key", "account", "address"}


def test_keys_are_made_rotated_and_revoked(shell: Shell, account: str, tmp_path: Path) -> None:
    key = ("--key", account)
    own = tmp_path / "own.json"
    created = shell.json(
        *("keys", "create", "--scope", "read", "--label", "laptop", "--out", str(own)), *key
    )
    assert created["file"] == str(own)
    assert (created["key"]["scopes"], created["key"]["label"]) == (["read"], "laptop")
    assert own.stat().st_mode & 0o777 == 0o600
    assert shell.json("balances", "--key", str(own)) == shell.json("balances", *key)
    refused = shell("orders", "place", "BTC-USD", "buy", "1", "--key", str(own))
    assert (refused.exit_code, "SCOPE_MISSING" in refused.err) == (1, True)
    assert "exists: choose another file" in shell("keys", "create", "--out", str(own), *key).err

    rotated = shell.json("keys", "rotate", created["key"]["api_key"], "--overlap", "60", *key)
    assert rotated["replaced"]["api_key"] == created["key"]["api_key"]
    assert rotated["replaced"]["expire_time"] == "<time>"
    assert rotated["file"] == str(shell.data_dir / "keys" / f"{rotated['key']['api_key']}.json")
    assert len(shell.json("balances", "--key", rotated["file"])) == 2

    secret = tmp_path / "hmac.json"
    shell.json("keys", "create", "--hmac", "--out", str(secret), *key)
    assert len(shell.json("balances", "--key", str(secret))) == 2

    revoked = shell.json("keys", "revoke", created["key"]["api_key"], *key)
    assert revoked["revoke_time"] == "<time>"
    ended = shell("balances", "--key", str(own))
    assert (ended.exit_code, "KEY_REVOKED" in ended.err) == (1, True)
    assert len(shell.json("keys", "list", *key)) == 4


def test_a_ticket_outlives_the_program_that_made_it(shell: Shell, account: str) -> None:
    made = shell("ticket", "--scope", "read", "--key", account)
    assert (made.exit_code, made.err) == (0, "")
    running = RunningVenue.load(shell.data_dir)
    assert running is not None
    request = Request(
        f"{running.rest}/v1/sessions",
        json.dumps({"ticket": made.out.strip()}).encode(),
        {"content-type": "application/json"},
    )
    with urlopen(request, timeout=10) as response:
        assert json.load(response)["scopes"] == ["SCOPE_READ"]
    refused = shell("ticket", "--scope", "quote", "--key", account)
    assert (refused.exit_code, "SCOPE_NOT_GRANTABLE" in refused.err) == (1, True)


def test_admins_open_accounts_and_instruments_and_move_money(shell: Shell) -> None:
    assert shell.json("admin", "create-account", "alice", "--maker-fee", "0.0005") == {
        "account": "alice",
        "maker_fee_rate": "0.0005",
        "taker_fee_rate": "0.002",
        "open_order_limit": 1000,
        "open_order_count": 0,
        "trading_disabled": False,
        "rate_limit_exempt": False,
    }
    deposited = shell.json("admin", "deposit", "alice", "USD", "50", "--request-id", "once")
    assert deposited == {
        "balance": {"asset": "USD", "total": "50", "available": "50", "held": "0"},
        "ledger_sequence": 1,
    }
    assert shell.json("admin", "deposit", "alice", "USD", "50", "--request-id", "once") == deposited
    assert shell.json("admin", "withdraw", "alice", "USD", "20")["balance"]["total"] == "30"
    assert [item["total"] for item in shell.json("admin", "balances", "alice")] == ["30"]
    updated = shell.json("admin", "update-account", "alice", "--disable-trading", "--exempt")
    assert (updated["account"]["trading_disabled"], updated["canceled_count"]) == (True, 0)
    assert updated["account"]["rate_limit_exempt"] is True

    assert shell.json("admin", "create-asset", "SOL", "6") == {"asset": "SOL", "precision": 6}
    listed = shell.json(
        *("admin", "create-instrument", "SOL-USD", "--tick-size", "0.01", "--lot-size", "0.01"),
        *("--maximum-quantity", "100", "--maximum-notional", "10000"),
    )
    assert (listed["minimum_quantity"], listed["status"]) == ("0.01", "trading")
    assert shell.json("admin", "status", "SOL-USD", "halted")["status"] == "halted"
    assert "SOL-USD" in {item["symbol"] for item in shell.json("admin", "instruments")}
    # Given by hand is as good as found.
    marker = json.loads((shell.data_dir / "venue.json").read_bytes())
    assert shell.json("admin", "venue", "--admin", marker["admin"])["kill_switch_engaged"] is False


def test_admins_make_and_end_keys_of_others(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "demo-2.json"
    made = shell.json("admin", "keys", "create", "demo-2", "--label", "audit", "--out", str(out))
    assert made["key"]["scopes"] == ["read"]
    assert len(shell.json("balances", "--key", str(out))) == 3
    labels = [item["label"] for item in shell.json("admin", "keys", "list", "demo-2")]
    assert labels == ["tradewire up", "audit"]
    assert shell.json("admin", "keys", "revoke", made["key"]["api_key"])["revoke_time"] == "<time>"


def test_the_kill_switch_stops_everybody(shell: Shell, account: str) -> None:
    key = ("--key", account)
    shell.json("orders", "place", "BTC-USD", "buy", "0.1", "--price", "40000", *key)
    stopped = shell.json("admin", "kill-switch", "on")
    try:
        assert stopped["engaged"] is True
        assert stopped["canceled_count"] >= 1
        refused = shell("orders", "place", "BTC-USD", "buy", "0.1", "--price", "40000", *key)
        assert "TRADING_DISABLED" in refused.err
        doctor = shell("doctor", "--json").json
        warned = {check["name"] for check in doctor if check["verdict"] == "warn"}
        assert "admin service" in warned
    finally:
        allowed = shell.json("admin", "kill-switch", "off")
    assert allowed == {"engaged": False, "canceled_count": 0}


def test_a_journal_is_proven_and_shown_while_the_venue_runs(shell: Shell) -> None:
    about = shell("journal", "verify", "--json").json
    assert about["findings"] == []
    assert about["last_event"] > 0
    events = [
        json.loads(line) for line in shell("journal", "dump", "--limit", "3").out.splitlines()
    ]
    assert [(event["event"], event["type"], event["asset"]) for event in events] == [
        (1, "AssetCreated", "USD"),
        (2, "AssetCreated", "BTC"),
        (3, "AssetCreated", "ETH"),
    ]
    # In the middle of a batch, too.
    for after in range(about["last_event"] - 5, about["last_event"]):
        lines = shell("journal", "dump", "--after", str(after), "--limit", "2").out.splitlines()
        assert json.loads(lines[0])["event"] == after + 1
    here = str(shell.data_dir)
    assert run_command("journal", "diff", here, here).exit_code == 0


def test_the_doctor_finds_a_sound_venue(shell: Shell) -> None:
    result = shell("doctor")
    assert result.exit_code == 0, result.out
    for words in ("answers at", "accounts", "mode 0600"):
        assert words in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["orders", "get", "999999999"], "ORDER_NOT_FOUND"),
        (["orders", "place", "NO-USD", "buy", "1"], "INSTRUMENT_NOT_FOUND"),
        (["orders", "place", "BTC-USD", "buy", "0.0000001", "--price", "1"], "QUANTITY_OFF_LOT"),
        (["book", "NO-USD"], "INSTRUMENT_NOT_FOUND"),
        (["book", "bad"], "FIELD_INVALID"),
        (["candles", "NO-USD"], "INSTRUMENT_NOT_FOUND"),
        (["balances", "--account", "bob"], "has no key of account 'bob'"),
        (["keys", "revoke", "tw_NONE"], "KEY_NOT_FOUND"),
        (["admin", "balances", "nobody"], "ACCOUNT_NOT_FOUND"),
        (["admin", "deposit", "demo-1", "XXX", "1"], "ASSET_NOT_FOUND"),
        (["admin", "create-account", "demo-1", "--maker-fee", "0.9"], "ALREADY_EXISTS"),
        (["balances", "--grpc", "127.0.0.1:1"], "no venue answers"),
        (["admin", "venue", "--admin", "127.0.0.1:1"], "no venue answers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_are_one_line_that_says_what_to_do(
    shell: Shell, arguments: list[str], words: str
) -> None:
    result = shell(*arguments)
    assert (result.exit_code, result.out) == (1, "")
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("tradewire: ")
    assert words in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["orders", "place", "BTC-USD", "sideways", "1"],
        ["orders", "place", "BTC-USD", "buy", "one", "--price", "1"],
        ["orders", "place", "BTC-USD", "buy", "1", "--price", "1", "--tif", "never"],
        ["orders", "place", "BTC-USD", "buy", "1", "--price", "1", "--expire-time", "soon"],
        ["candles", "BTC-USD", "7m"],
        ["admin", "status", "BTC-USD", "asleep"],
        ["keys", "create", "--scope", "everything"],
    ],
    ids=" ".join,
)
def test_arguments_that_cannot_be_right_are_wrong_usage(shell: Shell, arguments: list[str]) -> None:
    result = shell(*arguments)
    assert (result.exit_code, result.out) == (2, "")


def test_a_damaged_journal_is_told_with_its_own_exit_code(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"this is no database" * 100)
    result = run_command("journal", "verify", "--data-dir", str(tmp_path))
    assert 20 <= result.exit_code <= 27
    assert len(result.err.splitlines()) == 1
