"""From answers of the contract to the FIX messages that carry them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from tradewire.v1 import account_service_pb2, market_data_service_pb2, market_pb2, order_service_pb2
from tradewire_contract.fix.rules import NO_ORDER

from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.translate.plan import plans_of
from tradewire_gateway.fix.translate.reports import echo
from tradewire_gateway.fix.values import format_utc_timestamp

# Instruments of one SecurityList(y): messages stay below what engines take.
LIST_CHUNK: Final = 100


class Answer(NamedTuple):
    """A message to send: its MsgType(35) and its encoded body."""

    type: str
    body: str


_MASS_CANCEL: Final = plans_of("r")["CancelAllOrdersResponse"]
_INSTRUMENTS: Final = plans_of("y")["ListInstrumentsResponse"]
_INSTRUMENT: Final = plans_of("f")["GetInstrumentResponse"]
_BALANCES: Final = plans_of("BF")["ListBalancesResponse"]
_POSITION: Final = plans_of("AP")["Position"]
_POSITIONS: Final = plans_of("AP")["ListPositionsResponse"]
LIMIT: Final = plans_of("j")["RateLimit"]


def mass_cancel_report(
    request: Message, response: order_service_pb2.CancelAllOrdersResponse, *, now_ns: int
) -> Answer:
    """Return the answer to an OrderMassCancelRequest(q) that was done."""
    fields = Fields()
    echo(request, (11, 530, 55, 54), fields)
    fields[37] = NO_ORDER
    fields[531] = request.body.text(530) or ""
    _MASS_CANCEL.write(response, fields)
    fields[60] = format_utc_timestamp(now_ns, 6)
    return Answer("r", encode_fields(fields))


def security_list(
    request: Message, instruments: Sequence[market_pb2.Instrument], *, identity: str
) -> Iterator[Answer]:
    """Yield the answer to a SecurityListRequest(x), in as many messages as it takes.

    Args:
        request: the request.
        instruments: all of them.
        identity: a text that no other answer has.
    """
    for begin in range(0, len(instruments) or 1, LIST_CHUNK):
        part = instruments[begin : begin + LIST_CHUNK]
        fields = Fields()
        echo(request, (320,), fields)
        fields[322] = identity
        fields[560] = "0" if instruments else "2"
        fields[393] = str(len(instruments))
        fields[893] = "Y" if begin + LIST_CHUNK >= len(instruments) else "N"
        if part:
            _INSTRUMENTS.write(
                market_data_service_pb2.ListInstrumentsResponse(instruments=part), fields
            )
        yield Answer("y", encode_fields(fields))


def security_status(
    request: Message, response: market_data_service_pb2.GetInstrumentResponse
) -> Answer:
    """Return the answer to a SecurityStatusRequest(e)."""
    fields = Fields()
    echo(request, (324,), fields)
    _INSTRUMENT.write(response, fields)
    return Answer("f", encode_fields(fields))


def balances(request: Message, response: account_service_pb2.ListBalancesResponse) -> Answer:
    """Return the answer to a UserRequest(BE)."""
    fields = Fields()
    echo(request, (923, 553), fields)
    fields[926] = "1"
    _BALANCES.write(response, fields)
    return Answer("BF", encode_fields(fields))


def position_reports(
    request: Message,
    response: account_service_pb2.ListPositionsResponse,
    *,
    now_ns: int,
    identity: str,
) -> Iterator[Answer]:
    """Yield the answer to a RequestForPositions(AN): a report each, or one that there is none."""
    found: Sequence[Any] = response.positions or (None,)
    for number, position in enumerate(found, 1):
        fields = position_head(request, now_ns=now_ns, identity=f"{identity}-{number}")
        fields[727] = str(len(response.positions))
        fields[728] = "2" if position is None else "0"
        if position is not None:
            _POSITION.write(position, fields)
        _POSITIONS.write(response, fields)
        yield Answer("AP", encode_fields(fields))


def position_head(request: Message, *, now_ns: int, identity: str) -> Fields:
    """Return what every answer to a RequestForPositions(AN) says."""
    fields = Fields()
    echo(request, (710, 724, 1), fields)
    fields[721] = identity
    fields[715] = format_utc_timestamp(now_ns, 0)[:8]
    return fields
