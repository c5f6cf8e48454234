"""What the venue says of an account at one moment, read into what checks can look up."""

import functools
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from tradewire.v1 import account_pb2, account_service_pb2, order_pb2, order_service_pb2

from tests.simulation.crash_wire import fields

TRADE: Final = order_pb2.EXECUTION_TYPE_TRADE
OPENING_TYPES: Final = (order_pb2.EXECUTION_TYPE_NEW, order_pb2.EXECUTION_TYPE_REJECTED)
FINAL_STATUSES: Final = (
    order_pb2.ORDER_STATUS_FILLED,
    order_pb2.ORDER_STATUS_CANCELED,
    order_pb2.ORDER_STATUS_EXPIRED,
    order_pb2.ORDER_STATUS_REJECTED,
)
ORDER_FIELD: Final = order_pb2.Execution.DESCRIPTOR.fields_by_name["order"].number


class Holding(NamedTuple):
    """The balance of one asset."""

    total: Decimal
    available: Decimal
    held: Decimal


class View(NamedTuple):
    """What the reads of the API say of an account, all at one execution sequence.

    `closed_orders` is None where they were not asked for. `found` is what GetOrder said of client
    ids before the executions were listed.
    """

    account: str
    executions: Sequence[bytes]
    ledger: Sequence[account_pb2.LedgerEntry]
    open_orders: Sequence[order_pb2.Order]
    closed_orders: Sequence[order_pb2.Order] | None
    balances: dict[str, Holding]
    found: dict[str, order_service_pb2.GetOrderResponse | None]


def holdings(response: account_service_pb2.ListBalancesResponse) -> dict[str, Holding]:
    """Return balances by asset."""
    return {
        balance.asset: Holding(
            Decimal(balance.total), Decimal(balance.available), Decimal(balance.held)
        )
        for balance in response.balances
    }


class Step(NamedTuple):
    """An execution, and the bytes of the order in it."""

    execution: order_pb2.Execution
    order_bytes: bytes

    @property
    def order(self) -> order_pb2.Order:
        """The order after it."""
        return self.execution.order

    @property
    def is_rejection(self) -> bool:
        """Tell whether it says that the order was never accepted."""
        return self.execution.type == order_pb2.EXECUTION_TYPE_REJECTED

    @property
    def is_final(self) -> bool:
        """Tell whether it closed the order."""
        return self.execution.order.status in FINAL_STATUSES


@functools.lru_cache(maxsize=1 << 20)
def step_of(data: bytes) -> Step:
    """Return a serialised execution, parsed."""
    order_bytes = next(value for number, value in fields(data) if number == ORDER_FIELD)
    return Step(order_pb2.Execution.FromString(data), order_bytes)


class Record:
    """An account's executions, in every order that a check asks for."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.account = view.account
        self.steps = [step_of(data) for data in view.executions]
        self.opened: dict[str, list[Step]] = defaultdict(list)
        self.commanded: dict[str, list[Step]] = defaultdict(list)
        self.by_order: dict[str, list[Step]] = defaultdict(list)
        self.orders_of_id: dict[str, set[str]] = defaultdict(set)
        for step in self.steps:
            self._add(step)
        self.entries = view.ledger
        self.moved: dict[str, list[account_pb2.LedgerEntry]] = defaultdict(list)
        for entry in self.entries:
            if entry.request_id:
                self.moved[entry.request_id].append(entry)

    def _add(self, step: Step) -> None:
        execution, order = step.execution, step.order
        self.by_order[order.order_id].append(step)
        if execution.type in OPENING_TYPES:
            self.opened[order.client_order_id].append(step)
            self.orders_of_id[order.client_order_id].add(order.order_id)
        elif execution.command_client_order_id:
            self.commanded[execution.command_client_order_id].append(step)
            self.orders_of_id[execution.command_client_order_id].add(order.order_id)

    def at(self, sequence: int) -> Step | None:
        """Return the execution of a sequence, None if there is none."""
        return self.steps[sequence - 1] if 0 < sequence <= len(self.steps) else None

    def state_at(self, order_id: str, sequence: int) -> order_pb2.Order | None:
        """Return an order as it was at a sequence, None if it was not there yet."""
        state = None
        for step in self.by_order.get(order_id, ()):
            if step.execution.sequence > sequence:
                break
            state = step.order
        return state

    def last_states(self, until: int | None = None) -> dict[str, Step]:
        """Return the newest execution of each order, as of a sequence."""
        return {step.order.order_id: step for step in self.steps[:until]}

    def movements(self) -> dict[str, Decimal]:
        """Return deposits minus withdrawals by asset."""
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for entries in self.moved.values():
            for change in (change for entry in entries for change in entry.changes):
                totals[change.asset] += Decimal(change.amount)
        return totals

    def money(self) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """Return what the account has by movements and trades, and the fees it paid, by asset."""
        totals = self.movements()
        fees: dict[str, Decimal] = defaultdict(Decimal)
        for step in self.steps:
            execution, order = step.execution, step.order
            if execution.type != TRADE:
                continue
            base, quote = order.symbol.split("-")
            sign = 1 if order.side == order_pb2.SIDE_BUY else -1
            quantity, fee = Decimal(execution.last_quantity), Decimal(execution.last_fee)
            totals[base] += sign * quantity
            totals[quote] -= sign * quantity * Decimal(execution.last_price) + fee
            fees[quote] += fee
        return totals, fees
