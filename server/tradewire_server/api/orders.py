"""OrderService: order entry by unary calls, and reads of orders."""

import heapq
from collections.abc import AsyncIterator

from tradewire.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

from tradewire_server.api.batches import Batches
from tradewire_server.api.call import own_account
from tradewire_server.api.convert import (
    amend_command,
    cancel_all_command,
    cancel_command,
    place_command,
    time_ns,
)
from tradewire_server.api.edge import Context
from tradewire_server.api.encode import order_message
from tradewire_server.api.enter_orders import OrderEntry
from tradewire_server.api.errors import make_error
from tradewire_server.api.pages import number_token, page_size
from tradewire_server.api.venue import Venue
from tradewire_server.api.wire import Preencoded, embed, varint_field
from tradewire_server.engine.state import AccountState
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.feeds import FeedKind, split
from tradewire_server.journal.records import ClosedOrderRow

ORDER, AS_OF_SEQUENCE, PRIORITY_KEPT = 1, 2, 3


class OrderService(order_service_pb2_grpc.OrderServiceServicer):
    """See the contract. An answer has the bytes with which the execution was stored."""

    def __init__(self, venue: Venue, entry: OrderEntry, batches: Batches) -> None:
        self._venue = venue
        self._entry = entry
        self._batches = batches

    async def EnterOrders(
        self,
        request_iterator: AsyncIterator[order_service_pb2.EnterOrdersRequest],
        context: Context,
    ) -> AsyncIterator[Preencoded]:
        async for message in self._entry.stream(request_iterator):
            yield message

    async def PlaceOrder(
        self, request: order_service_pb2.PlaceOrderRequest, context: Context
    ) -> Preencoded:
        account = own_account(request.account)
        done = await self._venue.submit(
            place_command(request, account, ""), valid_until_ns=time_ns(request, "valid_until")
        )
        return embed(ORDER, done.order) + varint_field(AS_OF_SEQUENCE, done.as_of_sequence)

    async def AmendOrder(
        self, request: order_service_pb2.AmendOrderRequest, context: Context
    ) -> Preencoded:
        account = own_account(request.account)
        done = await self._venue.submit(
            amend_command(request, account), valid_until_ns=time_ns(request, "valid_until")
        )
        return (
            embed(ORDER, done.order)
            + varint_field(AS_OF_SEQUENCE, done.as_of_sequence)
            + varint_field(PRIORITY_KEPT, done.priority_kept)
        )

    async def CancelOrder(
        self, request: order_service_pb2.CancelOrderRequest, context: Context
    ) -> Preencoded:
        account = own_account(request.account)
        done = await self._venue.submit(
            cancel_command(request, account), valid_until_ns=time_ns(request, "valid_until")
        )
        return embed(ORDER, done.order) + varint_field(AS_OF_SEQUENCE, done.as_of_sequence)

    async def CancelAllOrders(
        self, request: order_service_pb2.CancelAllOrdersRequest, context: Context
    ) -> order_service_pb2.CancelAllOrdersResponse:
        account = own_account(request.account)
        done = await self._venue.submit(
            cancel_all_command(request, account), valid_until_ns=time_ns(request, "valid_until")
        )
        return order_service_pb2.CancelAllOrdersResponse(
            canceled_count=done.canceled_count, as_of_sequence=done.as_of_sequence
        )

    async def PlaceOrders(
        self, request: order_service_pb2.PlaceOrdersRequest, context: Context
    ) -> Preencoded:
        return await self._batches.enter(request.orders, request.account)

    async def CancelOrders(
        self, request: order_service_pb2.CancelOrdersRequest, context: Context
    ) -> Preencoded:
        return await self._batches.enter(request.cancels, request.account)

    async def GetOrder(
        self, request: order_service_pb2.GetOrderRequest, context: Context
    ) -> order_service_pb2.GetOrderResponse:
        venue = self._venue
        account = venue.account(own_account(request.account))
        order_id, client_order_id = int(request.order_id or 0), request.client_order_id
        found = self._open_order(account, order_id, client_order_id)
        sequence = account.sequence
        # What the state shows, or does not show any more, has to be durable before it is told.
        await venue.sequencer.settled()
        if found is None and not order_id:
            order_id = self._find_id(account.name, client_order_id)
            found = self._open_order(account, order_id, "") if order_id else None
            sequence = account.sequence
            # Also if it is not open: the batch that closed it may be under way.
            await venue.sequencer.settled()
        if found is None:
            row = venue.journal.closed_order(account.name, order_id) if order_id else None
            if row is None:
                name = request.WhichOneof("target")
                text = f"there is no order {getattr(request, name or 'order_id')}"
                raise make_error(Reason.ORDER_NOT_FOUND, text, field=name or "")
            found, sequence = self._read_closed(row), max(sequence, row.sequence)
        return order_service_pb2.GetOrderResponse(
            order=found, as_of_sequence=sequence, journal_id=venue.journal_id
        )

    async def ListOrders(
        self, request: order_service_pb2.ListOrdersRequest, context: Context
    ) -> order_service_pb2.ListOrdersResponse:
        venue = self._venue
        account = venue.account(own_account(request.account))
        after, size = number_token(request.page_token), page_size(request.page_size)
        if request.symbol and request.symbol not in venue.state.markets:
            text = f"there is no instrument {request.symbol}"
            raise make_error(Reason.INSTRUMENT_NOT_FOUND, text, field="symbol")
        sequence = account.sequence
        if request.filter == order_service_pb2.ORDER_FILTER_CLOSED:
            await venue.sequencer.settled()
            rows = venue.journal.closed_orders(
                account.name, after_order_id=after, symbol=request.symbol or None, limit=size + 1
            )
            more, last = len(rows) > size, rows[size - 1].order_id if len(rows) > size else 0
            orders = await venue.read(lambda: [self._read_closed(row) for row in rows[:size]])
            sequence = max([sequence, *(row.sequence for row in rows[:size])])
        else:
            chosen = heapq.nsmallest(
                size + 1,
                (
                    order_id
                    for order_id, order in account.orders.items()
                    if order_id > after
                    and (not request.symbol or order.terms.symbol == request.symbol)
                ),
            )
            more, last = len(chosen) > size, chosen[size - 1] if len(chosen) > size else 0
            orders = [order_message(account.orders[order_id]) for order_id in chosen[:size]]
            await venue.sequencer.settled()
        return order_service_pb2.ListOrdersResponse(
            orders=orders,
            next_page_token=str(last) if more else "",
            as_of_sequence=sequence,
            journal_id=venue.journal_id,
        )

    def _open_order(
        self, account: AccountState, order_id: int, client_order_id: str
    ) -> order_pb2.Order | None:
        order = account.find_order(order_id, client_order_id)
        return order_message(order) if order is not None else None

    def _find_id(self, account: str, client_order_id: str) -> int:
        """Return the order that a client order id of any age belongs to, 0 if there is none."""
        key = (account, client_order_id)
        row = self._venue.journal.find_client_ids([key]).get(key)
        return row.order_id if row is not None else 0

    def _read_closed(self, row: ClosedOrderRow) -> order_pb2.Order:
        """Return the final state of a closed order, from the execution that closed it."""
        chunk = self._venue.journal.read_feed(
            FeedKind.EXECUTIONS, row.account, after=row.sequence - 1, max_bytes=1
        )[0]
        return order_pb2.Execution.FromString(split(chunk.data)[0]).order
