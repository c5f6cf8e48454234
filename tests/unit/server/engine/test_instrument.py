"""Rules of an instrument: exact conversions, bounds, and what makes one impossible."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.engine.instrument import AMOUNT_BOUND, Instrument
from tradewire_server.engine.vocabulary import Reason

from tests.support.bare_venue import BTC_USD

# A tick of 0.25 USD and a lot of 0.002 BTC; USD has six decimals, BTC eight.
FINE = BTC_USD._replace(
    base_precision=8,
    quote_precision=6,
    tick_units=25,
    tick_decimals=2,
    lot_units=2,
    lot_decimals=3,
    minimum_quantity_lots=2,
    maximum_quantity_lots=50_000,
    minimum_notional=1_000_000,
    maximum_notional=10**12,
)


def test_units_follow_from_the_sizes() -> None:
    # 0.25 USD x 0.002 BTC = 0.0005 USD; 0.002 BTC.
    assert (FINE.quote_units_per_tick_lot, FINE.base_units_per_lot) == (500, 200_000)


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("0.25", 1),
        ("100", 400),
        ("100.50", 402),
        ("0100.500", 402),
        ("100.1", Reason.PRICE_OFF_TICK),
        ("100.255", Reason.PRICE_OFF_TICK),
        ("0", Reason.PRICE_OUT_OF_RANGE),
        ("0.00", Reason.PRICE_OUT_OF_RANGE),
        # One lot at the greatest price has the greatest notional.
        ("500000000", 2_000_000_000),
        ("500000000.25", Reason.PRICE_OUT_OF_RANGE),
    ],
)
def test_price_is_a_number_of_ticks_within_range(text: str, ticks: int | Reason) -> None:
    assert FINE.parse_price(text) == ticks


@pytest.mark.parametrize(
    ("text", "lots"),
    [
        ("0.004", 2),
        ("1", 500),
        ("100", 50_000),
        ("0.0040", 2),
        ("0.005", Reason.QUANTITY_OFF_LOT),
        ("0.0041", Reason.QUANTITY_OFF_LOT),
        ("0.002", Reason.QUANTITY_OUT_OF_RANGE),
        ("0", Reason.QUANTITY_OUT_OF_RANGE),
        ("100.002", Reason.QUANTITY_OUT_OF_RANGE),
    ],
)
def test_quantity_is_a_number_of_lots_within_range(text: str, lots: int | Reason) -> None:
    assert FINE.parse_quantity(text) == lots


@given(st.integers(1, 2_000_000_000), st.integers(2, 50_000))
def test_what_is_written_can_be_read(ticks: int, lots: int) -> None:
    assert FINE.parse_price(FINE.format_price(ticks)) == ticks
    assert FINE.parse_quantity(FINE.format_quantity(lots)) == lots


@given(st.integers(1, 2_000_000_000), st.integers(1, 50_000))
def test_notional_is_exact(ticks: int, lots: int) -> None:
    exact = Fraction(FINE.format_price(ticks)) * Fraction(FINE.format_quantity(lots))
    units = ticks * lots * FINE.quote_units_per_tick_lot
    assert Fraction(FINE.format_quote(units)) == exact


@pytest.mark.parametrize(
    ("tick_lots", "lots", "text"),
    [
        (0, 0, "0"),
        (402 * 3, 3, "100.5"),
        # 301 / 3 ticks of 0.25: 25.08333...
        (301, 3, "25.0833333333"),
        # 302 / 3 ticks: 25.1666..., the last decimal up.
        (302, 3, "25.1666666667"),
        # A short position costs less than nothing; its price does not.
        (-1206, 3, "100.5"),
    ],
)
def test_average_is_rounded_half_up(tick_lots: int, lots: int, text: str) -> None:
    assert FINE.format_average(tick_lots, lots) == text


@given(st.integers(1, 10**18), st.integers(1, 10**9))
def test_average_is_within_half_of_the_last_decimal(tick_lots: int, lots: int) -> None:
    exact = Fraction(tick_lots, lots) * Fraction(25, 100)
    difference = Fraction(FINE.format_average(tick_lots, lots)) - exact
    assert -Fraction(1, 2 * 10**10) < difference <= Fraction(1, 2 * 10**10)


@pytest.mark.parametrize(
    ("ticks", "reference", "within"),
    [
        (90, 100, True),
        (110, 100, True),
        (89, 100, False),
        (111, 100, False),
        (1, 0, True),
        # 10 % of 99 are 9.9.
        (108, 99, True),
        (109, 99, False),
    ],
)
def test_band_is_a_distance_from_the_reference(ticks: int, reference: int, within: bool) -> None:
    assert BTC_USD._replace(price_band_ppm=100_000).within_band(ticks, reference) is within


def test_band_of_zero_is_none() -> None:
    assert BTC_USD._replace(price_band_ppm=0).within_band(10**9, 1)


@pytest.mark.parametrize(
    ("notional", "fits"), [(0, False), (99, False), (100, True), (200, True), (201, False)]
)
def test_notional_has_bounds(notional: int, fits: bool) -> None:
    bounded = BTC_USD._replace(minimum_notional=100, maximum_notional=200)
    assert bounded.notional_fits(notional) is fits


def test_no_order_is_for_nothing() -> None:
    assert not BTC_USD._replace(minimum_notional=0).notional_fits(0)


@pytest.mark.parametrize("instrument", [BTC_USD, FINE])
def test_possible_instruments_break_no_rule(instrument: Instrument) -> None:
    assert instrument.rule_broken() == ""


POSSIBLE = BTC_USD._replace(minimum_notional=0)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"quote_asset": "BTC"}, "base and quote asset must differ"),
        ({"tick_units": 0}, "tick_size and lot_size must be positive"),
        ({"lot_units": 0}, "tick_size and lot_size must be positive"),
        ({"lot_decimals": 4}, "lot_size has more decimals than the base asset"),
        (
            {"tick_decimals": 2, "lot_decimals": 1},
            "tick_size and lot_size together have more decimals than the quote asset",
        ),
        (
            {"minimum_quantity_lots": 0},
            "minimum_quantity must be positive and at most maximum_quantity",
        ),
        (
            {"minimum_quantity_lots": 1_001},
            "minimum_quantity must be positive and at most maximum_quantity",
        ),
        (
            {"minimum_notional": -1},
            "minimum_notional must be at most maximum_notional, which must fit 62 bits",
        ),
        (
            {"minimum_notional": 1_000_000_01},
            "minimum_notional must be at most maximum_notional, which must fit 62 bits",
        ),
        (
            {"maximum_notional": AMOUNT_BOUND},
            "minimum_notional must be at most maximum_notional, which must fit 62 bits",
        ),
        ({"maximum_notional": 99}, "maximum_notional must be at least tick_size times lot_size"),
        (
            {"tick_units": 1_000_001},
            "maximum_notional must be at least tick_size times lot_size",
        ),
        (
            {"maximum_quantity_lots": AMOUNT_BOUND // 1_000 + 1},
            "maximum_quantity must fit 62 bits of the base asset's smallest unit",
        ),
        (
            {"market_protection_ppm": 0},
            "market_protection_percent must be above 0 and at most 100",
        ),
        (
            {"market_protection_ppm": 1_000_001},
            "market_protection_percent must be above 0 and at most 100",
        ),
        ({"price_band_ppm": -1}, "price_band_percent must not be negative and must fit 62 bits"),
        (
            {"price_band_ppm": AMOUNT_BOUND},
            "price_band_percent must not be negative and must fit 62 bits",
        ),
    ],
)
def test_impossible_instruments_name_the_rule(changes: dict[str, Any], rule: str) -> None:
    assert POSSIBLE._replace(**changes).rule_broken() == rule


@pytest.mark.parametrize(
    "changes",
    [
        {"maximum_notional": 100, "minimum_notional": 100},
        {"maximum_notional": AMOUNT_BOUND - 1},
        {"maximum_quantity_lots": AMOUNT_BOUND // 1_000},
        {"minimum_quantity_lots": 1_000},
        {"market_protection_ppm": 1_000_000},
        {"price_band_ppm": AMOUNT_BOUND - 1},
        {"lot_decimals": 2},
        {"lot_decimals": 0, "base_precision": 0},
        {"tick_decimals": 2},
    ],
)
def test_bounds_belong_to_what_they_bound(changes: dict[str, Any]) -> None:
    assert POSSIBLE._replace(**changes).rule_broken() == ""
