"""The application of TW-DROPCOPY: all executions of the account, with CopyMsgIndicator(797)=Y.

It only listens: a drop copy never delays order entry, and no request is served here.
"""

from __future__ import annotations

from typing import Any, Final

import grpc.aio
from tradewire.v1 import execution_service_pb2, execution_service_pb2_grpc

from tradewire_gateway.fix.connection import Connection
from tradewire_gateway.fix.message import Message
from tradewire_gateway.fix.reports import report, words
from tradewire_gateway.fix.session import NotEstablished
from tradewire_gateway.fix.sqlite_store import SqliteStore
from tradewire_gateway.fix.store import Record
from tradewire_gateway.fix.upstream import Caller, status_of

UNSUPPORTED: Final = 3


class DropCopyApplication:
    """One connection's drop copy."""

    def __init__(
        self,
        connection: Connection,
        channel: grpc.aio.Channel,
        caller: Caller,
        store: SqliteStore,
    ) -> None:
        self._connection = connection
        self._caller = caller
        self._store = store
        self._stub = execution_service_pb2_grpc.ExecutionServiceStub(channel)
        self._call: Any = None

    def start(self) -> None:
        """Open the stream."""
        self._connection.spawn(self._run())

    def deliver(self, message: Message, number: int) -> None:
        """Refuse a request."""
        text = f"MsgType(35) {message.type} is not served by a drop copy"
        self._connection.reject_business(message, UNSUPPORTED, text)
        self._connection.done(number)

    def flush(self) -> None:
        """Do nothing: nothing is passed on."""

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read: never."""
        return False

    async def room(self) -> None:
        """Return at once."""

    async def complete(self, records: list[tuple[int, Record]]) -> list[tuple[int, Record]] | None:
        """Make the reports of executions again."""
        try:
            return await self._caller.complete(records, is_copy=True)
        except grpc.aio.AioRpcError as error:
            self._connection.end(words(status_of(error)))
            return None

    async def close(self) -> None:
        """End the stream."""
        if self._call is not None:
            self._call.cancel()

    async def _run(self) -> None:
        request = execution_service_pb2.StreamExecutionsRequest(
            after_sequence=self._store.position.reported
        )
        try:
            metadata = await self._caller.metadata()
            self._call = self._stub.StreamExecutions(request, metadata=metadata)
            while (response := await self._call.read()) is not grpc.aio.EOF:
                if response.HasField("batch"):
                    await report(
                        self._connection, self._store, response.batch.executions, is_copy=True
                    )
                    self._connection.perform()
                elif response.HasField("closing"):
                    self._connection.end(words(response.closing.status))
                # Who takes nothing is not sent more; the venue's own bound is behind this one.
                await self._connection.taken()
        except grpc.aio.AioRpcError as error:
            self._connection.end(words(status_of(error)))
        except NotEstablished:
            # The client is logging out: what it has not been sent it gets at its next logon.
            return
        else:
            self._connection.end("The venue has ended the stream: log on again")
