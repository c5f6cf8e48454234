"""The same orders get the same answers on every way in: unary calls and the stream, over the
network and in process. Ids and times differ, and nothing else.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import order_pb2, order_service_pb2

from tests.support.audit import audit
from tests.support.failures import failure_of, failure_of_call
from tests.support.trading import (
    BUY,
    FOK,
    GTD,
    IOC,
    SELL,
    Trader,
    amend,
    cancel,
    limit,
    market,
)
from tests.support.venue import Stubs, running_venue

Do = Callable[[str, Message], Awaitable[Any]]
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


class Names:
    """Gives ids and times names in the order in which they appear, so that runs can be compared."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def plain(self, message: Message) -> str:
        """Return a message as text without what differs between runs."""
        found = type(message)()
        found.CopyFrom(message)
        self._clean(found)
        return str(found)

    def text(self, text: str) -> str:
        """Return a text in which the ids of orders are named."""
        return re.sub(r"\b\d{2,}\b", lambda match: self._ids.get(match[0], match[0]), text)

    def _clean(self, message: Any) -> None:
        for field, value in message.ListFields():
            if field.name in ("order_id", "execution_id", "counter_order_id"):
                name = self._ids.setdefault(value, f"id-{len(self._ids)}")
                setattr(message, field.name, name)
            elif field.name in ("create_time", "transact_time"):
                message.ClearField(field.name)
            elif field.message_type is not None and not field.is_repeated:
                self._clean(value)


@asynccontextmanager
async def unary(traders: dict[str, Trader]) -> AsyncIterator[Do]:
    methods = {
        "PlaceOrderRequest": "PlaceOrder",
        "AmendOrderRequest": "AmendOrder",
        "CancelOrderRequest": "CancelOrder",
        "CancelAllOrdersRequest": "CancelAllOrders",
    }

    async def do(name: str, request: Message) -> Any:
        trader = traders[name]
        method = getattr(trader.stubs.orders, methods[request.DESCRIPTOR.name])
        return await trader(method, request)

    yield do


@asynccontextmanager
async def stream(traders: dict[str, Trader]) -> AsyncIterator[Do]:
    async with traders["alice"].enter() as alice, traders["bob"].enter() as bob:
        entries = {"alice": alice, "bob": bob}

        async def do(name: str, request: Message) -> Any:
            (result,) = await entries[name].do(request)
            if result.HasField("error"):
                raise CommandFailed(result)
            return result

        yield do


class CommandFailed(Exception):
    """A command of a stream has an error."""

    def __init__(self, result: order_service_pb2.CommandResult) -> None:
        super().__init__()
        self.result = result


PATHS = {"unary": unary, "stream": stream}


def outcome_of(answer: Any, names: Names) -> tuple[Any, ...]:
    """Return what an answer says, whichever message it is in."""
    if "order" in answer.DESCRIPTOR.fields_by_name and answer.HasField("order"):
        kept = getattr(answer, "priority_kept", False)
        return ("order", names.plain(answer.order), answer.as_of_sequence, kept)
    return ("canceled", answer.canceled_count, answer.as_of_sequence)


def error_of(error: Exception, names: Names) -> tuple[Any, ...]:
    if isinstance(error, CommandFailed):
        found = failure_of(error.result.error)
    else:
        found = failure_of_call(error)
    metadata = {key: names.text(value) for key, value in found.metadata.items()}
    text = names.text(found.text)
    if found.reason == "ACCOUNT_NOT_FOUND":
        text = ""  # who says it, differs: the credential or the stream
    return ("error", found.reason, found.outcome, found.fields, text, metadata)


async def play(data_dir: Path, channel: str, path: str) -> list[Any]:
    """Play the scenario one way and return everything that could be seen of it."""
    names, seen = Names(), list[Any]()
    async with running_venue(data_dir) as venue:
        await venue.provision(["alice", "bob"], exempt=True)
        async with venue.connect(channel) as opened:
            stubs = Stubs(opened)
            traders = {name: Trader(stubs, venue.credentials[name]) for name in ("alice", "bob")}
            async with PATHS[path](traders) as do:
                for name, request in SCENARIO:
                    try:
                        seen.append(outcome_of(await do(name, request), names))
                    except Exception as error:  # noqa: BLE001 - compared below
                        seen.append(error_of(error, names))
            for trader in traders.values():
                executions = await trader.executions()
                seen.append([names.plain(execution) for execution in executions])
                async with trader.follow(after_sequence=3) as follower:
                    assert (await follower.live()).executions == executions[3:]
                async with trader.enter(after_sequence=3) as entry:
                    assert (await entry.live()).executions == executions[3:]
                balances = await trader.balances()
                seen.append([names.plain(balances[asset]) for asset in sorted(balances)])
    audit(venue.app)
    return seen


@pytest.mark.parametrize(
    ("channel", "path"),
    [("network", "stream"), ("in_process", "unary"), ("in_process", "stream")],
)
async def test_every_way_in_gives_the_same_answers(tmp_path: Path, channel: str, path: str) -> None:
    reference = await play(tmp_path / "reference", "network", "unary")
    other = await play(tmp_path / "other", channel, path)
    for number, (expected, found) in enumerate(zip(reference, other, strict=True)):
        step = SCENARIO[number] if number < len(SCENARIO) else "afterwards"
        assert found == expected, step


async def test_the_scenario_has_every_kind_of_outcome(tmp_path: Path) -> None:
    seen = await play(tmp_path, "network", "unary")
    kinds = {outcome[0] for outcome in seen[: len(SCENARIO)]}
    reasons = {outcome[1] for outcome in seen[: len(SCENARIO)] if outcome[0] == "error"}
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
    executions = "".join(seen[len(SCENARIO)]) + "".join(seen[len(SCENARIO) + 2])
    for kind in ("NEW", "TRADE", "CANCELED", "REPLACED", "REJECTED", "RESTATED"):
        assert f"EXECUTION_TYPE_{kind}" in executions, kind
