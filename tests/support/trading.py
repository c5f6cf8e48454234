"""A trader: an account at a venue, and the requests that tests make most."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message
from tradewire.v1 import (
    account_pb2,
    account_service_pb2,
    execution_service_pb2,
    market_data_service_pb2,
    order_pb2,
    order_service_pb2,
)

from tests.support.tape import Tape
from tests.support.venue import SYMBOL, Credential, Stubs

TIMEOUT_S = 20
BUY, SELL = order_pb2.SIDE_BUY, order_pb2.SIDE_SELL
LIMIT, MARKET = order_pb2.ORDER_TYPE_LIMIT, order_pb2.ORDER_TYPE_MARKET
GTC, IOC, FOK = (
    order_pb2.TIME_IN_FORCE_GTC,
    order_pb2.TIME_IN_FORCE_IOC,
    order_pb2.TIME_IN_FORCE_FOK,
)
GTD, DAY = order_pb2.TIME_IN_FORCE_GTD, order_pb2.TIME_IN_FORCE_DAY

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT")


def limit(
    client_order_id: str,
    side: order_pb2.Side.ValueType = BUY,
    quantity: str = "1",
    price: str = "100",
    **fields: Any,
) -> order_service_pb2.PlaceOrderRequest:
    """Return a limit order."""
    return order_service_pb2.PlaceOrderRequest(
        client_order_id=client_order_id,
        side=side,
        type=LIMIT,
        quantity=quantity,
        price=price,
        **{"symbol": SYMBOL, **fields},
    )


def market(
    client_order_id: str, side: order_pb2.Side.ValueType = BUY, **fields: Any
) -> order_service_pb2.PlaceOrderRequest:
    """Return a market order; give `quantity` or `quote_quantity`."""
    return order_service_pb2.PlaceOrderRequest(
        client_order_id=client_order_id, side=side, type=MARKET, **{"symbol": SYMBOL, **fields}
    )


def amend(
    client_order_id: str, original: str, **fields: Any
) -> order_service_pb2.AmendOrderRequest:
    """Return an amend of the order that has the client order id `original`."""
    return order_service_pb2.AmendOrderRequest(
        client_order_id=client_order_id, original_client_order_id=original, **fields
    )


def cancel(
    original: str, client_order_id: str = "", **fields: Any
) -> order_service_pb2.CancelOrderRequest:
    """Return a cancel of the order that has the client order id `original`."""
    return order_service_pb2.CancelOrderRequest(
        original_client_order_id=original, client_order_id=client_order_id, **fields
    )


def command(request: Message) -> order_service_pb2.OrderCommand:
    """Return a request as a command of a frame."""
    names = {
        "PlaceOrderRequest": "place",
        "AmendOrderRequest": "amend",
        "CancelOrderRequest": "cancel",
        "CancelAllOrdersRequest": "cancel_all",
    }
    found = order_service_pb2.OrderCommand()
    getattr(found, names[request.DESCRIPTOR.name]).CopyFrom(request)
    return found


def frame(*requests: Message, **settings: Any) -> order_service_pb2.EnterOrdersRequest:
    """Return a frame of commands; settings count in the first frame of a stream."""
    return order_service_pb2.EnterOrdersRequest(commands=map(command, requests), **settings)


class Follower:
    """A server stream that is being read onto a tape."""

    def __init__(self, call: Any, tape: Tape) -> None:
        self.call = call
        self.tape = tape

    async def until(self, reached: Callable[[Tape], object]) -> Tape:
        """Read until the tape has what is wanted."""
        async with asyncio.timeout(TIMEOUT_S):
            while not reached(self.tape):
                message = await self.call.read()
                assert message is not grpc.aio.EOF, f"the stream ended early: {self.tape}"
                self.tape.take(message)
        return self.tape

    async def to_end(self) -> Tape:
        """Read until the server ends the stream."""
        async with asyncio.timeout(TIMEOUT_S):
            while (message := await self.call.read()) is not grpc.aio.EOF:
                self.tape.take(message)
        return self.tape

    async def live(self) -> Tape:
        """Read until everything of the past has come."""
        return await self.until(lambda tape: tape.caught_up is not None)


class Entry(Follower):
    """An EnterOrders stream."""

    def __init__(self, call: Any, tape: Tape) -> None:
        super().__init__(call, tape)
        self.sent = 0

    async def send(self, *requests: Message, **settings: Any) -> None:
        """Send a frame."""
        await self.call.write(frame(*requests, **settings))
        self.sent += len(requests)

    async def do(self, *requests: Message) -> list[order_service_pb2.CommandResult]:
        """Send a frame and return its results."""
        before = self.sent
        await self.send(*requests)
        tape = await self.until(lambda tape: len(tape.results) >= self.sent)
        return tape.results[before : self.sent]

    async def half_close(self) -> None:
        """Say that there is nothing more to send."""
        await self.call.done_writing()


class Trader:
    """An account with a key, over one channel."""

    def __init__(self, stubs: Stubs, credential: Credential) -> None:
        self.stubs = stubs
        self.credential = credential
        self.account = credential.account

    async def __call__(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]",
        request: RequestT,
        *,
        timeout: float = TIMEOUT_S,  # noqa: ASYNC109 - the call's own deadline
    ) -> ResponseT:
        """Make a unary call with the trader's token."""
        return await method(request, metadata=self.credential.metadata, timeout=timeout)

    async def place(
        self, request: order_service_pb2.PlaceOrderRequest
    ) -> order_service_pb2.PlaceOrderResponse:
        """Place an order."""
        return await self(self.stubs.orders.PlaceOrder, request)

    async def place_many(
        self, *requests: order_service_pb2.PlaceOrderRequest, account: str = ""
    ) -> order_service_pb2.PlaceOrdersResponse:
        """Place orders in one call."""
        request = order_service_pb2.PlaceOrdersRequest(orders=requests, account=account)
        return await self(self.stubs.orders.PlaceOrders, request)

    async def cancel_many(
        self, *requests: order_service_pb2.CancelOrderRequest, account: str = ""
    ) -> order_service_pb2.CancelOrdersResponse:
        """Cancel orders in one call."""
        request = order_service_pb2.CancelOrdersRequest(cancels=requests, account=account)
        return await self(self.stubs.orders.CancelOrders, request)

    async def amend(
        self, request: order_service_pb2.AmendOrderRequest
    ) -> order_service_pb2.AmendOrderResponse:
        """Amend an order."""
        return await self(self.stubs.orders.AmendOrder, request)

    async def cancel(
        self, request: order_service_pb2.CancelOrderRequest
    ) -> order_service_pb2.CancelOrderResponse:
        """Cancel an order."""
        return await self(self.stubs.orders.CancelOrder, request)

    async def cancel_all(self, **fields: Any) -> order_service_pb2.CancelAllOrdersResponse:
        """Cancel many orders."""
        request = order_service_pb2.CancelAllOrdersRequest(**fields)
        return await self(self.stubs.orders.CancelAllOrders, request)

    async def get(
        self, client_order_id: str = "", *, order_id: str = ""
    ) -> order_service_pb2.GetOrderResponse:
        """Ask for an order by one of its ids."""
        request = order_service_pb2.GetOrderRequest()
        if order_id:
            request.order_id = order_id
        else:
            request.client_order_id = client_order_id
        return await self(self.stubs.orders.GetOrder, request)

    async def orders(self, **fields: Any) -> order_service_pb2.ListOrdersResponse:
        """List orders."""
        request = order_service_pb2.ListOrdersRequest(**fields)
        return await self(self.stubs.orders.ListOrders, request)

    async def executions(self, after: int = 0) -> list[order_pb2.Execution]:
        """Return all executions after a number, page by page."""
        found: list[order_pb2.Execution] = []
        while True:
            page = await self(
                self.stubs.executions.ListExecutions,
                execution_service_pb2.ListExecutionsRequest(after_sequence=after, page_size=1000),
            )
            found += page.executions
            after += len(page.executions)
            if after == page.as_of_sequence:
                return found

    async def balances(self) -> dict[str, account_pb2.Balance]:
        """Return the balances by asset."""
        answer = await self(
            self.stubs.accounts.ListBalances, account_service_pb2.ListBalancesRequest()
        )
        return {balance.asset: balance for balance in answer.balances}

    @asynccontextmanager
    async def enter(self, **settings: Any) -> AsyncIterator[Entry]:
        """Open an order-entry stream; the first frame has only the settings."""
        call = self.stubs.orders.EnterOrders(metadata=self.credential.metadata)
        entry = Entry(call, Tape())
        try:
            await call.write(frame(**settings))
            yield entry
        finally:
            call.cancel()

    @asynccontextmanager
    async def follow(self, **fields: Any) -> AsyncIterator[Follower]:
        """Open a stream of executions."""
        request = execution_service_pb2.StreamExecutionsRequest(**fields)
        call = self.stubs.executions.StreamExecutions(request, metadata=self.credential.metadata)
        try:
            yield Follower(call, Tape())
        finally:
            call.cancel()

    @asynccontextmanager
    async def follow_account(self, **fields: Any) -> AsyncIterator[Follower]:
        """Open a stream of the ledger."""
        request = account_service_pb2.StreamAccountRequest(**fields)
        call = self.stubs.accounts.StreamAccount(request, metadata=self.credential.metadata)
        try:
            yield Follower(call, Tape())
        finally:
            call.cancel()

    @asynccontextmanager
    async def watch(self, symbols: Sequence[str], **fields: Any) -> AsyncIterator[Follower]:
        """Open a stream of market data, which needs no token."""
        request = market_data_service_pb2.StreamMarketDataRequest(symbols=symbols, **fields)
        call = self.stubs.market.StreamMarketData(request)
        try:
            yield Follower(call, Tape())
        finally:
            call.cancel()
