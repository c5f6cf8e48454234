"""The one gapless sequence of an account, the same wherever it is read, resumed at any position."""

import asyncio
from pathlib import Path

import pytest
from tradewire.v1 import account_service_pb2, execution_service_pb2, order_pb2
from tradewire_server.app import Settings

from tests.integration.conftest import Complaints, Floor
from tests.support.audit import audit
from tests.support.failures import failure
from tests.support.tape import Tape, sequences
from tests.support.trading import BUY, IOC, SELL, Trader, amend, cancel, limit
from tests.support.venue import Clock, Stubs, running_venue


async def history(alice: Trader, bob: Trader) -> list[order_pb2.Execution]:
    """Let alice have some executions of every common kind, and return them."""
    await alice.place(limit("a-1", SELL, "3", "100"))
    await bob.place(limit("b-1", BUY, "1", "100"))
    await alice.amend(amend("a-2", "a-1", quantity="2"))
    await alice.place(limit("a-3", BUY, "1", "90"))
    await bob.place(limit("b-2", BUY, "5", "100", time_in_force=IOC))
    await alice.cancel(cancel("a-3", "a-4"))
    return await alice.executions()


async def test_every_way_to_read_gives_the_same_executions_at_every_position(
    alice: Trader, bob: Trader
) -> None:
    everything = await history(alice, bob)
    assert sequences(everything) == list(range(1, len(everything) + 1))

    for after in range(len(everything) + 1):
        assert await alice.executions(after) == everything[after:]
        async with alice.follow(after_sequence=after) as follower:
            tape = await follower.live()
            assert tape.executions == everything[after:]
        async with alice.enter(after_sequence=after) as entry:
            tape = await entry.live()
            assert tape.executions == everything[after:]


async def test_a_page_is_as_long_as_was_asked_for(alice: Trader, bob: Trader) -> None:
    everything = await history(alice, bob)
    for size in range(1, len(everything) + 2):
        page = await alice(
            alice.stubs.executions.ListExecutions,
            execution_service_pb2.ListExecutionsRequest(page_size=size),
        )
        assert list(page.executions) == everything[:size]
        assert page.as_of_sequence == len(everything)


async def test_a_stream_continues_without_a_gap_into_what_comes(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    await history(alice, bob)
    async with alice.follow(after_sequence=2) as follower:
        tape = await follower.live()
        assert tape.caught_up is not None
        assert tape.caught_up.journal_id == floor.venue.app.journal.journal_id
        for number in range(20):
            last = (await alice.place(limit(f"n-{number}"))).order
        tape = await follower.until(lambda tape: tape.executions[-1].order == last)
    assert tape.executions == (await alice.executions())[2:]


async def test_a_stream_from_now_has_only_what_comes(alice: Trader, bob: Trader) -> None:
    before = await history(alice, bob)
    async with alice.follow() as follower:
        await follower.live()
        await alice.place(limit("n-1"))
        tape = await follower.until(lambda tape: tape.executions)
    assert sequences(tape.executions) == [len(before) + 1]
    assert tape.executions[0].order.client_order_id == "n-1"


async def test_streams_opened_during_traffic_have_no_gap_and_no_duplicate(
    alice: Trader, bob: Trader
) -> None:
    count = 60

    async def trade() -> None:
        for number in range(count):
            await alice.place(limit(f"a-{number}"))

    async def resume() -> list[int]:
        """Follow, break off and follow again from where it was, until everything has come."""
        seen: list[int] = []
        while len(seen) < count:
            async with alice.follow(after_sequence=len(seen)) as follower:
                tape = await follower.until(lambda tape: tape.executions)
                seen += sequences(tape.executions)
        return seen

    _, *found = await asyncio.gather(trade(), resume(), resume(), resume())
    assert found == [list(range(1, count + 1))] * 3


@pytest.mark.parametrize("after", [1, 7, 1 << 40])
async def test_beyond_the_head_is_out_of_range(alice: Trader, after: int) -> None:
    pages = await failure(
        alice(
            alice.stubs.executions.ListExecutions,
            execution_service_pb2.ListExecutionsRequest(after_sequence=after),
        )
    )
    async with alice.follow(after_sequence=after) as follower:
        stream = await failure(follower.live())
    async with alice.enter(after_sequence=after) as entry:
        entered = await failure(entry.live())

    assert pages == stream == entered
    assert pages.reason == "SEQUENCE_OUT_OF_RANGE"
    assert pages.fields == ("after_sequence",)
    assert pages.metadata == {"first_available": "1", "last_available": "0"}


async def test_the_ledger_is_out_of_range_beyond_its_head(alice: Trader) -> None:
    page = await failure(
        alice(
            alice.stubs.accounts.ListLedgerEntries,
            account_service_pb2.ListLedgerEntriesRequest(after_sequence=4),
        )
    )
    async with alice.follow_account(after_sequence=4) as follower:
        stream = await failure(follower.live())
    assert page == stream
    assert page.metadata == {"first_available": "1", "last_available": "3"}


async def test_older_than_retention_is_told_what_there_is(
    floor: Floor, alice: Trader, bob: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = len(await history(alice, bob))
    app = floor.venue.app
    for reader in (app.journal, app.hub):
        monkeypatch.setattr(reader, "feed_range", lambda kind, key: (4, last))
    page = await failure(
        alice(
            alice.stubs.executions.ListExecutions,
            execution_service_pb2.ListExecutionsRequest(after_sequence=2),
        )
    )
    async with alice.follow(after_sequence=2) as follower:
        stream = await failure(follower.live())
    async with alice.enter(after_sequence=2) as entry:
        entered = await failure(entry.live())
    assert page == stream == entered
    assert page.reason == "SEQUENCE_OUT_OF_RANGE"
    assert page.metadata == {"first_available": "4", "last_available": str(last)}
    # What is still there can be had, and a snapshot stands for what is not.
    assert len(await alice.executions(after=3)) == last - 3
    async with alice.follow(snapshot=True) as follower:
        tape = await follower.live()
    assert tape.position == last


async def test_a_snapshot_and_what_follows_it_are_one_story(alice: Trader, bob: Trader) -> None:
    await history(alice, bob)
    await alice.place(limit("a-9", BUY, "2", "95"))
    orders, balances = await alice.orders(), await alice.balances()

    for open_stream in (alice.follow, alice.enter):
        async with open_stream(snapshot=True) as follower:
            tape = await follower.live()
            assert tape.snapshot is not None
            assert tape.caught_up is not None
            assert tape.snapshot.as_of_sequence == tape.caught_up.as_of_sequence
            assert tape.snapshot.as_of_sequence == orders.as_of_sequence
            assert list(tape.snapshot.orders) == list(orders.orders)
            assert {b.asset: b for b in tape.snapshot.balances} == balances
            assert [p.symbol for p in tape.snapshot.positions] == ["BTC-USD"]
            assert tape.executions == []


async def test_snapshots_during_traffic_add_up_with_what_follows(alice: Trader) -> None:
    """Whenever a snapshot is taken: its orders, changed by what follows, are those of the end."""

    async def trade() -> None:
        for number in range(40):
            await alice.place(limit(f"a-{number}"))
            if number % 3 == 0:
                await alice.cancel(cancel(f"a-{number // 2}", f"x-{number}"))
        await alice.place(limit("end"))

    def has_end(tape: Tape) -> bool:
        snapshot = tape.snapshot.orders if tape.snapshot is not None else ()
        newest = [*snapshot, *(execution.order for execution in tape.executions)][-1:]
        return [order.client_order_id for order in newest] == ["end"]

    async def rebuild(begin_after: int) -> set[str]:
        while (await alice.orders(page_size=1)).as_of_sequence < begin_after:
            pass
        async with alice.follow(snapshot=True) as follower:
            tape = await follower.until(has_end)
        assert tape.snapshot is not None
        orders = {order.order_id for order in tape.snapshot.orders}
        assert tape.executions[0].sequence == tape.snapshot.as_of_sequence + 1
        for execution in tape.executions:
            if execution.type == order_pb2.EXECUTION_TYPE_NEW:
                orders.add(execution.order.order_id)
            elif execution.type == order_pb2.EXECUTION_TYPE_CANCELED:
                orders.remove(execution.order.order_id)
        return orders

    _, *rebuilt = await asyncio.gather(trade(), rebuild(0), rebuild(10), rebuild(25))
    left = {order.order_id for order in (await alice.orders()).orders}
    assert rebuilt == [left, left, left]


async def test_a_snapshot_is_not_for_a_resumed_stream(alice: Trader) -> None:
    for open_stream in (alice.follow, alice.enter, alice.follow_account):
        async with open_stream(snapshot=True, after_sequence=0) as follower:
            conflict = await failure(follower.live())
        assert (conflict.reason, conflict.fields) == ("FIELDS_CONFLICT", ("snapshot",))


async def test_the_ledger_is_the_same_as_pages_and_as_a_stream(alice: Trader, bob: Trader) -> None:
    await history(alice, bob)
    pages = await alice(
        alice.stubs.accounts.ListLedgerEntries, account_service_pb2.ListLedgerEntriesRequest()
    )
    entries = list(pages.entries)
    assert len(entries) == pages.as_of_ledger_sequence == 5

    for after in range(len(entries) + 1):
        async with alice.follow_account(after_sequence=after) as follower:
            tape = await follower.live()
            assert tape.entries == entries[after:]
    async with alice.follow_account() as follower:
        await follower.live()
        await bob.place(limit("b-9", BUY, "1", "101"))
        await alice.place(limit("a-9", SELL, "1", "101"))
        tape = await follower.until(lambda tape: tape.entries)
    trade = tape.entries[0]
    assert trade.ledger_sequence == 6
    assert {change.asset: change.amount for change in trade.changes} == {
        "BTC": "-1",
        "USD": "100.798",
    }
    assert (trade.fee, trade.trade_id, trade.symbol) == ("0.202", 3, "BTC-USD")


async def test_the_sequence_continues_over_restarts(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
    credential = venue.credentials["alice"]
    seen: list[order_pb2.Execution] = []
    for run in range(3):
        async with running_venue(data_dir, clock_ns=clock) as venue:
            clock.advance(2)
            await venue.sign_in(credential)
            async with venue.connect() as channel:
                alice = Trader(Stubs(channel), credential)
                async with alice.follow(after_sequence=len(seen)) as follower:
                    await follower.live()
                    await alice.place(limit(f"a-{run}"))
                    await alice.cancel(cancel(f"a-{run}", f"x-{run}"))
                    tape = await follower.until(lambda tape: len(tape.executions) == 2)
                    seen += tape.executions
                    assert await alice.executions() == seen
        audit(venue.app)
    assert sequences(seen) == [1, 2, 3, 4, 5, 6]


async def test_a_quiet_stream_says_that_it_lives(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, heartbeat_s=0.01)
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), venue.credentials["alice"])
            await alice.place(limit("a-1"))
            async with (
                alice.follow() as executions,
                alice.enter() as entry,
                alice.follow_account() as ledger,
                alice.watch(["BTC-USD"]) as market,
            ):
                for follower, as_of in ((executions, 1), (entry, 1), (ledger, 3), (market, None)):
                    tape = await follower.until(lambda tape: len(tape.heartbeats) >= 2)
                    first, second = tape.heartbeats[:2]
                    if as_of is not None:
                        assert first.as_of_sequence == second.as_of_sequence == as_of
                    assert first.time.ToNanoseconds() < second.time.ToNanoseconds()
