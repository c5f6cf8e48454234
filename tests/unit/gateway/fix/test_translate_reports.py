"""Executions and orders become ExecutionReports(8) that say all that the contract has."""

from typing import Any

import pytest
from hypothesis import given
from tradewire.v1 import order_pb2, reason_pb2
from tradewire_contract import reasons
from tradewire_contract.fix import fix_contract
from tradewire_contract.fix.placement import enum_values, placed
from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.translate import (
    execution_report,
    order_status_report,
    order_status_reports,
)

from tests.unit.gateway.fix.translated import messages_of, report, request, text_of

TRADE = order_pb2.Execution(
    sequence=42,
    execution_id="5003",
    type=order_pb2.EXECUTION_TYPE_TRADE,
    order=order_pb2.Order(
        order_id="1001",
        client_order_id="A-1",
        account="demo-1",
        symbol="BTC-USD",
        side=order_pb2.SIDE_BUY,
        type=order_pb2.ORDER_TYPE_LIMIT,
        time_in_force=order_pb2.TIME_IN_FORCE_GTC,
        quantity="0.01",
        price="60000",
        post_only=order_pb2.POST_ONLY_REPRICE,
        status=order_pb2.ORDER_STATUS_PARTIALLY_FILLED,
        filled_quantity="0.004",
        leaves_quantity="0.006",
        average_price="60000.5",
        fee="0.24",
        cancel_on_disconnect=True,
    ),
    last_quantity="0.004",
    last_price="60000.5",
    trade_id=12,
    liquidity=order_pb2.LIQUIDITY_MAKER,
    last_fee="0.24",
)
TRADE.order.create_time.FromNanoseconds(1_795_342_529_000_001_000)
TRADE.transact_time.FromNanoseconds(1_795_342_530_123_456_000)


AMENDED = {"client_order_id": "G-1", "original_client_order_id": "A-1"}


def changed(**values: Any) -> order_pb2.Execution:
    """Return the trade with other values; those of the order stand in `order`."""
    execution = order_pb2.Execution()
    execution.CopyFrom(TRADE)
    for name, value in values.pop("order", {}).items():
        setattr(execution.order, name, value)
    for name, value in values.items():
        setattr(execution, name, value)
    return execution


def test_a_trade_in_full() -> None:
    assert text_of(report(execution_report(TRADE))) == (
        "37=1001|11=A-1|1=demo-1|55=BTC-USD|54=1|40=2|59=1|38=0.01|44=60000|18=R|39=1|14=0.004|"
        "151=0.006|6=60000.5|20009=0.24|20010=20261122-10:15:29.000001|20008=Y|20001=42|17=5003|"
        "150=F|60=20261122-10:15:30.123456|32=0.004|31=60000.5|20004=12|851=1|"
        "136=1|137=0.24|138=USD|139=4|636=Y|"
    )


def test_the_same_execution_is_always_the_same_bytes() -> None:
    again = order_pb2.Execution.FromString(TRADE.SerializeToString())
    assert execution_report(again) == execution_report(TRADE)


def test_times_are_written_in_microseconds() -> None:
    execution = order_pb2.Execution()
    execution.CopyFrom(TRADE)
    execution.transact_time.FromNanoseconds(1_795_342_530_123_456_789)
    assert report(execution_report(execution))[60] == "20261122-10:15:30.123456"


def test_a_drop_copy_says_so_and_nothing_else_differs() -> None:
    copy = report(execution_report(TRADE, is_copy=True))
    assert copy.pop(797) == "Y"
    assert copy == report(execution_report(TRADE))


@given(messages_of(order_pb2.Execution.DESCRIPTOR, required=("sequence", "transact_time")))
def test_any_execution_is_a_report_that_the_dictionary_allows(
    execution: order_pb2.Execution,
) -> None:
    """But what FIX always wants; the venue never sends an execution without it."""
    for name, value in {
        "order_id": "1",
        "symbol": "BTC-USD",
        "side": 1,
        "status": 1,
        "leaves_quantity": "0",
        "filled_quantity": "0",
        "average_price": "0",
    }.items():
        setattr(execution.order, name, value)
    execution.execution_id = "1"
    execution.type = execution.type or order_pb2.EXECUTION_TYPE_NEW
    fields = report(execution_report(execution))
    expected = {
        place.rule.group or place.rule.tag
        for place in placed(order_pb2.Execution.DESCRIPTOR)
        if _is_written(execution.order if place.path else execution, place.field)
    }
    beside = {41, 58, 103, 378, 636}
    assert expected - beside <= fields.keys() <= expected | beside


def _is_written(message: Any, field: Any) -> bool:
    if field.has_presence:
        is_text = field.cpp_type == field.CPPTYPE_STRING
        return bool(message.HasField(field.name) and (not is_text or getattr(message, field.name)))
    is_number = field.cpp_type == field.CPPTYPE_INT64
    return is_number or bool(getattr(message, field.name))


def field_cases() -> list[tuple[int, str, tuple[str, ...]]]:
    return [
        (place.rule.tag, place.field.name, place.path)
        for place in placed(order_pb2.Execution.DESCRIPTOR)
    ]


@pytest.mark.parametrize(
    ("tag", "name", "path"), field_cases(), ids=[f"{c[0]}-{c[1]}" for c in field_cases()]
)
def test_every_annotated_field_is_written(tag: int, name: str, path: tuple[str, ...]) -> None:
    execution = order_pb2.Execution()
    target: Any = execution.order if path else execution
    field = target.DESCRIPTOR.fields_by_name[name]
    if field.message_type is not None:
        getattr(target, name).FromNanoseconds(1_795_342_530_123_456_000)
        expected = "20261122-10:15:30.123456"
    elif field.enum_type is not None:
        number, value = next(iter(enum_values(field.enum_type).items()))
        setattr(target, name, number)
        expected = value.value
    elif field.cpp_type == field.CPPTYPE_BOOL:
        setattr(target, name, True)
        expected = "Y"
    else:
        setattr(target, name, "17" if field.cpp_type == field.CPPTYPE_STRING else 17)
        expected = "17"
    execution.order.SetInParent()
    written = execution_report(execution).split("\x01")
    assert f"{tag}={expected}" in written


def enum_cases() -> list[tuple[int, tuple[str, ...], str, int, str]]:
    return [
        (place.rule.tag, place.path, place.field.name, number, value.value)
        for place in placed(order_pb2.Execution.DESCRIPTOR)
        if place.field.enum_type is not None
        for number, value in enum_values(place.field.enum_type).items()
    ]


@pytest.mark.parametrize(
    ("tag", "path", "name", "number", "value"),
    enum_cases(),
    ids=[f"{'order-' if c[1] else ''}{c[0]}={c[4]}" for c in enum_cases()],
)
def test_every_value_of_every_enum_is_written(
    tag: int, path: tuple[str, ...], name: str, number: int, value: str
) -> None:
    execution = changed(order={name: number}) if path else changed(**{name: number})
    assert report(execution_report(execution))[tag] == value


def test_a_number_that_this_release_does_not_know_is_written_as_a_number() -> None:
    assert "\x0140=77\x01" in execution_report(changed(order={"type": 77}))


@pytest.mark.parametrize(
    ("order", "command", "replaced", "expected"),
    [
        ({}, "", "", {11: "A-1"}),
        # A canceled order: the cancel's id, and the order's.
        ({}, "C-1", "", {11: "C-1", 41: "A-1"}),
        # An amended order, when it is amended (again), later, and when it is canceled.
        (AMENDED, "G-1", "A-1", {11: "G-1", 41: "A-1"}),
        (AMENDED, "G-1", "G-0", {11: "G-1", 41: "G-0"}),
        (AMENDED, "", "", {11: "G-1", 41: "A-1"}),
        (AMENDED, "C-1", "", {11: "C-1", 41: "G-1"}),
    ],
)
def test_ids_are_those_of_the_command_and_of_the_order(
    order: dict[str, str], command: str, replaced: str, expected: dict[int, str]
) -> None:
    execution = changed(
        order=order, command_client_order_id=command, replaced_client_order_id=replaced
    )
    fields = report(execution_report(execution))
    assert {tag: fields[tag] for tag in (11, 41) if tag in fields} == expected


REJECTIONS = [entry for entry in reasons().values() if entry.outcome == "rejected"]
EVENTS = [entry for entry in reasons().values() if entry.outcome == "order_event"]


@pytest.mark.parametrize("entry", REJECTIONS, ids=lambda entry: entry.name)
def test_a_rejected_order_says_why_in_words_and_codes(entry: Any) -> None:
    execution = changed(
        type=order_pb2.EXECUTION_TYPE_REJECTED,
        reason=entry.number,
        order={"status": order_pb2.ORDER_STATUS_REJECTED, "reason": entry.number},
    )
    fields = report(execution_report(execution))
    assert fields[150] == fields[39] == "8"
    assert fields[103] == str(entry.order_reject_reason)
    assert fields[20002] == entry.name
    assert fields[58] == f"{entry.name}: {entry.advice}"
    assert fields[20001] == "42"


@pytest.mark.parametrize("entry", EVENTS, ids=lambda entry: entry.name)
def test_what_nobody_asked_for_says_why(entry: Any) -> None:
    execution = changed(type=order_pb2.EXECUTION_TYPE_CANCELED, reason=entry.number)
    fields = report(execution_report(execution))
    assert fields[20002] == fields[58] == entry.name
    code = entry.restatement_reason
    assert fields.get(378) == (None if code is None else str(code))
    assert 103 not in fields


def test_what_was_asked_for_has_no_restatement_reason() -> None:
    asked = {"USER_CANCELED", "MASS_CANCELED", "EXPIRED", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"}
    assert {entry.name for entry in EVENTS if entry.restatement_reason is None} == asked


def test_a_status_report_is_no_execution() -> None:
    asked = request("H", "11=A-1|790=S-1|")
    fields = report(order_status_report(TRADE.order, asked, as_of_sequence=42))
    assert (fields[150], fields[17], fields[790], fields[20013]) == ("I", "0", "S-1", "42")
    assert (fields[37], fields[39], fields[14]) == ("1001", "1", "0.004")
    assert 20001 not in fields


def test_the_status_of_a_rejected_order_says_why() -> None:
    order = changed(
        order={
            "status": order_pb2.ORDER_STATUS_REJECTED,
            "reason": reason_pb2.REASON_INSUFFICIENT_FUNDS,
        }
    ).order
    fields = report(order_status_report(order))
    assert (fields[39], fields[103], fields[20002]) == ("8", "3", "INSUFFICIENT_FUNDS")


def test_many_status_reports_are_counted() -> None:
    asked = request("AF", "584=S-1|585=7|")
    found = list(order_status_reports([TRADE.order] * 3, asked, as_of_sequence=42))
    fields = [report(body) for body in found]
    assert [each[911] for each in fields] == ["3"] * 3
    assert [each[912] for each in fields] == ["N", "N", "Y"]
    assert {each[584] for each in fields} == {"S-1"}


def test_no_order_is_one_report_that_says_so() -> None:
    asked = request("AF", "584=S-1|585=1|55=BTC-USD|1=demo-1|")
    (body,) = order_status_reports([], asked, as_of_sequence=42)
    assert report(body) == Fields(
        {
            584: "S-1",
            17: "0",
            150: "I",
            37: "NONE",
            1: "demo-1",
            39: "8",
            55: "BTC-USD",
            54: "7",
            151: "0",
            14: "0",
            6: "0",
            20013: "42",
            58: "There are no such orders",
            911: "0",
            912: "Y",
        }
    )


def test_the_report_has_what_integrators_expect() -> None:
    """FIX_VENUES 5.4, as far as it is in FIX 4.4 and in the contract."""
    tags = {member.tag for member in fix_contract().messages["8"].members}
    expected = {37, 11, 41, 17, 150, 39, 55, 54, 38, 40, 44, 59, 14, 151, 6, 31, 32, 60, 58, 103}
    assert expected | {378, 136, 636, 797, 851, 20001, 20002} <= tags
    group = next(member for member in fix_contract().messages["8"].members if member.tag == 136)
    assert [member.tag for member in group.group] == [137, 138, 139]


@pytest.mark.parametrize("status", order_pb2.OrderStatus.values()[1:])
def test_a_report_says_whether_the_order_works(status: Any) -> None:
    works = status in (order_pb2.ORDER_STATUS_NEW, order_pb2.ORDER_STATUS_PARTIALLY_FILLED)
    assert report(execution_report(changed(order={"status": status})))[636] == "NY"[works]
    assert report(order_status_report(changed(order={"status": status}).order))[636] == "NY"[works]
