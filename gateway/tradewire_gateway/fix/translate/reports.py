"""From executions and orders to ExecutionReport(8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tradewire.v1 import order_pb2
from tradewire_contract import reasons
from tradewire_contract.fix.rules import (
    NO_EXECUTION,
    NO_ORDER,
    NO_SIDE,
    NO_SYMBOL,
    STATUS_EXEC_TYPE,
)

from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.translate.errors import reason_text
from tradewire_gateway.fix.translate.plan import WritePlan, plans_of

EXECUTION_REPORT: Final = "8"
REJECTED: Final = "8"

_EXECUTION: Final = plans_of(EXECUTION_REPORT)["Execution"]
_ORDER: Final = WritePlan(order_pb2.Order.DESCRIPTOR)
_WORKING: Final = frozenset({order_pb2.ORDER_STATUS_NEW, order_pb2.ORDER_STATUS_PARTIALLY_FILLED})


class _Explanation:
    """What a reason adds to a report: Text(58) and codes, made once."""

    def __init__(self, number: int) -> None:
        entry = reasons()[number]
        self.text = reason_text(entry)
        self.restatement = "" if entry.restatement_reason is None else str(entry.restatement_reason)
        code = entry.order_reject_reason
        self.reject = "99" if code is None else str(code)


_EXPLANATIONS: Final = {number: _Explanation(number) for number in reasons()}


def execution_report(execution: order_pb2.Execution, *, is_copy: bool = False) -> str:
    """Return the encoded body of an execution's report; equal executions give equal bytes.

    Args:
        execution: what happened.
        is_copy: on a drop copy session; CopyMsgIndicator(797) says so.
    """
    return encode_fields(execution_fields(execution, is_copy=is_copy))


def execution_fields(execution: order_pb2.Execution, *, is_copy: bool = False) -> Fields:
    """Return the fields of an execution's report."""
    fields = Fields()
    _EXECUTION.write(execution, fields)
    order = execution.order
    fields[636] = "Y" if order.status in _WORKING else "N"
    if 136 in fields:
        # Fees are charged in the quote asset, which is what a symbol ends with.
        _, _, quote = order.symbol.rpartition("-")
        for fee in fields.group(136):
            fee[138] = quote or NO_SYMBOL
            fee[139] = fee.pop(139)
    if execution.command_client_order_id:
        _name_original(execution, fields)
    reason = execution.reason or order.reason
    if reason:
        explanation = _EXPLANATIONS.get(reason)
        if explanation is not None:
            _explain(explanation, execution.type, fields)
    if is_copy:
        fields[797] = "Y"
    return fields


def _name_original(execution: order_pb2.Execution, fields: Fields) -> None:
    """Set OrigClOrdID(41) where a command has its own ClOrdID(11): to the order's latest other."""
    latest = execution.order.client_order_id
    if latest and latest != execution.command_client_order_id:
        fields[41] = latest


def _explain(explanation: _Explanation, execution_type: int, fields: Fields) -> None:
    if execution_type == order_pb2.EXECUTION_TYPE_REJECTED:
        fields[103] = explanation.reject
    if explanation.restatement:
        fields[378] = explanation.restatement
    fields[58] = explanation.text


def order_status_report(
    order: order_pb2.Order,
    request: Message | None = None,
    *,
    as_of_sequence: int | None = None,
    total: int | None = None,
    is_last: bool = False,
) -> str:
    """Return the encoded body of a report that says how an order is: ExecType(150) = I.

    Args:
        order: the order.
        request: what asked for it, OrderStatusRequest(H) or OrderMassStatusRequest(AF).
        as_of_sequence: the execution sequence up to which that is true.
        total: how many reports answer an OrderMassStatusRequest(AF).
        is_last: whether it is the last of them.
    """
    fields = _status_head(request)
    _ORDER.write(order, fields)
    fields[636] = "Y" if order.status in _WORKING else "N"
    explanation = _EXPLANATIONS.get(order.reason)
    if explanation is not None:
        if order.status == order_pb2.ORDER_STATUS_REJECTED:
            fields[103] = explanation.reject
        fields[58] = explanation.text
    if as_of_sequence is not None:
        fields[20013] = str(as_of_sequence)
    _count(fields, total, is_last=is_last)
    return encode_fields(fields)


def order_status_reports(
    orders: Sequence[order_pb2.Order], request: Message, *, as_of_sequence: int
) -> Iterator[str]:
    """Yield the answer to an OrderMassStatusRequest(AF): a report each, or one for none."""
    if not orders:
        fields = unknown_order(request)
        fields[20013] = str(as_of_sequence)
        fields[58] = "There are no such orders"
        _count(fields, 0, is_last=True)
        yield encode_fields(fields)
    for number, order in enumerate(orders, 1):
        yield order_status_report(
            order,
            request,
            as_of_sequence=as_of_sequence,
            total=len(orders),
            is_last=number == len(orders),
        )


def unknown_order(request: Message) -> Fields:
    """Return the fields of a report about an order that there is none of."""
    fields = _status_head(request)
    fields[37] = request.body.text(37) or NO_ORDER
    echo(request, (11, 1), fields)
    fields[39] = REJECTED
    fields[55] = request.body.text(55) or NO_SYMBOL
    fields[54] = request.body.text(54) or NO_SIDE.value
    fields |= {151: "0", 14: "0", 6: "0"}
    return fields


def echo(request: Message, tags: Iterable[int], fields: Fields) -> None:
    """Repeat what a request says in some fields."""
    for tag in tags:
        value = request.body.get(tag)
        if value is not None:
            fields[tag] = value


def _status_head(request: Message | None) -> Fields:
    fields = Fields()
    if request is not None:
        echo(request, (790, 584), fields)
    fields[17] = NO_EXECUTION
    fields[150] = STATUS_EXEC_TYPE.value
    return fields


def _count(fields: Fields, total: int | None, *, is_last: bool) -> None:
    if total is not None:
        fields[911] = str(total)
        fields[912] = "Y" if is_last else "N"
