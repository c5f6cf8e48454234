"""A listener that keeps what the fold tells as plain values, and writes it as short lines.

The live order inside an execution changes with the next event, so everything is copied at once.
"""

from typing import NamedTuple

from tradewire_server.engine.listener import Execution, LedgerEntry, Listener, PublicTrade
from tradewire_server.engine.vocabulary import (
    ExecutionType,
    LedgerEntryType,
    Liquidity,
    OrderStatus,
    Reason,
    Side,
)


class ExecutionRow(NamedTuple):
    """An execution and its order just after it."""

    account: str
    sequence: int
    execution_id: int
    type: ExecutionType
    time_ns: int
    order_id: int
    original_client_order_id: str
    client_order_id: str
    symbol: str
    side: Side
    status: OrderStatus
    order_reason: Reason
    price_ticks: int
    quantity_lots: int
    filled_lots: int
    filled_tick_lots: int
    leaves_lots: int
    fee: int
    create_time_ns: int
    last_lots: int
    last_ticks: int
    trade_id: int
    liquidity: Liquidity
    last_fee: int
    reason: Reason
    command_client_order_id: str
    counter_order_id: int
    priority_kept: bool | None


class LedgerRow(NamedTuple):
    """A ledger entry; `changes` are (asset, amount, total)."""

    account: str
    ledger_sequence: int
    type: LedgerEntryType
    time_ns: int
    changes: tuple[tuple[str, int, int], ...]
    request_id: str
    symbol: str
    trade_id: int
    order_id: int
    fee: int


class TradeRow(NamedTuple):
    """A public trade."""

    symbol: str
    trade_id: int
    price_ticks: int
    quantity_lots: int
    taker_side: Side
    time_ns: int


class Recorder(Listener):
    """Keeps everything in the order in which it was told."""

    def __init__(self) -> None:
        self.executions: list[ExecutionRow] = []
        self.entries: list[LedgerRow] = []
        self.trades: list[TradeRow] = []

    def execution(self, execution: Execution) -> None:
        order = execution.order
        self.executions.append(
            ExecutionRow(
                account=execution.account,
                sequence=execution.sequence,
                execution_id=execution.execution_id,
                type=execution.type,
                time_ns=execution.time_ns,
                order_id=order.order_id,
                original_client_order_id=order.original_client_order_id,
                client_order_id=order.client_order_id,
                symbol=order.terms.symbol,
                side=order.terms.side,
                status=order.status,
                order_reason=order.reason,
                price_ticks=order.price_ticks,
                quantity_lots=order.quantity_lots,
                filled_lots=order.filled_lots,
                filled_tick_lots=order.filled_tick_lots,
                leaves_lots=order.leaves_lots,
                fee=order.fee,
                create_time_ns=order.create_time_ns,
                last_lots=execution.last_lots,
                last_ticks=execution.last_ticks,
                trade_id=execution.trade_id,
                liquidity=execution.liquidity,
                last_fee=execution.last_fee,
                reason=execution.reason,
                command_client_order_id=execution.client_order_id,
                counter_order_id=execution.counter_order_id,
                priority_kept=execution.priority_kept,
            )
        )

    def ledger_entry(self, entry: LedgerEntry) -> None:
        self.entries.append(
            LedgerRow(
                account=entry.account,
                ledger_sequence=entry.ledger_sequence,
                type=entry.type,
                time_ns=entry.time_ns,
                changes=tuple((c.asset, c.amount, c.total) for c in entry.changes),
                request_id=entry.request_id,
                symbol=entry.market.instrument.symbol if entry.market else "",
                trade_id=entry.trade_id,
                order_id=entry.order_id,
                fee=entry.fee,
            )
        )

    def public_trade(self, trade: PublicTrade) -> None:
        self.trades.append(TradeRow(trade.market.instrument.symbol, *trade[1:]))


def execution_line(row: ExecutionRow) -> str:
    """Return an execution as one line: order, what happened, its state, why.

    `bob TRADE b1 buy 2/5@100 PARTIALLY_FILLED leaves 3, taker 2@100 fee 40`: two of five lots are
    filled.
    """
    terms = f"{row.side.name.lower()} {row.filled_lots}/{row.quantity_lots}@{row.price_ticks}"
    leaves = f" leaves {row.leaves_lots}" if row.leaves_lots else ""
    order = f"{row.client_order_id} {terms} {row.status.name}{leaves}"
    parts = [f"{row.account} {row.type.name} {order}"]
    if row.last_lots:
        parts.append(
            f"{row.liquidity.name.lower()} {row.last_lots}@{row.last_ticks} fee {row.last_fee}"
        )
    if row.reason:
        parts.append(row.reason.name)
    if row.counter_order_id:
        parts.append(f"counter {row.counter_order_id}")
    if row.command_client_order_id:
        parts.append(f"by {row.command_client_order_id}")
    if row.priority_kept is not None:
        parts.append("priority kept" if row.priority_kept else "priority lost")
    return ", ".join(parts)


def ledger_line(row: LedgerRow) -> str:
    """Return a ledger entry as one line: `bob TRADE BTC +2000=2000 USD -20040=979960 fee 40`."""
    changes = " ".join(f"{asset} {amount:+}={total}" for asset, amount, total in row.changes)
    fee = f" fee {row.fee}" if row.fee else ""
    request = f" {row.request_id}" if row.request_id else ""
    return f"{row.account} {row.type.name} {changes}{fee}{request}"


def trade_line(row: TradeRow) -> str:
    """Return a public trade as one line: `BTC-USD 1 2@100 BUY`."""
    return (
        f"{row.symbol} {row.trade_id} {row.quantity_lots}@{row.price_ticks} {row.taker_side.name}"
    )
