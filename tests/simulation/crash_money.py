"""Money in a crash run: deposits and withdrawals that are repeated, and what must hold of it.

The operator's movements have a history of their own, whose ids are their request ids.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from tradewire.v1 import account_pb2, admin_service_pb2, order_pb2

from tests.simulation.crash_record import TRADE, Holding, Record
from tests.simulation.crash_wire import Connection
from tests.simulation.crash_world import DEPOSITS, TAKER_RATE
from tests.support.history import Answer, Failure, History, Kind, Operation, Verdict

RETRY_SHARE: Final = 0.1
PAUSE_S: Final = 0.02
RICH: Final = ("alice", "bob")
SMALLEST_USD: Final = Decimal("1e-10")
# The ledger's signs: what a command adds.
SIGNS: Final = {Kind.DEPOSIT: 1, Kind.WITHDRAW: -1}
FOUNDING: Final = {
    (account, f"{account}-{asset}"): (asset, amount)
    for (account, asset), amount in DEPOSITS.items()
}

Violations = Iterator[str]


class Cashier:
    """The operator: moves small amounts in and out, and repeats what it is not sure of."""

    def __init__(self, chance: random.Random) -> None:
        self.history = History()
        self._chance = chance

    async def run(self, connection: Connection, *, life: int) -> None:
        """Move money as long as the venue lives."""
        while True:
            known = self.history.operations
            if known and self._chance.random() < RETRY_SHARE:
                operation = self._chance.choice(known)
            else:
                operation = self._next()
            if not await self.send(operation, connection, life=life):
                return
            await asyncio.sleep(self._chance.uniform(0, PAUSE_S))

    async def send(self, operation: Operation, connection: Connection, *, life: int) -> bool:
        """Send a movement; False when nobody said what became of it."""
        attempt = self.history.invoke(operation, life=life)
        result = await connection.command(operation.kind, operation.request)
        if result is not None:
            self.history.complete(operation, attempt, result)
        return result is not None

    def _next(self) -> Operation:
        chance = self._chance
        kind = chance.choice((Kind.DEPOSIT, Kind.WITHDRAW))
        make = (
            admin_service_pb2.CreateDepositRequest
            if kind is Kind.DEPOSIT
            else admin_service_pb2.CreateWithdrawalRequest
        )
        request = make(
            request_id=f"m-{len(self.history.operations)}",
            account=chance.choice(RICH),
            asset=chance.choice(("USD", "BTC")),
            amount=f"0.{chance.randint(1, 9_999):04d}",
        )
        return self.history.begin(
            request.account, kind, request, client_order_id=request.request_id
        )


# --- the ledger -----------------------------------------------------------------------------------


def check_ledger(record: Record) -> Violations:
    """Check that the ledger is numbered 1 to n, adds up, and has the trades of the executions."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for number, entry in enumerate(record.entries, 1):
        place = f"{record.account}: ledger entry {number}"
        if entry.ledger_sequence != number:
            yield f"{place} has the sequence {entry.ledger_sequence}"
        for change in entry.changes:
            total = totals[change.asset] = totals[change.asset] + Decimal(change.amount)
            if Decimal(change.total) != total:
                yield f"{place}: {change.asset} is {change.total}, adds up to {total}"
    for asset, holding in record.view.balances.items():
        if holding.total != totals[asset]:
            yield f"{record.account}: {asset} is {holding.total}, in the ledger {totals[asset]}"
    booked = [(e.order_id, e.symbol, e.trade_id, e.fee) for e in record.entries if e.order_id]
    traded = [
        (step.order.order_id, step.order.symbol, step.execution.trade_id, step.execution.last_fee)
        for step in record.steps
        if step.execution.type == TRADE
    ]
    if booked != traded:
        yield f"{record.account}: the ledger has other trades than the executions"


def check_movements(history: History, records: Mapping[str, Record]) -> Violations:
    """Check that each movement is in the ledger as often as was said, and no other is."""
    for operation in history.operations:
        record = records[operation.account]
        found = record.moved.get(operation.client_order_id, [])
        answer, verdict = operation.first_answer, operation.verdict
        if len(found) > 1:
            yield f"{operation}: {verdict.value}, took effect {len(found)} times"
        if found and verdict is Verdict.REFUSED:
            yield f"{operation}: refused, and is there"
        if isinstance(answer, Failure):
            yield f"{operation}: rejected, which movements are not: {answer}"
        if isinstance(answer, Answer) and [answer.as_of_sequence] != [
            entry.ledger_sequence for entry in found
        ]:
            yield f"{operation}: acknowledged as {answer.as_of_sequence}, and is not that"
        for entry in found:
            yield from _check_movement(operation, entry)
    for record in records.values():
        for request_id, entries in record.moved.items():
            yield from _check_known(history, record.account, request_id, entries)


def _check_movement(operation: Operation, entry: account_pb2.LedgerEntry) -> Violations:
    request = operation.request
    assert isinstance(
        request,
        admin_service_pb2.CreateDepositRequest | admin_service_pb2.CreateWithdrawalRequest,
    )
    amount = SIGNS[operation.kind] * Decimal(request.amount)
    booked = [(change.asset, Decimal(change.amount)) for change in entry.changes]
    if booked != [(request.asset, amount)]:
        yield f"{operation}: {amount} {request.asset} was booked as {booked}"


def _check_known(
    history: History, account: str, request_id: str, entries: list[account_pb2.LedgerEntry]
) -> Violations:
    founding = FOUNDING.get((account, request_id))
    booked = [(c.asset, Decimal(c.amount)) for entry in entries for c in entry.changes]
    if founding is not None and booked != [founding]:
        yield f"{account}: founded with {founding}, booked as {booked}"
    if founding is None and (account, request_id) not in history.by_id:
        yield f"{account}: nobody asked for {request_id}"


# --- balances and trades --------------------------------------------------------------------------


def check_money(records: Iterable[Record], fees_account: Mapping[str, Holding]) -> Violations:
    """Check that balances are deposits and trades, held is for orders, and no money is lost."""
    fees: dict[str, Decimal] = defaultdict(Decimal)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    moved: dict[str, Decimal] = defaultdict(Decimal)
    for record in records:
        totals, paid = record.money()
        for asset, amount in record.movements().items():
            moved[asset] += amount
        for asset, amount in paid.items():
            fees[asset] += amount
        yield from _check_balances(record, totals)
        for asset, holding in record.view.balances.items():
            sums[asset] += holding.total
    for asset, amount in fees.items():
        taken = fees_account[asset].total if asset in fees_account else Decimal(0)
        if taken != amount:
            yield f"fees in {asset}: paid {amount}, taken {taken}"
    for asset, holding in fees_account.items():
        sums[asset] += holding.total
    for asset in moved.keys() | sums.keys():
        if sums[asset] != moved[asset]:
            yield f"all accounts together have {sums[asset]} {asset}, not {moved[asset]}"


def _check_balances(record: Record, totals: Mapping[str, Decimal]) -> Violations:
    low, high = holds_of(record)
    for asset in totals.keys() | record.view.balances.keys():
        holding = record.view.balances.get(asset, Holding(Decimal(0), Decimal(0), Decimal(0)))
        place = f"{record.account}: {asset}"
        if holding.total != totals.get(asset, 0):
            yield f"{place} is {holding.total}, by its trades it is {totals.get(asset, 0)}"
        if holding.available + holding.held != holding.total or holding.available < 0:
            yield f"{place}: {holding.available} and {holding.held} are not {holding.total}"
        if not low[asset] <= holding.held <= high[asset]:
            yield f"{place}: held is {holding.held}, orders need {low[asset]} to {high[asset]}"


def holds_of(record: Record) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Return the least and the most that open orders may hold, by asset.

    A buy holds fees too: those of its quantity and price at most, some of which may be used up.
    """
    low: dict[str, Decimal] = defaultdict(Decimal)
    high: dict[str, Decimal] = defaultdict(Decimal)
    for order in record.view.open_orders:
        base, quote = order.symbol.split("-")
        leaves, price = Decimal(order.leaves_quantity), Decimal(order.price)
        if order.side == order_pb2.SIDE_SELL:
            low[base] += leaves
            high[base] += leaves
            continue
        states = [step.order for step in record.by_order[order.order_id]]
        notional = max(Decimal(state.price) * Decimal(state.quantity) for state in states)
        low[quote] += leaves * price
        high[quote] += leaves * price + notional * TAKER_RATE + SMALLEST_USD
    return low, high


def check_trades(records: Iterable[Record]) -> Violations:
    """Check that trades are numbered, each seen by one maker and one taker at one price."""
    sides: dict[tuple[str, int], list[order_pb2.Execution]] = defaultdict(list)
    for record in records:
        for step in record.steps:
            if step.execution.type == TRADE:
                sides[step.order.symbol, step.execution.trade_id].append(step.execution)
    for (symbol, trade_id), executions in sides.items():
        parts = sorted(execution.liquidity for execution in executions)
        if parts != [order_pb2.LIQUIDITY_MAKER, order_pb2.LIQUIDITY_TAKER]:
            yield f"{symbol}: trade {trade_id} has {len(executions)} sides"
        if len({(e.last_price, e.last_quantity) for e in executions}) != 1:
            yield f"{symbol}: the sides of trade {trade_id} disagree"
    for symbol, count in Counter(symbol for symbol, _ in sides).items():
        if max(number for name, number in sides if name == symbol) != count:
            yield f"{symbol}: the trades are not numbered 1 to {count}"


def check_all(
    history: History, records: Mapping[str, Record], fees_account: Mapping[str, Holding]
) -> Violations:
    """Run every check of money."""
    for record in records.values():
        yield from check_ledger(record)
    yield from check_movements(history, records)
    yield from check_money(records.values(), fees_account)
    yield from check_trades(records.values())
