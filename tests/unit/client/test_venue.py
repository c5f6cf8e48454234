"""The client against the real venue, over lines that are cut, and across a restart."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tradewire_client as tw
from tradewire_client._signing import key_from_mapping

from tests.unit.client.fake_venue import quick_options
from tests.unit.client.venue_process import Line, running_venue

LIMIT: dict[str, Any] = {
    "symbol": "BTC-USD",
    "side": "buy",
    "type": "limit",
    "quantity": "0.1",
    "price": "100",
}


def client_of(folder: Path, account: str, target: str) -> tw.Client:
    """Return a client for an account of the venue, by way of another address."""
    entries = json.loads((folder / "demo.json").read_text())["accounts"]
    entry = next(entry for entry in entries if entry["account"] == account)
    return tw.Client(target, **{**quick_options(), "key": key_from_mapping(entry)})


async def test_a_round_trip(tmp_path: Path) -> None:
    async with running_venue(tmp_path):
        path = tmp_path / "demo.json"
        async with (
            tw.Client.from_demo(path, account="maker") as maker,
            tw.Client.from_demo(path, account="taker") as taker,
            maker.executions.follow() as executions,
            maker.account.follow(after_sequence=0) as ledger,
            maker.market.book("BTC-USD") as books,
        ):
            assert (await anext(books)).bids == ()
            order = await maker.orders.place(**LIMIT)
            assert (await anext(executions)).type is tw.ExecutionType.NEW
            assert (await anext(books)).best_bid == tw.PriceLevel(
                price=Decimal(100), quantity=Decimal("0.1")
            )
            sold = await taker.orders.place(**{**LIMIT, "side": "sell", "quantity": "0.04"})
            assert sold.status is tw.OrderStatus.FILLED
            trade = await anext(executions)
            assert (trade.type, trade.liquidity, trade.last_quantity) == (
                tw.ExecutionType.TRADE,
                tw.Liquidity.MAKER,
                Decimal("0.04"),
            )
            found = await maker.orders.get(client_order_id=order.client_order_id)
            assert (found.status, found.leaves_quantity) == (
                tw.OrderStatus.PARTIALLY_FILLED,
                Decimal("0.06"),
            )
            entries = [await anext(ledger) for _ in range(4)]
            assert entries[-1].type is tw.LedgerEntryType.TRADE
            assert entries[-1].trade_id == trade.trade_id
            assert [t.trade_id for t in await maker.market.trades("BTC-USD")] == [trade.trade_id]
            assert (await maker.orders.cancel_all()).canceled_count == 1


async def test_a_repeat_of_a_filled_order_gets_its_first_answer(tmp_path: Path) -> None:
    async with running_venue(tmp_path) as address, client_of(tmp_path, "maker", address) as client:
        first = await client.orders.place(**LIMIT, client_order_id="same")
        await client.orders.cancel(first.order_id)
        again = await client.orders.place(**LIMIT, client_order_id="same")
        assert (again.order_id, again.as_of_sequence) == (first.order_id, first.as_of_sequence)
        with pytest.raises(tw.AlreadyExists):
            await client.orders.place(**{**LIMIT, "price": "101"}, client_order_id="same")


async def test_order_entry_over_a_line_that_is_cut_again_and_again(tmp_path: Path) -> None:
    count = 400
    async with running_venue(tmp_path) as address, Line(address) as line:
        client = client_of(tmp_path, "maker", line.address)
        async with client, client.orders.enter() as entry, asyncio.timeout(60):
            futures = []
            for number in range(count):
                if number % 50 == 10:
                    # In the middle of the answers that are under way.
                    line.cut_after(700 * (number % 7))
                await entry.drain()
                futures.append(entry.place(**LIMIT, client_order_id=f"c{number}"))
                if number % 50 == 49:
                    await entry.flush()
            answers = await asyncio.gather(*futures)
            iterator = entry.executions()
            executions = [await anext(iterator) for _ in range(count)]

        assert line.cuts > 3
        assert [answer.client_order_id for answer in answers] == [f"c{n}" for n in range(count)]
        assert [item.sequence for item in executions] == [*range(1, count + 1)]
        assert [item.order.client_order_id for item in executions] == [
            f"c{n}" for n in range(count)
        ]
        async with client_of(tmp_path, "maker", address) as direct:
            assert len(await direct.orders.list()) == count


async def test_executions_over_a_line_that_is_cut_again_and_again(tmp_path: Path) -> None:
    count = 300
    async with running_venue(tmp_path) as address, Line(address) as line:
        async with (
            client_of(tmp_path, "maker", address) as direct,
            client_of(tmp_path, "maker", line.address) as client,
            direct.orders.enter() as entry,
            client.executions.follow(after_sequence=0) as stream,
            asyncio.timeout(60),
        ):
            seen, futures = list[int](), list[Any]()
            for number in range(count):
                futures.append(entry.place(**LIMIT))
                if number % 40 == 0:
                    line.cut_after(500 * (number % 3))
                if number % 10 == 9:
                    await entry.flush()
                    seen += [(await anext(stream)).sequence for _ in range(7)]
            seen += [(await anext(stream)).sequence for _ in range(count - len(seen))]
        assert line.cuts > 3
        assert seen == [*range(1, count + 1)]


async def test_a_restart_of_the_venue_is_bridged(tmp_path: Path) -> None:
    async with asyncio.timeout(60):
        async with running_venue(tmp_path) as address:
            client = client_of(tmp_path, "maker", address)
            await client.__aenter__()
            stream = client.executions.follow(after_sequence=0)
            entry = client.orders.enter(resend_within=30)
            await entry.__aenter__()
            await entry.place(**LIMIT)
            assert (await anext(stream)).sequence == 1
        waiting = [entry.place(**LIMIT), entry.place(**LIMIT)]
        async with running_venue(tmp_path, grpc_port=int(address.rpartition(":")[2])):
            answers = await asyncio.gather(*waiting)
            assert [answer.as_of_sequence for answer in answers] == [2, 3]
            assert [(await anext(stream)).sequence for _ in range(2)] == [2, 3]
            assert (await client.orders.place(**LIMIT)).as_of_sequence == 4
            await stream.aclose()
            await entry.__aexit__(None, None, None)
            await client.close()


async def test_cancel_on_disconnect_is_told_by_the_executions(tmp_path: Path) -> None:
    async with (
        running_venue(tmp_path) as address,
        Line(address) as line,
        client_of(tmp_path, "maker", line.address) as client,
        client.orders.enter(cancel_on_disconnect=True) as entry,
        asyncio.timeout(60),
    ):
        await entry.place(**LIMIT)
        line.cut()
        iterator = entry.executions()
        new, gone = [await anext(iterator) for _ in range(2)]
        assert (new.type, gone.type) == (tw.ExecutionType.NEW, tw.ExecutionType.CANCELED)
        assert gone.reason is tw.Reason.DISCONNECTED


async def test_a_revoked_key_ends_what_it_opened(tmp_path: Path) -> None:
    async with running_venue(tmp_path), tw.Client.from_demo(tmp_path / "demo.json") as client:
        pair = tw.Ed25519Key.generate()
        created = await client.keys.create(public_key=pair.public_key, scopes=["read"])
        key = pair.with_api_key(created.key.api_key)
        async with tw.Client(client._target, key=key) as other, asyncio.timeout(30):
            with pytest.raises(tw.PermissionDenied):
                await other.orders.place(**LIMIT)
            stream = other.executions.follow(after_sequence=0)
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0.1)
            await client.keys.revoke(key.api_key)
            with pytest.raises(tw.AuthenticationError):
                await waiting


async def test_an_unknown_outcome_can_be_asked_for_with_the_id_of_any_command(
    tmp_path: Path,
) -> None:
    async with running_venue(tmp_path) as address, client_of(tmp_path, "maker", address) as client:
        placed = await client.orders.place(**LIMIT, client_order_id="p")
        await client.orders.amend(placed.order_id, price="99", client_order_id="a")
        await client.orders.cancel(placed.order_id, client_order_id="c")
        for name in ("p", "a", "c"):
            assert (await client.orders.get(client_order_id=name)).order_id == placed.order_id
        with pytest.raises(tw.NotFound):
            await client.orders.get(client_order_id="never-sent")
