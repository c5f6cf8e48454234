"""From the engine's values to the contract's messages; see `encoder` for what is stored."""

from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import account_pb2, market_pb2, order_pb2

from tradewire_server.engine.decimals import format_decimal
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.ledger import RATE_SCALE, Balance, Position
from tradewire_server.engine.order import Order
from tradewire_server.engine.state import AccountState, Market, State
from tradewire_server.engine.vocabulary import OrderType
from tradewire_server.journal.records import CandleRow
from tradewire_server.recorder import MINUTE_NS

NS_PER_S = 10**9
PERCENT_DECIMALS = 4
RATE_DECIMALS = 7
assert RATE_SCALE == 10**RATE_DECIMALS


def timestamp(time_ns: int) -> Timestamp:
    """Return a time as the contract writes it."""
    return Timestamp(seconds=time_ns // NS_PER_S, nanos=time_ns % NS_PER_S)


def order_message(order: Order) -> order_pb2.Order:
    """Return an order in its present state."""
    terms, instrument = order.terms, order.market.instrument
    ids = order.client_order_ids
    message = order_pb2.Order(
        order_id=str(order.order_id),
        client_order_id=ids[-1],
        original_client_order_id=ids[0] if len(ids) > 1 else "",
        account=terms.account,
        symbol=terms.symbol,
        side=terms.side,  # type: ignore[arg-type]
        type=terms.type,  # type: ignore[arg-type]
        time_in_force=terms.time_in_force,  # type: ignore[arg-type]
        post_only=terms.post_only,  # type: ignore[arg-type]
        self_trade_prevention=terms.self_trade_prevention,  # type: ignore[arg-type]
        status=order.status,  # type: ignore[arg-type]
        reason=order.reason,  # type: ignore[arg-type]
        filled_quantity=instrument.format_quantity(order.filled_lots),
        leaves_quantity=instrument.format_quantity(order.leaves_lots),
        average_price=instrument.format_average(order.filled_tick_lots, order.filled_lots),
        fee=instrument.format_quote(order.fee),
        create_time=timestamp(order.create_time_ns),
        cancel_on_disconnect=bool(terms.connection),
    )
    if terms.quote_amount:
        message.quote_quantity = instrument.format_quote(terms.quote_amount)
    else:
        message.quantity = instrument.format_quantity(order.quantity_lots)
    if terms.type is OrderType.LIMIT:
        message.price = instrument.format_price(order.price_ticks)
    if terms.expire_time_ns:
        message.expire_time.CopyFrom(timestamp(terms.expire_time_ns))
    return message


def balance_message(asset: str, balance: Balance, precision: int) -> account_pb2.Balance:
    """Return a balance."""
    return account_pb2.Balance(
        asset=asset,
        total=format_decimal(balance.total, precision),
        available=format_decimal(balance.available, precision),
        held=format_decimal(balance.held, precision),
    )


def balance_messages(state: State, account: AccountState) -> list[account_pb2.Balance]:
    """Return an account's balances by asset."""
    return [
        balance_message(asset, balance, state.assets[asset])
        for asset, balance in sorted(account.balances.items())
    ]


def position_message(market: Market, position: Position) -> account_pb2.Position:
    """Return a position, valued at the last trade."""
    instrument = market.instrument
    unit = market.quote_units_per_tick_lot
    average = "0"
    if position.quantity_lots:
        # The cost is in quote units; in tick-lots the average of whole trades is exact.
        average = instrument.format_average(position.cost // unit, abs(position.quantity_lots))
    return account_pb2.Position(
        symbol=instrument.symbol,
        quantity=instrument.format_quantity(position.quantity_lots),
        average_entry_price=average,
        realized_pnl=instrument.format_quote(position.realized),
        unrealized_pnl=instrument.format_quote(position.unrealized(market.last_ticks * unit)),
        fees=instrument.format_quote(position.fees),
    )


def position_messages(state: State, account: AccountState) -> list[account_pb2.Position]:
    """Return an account's positions by symbol."""
    return [
        position_message(state.markets[symbol], position)
        for symbol, position in sorted(account.positions.items())
    ]


def account_message(account: AccountState) -> account_pb2.Account:
    """Return an account's settings."""
    return account_pb2.Account(
        account=account.name,
        maker_fee_rate=format_decimal(account.maker_rate, RATE_DECIMALS),
        taker_fee_rate=format_decimal(account.taker_rate, RATE_DECIMALS),
        open_order_limit=account.open_order_limit,
        open_order_count=len(account.orders),
        trading_disabled=account.trading_disabled,
        rate_limit_exempt=account.rate_limit_exempt,
    )


def instrument_message(instrument: Instrument) -> market_pb2.Instrument:
    """Return an instrument and its rules."""
    return market_pb2.Instrument(
        symbol=instrument.symbol,
        base_asset=instrument.base_asset,
        quote_asset=instrument.quote_asset,
        tick_size=instrument.format_price(1),
        lot_size=instrument.format_quantity(1),
        minimum_quantity=instrument.format_quantity(instrument.minimum_quantity_lots),
        maximum_quantity=instrument.format_quantity(instrument.maximum_quantity_lots),
        minimum_notional=instrument.format_quote(instrument.minimum_notional),
        maximum_notional=instrument.format_quote(instrument.maximum_notional),
        price_band_percent=format_decimal(instrument.price_band_ppm, PERCENT_DECIMALS),
        market_protection_percent=format_decimal(
            instrument.market_protection_ppm, PERCENT_DECIMALS
        ),
        status=instrument.status,  # type: ignore[arg-type]
    )


def levels_of(instrument: Instrument, levels: list[tuple[int, int]]) -> list[market_pb2.PriceLevel]:
    """Return price levels as decimals."""
    return [
        market_pb2.PriceLevel(
            price=instrument.format_price(ticks), quantity=instrument.format_quantity(lots)
        )
        for ticks, lots in levels
    ]


def candle_message(instrument: Instrument, row: CandleRow) -> market_pb2.Candle:
    """Return a candle."""
    return market_pb2.Candle(
        open_time=timestamp(row.minute * MINUTE_NS),
        open_price=instrument.format_price(row.open),
        high_price=instrument.format_price(row.high),
        low_price=instrument.format_price(row.low),
        close_price=instrument.format_price(row.close),
        volume=instrument.format_quantity(row.volume),
        trade_count=row.trade_count,
    )
