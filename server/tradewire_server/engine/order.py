"""One order and its life cycle.

The life cycle is the table `LIFE_CYCLE` and nothing else: (status, what happened) -> status. A pair
that is not in it cannot happen; the fold asserts it.
"""

import enum
from typing import TYPE_CHECKING

from tradewire_server.engine.events import OrderAccepted
from tradewire_server.engine.vocabulary import LIMIT, MARKET, NO_REASON, SELL, OrderStatus

if TYPE_CHECKING:
    from tradewire_server.engine.book import Level
    from tradewire_server.engine.state import AccountState, Market


class Trigger(enum.IntEnum):
    """What can happen to an order."""

    FILL_PART = enum.auto()
    FILL_REST = enum.auto()
    AMEND = enum.auto()
    REDUCE = enum.auto()
    CANCEL = enum.auto()
    EXPIRE = enum.auto()


_NEW, _PARTIAL = OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED

# PENDING_NEW is the time before the event; FILLED, CANCELED, EXPIRED and REJECTED are final: no row
# begins there.
LIFE_CYCLE: dict[tuple[OrderStatus, Trigger], OrderStatus] = {
    (_NEW, Trigger.FILL_PART): _PARTIAL,
    (_NEW, Trigger.FILL_REST): OrderStatus.FILLED,
    (_NEW, Trigger.AMEND): _NEW,
    (_NEW, Trigger.REDUCE): _NEW,
    (_NEW, Trigger.CANCEL): OrderStatus.CANCELED,
    (_NEW, Trigger.EXPIRE): OrderStatus.EXPIRED,
    (_PARTIAL, Trigger.FILL_PART): _PARTIAL,
    (_PARTIAL, Trigger.FILL_REST): OrderStatus.FILLED,
    (_PARTIAL, Trigger.AMEND): _PARTIAL,
    (_PARTIAL, Trigger.REDUCE): _PARTIAL,
    (_PARTIAL, Trigger.CANCEL): OrderStatus.CANCELED,
    (_PARTIAL, Trigger.EXPIRE): OrderStatus.EXPIRED,
}

FINAL_STATUSES = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
)


class Order:
    """An order: its terms as accepted, and what changes. Links to its neighbours at its price
    level.
    """

    __slots__ = (
        "account",
        "client_order_ids",
        "create_time_ns",
        "fee",
        "fee_hold",
        "filled_lots",
        "filled_tick_lots",
        "leaves_lots",
        "level",
        "market",
        "next",
        "order_id",
        "previous",
        "price_ticks",
        "priority",
        "quantity_lots",
        "reason",
        "status",
        "terms",
    )

    def __init__(
        self, terms: OrderAccepted, account: "AccountState", market: "Market", time_ns: int
    ) -> None:
        self.terms = terms
        self.account = account
        self.market = market
        self.order_id = terms.order_id
        self.create_time_ns = time_ns
        self.client_order_ids: tuple[str, ...] = (terms.client_order_id,)
        self.price_ticks = terms.price_ticks
        self.quantity_lots = terms.quantity_lots
        self.leaves_lots = terms.quantity_lots
        self.filled_lots = 0
        self.filled_tick_lots = 0
        self.fee = 0
        self.fee_hold = terms.fee_hold
        self.status = _NEW
        self.reason = NO_REASON
        self.priority = terms.order_id
        self.level: Level | None = None
        self.previous: Order | None = None
        self.next: Order | None = None

    @property
    def client_order_id(self) -> str:
        """The latest client order id."""
        return self.client_order_ids[-1]

    @property
    def original_client_order_id(self) -> str:
        """The client order id with which it was placed."""
        return self.client_order_ids[0]

    def hold(self) -> tuple[str, int]:
        """Return the asset and the amount that the order holds now; a market order holds
        nothing.
        """
        terms, market = self.terms, self.market
        if terms.side is SELL:
            amount = self.leaves_lots * market.base_units_per_lot
            return market.base_asset, amount if terms.type is LIMIT else 0
        if terms.type is MARKET:
            return market.quote_asset, 0
        notional = self.price_ticks * self.leaves_lots * market.quote_units_per_tick_lot
        return market.quote_asset, notional + self.fee_hold
