"""What a FIX connection is at the venue: a caller with a session token, and its account's past."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import grpc
import grpc.aio
from google.rpc import status_pb2
from grpc_status import rpc_status
from tradewire.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    execution_service_pb2,
    execution_service_pb2_grpc,
    options_pb2,
    order_pb2,
    order_service_pb2,
    order_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
)

from tradewire_gateway.fix import translate
from tradewire_gateway.fix.store import Record

GetOrder = order_service_pb2.GetOrderResponse
ListOrders = order_service_pb2.ListOrdersResponse

CALL_S: Final = 10.0
PAGE: Final = 1000
# A gateway within the venue's process is believed when it says where its client is.
CLIENT_ADDRESS: Final = "x-tradewire-client-address"


class Caller:
    """A client that has proved who it is, and calls on its behalf."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        session: session_service_pb2.CreateSessionResponse,
        address: str,
    ) -> None:
        self._channel = channel
        self._session = session
        self._address = address
        self._renew_s = _renewal_time(session)
        self._executions = execution_service_pb2_grpc.ExecutionServiceStub(channel)
        self._sessions = session_service_pb2_grpc.SessionServiceStub(channel)
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._orders = order_service_pb2_grpc.OrderServiceStub(channel)

    @property
    def account(self) -> str:
        """The account of the key."""
        return self._session.account

    def may(self, scope: options_pb2.Scope.ValueType) -> bool:
        """Say whether the key permits this."""
        return scope in self._session.scopes

    async def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what a call carries; the token is renewed while it is good."""
        if time.monotonic() >= self._renew_s:
            request = session_service_pb2.CreateSessionRequest(token=self._session.token)
            self._session = await self._sessions.CreateSession(
                request, metadata=((CLIENT_ADDRESS, self._address),), timeout=CALL_S
            )
            self._renew_s = _renewal_time(self._session)
        return (
            ("authorization", f"Bearer {self._session.token}"),
            (CLIENT_ADDRESS, self._address),
        )

    async def check(self) -> None:
        """See whether the venue still knows the key.

        Raises grpc.aio.AioRpcError.
        """
        request = account_service_pb2.GetAccountRequest()
        await self._accounts.GetAccount(request, metadata=await self.metadata(), timeout=CALL_S)

    async def order(self, request: order_service_pb2.GetOrderRequest) -> GetOrder:
        """Return an order as it is now.

        Raises grpc.aio.AioRpcError.
        """
        metadata = await self.metadata()
        response: GetOrder
        response = await self._orders.GetOrder(request, metadata=metadata, timeout=CALL_S)
        return response

    async def orders(self, request: order_service_pb2.ListOrdersRequest) -> ListOrders:
        """Return all orders that a request asks for, of all pages.

        Raises grpc.aio.AioRpcError.
        """
        request.page_size = PAGE
        found = order_service_pb2.ListOrdersResponse()
        while True:
            page: ListOrders
            page = await self._orders.ListOrders(
                request, metadata=await self.metadata(), timeout=CALL_S
            )
            found.orders.extend(page.orders)
            found.as_of_sequence = page.as_of_sequence
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def executions(
        self, after: int, size: int
    ) -> execution_service_pb2.ListExecutionsResponse:
        """Return a page of the account's executions.

        Raises grpc.aio.AioRpcError.
        """
        request = execution_service_pb2.ListExecutionsRequest(after_sequence=after, page_size=size)
        response: execution_service_pb2.ListExecutionsResponse
        response = await self._executions.ListExecutions(
            request, metadata=await self.metadata(), timeout=CALL_S
        )
        return response

    async def complete(
        self, records: list[tuple[int, Record]], *, is_copy: bool = False
    ) -> list[tuple[int, Record]]:
        """Return the records with the bodies of those that only refer to an execution.

        What the venue keeps no more stays without a body.

        Raises grpc.aio.AioRpcError.
        """
        wanted = {record.reference for _, record in records if record.reference and not record.body}
        bodies: dict[int, str] = {}
        for first, last in _spans(sorted(wanted)):
            after = first - 1
            while after < last:
                page = await self.executions(after, min(last - after, PAGE))
                if not page.executions:
                    break
                for execution in page.executions:
                    bodies[execution.sequence] = translate.execution_report(
                        execution, is_copy=is_copy
                    )
                after = page.executions[-1].sequence
        return [
            (number, record)
            if record.body or record.reference is None
            else (number, record._replace(body=bodies.get(record.reference, "")))
            for number, record in records
        ]

    async def execution(self, sequence: int) -> order_pb2.Execution | None:
        """Return one execution, None when it is kept no more."""
        try:
            page = await self.executions(sequence - 1, 1)
        except grpc.aio.AioRpcError:
            return None
        found = [each for each in page.executions if each.sequence == sequence]
        return found[0] if found else None


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """Return the error of a call as the contract has it."""
    found: status_pb2.Status | None = rpc_status.from_call(error)  # type: ignore[arg-type]
    if found is not None:
        return found
    return status_pb2.Status(code=error.code().value[0], message=error.details() or "")


def _spans(sequences: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs of ascending numbers, those with small gaps as one."""
    spans = list[tuple[int, int]]()
    for sequence in sequences:
        if spans and sequence - spans[-1][1] <= PAGE // 4:
            spans[-1] = (spans[-1][0], sequence)
        else:
            spans.append((sequence, sequence))
    return spans


def _renewal_time(session: session_service_pb2.CreateSessionResponse) -> float:
    """Return when a token is to be renewed: well before it ends, by the clock of this process."""
    lifetime_s = max(session.expire_time.seconds - int(time.time()), 0)
    return time.monotonic() + lifetime_s / 2
