"""Fees round up; a position's results add up to what was received minus what was paid."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.engine.ledger import RATE_SCALE, Balance, Position, fee_of
from tradewire_server.engine.vocabulary import Side

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("notional", "rate", "fee"),
    [
        (10_000, 0, 0),
        (10_000, 10_000, 10),
        (10_001, 10_000, 11),
        (1, 1, 1),
        (0, 20_000, 0),
        (10_000_000, 1, 1),
        (10_000_001, 1, 2),
        (7, RATE_SCALE - 1, 7),
    ],
)
def test_fee_is_rounded_up(notional: int, rate: int, fee: int) -> None:
    assert fee_of(notional, rate) == fee


@given(st.integers(0, 2**62), st.integers(0, RATE_SCALE - 1))
def test_fee_is_the_next_whole_unit_and_never_more_than_the_notional(
    notional: int, rate: int
) -> None:
    fee = fee_of(notional, rate)
    assert 0 <= fee - Fraction(notional * rate, RATE_SCALE) < 1
    assert fee <= notional


def test_available_is_what_is_not_held() -> None:
    assert Balance().available == 0
    assert Balance(10, 3).available == 7


Trades = list[tuple[Side, int, int]]


def traded(trades: Trades) -> Position:
    position = Position()
    for side, lots, price in trades:
        position.trade(side, lots, price, 1)
    return position


@pytest.mark.parametrize(
    ("trades", "quantity", "cost", "realized"),
    [
        ([], 0, 0, 0),
        # Long: bought twice, the average is 110.
        ([(BUY, 2, 100)], 2, 200, 0),
        ([(BUY, 2, 100), (BUY, 2, 120)], 4, 440, 0),
        ([(BUY, 2, 100), (BUY, 2, 120), (SELL, 1, 130)], 3, 330, 20),
        ([(BUY, 2, 100), (BUY, 2, 120), (SELL, 4, 130)], 0, 0, 80),
        ([(BUY, 2, 100), (SELL, 2, 90)], 0, 0, -20),
        # Short: sold twice, the average is 110.
        ([(SELL, 2, 100)], -2, -200, 0),
        ([(SELL, 2, 100), (SELL, 2, 120)], -4, -440, 0),
        ([(SELL, 2, 100), (SELL, 2, 120), (BUY, 1, 90)], -3, -330, 20),
        ([(SELL, 2, 100), (SELL, 2, 120), (BUY, 4, 90)], 0, 0, 80),
        ([(SELL, 2, 100), (BUY, 2, 110)], 0, 0, -20),
        # Flip: one trade closes and opens.
        ([(BUY, 2, 100), (SELL, 5, 110)], -3, -330, 20),
        ([(SELL, 2, 100), (BUY, 5, 90)], 3, 270, 20),
        ([(BUY, 2, 100), (SELL, 5, 110), (BUY, 3, 100)], 0, 0, 50),
        # Three lots for 100 + 100 + 101: what rounding leaves is realised with the last one.
        ([(BUY, 2, 100), (BUY, 1, 101), (SELL, 1, 100)], 2, 201, 0),
        ([(BUY, 2, 100), (BUY, 1, 101), (SELL, 1, 100), (SELL, 1, 100)], 1, 101, 0),
        ([(BUY, 2, 100), (BUY, 1, 101)] + [(SELL, 1, 100)] * 3, 0, 0, -1),
    ],
)
def test_position(trades: Trades, quantity: int, cost: int, realized: int) -> None:
    position = traded(trades)
    assert (position.quantity_lots, position.cost) == (quantity, cost)
    assert position.realized == realized
    assert position.fees == len(trades)


@pytest.mark.parametrize(
    ("trades", "price", "profit"),
    [
        ([], 100, 0),
        ([(BUY, 2, 100), (BUY, 2, 120)], 120, 40),
        ([(BUY, 2, 100)], 90, -20),
        ([(SELL, 2, 100)], 90, 20),
        ([(SELL, 2, 100), (SELL, 2, 120)], 120, -40),
    ],
)
def test_unrealized_is_what_closing_at_a_price_would_give(
    trades: Trades, price: int, profit: int
) -> None:
    assert traded(trades).unrealized(price) == profit


TRADES = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 50), st.integers(1, 10**9)))


@given(TRADES, st.integers(1, 10**9))
def test_profits_are_what_came_in_minus_what_went_out(trades: Trades, price: int) -> None:
    position = traded(trades)
    signs = {BUY: 1, SELL: -1}
    quantity = sum(signs[side] * lots for side, lots, _ in trades)
    received = -sum(signs[side] * lots * paid for side, lots, paid in trades)
    assert position.quantity_lots == quantity
    assert position.realized + position.unrealized(price) == received + quantity * price
    if quantity == 0:
        assert (position.cost, position.realized) == (0, received)


@given(TRADES)
def test_cost_is_that_of_the_average_price(trades: Trades) -> None:
    """Against exact fractions: each closing trade rounds by less than one unit."""
    quantity, cost = 0, Fraction(0)
    for side, lots, price in trades:
        signed = lots if side is BUY else -lots
        if quantity * signed < 0:
            closing = min(abs(signed), abs(quantity))
            cost -= cost * closing / abs(quantity)
            rest = abs(signed) - closing
            quantity += closing if signed > 0 else -closing
            signed = rest if signed > 0 else -rest
        quantity += signed
        cost += signed * price
    position = traded(trades)
    assert position.quantity_lots == quantity
    assert abs(position.cost - cost) < len(trades) + 1
