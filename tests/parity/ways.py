"""The ways in: each takes a request of the contract and gives what became of it in one form, so
that what they say can be compared.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import grpc.aio
import httpx
import tradewire_client as tw
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import order_pb2, order_service_pb2

from tests.support.failures import Failure, failure_of, failure_of_call
from tests.support.rest import (
    BearerToken,
    SignedRequests,
    answer,
    create_hmac_key,
    ed25519_key,
    failure_of_response,
    http_request,
    rest_client,
)
from tests.support.trading import Trader
from tests.support.venue import Credential, RunningVenue, Stubs

ACCOUNTS = ("alice", "bob")


@dataclass(frozen=True)
class Answer:
    """What a command did: an order after it, or how many were canceled."""

    order: order_pb2.Order | None
    canceled_count: int
    as_of_sequence: int
    priority_kept: bool


class CommandFailed(Exception):
    """A command has an error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class CannotSay(Exception):
    """There are no words for such a request, which no other way takes either."""


Do = Callable[[str, Message], Awaitable[Answer]]
Way = Callable[["Ground"], AbstractAsyncContextManager[Do]]


def answer_of(message: Any) -> Answer:
    """Return what a response or a result says."""
    has_order = "order" in message.DESCRIPTOR.fields_by_name and message.HasField("order")
    return Answer(
        message.order if has_order else None,
        0 if has_order else message.canceled_count,
        message.as_of_sequence,
        getattr(message, "priority_kept", False),
    )


def answer_of_result(result: order_service_pb2.CommandResult) -> Answer:
    if result.HasField("error"):
        raise CommandFailed(failure_of(result.error))
    return answer_of(result)


METHODS = {
    "PlaceOrderRequest": "PlaceOrder",
    "AmendOrderRequest": "AmendOrder",
    "CancelOrderRequest": "CancelOrder",
    "CancelAllOrdersRequest": "CancelAllOrders",
}


async def _call(trader: Trader, request: Message) -> Any:
    method = getattr(trader.stubs.orders, METHODS[request.DESCRIPTOR.name])
    try:
        return await trader(method, request)
    except grpc.aio.AioRpcError as error:
        raise CommandFailed(failure_of_call(error)) from error


@dataclass(frozen=True)
class Ground:
    """A venue, and the addresses of its gateways, empty when there is none."""

    venue: RunningVenue
    rest_url: str = ""
    gateway_target: str = ""
    ws_url: str = ""

    @asynccontextmanager
    async def traders(self, channel: str) -> AsyncIterator[dict[str, Trader]]:
        """Return alice and bob over a channel: `network`, `in_process` or `gateway`."""
        connection = (
            grpc.aio.insecure_channel(self.gateway_target)
            if channel == "gateway"
            else self.venue.connect(channel)
        )
        async with connection as opened:
            stubs = Stubs(opened)
            yield {name: Trader(stubs, self.venue.credentials[name]) for name in ACCOUNTS}


@asynccontextmanager
async def unary(ground: Ground, channel: str = "network") -> AsyncIterator[Do]:
    """Make a call for each command."""
    async with ground.traders(channel) as traders:

        async def do(name: str, request: Message) -> Answer:
            return answer_of(await _call(traders[name], request))

        yield do


@asynccontextmanager
async def stream(ground: Ground, channel: str = "network") -> AsyncIterator[Do]:
    """Send frames of one command on an EnterOrders stream."""
    async with (
        ground.traders(channel) as traders,
        traders["alice"].enter() as alice,
        traders["bob"].enter() as bob,
    ):
        entries = {"alice": alice, "bob": bob}

        async def do(name: str, request: Message) -> Answer:
            (result,) = await entries[name].do(request)
            return answer_of_result(result)

        yield do


@asynccontextmanager
async def batch(ground: Ground, channel: str = "network") -> AsyncIterator[Do]:
    """Send batches of one, for what can be in a batch."""
    async with ground.traders(channel) as traders:

        async def do(name: str, request: Message) -> Answer:
            trader = traders[name]
            response: Any
            if isinstance(request, order_service_pb2.PlaceOrderRequest):
                response = await trader.place_many(request)
            elif isinstance(request, order_service_pb2.CancelOrderRequest):
                response = await trader.cancel_many(request)
            else:
                return answer_of(await _call(trader, request))
            (result,) = response.results
            return answer_of_result(result)

        yield do


# --- REST ---

RESPONSES: dict[str, type[Message]] = {
    "PlaceOrderRequest": order_service_pb2.PlaceOrderResponse,
    "AmendOrderRequest": order_service_pb2.AmendOrderResponse,
    "CancelOrderRequest": order_service_pb2.CancelOrderResponse,
    "CancelAllOrdersRequest": order_service_pb2.CancelAllOrdersResponse,
}
BATCHES: dict[str, Callable[[Any], Message]] = {
    "PlaceOrderRequest": lambda item: order_service_pb2.PlaceOrdersRequest(orders=[item]),
    "CancelOrderRequest": lambda item: order_service_pb2.CancelOrdersRequest(cancels=[item]),
}


async def _bearer(ground: Ground, account: str) -> httpx.Auth:
    return BearerToken(ground.venue.credentials[account].token)


async def _signed(ground: Ground, account: str) -> httpx.Auth:
    return SignedRequests(ed25519_key(ground.venue.credentials[account]))


async def _signed_hmac(ground: Ground, account: str) -> httpx.Auth:
    return SignedRequests(await create_hmac_key(ground.venue, account))


Authorise = Callable[[Ground, str], Awaitable[httpx.Auth]]


@asynccontextmanager
async def rest(
    ground: Ground, authorise: Authorise = _bearer, *, in_batches: bool = False
) -> AsyncIterator[Do]:
    """Send HTTP requests, with batches of one for what can be in a batch if that is wanted."""
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(
                rest_client(ground.rest_url, await authorise(ground, name))
            )
            for name in ACCOUNTS
        }

        async def do(name: str, request: Message) -> Answer:
            as_batch = BATCHES.get(request.DESCRIPTOR.name) if in_batches else None
            try:
                asked = http_request(as_batch(request) if as_batch else request)
            except ValueError as error:
                raise CannotSay from error
            response = await asked.send(clients[name])
            if response.status_code != 200:
                raise CommandFailed(failure_of_response(response))
            if as_batch is None:
                return answer_of(answer(response, RESPONSES[request.DESCRIPTOR.name]))
            kind = f"{as_batch(request).DESCRIPTOR.name.removesuffix('Request')}Response"
            results: Any = answer(response, getattr(order_service_pb2, kind)).results
            return answer_of_result(results[0])

        yield do


# --- the client ---


@asynccontextmanager
async def sdk(ground: Ground, *, in_batches: bool = False) -> AsyncIterator[Do]:
    """Call the Python client, with batches of one for what can be in a batch if wanted."""
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(
                sdk_client(ground.venue, ground.venue.credentials[name])
            )
            for name in ACCOUNTS
        }

        async def do(name: str, request: Message) -> Answer:
            orders = clients[name].orders
            many: Any = {
                "PlaceOrderRequest": orders.place_many,
                "CancelOrderRequest": orders.cancel_many,
            }.get(request.DESCRIPTOR.name if in_batches else "")

            async def in_batch(account: str = "", **item: Any) -> tw.OrderAnswer:
                # The account is that of the whole batch here.
                results: tuple[tw.OrderResult, ...] = await many([item], account=account)
                return results[0].unwrap()

            alone: Any = getattr(orders, _SDK_METHODS[request.DESCRIPTOR.name])
            return await _ask(alone if many is None else in_batch, request)

        yield do


def sdk_client(venue: RunningVenue, credential: Credential) -> tw.Client:
    """Return a client that never repeats, because every answer is looked at here."""
    key = tw.Ed25519Key.from_seed(credential.key_id, credential.private_key.private_bytes_raw())
    return tw.Client(venue.target, key=key, retry=tw.RetryPolicy(attempts=1))


_SDK_METHODS = {
    "PlaceOrderRequest": "place",
    "AmendOrderRequest": "amend",
    "CancelOrderRequest": "cancel",
    "CancelAllOrdersRequest": "cancel_all",
}
_SDK_ENUMS: dict[str, Any] = {
    "side": tw.Side,
    "type": tw.OrderType,
    "time_in_force": tw.TimeInForce,
    "post_only": tw.PostOnly,
    "self_trade_prevention": tw.SelfTradePrevention,
}


async def _ask(method: Callable[..., Awaitable[Any]], request: Message) -> Answer:
    """Call a method of the client as the request says, and return what it did."""
    try:
        arguments = {
            field.name: _argument(field.name, value) for field, value in request.ListFields()
        }
        return _sdk_answer(await method(**arguments))
    except ValueError as error:
        raise CannotSay from error
    except tw.TradewireError as error:
        raise CommandFailed(_sdk_failure(error)) from error


def _argument(name: str, value: Any) -> Any:
    if isinstance(value, Timestamp):
        return datetime.fromisoformat(value.ToJsonString())
    return _SDK_ENUMS[name](value) if name in _SDK_ENUMS else value


def _sdk_answer(value: tw.OrderAnswer | tw.CanceledOrders) -> Answer:
    if not isinstance(value, tw.OrderAnswer):
        return Answer(None, value.canceled_count, value.as_of_sequence, False)
    order: Any = order_pb2.Order()
    for field in order.DESCRIPTOR.fields:
        if field.message_type is not None:
            nanoseconds = getattr(value, f"{field.name}_ns")
            if nanoseconds:
                getattr(order, field.name).FromNanoseconds(nanoseconds)
        else:
            found = getattr(value, field.name)
            if found is not None:
                setattr(order, field.name, found if isinstance(found, int) else str(found))
    return Answer(order, 0, value.as_of_sequence, value.priority_kept)


def _sdk_failure(error: tw.TradewireError) -> Failure:
    own = ("outcome", "retryable", "advice")
    return Failure(
        reason=error.reason_name,
        outcome=error.metadata["outcome"],
        fields=tuple(violation.field for violation in error.field_violations),
        text=error.message,
        metadata={key: value for key, value in error.metadata.items() if key not in own},
    )


# Where the gateway is on another machine, calls reach the venue over gRPC, and not over HTTP/1.1.
REMOTE = "REST as from another machine"
# By name; those that need a gateway apart.
WAYS: dict[str, Way] = {
    "unary": unary,
    "stream": stream,
    "batch": batch,
    "unary in process": partial(unary, channel="in_process"),
    "stream in process": partial(stream, channel="in_process"),
    "batch in process": partial(batch, channel="in_process"),
    "client": sdk,
    "client in batches": partial(sdk, in_batches=True),
}
GATEWAY_WAYS: dict[str, Way] = {
    "unary through the gateway": partial(unary, channel="gateway"),
    "stream through the gateway": partial(stream, channel="gateway"),
    "REST with a token": rest,
    "REST signed with Ed25519": partial(rest, authorise=_signed),
    "REST signed with HMAC": partial(rest, authorise=_signed_hmac),
    "REST in batches": partial(rest, in_batches=True),
    REMOTE: rest,
}
