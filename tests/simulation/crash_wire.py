"""Calls of the contract whose answers stay bytes, so that "the same" can mean the same bytes."""

import asyncio
import base64
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import grpc
import grpc.aio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message
from google.rpc import status_pb2
from tradewire.v1 import (
    account_pb2,
    account_service_pb2,
    admin_service_pb2,
    execution_service_pb2,
    order_pb2,
    order_service_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
)

from tests.simulation.crash_world import FEES
from tests.support.history import Answer, Failure, Kind, Result, failure_of

Stream: TypeAlias = "grpc.aio.StreamStreamCall[Message, bytes]"
ServerStream: TypeAlias = "grpc.aio.UnaryStreamCall[Message, bytes]"

PAGE: Final = 1_000
CALL_S: Final = 20.0
SIGN_IN_S: Final = 10.0
PACKAGE: Final = "/tradewire.v1."
METHODS: Final = {
    Kind.PLACE: "OrderService/PlaceOrder",
    Kind.AMEND: "OrderService/AmendOrder",
    Kind.CANCEL: "OrderService/CancelOrder",
    Kind.CANCEL_ALL: "OrderService/CancelAllOrders",
    Kind.DEPOSIT: "AdminService/CreateDeposit",
    Kind.WITHDRAW: "AdminService/CreateWithdrawal",
}
# Each start of the venue is met by new connections, at once.
CHANNEL_OPTIONS: Final = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.max_receive_message_length", 64 << 20),
)
STATUS_DETAILS: Final = "grpc-status-details-bin"


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a serialised message: numbers, and bytes of what has a length."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire_type = tag & 7
        if wire_type == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if wire_type == 2:
            size, position = _varint(data, position)
        else:
            size = {1: 8, 5: 4}[wire_type]
        assert position + size <= len(data), "the message is cut off"
        yield tag >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def answer_of(kind: Kind, response: bytes) -> Answer:
    """Return the answer in the response of a unary method."""
    values = dict(fields(response))
    if kind is Kind.CANCEL_ALL:
        return Answer(b"", values.get(2, 0), canceled_count=values.get(1, 0))
    if kind in (Kind.DEPOSIT, Kind.WITHDRAW):
        # The balance beside it is that of now, not part of the first answer.
        return Answer(b"", values[2])
    return Answer(values[1], values.get(2, 0), bool(values.get(3, 0)))


class CommandResult(NamedTuple):
    """A result in an EnterOrders stream."""

    number: int
    client_order_id: str
    result: Result
    as_of_sequence: int


def result_of(data: bytes) -> CommandResult:
    """Return a serialised CommandResult."""
    values = dict(fields(data))
    as_of = values.get(6, 0)
    result: Result
    if 4 in values:
        result = failure_of(status_pb2.Status.FromString(values[4]))
    else:
        result = Answer(values.get(3, b""), as_of, bool(values.get(7, 0)), values.get(5, 0))
    return CommandResult(values[1], values.get(2, b"").decode(), result, as_of)


def failure_in(error: grpc.aio.AioRpcError) -> Failure | None:
    """Return the catalogue's error that ended a call, None when the venue did not say one."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS and isinstance(value, bytes):
            return failure_of(status_pb2.Status.FromString(value))
    return None


class Key:
    """An Ed25519 key that outlives the venue's processes, and the token of the present one."""

    def __init__(self) -> None:
        self._private_key = Ed25519PrivateKey.generate()
        self.key_id = ""
        self.token = ""

    @property
    def public_key(self) -> bytes:
        """What the venue is given."""
        return self._private_key.public_key().public_bytes_raw()

    def session_request(self, environment: str) -> session_service_pb2.CreateSessionRequest:
        """Return a signed CreateSessionRequest."""
        timestamp_ms, nonce = time.time_ns() // 10**6, secrets.token_urlsafe(18)
        text = f"TRADEWIRE-V1\n{environment}\n{timestamp_ms}\n{nonce}\nSESSION"
        signature = base64.urlsafe_b64encode(self._private_key.sign(text.encode()))
        return session_service_pb2.CreateSessionRequest(
            signature=session_service_pb2.SessionSignature(
                api_key=self.key_id,
                timestamp_ms=timestamp_ms,
                nonce=nonce,
                signature=signature.rstrip(b"=").decode(),
            )
        )


class Connection:
    """One account's connection to one life of the venue."""

    def __init__(self, target: str, account: str, key: Key) -> None:
        self.account = account
        self._key = key
        self._channel = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
        self._unary: dict[str, grpc.aio.UnaryUnaryMultiCallable[Message, bytes]] = {}

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._key.token}"),)

    async def close(self) -> None:
        """Close it; what is under way ends as canceled."""
        await self._channel.close()

    async def sign_in(self) -> None:
        """Create a session; signatures are refused for a second after a restart."""
        stub = session_service_pb2_grpc.SessionServiceStub(self._channel)
        give_up = time.monotonic() + SIGN_IN_S
        while True:
            try:
                request = self._key.session_request("sandbox")
                response = await stub.CreateSession(request, timeout=5, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                failure = failure_in(error)
                early = failure is not None and failure.reason == "TIMESTAMP_OUT_OF_WINDOW"
                if not early or time.monotonic() > give_up:
                    raise
                await asyncio.sleep(0.1)
            else:
                self._key.token = response.token
                return

    async def call(self, method: str, request: Message, *, timeout_s: float = CALL_S) -> bytes:
        """Make a unary call and return the bytes of its response.

        Raises AioRpcError.
        """
        unary = self._unary.get(method)
        if unary is None:
            unary = self._unary[method] = self._channel.unary_unary(
                PACKAGE + method,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=None,
            )
        return await unary(request, metadata=self._metadata, timeout=timeout_s)

    async def command(
        self, kind: Kind, request: Message, *, timeout_s: float = CALL_S
    ) -> Result | None:
        """Send a command by its unary method; None means that nobody said what became of it."""
        try:
            return answer_of(kind, await self.call(METHODS[kind], request, timeout_s=timeout_s))
        except grpc.aio.AioRpcError as error:
            return failure_in(error)

    def follow(self, after: int) -> ServerStream:
        """Stream the executions after a number."""
        method: grpc.aio.UnaryStreamMultiCallable[Message, bytes] = self._channel.unary_stream(
            PACKAGE + "ExecutionService/StreamExecutions",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=None,
        )
        request = execution_service_pb2.StreamExecutionsRequest(after_sequence=after)
        return method(request, metadata=self._metadata)

    def enter_orders(self) -> Stream:
        """Open an order entry stream; the caller writes the frames."""
        method: grpc.aio.StreamStreamMultiCallable[Message, bytes] = self._channel.stream_stream(
            PACKAGE + "OrderService/EnterOrders",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=None,
        )
        return method(metadata=self._metadata)

    # --- reads ------------------------------------------------------------------------------------

    async def executions(self) -> tuple[list[bytes], int]:
        """Return all executions from the first on, and the head at the last page."""
        found: list[bytes] = []
        while True:
            request = execution_service_pb2.ListExecutionsRequest(
                after_sequence=len(found), page_size=PAGE
            )
            response = await self.call("ExecutionService/ListExecutions", request)
            as_of, before = 0, len(found)
            for number, value in fields(response):
                if number == 1:
                    found.append(value)
                elif number == 2:
                    as_of = value
            if len(found) == before or len(found) >= as_of:
                return found, as_of

    async def orders(self, order_filter: Any) -> tuple[list[order_pb2.Order], int]:
        """Return all open or all closed orders, and the sequence of the last page."""
        found: list[order_pb2.Order] = []
        token = ""
        while True:
            request = order_service_pb2.ListOrdersRequest(
                filter=order_filter, page_size=PAGE, page_token=token
            )
            data = await self.call("OrderService/ListOrders", request)
            response = order_service_pb2.ListOrdersResponse.FromString(data)
            found += response.orders
            token = response.next_page_token
            if not token:
                return found, response.as_of_sequence

    async def balances(self) -> account_service_pb2.ListBalancesResponse:
        """Return the balances."""
        request = account_service_pb2.ListBalancesRequest()
        data = await self.call("AccountService/ListBalances", request)
        return account_service_pb2.ListBalancesResponse.FromString(data)

    async def ledger(self) -> list[account_pb2.LedgerEntry]:
        """Return all ledger entries from the first on."""
        found: list[account_pb2.LedgerEntry] = []
        while True:
            request = account_service_pb2.ListLedgerEntriesRequest(
                after_sequence=len(found), page_size=PAGE
            )
            data = await self.call("AccountService/ListLedgerEntries", request)
            response = account_service_pb2.ListLedgerEntriesResponse.FromString(data)
            found += response.entries
            if not response.entries or len(found) >= response.as_of_ledger_sequence:
                return found

    async def find_order(self, client_order_id: str) -> order_service_pb2.GetOrderResponse | None:
        """Look an order up by a client id; None means that the venue says there is none.

        Raises AioRpcError when it does not say.
        """
        request = order_service_pb2.GetOrderRequest(client_order_id=client_order_id)
        try:
            data = await self.call("OrderService/GetOrder", request)
        except grpc.aio.AioRpcError as error:
            failure = failure_in(error)
            if failure is None or failure.reason != "ORDER_NOT_FOUND":
                raise
            return None
        return order_service_pb2.GetOrderResponse.FromString(data)

    # --- the operator's -----------------------------------------------------------------------

    async def fees(self) -> account_service_pb2.ListBalancesResponse:
        """Return the balances of the account that takes the fees."""
        request = admin_service_pb2.ListAccountBalancesRequest(account=FEES)
        data = await self.call("AdminService/ListAccountBalances", request)
        response = admin_service_pb2.ListAccountBalancesResponse.FromString(data)
        return account_service_pb2.ListBalancesResponse(balances=response.balances)

    async def status(
        self, *, with_state_hash: bool = False
    ) -> admin_service_pb2.GetVenueStatusResponse:
        """Return the venue's status."""
        request = admin_service_pb2.GetVenueStatusRequest(with_state_hash=with_state_hash)
        data = await self.call("AdminService/GetVenueStatus", request)
        return admin_service_pb2.GetVenueStatusResponse.FromString(data)
