"""From books and trades to MarketDataSnapshotFullRefresh(W) and MarketDataIncrementalRefresh(X)."""

from __future__ import annotations

from typing import Final

from tradewire.v1 import market_data_service_pb2, market_pb2
from tradewire_contract.fix import fix_contract

from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.translate.plan import in_order, plans_of
from tradewire_gateway.fix.translate.replies import Answer

_SNAPSHOT: Final = plans_of("W")["MarketDataBatch"]
_UPDATE: Final = plans_of("X")["MarketDataBatch"]
_ENTRY: Final = tuple(
    each.tag
    for member in fix_contract().messages["X"].members
    if member.tag == 268
    for each in member.group
)
_NEW, _CHANGE, _DELETE = "0", "1", "2"
_TRADE = "2"
_Level = tuple[str | None, str | None]


def book_snapshot(query_id: str, book: market_pb2.OrderBook) -> Answer:
    """Return the answer to a MarketDataRequest(V) for a book once."""
    return _snapshot(query_id, market_data_service_pb2.MarketDataBatch(book=book))


class MarketDataFeed:
    """One subscription, by its MDReqID(262): turns what its stream sends into messages.

    It remembers which levels its client has, since FIX tells a new level from a changed one. Those
    are as many as the subscription's depth.
    """

    def __init__(self, query_id: str) -> None:
        self._id = query_id
        self._levels: dict[str, set[_Level]] = {}

    def message(self, batch: market_data_service_pb2.MarketDataBatch) -> Answer:
        """Return the message that carries a batch, which is of one instrument."""
        if batch.HasField("book") and batch.book.snapshot:
            answer = _snapshot(self._id, batch)
            self._levels[batch.book.symbol] = {
                (kind, level.price)
                for kind, levels in (("0", batch.book.bids), ("1", batch.book.asks))
                for level in levels
            }
            return answer
        fields = Fields({262: self._id})
        _UPDATE.write(batch, fields)
        symbol = batch.book.symbol if batch.HasField("book") else batch.trades[0].symbol
        known = self._levels.setdefault(symbol, set())
        entries = fields.group(268)
        fields[268] = [
            in_order(Fields({**entry, 279: _action(entry, known), 55: symbol}), _ENTRY)
            for entry in entries
        ]
        for entry in fields.group(268):
            if entry[279] == _DELETE:
                del entry[271]
        return Answer("X", encode_fields(fields))


def _snapshot(query_id: str, batch: market_data_service_pb2.MarketDataBatch) -> Answer:
    fields = Fields({262: query_id})
    _SNAPSHOT.write(batch, fields)
    return Answer("W", encode_fields(fields))


def _action(entry: Fields, known: set[_Level]) -> str:
    """Return what an entry does, and remember the level."""
    kind = entry.text(269)
    if kind == _TRADE:
        return _NEW
    level = (kind, entry.text(270))
    if not (entry.text(271) or "").strip("0."):
        known.discard(level)
        return _DELETE
    if level in known:
        return _CHANGE
    known.add(level)
    return _NEW
