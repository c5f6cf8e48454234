"""Reads say up to which number they are true, and never show what could still be lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tradewire.v1 import (
    account_service_pb2,
    key_service_pb2,
    market_data_service_pb2,
    order_pb2,
    order_service_pb2,
)

from tests.integration.conftest import Floor
from tests.integration.test_exactly_once import chain
from tests.support.failures import failure
from tests.support.slow_disk import SlowDisk
from tests.support.trading import BUY, SELL, Trader, cancel, limit
from tests.support.waiting import eventually

SYMBOL = "BTC-USD"
Read = Callable[[Trader], Awaitable[Any]]


def get_account(trader: Trader) -> Awaitable[Any]:
    return trader(trader.stubs.accounts.GetAccount, account_service_pb2.GetAccountRequest())


def list_positions(trader: Trader) -> Awaitable[Any]:
    return trader(trader.stubs.accounts.ListPositions, account_service_pb2.ListPositionsRequest())


def get_limits(trader: Trader) -> Awaitable[Any]:
    return trader(trader.stubs.accounts.GetLimits, account_service_pb2.GetLimitsRequest())


def list_keys(trader: Trader) -> Awaitable[Any]:
    return trader(trader.stubs.keys.ListKeys, key_service_pb2.ListKeysRequest())


def get_book(trader: Trader) -> Awaitable[Any]:
    request = market_data_service_pb2.GetOrderBookRequest(symbol=SYMBOL)
    return trader.stubs.market.GetOrderBook(request, timeout=20)


def get_ticker(trader: Trader) -> Awaitable[Any]:
    request = market_data_service_pb2.GetTickerRequest(symbol=SYMBOL)
    return trader.stubs.market.GetTicker(request, timeout=20)


def list_trades(trader: Trader) -> Awaitable[Any]:
    request = market_data_service_pb2.ListTradesRequest(symbol=SYMBOL)
    return trader.stubs.market.ListTrades(request, timeout=20)


def get_instrument(trader: Trader) -> Awaitable[Any]:
    request = market_data_service_pb2.GetInstrumentRequest(symbol=SYMBOL)
    return trader.stubs.market.GetInstrument(request, timeout=20)


def get_open_order(trader: Trader) -> Awaitable[Any]:
    return trader.get("a-1")


def get_closed_order(trader: Trader) -> Awaitable[Any]:
    return trader.get("a-0")


def list_open(trader: Trader) -> Awaitable[Any]:
    return trader.orders()


def list_closed(trader: Trader) -> Awaitable[Any]:
    return trader.orders(filter=order_service_pb2.ORDER_FILTER_CLOSED)


def list_balances(trader: Trader) -> Awaitable[Any]:
    return trader.balances()


READS: list[Read] = [
    get_account,
    list_positions,
    get_limits,
    list_keys,
    get_book,
    get_ticker,
    list_trades,
    get_instrument,
    get_open_order,
    get_closed_order,
    list_open,
    list_closed,
    list_balances,
]


async def test_reads_wait_for_the_commit_of_what_they_show(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    await alice.place(limit("a-0", SELL, "1", "100"))
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    lost = asyncio.create_task(bob.place(limit("b-0", BUY, "1", "100")))
    await disk.held()
    late = asyncio.create_task(alice.place(limit("a-1", BUY, "1", "90")))
    reads = [asyncio.create_task(_as_task(read(alice))) for read in READS]
    # Everybody else is served meanwhile.
    await alice.executions()
    await asyncio.sleep(0.05)
    assert not any(read.done() for read in reads)
    assert not lost.done()

    disk.release()
    await asyncio.gather(lost, late, *reads, return_exceptions=True)
    for task, read in zip(reads, READS, strict=True):
        if read is get_open_order and task.exception() is not None:
            # Asked before it was there, answered when its absence was certain.
            continue
        assert task.exception() is None, read


async def _as_task(read: Awaitable[Any]) -> Any:
    return await read


async def test_history_is_what_is_durable(floor: Floor, alice: Trader) -> None:
    await alice.place(limit("a-0"))
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    async with alice.follow(after_sequence=0) as follower:
        waiting = asyncio.create_task(alice.place(limit("a-1")))
        await disk.held()
        assert len(await alice.executions()) == 1
        tape = await follower.live()
        assert len(tape.executions) == 1
        disk.release()
        await waiting
        await follower.until(lambda tape: len(tape.executions) == 2)


async def test_an_order_is_found_by_an_old_id_while_it_is_being_canceled(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    """The state has forgotten it and the journal does not know it yet: that is no absence."""
    ids = await chain(alice, 20)
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    first = asyncio.create_task(bob.place(limit("b-1", price="50")))
    await disk.held()
    canceling = asyncio.create_task(alice.cancel(cancel(ids[0], "x-1")))
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 1)
    asking = asyncio.create_task(alice.get(ids[2]))
    await asyncio.sleep(0.02)  # it waits for the commit that is under way
    await disk.let_one_pass()
    await asyncio.sleep(0.02)
    disk.release()
    await asyncio.gather(first, canceling)
    found = (await asking).order
    assert found.client_order_id == ids[-1]


async def test_the_answer_to_a_command_is_in_the_next_read(alice: Trader) -> None:
    for number in range(30):
        placed = await alice.place(limit(f"a-{number}"))
        orders, executions, one = await asyncio.gather(
            alice.orders(), alice.executions(), alice.get(f"a-{number}")
        )
        assert orders.as_of_sequence >= placed.as_of_sequence
        assert orders.orders[-1] == placed.order == executions[-1].order == one.order


async def test_concurrent_reads_are_true_at_their_number(alice: Trader, bob: Trader) -> None:
    """What a read shows is what the executions up to its number add up to."""
    answers: list[order_service_pb2.ListOrdersResponse] = []

    async def trade() -> None:
        for number in range(40):
            await alice.place(limit(f"a-{number}"))
            if number % 4 == 3:
                await alice.cancel(cancel(f"a-{number - 2}", f"x-{number}"))

    async def watch(trading: asyncio.Task[None]) -> None:
        while not trading.done():
            answers.append(await alice.orders())

    trading = asyncio.create_task(trade())
    await asyncio.gather(trading, watch(trading), watch(trading))
    executions = await alice.executions()
    assert len({answer.as_of_sequence for answer in answers}) > 5
    for answer in answers:
        working: dict[str, order_pb2.Order] = {}
        for execution in executions[: answer.as_of_sequence]:
            if execution.type == order_pb2.EXECUTION_TYPE_CANCELED:
                del working[execution.order.order_id]
            else:
                working[execution.order.order_id] = execution.order
        assert list(answer.orders) == list(working.values())


@pytest.mark.parametrize("name", ["GetOrder", "CancelOrder", "AmendOrder"])
async def test_an_id_that_was_never_used_is_not_found(alice: Trader, name: str) -> None:
    request: Any
    if name == "GetOrder":
        missing = await failure(alice.get("never"))
        assert missing.fields == ("client_order_id",)
    elif name == "CancelOrder":
        missing = await failure(alice.cancel(cancel("never")))
        assert missing.fields == ("original_client_order_id",)
    else:
        request = order_service_pb2.AmendOrderRequest(
            client_order_id="a-1", original_client_order_id="never", quantity="1"
        )
        missing = await failure(alice.amend(request))
        assert missing.fields == ("original_client_order_id",)
    assert (missing.reason, missing.outcome) == ("ORDER_NOT_FOUND", "refused")
