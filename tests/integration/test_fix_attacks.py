"""What hostile, broken and unlucky FIX clients do, and what it costs the others."""

import asyncio
import errno
import os
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from tradewire.v1 import order_pb2
from tradewire_gateway.fix import connection as connections
from tradewire_gateway.fix import market_data, orders, sqlite_store
from tradewire_gateway.fix.acceptor import Acceptor, AcceptorSettings
from tradewire_gateway.fix.connection import NOT_REMEMBERED, Connection, ConnectionSettings
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.session import State
from tradewire_gateway.fix.upstream import Caller
from tradewire_server.engine.commands import RevokeKey

from tests.integration.conftest import Complaints
from tests.support.fix import FixClient, Gateway, Peer, running_gateway
from tests.support.fix_process import GatewayProcess
from tests.support.trading import Trader, limit
from tests.support.venue import RunningVenue, Stubs
from tests.support.waiting import eventually


@pytest.fixture
async def gateway(venue: RunningVenue, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Return a gateway before the test's venue, in its process; it is not patient."""
    settings = AcceptorSettings(connection=ConnectionSettings(sign_of_life_s=0.3), drain_s=1)
    async with running_gateway(venue, tmp_path, settings=settings) as gateway:
        yield gateway


@pytest.fixture
def alice(venue: RunningVenue) -> Peer:
    """Return alice's client."""
    return Peer(venue.credentials["alice"], sender="ALICE")


@pytest.fixture
def watcher(venue: RunningVenue) -> Peer:
    """Return alice's client that watches."""
    return Peer(venue.credentials["alice"], sender="EYE", target="TW-MARKETDATA")


def subscribe(client: FixClient, query_id: str, kind: str, *symbols: str) -> None:
    """Send a MarketDataRequest(V)."""
    fields = Fields({262: query_id, 263: kind, 264: "10"})
    if kind == "1":
        fields[265] = "1"
    fields[267] = [Fields({269: "0"}), Fields({269: "1"})]
    fields[146] = [Fields({55: symbol}) for symbol in symbols]
    client.send("V", fields)  # type: ignore[arg-type]


# --- holding a session hostage --------------------------------------------------------------------


async def test_a_connection_that_died_silently_gives_its_session_to_the_next(
    gateway: Gateway, alice: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = await gateway.connect(alice)
    dead.log_on(t20008="Y")
    await dead.established()
    dead.place("a-1")
    await dead.next("8", t11="a-1")
    # Half-open: it is there, and nobody reads or answers.
    assert dead._task is not None
    with monkeypatch.context() as patch:
        patch.setattr(dead._writer, "close", lambda: None)
        dead._task.cancel()
        await asyncio.gather(dead._task, return_exceptions=True)
    async with gateway.logged_on(alice) as client:
        # As with every end of a connection, what was to be canceled is.
        assert (await client.next("8", t150="4")).body[20001] == "2"
        client.place("a-2")
        await client.next("8", t11="a-2")
    dead._writer.transport.abort()


async def test_a_connection_that_lives_keeps_its_session_however_many_want_it(
    gateway: Gateway, alice: Peer
) -> None:
    async with gateway.logged_on(alice) as first:
        thieves = [await gateway.connect(Peer(alice.credential, sender="ALICE")) for _ in range(5)]
        for number, thief in enumerate(thieves):
            # Each signature counts once.
            thief.log_on(reset=True, age_s=number / 4)
        words = await asyncio.gather(*(thief.closed() for thief in thieves))
        assert all("logged on" in each for each in words), words
        first.place("a-1")
        await first.next("8", t11="a-1")


async def closed_by(client: FixClient) -> str:
    """Ask a few times more, far fewer than may be; return the last words."""
    for _ in range(50):
        if client.is_closed or client.session.state is not State.ESTABLISHED:
            break
        client.send("H", {11: "a-1", 55: "BTC-USD", 54: "1"})
        await asyncio.sleep(0.01)
    return await client.closed()


# --- floods ---------------------------------------------------------------------------------------


async def test_garbage_counts_as_messages_do(
    venue: RunningVenue, alice: Peer, tmp_path: Path
) -> None:
    settings = AcceptorSettings(
        connection=ConnectionSettings(messages_per_second=1, message_burst=500), drain_s=1
    )
    async with running_gateway(venue, tmp_path, settings=settings) as gateway:
        async with gateway.logged_on(alice) as client:
            # A length that is not believed, without an end that would be counted.
            client._writer.write(b"8=FIX.4.4\x019=70000\x01" * 1_000)
            assert "messages per second" in await closed_by(client)
        # What is large counts as much as what is many.
        async with gateway.logged_on(alice) as client:
            client._writer.write(b"x" * 1024 * 600)
            assert "messages per second" in await closed_by(client)


async def test_notes_about_a_client_are_logged_so_often_and_in_one_line(
    gateway: Gateway, alice: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway.logged_on(alice) as client:
        for _ in range(connections.NOTES_MAX * 3):
            fields = {45: "1", 58: "no\n2026-11-22 ERROR venue: \x1b[31mall is lost", 380: "0"}
            client.send("j", fields | {372: "8"})
        client.place("a-1")
        await client.next("8", t11="a-1")
    said = [each.getMessage() for each in caplog.records if "rejects what" in each.getMessage()]
    assert len(said) == connections.NOTES_MAX
    assert not any("\n" in each or "\x1b" in each for each in said)


async def test_nothing_is_read_from_a_client_while_its_logon_is_decided_on(
    gateway: Gateway, alice: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, real = asyncio.Event(), Acceptor._authenticate

    async def slow(self: Acceptor, connection: Connection, logon: Message) -> Caller:
        await decide.wait()
        return await real(self, connection, logon)

    monkeypatch.setattr(Acceptor, "_authenticate", slow)
    client = await gateway.connect(alice)
    client.log_on()
    client._writer.write(b"x" * 1024 * 1024 * 4)
    await eventually(lambda: len(gateway.acceptor._connections) == 1)
    (connection,) = gateway.acceptor._connections
    for _ in range(50):
        await asyncio.sleep(0.001)
        assert connection._session._decoder.buffered < 100_000
    decide.set()
    await client.established()
    await client.break_off()


async def test_repeated_orders_are_looked_up_a_few_at_once(
    gateway: Gateway, alice: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, busy, most = Caller.execution, 0, 0

    async def count(self: Caller, sequence: int) -> order_pb2.Execution | None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        try:
            return await real(self, sequence)
        finally:
            busy -= 1

    monkeypatch.setattr(Caller, "execution", count)
    async with gateway.logged_on(alice) as client:
        client.place("a-1")
        first = await client.next("8", t11="a-1")
        for _ in range(100):
            client.place("a-1")
        for _ in range(100):
            assert (await client.next("8", t11="a-1")).body[17] == first.body[17]
    assert most == orders.LOOKUPS_AT_ONCE


async def test_the_answers_to_one_question_are_sent_as_they_are_taken(
    gateway: Gateway, alice: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = 0
    real = Connection.taken

    async def count(self: Connection) -> None:
        nonlocal waits
        waits += 1
        await real(self)

    async with gateway.logged_on(alice) as client:
        for number in range(200):
            client.place(f"a-{number}", t44="1")
        await client.next("8", t11="a-199")
        monkeypatch.setattr(Connection, "taken", count)
        client.send("AF", {584: "x" * 1_000, 585: "7"})
        await client.next("8", t912="Y")
        assert waits >= 200 // connections.ANSWERS_AT_ONCE


async def test_who_asks_for_everything_again_and_again_gets_it_slowly(
    venue: RunningVenue, alice: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses, real = list[float](), Connection._resend_pause_s

    def note(self: Connection) -> float:
        pauses.append(real(self))
        return 0.0

    monkeypatch.setattr(Connection, "_resend_pause_s", note)
    settings = AcceptorSettings(
        connection=ConnectionSettings(resent_per_second=1, resent_burst=120), drain_s=1
    )
    async with (
        running_gateway(venue, tmp_path, settings=settings) as gateway,
        gateway.logged_on(alice) as client,
    ):
        for number in range(50):
            client.place(f"a-{number}", t44="1")
        await client.next("8", t11="a-49")
        (connection,) = gateway.acceptor._connections
        for number in range(1, 6):
            client.send("2", {7: "1", 16: "0"})
            await eventually(lambda number=number: len(pauses) >= number)  # type: ignore[misc]
            await eventually(lambda: not connection._session.is_resending)
    assert pauses[:3] == [0.0, 0.0, 0.0]
    # Half a minute, and a minute and a half: less what the test took.
    assert 5 < pauses[3] <= 40
    assert pauses[3] < pauses[4] <= 100


async def test_an_id_that_answers_would_repeat_has_a_length(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.send("AF", {584: "x" * 60_000, 585: "7"})
        client.send("1", {112: "x" * 60_000})
        client.send("Z" * 60_000, {1: "x"})
        await client.until(lambda: len(client.rejects) == 3)
        found = [(each.body.get(371), each.body[373]) for each in client.rejects]
        assert found == [("584", "5"), ("112", "5"), (None, "11")]
        assert all(sum(map(len, map(str, each.body.values()))) < 200 for each in client.rejects)


async def test_a_request_for_books_has_so_many_symbols(gateway: Gateway, watcher: Peer) -> None:
    async with gateway.logged_on(watcher) as client:
        subscribe(client, "q-1", "0", *["BTC-USD"] * (market_data.SYMBOLS_MAX + 1))
        refused = await client.next("Y", t262="q-1")
        assert "at most 100 instruments" in str(refused.body[58])
        assert client.messages == []


# --- keys that end --------------------------------------------------------------------------------


@pytest.mark.parametrize("has_subscription", [True, False])
async def test_a_revoked_key_ends_a_market_data_session(
    gateway: Gateway,
    watcher: Peer,
    venue: RunningVenue,
    monkeypatch: pytest.MonkeyPatch,
    has_subscription: bool,
) -> None:
    monkeypatch.setattr(market_data, "CHECK_S", 0.05)
    async with gateway.logged_on(watcher) as client:
        if has_subscription:
            subscribe(client, "s-1", "1", "BTC-USD")
            await client.next("W")
        await asyncio.sleep(0.2)
        assert not client.is_closed
        await venue.submit(RevokeKey("alice", watcher.credential.key_id))
        assert await client.closed() != ""


async def test_who_is_banned_is_not_told_to_forget_the_past(
    gateway: Gateway, alice: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def banned(self: Caller, after: int, size: int) -> None:
        raise grpc.aio.AioRpcError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.aio.Metadata(),
            grpc.aio.Metadata(),
            "RATE_LIMITED: wait 60000 ms",
        )

    monkeypatch.setattr(Caller, "executions", banned)
    client = await gateway.connect(alice)
    client.log_on()
    assert await client.closed() == "RATE_LIMITED: wait 60000 ms"


# --- disks ----------------------------------------------------------------------------------------


async def test_when_syncs_fail_clients_are_told_and_nobody_hangs(
    gateway: Gateway,
    alice: Peer,
    venue: RunningVenue,
    complaints: Complaints,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway.logged_on(alice) as client:

        def fail(path: Path) -> None:
            raise OSError(errno.EIO, "the disk is broken", str(path))

        monkeypatch.setattr(sqlite_store, "_sync", fail)
        bob = await gateway.connect(Peer(venue.credentials["bob"], sender="BOB"))
        bob.log_on()
        assert await bob.closed() == NOT_REMEMBERED
        # Who was there is ended by the next thing that it would have to remember.
        client.send("H", {11: "a-1", 55: "BTC-USD", 54: "1"})
        await client.closed()
        await eventually(lambda: gateway.acceptor.logged_on == [])
    complaints.clear()
    monkeypatch.undo()


async def test_a_full_disk_ends_sessions_which_go_on_when_there_is_room(
    venue: RunningVenue, tmp_path: Path
) -> None:
    store, log = tmp_path / "fix", tmp_path / "fix-wal"
    arguments = ("--upstream", f"unix:{venue.app.sockets.edge}", "--store", str(store))
    alice = Peer(venue.credentials["alice"], sender="ALICE")
    gateway = await GatewayProcess.start(*arguments)
    client = await gateway.log_on(alice)
    client.place("a-1")
    await client.next("8", t11="a-1")
    size = os.stat(log).st_size
    pid = gateway.process.pid
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))
    async with venue.connect() as channel:
        bob = Trader(Stubs(channel), venue.credentials["bob"])
        await bob.place(limit("b-1", order_pb2.SIDE_SELL))
    await client.closed()
    assert client.messages == []
    for attempt in range(3):
        refused = await gateway.connect(alice)
        refused.log_on(age_s=attempt / 4)
        # What little still fits may take the first answer, but nothing is sent that is not stored.
        assert await refused.closed() in ("", NOT_REMEMBERED)
        assert refused.logon is None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
    client = await gateway.log_on(alice)
    # What was not sent because it could not be remembered comes now.
    assert (await client.next("8", t150="F")).body[20001] == "2"
    client.place("a-2")
    assert (await client.next("8", t11="a-2")).body[20001] == "3"
    assert client.messages == []
    await client.log_out()
    assert await gateway.end(signal.SIGTERM) == 0
