"""What the fold tells the outside while it folds: executions, ledger entries, public trades.

Recovery listens with the base class, which does nothing; so live and recovery use the same fold.
"""

from typing import NamedTuple

from tradewire_server.engine.order import Order
from tradewire_server.engine.state import Market
from tradewire_server.engine.vocabulary import (
    ExecutionType,
    LedgerEntryType,
    Liquidity,
    Reason,
    Side,
)


class Execution(NamedTuple):
    """One step of an order. `order` is the live order just after it: read it during the call
    only.
    """

    account: str
    sequence: int
    execution_id: int
    type: ExecutionType
    order: Order
    time_ns: int
    reason: Reason = Reason.UNSPECIFIED
    client_order_id: str = ""
    counter_order_id: int = 0
    last_lots: int = 0
    last_ticks: int = 0
    trade_id: int = 0
    liquidity: Liquidity = Liquidity.UNSPECIFIED
    last_fee: int = 0
    priority_kept: bool | None = None


class LedgerChange(NamedTuple):
    """The effect of a ledger entry on one asset, in its smallest unit."""

    asset: str
    amount: int
    total: int


class LedgerEntry(NamedTuple):
    """One movement of money of an account."""

    account: str
    ledger_sequence: int
    type: LedgerEntryType
    time_ns: int
    changes: tuple[LedgerChange, ...]
    request_id: str = ""
    market: Market | None = None
    trade_id: int = 0
    order_id: int = 0
    fee: int = 0


class PublicTrade(NamedTuple):
    """A trade as everybody sees it."""

    market: Market
    trade_id: int
    price_ticks: int
    quantity_lots: int
    taker_side: Side
    time_ns: int


class Listener:
    """Hears nothing."""

    def execution(self, execution: Execution) -> None:
        """Take an execution."""

    def ledger_entry(self, entry: LedgerEntry) -> None:
        """Take a ledger entry."""

    def public_trade(self, trade: PublicTrade) -> None:
        """Take a trade."""
