"""What must hold after every crash: pure functions over the history and what the API says.

Each check yields a sentence per violation. None of them looks at the venue's inside; that is
`crash_journal`'s part.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from google.protobuf.message import Message
from tradewire.v1 import order_pb2, order_service_pb2, reason_pb2

from tests.simulation.crash_record import OPENING_TYPES, Record, Step
from tests.support.history import Answer, Failure, History, Kind, Operation, Verdict

CANCELED: Final = order_pb2.EXECUTION_TYPE_CANCELED
EXPIRED: Final = order_pb2.EXECUTION_TYPE_EXPIRED
DISCONNECTED: Final = reason_pb2.REASON_DISCONNECTED
MASS_CANCELED: Final = reason_pb2.REASON_MASS_CANCELED
REPRICED: Final = reason_pb2.REASON_REPRICED
COMMANDED_TYPES: Final = {Kind.AMEND: order_pb2.EXECUTION_TYPE_REPLACED, Kind.CANCEL: CANCELED}

Violations = Iterator[str]


class Copy(NamedTuple):
    """What a follower of an account was sent, from the first execution on, over all streams.

    `complete`: it had the time to get everything.
    """

    name: str
    account: str
    executions: Sequence[bytes]
    complete: bool


# --- one account's executions ---------------------------------------------------------------------


def check_sequence(record: Record) -> Violations:
    """Check that executions are numbered 1 to n, and that time and execution ids never go back."""
    before = order_pb2.Execution()
    for number, step in enumerate(record.steps, 1):
        execution = step.execution
        if execution.sequence != number:
            yield f"{record.account}: execution {number} has the sequence {execution.sequence}"
        if execution.order.account != record.account:
            yield f"{record.account}: execution {number} is of {execution.order.account}"
        if number > 1 and int(execution.execution_id) <= int(before.execution_id):
            yield f"{record.account}: execution {number} has an id that does not ascend"
        if execution.transact_time.ToNanoseconds() < before.transact_time.ToNanoseconds():
            yield f"{record.account}: execution {number} happened before the one before it"
        before = execution


def check_life_cycles(record: Record) -> Violations:
    """Check that each order begins once, and that nothing happens to it behind its end."""
    for order_id, steps in record.by_order.items():
        place = f"{record.account}: order {order_id}"
        if steps[0].execution.type not in OPENING_TYPES:
            yield f"{place} begins with execution {steps[0].execution.sequence}, not with NEW"
        for before, step in itertools.pairwise(steps):
            if step.execution.type in OPENING_TYPES:
                yield f"{place} begins again with execution {step.execution.sequence}"
            if before.is_final:
                yield f"{place} goes on behind its end, execution {before.execution.sequence}"
            filled = Decimal(step.order.filled_quantity) - Decimal(before.order.filled_quantity)
            if filled != Decimal(step.execution.last_quantity or 0):
                yield f"{place}: execution {step.execution.sequence} filled {filled}"
        for step in steps:
            if step.execution.reason == DISCONNECTED and not step.order.cancel_on_disconnect:
                yield f"{place} was canceled with a connection that it is not bound to"
            if step.is_final and Decimal(step.order.leaves_quantity):
                yield f"{place} is closed and has leaves"


def check_orders(record: Record) -> Violations:
    """Check that ListOrders and GetOrder show each order as its newest execution does."""
    states = record.last_states()
    opened = {i: step.order for i, step in states.items() if not step.is_final}
    yield from _compare_orders(f"{record.account}: open", opened, record.view.open_orders)
    if record.view.closed_orders is not None:
        closed = {i: step.order for i, step in states.items() if step.is_final}
        yield from _compare_orders(f"{record.account}: closed", closed, record.view.closed_orders)
    for client_order_id, response in record.view.found.items():
        yield from _check_found(record, client_order_id, response)


def _check_found(
    record: Record, client_order_id: str, response: order_service_pb2.GetOrderResponse | None
) -> Violations:
    expected = record.orders_of_id.get(client_order_id, set())
    place = f"{record.account}: GetOrder of {client_order_id}"
    found = {response.order.order_id} if response is not None else set()
    if found != expected:
        yield f"{place} finds {sorted(found)}, the executions {sorted(expected)}"
    elif response is not None:
        order = response.order
        if order != record.state_at(order.order_id, response.as_of_sequence):
            yield f"{place} is not as its execution as of {response.as_of_sequence}"


def _compare_orders(
    place: str, expected: Mapping[str, order_pb2.Order], listed: Sequence[order_pb2.Order]
) -> Violations:
    ids = [int(order.order_id) for order in listed]
    if any(later <= earlier for earlier, later in itertools.pairwise(ids)):
        yield f"{place} orders are not listed by ascending id"
    shown = {order.order_id: order for order in listed}
    for order_id in sorted(expected.keys() ^ shown.keys(), key=int):
        lacking = "executions" if order_id in shown else "list"
        yield f"{place} order {order_id} is missing in the {lacking}"
    for order_id in expected.keys() & shown.keys():
        if expected[order_id] != shown[order_id]:
            yield f"{place} order {order_id} is not listed as its last execution shows it"


# --- what clients were told -----------------------------------------------------------------------


def check_operations(history: History, records: Mapping[str, Record]) -> Violations:
    """Check that acknowledged and rejected are there once, refused not, unknown at most once."""
    for operation in history.operations:
        yield from _check_operation(operation, records[operation.account])
    for record in records.values():
        for kinds, found in (
            ((Kind.PLACE,), record.opened),
            ((Kind.AMEND, Kind.CANCEL), record.commanded),
        ):
            for client_order_id in found:
                known = history.by_id.get((record.account, client_order_id))
                if known is None or known.kind not in kinds:
                    yield f"{record.account}: nobody sent {client_order_id}"


def _check_operation(operation: Operation, record: Record) -> Violations:
    answer, verdict = operation.first_answer, operation.verdict
    if operation.client_order_id:
        found = steps_of(operation, record)
        if len(found) > 1:
            yield f"{operation}: {verdict.value}, took effect {len(found)} times"
        if not found and (answer is not None or operation.found):
            yield f"{operation}: {verdict.value}, and is lost"
        if found and verdict is Verdict.REFUSED:
            yield f"{operation}: refused, and is there"
        for step in found:
            yield from _check_content(operation, step)
    if isinstance(answer, Answer):
        yield from _check_answer(operation, answer, record)
    elif isinstance(answer, Failure):
        yield from _check_rejection(operation, answer, record)


def steps_of(operation: Operation, record: Record) -> list[Step]:
    """Return the executions in which an operation took effect."""
    if operation.kind is Kind.PLACE:
        return record.opened.get(operation.client_order_id, [])
    wanted = COMMANDED_TYPES[operation.kind]
    found = record.commanded.get(operation.client_order_id, [])
    return [step for step in found if step.execution.type == wanted]


def _check_answer(operation: Operation, answer: Answer, record: Record) -> Violations:
    """Check that the answer is the order as it was at that sequence, byte for byte."""
    sequence = answer.as_of_sequence
    if operation.kind is Kind.CANCEL_ALL:
        steps = record.steps[max(sequence - answer.canceled_count, 0) : sequence]
        canceled = [step for step in steps if step.execution.reason == MASS_CANCELED]
        if len(canceled) != answer.canceled_count:
            yield f"{operation}: {answer.canceled_count} orders canceled up to {sequence}, not so"
        return
    step = record.at(sequence)
    if step is None:
        yield f"{operation}: acknowledged as of {sequence}, executions end at {len(record.steps)}"
        return
    if step.order_bytes != answer.order:
        yield f"{operation}: acknowledged as of {sequence} with another order than is there"
    if operation.kind is Kind.CANCEL and step.execution.type != CANCELED:
        yield f"{operation}: execution {sequence} is no cancel"
    if operation.client_order_id:
        effect = steps_of(operation, record)
        if effect and effect[0].execution.order.order_id != step.order.order_id:
            yield f"{operation}: answered with order {step.order.order_id}, is another"
        if effect and effect[0].execution.priority_kept != answer.priority_kept:
            yield f"{operation}: the answer and the execution disagree about its priority"


def _check_rejection(operation: Operation, failure: Failure, record: Record) -> Violations:
    metadata = dict(failure.metadata)
    step = record.at(int(metadata["sequence"]))
    if step is None or step.execution.type != order_pb2.EXECUTION_TYPE_REJECTED:
        yield f"{operation}: execution {metadata['sequence']} is no rejection"
    elif (step.order.client_order_id, step.order.order_id, step.execution.reason) != (
        operation.client_order_id,
        metadata["order_id"],
        reason_pb2.Reason.Value(f"REASON_{failure.reason}"),
    ):
        yield f"{operation}: execution {metadata['sequence']} is another rejection"


def _check_content(operation: Operation, step: Step) -> Violations:
    """Check that what took effect is what was sent."""
    request, order = operation.request, step.order
    if isinstance(request, order_service_pb2.PlaceOrderRequest):
        flags = {attempt.cancel_on_disconnect for attempt in operation.attempts}
        # A rejected order never works, so it is bound to nothing.
        if not step.is_rejection and order.cancel_on_disconnect not in flags:
            yield f"{operation}: entered by a connection that did not send it"
        if (order.symbol, order.side, order.type) != (request.symbol, request.side, request.type):
            yield f"{operation}: entered as another order"
    for name in ("quantity", "quote_quantity", "price"):
        if step.execution.reason == REPRICED and name == "price":
            continue
        if _decimal(request, name) not in (None, _decimal(order, name)):
            yield f"{operation}: {name} was {_decimal(request, name)}, is {_decimal(order, name)}"


def _decimal(message: Message, name: str) -> Decimal | None:
    if name not in message.DESCRIPTOR.fields_by_name or not message.HasField(name):
        return None
    return Decimal(getattr(message, name))


# --- followers ------------------------------------------------------------------------------------


def check_copy(copy: Copy, record: Record) -> Violations:
    """Check that what a follower was ever sent is what is there now."""
    place = f"follower {copy.name} of {copy.account}"
    truth = record.view.executions
    for sequence, (had, has) in enumerate(zip(copy.executions, truth, strict=False), 1):
        if had != has:
            yield f"{place}: execution {sequence} has other bytes now"
    if len(copy.executions) > len(truth):
        yield f"{place}: was sent {len(copy.executions) - len(truth)} executions that are lost"
    elif copy.complete and len(copy.executions) < len(truth):
        yield f"{place}: lacks {len(truth) - len(copy.executions)} executions"


# --- recovery -------------------------------------------------------------------------------------


def check_durable(
    history: History, copies: Iterable[Copy], durable: Mapping[str, int]
) -> Violations:
    """Check that nothing was told to anybody that the journal of the dead venue does not hold.

    `durable` is the head of each account's executions or, with the history of money, its ledger.
    """
    for copy in copies:
        if len(copy.executions) > durable[copy.account]:
            yield f"follower {copy.name} of {copy.account}: was sent more than was durable"
    for operation in history.operations:
        answer = operation.first_answer
        if isinstance(answer, Answer) and answer.as_of_sequence > durable[operation.account]:
            yield f"{operation}: acknowledged before it was durable"


def check_recovery(record: Record, durable: int) -> Violations:
    """Check that before it serves the venue does one thing: cancel orders of lost connections.

    `durable` is how many executions the journal held when the venue was dead. Nobody has entered
    anything since.
    """
    if len(record.steps) < durable:
        yield f"{record.account}: {durable} executions were durable, {len(record.steps)} are left"
    before = record.last_states(durable)
    bound = {
        order_id
        for order_id, step in before.items()
        if step.order.cancel_on_disconnect and not step.is_final
    }
    for step in record.steps[durable:]:
        execution, order_id = step.execution, step.order.order_id
        orphaned = execution.type == CANCELED and execution.reason == DISCONNECTED
        if orphaned and order_id in bound:
            bound.remove(order_id)
        elif execution.type == EXPIRED:
            bound.discard(order_id)
        else:
            yield f"{record.account}: execution {execution.sequence} came with the recovery"
    for order_id in sorted(bound, key=int):
        yield f"{record.account}: order {order_id} outlived its connection"


# --- all of it ------------------------------------------------------------------------------------

ACCOUNT_CHECKS: Final[tuple[Callable[[Record], Violations], ...]] = (
    check_sequence,
    check_life_cycles,
    check_orders,
)


def check_all(
    history: History, records: Mapping[str, Record], copies: Iterable[Copy]
) -> Violations:
    """Run every check of orders that needs no knowledge of when the venue died."""
    for record in records.values():
        for check in ACCOUNT_CHECKS:
            yield from check(record)
    yield from check_operations(history, records)
    for copy in copies:
        yield from check_copy(copy, records[copy.account])
