"""FIX clients of other makes trade at the venue: QuickFIX for C++, jspurefix, simplefix.

They read our dictionary and validate everything against it. What they were told is compared with
the executions of the account, by a table of this file's own.
"""

import re
import zlib
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from tradewire.v1 import order_pb2

from tests.support.fix import Gateway, running_gateway
from tests.support.fix_peers.jspurefix import client_command, needs_jspurefix
from tests.support.fix_peers.proxy import proxy_before
from tests.support.fix_peers.quickfix import build, initiator_command, needs_quickfix
from tests.support.fix_peers.raw import RawClient, raw_client
from tests.support.fix_peers.transcript import Fields, ForeignClient, foreign_client
from tests.support.trading import BUY, SELL, Trader, cancel, limit
from tests.support.venue import RunningVenue, Stubs

KINDS = {
    order_pb2.EXECUTION_TYPE_NEW: "0",
    order_pb2.EXECUTION_TYPE_TRADE: "F",
    order_pb2.EXECUTION_TYPE_CANCELED: "4",
    order_pb2.EXECUTION_TYPE_REPLACED: "5",
    order_pb2.EXECUTION_TYPE_REJECTED: "8",
    order_pb2.EXECUTION_TYPE_EXPIRED: "C",
}
_REPORT = re.compile(rb"\x0135=8\x0134=(\d+)\x01[^\n]*?\x01150=(.)\x01")
TIME = "20260101-00:00:00.000"
LIMIT_ORDER = {55: "BTC-USD", 54: "1", 60: TIME, 40: "2", 59: "1"}


@pytest.fixture
async def gateway(venue: RunningVenue, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Return a gateway before the test's venue."""
    async with running_gateway(venue, tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def stubs(venue: RunningVenue) -> AsyncIterator[Stubs]:
    async with venue.connect("in_process") as channel:
        yield Stubs(channel)


@pytest.fixture
def alice(venue: RunningVenue, stubs: Stubs) -> Trader:
    """Return the account of the FIX clients, seen over gRPC."""
    return Trader(stubs, venue.credentials["alice"])


@pytest.fixture
def bob(venue: RunningVenue, stubs: Stubs) -> Trader:
    """Return whom they trade with."""
    return Trader(stubs, venue.credentials["bob"])


@pytest.fixture(scope="module")
def initiator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("initiator", tmp_path_factory.mktemp("quickfix"))


def assert_reported(reports: Sequence[Fields], executions: Sequence[order_pb2.Execution]) -> None:
    """Check that each execution was reported, once and in order, as it is."""
    numbered = [report for report in reports if 20001 in report and report.get(150) != "I"]
    assert [int(report[20001]) for report in numbered] == [each.sequence for each in executions]
    for report, execution in zip(numbered, executions, strict=True):
        order = execution.order
        assert report[17] == execution.execution_id
        assert report[150] == KINDS[execution.type]
        assert report[37] == order.order_id
        assert report[11] == (execution.command_client_order_id or order.client_order_id)
        assert report[55] == order.symbol
        assert report[54] == str(order.side)
        assert Decimal(report[14]) == Decimal(order.filled_quantity)
        assert Decimal(report[151]) == Decimal(order.leaves_quantity)
        assert Decimal(report[44]) == Decimal(order.price)
        assert Decimal(report.get(32, "0")) == Decimal(execution.last_quantity or "0")
        assert Decimal(report.get(31, "0")) == Decimal(execution.last_price or "0")


def assert_undisputed(client: ForeignClient) -> None:
    """Check that neither side has rejected what the other sent."""
    for kind in "<>":
        assert client.messages(kind, "3") == []
        assert client.messages(kind, "j") == []


async def trade(client: ForeignClient | RawClient, bob: Trader) -> None:
    """Place, amend, trade, cancel; ask; be refused."""
    client.send("D", {11: "a-1", **LIMIT_ORDER, 38: "1", 44: "100"})
    placed = await client.next(t150="0")
    assert (placed[11], placed[39], placed[151], placed[20001]) == ("a-1", "0", "1", "1")

    client.send("G", {41: "a-1", 11: "a-2", 60: TIME, 38: "2", 44: "101"})
    replaced = await client.next(t150="5")
    assert (replaced[11], replaced[41], replaced[38], replaced[44]) == ("a-2", "a-1", "2", "101")

    await bob.place(limit("b-1", SELL, "0.5", "101"))
    traded = await client.next(t150="F")
    assert (traded[32], traded[31], traded[14], traded[151]) == ("0.5", "101", "0.5", "1.5")
    assert traded[39] == "1"

    client.send("H", {37: placed[37], 55: "BTC-USD", 54: "1"})
    status = await client.next(t150="I")
    assert (status[39], status[14]) == ("1", "0.5")

    client.send("F", {41: "a-2", 11: "a-3", 60: TIME})
    canceled = await client.next(t150="4")
    assert (canceled[11], canceled[39], canceled[151]) == ("a-3", "4", "0")

    client.send("F", {41: "a-2", 11: "a-4", 60: TIME})
    too_late = await client.next("9")
    assert (too_late[11], too_late[39], too_late[434]) == ("a-4", "4", "1")

    client.send("D", {11: "a-5", **LIMIT_ORDER, 38: "1", 44: "100.001"})
    refused = await client.next(t150="8")
    assert refused[11] == "a-5"
    assert 20001 not in refused


# --- QuickFIX ---


@needs_quickfix
async def test_quickfix_trades(
    gateway: Gateway, initiator: Path, tmp_path: Path, alice: Trader, bob: Trader
) -> None:
    command = initiator_command(initiator, tmp_path, alice.credential, gateway.port, "QUICKFIX")
    async with foreign_client(*command) as client:
        client.tell("start")
        await client.logged_on()
        await trade(client, bob)
        await client.log_out()
    assert_undisputed(client)
    assert_reported(client.messages("=", "8"), await alice.executions())
    assert len(client.messages(">", "5")) == len(client.messages("<", "5")) == 1


@needs_quickfix
async def test_quickfix_is_killed_and_gets_what_it_missed(
    gateway: Gateway, initiator: Path, tmp_path: Path, alice: Trader, bob: Trader
) -> None:
    async with proxy_before(gateway.port) as proxy:
        command = initiator_command(initiator, tmp_path, alice.credential, proxy.port, "QUICKFIX")
        async with foreign_client(*command) as before:
            before.tell("start")
            await before.logged_on()
            before.send("D", {11: "a-1", **LIMIT_ORDER, 38: "3", 44: "100"})
            await before.next(t11="a-1")
            proxy.withhold()
            # A report, then an answer that is not kept, then a report.
            await bob.place(limit("b-1", SELL, "1", "100"))
            await proxy.until(lambda sent: sent.count(b"\x01150=F\x01") == 1)
            before.send("H", {11: "a-1", 55: "BTC-USD", 54: "1"})
            await proxy.until(lambda sent: b"\x01150=I\x01" in sent)
            await bob.place(limit("b-2", SELL, "1", "100"))
            await proxy.until(lambda sent: sent.count(b"\x01150=F\x01") == 2)
            await before.kill()
        # Nobody is there for the third.
        await bob.place(limit("b-3", SELL, "1", "100"))

        async with foreign_client(*command) as after:
            after.tell("start")
            filled = await after.next(t150="F", t39="2")
            assert filled[14] == "3"
            await after.log_out()

    (logon,) = after.messages(">", "A")
    assert logon[141] == "N"
    assert int(logon[34]) > 1
    assert len(after.messages(">", "2")) == 1
    lost = dict(_REPORT.findall(proxy.withheld))
    assert sorted(lost.values()) == [b"F", b"F", b"I"]
    sent_again = after.messages("<", "8", t43="Y")
    assert all(122 in report for report in sent_again)
    again = {report[34].encode() for report in sent_again}
    assert {number for number, kind in lost.items() if kind == b"F"} <= again
    # An answer to a question is not kept; it is filled.
    (unkept,) = (number for number, kind in lost.items() if kind == b"I")
    assert unkept not in again
    assert after.messages("<", "4", t123="Y", t34=unkept.decode())
    for client in (before, after):
        assert_undisputed(client)
    reports = before.messages("=", "8") + after.messages("=", "8")
    assert_reported(reports, await alice.executions())


@needs_quickfix
async def test_orders_of_quickfix_that_never_arrived_are_asked_for(
    gateway: Gateway, initiator: Path, tmp_path: Path, alice: Trader
) -> None:
    command = initiator_command(initiator, tmp_path, alice.credential, gateway.port, "QUICKFIX")
    async with foreign_client(*command) as client:
        client.tell("start")
        await client.logged_on()
        client.send("D", {11: "a-1", **LIMIT_ORDER, 38: "1", 44: "100"})
        await client.next(t11="a-1")
        await client.log_out()
    async with foreign_client(*command) as client:
        # Not connected: it numbers and keeps them.
        for name in ("a-2", "a-3"):
            client.send("D", {11: name, **LIMIT_ORDER, 38: "1", 44: "100"})
        client.tell("start")
        for name in ("a-2", "a-3"):
            await client.next(t11=name, t150="0")
        client.send("D", {11: "a-4", **LIMIT_ORDER, 38: "1", 44: "100"})
        await client.next(t11="a-4", t150="0")
        await client.log_out()
    assert len(client.messages("<", "2")) == 1
    assert [order[11] for order in client.messages(">", "D", t43="Y")] == ["a-2", "a-3"]
    assert_undisputed(client)
    executions = await alice.executions()
    assert [each.order.client_order_id for each in executions] == ["a-1", "a-2", "a-3", "a-4"]
    assert_reported(client.messages("=", "8"), executions[1:])


@needs_quickfix
async def test_quickfix_asks_for_orders_balances_and_positions(
    gateway: Gateway, initiator: Path, tmp_path: Path, alice: Trader, bob: Trader
) -> None:
    await bob.place(limit("b-1", SELL, "1", "100"))
    for name in ("a-1", "a-2", "a-3"):
        await alice.place(limit(name, BUY, "1", "100"))
    command = initiator_command(initiator, tmp_path, alice.credential, gateway.port, "QUICKFIX")
    async with foreign_client(*command) as client:
        client.tell("start")
        await client.logged_on()
        client.send("AF", {584: "m-1", 585: "7"})
        listed = [await client.next(t584="m-1") for _ in range(2)]
        client.send("BE", {923: "u-1", 553: "alice", 924: "4"})
        balances = await client.next_line("BF", t923="u-1")
        client.send("AN", {710: "p-1", 724: "0"})
        position = await client.next("AP", t710="p-1")
        await client.log_out()
    assert_undisputed(client)
    assert [(each[11], each[911]) for each in listed] == [("a-2", "2"), ("a-3", "2")]
    assert [each[912] for each in listed] == ["N", "Y"]
    amounts = {each[15]: (each[20041], each[20042], each[20043]) for each in balances.group(15)}
    assert amounts == {
        asset: (balance.total, balance.available, balance.held)
        for asset, balance in (await alice.balances()).items()
    }
    assert (position[55], position[704]) == ("BTC-USD", "1")


@needs_quickfix
async def test_quickfix_gets_copies_of_all_reports(
    gateway: Gateway, initiator: Path, tmp_path: Path, alice: Trader, bob: Trader
) -> None:
    command = initiator_command(
        initiator, tmp_path, alice.credential, gateway.port, "QUICKFIX", "TW-DROPCOPY"
    )
    async with foreign_client(*command) as client:
        client.tell("start")
        await client.logged_on()
        await alice.place(limit("a-1", quantity="2"))
        await bob.place(limit("b-1", SELL, "1"))
        await alice.cancel(cancel("a-1", "a-2"))
        await client.next(t150="4")
        await client.log_out()
    assert_undisputed(client)
    copies = client.messages("=", "8")
    assert {copy[797] for copy in copies} == {"Y"}
    assert_reported(copies, await alice.executions())


@needs_quickfix
async def test_quickfix_follows_a_book(
    gateway: Gateway, initiator: Path, tmp_path: Path, alice: Trader, bob: Trader
) -> None:
    await bob.place(limit("b-1", SELL, "1", "102"))
    await bob.place(limit("b-2", SELL, "2", "101"))
    await bob.place(limit("b-3", BUY, "3", "99"))
    command = initiator_command(
        initiator, tmp_path, alice.credential, gateway.port, "QUICKFIX", "TW-MARKETDATA"
    )
    async with foreign_client(*command) as client:
        client.tell("start")
        await client.logged_on()
        client.tell("V 262=q-1|263=1|264=10|267=3|269=0|269=1|269=2|146=1|55=BTC-USD")
        book = await client.next_line("W", t262="q-1")
        levels = [(entry[269], entry[270], entry[271]) for entry in book.group(269)]
        assert sorted(levels) == [("0", "99", "3"), ("1", "101", "2"), ("1", "102", "1")]
        assert int(book.fields[20024]) == zlib.crc32(b"99:3|101:2|102:1")

        await alice.place(limit("a-1", BUY, "2", "101"))
        kinds: dict[str, Fields] = {}
        while kinds.keys() < {"1", "2"}:
            change = await client.next_line("X", t262="q-1")
            kinds |= {entry[269]: entry for entry in change.group(279)}
        assert (kinds["1"][279], kinds["1"][270]) == ("2", "101")
        assert (kinds["2"][270], kinds["2"][271]) == ("101", "2")
        await client.log_out()
    assert_undisputed(client)


# --- jspurefix ---


@needs_jspurefix
async def test_jspurefix_trades(
    gateway: Gateway, tmp_path: Path, alice: Trader, bob: Trader
) -> None:
    command = client_command(tmp_path, alice.credential, gateway.port, "JSPUREFIX")
    async with foreign_client(*command) as client:
        await client.logged_on()
        await trade(client, bob)
        await client.log_out()
    assert_undisputed(client)
    assert_reported(client.messages("=", "8"), await alice.executions())


@needs_jspurefix
async def test_jspurefix_is_cut_off_and_gets_what_it_missed(
    gateway: Gateway, tmp_path: Path, alice: Trader, bob: Trader
) -> None:
    async with proxy_before(gateway.port) as proxy:
        command = client_command(tmp_path, alice.credential, proxy.port, "JSPUREFIX")
        async with foreign_client(*command) as client:
            await client.logged_on()
            client.send("D", {11: "a-1", **LIMIT_ORDER, 38: "2", 44: "100"})
            await client.next(t11="a-1")
            proxy.withhold()
            await bob.place(limit("b-1", SELL, "1", "100"))
            await proxy.until(lambda sent: b"\x01150=F\x01" in sent)
            await proxy.cut()
            # It connects again by itself.
            await client.next(t150="F", t39="1")
            await bob.place(limit("b-2", SELL, "1", "100"))
            await client.next(t150="F", t39="2")
            await client.log_out()
    first, again = client.messages(">", "A")
    assert (first[34], again[141]) == ("1", "N")
    assert int(again[34]) > 1
    assert len(client.messages(">", "2")) == 1
    assert [report[39] for report in client.messages("<", "8", t43="Y")] == ["1"]
    assert_undisputed(client)
    assert_reported(client.messages("=", "8"), await alice.executions())


# --- simplefix ---


async def test_simplefix_trades(gateway: Gateway, alice: Trader, bob: Trader) -> None:
    async with raw_client(alice.credential, gateway.port, "SIMPLEFIX") as client:
        await client.log_on()
        await trade(client, bob)
        await client.log_out()
        assert_reported(client.delivered, await alice.executions())
