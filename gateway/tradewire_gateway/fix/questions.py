"""Requests that only ask: each becomes unary calls, and the answers become messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import grpc.aio
from google.protobuf.message import Message as ProtoMessage
from tradewire.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    market_data_service_pb2,
    market_data_service_pb2_grpc,
    order_service_pb2,
)

from tradewire_gateway.fix import translate
from tradewire_gateway.fix.message import Message
from tradewire_gateway.fix.translate import Answer
from tradewire_gateway.fix.upstream import CALL_S, PAGE, Caller

OF_ACCOUNT: Final = (
    order_service_pb2.GetOrderRequest,
    order_service_pb2.ListOrdersRequest,
    account_service_pb2.ListBalancesRequest,
    account_service_pb2.ListPositionsRequest,
)
OF_MARKET: Final = (
    market_data_service_pb2.ListInstrumentsRequest,
    market_data_service_pb2.GetInstrumentRequest,
)


class Questions:
    """Asks the venue on behalf of a client."""

    def __init__(self, channel: grpc.aio.Channel, caller: Caller) -> None:
        self._caller = caller
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._market = market_data_service_pb2_grpc.MarketDataServiceStub(channel)

    async def answers(
        self, message: Message, request: ProtoMessage, *, now_ns: int, identity: str
    ) -> Iterable[Answer]:
        """Return the answers to a request of one of the types above.

        Raises grpc.aio.AioRpcError.
        """
        metadata = await self._caller.metadata()
        match request:
            case order_service_pb2.GetOrderRequest():
                found = await self._caller.order(request)
                report = translate.order_status_report(
                    found.order, message, as_of_sequence=found.as_of_sequence
                )
                return [Answer("8", report)]
            case order_service_pb2.ListOrdersRequest():
                orders = await self._caller.orders(request)
                reports = translate.order_status_reports(
                    orders.orders, message, as_of_sequence=orders.as_of_sequence
                )
                return (Answer("8", report) for report in reports)
            case account_service_pb2.ListBalancesRequest():
                balances = await self._accounts.ListBalances(
                    request, metadata=metadata, timeout=CALL_S
                )
                return [translate.balances(message, balances)]
            case account_service_pb2.ListPositionsRequest():
                positions = await self._accounts.ListPositions(
                    request, metadata=metadata, timeout=CALL_S
                )
                return translate.position_reports(
                    message, positions, now_ns=now_ns, identity=identity
                )
            case market_data_service_pb2.GetInstrumentRequest():
                instrument = await self._market.GetInstrument(
                    request, metadata=metadata, timeout=CALL_S
                )
                return [translate.security_status(message, instrument)]
            case market_data_service_pb2.ListInstrumentsRequest():
                found_all = market_data_service_pb2.ListInstrumentsResponse()
                request.page_size = PAGE
                while True:
                    page = await self._market.ListInstruments(
                        request, metadata=metadata, timeout=CALL_S
                    )
                    found_all.instruments.extend(page.instruments)
                    if not page.next_page_token:
                        break
                    request.page_token = page.next_page_token
                return translate.security_list(message, found_all.instruments, identity=identity)
            case _:
                raise AssertionError(f"{type(request).__name__} is no question")
