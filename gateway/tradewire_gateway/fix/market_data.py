"""The application of TW-MARKETDATA: books and trades, and what instruments there are.

Each subscription is a stream of the venue's market data. What is not taken in time is conflated by
the venue, and nothing here is kept to be sent again: who has missed something subscribes anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.message import Message as ProtoMessage
from google.rpc import code_pb2, status_pb2
from tradewire.v1 import market_data_service_pb2_grpc

from tradewire_gateway.fix import translate
from tradewire_gateway.fix.connection import Connection
from tradewire_gateway.fix.message import Message
from tradewire_gateway.fix.questions import OF_MARKET, Questions
from tradewire_gateway.fix.reports import words
from tradewire_gateway.fix.session import NotEstablished
from tradewire_gateway.fix.store import Record
from tradewire_gateway.fix.translate import Answer, MarketDataFeed, MarketDataQuery
from tradewire_gateway.fix.upstream import CALL_S, Caller, status_of

MARKET_DATA: Final = "V"
UNSUPPORTED: Final = 3
SUBSCRIPTIONS_MAX: Final = 32
WAITING_MAX: Final = 256
# As many as the venue lets a stream have.
SYMBOLS_MAX: Final = 100
# How often the venue is asked about the key: market data is public, and its streams go on.
CHECK_S: Final = 5.0
_DUPLICATE, _TOO_MANY, _TOO_MUCH = "1", "2", "2"


class MarketDataApplication:
    """One connection's market data."""

    def __init__(self, connection: Connection, channel: grpc.aio.Channel, caller: Caller) -> None:
        self._connection = connection
        self._caller = caller
        self._stub = market_data_service_pb2_grpc.MarketDataServiceStub(channel)
        self._asking = Questions(channel, caller)
        self._calls: dict[str, Any] = {}
        self._waiting = asyncio.Queue[tuple[Message, int]](WAITING_MAX)
        self._has_room = asyncio.Event()

    def start(self) -> None:
        """Begin."""
        self._connection.spawn(self._serve())
        self._connection.spawn(self._see_after())

    def deliver(self, message: Message, number: int) -> None:
        """Take a request; they are served one after the other."""
        try:
            self._waiting.put_nowait((message, number))
        except asyncio.QueueFull:
            self._connection.reject_business(message, 4, "Too many requests at once")
            self._connection.done(number)

    def flush(self) -> None:
        """Do nothing: requests are taken one by one."""

    @property
    def is_full(self) -> bool:
        """Whether too many requests wait."""
        return self._waiting.full()

    async def room(self) -> None:
        """Wait until fewer requests wait."""
        while self.is_full:
            self._has_room.clear()
            await self._has_room.wait()

    async def complete(self, records: list[tuple[int, Record]]) -> list[tuple[int, Record]] | None:
        """Return the records: nothing here refers to executions."""
        return records

    async def close(self) -> None:
        """End all subscriptions."""
        for call in self._calls.values():
            if call is not None:
                call.cancel()

    async def _serve(self) -> None:
        while True:
            message, number = await self._waiting.get()
            self._has_room.set()
            with contextlib.suppress(NotEstablished):
                try:
                    answers = await self._answer(message)
                except translate.Untranslatable as error:
                    self._refuse(message, error.status)
                except grpc.aio.AioRpcError as error:
                    self._refuse(message, status_of(error))
                    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                        self._connection.end(words(status_of(error)))
                else:
                    await self._connection.send_answers(answers)
            self._connection.done(number)
            self._connection.perform()
            await self._connection.taken()

    async def _see_after(self) -> None:
        """End the connection when its key has ended."""
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self._caller.check()
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    self._connection.end(words(status_of(error)))
                    return

    async def _answer(self, message: Message) -> Iterable[Answer]:
        if message.type == MARKET_DATA:
            return await self._on_query(message, translate.to_market_data_query(message))
        request: ProtoMessage = translate.to_request(message)
        if not isinstance(request, OF_MARKET):
            text = f"MsgType(35) {message.type} is not served by market data sessions"
            self._connection.reject_business(message, UNSUPPORTED, text)
            return []
        return await self._asking.answers(
            message,
            request,
            now_ns=self._connection.now_ns(),
            identity=self._connection.identity(message),
        )

    async def _on_query(self, message: Message, query: MarketDataQuery) -> Iterable[Answer]:
        if query.ends:
            call = self._calls.pop(query.id, None)
            if call is not None:
                call.cancel()
            return []
        if query.stream is None:
            if len(query.books) > SYMBOLS_MAX:
                text = f"at most {SYMBOLS_MAX} instruments in one request"
                raise translate.Untranslatable("FIELD_INVALID", text, tag=146, code=_TOO_MUCH)
            metadata = await self._caller.metadata()
            books = [
                await self._stub.GetOrderBook(request, metadata=metadata, timeout=CALL_S)
                for request in query.books
            ]
            return (translate.book_snapshot(query.id, response.book) for response in books)
        if query.id in self._calls:
            text = f"MDReqID(262) {query.id} is in use"
            raise translate.Untranslatable("FIELD_INVALID", text, tag=262, code=_DUPLICATE)
        if len(self._calls) >= SUBSCRIPTIONS_MAX:
            text = f"at most {SUBSCRIPTIONS_MAX} subscriptions at once"
            raise translate.Untranslatable("STREAM_LIMIT", text, tag=262, code=_TOO_MANY)
        metadata = await self._caller.metadata()
        call = self._stub.StreamMarketData(query.stream, metadata=metadata)
        self._calls[query.id] = call
        self._connection.spawn(self._follow(message, query.id, call))
        return []

    async def _follow(self, message: Message, query_id: str, call: Any) -> None:
        """Pass on what a subscription's stream brings."""
        feed = MarketDataFeed(query_id)
        status: status_pb2.Status | None = None
        try:
            while (response := await call.read()) is not grpc.aio.EOF:
                if self._calls.get(query_id) is not call:
                    return
                if response.HasField("batch"):
                    answer = feed.message(response.batch)
                    self._connection.send(answer.type, answer.body, keep=False)
                    self._connection.perform()
                elif response.HasField("closing"):
                    status = response.closing.status
                # Meanwhile the venue puts together what comes.
                await self._connection.taken()
        except grpc.aio.AioRpcError as error:
            status = status_of(error)
        except (NotEstablished, asyncio.CancelledError):
            call.cancel()
            if self._calls.get(query_id) is call:
                raise
            return
        if self._calls.get(query_id) is not call:
            return
        del self._calls[query_id]
        if status is None or not status.details:
            self._connection.end(words(status_pb2.Status()))
            return
        with contextlib.suppress(NotEstablished):
            self._refuse(message, status)
            self._connection.perform()
        if status.code == code_pb2.UNAUTHENTICATED:
            self._connection.end(words(status))

    def _refuse(self, message: Message, status: status_pb2.Status) -> None:
        answer = translate.refusal(
            message,
            status,
            now_ns=self._connection.now_ns(),
            identity=self._connection.identity(message),
        )
        self._connection.send(answer.type, answer.body, keep=False)
