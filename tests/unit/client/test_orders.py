"""Order entry by unary calls: arguments, answers, repetition, pages."""

import contextlib
import inspect
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import grpc
import pytest
import tradewire_client as tw
from tradewire.v1 import order_pb2
from tradewire.v1 import order_service_pb2 as orders_pb2
from tradewire_client._commands import OrderCommands
from tradewire_contract import methods

from tests.unit.client.fake_venue import (
    JOURNAL,
    FakeTime,
    FakeVenue,
    bare_fault,
    fault,
    order,
    place_response,
    script,
)

LIMIT = {"symbol": "BTC-USD", "side": "buy", "type": "limit", "quantity": "0.5", "price": "100.25"}
LOST = bare_fault(grpc.StatusCode.UNAVAILABLE)


@contextlib.asynccontextmanager
async def served(**handlers: Any) -> AsyncIterator[Any]:
    clock = FakeTime()
    async with FakeVenue() as venue:
        venue.on(**handlers)
        async with venue.client(world=clock.world()) as client:
            yield venue, client


async def test_an_order_is_placed_and_its_answer_says_up_to_where_it_is_true() -> None:
    async with served(PlaceOrder=place_response) as (venue, client):
        answer = await client.orders.place(**LIMIT)

        (request,) = venue.requests("PlaceOrder")
        assert request == orders_pb2.PlaceOrderRequest(
            client_order_id="made-1",
            symbol="BTC-USD",
            side=order_pb2.SIDE_BUY,
            type=order_pb2.ORDER_TYPE_LIMIT,
            quantity="0.5",
            price="100.25",
        )
        assert isinstance(answer, tw.OrderAnswer)
        assert isinstance(answer, tw.Order)
        assert (answer.client_order_id, answer.price, answer.as_of_sequence) == (
            "made-1",
            Decimal("100.25"),
            1,
        )


async def test_every_argument_arrives() -> None:
    expire = datetime(2027, 1, 1, tzinfo=UTC)
    async with served(PlaceOrder=place_response) as (venue, client):
        await client.orders.place(
            symbol="BTC-USD",
            side=tw.Side.SELL,
            type="limit",
            quantity=Decimal("2"),
            price=7,
            quote_quantity="9.5",
            time_in_force="gtd",
            expire_time=expire,
            post_only="reprice",
            self_trade_prevention="cancel_both",
            client_order_id="mine",
            account="demo-1",
            valid_until=expire,
        )
        (request,) = venue.requests("PlaceOrder")
    expected = orders_pb2.PlaceOrderRequest(
        client_order_id="mine",
        symbol="BTC-USD",
        side=order_pb2.SIDE_SELL,
        type=order_pb2.ORDER_TYPE_LIMIT,
        time_in_force=order_pb2.TIME_IN_FORCE_GTD,
        quantity="2",
        price="7",
        quote_quantity="9.5",
        post_only=order_pb2.POST_ONLY_REPRICE,
        self_trade_prevention=order_pb2.SELF_TRADE_PREVENTION_CANCEL_BOTH,
        account="demo-1",
    )
    expected.expire_time.FromDatetime(expire)
    expected.valid_until.FromDatetime(expire)
    assert request == expected


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (OrderCommands.place, "PlaceOrder"),
        (OrderCommands.amend, "AmendOrder"),
        (OrderCommands.cancel, "CancelOrder"),
        (OrderCommands.cancel_all, "CancelAllOrders"),
    ],
)
def test_a_command_takes_every_field_of_its_message(method: Any, name: Any) -> None:
    contract = methods()[f"/tradewire.v1.OrderService/{name}"]
    parameters = set(inspect.signature(method).parameters) - {"self"}
    assert parameters == {field.name for field in contract.request.fields}


@pytest.mark.parametrize("field", ["quantity", "price", "quote_quantity"])
async def test_floats_never_leave(field: Any) -> None:
    async with served() as (venue, client):
        with pytest.raises(TypeError, match=f"{field}: a float is not exact"):
            client.orders.place(**{**LIMIT, field: 0.1})
        assert venue.requests("PlaceOrder") == []


async def test_a_time_without_a_zone_never_leaves() -> None:
    async with served() as (_, client):
        with pytest.raises(ValueError, match="valid_until: a datetime without a time zone"):
            client.orders.place(**LIMIT, valid_until=datetime(2027, 1, 1))  # noqa: DTZ001


async def test_a_lost_answer_is_asked_for_with_the_same_client_order_id() -> None:
    async with served(PlaceOrder=script(LOST, LOST, place_response)) as (venue, client):
        answer = await client.orders.place(**LIMIT)
        assert answer.client_order_id == "made-1"
        assert [r.client_order_id for r in venue.requests("PlaceOrder")] == ["made-1"] * 3


async def test_a_venue_that_never_answers_leaves_the_outcome_unknown() -> None:
    async with served(PlaceOrder=script(*[LOST] * 6)) as (venue, client):
        with pytest.raises(tw.UnknownOutcome) as caught:
            await client.orders.place(**LIMIT)
        assert caught.value.client_order_id == "made-1"
        assert len(venue.requests("PlaceOrder")) == 6


@pytest.mark.parametrize("name", ["INSUFFICIENT_FUNDS", "INSTRUMENT_HALTED"])
async def test_a_rejection_is_final(name: Any) -> None:
    async with served(PlaceOrder=script(fault(name))) as (venue, client):
        with pytest.raises(tw.Rejected):
            await client.orders.place(**LIMIT)
        assert len(venue.requests("PlaceOrder")) == 1


async def test_an_overloaded_venue_is_asked_again() -> None:
    async with served(PlaceOrder=script(fault("OVERLOADED"), place_response)) as (_, client):
        assert (await client.orders.place(**LIMIT)).order_id == "1"


async def test_an_amend_has_an_id_of_its_own_and_says_whether_priority_was_kept() -> None:
    def amend(request: Any, context: Any) -> Any:
        return orders_pb2.AmendOrderResponse(
            order=order(client_order_id=request.client_order_id),
            as_of_sequence=3,
            priority_kept=True,
        )

    async with served(AmendOrder=script(LOST, amend)) as (venue, client):
        answer = await client.orders.amend("17", quantity="0.4")
        first, second = venue.requests("AmendOrder")
        assert first == second
        assert first == orders_pb2.AmendOrderRequest(
            client_order_id="made-1", order_id="17", quantity="0.4"
        )
        assert (answer.priority_kept, answer.as_of_sequence) == (True, 3)


async def test_a_cancel_has_an_id_of_its_own_so_that_it_can_be_repeated() -> None:
    def cancel(request: Any, context: Any) -> Any:
        return orders_pb2.CancelOrderResponse(order=order(status=4), as_of_sequence=2)

    async with served(CancelOrder=script(LOST, cancel)) as (venue, client):
        answer = await client.orders.cancel(original_client_order_id="c1")
        first, second = venue.requests("CancelOrder")
        assert first == second
        assert first == orders_pb2.CancelOrderRequest(
            original_client_order_id="c1", client_order_id="made-1"
        )
        assert answer.status is tw.OrderStatus.CANCELED


async def test_cancel_all_counts() -> None:
    def cancel_all(request: Any, context: Any) -> Any:
        return orders_pb2.CancelAllOrdersResponse(canceled_count=3, as_of_sequence=9)

    async with served(CancelAllOrders=cancel_all) as (venue, client):
        answer = await client.orders.cancel_all(symbol="BTC-USD", side="sell")
        assert answer == tw.CanceledOrders(canceled_count=3, as_of_sequence=9)
        (request,) = venue.requests("CancelAllOrders")
        assert (request.symbol, request.side) == ("BTC-USD", 2)


@pytest.mark.parametrize("names", [{}, {"order_id": "1", "original_client_order_id": "c1"}])
async def test_an_order_is_named_in_exactly_one_way(names: Any) -> None:
    async with served() as (_, client):
        with pytest.raises(ValueError, match="exactly one of order_id and original_client"):
            client.orders.cancel(**names)
        with pytest.raises(ValueError, match="exactly one of order_id and original_client"):
            client.orders.amend(**names)


async def test_an_order_is_found_by_either_id() -> None:
    def get_order(request: Any, context: Any) -> Any:
        return orders_pb2.GetOrderResponse(order=order(), as_of_sequence=4, journal_id=JOURNAL)

    async with served(GetOrder=get_order) as (venue, client):
        answer = await client.orders.get(client_order_id="c1")
        await client.orders.get("17")
        assert (answer.as_of_sequence, answer.journal_id) == (4, JOURNAL)
        assert [r.WhichOneof("target") for r in venue.requests("GetOrder")] == [
            "client_order_id",
            "order_id",
        ]


async def test_what_is_not_there_is_not_found() -> None:
    async with served(GetOrder=script(fault("ORDER_NOT_FOUND"))) as (_, client):
        with pytest.raises(tw.NotFound):
            await client.orders.get(client_order_id="never")


def page(request: Any, context: Any) -> Any:
    start = int(request.page_token or 0)
    return orders_pb2.ListOrdersResponse(
        orders=[order(order_id=str(start + n)) for n in range(2)],
        next_page_token=str(start + 2) if start < 4 else "",
        as_of_sequence=start,
        journal_id=JOURNAL,
    )


async def test_a_list_is_fetched_page_by_page_as_it_is_read() -> None:
    async with served(ListOrders=page) as (venue, client):
        seen = []
        async for item in client.orders.list("closed", symbol="BTC-USD"):
            seen.append(item.order_id)
            if len(seen) == 3:
                break
        assert seen == ["0", "1", "2"]
        assert [r.page_token for r in venue.requests("ListOrders")] == ["", "2"]
        assert venue.requests("ListOrders")[0].filter == 2


async def test_a_list_can_be_awaited_whole() -> None:
    async with served(ListOrders=page) as (_, client):
        listed = await client.orders.list()
        assert [item.order_id for item in listed] == ["0", "1", "2", "3", "4", "5"]
        assert (listed.as_of_sequence, listed.journal_id) == (4, JOURNAL)


async def test_pages_say_up_to_where_they_are_true() -> None:
    async with served(ListOrders=page) as (_, client):
        assert [p.as_of_sequence async for p in client.orders.list().pages()] == [0, 2, 4]
