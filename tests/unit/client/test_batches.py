"""Several orders with one call: a result for each, whatever happens to the call."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import grpc
import pytest
import tradewire_client as tw
from tradewire.v1 import order_pb2
from tradewire.v1 import order_service_pb2 as orders_pb2
from tradewire_client._batches import BATCH_MAX
from tradewire_contract import methods

from tests.unit.client.fake_venue import (
    FakeTime,
    FakeVenue,
    bare_fault,
    fault,
    order,
    script,
    status_of,
)

LIMIT: tw.NewOrder = {
    "symbol": "BTC-USD",
    "side": "buy",
    "type": "limit",
    "quantity": "0.5",
    "price": "100.25",
}
LOST = bare_fault(grpc.StatusCode.UNAVAILABLE)
LATEST = 7


def results_of(request: Any, **errors: Any) -> Any:
    """Answer every command of a batch; `errors` are by command number, e.g. `_2`."""
    found = []
    commands = getattr(request, "orders", None) or request.cancels
    for number, command in enumerate(commands, 1):
        own_id = command.client_order_id
        result = orders_pb2.CommandResult(
            command_number=number, client_order_id=own_id, as_of_sequence=number
        )
        error = errors.get(f"_{number}")
        if error is None:
            result.order.CopyFrom(order(order_id=str(number), client_order_id=own_id))
        else:
            result.error.CopyFrom(error)
        found.append(result)
    return found


def placed(request: Any, context: Any) -> orders_pb2.PlaceOrdersResponse:
    return orders_pb2.PlaceOrdersResponse(results=results_of(request), as_of_sequence=LATEST)


def canceled(request: Any, context: Any) -> orders_pb2.CancelOrdersResponse:
    return orders_pb2.CancelOrdersResponse(results=results_of(request), as_of_sequence=LATEST)


def placed_but(**errors: Any) -> Any:
    def answer(request: Any, context: Any) -> orders_pb2.PlaceOrdersResponse:
        return orders_pb2.PlaceOrdersResponse(results=results_of(request, **errors))

    return answer


@contextlib.asynccontextmanager
async def served(**handlers: Any) -> AsyncIterator[Any]:
    clock = FakeTime()
    async with FakeVenue() as venue:
        venue.on(**handlers)
        async with venue.client(world=clock.world()) as client:
            yield venue, client


async def test_orders_are_placed_with_one_call_and_each_has_its_result() -> None:
    status = status_of("PRICE_OFF_TICK", fields={"price": "is off"})
    async with served(PlaceOrders=placed_but(_2=status)) as (venue, client):
        results = await client.orders.place_many(
            [LIMIT, {**LIMIT, "client_order_id": "mine"}, tw.NewOrder(**LIMIT)], account="demo-1"
        )
        (request,) = venue.requests("PlaceOrders")
    assert request.account == "demo-1"
    assert [item.client_order_id for item in request.orders] == ["made-1", "mine", "made-2"]
    assert request.orders[0] == orders_pb2.PlaceOrderRequest(
        client_order_id="made-1",
        symbol="BTC-USD",
        side=order_pb2.SIDE_BUY,
        type=order_pb2.ORDER_TYPE_LIMIT,
        quantity="0.5",
        price="100.25",
    )
    first, bad, last = results
    assert (first.client_order_id, first.error) == ("made-1", None)
    assert isinstance(first.order, tw.OrderAnswer)
    assert (first.unwrap().price, first.unwrap().as_of_sequence) == (Decimal("100.25"), 1)
    assert (bad.client_order_id, bad.order) == ("mine", None)
    assert type(bad.error) is tw.InvalidRequest
    assert bad.error.field_violations == (tw.FieldViolation("price", "is off"),)
    with pytest.raises(tw.InvalidRequest):
        bad.unwrap()
    assert last.order is not None
    assert last.order.client_order_id == "made-2"


async def test_orders_are_canceled_by_any_of_their_names() -> None:
    until = datetime(2027, 1, 1, tzinfo=UTC)
    async with served(CancelOrders=canceled) as (venue, client):
        results = await client.orders.cancel_many(
            [
                "17",
                {"order_id": "18", "client_order_id": "mine"},
                tw.OrderCancel(original_client_order_id="c1", valid_until=until),
            ]
        )
        (request,) = venue.requests("CancelOrders")
    expected = orders_pb2.CancelOrdersRequest(
        cancels=[
            orders_pb2.CancelOrderRequest(order_id="17", client_order_id="made-1"),
            orders_pb2.CancelOrderRequest(order_id="18", client_order_id="mine"),
            orders_pb2.CancelOrderRequest(original_client_order_id="c1", client_order_id="made-2"),
        ]
    )
    expected.cancels[2].valid_until.FromDatetime(until)
    assert request == expected
    assert [result.client_order_id for result in results] == ["made-1", "mine", "made-2"]
    assert all(result.order for result in results)
    assert results.as_of_sequence == LATEST


@pytest.mark.parametrize(
    ("item", "name"), [(tw.NewOrder, "PlaceOrder"), (tw.OrderCancel, "CancelOrder")]
)
def test_an_item_has_every_field_of_its_message_but_the_account(item: Any, name: str) -> None:
    contract = methods()[f"/tradewire.v1.OrderService/{name}"]
    fields = {field.name for field in contract.request.fields}
    assert item.__annotations__.keys() == fields - {"account"}


async def test_what_cannot_be_right_never_leaves() -> None:
    async with served() as (venue, client):
        with pytest.raises(TypeError, match="price: a float is not exact"):
            await client.orders.place_many([LIMIT, {**LIMIT, "price": 0.1}])
        with pytest.raises(ValueError, match="exactly one of"):
            await client.orders.cancel_many([{"client_order_id": "mine"}])
        with pytest.raises(ValueError, match="at most 100 commands, these are 101"):
            await client.orders.place_many([LIMIT] * 101)
        assert venue.requests("PlaceOrders") == venue.requests("CancelOrders") == []


async def test_nothing_is_sent_for_nothing() -> None:
    async with served() as (venue, client):
        assert await client.orders.place_many([]) == ()
        assert await client.orders.cancel_many(iter([])) == ()
        assert venue.requests("PlaceOrders") == venue.requests("CancelOrders") == []


def test_a_batch_is_as_long_as_the_contract_allows() -> None:
    from buf.validate import validate_pb2

    for name in ("PlaceOrders", "CancelOrders"):
        request = methods()[f"/tradewire.v1.OrderService/{name}"].request
        (items,) = (field for field in request.fields if field.is_repeated)
        rules = items.GetOptions().Extensions[validate_pb2.field]
        assert rules.repeated.max_items == BATCH_MAX


async def test_a_lost_answer_is_asked_for_with_the_same_ids() -> None:
    async with served(PlaceOrders=script(LOST, placed), CancelOrders=script(LOST, canceled)) as (
        venue,
        client,
    ):
        results = await client.orders.place_many([LIMIT, LIMIT])
        assert [result.error for result in results] == [None, None]
        first, second = venue.requests("PlaceOrders")
        assert first == second
        assert (await client.orders.cancel_many(["1"]))[0].error is None
        first, second = venue.requests("CancelOrders")
        assert first == second


@pytest.mark.parametrize("lost", [LOST, fault("ANSWER_LOST"), fault("ANSWER_LATE")])
async def test_without_any_answer_every_order_has_its_id_and_an_unknown_outcome(
    lost: Any,
) -> None:
    async with served(PlaceOrders=script(*[lost] * 6)) as (venue, client):
        results = await client.orders.place_many([LIMIT, {**LIMIT, "client_order_id": "mine"}])
        assert len(venue.requests("PlaceOrders")) == 6
    assert [result.client_order_id for result in results] == ["made-1", "mine"]
    for result in results:
        assert isinstance(result.error, tw.UnknownOutcome)
        assert result.error.client_order_id == result.client_order_id
        assert result.error.attempts == 6
        assert isinstance(result.error.__cause__, tw.UnknownOutcome)


async def test_after_a_lost_answer_only_the_engine_settles_an_order() -> None:
    answer = placed_but(_1=status_of("RATE_LIMITED"), _2=status_of("INSTRUMENT_NOT_FOUND"))
    async with served(PlaceOrders=script(LOST, answer)) as (_, client):
        limited, refused, good = await client.orders.place_many([LIMIT, LIMIT, LIMIT])
    # The first sending may have been within the limit.
    assert isinstance(limited.error, tw.UnknownOutcome)
    assert (limited.error.client_order_id, limited.error.attempts) == ("made-1", 2)
    assert isinstance(limited.error.__cause__, tw.RateLimited)
    assert type(refused.error) is tw.NotFound
    assert good.error is None


async def test_an_order_that_was_refused_at_the_first_attempt_is_refused() -> None:
    answer = placed_but(_1=status_of("RATE_LIMITED", retry_after_ms="20"))
    async with served(PlaceOrders=script(answer)) as (venue, client):
        (result,) = await client.orders.place_many([LIMIT])
        assert isinstance(result.error, tw.RateLimited)
        # Only the caller knows what still makes sense.
        assert len(venue.requests("PlaceOrders")) == 1


async def test_a_result_that_nobody_knows_is_an_unknown_outcome() -> None:
    async with served(PlaceOrders=script(placed_but(_1=status_of("ANSWER_LATE")))) as (_, client):
        (result,) = await client.orders.place_many([LIMIT])
    assert isinstance(result.error, tw.UnknownOutcome)
    assert result.error.attempts == 1


async def test_a_call_that_did_nothing_raises() -> None:
    async with served(PlaceOrders=script(fault("SCOPE_MISSING"))) as (_, client):
        with pytest.raises(tw.PermissionDenied):
            await client.orders.place_many([LIMIT])
    async with served(PlaceOrders=script(fault("OVERLOADED"), placed)) as (venue, client):
        (result,) = await client.orders.place_many([LIMIT])
        assert result.error is None
        assert len(venue.requests("PlaceOrders")) == 2


async def test_results_of_other_commands_are_not_taken() -> None:
    def other(request: Any, context: Any) -> orders_pb2.PlaceOrdersResponse:
        results = results_of(request)
        results[0].client_order_id = "other"
        return orders_pb2.PlaceOrdersResponse(results=results)

    def fewer(request: Any, context: Any) -> orders_pb2.PlaceOrdersResponse:
        return orders_pb2.PlaceOrdersResponse(results=results_of(request)[:1])

    def nothing(request: Any, context: Any) -> orders_pb2.PlaceOrdersResponse:
        results = results_of(request)
        results[1].ClearField("order")
        return orders_pb2.PlaceOrdersResponse(results=results)

    for answer in (other, fewer, nothing):
        async with served(PlaceOrders=answer) as (_, client):
            with pytest.raises(tw.ProtocolViolation):
                await client.orders.place_many([LIMIT, LIMIT])
