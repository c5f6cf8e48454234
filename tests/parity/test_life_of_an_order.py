"""The life of an order leaves the same journal on every protocol: placed, filled in part, amended,
filled while nobody listens, canceled, and the next one rejected. Who was cut off and resumes after
the last number gets each execution once, whatever the protocol.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf import json_format
from google.protobuf.message import Message
from tradewire.v1 import execution_service_pb2, order_pb2

from tests.parity.seen import Names, journal_of
from tests.parity.typescript_ways import typescript, typescript_way
from tests.parity.ways import (
    Answer,
    CommandFailed,
    Do,
    Ground,
    Way,
    rest,
    sdk,
    sdk_client,
    stream,
    unary,
)
from tests.parity.ws_ways import calls, name_of, params, pipe
from tests.support.audit import audit
from tests.support.envoy import running_rest_venue
from tests.support.failures import failure_of
from tests.support.fix import FixClient, Peer, running_gateway
from tests.support.rest import BearerToken, rest_client
from tests.support.server_sent import event_stream
from tests.support.trading import BUY, SELL, Trader, amend, cancel, limit
from tests.support.typescript import needs_client
from tests.support.venue import Stubs, running_venue
from tests.support.ws import RpcError, WsClient, gateway_beside

# Alice's commands, by what they are for. Bob trades with her over gRPC, whatever her way is.
PLACE = limit("a-1", BUY, "1", "100")
AMEND = amend("a-2", "a-1", quantity="0.8", price="100")
CANCEL = cancel("a-2", "a-3")
CROSSING = limit("a-4", BUY, "1", "101", post_only=order_pb2.POST_ONLY_REJECT)
# new, partial fill, replaced | partial fill, canceled, rejected: cut between the two.
BEFORE_CUT, IN_ALL = 3, 6

Follow = Callable[[int, int], Awaitable[Sequence[order_pb2.Execution]]]


@dataclass(frozen=True)
class Desk:
    """Alice's: what she does, and her executions after a number up to another one.

    `follow` opens a stream, reads it that far, and leaves without a word.
    """

    do: Callable[[Message], Awaitable[Answer]]
    follow: Follow


def _executions(response: Message) -> Sequence[order_pb2.Execution]:
    """Return the executions of a message of the stream."""
    assert isinstance(response, execution_service_pb2.StreamExecutionsResponse)
    return response.batch.executions


async def _follow_grpc(ground: Ground, after: int, until: int) -> Sequence[order_pb2.Execution]:
    async with (
        ground.traders("network") as traders,
        traders["alice"].follow(after_sequence=after) as follower,
    ):
        wanted = until - after
        tape = await follower.until(lambda tape: len(tape.executions) >= wanted)
        return tape.executions


async def _follow_rest(ground: Ground, after: int, until: int) -> Sequence[order_pb2.Execution]:
    found: list[order_pb2.Execution] = []
    auth = BearerToken(ground.venue.credentials["alice"].token)
    async with (
        rest_client(ground.rest_url, auth) as client,
        event_stream(client, "/v1/executions:stream", afterSequence=after) as events,
    ):
        async for event in events:
            response = execution_service_pb2.StreamExecutionsResponse()
            found += _executions(json_format.ParseDict(event, response))
            if len(found) >= until - after:
                break
    return found


async def _follow_websocket(
    ground: Ground, after: int, until: int
) -> Sequence[order_pb2.Execution]:
    async with WsClient.connect(ground.ws_url) as client:
        await client.sign_in(ground.venue.credentials["alice"])
        number = await client.subscribe("executions.stream", {"afterSequence": str(after)})
        found: list[order_pb2.Execution] = []
        taken = 0
        while len(found) < until - after:
            start = len(client.notifications)
            messages = client.messages(number)[taken:]
            taken += len(messages)
            for message in messages:
                response = execution_service_pb2.StreamExecutionsResponse()
                found += _executions(json_format.ParseDict(message, response))
            if not messages:
                await client.expect(lambda found: True, start=start)
        # As a cable that is pulled: no close frame.
        client.socket.transport.abort()
        return found


async def _follow_python(ground: Ground, after: int, until: int) -> Sequence[order_pb2.Execution]:
    """Return what the client hands out, looked up again as messages by number."""
    numbers: list[int] = []
    async with sdk_client(ground.venue, ground.venue.credentials["alice"]) as client:
        async for execution in client.executions.follow(after_sequence=after):
            numbers.append(execution.sequence)
            if execution.sequence >= until:
                break
    assert numbers == list(range(after + 1, until + 1))
    return await _follow_grpc(ground, after, until)


async def _follow_typescript(
    ground: Ground, after: int, until: int
) -> Sequence[order_pb2.Execution]:
    async with typescript(ground) as program:
        found = await program.ask("alice", "executions", after=after, until=until)
    return [json_format.ParseDict(each, order_pb2.Execution()) for each in found["executions"]]


@asynccontextmanager
async def _desk(
    ground: Ground,
    way: Way,
    follow: Callable[[Ground, int, int], Awaitable[Sequence[order_pb2.Execution]]],
) -> AsyncIterator[Desk]:
    async with way(ground) as do:
        yield Desk(partial(do, "alice"), partial(follow, ground))


MakeDesk = Callable[[Ground], AbstractAsyncContextManager[Desk]]
DESKS: dict[str, MakeDesk] = {
    "gRPC": partial(_desk, way=unary, follow=_follow_grpc),
    "gRPC, EnterOrders": partial(_desk, way=stream, follow=_follow_grpc),
    "REST": partial(_desk, way=rest, follow=_follow_rest),
    "WebSocket": partial(_desk, way=calls, follow=_follow_websocket),
    "WebSocket, orders.enter": partial(_desk, way=pipe, follow=_follow_websocket),
    "Python client": partial(_desk, way=sdk, follow=_follow_python),
    "TypeScript client": partial(
        _desk, way=partial(typescript_way, calls="websocket"), follow=_follow_typescript
    ),
    "TypeScript client, gRPC-web": partial(
        _desk, way=partial(typescript_way, calls="grpc-web"), follow=_follow_typescript
    ),
}


@dataclass(frozen=True)
class Lived:
    """What the scenario left, with ids and times named."""

    executions: list[str]
    rejected: str
    journal: list[str]


async def live(data_dir: Path, make_desk: MakeDesk) -> Lived:
    """Play the scenario at a desk, with a cut in its middle."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            running_rest_venue(data_dir, exempt=True, pages=True)
        )
        ground = Ground(running.venue, running.url, ws_url=f"ws://{running.target}/v1/ws")
        bob: Do = await stack.enter_async_context(unary(ground))
        desk = await stack.enter_async_context(make_desk(ground))

        await desk.do(PLACE)
        await bob("bob", limit("b-1", SELL, "0.4", "100"))
        amended = await desk.do(AMEND)
        assert amended.order is not None
        assert (amended.order.leaves_quantity, amended.priority_kept) == ("0.4", True)
        before = await desk.follow(0, BEFORE_CUT)
        # Nobody listens now, and things happen.
        await bob("bob", limit("b-2", SELL, "0.1", "100"))
        await desk.do(CANCEL)
        await bob("bob", limit("b-3", SELL, "1", "101"))
        with pytest.raises(CommandFailed) as refused:
            await desk.do(CROSSING)
        after = await desk.follow(before[-1].sequence, IN_ALL)

        names = Names()
        executions = [names.plain(execution) for execution in (*before, *after)]
        assert [each.sequence for each in (*before, *after)] == list(range(1, IN_ALL + 1))
    audit(running.venue.app)
    failure = refused.value.failure
    return Lived(executions, f"{failure.reason} {failure.outcome}", journal_of(running.venue.app))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reference(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Play it over gRPC, once for all."""
    return await live(tmp_path_factory.mktemp("reference"), DESKS["gRPC"])


@pytest.mark.parametrize(
    "desk",
    [
        pytest.param(name, marks=needs_client) if name.startswith("TypeScript") else name
        for name in list(DESKS)[1:]
    ],
)
async def test_the_same_life_leaves_the_same_journal(
    tmp_path: Path, reference: Lived, desk: str
) -> None:
    found = await live(tmp_path, DESKS[desk])
    assert found.executions == reference.executions
    assert found.rejected == reference.rejected
    assert found.journal == reference.journal


async def test_it_is_the_life_that_it_is_said_to_be(reference: Lived) -> None:
    kinds = ("NEW", "TRADE", "REPLACED", "TRADE", "CANCELED", "REJECTED")
    for kind, execution in zip(kinds, reference.executions, strict=True):
        assert f"type: EXECUTION_TYPE_{kind}\n" in execution
    assert "PARTIALLY_FILLED" in reference.executions[1]
    assert reference.rejected == "POST_ONLY_WOULD_TRADE rejected"


# --- pipelined ------------------------------------------------------------------------------------

PIPELINED: list[Message] = [
    request
    for number in range(20)
    for request in (
        limit(f"p-{number}", BUY, "1", str(50 + number % 3)),
        amend(f"q-{number}", f"p-{number}", quantity="0.5"),
        limit(f"s-{number}", SELL, "0.25", "50", post_only=order_pb2.POST_ONLY_REJECT),
        cancel(f"q-{number}", f"c-{number}"),
        cancel(f"p-{number}", f"c-{number}"),
    )
]


async def test_calls_that_are_pipelined_are_done_in_the_order_in_which_they_were_sent(
    tmp_path: Path,
) -> None:
    """As one after the other in frames: each speaks of what those before it did."""
    journals, outcomes = [], []
    for kind in ("frames", "calls"):
        async with running_venue(tmp_path / kind) as venue:
            await venue.provision(["alice"], exempt=True)
            if kind == "frames":
                async with venue.connect() as channel:
                    alice = Trader(Stubs(channel), venue.credentials["alice"])
                    async with alice.enter() as entry:
                        results = await entry.do(*PIPELINED)
                found = [
                    failure_of(result.error).reason if result.HasField("error") else "done"
                    for result in results
                ]
            else:
                async with (
                    gateway_beside(venue) as edge,
                    edge.client(venue.credentials["alice"]) as client,
                ):
                    asked = [client.ask(name_of(request), params(request)) for request in PIPELINED]
                    answers = await asyncio.gather(*asked, return_exceptions=True)
                found = [
                    answer.reason if isinstance(answer, RpcError) else "done" for answer in answers
                ]
        audit(venue.app)
        outcomes.append(found)
        journals.append(journal_of(venue.app))
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0]) == {"done", "POST_ONLY_WOULD_TRADE", "CLIENT_ORDER_ID_REUSED"}
    assert journals[0] == journals[1]


# --- FIX ------------------------------------------------------------------------------------------

EXEC_TYPES = {1: "0", 2: "F", 3: "5", 4: "F", 5: "4", 6: "8"}


async def test_the_same_life_over_fix(tmp_path: Path, reference: Lived) -> None:
    """The session is cut, too: what was missed comes by its sequence numbers, each report once."""
    data_dir = tmp_path / "venue"
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_venue(data_dir))
        await running.provision(["alice", "bob"], exempt=True)
        bob: Do = await stack.enter_async_context(unary(Ground(running)))
        gateway = await stack.enter_async_context(running_gateway(running, tmp_path))
        alice = Peer(running.credentials["alice"], sender="ALICE")
        reports: list[str] = []

        async def reported(client: FixClient, sequence: int) -> None:
            report = await client.next("8", t20001=str(sequence))
            assert report.body[150] == EXEC_TYPES[sequence]
            reports.append(str(report.body[20001]))

        async with gateway.logged_on(alice) as client:
            client.place("a-1")
            await reported(client, 1)
            await bob("bob", limit("b-1", SELL, "0.4", "100"))
            await reported(client, 2)
            amended = {41: "a-1", 11: "a-2", 55: "BTC-USD", 54: "1", 60: "20260101-00:00:00"}
            client.send("G", {**amended, 38: "0.8", 40: "2", 44: "100"})
            await reported(client, 3)
        await bob("bob", limit("b-2", SELL, "0.1", "100"))
        async with gateway.logged_on(alice) as client:
            await reported(client, 4)
            client.cancel("a-3", "a-2")
            await reported(client, 5)
            await bob("bob", limit("b-3", SELL, "1", "101"))
            client.place("a-4", t44="101", t18="6")
            await reported(client, 6)
            assert not [message for message in client.messages if message.type == "8"]
    audit(running.app)
    assert reports == [str(number) for number in EXEC_TYPES]
    assert journal_of(running.app) == reference.journal
