"""What came over a stream, held to the promises that every stream makes while it is recorded.

Executions and ledger entries are numbered without a gap; results come in the order of the commands
and never before the executions that they refer to; nothing follows `closing`.
"""

from collections.abc import Callable
from typing import Any

from tradewire.v1 import (
    account_pb2,
    market_data_service_pb2,
    order_pb2,
    order_service_pb2,
    stream_pb2,
)

from tests.support.failures import Failure, failure_of


class Tape:
    """The messages of one stream, in order, and what was in them."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.executions: list[order_pb2.Execution] = []
        self.entries: list[account_pb2.LedgerEntry] = []
        self.results: list[order_service_pb2.CommandResult] = []
        self.market_data: list[market_data_service_pb2.MarketDataBatch] = []
        self.rate_limits: list[stream_pb2.RateLimit] = []
        self.snapshot: order_service_pb2.AccountSnapshot | None = None
        self.caught_up: stream_pb2.CaughtUp | None = None
        self.heartbeats: list[stream_pb2.Heartbeat] = []
        self.closing: stream_pb2.Closing | None = None
        self.position: int | None = None

    def __repr__(self) -> str:
        return (
            f"<{' '.join(self.kinds)}; at {self.position}, {len(self.executions)} executions, "
            f"{len(self.results)} results, closing {self.closing}>"
        )

    @property
    def closed(self) -> Failure:
        """Why the server ended the stream."""
        assert self.closing is not None, f"{self} was not closed"
        return failure_of(self.closing.status)

    def take(self, message: Any) -> None:
        """Record a message of any of the contract's streams."""
        kind = message.WhichOneof("event")
        assert kind is not None, "a message without an event"
        assert self.closing is None, f"{kind} after closing"
        self.kinds.append(kind)
        _TAKE[kind](self, getattr(message, kind))

    def _batch(self, batch: Any) -> None:
        if isinstance(batch, market_data_service_pb2.MarketDataBatch):
            self.market_data.append(batch)
            return
        if isinstance(batch, account_pb2.LedgerBatch):
            for entry in batch.entries:
                self._advance(entry.ledger_sequence)
                self.entries.append(entry)
            return
        assert not batch.executions or batch.executions[0].sequence, "sequences begin with 1"
        for execution in batch.executions:
            self._advance(execution.sequence)
            self.executions.append(execution)
        if isinstance(batch, order_service_pb2.OrderEntryBatch):
            self._results(batch)

    def _results(self, batch: order_service_pb2.OrderEntryBatch) -> None:
        for result in batch.results:
            assert result.command_number == len(self.results) + 1, "results in order of commands"
            assert self.position is not None
            assert result.as_of_sequence <= self.position, "executions before their results"
            self.results.append(result)
        if batch.HasField("rate_limit"):
            self.rate_limits.append(batch.rate_limit)

    def _advance(self, number: int) -> None:
        if self.position is not None:
            assert number == self.position + 1, f"{number} after {self.position}"
        self.position = number

    def _snapshot(self, snapshot: order_service_pb2.AccountSnapshot) -> None:
        assert self.kinds == ["snapshot"], "the snapshot comes first"
        self.snapshot = snapshot

    def _caught_up(self, caught_up: stream_pb2.CaughtUp) -> None:
        assert self.caught_up is None, "the replay ends once"
        if self.position is not None:
            assert caught_up.as_of_sequence == self.position
        self.position = caught_up.as_of_sequence
        self.caught_up = caught_up

    def _heartbeat(self, heartbeat: stream_pb2.Heartbeat) -> None:
        self.heartbeats.append(heartbeat)

    def _closing(self, closing: stream_pb2.Closing) -> None:
        self.closing = closing


_TAKE: dict[str, Callable[[Tape, Any], None]] = {
    "batch": Tape._batch,
    "snapshot": Tape._snapshot,
    "caught_up": Tape._caught_up,
    "heartbeat": Tape._heartbeat,
    "closing": Tape._closing,
}


def sequences(executions: list[order_pb2.Execution]) -> list[int]:
    """Return the numbers of executions."""
    return [execution.sequence for execution in executions]
