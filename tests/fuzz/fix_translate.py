"""The translator: requests that the dictionary allows, with any values, and refusals of them.

It must turn each into a request of the contract or say why not, in an answer that the dictionary
allows; and whatever error the venue gives, its answer must be one that the dictionary allows.
"""

from __future__ import annotations

from functools import cache

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from tradewire.v1 import order_pb2
from tradewire_contract.catalogue import reasons
from tradewire_gateway.fix.codec import SOH, Decoder, RawMessage, encode
from tradewire_gateway.fix.dictionary import Field, Section
from tradewire_gateway.fix.message import Message
from tradewire_gateway.fix.translate import (
    METHODS,
    Untranslatable,
    dictionary,
    order_status_report,
    refusal,
    to_market_data_query,
    to_request,
)
from tradewire_gateway.fix.translate.requests import MARKET_DATA
from tradewire_gateway.fix.validation import Validator, Verdict
from tradewire_gateway.fix.values import DataType

from tests.fuzz.fuzzed import Input

INPUT_BYTES = 2048
_NOW_NS = 1_795_342_530_123_456_789
_HEADER = "34=7|49=CLIENT|52=20261122-10:15:30|56=TW-ORDERS|".replace("|", SOH)
_DECIMALS = {
    DataType.AMT, DataType.FLOAT, DataType.PERCENTAGE, DataType.PRICE, DataType.PRICEOFFSET,
    DataType.QTY,
}  # fmt: skip
_TIMES = [
    "20261122-10:15:30",
    "20261122-10:15:60.123456789",
    "00010101-00:00:00",
    "99991231-23:59:59",
]
_NUMBERS = [
    "0",
    "1",
    "-1",
    "00",
    "60000",
    "0.01",
    ".5",
    "5.",
    "-.5",
    "9" * 18,
    "1" * 40 + "." + "1" * 40,
]


@cache
def _validator() -> Validator:
    return Validator(dictionary())


@cache
def _types() -> list[str]:
    return sorted(METHODS)


@cache
def _errors() -> list[str]:
    return sorted(entry.name for entry in reasons().values())


def run(data: bytes) -> None:
    """Translate one message and refuse it."""
    fuzzed = Input(data)
    msg_type = fuzzed.one_of(_types())
    body = _section(fuzzed, dictionary().messages[msg_type].body)
    message = _validate(msg_type, body)
    if not isinstance(message, Message):
        # Lengths and data do not always agree; that is the session's to say.
        return
    try:
        if msg_type == MARKET_DATA:
            query = to_market_data_query(message)
            requests = [*query.books, *([] if query.stream is None else [query.stream])]
        else:
            requests = [to_request(message)]
    except Untranslatable as error:
        _check_refusal(message, error.status, None)
        return
    for request in requests:
        assert type(request).FromString(request.SerializeToString()) == request
    order = None
    if fuzzed.chance(2):
        order = order_pb2.Order(
            order_id=str(fuzzed.number(10**9)),
            client_order_id=fuzzed.one_of(["", "a-1"]),
            symbol="BTC-USD",
            side=order_pb2.SIDE_SELL,
            quantity="1",
            filled_quantity="0.4",
            leaves_quantity="0.6",
            average_price="100",
        )
        order.status = fuzzed.number(len(order_pb2.OrderStatus.keys()) - 1)  # type: ignore[assignment]
    _check_refusal(message, _status(fuzzed), order)
    if msg_type in "DH" and order is not None and order.status:
        report = order_status_report(order, message, as_of_sequence=fuzzed.number(10**9))
        _must_be_valid("8", report)


def _check_refusal(
    message: Message, status: status_pb2.Status, order: order_pb2.Order | None
) -> None:
    answer = refusal(message, status, now_ns=_NOW_NS, identity="S-7", order=order)
    _must_be_valid(answer.type, answer.body)


def _must_be_valid(msg_type: str, body: str) -> None:
    verdict = _validate(msg_type, body)
    assert isinstance(verdict, Message), (verdict, msg_type, body)


def _validate(msg_type: str, body: str) -> Verdict:
    decoder = Decoder(dictionary().data_fields)
    decoder.feed(encode("FIX.4.4", f"35={msg_type}{SOH}{_HEADER}{body}"))
    raw = decoder.next()
    assert isinstance(raw, RawMessage), (raw, body)
    return _validator().validate(raw)


def _status(fuzzed: Input) -> status_pb2.Status:
    """Return an error of the venue, or of the way to it."""
    status = status_pb2.Status(code=fuzzed.number(16), message=fuzzed.text(40))
    if not fuzzed.chance(4):
        info = error_details_pb2.ErrorInfo(reason=fuzzed.one_of(_errors()), domain="tradewire")
        for name in ("outcome", "retry_after_ms", "order_id", "sequence", "fix_code"):
            if fuzzed.chance(3):
                info.metadata[name] = fuzzed.one_of(
                    ["rejected", "refused", "12", "²", fuzzed.text(9)]
                )
        detail = AnyMessage()
        detail.Pack(info)
        status.details.append(detail)
    if fuzzed.chance(4):
        wrong = error_details_pb2.BadRequest()
        field = fuzzed.one_of(["price", "commands[0].place.quantity", "x"])
        wrong.field_violations.add(field=field, description=fuzzed.text(30))
        detail = AnyMessage()
        detail.Pack(wrong)
        status.details.append(detail)
    return status


def _section(fuzzed: Input, section: Section, depth: int = 0) -> str:
    """Return the fields of a section: what must be there, and some of the rest."""
    parts = list[str]()
    for position, (tag, member) in enumerate(section.members.items()):
        is_delimiter = depth > 0 and position == 0
        if not (member.required or is_delimiter or fuzzed.chance(2)):
            continue
        if member.group is not None:
            entries = [_section(fuzzed, member.group, depth + 1) for _ in range(fuzzed.number(3))]
            parts.append(f"{tag}={len(entries)}{SOH}{''.join(entries)}")
        else:
            parts.append(f"{tag}={_value(fuzzed, member.field)}{SOH}")
    return "".join(parts)


def _value(fuzzed: Input, field: Field) -> str:
    """Return a value that the dictionary allows for a field."""
    if field.values:
        return fuzzed.one_of(list(field.values))
    match field.type:
        case DataType.BOOLEAN:
            return fuzzed.one_of(["Y", "N"])
        case DataType.UTCTIMESTAMP:
            return fuzzed.one_of(_TIMES)
        case DataType.LOCALMKTDATE | DataType.UTCDATEONLY:
            return fuzzed.one_of(["20261122", "00010101", "99991231"])
        case DataType.INT:
            return fuzzed.one_of(["0", "7", "-1", "-0", "007", "9" * 18, str(fuzzed.number(2**40))])
        case DataType.SEQNUM | DataType.LENGTH | DataType.NUMINGROUP:
            return str(fuzzed.number(999_999_999))
        case DataType.CHAR:
            return fuzzed.text(1)[:1] or "x"
        case kind if kind in _DECIMALS:
            number = f"{fuzzed.number(10**9)}.{fuzzed.number(10**6)}"
            return fuzzed.one_of([*_NUMBERS, number])
    return fuzzed.text(24) or fuzzed.one_of(["BTC-USD", "a-1", "\xff", "x" * 600])
