"""Order entry as a stream: many commands in few frames, and the account's executions beside the
results.

One task owns the connection: it opens the stream, reads it, and opens it again when it is lost.
Beside it a writer sends whatever has gathered: a loop that places a hundred orders without awaiting
anything makes one frame of them. Commands live in `_pipeline`, executions in `_feed`; both are told
what happened, and never wait.

Nothing is sent before the place in the sequence of executions is known. Otherwise an order placed
just before the first disconnect could leave executions that no stream would ever show.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

import grpc.aio

from tradewire_client._calls import Authority, Metadata
from tradewire_client._commands import CanceledOrders, OrderAnswer, OrderCommands
from tradewire_client._cursor import Cursor
from tradewire_client._errors import (
    ClientClosed,
    ConfigurationError,
    PermissionDenied,
    ProtocolViolation,
    TimedOut,
    TradewireError,
    error_of_call,
    needs_sign_in,
)
from tradewire_client._feed import ExecutionFeed, FetchExecutions
from tradewire_client._follow import JournalId
from tradewire_client._gen.tradewire import v1
from tradewire_client._pipeline import FRAME_MAX, Pipeline
from tradewire_client._streams import Outages, Plumbing, Reading, error_of_closing
from tradewire_client._values import AccountSnapshot, RateLimit

logger = logging.getLogger("tradewire_client.entry")

EnterOrders: TypeAlias = (
    "grpc.aio.StreamStreamMultiCallable[v1.EnterOrdersRequest, v1.EnterOrdersResponse]"
)
Stream: TypeAlias = "grpc.aio.StreamStreamCall[v1.EnterOrdersRequest, v1.EnterOrdersResponse]"

_CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOptions:
    """What `Orders.enter` takes."""

    cancel_on_disconnect: bool
    after_sequence: int | None
    snapshot: bool
    journal_id: str
    account: str
    max_pending: int
    execution_buffer: int
    patience: float

    def __post_init__(self) -> None:
        if self.snapshot and self.after_sequence is not None:
            raise ConfigurationError("snapshot and after_sequence exclude each other")
        if self.max_pending < 1 or self.execution_buffer < 0 or self.patience <= 0:
            raise ConfigurationError("bounds must be positive")


class OrderEntry(OrderCommands["Future[OrderAnswer]", "Future[CanceledOrders]"]):
    """An order entry stream; see `Orders.enter`.

    Each command returns a future at once. Commands reach the engine in the order in which they were
    given.
    """

    def __init__(
        self,
        method: EnterOrders,
        options: EntryOptions,
        plumbing: Plumbing,
        *,
        ask_journal_id: JournalId,
        fetch_executions: FetchExecutions,
    ) -> None:
        super().__init__(plumbing.world)
        self._method = method
        self._options = options
        self._plumbing = plumbing
        self._authority: Authority = plumbing.authority
        self._ask_journal_id = ask_journal_id
        self._outages = Outages(plumbing)
        self._pipeline = Pipeline(max_pending=options.max_pending, patience=options.patience)
        self._feed = ExecutionFeed(limit=options.execution_buffer, fetch=fetch_executions)
        self._cursor = Cursor(
            "executions", last=options.after_sequence, journal_id=options.journal_id
        )
        if options.after_sequence is not None:
            self._feed.begin(options.after_sequence)
        self._low_water = max(options.max_pending - FRAME_MAX, options.max_pending // 2)
        self._authorization: Metadata = ()
        self._task: asyncio.Task[None] | None = None
        self._call: Stream | None = None
        self._opened = asyncio.Event()
        self._work = asyncio.Event()
        self._progress = asyncio.Event()
        self._closing = False
        self._failure: TradewireError | None = None
        self._snapshot: AccountSnapshot | None = None
        self._rate_limit: RateLimit | None = None

    @property
    def pending(self) -> int:
        """How many commands have no result yet."""
        return len(self._pipeline)

    @property
    def sequence(self) -> int | None:
        """The number of the execution received last, None before the place is known."""
        return self._cursor.last

    @property
    def journal_id(self) -> str:
        """Identity of the journal, empty before the venue told it."""
        return self._cursor.journal_id

    @property
    def snapshot(self) -> AccountSnapshot:
        """Working orders, balances and positions at the beginning.

        Raises:
            ConfigurationError: the stream was opened without `snapshot=True`.
        """
        if self._snapshot is None:
            raise ConfigurationError("enter with snapshot=True to get one")
        return self._snapshot

    @property
    def rate_limit(self) -> RateLimit | None:
        """State of the tightest rate limit, as told last."""
        return self._rate_limit

    def executions(self) -> ExecutionFeed:
        """Iterate over the account's executions, in order, each exactly once, whoever caused them.

        The iterator can be left and asked for again; one task at a time can read it. It may be
        slower than the stream: what does not fit into `execution_buffer` is fetched again, for
        which the key needs the scope `read`.
        """
        return self._feed

    async def drain(self) -> None:
        """Wait until there is room for more commands: call it in loops that place many orders.

        Raises:
            TradewireError: the stream ended for good.
        """
        await self._until(self._low_water)

    async def flush(self) -> None:
        """Wait until every command has its result.

        Raises:
            TradewireError: the stream ended for good.
        """
        await self._until(0)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="tradewire order entry")
        try:
            async with asyncio.timeout(self._options.patience):
                await self._opened.wait()
        except TimeoutError as error:
            await self._stop()
            raise TimedOut(
                f"the stream did not open in {self._options.patience:g} seconds: "
                f"{self._outages.last}"
            ) from error
        except asyncio.CancelledError:
            await self._stop()
            raise
        if self._failure is not None:
            raise self._failure
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._failure is None:
                async with asyncio.timeout(self._options.patience):
                    await self.flush()
        except (TimeoutError, TradewireError) as problem:
            logger.warning("%d commands are left without a result: %r", self.pending, problem)
        finally:
            await self._stop()

    def _place(self, request: v1.PlaceOrderRequest) -> Future[OrderAnswer]:
        return self._submit(v1.OrderCommand(place=request), request.client_order_id)

    def _amend(self, request: v1.AmendOrderRequest) -> Future[OrderAnswer]:
        return self._submit(v1.OrderCommand(amend=request), request.client_order_id)

    def _cancel(self, request: v1.CancelOrderRequest) -> Future[OrderAnswer]:
        return self._submit(v1.OrderCommand(cancel=request), request.client_order_id)

    def _cancel_all(self, request: v1.CancelAllOrdersRequest) -> Future[CanceledOrders]:
        return self._submit(v1.OrderCommand(cancel_all=request), "")

    def _submit(self, command: v1.OrderCommand, client_order_id: str) -> Future[Any]:
        if self._failure is not None:
            raise self._failure
        if self._task is None or self._closing:
            raise ClientClosed("the order entry stream is not open")
        reply: Future[Any] = asyncio.get_running_loop().create_future()
        self._pipeline.submit(
            command,
            client_order_id=client_order_id,
            reply=reply,
            now=self._plumbing.world.monotonic(),
        )
        self._work.set()
        return reply

    async def _until(self, pending: int) -> None:
        while len(self._pipeline) > pending:
            if self._failure is not None:
                raise self._failure
            self._progress.clear()
            await self._progress.wait()

    async def _run(self) -> None:
        """Keep a stream open until the end, and tell everybody who waits when it comes."""
        failure: TradewireError = ClientClosed("the order entry stream is closed")
        try:
            while not self._closing:
                await self._serve_until_lost()
        except TradewireError as error:
            failure = error
        finally:
            self._failure = failure
            self._pipeline.abandon(failure)
            self._feed.end(failure)
            for event in (self._opened, self._progress, self._work):
                event.set()

    async def _serve_until_lost(self) -> None:
        try:
            await self._serve()
        except ProtocolViolation:
            raise
        except TradewireError as error:
            self._pipeline.interrupted()
            if self._closing:
                return
            if needs_sign_in(error):
                self._authority.invalidate(self._authorization)
            await self._outages.endure(error, name="OrderEntry")
            self._pipeline.expire(self._plumbing.world.monotonic())
            self._progress.set()

    async def _serve(self) -> None:
        """Open a stream and read it until it is lost."""
        call = await self._open()
        reading = Reading(call, quiet=self._plumbing.policy.quiet)
        writer: asyncio.Task[None] | None = None
        try:
            while True:
                if writer is None and self._cursor.last is not None:
                    writer = asyncio.create_task(self._write(call), name="tradewire frames")
                message = await reading.next()
                if message.closing is not None:
                    raise error_of_closing(message.closing)
                self._outages.over()
                self._take(message)
                self._opened.set()
        finally:
            self._call = None
            reading.cancel()
            if writer is not None:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)

    async def _open(self) -> Stream:
        self._authorization = await self._authority.authorization()
        await self._check_journal()
        settings = v1.EnterOrdersRequest(
            after_sequence=self._cursor.last,
            cancel_on_disconnect=self._options.cancel_on_disconnect,
            account=self._options.account,
            snapshot=self._options.snapshot and self._snapshot is None,
        )
        try:
            call = self._method(metadata=tuple(self._authorization))
            await call.write(settings)
        except grpc.aio.AioRpcError as error:
            raise error_of_call(error) from error
        except grpc.aio.UsageError as error:
            raise ClientClosed("the client is closed") from error
        self._call = call
        return call

    async def _check_journal(self) -> None:
        # See `NumberedStream._before_reopening`.
        if self._cursor.last is None or not self._cursor.journal_id:
            return
        try:
            self._cursor.check_journal(await self._ask_journal_id())
        except PermissionDenied:
            logger.info("the key may not read, so the journal is compared after the replay only")

    async def _write(self, call: Stream) -> None:
        """Send what gathers; when the stream is lost, the reader is told why."""
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                frame = self._pipeline.next_frame(self._plumbing.world.monotonic())
                # Commands may have been given up instead of sent.
                self._progress.set()
                if frame is None:
                    self._work.clear()
                    await self._work.wait()
                else:
                    await call.write(frame)

    def _take(self, message: v1.EnterOrdersResponse) -> None:
        if message.batch is not None:
            self._take_batch(message.batch)
        elif message.snapshot is not None:
            self._snapshot = AccountSnapshot.from_message(message.snapshot)
            self._cursor.check_journal(self._snapshot.journal_id)
            self._cursor.restart(self._snapshot.as_of_sequence)
            self._feed.begin(self._snapshot.as_of_sequence)
        elif message.caught_up is not None:
            self._cursor.check_journal(message.caught_up.journal_id)
            self._cursor.confirm(message.caught_up.as_of_sequence)
            self._feed.begin(message.caught_up.as_of_sequence)
        elif message.heartbeat is not None:
            self._cursor.confirm(message.heartbeat.as_of_sequence)

    def _take_batch(self, batch: v1.OrderEntryBatch) -> None:
        for execution in batch.executions:
            self._cursor.advance(execution.sequence)
            self._feed.push(execution)
        for result in batch.results:
            # The contract: a result never comes before the executions up to it.
            self._cursor.confirm(result.as_of_sequence)
            self._pipeline.take(result)
        if batch.results:
            self._progress.set()
        if batch.rate_limit is not None:
            self._rate_limit = RateLimit.from_message(batch.rate_limit)

    async def _stop(self) -> None:
        """End the stream in order, or after a while without."""
        self._closing = True
        if self._task is None:
            return
        if self._call is not None:
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await self._call.done_writing()
        # A task that waits for its next try has nothing to end in order.
        timeout = _CLOSE_TIMEOUT_S if self._call is not None else 0
        await asyncio.wait({self._task}, timeout=timeout)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
