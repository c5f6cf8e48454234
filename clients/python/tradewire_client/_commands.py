"""Commands of order entry as people write them, made into messages of the contract.

`OrderCommands` has the four signatures once; unary calls and the order entry stream differ in how
a message travels, and so in what they return: a coroutine, or a future.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeAlias, TypeVar

from tradewire_client._decimals import DecimalLike, write_optional_decimal
from tradewire_client._enums import enum_value
from tradewire_client._gen.tradewire import v1
from tradewire_client._times import require_aware
from tradewire_client._values import CancelAllOrdersResponse, Order
from tradewire_client._world import World

SideLike: TypeAlias = "v1.Side | Literal['buy', 'sell']"
OrderTypeLike: TypeAlias = "v1.OrderType | Literal['limit', 'market']"
TimeInForceLike: TypeAlias = "v1.TimeInForce | Literal['day', 'gtc', 'ioc', 'fok', 'gtd']"
PostOnlyLike: TypeAlias = "v1.PostOnly | Literal['reject', 'reprice']"
SelfTradePreventionLike: TypeAlias = (
    "v1.SelfTradePrevention | Literal['cancel_newest', 'cancel_oldest', 'cancel_both', 'decrement']"
)

OrderReply = TypeVar("OrderReply")
CountReply = TypeVar("CountReply")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OrderAnswer(Order):
    """An order as an answer gave it, and up to where the answer is true."""

    as_of_sequence: int = 0
    """The account's execution sequence up to which it is true."""
    priority_kept: bool = False
    """Of an amend: true when the order kept its place in the queue."""
    journal_id: str = ""
    """Of a read: identity of the journal."""


CanceledOrders: TypeAlias = CancelAllOrdersResponse


class OrderCommands(ABC, Generic[OrderReply, CountReply]):
    """The commands that can be sent, whichever way."""

    def __init__(self, world: World) -> None:
        self._world = world

    def place(
        self,
        *,
        symbol: str,
        side: SideLike,
        type: OrderTypeLike,  # noqa: A002 - the contract's name
        quantity: DecimalLike | None = None,
        price: DecimalLike | None = None,
        quote_quantity: DecimalLike | None = None,
        time_in_force: TimeInForceLike | None = None,
        expire_time: datetime | None = None,
        post_only: PostOnlyLike | None = None,
        self_trade_prevention: SelfTradePreventionLike | None = None,
        client_order_id: str = "",
        account: str = "",
        valid_until: datetime | None = None,
    ) -> OrderReply:
        """Place an order.

        Without a `client_order_id` one is made. It is the same in all repetitions, and in the
        answer. Of a market order `quantity` or `quote_quantity` is needed. After `valid_until` the
        command is dropped if it has not reached the engine.

        Raises:
            TypeError, ValueError: an argument cannot be right, e.g. a float; nothing was sent.
            TradewireError: see the tree in `_errors`.
        """
        request = v1.PlaceOrderRequest(
            client_order_id=client_order_id or self._world.client_order_id(),
            symbol=symbol,
            side=enum_value(v1.Side, side, name="side"),
            type=enum_value(v1.OrderType, type, name="type"),
            time_in_force=enum_value(v1.TimeInForce, time_in_force, name="time_in_force"),
            quantity=write_optional_decimal(quantity, name="quantity"),
            quote_quantity=write_optional_decimal(quote_quantity, name="quote_quantity"),
            price=write_optional_decimal(price, name="price"),
            expire_time=require_aware(expire_time, name="expire_time"),
            post_only=enum_value(v1.PostOnly, post_only, name="post_only"),
            self_trade_prevention=enum_value(
                v1.SelfTradePrevention, self_trade_prevention, name="self_trade_prevention"
            ),
            account=account,
            valid_until=require_aware(valid_until, name="valid_until"),
        )
        return self._place(request)

    def amend(
        self,
        order_id: str | None = None,
        *,
        original_client_order_id: str | None = None,
        quantity: DecimalLike | None = None,
        price: DecimalLike | None = None,
        client_order_id: str = "",
        account: str = "",
        valid_until: datetime | None = None,
    ) -> OrderReply:
        """Change price, quantity or both of a working order; `quantity` includes what is filled.

        The order is named by the venue's id or by any client order id of its chain. The amend has a
        client order id of its own; without one it is made.

        Raises:
            TypeError, ValueError: an argument cannot be right, e.g. a float; nothing was sent.
            TradewireError: see the tree in `_errors`.
        """
        require_one(order_id=order_id, original_client_order_id=original_client_order_id)
        request = v1.AmendOrderRequest(
            client_order_id=client_order_id or self._world.client_order_id(),
            order_id=order_id,
            original_client_order_id=original_client_order_id,
            quantity=write_optional_decimal(quantity, name="quantity"),
            price=write_optional_decimal(price, name="price"),
            account=account,
            valid_until=require_aware(valid_until, name="valid_until"),
        )
        return self._amend(request)

    def cancel(
        self,
        order_id: str | None = None,
        *,
        original_client_order_id: str | None = None,
        client_order_id: str = "",
        account: str = "",
        valid_until: datetime | None = None,
    ) -> OrderReply:
        """Cancel a working order, named by the venue's id or by any client order id of its chain.

        The cancel has a client order id of its own, so that it can be repeated; without one it is
        made.

        Raises:
            TypeError, ValueError: an argument cannot be right; nothing was sent.
            TradewireError: see the tree in `_errors`.
        """
        require_one(order_id=order_id, original_client_order_id=original_client_order_id)
        request = v1.CancelOrderRequest(
            order_id=order_id,
            original_client_order_id=original_client_order_id,
            client_order_id=client_order_id or self._world.client_order_id(),
            account=account,
            valid_until=require_aware(valid_until, name="valid_until"),
        )
        return self._cancel(request)

    def cancel_all(
        self,
        *,
        symbol: str = "",
        side: SideLike | None = None,
        account: str = "",
        valid_until: datetime | None = None,
    ) -> CountReply:
        """Cancel all working orders, or those of one instrument or side.

        Raises:
            TypeError, ValueError: an argument cannot be right; nothing was sent.
            TradewireError: see the tree in `_errors`.
        """
        request = v1.CancelAllOrdersRequest(
            symbol=symbol,
            side=enum_value(v1.Side, side, name="side"),
            account=account,
            valid_until=require_aware(valid_until, name="valid_until"),
        )
        return self._cancel_all(request)

    @abstractmethod
    def _place(self, request: v1.PlaceOrderRequest) -> OrderReply: ...

    @abstractmethod
    def _amend(self, request: v1.AmendOrderRequest) -> OrderReply: ...

    @abstractmethod
    def _cancel(self, request: v1.CancelOrderRequest) -> OrderReply: ...

    @abstractmethod
    def _cancel_all(self, request: v1.CancelAllOrdersRequest) -> CountReply: ...


def require_one(**names: str | None) -> None:
    """Refuse unless exactly one of the names was given.

    Raises:
        ValueError: none or several were.
    """
    given = [name for name, value in names.items() if value]
    if len(given) != 1:
        raise ValueError(f"name the order by exactly one of {' and '.join(names)}")
