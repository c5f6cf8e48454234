"""FIX sessions that are cut, killed and started again: everything arrives, and once."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random

import pytest
from tradewire.v1 import order_pb2, order_service_pb2
from tradewire_gateway.fix import sqlite_store
from tradewire_gateway.fix.acceptor import AcceptorSettings
from tradewire_gateway.fix.connection import Connection, ConnectionSettings
from tradewire_gateway.fix.message import Message
from tradewire_gateway.fix.orders import OrderApplication
from tradewire_gateway.fix.session import SessionSettings
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.integration.conftest import Complaints
from tests.support.audit import audit
from tests.support.fix import FixClient, Gateway, Peer, running_gateway
from tests.support.trading import Trader, limit
from tests.support.venue import RunningVenue, Stubs, running_venue
from tests.support.waiting import eventually

SHORT, LONG = range(100), range(100, 600)


@pytest.fixture
async def gateway(venue: RunningVenue, tmp_path: Path) -> AsyncIterator[Gateway]:
    """Return a gateway before the test's venue, in its process."""
    async with running_gateway(venue, tmp_path) as gateway:
        yield gateway


@pytest.fixture
def alice(venue: RunningVenue) -> Peer:
    """Return alice's client."""
    return Peer(venue.credentials["alice"], sender="ALICE")


def connection_of(gateway: Gateway, peer: Peer) -> Connection:
    """Return the gateway's end of a client's connection."""
    return gateway.acceptor._live[(peer.credential.account, peer.sender, peer.target)]


def head(venue: RunningVenue, account: str = "alice") -> int:
    """Return the number of the account's last execution."""
    return venue.app.state.accounts[account].sequence


def sequences(messages: list[Message]) -> list[int]:
    """Return the executions that were reported, as their numbers within the account."""
    return [int(str(each.body[20001])) for each in messages if 20001 in each.body]


async def logged_on(gateway: Gateway, peer: Peer, **options: object) -> FixClient:
    client = await gateway.connect(peer)
    client.log_on(**options)  # type: ignore[arg-type]
    await client.established()
    return client


async def test_what_happened_meanwhile_comes_at_the_next_logon(
    gateway: Gateway, alice: Peer, venue: RunningVenue
) -> None:
    client = await logged_on(gateway, alice)
    client.place("a-1")
    await client.next("8", t11="a-1")
    await client.break_off()
    async with venue.connect() as channel:
        bob = Trader(Stubs(channel), venue.credentials["bob"])
        await bob.place(limit("b-1", order_pb2.SIDE_SELL))
    client = await logged_on(gateway, alice)
    report = await client.next("8", t150="F")
    assert report.body[20001] == "2"
    assert 43 not in report.header
    assert sequences(client.messages) == []
    await client.break_off()


async def test_with_a_reset_the_past_is_forgotten(gateway: Gateway, alice: Peer) -> None:
    client = await logged_on(gateway, alice)
    client.place("a-1")
    await client.next("8", t11="a-1")
    await client.break_off()
    client = await logged_on(gateway, alice, reset=True)
    assert client.logon is not None
    assert client.logon.header[34] == "1"
    client.place("a-2")
    assert (await client.next("8")).body[11] == "a-2"
    await client.break_off()


async def test_a_client_may_ask_for_the_past(gateway: Gateway, alice: Peer) -> None:
    client = await logged_on(gateway, alice)
    for number in range(5):
        client.place(f"a-{number}")
        await client.next("8", t11=f"a-{number}")
    await client.break_off()
    client = await logged_on(gateway, alice, reset=True, t20012="2")
    await client.next("8", t20001="5")
    await client.break_off()
    client = await gateway.connect(alice)
    client.log_on(t20012="99")
    assert "must be between 0 and 5" in await client.closed()


async def test_what_was_stored_and_not_sent_is_sent_again(
    gateway: Gateway, alice: Peer, venue: RunningVenue
) -> None:
    """The gateway ends between the moment a report is stored and the moment it is sent."""
    client = await logged_on(gateway, alice)
    connection = connection_of(gateway, alice)
    before = connection._admitted.store.numbers()  # type: ignore[union-attr]
    connection._writer.write = lambda data: None  # type: ignore[method-assign]
    client.place("a-1")
    client.place("off-tick", t44="1.001")
    store = connection._admitted.store  # type: ignore[union-attr]
    await eventually(lambda: store.numbers().outbound == before.outbound + 2)
    connection.drop()
    await client.break_off()
    client = await logged_on(gateway, alice)
    first, second = await client.next("8"), await client.next("8")
    assert {str(first.body[11]), str(second.body[11])} == {"a-1", "off-tick"}
    assert first.header[43] == second.header[43] == "Y"
    client.place("a-2")
    assert (await client.next("8")).body[11] == "a-2"
    assert head(venue) == 2
    await client.break_off()


async def test_a_gateway_that_is_killed_loses_nothing(
    venue: RunningVenue, alice: Peer, tmp_path: Path
) -> None:
    """What the new one finds is what the dead one has written."""
    async with running_gateway(venue, tmp_path) as gateway:
        client = await logged_on(gateway, alice)
        client.place("a-1")
        await client.next("8", t11="a-1")
        connection = connection_of(gateway, alice)
        connection._writer.write = lambda data: None  # type: ignore[method-assign]
        client.place("a-2")
        await eventually(lambda: head(venue) == 2)
        left = tmp_path / "left"
        left.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"fix.db{suffix}", left / f"fix.db{suffix}")
        connection.drop()
        await client.break_off()
    async with running_gateway(venue, left) as gateway:
        client = await logged_on(gateway, alice)
        report = await client.next("8", t11="a-2")
        assert report.body[20001] == "2"
        client.place("a-3")
        await client.next("8", t11="a-3")
        assert head(venue) == 3
        await client.break_off()


async def test_after_a_loss_of_power_what_may_be_known_is_marked_so(
    venue: RunningVenue, alice: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the gateway's machine has what was synced; the client has seen more."""
    monkeypatch.setattr(sqlite_store, "_boot_id", lambda: "first")
    left = tmp_path / "left"
    left.mkdir()
    async with running_gateway(venue, tmp_path) as gateway:
        client = await logged_on(gateway, alice)
        client.place("a-1")
        await client.next("8", t11="a-1")
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"fix.db{suffix}", left / f"fix.db{suffix}")
        known = {}
        for client_order_id in ("a-2", "a-3"):
            client.place(client_order_id)
            known[client_order_id] = (await client.next("8", t11=client_order_id)).body[17]
        await client.break_off()
    monkeypatch.setattr(sqlite_store, "_boot_id", lambda: "second")
    async with running_gateway(venue, left) as gateway:
        client = await logged_on(gateway, alice)
        client.place("a-4")
        for client_order_id, execution_id in known.items():
            report = await client.next("8", t11=client_order_id)
            assert report.header[97] == "Y"
            assert report.body[17] == execution_id
        assert 97 not in (await client.next("8", t11="a-4")).header
        assert head(venue) == 4
        # It goes on like any other.
        await client.break_off()
        client = await logged_on(gateway, alice)
        client.place("a-5")
        assert (await client.next("8")).body[11] == "a-5"
        await client.break_off()


async def test_a_command_whose_result_was_lost_is_asked_for_and_not_done_twice(
    gateway: Gateway, alice: Peer, venue: RunningVenue
) -> None:
    client = await logged_on(gateway, alice)
    connection = connection_of(gateway, alice)
    # As if the gateway had died before it heard of the result.
    connection.done = lambda number: None  # type: ignore[method-assign]
    client.place("a-1")
    await client.next("8", t11="a-1")
    await client.break_off()
    client = await logged_on(gateway, alice)
    client.place("a-2")
    # A question is answered when everything before it is.
    client.send("H", {11: "a-2", 55: "BTC-USD", 54: "1", 790: "last"})
    await client.until(lambda: any(m.body.get(790) == "last" for m in client.messages))
    assert [(m.body[11], m.body[150]) for m in client.messages] == [("a-2", "0"), ("a-2", "I")]
    assert head(venue) == 2
    await client.break_off()


async def test_old_reports_are_made_anew_from_the_venues_past(
    gateway: Gateway, alice: Peer
) -> None:
    client = await logged_on(gateway, alice)
    for number in range(700):
        client.place(f"a-{number}")
    await client.until(lambda: len(client.messages) == 700)
    wanted = [each.body for each in client.messages]
    client.messages.clear()
    # All of it once more, in pieces of which none is the gateway's own.
    client.peer.store.set_next_inbound(2)
    await client.break_off()
    client = await logged_on(gateway, alice)
    await client.until(lambda: len(client.messages) == 700)
    got = [each.body for each in client.messages]
    for tag in (20014, 20015, 20016):
        for body in (*wanted, *got):
            body.pop(tag, None)
    assert got == wanted
    assert all(each.header[43] == "Y" for each in client.messages)
    await client.break_off()


async def test_orders_are_canceled_on_disconnect_when_the_logon_says_so(
    gateway: Gateway, alice: Peer, venue: RunningVenue
) -> None:
    client = await logged_on(gateway, alice)
    client.place("stays")
    await client.next("8", t11="stays")
    await client.break_off()
    client = await logged_on(gateway, alice, t20008="Y")
    assert client.logon is not None
    assert client.logon.body[20008] == "Y"
    client.place("goes")
    await client.next("8", t11="goes")
    await client.break_off()
    await eventually(lambda: head(venue) == 3)
    client = await logged_on(gateway, alice)
    report = await client.next("8")
    assert (report.body[11], report.body[150]) == ("goes", "4")
    assert "DISCONNECT" in str(report.body[58])
    client.send("H", {11: "stays", 55: "BTC-USD", 54: "1"})
    assert (await client.next("8", t150="I")).body[39] == "0"
    await client.break_off()


async def test_a_gateway_that_ends_says_so(gateway: Gateway, alice: Peer) -> None:
    client = await logged_on(gateway, alice)
    await gateway.acceptor.stop("Maintenance")
    assert "Maintenance" in await client.closed()
    assert client.messages[-1].type == "B"
    assert client.messages[-1].body[148] == "Maintenance"


async def test_a_venue_that_ends_says_so(
    data_dir: Path, tmp_path: Path, complaints: Complaints
) -> None:
    async with AsyncExitStack() as life:
        venue = await life.enter_async_context(running_venue(data_dir))
        await venue.provision(["alice"])
        async with running_gateway(venue, tmp_path, kind="network") as gateway:
            client = await logged_on(gateway, Peer(venue.credentials["alice"]))
            await life.aclose()
            text = await client.closed()
            assert "NOT_SERVING" in text or "not available" in text


async def test_who_reads_nothing_is_told_and_dropped(
    venue: RunningVenue, alice: Peer, tmp_path: Path
) -> None:
    settings = AcceptorSettings(connection=ConnectionSettings(unread_s=0.3, close_s=0.1), drain_s=1)
    async with running_gateway(venue, tmp_path, settings=settings) as gateway:
        client = await logged_on(gateway, alice)
        transport = client._reader._transport  # type: ignore[attr-defined]
        transport.pause_reading()
        connection = connection_of(gateway, alice)
        number = 0
        while not connection.is_closed:
            number += 1
            client.place(f"a-{number}", t58="x" * 400)
            if number % 50 == 0:
                await asyncio.sleep(0.001)
        await eventually(lambda: gateway.acceptor.logged_on == [])
        await client.break_off()
        # Nothing is lost by that.
        client = await logged_on(gateway, alice)
        await client.until(lambda: len(sequences(client.messages)) == head(venue))
        assert sequences(client.messages) == list(range(1, head(venue) + 1))
        await client.break_off()


async def test_who_sends_too_much_is_logged_out(
    venue: RunningVenue, alice: Peer, tmp_path: Path
) -> None:
    settings = AcceptorSettings(
        connection=ConnectionSettings(messages_per_second=1, message_burst=50), drain_s=1
    )
    async with running_gateway(venue, tmp_path, settings=settings) as gateway:
        client = await logged_on(gateway, alice)
        for number in range(100):
            client.send("H", {11: f"a-{number}", 55: "BTC-USD", 54: "1"})
        assert "messages per second" in await client.closed()


async def test_who_connects_and_says_nothing_is_dropped(
    venue: RunningVenue, tmp_path: Path
) -> None:
    session = SessionSettings(logon_timeout_s=0)
    settings = AcceptorSettings(connection=ConnectionSettings(session=session))
    async with running_gateway(venue, tmp_path, settings=settings) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_an_address_has_so_many_connections(
    venue: RunningVenue, alice: Peer, tmp_path: Path
) -> None:
    settings = AcceptorSettings(connections_per_address=2, drain_s=1)
    async with running_gateway(venue, tmp_path, settings=settings) as gateway:
        client = await logged_on(gateway, alice)
        reader, idle = await asyncio.open_connection("127.0.0.1", gateway.port)
        # Who says nothing makes room for who logs on; who is logged on does not.
        other = await logged_on(gateway, Peer(venue.credentials["bob"], sender="BOB"))
        with suppress(ConnectionError):
            assert await reader.read() == b""
        third = await gateway.connect(Peer(venue.credentials["alice"], sender="THIRD"))
        third.log_on()
        assert await third.closed() == ""
        idle.close()
        for each in (client, other):
            each.place("a-1")
            await each.next("8", t11="a-1")
            await each.break_off()


# --- exactly once ---------------------------------------------------------------------------------


def cut_after(write: Callable[[bytes], object], cut: Callable[[], object], left: int) -> object:
    """Return a write that lets so many bytes pass and then cuts the connection."""

    def cutting(data: bytes) -> None:
        nonlocal left
        write(data[: max(left, 0)])
        left -= len(data)
        if left <= 0:
            cut()

    return cutting


@pytest.mark.parametrize("kind", ["in_process", "network"])
@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(LONG, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
async def test_whatever_is_cut_everything_is_reported_once(
    kind: str, seeds: range, data_dir: Path, tmp_path: Path, complaints: Complaints
) -> None:
    """A session places, cancels and is cut at any byte in both directions, again and again."""
    limits = LimitPolicy(address=Gcra(100_000, 100_000))
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=0.2, limits=limits)
    async with running_venue(data_dir, settings=settings) as venue:
        await venue.provision(["alice"], exempt=True)
        async with running_gateway(venue, tmp_path, kind=kind) as gateway:
            for seed in seeds:
                random = Random(f"{kind}-{seed}")
                peer = Peer(venue.credentials["alice"], sender=f"S{seed % 40}")
                await one_life(gateway, venue, peer, random, seed)
    audit(venue.app)


def die_at_response(connection: Connection, left: int) -> None:
    """Let the gateway's end die when the venue has answered, before it has heard of it."""
    application = connection._admitted.application  # type: ignore[union-attr]
    assert isinstance(application, OrderApplication)
    hear = application._on_response

    async def die(response: order_service_pb2.EnterOrdersResponse) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            await hear(response)
        else:
            connection.drop()

    application._on_response = die  # type: ignore[method-assign]


async def one_life(
    gateway: Gateway, venue: RunningVenue, peer: Peer, random: Random, seed: int
) -> None:
    client = await logged_on(gateway, peer, reset=True)
    begin = head(venue)
    received: list[Message] = []
    placed = 0
    for _ in range(random.randint(1, 4)):
        side = random.randrange(5)
        if side == 0:
            connection = connection_of(gateway, peer)
            writer = connection._writer
            cut = cut_after(writer.write, connection.drop, random.randint(0, 3000))
            writer.write = cut  # type: ignore[method-assign,assignment]
        elif side == 1:
            theirs = client._writer
            cut = cut_after(theirs.write, theirs.transport.abort, random.randint(0, 3000))
            theirs.write = cut  # type: ignore[method-assign,assignment]
        elif side == 2:
            die_at_response(connection_of(gateway, peer), random.randint(0, 4))
        elif side == 3:
            connection = connection_of(gateway, peer)
            application = connection._admitted.application  # type: ignore[union-attr]
            # Dies when it has taken commands and before it passes them on.
            application.flush = connection.drop  # type: ignore[method-assign]
        for _ in range(random.randint(1, 12)):
            client.place(f"{seed}-{placed}")
            if random.random() < 0.3:
                client.cancel(f"{seed}-{placed}-c", f"{seed}-{placed}")
            placed += 1
        if random.random() < 0.5:
            await asyncio.sleep(random.random() * 0.003)
        await client.break_off()
        received += client.messages
        client = await reconnected(gateway, peer)
    # Everything that was sent has been answered when this has.
    client.send("H", {11: "none", 55: "BTC-USD", 54: "1", 790: "last"})
    await client.until(lambda: any(m.body.get(790) == "last" for m in client.messages))
    await client.until(lambda: begin + len(sequences(received + client.messages)) >= head(venue))
    received += client.messages
    assert sequences(received) == list(range(begin + 1, head(venue) + 1)), seed
    ids = [m.body[11] for m in received if m.body.get(150) == "0"]
    assert ids == [f"{seed}-{number}" for number in range(placed)], seed
    await client.log_out()


async def reconnected(gateway: Gateway, peer: Peer) -> FixClient:
    """Log on again; the gateway may need a moment to notice that the former connection is gone."""
    async with asyncio.timeout(10):
        while (client := await attempt(gateway, peer)).logon is None:
            assert "logged on" in client.last_words, client.last_words
        return client


async def attempt(gateway: Gateway, peer: Peer) -> FixClient:
    client = await gateway.connect(peer)
    client.log_on()
    await client.until(lambda: client.logon is not None or client.is_closed)
    return client
