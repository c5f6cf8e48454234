"""The rules of an instrument, and its exact conversions between decimals and integers.

Prices are counted in ticks, quantities in lots, money in the smallest unit of its asset. An
instrument is accepted only if tick x lot is a whole number of the quote asset's units: every
notional is exact. It is also accepted only if its greatest notional fits 62 bits, so that every
amount of an event fits 63.
"""

from typing import NamedTuple

from tradewire_server.engine.decimals import format_decimal, parse_decimal
from tradewire_server.engine.vocabulary import InstrumentStatus, Reason

PARTS_PER_MILLION = 1_000_000
AMOUNT_BOUND = 1 << 62
AVERAGE_DECIMALS = 8


class Instrument(NamedTuple):
    """A spot pair. A size is `units / 10**decimals`; bounds are integers of what they bound."""

    symbol: str
    base_asset: str
    quote_asset: str
    base_precision: int
    quote_precision: int
    tick_units: int
    tick_decimals: int
    lot_units: int
    lot_decimals: int
    minimum_quantity_lots: int
    maximum_quantity_lots: int
    minimum_notional: int
    maximum_notional: int
    price_band_ppm: int
    market_protection_ppm: int
    status: InstrumentStatus = InstrumentStatus.TRADING

    @property
    def quote_units_per_tick_lot(self) -> int:
        """Quote units of one tick times one lot."""
        scale = self.quote_precision - self.tick_decimals - self.lot_decimals
        return int(self.tick_units * self.lot_units * 10**scale)

    @property
    def base_units_per_lot(self) -> int:
        """Base units of one lot."""
        return int(self.lot_units * 10 ** (self.base_precision - self.lot_decimals))

    def parse_price(self, text: str) -> int | Reason:
        """Return the price in ticks, or why it is none."""
        units = parse_decimal(text, self.tick_decimals)
        if units is None:
            return Reason.PRICE_OFF_TICK
        ticks, rest = divmod(units, self.tick_units)
        if rest:
            return Reason.PRICE_OFF_TICK
        if ticks == 0 or ticks * self.quote_units_per_tick_lot > self.maximum_notional:
            return Reason.PRICE_OUT_OF_RANGE
        return ticks

    def parse_quantity(self, text: str) -> int | Reason:
        """Return the quantity in lots, or why it is none."""
        units = parse_decimal(text, self.lot_decimals)
        if units is None:
            return Reason.QUANTITY_OFF_LOT
        lots, rest = divmod(units, self.lot_units)
        if rest:
            return Reason.QUANTITY_OFF_LOT
        if not max(1, self.minimum_quantity_lots) <= lots <= self.maximum_quantity_lots:
            return Reason.QUANTITY_OUT_OF_RANGE
        return lots

    def format_price(self, ticks: int) -> str:
        """Return a price as decimal text."""
        return format_decimal(ticks * self.tick_units, self.tick_decimals)

    def format_quantity(self, lots: int) -> str:
        """Return a quantity as decimal text."""
        return format_decimal(lots * self.lot_units, self.lot_decimals)

    def format_quote(self, units: int) -> str:
        """Return an amount of the quote asset as decimal text."""
        return format_decimal(units, self.quote_precision)

    def format_average(self, tick_lots: int, lots: int) -> str:
        """Return sum(price x lots) / lots as decimal text, rounded half up beyond the tick's
        decimals.
        """
        if lots == 0:
            return "0"
        scaled = abs(tick_lots) * self.tick_units * 10**AVERAGE_DECIMALS
        average = (2 * scaled + lots) // (2 * lots)
        return format_decimal(average, self.tick_decimals + AVERAGE_DECIMALS)

    def notional_fits(self, notional: int) -> bool:
        """Tell whether an order may have this notional; none may have 0."""
        return notional > 0 and self.minimum_notional <= notional <= self.maximum_notional

    def within_band(self, ticks: int, reference_ticks: int) -> bool:
        """Tell whether a price is near enough to the reference; 0 means that there is none."""
        if self.price_band_ppm == 0 or reference_ticks == 0:
            return True
        distance = abs(ticks - reference_ticks)
        return distance * PARTS_PER_MILLION <= reference_ticks * self.price_band_ppm

    def rule_broken(self) -> str:
        """Return what makes the instrument impossible, empty if nothing does."""
        if self.base_asset == self.quote_asset:
            return "base and quote asset must differ"
        if self.tick_units <= 0 or self.lot_units <= 0:
            return "tick_size and lot_size must be positive"
        if self.lot_decimals > self.base_precision:
            return "lot_size has more decimals than the base asset"
        if self.tick_decimals + self.lot_decimals > self.quote_precision:
            return "tick_size and lot_size together have more decimals than the quote asset"
        if not 0 < self.minimum_quantity_lots <= self.maximum_quantity_lots:
            return "minimum_quantity must be positive and at most maximum_quantity"
        if not 0 <= self.minimum_notional <= self.maximum_notional < AMOUNT_BOUND:
            return "minimum_notional must be at most maximum_notional, which must fit 62 bits"
        if self.quote_units_per_tick_lot > self.maximum_notional:
            return "maximum_notional must be at least tick_size times lot_size"
        if self.maximum_quantity_lots * self.base_units_per_lot >= AMOUNT_BOUND:
            return "maximum_quantity must fit 62 bits of the base asset's smallest unit"
        if not 0 < self.market_protection_ppm <= PARTS_PER_MILLION:
            return "market_protection_percent must be above 0 and at most 100"
        if not 0 <= self.price_band_ppm < AMOUNT_BOUND:
            return "price_band_percent must not be negative and must fit 62 bits"
        return ""
