"""The same orders get the same answers on every way in: calls, streams, batches, the clients, REST,
WebSocket; over the network, in process and through the gateways. Ids and times differ, and nothing
else: the executions, the balances and the events of the journal are equal as well.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import order_pb2, order_service_pb2

from tests.parity.seen import Names, error_of, journal_of, outcome_of
from tests.parity.typescript_ways import TYPESCRIPT_WAYS
from tests.parity.ways import (
    GATEWAY_WAYS,
    REMOTE,
    WAYS,
    CannotSay,
    CommandFailed,
    Do,
    Ground,
)
from tests.parity.ws_ways import IN_PROCESS, THROUGH_ENVOY, WEBSOCKET_WAYS
from tests.support.audit import audit
from tests.support.envoy import running_rest_venue
from tests.support.trading import (
    BUY,
    FOK,
    GTD,
    IOC,
    SELL,
    amend,
    cancel,
    limit,
    market,
)
from tests.support.typescript import needs_client
from tests.support.venue import RunningVenue, running_venue
from tests.support.ws import gateway_beside

ALL_WAYS = {
    **WAYS,
    **GATEWAY_WAYS,
    **{name: way for name, (way, _) in WEBSOCKET_WAYS.items()},
    **TYPESCRIPT_WAYS,
}
LATER = Timestamp(seconds=4_000_000_000)
NEWEST = order_pb2.SELF_TRADE_PREVENTION_CANCEL_NEWEST
DECREMENT = order_pb2.SELF_TRADE_PREVENTION_DECREMENT
REJECT, REPRICE = order_pb2.POST_ONLY_REJECT, order_pb2.POST_ONLY_REPRICE

# Who does what. Every kind of outcome is in it: rest, trade, amend, cancel, expire at once, refuse,
# reject, repeat.
SCENARIO: list[tuple[str, Message]] = [
    ("alice", limit("a-1", SELL, "3", "100")),
    ("alice", limit("a-2", SELL, "1", "101", post_only=REJECT)),
    ("bob", limit("b-1", BUY, "1", "100")),
    ("bob", limit("b-2", BUY, "1.5", "99.5", time_in_force=GTD, expire_time=LATER)),
    ("bob", limit("b-1", BUY, "1", "100")),
    ("bob", limit("b-1", BUY, "2", "100")),
    ("alice", amend("a-3", "a-1", quantity="2.5")),
    ("alice", amend("a-3", "a-1", quantity="2.5")),
    ("alice", amend("a-4", "a-1", price="99.5")),
    ("alice", amend("a-5", "a-4", quantity="0.5")),
    ("alice", amend("a-6", "none", quantity="1")),
    ("bob", limit("b-3", BUY, "9", "101", time_in_force=IOC)),
    ("bob", limit("b-4", BUY, "9", "101", time_in_force=FOK)),
    ("bob", market("b-5", BUY, quantity="1")),
    ("bob", market("b-6", BUY, quote_quantity="10")),
    ("alice", limit("a-7", BUY, "1", "90")),
    ("alice", limit("a-8", SELL, "2", "90", self_trade_prevention=NEWEST)),
    ("alice", limit("a-9", SELL, "0.4", "90", self_trade_prevention=DECREMENT)),
    ("bob", limit("b-7", SELL, "1", "90", post_only=REJECT)),
    ("bob", limit("b-8", SELL, "1", "90", post_only=REPRICE)),
    ("bob", cancel("b-8", "b-9")),
    ("bob", cancel("b-8", "b-9")),
    ("bob", cancel("b-8", "b-10")),
    ("bob", cancel("nothing")),
    ("bob", cancel("a-7")),
    ("bob", limit("b 11")),
    ("bob", limit("b-11", price="1.001")),
    ("bob", limit("b-11", quantity="1.00001")),
    ("bob", limit("b-11", symbol="BTC-EUR")),
    ("bob", limit("b-11", account="alice")),
    ("bob", limit("b-11", valid_until=Timestamp(seconds=1))),
    ("bob", limit("b-11", expire_time=Timestamp(nanos=-1))),
    ("bob", market("b-11", BUY)),
    ("bob", order_service_pb2.CancelOrderRequest()),
    ("bob", order_service_pb2.CancelOrderRequest(order_id="999999")),
    ("bob", limit("b-11", BUY, "0.5", "80.05")),
    ("bob", order_service_pb2.CancelAllOrdersRequest(side=SELL)),
    ("bob", order_service_pb2.CancelAllOrdersRequest(symbol="BTC-EUR")),
    ("bob", order_service_pb2.CancelAllOrdersRequest()),
    ("alice", order_service_pb2.CancelAllOrdersRequest(symbol="BTC-USD")),
]


@dataclass(frozen=True)
class Played:
    """What could be seen of the scenario, played one way."""

    answers: list[Any]
    afterwards: list[Any]
    journal: list[str]


async def act(do: Do, names: Names) -> list[Any]:
    """Play the scenario and return what each step said, None where the way has no words for it."""
    seen: list[Any] = []
    for name, request in SCENARIO:
        try:
            seen.append(outcome_of(await do(name, request), names))
        except CommandFailed as error:
            seen.append(error_of(error.failure, names))
        except CannotSay:
            seen.append(None)
    return seen


async def look(venue: RunningVenue, names: Names) -> list[Any]:
    """Return everything that can be seen of the accounts afterwards, in each way to see it."""
    seen: list[Any] = []
    async with Ground(venue).traders("network") as traders:
        for trader in traders.values():
            executions = await trader.executions()
            seen.append([names.plain(execution) for execution in executions])
            async with trader.follow(after_sequence=3) as follower:
                assert (await follower.live()).executions == executions[3:]
            async with trader.enter(after_sequence=3) as entry:
                assert (await entry.live()).executions == executions[3:]
            balances = await trader.balances()
            seen.append([names.plain(balances[asset]) for asset in sorted(balances)])
    return seen


@asynccontextmanager
async def ground_for(data_dir: Path, way: str) -> AsyncIterator[Ground]:
    if way in GATEWAY_WAYS:
        options: dict[str, Any] = {"calls": None} if way == REMOTE else {}
        async with running_rest_venue(data_dir, exempt=True, **options) as running:
            yield Ground(running.venue, running.url, running.target)
        return
    where = WEBSOCKET_WAYS[way][1] if way in WEBSOCKET_WAYS else ""
    if where == THROUGH_ENVOY or way in TYPESCRIPT_WAYS:
        async with running_rest_venue(data_dir, exempt=True, pages=True) as running:
            yield Ground(running.venue, running.url, ws_url=f"ws://{running.target}/v1/ws")
        return
    async with running_venue(data_dir) as venue:
        await venue.provision(["alice", "bob"], exempt=True)
        if not where:
            yield Ground(venue)
            return
        kind = "in process" if where == IN_PROCESS else "network"
        async with gateway_beside(venue, kind=kind) as edge:
            yield Ground(venue, ws_url=edge.url)


async def play(data_dir: Path, way: str) -> Played:
    """Play the scenario one way and return everything that could be seen of it."""
    names = Names()
    async with ground_for(data_dir, way) as ground:
        async with ALL_WAYS[way](ground) as do:
            answers = await act(do, names)
        afterwards = await look(ground.venue, names)
    audit(ground.venue.app)
    return Played(answers, afterwards, journal_of(ground.venue.app))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reference(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Play the scenario by unary calls, once for all."""
    return await play(tmp_path_factory.mktemp("reference"), "unary")


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=needs_client) if way in TYPESCRIPT_WAYS else way
        for way in list(ALL_WAYS)[1:]
    ],
)
async def test_every_way_in_gives_the_same_answers(
    tmp_path: Path, reference: Played, way: str
) -> None:
    found = await play(tmp_path, way)
    for step, expected, answer in zip(SCENARIO, reference.answers, found.answers, strict=True):
        if answer is None:
            assert expected[1] == "FIELD_INVALID", step
        else:
            assert answer == expected, step
    assert found.afterwards == reference.afterwards
    assert found.journal == reference.journal


async def test_the_scenario_has_every_kind_of_outcome(reference: Played) -> None:
    kinds = {outcome[0] for outcome in reference.answers}
    reasons = {outcome[1] for outcome in reference.answers if outcome[0] == "error"}
    assert kinds == {"order", "canceled", "error"}
    assert reasons >= {
        "CLIENT_ORDER_ID_REUSED",
        "ORDER_NOT_FOUND",
        "ORDER_CLOSED",
        "POST_ONLY_WOULD_TRADE",
        "FIELD_INVALID",
        "PRICE_OFF_TICK",
        "QUANTITY_OFF_LOT",
        "INSTRUMENT_NOT_FOUND",
        "ACCOUNT_NOT_FOUND",
        "DEADLINE_PASSED",
        "FIELDS_CONFLICT",
    }
    executions = "".join(reference.afterwards[0]) + "".join(reference.afterwards[2])
    for kind in ("NEW", "TRADE", "CANCELED", "REPLACED", "REJECTED", "RESTATED"):
        assert f"EXECUTION_TYPE_{kind}" in executions, kind
