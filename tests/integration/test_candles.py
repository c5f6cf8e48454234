"""Candles of many minutes: made in the journal, equal to what one after the other would make."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import market_data_service_pb2, market_pb2
from tradewire_server.api import market_data
from tradewire_server.api.encode import candle_message
from tradewire_server.journal.records import Batch, CandleRow
from tradewire_server.journal.sqlite import SqliteJournal

from tests.integration.conftest import Floor
from tests.support.candles import merge_candles
from tests.support.venue import BTC_USD, SYMBOL
from tests.unit.server.journal.batches import START_NS, open_journal

STEPS = tuple(market_data.INTERVAL_MINUTES.values())
VOLUME_MAX = (1 << 63) - 1
HISTORY_MINUTES = 3 * 24 * 60


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = open_journal(tmp_path)
    yield journal
    journal.close()


def append(journal: SqliteJournal, candles: list[CandleRow]) -> None:
    number = journal.last_event() + 1
    journal.append(Batch(number, number, START_NS + number, b"", [], [], [], candles))


def random_candle(chance: random.Random, minute: int, symbol: str = SYMBOL) -> CandleRow:
    prices = [chance.randrange(1, 1000) for _ in range(chance.randrange(1, 4))]
    # Some so large that their sum is beyond what the journal could hold.
    volume = chance.choice([1, chance.randrange(1, 1 << 40), VOLUME_MAX - chance.randrange(9)])
    first, last = prices[0], prices[-1]
    return CandleRow(symbol, minute, first, max(prices), min(prices), last, volume, len(prices))


def history(seed: int) -> list[CandleRow]:
    """Return minutes of three days, with pauses of all lengths."""
    chance = random.Random(seed)
    minutes, minute = [], chance.randrange(300)
    while minute < HISTORY_MINUTES:
        minutes.append(minute)
        minute += chance.choice([1, 1, 1, 1, 2, 7, 90, 700])
    return [random_candle(chance, minute) for minute in minutes]


def row(minute: int, *prices: int, volume: int = 1) -> CandleRow:
    first, last = prices[0], prices[-1]
    return CandleRow(SYMBOL, minute, first, max(prices), min(prices), last, volume, len(prices))


def test_candles_of_minutes_make_those_of_longer_intervals(journal: SqliteJournal) -> None:
    append(journal, [row(3, 10, 12), row(4, 15, 9), row(5, 11), row(11, 7, volume=5)])
    append(journal, [row(4, 30)._replace(symbol="ETH-USD")])
    expected = [
        CandleRow(SYMBOL, 0, 10, 15, 9, 9, 2, 4),
        CandleRow(SYMBOL, 5, 11, 11, 11, 11, 1, 1),
        CandleRow(SYMBOL, 10, 7, 7, 7, 7, 5, 1),
    ]
    assert journal.candles(SYMBOL, start_minute=0, end_minute=20, limit=9, minutes=5) == expected
    assert (
        journal.candles(SYMBOL, start_minute=0, end_minute=20, limit=2, minutes=5) == expected[:2]
    )
    # Of a candle that is cut by the bounds, what lies between them.
    assert journal.candles(SYMBOL, start_minute=4, end_minute=5, limit=9, minutes=5) == [
        CandleRow(SYMBOL, 0, 15, 15, 9, 9, 1, 2)
    ]
    assert journal.candles(SYMBOL, start_minute=12, end_minute=90, limit=9, minutes=5) == []


@pytest.mark.parametrize("seed", range(3))
def test_the_journal_makes_what_merging_one_by_one_makes(journal: SqliteJournal, seed: int) -> None:
    rows = history(seed)
    append(journal, rows)
    chance = random.Random(seed + 100)
    spans = [(0, HISTORY_MINUTES), (0, 1 << 40), (HISTORY_MINUTES, 1 << 20), (7, 7)]
    spans += [
        (first, first + chance.randrange(3_000))
        for first in (chance.randrange(HISTORY_MINUTES) for _ in range(30))
    ]
    for minutes in (*STEPS, 7, market_data.ALL_MINUTES):
        for first, end in spans:
            asked_for = [row for row in rows if first <= row.minute < end]
            merged = merge_candles(asked_for, minutes)
            for limit in (1, 5, 10**6):
                if end - first > 10**6 and minutes < 10**6:
                    continue
                found = journal.candles(
                    SYMBOL, start_minute=first, end_minute=end, limit=limit, minutes=minutes
                )
                assert found == merged[:limit], (minutes, first, end, limit)


@pytest.mark.parametrize("portion", [1, 100, 50_000])
async def test_a_page_is_the_same_however_it_is_read(
    floor: Floor, tmp_path: Path, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, rows = 60, history(9)
    past = open_journal(tmp_path)
    append(past, rows)
    read, reads = SqliteJournal.candles, 0

    def candles(_: SqliteJournal, symbol: str, **asked: int) -> list[CandleRow]:
        nonlocal reads
        reads += 1
        return read(past, symbol, **asked)

    monkeypatch.setattr(SqliteJournal, "candles", candles)
    monkeypatch.setattr(market_data, "READ_MINUTES", portion)
    for page_size, first, end in ((0, 0, HISTORY_MINUTES), (5, 240, 2_000), (1000, 0, 10**6)):
        answer = await floor.stubs.market.ListCandles(
            market_data_service_pb2.ListCandlesRequest(
                symbol=SYMBOL,
                interval=market_pb2.CANDLE_INTERVAL_1H,
                start_time=Timestamp(seconds=60 * first),
                end_time=Timestamp(seconds=60 * end),
                page_size=page_size,
            )
        )
        size = page_size or 100
        asked_for = [row for row in rows if first <= row.minute < min(end, first + size * step)]
        expected = [candle_message(BTC_USD, row) for row in merge_candles(asked_for, step)]
        assert expected
        assert list(answer.candles) == expected
    assert (reads > 10) == (portion < 50_000), "in portions"
    past.close()
