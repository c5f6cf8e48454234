"""What the public sees after a crash: trades, candles and the book, held against the accounts."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from tradewire.v1 import market_data_service_pb2, market_pb2, order_pb2

from tests.simulation.crash_record import TRADE, Record
from tests.simulation.crash_wire import PAGE, Connection

TAKER: Final = order_pb2.LIQUIDITY_TAKER
NS_PER_MINUTE: Final = 60 * 10**9

Violations = Iterator[str]
Level = tuple[Decimal, Decimal]


class MarketView(NamedTuple):
    """What the reads of the API say of an instrument, all at one event of the venue."""

    symbol: str
    book: market_pb2.OrderBook
    trades: Sequence[market_pb2.Trade]
    candles: Sequence[market_pb2.Candle]


async def read_market(connection: Connection, symbol: str) -> MarketView:
    """Read an instrument: its book, all its trades, its candles of a minute."""
    book_request = market_data_service_pb2.GetOrderBookRequest(symbol=symbol, depth=PAGE)
    data = await connection.call("MarketDataService/GetOrderBook", book_request)
    book = market_data_service_pb2.GetOrderBookResponse.FromString(data).book
    trades: list[market_pb2.Trade] = []
    while True:
        trades_request = market_data_service_pb2.ListTradesRequest(
            symbol=symbol, after_trade_id=len(trades), page_size=PAGE
        )
        data = await connection.call("MarketDataService/ListTrades", trades_request)
        page = market_data_service_pb2.ListTradesResponse.FromString(data).trades
        trades += page
        if len(page) < PAGE:
            break
    candles_request = market_data_service_pb2.ListCandlesRequest(
        symbol=symbol, interval=market_pb2.CANDLE_INTERVAL_1M, page_size=PAGE
    )
    data = await connection.call("MarketDataService/ListCandles", candles_request)
    candles = market_data_service_pb2.ListCandlesResponse.FromString(data).candles
    return MarketView(symbol, book, trades, candles)


def check_market(view: MarketView, records: Iterable[Record]) -> Violations:
    """Check that the public is told what the accounts did."""
    yield from _check_trades(view, records)
    yield from _check_candles(view)
    yield from _check_book(view, records)


def _check_trades(view: MarketView, records: Iterable[Record]) -> Violations:
    takers = {
        step.execution.trade_id: step.execution
        for record in records
        for step in record.steps
        if step.execution.type == TRADE
        and step.execution.liquidity == TAKER
        and step.order.symbol == view.symbol
    }
    if [trade.trade_id for trade in view.trades] != list(range(1, len(takers) + 1)):
        yield f"{view.symbol}: {len(view.trades)} public trades, not numbered 1 to {len(takers)}"
    for trade in view.trades:
        taker = takers.get(trade.trade_id, order_pb2.Execution())
        if (trade.price, trade.quantity, trade.taker_side, trade.time) != (
            taker.last_price,
            taker.last_quantity,
            taker.order.side,
            taker.transact_time,
        ):
            yield f"{view.symbol}: trade {trade.trade_id} is not that of its taker"


def _check_candles(view: MarketView) -> Violations:
    expected = []
    for minute, group in itertools.groupby(
        view.trades, lambda trade: trade.time.ToNanoseconds() // NS_PER_MINUTE
    ):
        trades = list(group)
        prices = [Decimal(trade.price) for trade in trades]
        volume = sum((Decimal(trade.quantity) for trade in trades), Decimal(0))
        expected.append(
            (minute, prices[0], max(prices), min(prices), prices[-1], volume, len(trades))
        )
    shown = [
        (
            candle.open_time.ToNanoseconds() // NS_PER_MINUTE,
            Decimal(candle.open_price),
            Decimal(candle.high_price),
            Decimal(candle.low_price),
            Decimal(candle.close_price),
            Decimal(candle.volume),
            candle.trade_count,
        )
        for candle in view.candles
    ]
    if shown != expected:
        yield f"{view.symbol}: the candles are not those of the trades: {shown} {expected}"


def _check_book(view: MarketView, records: Iterable[Record]) -> Violations:
    quantities: dict[tuple[int, Decimal], Decimal] = defaultdict(Decimal)
    for order in (order for record in records for order in record.view.open_orders):
        if order.symbol == view.symbol:
            quantities[order.side, Decimal(order.price)] += Decimal(order.leaves_quantity)
    for side, shown, best_first in (
        (order_pb2.SIDE_BUY, view.book.bids, -1),
        (order_pb2.SIDE_SELL, view.book.asks, 1),
    ):
        levels = [(price, size) for (of, price), size in quantities.items() if of == side]
        levels.sort(key=lambda level: level[0] * best_first)
        if levels[:PAGE] != [(Decimal(level.price), Decimal(level.quantity)) for level in shown]:
            name = order_pb2.Side.Name(side)
            yield f"{view.symbol}: the book of {name} is not that of the open orders"
