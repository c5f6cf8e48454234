"""The commands of an order entry stream from submission to result: pure, without a stream and
without a clock.

Theory of operation. A command is in one of two places: *unsent*, in the order of submission, or
*in flight*, under the number that the stream gives it. `next_frame` moves commands from the first
to the second, `take` resolves one of the second, and `interrupted` moves all of the second back to
the front of the first when the stream is lost.

Rules:

- The order of submission is kept, also through an interruption.
- A command that was sent and not answered is sent again with the same client order id: the venue
  answers it as it answered the first, if there was a first. So sending again is how an unknown
  outcome becomes known.
- CancelAll has no id. Sent again it could cancel orders that were placed after it, so its outcome
  stays unknown.
- A command waits for a stream for `patience` seconds at most. A price from before an outage is not
  sent after it. What was never sent ends in Unavailable, what was sent in UnknownOutcome.
- A future that its owner canceled takes its command along, unless it was sent.
- The number of commands in both places is bounded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from tradewire_client._commands import CanceledOrders, OrderAnswer
from tradewire_client._errors import (
    ProtocolViolation,
    TooManyPending,
    TradewireError,
    Unavailable,
    UnknownOutcome,
    error_of_status,
    leaves_open,
)
from tradewire_client._gen.tradewire import v1

FRAME_MAX = 256


class Reply(Protocol):
    """Where the outcome of a command goes: what is used of a future."""

    def done(self) -> bool:
        """Tell whether it has its outcome, or its owner has left."""

    def set_result(self, result: Any, /) -> None:
        """Give the result."""

    def set_exception(self, error: BaseException, /) -> None:
        """Give the error."""


@dataclass(slots=True, eq=False)
class _Pending:
    command: v1.OrderCommand
    client_order_id: str
    reply: Reply
    submitted_at: float
    sendings: int = 0


class Pipeline:
    """The commands that have no result yet."""

    def __init__(self, *, max_pending: int, patience: float) -> None:
        self._max_pending = max_pending
        self._patience = patience
        self._unsent: deque[_Pending] = deque()
        self._in_flight: dict[int, _Pending] = {}
        self._sent_count = 0

    def __len__(self) -> int:
        return len(self._unsent) + len(self._in_flight)

    def submit(
        self, command: v1.OrderCommand, *, client_order_id: str, reply: Reply, now: float
    ) -> None:
        """Take a command.

        Raises:
            TooManyPending: there is no room.
        """
        if len(self) >= self._max_pending:
            raise TooManyPending(
                f"{len(self)} commands are without a result, the greatest number: "
                "await drain() first"
            )
        self._unsent.append(_Pending(command, client_order_id, reply, now))

    def next_frame(self, now: float) -> v1.EnterOrdersRequest | None:
        """Return the commands to send next, None when there is none."""
        frame = v1.EnterOrdersRequest()
        while self._unsent and len(frame.commands) < FRAME_MAX:
            pending = self._unsent.popleft()
            if pending.reply.done():
                continue
            if self._is_stale(pending, now):
                self._give_up(pending)
                continue
            self._sent_count += 1
            pending.sendings += 1
            self._in_flight[self._sent_count] = pending
            frame.commands.append(pending.command)
        return frame if frame.commands else None

    def take(self, result: v1.CommandResult) -> None:
        """Resolve the command that a result is of.

        Raises:
            ProtocolViolation: there is no such command, or the result is none.
        """
        pending = self._in_flight.pop(result.command_number, None)
        if pending is None or result.client_order_id != pending.client_order_id:
            raise ProtocolViolation(
                f"result {result.command_number} ({result.client_order_id!r}) "
                "is of no command in flight"
            )
        if result.error is not None:
            _fail(pending, self._error_of(pending, error_of_status(result.error)))
        elif result.order is not None:
            answer = OrderAnswer.from_message(
                result.order,
                as_of_sequence=result.as_of_sequence,
                priority_kept=result.priority_kept,
            )
            _resolve(pending, answer)
        elif result.canceled_count is not None:
            count = CanceledOrders(
                canceled_count=result.canceled_count, as_of_sequence=result.as_of_sequence
            )
            _resolve(pending, count)
        else:
            raise ProtocolViolation(f"result {result.command_number} says nothing")

    def interrupted(self) -> None:
        """Note that the stream is lost: what is in flight has to be sent again, on a stream that
        counts from 1.
        """
        for pending in reversed(self._in_flight.values()):
            if pending.command.cancel_all is not None:
                _fail(pending, _unknown(pending))
            else:
                self._unsent.appendleft(pending)
        self._in_flight.clear()
        self._sent_count = 0

    def expire(self, now: float) -> None:
        """Give up the commands that have waited for a stream for too long."""
        waiting, self._unsent = self._unsent, deque()
        for pending in waiting:
            if self._is_stale(pending, now):
                self._give_up(pending)
            else:
                self._unsent.append(pending)

    def abandon(self, error: TradewireError) -> None:
        """Resolve everything: there will be no other stream."""
        self.interrupted()
        for pending in self._unsent:
            if pending.sendings:
                _fail(pending, _unknown(pending), cause=error)
            else:
                _fail(pending, Unavailable(f"the command was not sent: {error}"), cause=error)
        self._unsent.clear()

    def _is_stale(self, pending: _Pending, now: float) -> bool:
        return now - pending.submitted_at > self._patience

    def _give_up(self, pending: _Pending) -> None:
        if pending.sendings:
            _fail(pending, _unknown(pending))
        else:
            _fail(
                pending,
                Unavailable(f"the command was not sent: no stream for {self._patience:g} seconds"),
            )

    def _error_of(self, pending: _Pending, error: TradewireError) -> TradewireError:
        if not leaves_open(error, repeated=pending.sendings > 1):
            return error
        unknown = _unknown(pending)
        unknown.__cause__ = error
        return unknown


def _unknown(pending: _Pending) -> UnknownOutcome:
    if pending.client_order_id:
        asking = f"ask orders.get(client_order_id={pending.client_order_id!r})"
    else:
        asking = "look at the executions"
    return UnknownOutcome(
        f"the stream was lost before the answer: the command may have been done; {asking}",
        client_order_id=pending.client_order_id,
        attempts=pending.sendings,
    )


def _resolve(pending: _Pending, answer: OrderAnswer | CanceledOrders) -> None:
    # Its owner may have canceled the future: the command is done all the same.
    if not pending.reply.done():
        pending.reply.set_result(answer)


def _fail(pending: _Pending, error: TradewireError, *, cause: TradewireError | None = None) -> None:
    if cause is not None:
        error.__cause__ = cause
    if not pending.reply.done():
        pending.reply.set_exception(error)
