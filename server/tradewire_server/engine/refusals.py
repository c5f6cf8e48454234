"""Why a command is refused: one maker per reason, so that a mistake has one answer."""

from tradewire_server.engine.commands import (
    Refused,
)
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.ledger import RATE_SCALE
from tradewire_server.engine.vocabulary import (
    NO_REASON,
    Reason,
)

# The end of 63-bit times, in the year 2262: later ones do not fit the journal.
TIME_BOUND_NS = 1 << 63

TEXTS = {
    Reason.PRICE_OFF_TICK: "price is not a multiple of the tick size {tick}",
    Reason.PRICE_OUT_OF_RANGE: "price is zero or too large",
    Reason.QUANTITY_OFF_LOT: "quantity is not a multiple of the lot size {lot}",
    Reason.QUANTITY_OUT_OF_RANGE: "quantity is not between {minimum} and {maximum}",
}


def bad_number(instrument: Instrument, reason: Reason, field: str) -> Refused:
    """Refuse a price or quantity that is none of the instrument's."""
    text = TEXTS[reason].format(
        tick=instrument.format_price(1),
        lot=instrument.format_quantity(1),
        minimum=instrument.format_quantity(instrument.minimum_quantity_lots),
        maximum=instrument.format_quantity(instrument.maximum_quantity_lots),
    )
    return Refused(reason, text, field)


def bad_notional(instrument: Instrument, field: str) -> Refused:
    """Refuse a price times quantity outside the instrument's bounds."""
    low = instrument.format_quote(instrument.minimum_notional)
    high = instrument.format_quote(instrument.maximum_notional)
    text = f"price times quantity is not between {low} and {high} {instrument.quote_asset}"
    return Refused(Reason.NOTIONAL_OUT_OF_RANGE, text, field)


def bad_rates(maker_rate: int, taker_rate: int) -> Refused | None:
    """Refuse a fee rate that is not a fraction; None when both are."""
    for field, rate in (("maker_fee_rate", maker_rate), ("taker_fee_rate", taker_rate)):
        if not 0 <= rate < RATE_SCALE:
            return Refused(Reason.FIELD_INVALID, "a fee rate must be below 1", field)
    return None


def not_amendable(text: str, because: Reason = NO_REASON) -> Refused:
    """Refuse an amend; `because` is what a new order would be rejected for."""
    metadata = (("because", because.name),) if because else ()
    return Refused(Reason.ORDER_NOT_AMENDABLE, text, "", metadata)


def no_account(account: str) -> Refused:
    """Refuse an account that does not exist."""
    return Refused(Reason.ACCOUNT_NOT_FOUND, f"there is no account {account}", "account")


def no_instrument(symbol: str) -> Refused:
    """Refuse an instrument that does not exist."""
    return Refused(Reason.INSTRUMENT_NOT_FOUND, f"there is no instrument {symbol}", "symbol")


def no_asset(asset: str) -> Refused:
    """Refuse an asset that does not exist."""
    return Refused(Reason.ASSET_NOT_FOUND, f"there is no asset {asset}", "asset")


def no_key(key_id: str) -> Refused:
    """Refuse a key that does not exist, or is another account's."""
    return Refused(Reason.KEY_NOT_FOUND, f"there is no key {key_id}", "api_key")


def too_late() -> Refused:
    """Refuse a time that the journal cannot hold."""
    return Refused(Reason.FIELD_INVALID, "a time must be before the year 2262", "expire_time")


def no_order(order_id: int, client_order_id: str) -> Refused:
    """Refuse an order that does not work, or is another account's."""
    if order_id:
        return Refused(Reason.ORDER_NOT_FOUND, f"there is no order {order_id}", "order_id")
    text = f"there is no order with the client order id {client_order_id}"
    return Refused(Reason.ORDER_NOT_FOUND, text, "original_client_order_id")


def id_reused(client_order_id: str) -> Refused:
    """Refuse a client order id that a working order has."""
    text = f"a working order has the client order id {client_order_id}"
    return Refused(Reason.CLIENT_ORDER_ID_REUSED, text, "client_order_id")


def exists(text: str) -> Refused:
    """Refuse to make again, otherwise, what exists."""
    return Refused(Reason.ALREADY_EXISTS, text)
