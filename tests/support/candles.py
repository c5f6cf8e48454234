"""Candles of many minutes, made of those of one minute one after the other."""

from collections.abc import Iterable

from tradewire_server.journal.records import CandleRow


def merge_candles(rows: Iterable[CandleRow], minutes: int) -> list[CandleRow]:
    """Return candles of so many minutes from those of one minute, oldest first."""
    merged: list[CandleRow] = []
    for row in rows:
        opens = row.minute - row.minute % minutes
        if not merged or merged[-1].minute != opens:
            merged.append(row._replace(minute=opens))
            continue
        last = merged[-1]
        merged[-1] = CandleRow(
            last.symbol,
            opens,
            last.open,
            max(last.high, row.high),
            min(last.low, row.low),
            row.close,
            last.volume + row.volume,
            last.trade_count + row.trade_count,
        )
    return merged
