"""Several orders or cancels in one call, each with a result of its own.

Rules:

- What a call is asked to do is decided before it is sent: every command has its client order id, so
  that the whole call can be repeated.
- A result never raises on its own. The call raises only when nothing of it was done.
- When no attempt was answered, every command has an UnknownOutcome with its id, for the ids are
  what to ask with.
- After an attempt without an answer, an error of the repeat is the result only if it speaks about
  that attempt as well (`settles`).
- An error of one command is not repeated: only the caller knows what still makes sense.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Required, TypedDict

from tradewire_client._commands import (
    OrderAnswer,
    OrderCommands,
    OrderTypeLike,
    PostOnlyLike,
    SelfTradePreventionLike,
    SideLike,
    TimeInForceLike,
)
from tradewire_client._decimals import DecimalLike
from tradewire_client._errors import (
    ProtocolViolation,
    TradewireError,
    UnknownOutcome,
    error_of_status,
    leaves_open,
)
from tradewire_client._gen.tradewire import v1

BATCH_MAX = 100


class NewOrder(TypedDict, total=False):
    """An order of `place_many`: the arguments of `place`, without the account."""

    symbol: Required[str]
    side: Required[SideLike]
    type: Required[OrderTypeLike]
    quantity: DecimalLike | None
    price: DecimalLike | None
    quote_quantity: DecimalLike | None
    time_in_force: TimeInForceLike | None
    expire_time: datetime | None
    post_only: PostOnlyLike | None
    self_trade_prevention: SelfTradePreventionLike | None
    client_order_id: str
    valid_until: datetime | None


class OrderCancel(TypedDict, total=False):
    """A cancel of `cancel_many`: the arguments of `cancel`, without the account."""

    order_id: str
    original_client_order_id: str
    client_order_id: str
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """What became of one command of a batch: `order` or `error`."""

    client_order_id: str
    """The command's own, given or made."""
    order: OrderAnswer | None = None
    """The order after it, if it was done."""
    error: TradewireError | None = None
    """Why it was not done, or UnknownOutcome."""

    def unwrap(self) -> OrderAnswer:
        """Return the order.

        Raises:
            TradewireError: there is an error in its place.
        """
        if self.error is not None:
            raise self.error
        assert self.order is not None, "one of the two is there"
        return self.order


class Drafts(OrderCommands[Any, Any]):
    """Makes the messages of commands, and sends none of them."""

    def _place(self, request: v1.PlaceOrderRequest) -> v1.PlaceOrderRequest:
        return request

    def _amend(self, request: v1.AmendOrderRequest) -> v1.AmendOrderRequest:
        return request

    def _cancel(self, request: v1.CancelOrderRequest) -> v1.CancelOrderRequest:
        return request

    def _cancel_all(self, request: v1.CancelAllOrdersRequest) -> v1.CancelAllOrdersRequest:
        return request


def check_size(count: int) -> None:
    """Refuse more than fits into one call.

    Raises:
        ValueError: it does.
    """
    if count > BATCH_MAX:
        raise ValueError(f"one call takes at most {BATCH_MAX} commands, these are {count}")


def read_results(
    ids: Sequence[str], results: Sequence[v1.CommandResult], *, earlier_attempts: int
) -> list[OrderResult]:
    """Return the results of the commands with these client order ids.

    `earlier_attempts` counts those that may have had an effect and were not answered.

    Raises:
        ProtocolViolation: they are not the results of these commands.
    """
    received = [(result.command_number, result.client_order_id) for result in results]
    if received != list(enumerate(ids, start=1)):
        raise ProtocolViolation("the results are not those of the commands that were sent")
    return [_read(result, earlier_attempts) for result in results]


def _read(result: v1.CommandResult, earlier_attempts: int) -> OrderResult:
    own_id = result.client_order_id
    if result.error is not None:
        error = error_of_status(result.error)
        if leaves_open(error, repeated=earlier_attempts > 0):
            unknown = unknown_outcome(own_id, attempts=earlier_attempts + 1)
            unknown.__cause__ = error
            error = unknown
        return OrderResult(client_order_id=own_id, error=error)
    if result.order is None:
        raise ProtocolViolation(f"result {result.command_number} says nothing")
    answer = OrderAnswer.from_message(result.order, as_of_sequence=result.as_of_sequence)
    return OrderResult(client_order_id=own_id, order=answer)


def unknown_outcome(client_order_id: str, *, attempts: int) -> UnknownOutcome:
    """Return the error of a command that may or may not have been done."""
    return UnknownOutcome(
        "the command was not answered and may have been done; ask "
        f"orders.get(client_order_id={client_order_id!r}), or send it again",
        client_order_id=client_order_id,
        attempts=attempts,
    )
