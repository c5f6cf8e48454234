"""Orders over WebSocket: their order, what answers them, and what becomes of them at the end."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tradewire.v1 import execution_service_pb2
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.engine.vocabulary import Reason

from tests.integration.conftest import LimitedFloor
from tests.support.venue import RunningVenue, Stubs
from tests.support.waiting import eventually
from tests.support.ws import (
    GatewayEdge,
    RpcError,
    WsClient,
    gateway_beside,
    order,
    reason_of,
    request,
)

CHANNELS = ["in process", "network"]


@pytest.fixture(params=CHANNELS)
async def edge(venue: RunningVenue, request: pytest.FixtureRequest) -> AsyncIterator[GatewayEdge]:
    """Run a gateway over either channel."""
    async with gateway_beside(venue, kind=request.param) as edge:
        yield edge


@pytest.fixture
async def client(edge: GatewayEdge, venue: RunningVenue) -> AsyncIterator[WsClient]:
    """Return a connection of alice."""
    async with edge.client(venue.credentials["alice"]) as client:
        yield client


async def executions(venue: RunningVenue, account: str = "alice") -> list[tuple[str, str]]:
    """Return type and client order id of everything that happened to an account."""
    async with venue.connect() as channel:
        page = await Stubs(channel).executions.ListExecutions(
            execution_service_pb2.ListExecutionsRequest(page_size=1000),
            metadata=venue.credentials[account].metadata,
        )
    names = execution_service_pb2.DESCRIPTOR.pool.FindEnumTypeByName("tradewire.v1.ExecutionType")
    return [
        (
            names.values_by_number[each.type].name.removeprefix("EXECUTION_TYPE_"),
            each.order.client_order_id,
        )
        for each in page.executions
    ]


async def outcome(answer: asyncio.Future[Any]) -> Any:
    """Return what answers a request: its result, or the reason of its error."""
    try:
        return await answer
    except RpcError as error:
        return error.reason


async def test_commands_are_answered_as_their_rpcs_would(client: WsClient) -> None:
    placed = await client.call("orders.place", order("a"))
    assert set(placed) == {"order", "asOfSequence"}
    assert placed["order"]["status"] == "ORDER_STATUS_NEW"
    assert client.rate_limit is not None
    assert set(client.rate_limit) == {"limit", "remaining", "resetMs"}
    amend = {"clientOrderId": "b", "originalClientOrderId": "a", "quantity": "0.005"}
    amended = await client.call("orders.amend", amend)
    assert set(amended) == {"order", "asOfSequence", "priorityKept"}
    assert (amended["order"]["quantity"], amended["priorityKept"]) == ("0.005", True)
    canceled = await client.call("orders.cancel", originalClientOrderId="b")
    assert set(canceled) == {"order", "asOfSequence"}
    assert canceled["order"]["status"] == "ORDER_STATUS_CANCELED"
    everything = await client.call("orders.cancelAll")
    assert everything == {"canceledCount": 0, "asOfSequence": canceled["asOfSequence"]}
    # Read again, from the venue's own answer.
    found = await client.call("orders.get", clientOrderId="b")
    assert found["order"] == canceled["order"]


async def test_bad_commands_are_their_own_answers(client: WsClient) -> None:
    answers = [
        client.ask("orders.place", order("a", price="0.001")),
        client.ask("orders.place", order("b", symbol="NO-PE")),
        client.ask("orders.place", order("c", quantity="-1")),
        client.ask("orders.place", order("d", sid="SIDE_BUY")),
        client.ask("orders.place", order("e", account="bob")),
        client.ask("orders.cancel", {"orderId": "999"}),
        client.ask("orders.place", order("f", price="90000000", quantity="100")),
        client.ask("orders.place", order("g")),
    ]
    found = [await outcome(answer) for answer in answers]
    assert found[:-1] == [
        "PRICE_OFF_TICK",
        "INSTRUMENT_NOT_FOUND",
        "FIELD_INVALID",
        "FIELD_INVALID",
        "ACCOUNT_NOT_FOUND",
        "ORDER_NOT_FOUND",
        "NOTIONAL_OUT_OF_RANGE",
    ]
    assert found[-1]["order"]["clientOrderId"] == "g"


async def test_a_retry_gets_the_first_answer(client: WsClient) -> None:
    first = await client.call("orders.place", order("a"))
    assert (await client.call("orders.place", order("a")))["order"] == first["order"]
    assert await outcome(client.ask("orders.place", order("a", price="101"))) == (
        "CLIENT_ORDER_ID_REUSED"
    )


async def test_commands_and_calls_are_done_in_their_order(
    client: WsClient, venue: RunningVenue
) -> None:
    # Each line needs those before it, and everything is sent at once.
    script: list[tuple[str, dict[str, Any]]] = []
    expected: list[tuple[str, str]] = []
    for number in range(12):
        first, batch, amended = f"p{number}", f"q{number}", f"r{number}"
        script += [
            ("orders.place", order(first)),
            (
                "orders.amend",
                {"clientOrderId": amended, "originalClientOrderId": first, "price": "99"},
            ),
            ("orders.batchPlace", {"orders": [order(batch)]}),
            ("orders.cancel", {"originalClientOrderId": batch}),
            ("orders.batchCancel", {"cancels": [{"originalClientOrderId": amended}]}),
            ("orders.place", order(f"s{number}")),
            ("orders.cancelAll", {}),
        ]
        expected += [
            ("NEW", first),
            ("REPLACED", amended),
            ("NEW", batch),
            ("CANCELED", batch),
            ("CANCELED", amended),
            ("NEW", f"s{number}"),
            ("CANCELED", f"s{number}"),
        ]
    frame = [
        request(method, params, f"f{number}") for number, (method, params) in enumerate(script)
    ]
    # As a batch, then one by one.
    for answer in await client.exchange(frame):
        assert "result" in answer, answer
    assert await executions(venue) == expected
    answers = [client.ask(method, rename(params)) for method, params in script]
    for answer in answers:
        await answer
    assert (await executions(venue))[len(expected) :] == [
        (kind, f"again-{name}") for kind, name in expected
    ]


def rename(params: Any) -> Any:
    """Return parameters with other client order ids."""
    if isinstance(params, list):
        return [rename(each) for each in params]
    if not isinstance(params, dict):
        return params
    return {
        name: f"again-{value}" if name.lower().endswith("clientorderid") else rename(value)
        for name, value in params.items()
    }


async def test_many_orders_at_once(client: WsClient, venue: RunningVenue) -> None:
    answers = [
        client.ask("orders.place", order(f"a{number}", timeInForce="TIME_IN_FORCE_IOC"))
        for number in range(1_500)
    ]
    sequences = []
    for number, answer in enumerate(answers):
        result = await answer
        assert result["order"]["clientOrderId"] == f"a{number}"
        sequences.append(int(result["order"]["orderId"]))
    assert sequences == sorted(sequences)


async def test_pipe_of_orders(client: WsClient) -> None:
    number = await client.subscribe(
        "orders.enter", {"commands": [{"place": order("a")}], "afterSequence": 0}
    )
    sends = [
        client.ask(
            "subscription.send",
            subscription=number,
            message={"commands": [{"place": order(f"b{each}")}, {"cancelAll": {}}]},
        )
        for each in range(5)
    ]
    for send in sends:
        assert await send == {}
    with pytest.raises(RpcError) as caught:
        await client.call(
            "subscription.send", subscription=number, message={"commands": [{"plac": {}}]}
        )
    assert caught.value.reason == "FIELD_INVALID"
    await client.call("subscription.cancel", subscription=number)
    closed = await client.notified("subscription.closed")
    assert closed == {"subscription": number}
    results = [
        result
        for message in client.messages(number)
        for result in message.get("batch", {}).get("results", [])
    ]
    assert [result["commandNumber"] for result in results] == [str(n) for n in range(1, 12)]
    with pytest.raises(RpcError) as caught:
        await client.call("subscription.send", subscription=number, message={})
    assert caught.value.reason == "SUBSCRIPTION_NOT_FOUND"


async def test_configuration_comes_before_the_first_order(client: WsClient) -> None:
    for wanted in (True, False, True):
        found = await client.call("connection.configure", cancelOnDisconnect=wanted)
        assert found == {"cancelOnDisconnect": wanted}
    await client.call("orders.list")
    placed = await client.call("orders.place", order("a"))
    assert placed["order"]["cancelOnDisconnect"] is True
    with pytest.raises(RpcError) as caught:
        await client.call("connection.configure", cancelOnDisconnect=False)
    assert (caught.value.code, caught.value.reason) == (9, "CONNECTION_IN_USE")


@pytest.mark.parametrize("how", ["close", "fin", "reset"])
async def test_cancel_on_disconnect(edge: GatewayEdge, venue: RunningVenue, how: str) -> None:
    alice = venue.credentials["alice"]
    account = venue.app.state.accounts["alice"]
    async with edge.client(alice) as other:
        await other.call("orders.place", order("stays"))
        async with edge.client(alice) as client:
            await client.call("connection.configure", cancelOnDisconnect=True)
            placed = [client.ask("orders.place", order(f"a{number}")) for number in range(3)]
            for answer in placed:
                await answer
            assert len(account.orders) == 4
            transport = client.socket.transport
            if how == "fin":
                transport.write_eof()
            elif how == "reset":
                linger = struct.pack("ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                transport.abort()
        await eventually(lambda: len(account.orders) == 1)
        assert (await other.call("orders.list"))["orders"][0]["clientOrderId"] == "stays"


async def test_what_was_sent_before_a_close_is_done(edge: GatewayEdge, venue: RunningVenue) -> None:
    account = venue.app.state.accounts["alice"]
    async with edge.client(venue.credentials["alice"]) as client:
        await client.call("orders.place", order("first"))
        for number in range(300):
            client.ask("orders.place", order(f"a{number}"))
        await client.call("session.time")
    await eventually(lambda: len(account.orders) == 301)


@pytest.mark.parametrize("kind", CHANNELS)
async def test_limits_are_those_of_the_account(limited: LimitedFloor, kind: str) -> None:
    async with (
        limited(LimitPolicy(key=Gcra(1, 40, 3_600))) as floor,
        gateway_beside(floor.venue, kind=kind) as edge,
        edge.client(floor.venue.credentials["alice"]) as client,
    ):
        answers = [client.ask("orders.place", order(f"a{number}")) for number in range(60)]
        found = [await outcome(answer) for answer in answers]
        refused = [index for index, each in enumerate(found) if each == "RATE_LIMITED"]
        # None overtakes another: those that were refused are the last ones.
        assert refused == list(range(refused[0], 60))
        assert 20 < refused[0] < 40
        assert client.rate_limit is not None
        assert client.rate_limit["remaining"] == "0"
        # Cancels may use the reserve.
        canceled = await client.call("orders.cancel", originalClientOrderId="a0")
        assert canceled["order"]["status"] == "ORDER_STATUS_CANCELED"


async def test_stream_of_orders_that_the_venue_ends(client: WsClient, venue: RunningVenue) -> None:
    await client.call("orders.place", order("a"))
    venue.app.hub.close_all(Reason.SERVER_DRAINING)
    # What was under way is in doubt, and is safe to send again, through another stream.
    answers = [await outcome(client.ask("orders.place", order("b"))) for _ in range(3)]
    assert set(map(str, answers[:-1])) <= {"ANSWER_LOST", str(answers[-1])}
    assert answers[-1]["order"]["clientOrderId"] == "b"


async def test_error_is_that_of_rest(client: WsClient) -> None:
    with pytest.raises(RpcError) as caught:
        await client.call("orders.place", order("a", price="100.001"))
    error = caught.value.error
    assert error["code"] == 3
    assert error["message"] == error["data"]["message"]
    assert reason_of(error["data"]) == "PRICE_OFF_TICK"
    assert error["data"]["details"][1]["fieldViolations"][0]["field"] == "price"
