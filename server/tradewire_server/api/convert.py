"""From the contract's requests to the engine's commands. Field rules have been checked before: a
decimal that was sent is not empty.
"""

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import admin_service_pb2, market_pb2, order_service_pb2

from tradewire_server.api.encode import NS_PER_S, PERCENT_DECIMALS, RATE_DECIMALS
from tradewire_server.api.errors import make_error
from tradewire_server.engine.commands import (
    AmendOrder,
    CancelAllOrders,
    CancelOrder,
    PlaceOrder,
)
from tradewire_server.engine.decimals import normalize_decimal, parse_decimal
from tradewire_server.engine.events import make
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.vocabulary import (
    InstrumentStatus,
    OrderType,
    PostOnly,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

# The years 1 to 9999, as google.protobuf.Timestamp has them.
TIMESTAMP_SECONDS = range(-62_135_596_800, 253_402_300_800)

SIDES = {int(side): side for side in Side}
TYPES = {int(order_type): order_type for order_type in OrderType}
TIMES_IN_FORCE = {int(value): value for value in TimeInForce}
POST_ONLY = {int(value): value for value in PostOnly}
SELF_TRADE_PREVENTION = {int(value): value for value in SelfTradePrevention}
TIME_IN_FORCE_DEFAULTS = {OrderType.LIMIT: TimeInForce.GTC, OrderType.MARKET: TimeInForce.IOC}


def time_ns(request: Message, field: str) -> int:
    """Return a Timestamp of a request in nanoseconds, 0 when it is not set.

    The epoch and what was before it are times as well, long past: they count as 1.
    Raises ApiError when it is none, for any numbers can be sent as one.
    """
    if not request.HasField(field):
        return 0
    time: Timestamp = getattr(request, field)
    if time.seconds not in TIMESTAMP_SECONDS or not 0 <= time.nanos < NS_PER_S:
        text = f"{field} must be between the years 1 and 9999, with 0 to 999999999 nanos"
        raise make_error(Reason.FIELD_INVALID, text, field=field)
    return max(time.seconds * NS_PER_S + time.nanos, 1)


def place_command(
    request: order_service_pb2.PlaceOrderRequest, account: str, connection: str
) -> PlaceOrder:
    """Return the command of a PlaceOrderRequest; `connection` is set for cancel on disconnect."""
    order_type = TYPES[request.type]
    tif = TIMES_IN_FORCE.get(request.time_in_force)
    # Each is read from the message once: that makes a new text.
    quantity, quote_quantity, price = request.quantity, request.quote_quantity, request.price
    return make(
        PlaceOrder,
        (
            account,
            request.client_order_id,
            request.symbol,
            SIDES[request.side],
            order_type,
            TIME_IN_FORCE_DEFAULTS[order_type] if tif is None else tif,
            quantity and normalize_decimal(quantity),
            quote_quantity and normalize_decimal(quote_quantity),
            price and normalize_decimal(price),
            time_ns(request, "expire_time"),
            POST_ONLY[request.post_only],
            SELF_TRADE_PREVENTION[request.self_trade_prevention],
            connection,
        ),
    )


def _order_id(
    request: order_service_pb2.AmendOrderRequest | order_service_pb2.CancelOrderRequest,
) -> int:
    """Return the venue's id of the order that is meant, 0 when it is named otherwise.

    Raises ApiError for the id 0, which no order has.
    """
    text = request.order_id
    order_id = int(text or 0)
    if text and not order_id:
        text = f"there is no order {text}"
        raise make_error(Reason.ORDER_NOT_FOUND, text, field="order_id")
    return order_id


def amend_command(request: order_service_pb2.AmendOrderRequest, account: str) -> AmendOrder:
    """Return the command of an AmendOrderRequest."""
    quantity, price = request.quantity, request.price
    return AmendOrder(
        account,
        request.client_order_id,
        _order_id(request),
        request.original_client_order_id,
        quantity and normalize_decimal(quantity),
        price and normalize_decimal(price),
    )


def cancel_command(request: order_service_pb2.CancelOrderRequest, account: str) -> CancelOrder:
    """Return the command of a CancelOrderRequest."""
    fields = (
        account,
        request.client_order_id,
        _order_id(request),
        request.original_client_order_id,
    )
    return make(CancelOrder, fields)


def cancel_all_command(
    request: order_service_pb2.CancelAllOrdersRequest, account: str
) -> CancelAllOrders:
    """Return the command of a CancelAllOrdersRequest."""
    return CancelAllOrders(account, request.symbol, SIDES.get(request.side))


def rate(text: str, field: str) -> int:
    """Return a fee rate in units of 1e-7.

    Raises ApiError when it has more decimals.
    """
    return _scaled(text, RATE_DECIMALS, field)


def _scaled(text: str, decimals: int, field: str) -> int:
    value = _decimal(text, decimals, field)
    if value is None:
        raise make_error(
            Reason.FIELD_INVALID, f"{field} has more than {decimals} decimals", field=field
        )
    return value


def _decimal(text: str, decimals: int, field: str) -> int | None:
    whole, point, fraction = text.partition(".")
    if not (whole.isascii() and whole.isdigit()) or (
        point and not (fraction.isascii() and fraction.isdigit())
    ):
        raise make_error(
            Reason.FIELD_INVALID, f"{field} must be a decimal such as 0.01", field=field
        )
    if len(whole) > 18 or len(fraction) > 18:
        raise make_error(Reason.FIELD_INVALID, f"{field} has too many digits", field=field)
    return parse_decimal(text, decimals)


def _size(text: str, field: str) -> tuple[int, int]:
    """Return a step as (units, decimals): `0.05` is (5, 2)."""
    _decimal(text, 18, field)
    text = normalize_decimal(text)
    decimals = len(text.partition(".")[2])
    units = parse_decimal(text, decimals)
    if not units:
        raise make_error(Reason.FIELD_INVALID, f"{field} must be above zero", field=field)
    return units, decimals


def instrument_of(message: market_pb2.Instrument, assets: dict[str, int]) -> Instrument:
    """Return the instrument that a CreateInstrumentRequest describes.

    Raises ApiError, naming the field, when it cannot be one.
    """
    for asset, field in ((message.base_asset, "base_asset"), (message.quote_asset, "quote_asset")):
        if asset not in assets:
            raise make_error(
                Reason.ASSET_NOT_FOUND, f"there is no asset {asset}", field=f"instrument.{field}"
            )
    if message.symbol != f"{message.base_asset}-{message.quote_asset}":
        raise make_error(
            Reason.FIELD_INVALID,
            f"symbol must be {message.base_asset}-{message.quote_asset}",
            field="instrument.symbol",
        )
    base, quote = assets[message.base_asset], assets[message.quote_asset]
    tick_units, tick_decimals = _size(message.tick_size, "instrument.tick_size")
    lot_units, lot_decimals = _size(message.lot_size, "instrument.lot_size")

    def lots(text: str, field: str) -> int:
        value, rest = divmod(_scaled(text, lot_decimals, field), lot_units)
        if rest:
            raise make_error(
                Reason.FIELD_INVALID, f"{field} must be a multiple of lot_size", field=field
            )
        return value

    if message.status not in (0, *InstrumentStatus):
        raise make_error(Reason.FIELD_INVALID, "status is not known", field="instrument.status")
    return Instrument(
        symbol=message.symbol,
        base_asset=message.base_asset,
        quote_asset=message.quote_asset,
        base_precision=base,
        quote_precision=quote,
        tick_units=tick_units,
        tick_decimals=tick_decimals,
        lot_units=lot_units,
        lot_decimals=lot_decimals,
        minimum_quantity_lots=lots(message.minimum_quantity, "instrument.minimum_quantity"),
        maximum_quantity_lots=lots(message.maximum_quantity, "instrument.maximum_quantity"),
        minimum_notional=_scaled(message.minimum_notional, quote, "instrument.minimum_notional"),
        maximum_notional=_scaled(message.maximum_notional, quote, "instrument.maximum_notional"),
        price_band_ppm=_scaled(
            message.price_band_percent or "0", PERCENT_DECIMALS, "instrument.price_band_percent"
        ),
        market_protection_ppm=_scaled(
            message.market_protection_percent or "0",
            PERCENT_DECIMALS,
            "instrument.market_protection_percent",
        ),
        status=InstrumentStatus(message.status or InstrumentStatus.TRADING),
    )


def status_of(request: admin_service_pb2.SetInstrumentStatusRequest) -> InstrumentStatus:
    """Return the status that a request asks for."""
    return InstrumentStatus(request.status)
