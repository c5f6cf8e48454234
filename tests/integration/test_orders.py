"""Orders over unary calls: what is answered, what it means, and that a restart changes nothing."""

from pathlib import Path

import pytest
from tradewire.v1 import order_pb2, order_service_pb2, reason_pb2
from tradewire_server.engine.commands import Withdraw

from tests.integration.conftest import Complaints, Floor
from tests.support.audit import audit
from tests.support.failures import failure
from tests.support.trading import (
    BUY,
    FOK,
    IOC,
    SELL,
    Trader,
    amend,
    cancel,
    limit,
    market,
)
from tests.support.venue import Clock, Credential, Stubs, running_venue

NEW = order_pb2.ORDER_STATUS_NEW
PARTIAL = order_pb2.ORDER_STATUS_PARTIALLY_FILLED
FILLED = order_pb2.ORDER_STATUS_FILLED
CANCELED = order_pb2.ORDER_STATUS_CANCELED
REJECTED = order_pb2.ORDER_STATUS_REJECTED


async def test_a_placed_order_is_answered_with_all_that_was_asked_for(alice: Trader) -> None:
    answer = await alice.place(limit("a-1", BUY, "1.50", "100.10"))

    order = answer.order
    assert (order.client_order_id, order.original_client_order_id) == ("a-1", "")
    assert (order.account, order.symbol, order.side) == ("alice", "BTC-USD", BUY)
    assert (order.quantity, order.price) == ("1.5", "100.1")
    assert order.time_in_force == order_pb2.TIME_IN_FORCE_GTC
    assert (order.status, order.reason) == (NEW, reason_pb2.REASON_UNSPECIFIED)
    assert (order.filled_quantity, order.leaves_quantity) == ("0", "1.5")
    assert (order.average_price, order.fee) == ("0", "0")
    assert not order.HasField("quote_quantity")
    assert not order.HasField("expire_time")
    assert not order.cancel_on_disconnect
    assert answer.as_of_sequence == 1
    assert (await alice.get("a-1")).order == order
    assert (await alice.get(order_id=order.order_id)).order == order


async def test_a_taker_is_answered_with_its_fills(alice: Trader, bob: Trader) -> None:
    await alice.place(limit("a-1", SELL, "1", "100"))
    await alice.place(limit("a-2", SELL, "1", "101"))

    answer = await bob.place(limit("b-1", BUY, "1.5", "101"))

    assert answer.order.status == FILLED
    assert answer.order.filled_quantity == "1.5"
    assert answer.order.average_price == "100.3333333333"
    assert answer.order.fee == "0.301"
    assert answer.as_of_sequence == 3
    executions = await bob.executions()
    assert [e.type for e in executions] == [
        order_pb2.EXECUTION_TYPE_NEW,
        order_pb2.EXECUTION_TYPE_TRADE,
        order_pb2.EXECUTION_TYPE_TRADE,
    ]
    assert [(e.last_quantity, e.last_price, e.last_fee) for e in executions[1:]] == [
        ("1", "100", "0.2"),
        ("0.5", "101", "0.101"),
    ]
    assert executions[-1].order == answer.order
    assert {e.liquidity for e in executions[1:]} == {order_pb2.LIQUIDITY_TAKER}
    maker = await alice.executions()
    assert {e.liquidity for e in maker[2:]} == {order_pb2.LIQUIDITY_MAKER}
    assert [e.trade_id for e in maker[2:]] == [e.trade_id for e in executions[1:]] == [1, 2]


async def test_an_amend_says_whether_it_kept_its_place(alice: Trader) -> None:
    await alice.place(limit("a-1", BUY, "2", "100"))

    smaller = await alice.amend(amend("a-2", "a-1", quantity="1"))
    dearer = await alice.amend(amend("a-3", "a-1", price="101"))

    assert smaller.priority_kept
    assert not dearer.priority_kept
    assert (dearer.order.quantity, dearer.order.price) == ("1", "101")
    assert dearer.order.client_order_id == "a-3"
    assert dearer.order.original_client_order_id == "a-1"
    replaced = (await alice.executions())[1:]
    assert [e.command_client_order_id for e in replaced] == ["a-2", "a-3"]
    assert [e.priority_kept for e in replaced] == [True, False]


async def test_a_cancel_is_answered_with_the_closed_order(alice: Trader) -> None:
    await alice.place(limit("a-1"))

    answer = await alice.cancel(cancel("a-1", "a-2"))

    assert answer.order.status == CANCELED
    assert answer.order.reason == reason_pb2.REASON_USER_CANCELED
    assert answer.order.leaves_quantity == "0"
    assert answer.as_of_sequence == 2
    assert (await alice.get("a-1")).order == answer.order
    assert (await alice.get("a-2")).order == answer.order


async def test_canceling_all_takes_what_was_named(alice: Trader) -> None:
    for number, (side, symbol) in enumerate(
        [(BUY, "BTC-USD"), (SELL, "BTC-USD"), (BUY, "ETH-USD"), (SELL, "ETH-USD")]
    ):
        price = "100" if side == BUY else "200"
        await alice.place(limit(f"a-{number}", side, price=price, symbol=symbol))

    by_both = await alice.cancel_all(symbol="ETH-USD", side=SELL)
    by_side = await alice.cancel_all(side=SELL)
    rest = await alice.cancel_all()
    nothing = await alice.cancel_all()

    counts = [answer.canceled_count for answer in (by_both, by_side, rest, nothing)]
    assert counts == [1, 1, 2, 0]
    assert rest.as_of_sequence == nothing.as_of_sequence == 8
    canceled = (await alice.executions())[4:]
    assert {e.reason for e in canceled} == {reason_pb2.REASON_MASS_CANCELED}


@pytest.mark.parametrize(
    ("order", "status", "reason"),
    [
        (limit("b-1", BUY, "2", "100", time_in_force=IOC), CANCELED, "IMMEDIATE_OR_CANCEL"),
        (limit("b-1", BUY, "2", "100", time_in_force=FOK), CANCELED, "FILL_OR_KILL"),
        (market("b-1", BUY, quantity="2"), CANCELED, "NO_LIQUIDITY"),
        (market("b-1", BUY, quote_quantity="50"), FILLED, "UNSPECIFIED"),
        (market("b-1", SELL, quantity="1"), CANCELED, "NO_LIQUIDITY"),
        (limit("b-1", BUY, "1", "100"), FILLED, "UNSPECIFIED"),
        (
            limit("b-1", BUY, "1", "100", post_only=order_pb2.POST_ONLY_REPRICE),
            NEW,
            "UNSPECIFIED",
        ),
    ],
)
async def test_each_kind_of_order_ends_as_it_is_meant_to(
    alice: Trader,
    bob: Trader,
    order: order_service_pb2.PlaceOrderRequest,
    status: order_pb2.OrderStatus.ValueType,
    reason: str,
) -> None:
    await alice.place(limit("a-1", SELL, "1", "100"))

    answer = await bob.place(order)

    assert answer.order.status == status
    assert reason_pb2.Reason.Name(answer.order.reason) == f"REASON_{reason}"


async def test_a_rejected_order_takes_a_number_and_its_id(alice: Trader, bob: Trader) -> None:
    await alice.place(limit("a-1", SELL, "1", "100"))
    request = limit("b-1", BUY, post_only=order_pb2.POST_ONLY_REJECT)

    rejected = await failure(bob.place(request))

    assert (rejected.reason, rejected.outcome) == ("POST_ONLY_WOULD_TRADE", "rejected")
    assert rejected.metadata["sequence"] == "1"
    order = (await bob.get("b-1")).order
    assert rejected.metadata["order_id"] == order.order_id
    assert order.status == REJECTED
    assert order.reason == reason_pb2.REASON_POST_ONLY_WOULD_TRADE
    execution = (await bob.executions())[0]
    assert execution.type == order_pb2.EXECUTION_TYPE_REJECTED
    assert execution.order == order
    reused = await failure(bob.place(limit("b-1", BUY, price="90")))
    assert reused.reason == "CLIENT_ORDER_ID_REUSED"


async def test_a_refused_order_takes_neither_number_nor_id(bob: Trader) -> None:
    refused = await failure(bob.place(limit("b-1", price="100.001")))

    assert (refused.reason, refused.outcome) == ("PRICE_OFF_TICK", "refused")
    assert refused.fields == ("price",)
    assert "order_id" not in refused.metadata
    assert await bob.executions() == []
    assert (await failure(bob.get("b-1"))).reason == "ORDER_NOT_FOUND"
    assert (await bob.place(limit("b-1", price="100"))).as_of_sequence == 1


async def test_failed_cancels_and_amends_are_answers_only(alice: Trader) -> None:
    await alice.place(limit("a-1", quantity="1"))
    await alice.cancel(cancel("a-1"))

    failures = [
        await failure(alice.cancel(cancel("a-1", "a-2"))),
        await failure(alice.amend(amend("a-3", "a-1", quantity="2"))),
        await failure(alice.cancel(cancel("none", "a-4"))),
        await failure(alice.amend(amend("a-5", "none", quantity="2"))),
    ]

    assert [f.reason for f in failures] == [
        "ORDER_CLOSED",
        "ORDER_CLOSED",
        "ORDER_NOT_FOUND",
        "ORDER_NOT_FOUND",
    ]
    assert {f.outcome for f in failures} == {"refused"}
    assert len(await alice.executions()) == 2
    for number in range(2, 6):
        assert (await alice.place(limit(f"a-{number}"))).order.client_order_id == f"a-{number}"


async def test_an_amend_that_an_order_could_not_be_is_refused(alice: Trader, bob: Trader) -> None:
    await bob.place(limit("b-1", SELL, "1", "101"))
    await alice.place(limit("a-1", BUY, "1", "100", post_only=order_pb2.POST_ONLY_REJECT))

    unchanged = await failure(alice.amend(amend("a-2", "a-1", price="100")))
    crossing = await failure(alice.amend(amend("a-2", "a-1", price="101")))
    too_much = await failure(alice.amend(amend("a-2", "a-1", quantity="900", price="100000")))

    assert {f.reason for f in (unchanged, crossing)} == {"ORDER_NOT_AMENDABLE"}
    assert crossing.metadata["because"] == "POST_ONLY_WOULD_TRADE"
    assert too_much.reason in ("ORDER_NOT_AMENDABLE", "NOTIONAL_OUT_OF_RANGE")
    assert (await alice.get("a-1")).order.price == "100"


async def test_lists_page_through_working_and_closed_orders(alice: Trader) -> None:
    for number in range(1, 8):
        symbol = "ETH-USD" if number == 7 else "BTC-USD"
        await alice.place(limit(f"a-{number}", symbol=symbol))
    for number in (2, 4, 6):
        await alice.cancel(cancel(f"a-{number}"))

    async def pages(**fields: object) -> list[list[str]]:
        found, token = [], ""
        while True:
            answer = await alice.orders(page_size=2, page_token=token, **fields)
            found.append([order.client_order_id for order in answer.orders])
            token = answer.next_page_token
            if not token:
                return found

    assert await pages() == [["a-1", "a-3"], ["a-5", "a-7"]]
    assert await pages(symbol="BTC-USD") == [["a-1", "a-3"], ["a-5"]]
    closed = order_service_pb2.ORDER_FILTER_CLOSED
    assert await pages(filter=closed) == [["a-2", "a-4"], ["a-6"]]
    assert await pages(filter=closed, symbol="ETH-USD") == [[]]


async def test_reads_say_up_to_which_number_they_are_true(floor: Floor, alice: Trader) -> None:
    for number in range(1, 4):
        answer = await alice.place(limit(f"a-{number}"))
        assert answer.as_of_sequence == number
        assert (await alice.get(f"a-{number}")).as_of_sequence == number
        assert (await alice.orders()).as_of_sequence == number
    await alice.cancel(cancel("a-2"))
    closed = await alice.orders(filter=order_service_pb2.ORDER_FILTER_CLOSED)
    assert closed.as_of_sequence == (await alice.get("a-2")).as_of_sequence == 4
    assert closed.journal_id == floor.venue.app.journal.journal_id


async def test_what_was_answered_is_there_after_a_restart(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    poor = limit("b-2", BUY, "1", "1000")
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice", "bob"])
        await venue.submit(Withdraw("bob", "USD", "399999000", "w-1"))
        async with venue.connect() as channel:
            alice, bob = traders(Stubs(channel), venue.credentials)
            resting = await alice.place(limit("a-1", SELL, "2", "100"))
            filled = await bob.place(limit("b-1", BUY, "1", "100"))
            canceled = await alice.cancel(cancel("a-1", "a-2"))
            rejected = await failure(bob.place(poor))
            before = await alice.executions(), await bob.executions(), await alice.balances()
        credentials = venue.credentials
    audit(venue.app)

    async with running_venue(data_dir, clock_ns=clock) as venue:
        clock.advance(2)  # within a second of a start, signatures might be replayed ones
        for name in ("alice", "bob"):
            await venue.sign_in(credentials[name])
        async with venue.connect() as channel:
            alice, bob = traders(Stubs(channel), credentials)
            assert (await alice.executions(), await bob.executions(), await alice.balances()) == (
                before
            )
            assert (await bob.get("b-1")).order == filled.order
            assert (await alice.get("a-1")).order == canceled.order
            assert (await alice.get(order_id=resting.order.order_id)).order == canceled.order
            assert (await bob.get("b-2")).order.status == REJECTED
            # The retry is answered as the first time, too.
            assert await alice.place(limit("a-1", SELL, "2", "100")) == resting
            assert await bob.place(limit("b-1", BUY, "1", "100")) == filled
            assert await alice.cancel(cancel("a-1", "a-2")) == canceled
            assert await failure(bob.place(poor)) == rejected
    audit(venue.app)


def traders(stubs: Stubs, credentials: dict[str, Credential]) -> tuple[Trader, Trader]:
    return Trader(stubs, credentials["alice"]), Trader(stubs, credentials["bob"])
