"""Orders by unary calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

import grpc.aio

from tradewire_client._batches import (
    Drafts,
    NewOrder,
    OrderCancel,
    OrderResult,
    check_size,
    read_results,
    unknown_outcome,
)
from tradewire_client._calls import Caller
from tradewire_client._commands import CanceledOrders, OrderAnswer, OrderCommands, require_one
from tradewire_client._entry import OrderEntry
from tradewire_client._enums import enum_value
from tradewire_client._errors import UnknownOutcome
from tradewire_client._gen.stubs import OrderServiceStub
from tradewire_client._gen.tradewire import v1
from tradewire_client._pages import Listing, Page, Pages
from tradewire_client._retry import Effect
from tradewire_client._values import Order
from tradewire_client._world import World

OrderFilterLike: TypeAlias = "v1.OrderFilter | Literal['open', 'closed']"

BatchRequest = TypeVar("BatchRequest", v1.PlaceOrdersRequest, v1.CancelOrdersRequest)
BatchResponse = TypeVar("BatchResponse", v1.PlaceOrdersResponse, v1.CancelOrdersResponse)

_OrderReply: TypeAlias = "Coroutine[Any, Any, OrderAnswer]"
_CountReply: TypeAlias = "Coroutine[Any, Any, CanceledOrders]"


class Orders(OrderCommands[_OrderReply, _CountReply]):
    """Places, amends, cancels and finds orders; `enter` opens a stream for those who send many."""

    def __init__(
        self,
        stub: OrderServiceStub,
        caller: Caller,
        world: World,
        open_entry: Callable[..., OrderEntry],
    ) -> None:
        super().__init__(world)
        self._stub = stub
        self._caller = caller
        self._open_entry = open_entry

    async def place_many(
        self, orders: Iterable[NewOrder], *, account: str = ""
    ) -> Listing[OrderResult]:
        """Place up to 100 orders with one call and return what became of each, in their order.

        Each is placed, rejected or refused by itself. Only when nothing was done at all the call
        raises. See `place` for the arguments of an order; an order without a client order id is
        given one, which its result names.

        Raises:
            TypeError, ValueError: an argument cannot be right, e.g. a float, or there are more than
                100 orders; nothing was sent.
            TradewireError: nothing was done; see the tree in `_errors`.
        """
        drafts = Drafts(self._world)
        requests: list[v1.PlaceOrderRequest] = [drafts.place(**order) for order in orders]
        request = v1.PlaceOrdersRequest(orders=requests, account=account)
        ids = [order.client_order_id for order in requests]
        return await self._batch(self._stub.place_orders, request, ids)

    async def cancel_many(
        self, cancels: Iterable[OrderCancel | str], *, account: str = ""
    ) -> Listing[OrderResult]:
        """Cancel up to 100 orders with one call and return what became of each, in their order.

        A text is the venue's id of an order; see `cancel` for the other ways to name one. Raises
        as `place_many` does.
        """
        drafts = Drafts(self._world)
        requests: list[v1.CancelOrderRequest] = [
            drafts.cancel(cancel) if isinstance(cancel, str) else drafts.cancel(**cancel)
            for cancel in cancels
        ]
        request = v1.CancelOrdersRequest(cancels=requests, account=account)
        ids = [cancel.client_order_id for cancel in requests]
        return await self._batch(self._stub.cancel_orders, request, ids)

    async def _batch(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[BatchRequest, BatchResponse],
        request: BatchRequest,
        ids: Sequence[str],
    ) -> Listing[OrderResult]:
        check_size(len(ids))
        if not ids:
            return Listing(())
        try:
            answered = await self._caller.ask(method, request, effect=Effect.REPEATABLE)
        except UnknownOutcome as error:
            unknown = [unknown_outcome(own_id, attempts=error.attempts) for own_id in ids]
            for each in unknown:
                each.__cause__ = error
            return Listing(
                OrderResult(client_order_id=each.client_order_id, error=each) for each in unknown
            )
        response = answered.result
        return Listing(
            read_results(ids, response.results, earlier_attempts=answered.earlier_attempts),
            as_of_sequence=response.as_of_sequence,
        )

    async def get(
        self, order_id: str | None = None, *, client_order_id: str | None = None, account: str = ""
    ) -> OrderAnswer:
        """Return an order, working or closed, by the venue's id or by any client order id of its
        chain.

        Raises:
            NotFound: there is none: a command with this client order id never had an effect.
        """
        require_one(order_id=order_id, client_order_id=client_order_id)
        request = v1.GetOrderRequest(
            order_id=order_id, client_order_id=client_order_id, account=account
        )
        response = await self._caller.call(self._stub.get_order, request)
        return OrderAnswer.from_message(
            response.order or v1.Order(),
            as_of_sequence=response.as_of_sequence,
            journal_id=response.journal_id,
        )

    def list(
        self,
        filter: OrderFilterLike = "open",  # noqa: A002 - the contract's name
        *,
        symbol: str = "",
        account: str = "",
        page_size: int = 1000,
    ) -> Pages[Order]:
        """List the account's working or closed orders by ascending order id."""
        request = v1.ListOrdersRequest(
            filter=enum_value(v1.OrderFilter, filter, name="filter"),
            symbol=symbol,
            account=account,
            page_size=page_size,
        )
        return Pages(partial(self._page, request, ""))

    def enter(
        self,
        *,
        cancel_on_disconnect: bool = False,
        after_sequence: int | None = None,
        snapshot: bool = False,
        journal_id: str = "",
        account: str = "",
        max_pending: int = 4096,
        execution_buffer: int = 1024,
        resend_within: float = 10.0,
    ) -> OrderEntry:
        """Open an order entry stream: `async with client.orders.enter() as entry:`.

        Args:
            cancel_on_disconnect: let the venue cancel the stream's working orders when it ends.
            after_sequence: begin `executions()` after this number; None means from now.
            snapshot: fetch working orders, balances and positions first, for `entry.snapshot`.
            journal_id: the journal that `after_sequence` is of, to notice another venue.
            account: the account, if not the key's own.
            max_pending: greatest number of commands without a result.
            execution_buffer: greatest number of executions that are held for `executions()`;
                further ones are fetched again when their turn comes.
            resend_within: seconds for which a command waits for a stream, or for another one
                after its answer was lost.
        """
        return self._open_entry(
            cancel_on_disconnect=cancel_on_disconnect,
            after_sequence=after_sequence,
            snapshot=snapshot,
            journal_id=journal_id,
            account=account,
            max_pending=max_pending,
            execution_buffer=execution_buffer,
            resend_within=resend_within,
        )

    async def _page(self, request: v1.ListOrdersRequest, token: str) -> Page[Order]:
        page = replace(request, page_token=token)
        response = await self._caller.call(self._stub.list_orders, page)
        items = Listing(
            map(Order.from_message, response.orders),
            as_of_sequence=response.as_of_sequence,
            journal_id=response.journal_id,
        )
        token = response.next_page_token
        return Page(items=items, next=partial(self._page, request, token) if token else None)

    async def _place(self, request: v1.PlaceOrderRequest) -> OrderAnswer:
        response = await self._caller.call(
            self._stub.place_order,
            request,
            effect=Effect.REPEATABLE,
            client_order_id=request.client_order_id,
        )
        return OrderAnswer.from_message(
            response.order or v1.Order(), as_of_sequence=response.as_of_sequence
        )

    async def _amend(self, request: v1.AmendOrderRequest) -> OrderAnswer:
        response = await self._caller.call(
            self._stub.amend_order,
            request,
            effect=Effect.REPEATABLE,
            client_order_id=request.client_order_id,
        )
        return OrderAnswer.from_message(
            response.order or v1.Order(),
            as_of_sequence=response.as_of_sequence,
            priority_kept=response.priority_kept,
        )

    async def _cancel(self, request: v1.CancelOrderRequest) -> OrderAnswer:
        response = await self._caller.call(
            self._stub.cancel_order,
            request,
            effect=Effect.REPEATABLE,
            client_order_id=request.client_order_id,
        )
        return OrderAnswer.from_message(
            response.order or v1.Order(), as_of_sequence=response.as_of_sequence
        )

    async def _cancel_all(self, request: v1.CancelAllOrdersRequest) -> CanceledOrders:
        response = await self._caller.call(
            self._stub.cancel_all_orders, request, effect=Effect.REPEATABLE
        )
        return CanceledOrders.from_message(response)
