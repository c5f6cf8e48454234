"""The ways in over WebSocket: calls of JSON-RPC, batches of either kind, and the pipe of orders."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import status_pb2
from tradewire.v1 import order_service_pb2
from tradewire_contract import methods

from tests.parity.ways import (
    ACCOUNTS,
    BATCHES,
    METHODS,
    RESPONSES,
    Answer,
    CannotSay,
    CommandFailed,
    Do,
    Ground,
    Way,
    answer_of,
    answer_of_result,
)
from tests.support.failures import Failure, failure_of
from tests.support.tape import Tape
from tests.support.trading import frame
from tests.support.ws import RpcError, WsClient, request

ANSWER_S = 20.0
_NAMES = {method.name: method.json_rpc for method in methods().values()}
Call = Callable[[WsClient, str, Any], Awaitable[Any]]


def name_of(message: Message) -> str:
    """Return the name of the method that takes a request."""
    return _NAMES[METHODS[message.DESCRIPTOR.name]]


def params(message: Message) -> Any:
    """Return a request as JSON. Raises CannotSay."""
    try:
        return json_format.MessageToDict(message)
    except (ValueError, json_format.SerializeToJsonError) as error:
        raise CannotSay from error


def _failure(error: RpcError) -> Failure:
    """Return what an error says, whose number is that of its status."""
    status = json_format.ParseDict(error.error["data"], status_pb2.Status())
    assert (error.code, error.error["message"]) == (status.code, status.message)
    return failure_of(status)


@asynccontextmanager
async def _clients(ground: Ground) -> AsyncIterator[dict[str, WsClient]]:
    async with AsyncExitStack() as stack:
        clients = {}
        for name in ACCOUNTS:
            client = await stack.enter_async_context(WsClient.connect(ground.ws_url))
            await client.sign_in(ground.venue.credentials[name])
            clients[name] = client
        yield clients


async def _alone(client: WsClient, method: str, content: Any) -> Any:
    return await client.call(method, content)


async def _in_an_array(client: WsClient, method: str, content: Any) -> Any:
    """Send an array between two reads, and look at the answer between theirs."""
    time = request("session.time", number=1)
    found = await client.exchange([time, request(method, content, 2), {**time, "id": 3}])
    assert sorted(answer["id"] for answer in found) == [1, 2, 3]
    (answer,) = (answer for answer in found if answer["id"] == 2)
    if "error" in answer:
        raise RpcError(answer["error"])
    return answer["result"]


@asynccontextmanager
async def calls(ground: Ground, call: Call = _alone) -> AsyncIterator[Do]:
    """Make a call for each command; the gateway sends it upstream through its one stream."""
    async with _clients(ground) as clients:

        async def do(name: str, message: Message) -> Answer:
            kind = message.DESCRIPTOR.name
            try:
                found = await call(clients[name], name_of(message), params(message))
            except RpcError as error:
                raise CommandFailed(_failure(error)) from error
            return answer_of(json_format.ParseDict(found, RESPONSES[kind]()))

        yield do


@asynccontextmanager
async def batches(ground: Ground) -> AsyncIterator[Do]:
    """Send batches of one, for what can be in a batch of the contract."""
    async with _clients(ground) as clients, calls(ground) as alone:

        async def do(name: str, message: Message) -> Answer:
            as_batch = BATCHES.get(message.DESCRIPTOR.name)
            if as_batch is None:
                return await alone(name, message)
            method = as_batch(message).DESCRIPTOR.name.removesuffix("Request")
            response: Any = getattr(order_service_pb2, f"{method}Response")()
            try:
                found = await clients[name].call(_NAMES[method], params(as_batch(message)))
            except RpcError as error:
                raise CommandFailed(_failure(error)) from error
            (result,) = json_format.ParseDict(found, response).results
            return answer_of_result(result)

        yield do


class Pipe:
    """`orders.enter`: frames go up with `subscription.send`, what comes is held to all promises."""

    def __init__(self, client: WsClient, number: int) -> None:
        self._client = client
        self._number = number
        self._tape = Tape()
        self._taken = 0
        self._sent = 0

    async def do(self, message: Message) -> order_service_pb2.CommandResult:
        """Send a frame of one command and return its result."""
        content = params(frame(message))
        await self._client.call(
            "subscription.send", {"subscription": self._number, "message": content}
        )
        self._sent += 1
        async with asyncio.timeout(ANSWER_S):
            while len(self._tape.results) < self._sent:
                start = len(self._client.notifications)
                if not self._take():
                    await self._client.expect(lambda found: True, start=start)
        return self._tape.results[-1]

    def _take(self) -> bool:
        """Take what has come; say whether there was anything."""
        found = self._client.messages(self._number)[self._taken :]
        for message in found:
            parsed = order_service_pb2.EnterOrdersResponse()
            self._tape.take(json_format.ParseDict(message, parsed))
        self._taken += len(found)
        return bool(found)


@asynccontextmanager
async def pipe(ground: Ground) -> AsyncIterator[Do]:
    """Send frames of one command through the explicit pipe."""
    async with _clients(ground) as clients:
        pipes = {
            name: Pipe(client, await client.subscribe("orders.enter", {}))
            for name, client in clients.items()
        }

        async def do(name: str, message: Message) -> Answer:
            return answer_of_result(await pipes[name].do(message))

        yield do


# What stands behind the name is where the gateway is, see `ground_for`.
IN_PROCESS, OWN_PROCESS, THROUGH_ENVOY = "in process", "as its own process", "through Envoy"
WEBSOCKET_WAYS: dict[str, tuple[Way, str]] = {
    "WebSocket": (calls, IN_PROCESS),
    "WebSocket as its own process": (calls, OWN_PROCESS),
    "WebSocket through Envoy": (calls, THROUGH_ENVOY),
    "WebSocket in batches": (batches, IN_PROCESS),
    "WebSocket in arrays": (partial(calls, call=_in_an_array), IN_PROCESS),
    "WebSocket pipe": (pipe, IN_PROCESS),
    "WebSocket pipe through Envoy": (pipe, THROUGH_ENVOY),
}
