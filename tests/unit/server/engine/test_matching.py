"""Who trades with whom, at what price; what prevention does; what an amount buys."""

import pytest
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.vocabulary import SelfTradePrevention, Side, TimeInForce

from tests.support.bare_venue import BTC_USD, BareVenue, limit, market

BUY, SELL = Side.BUY, Side.SELL
NEWEST = SelfTradePrevention.CANCEL_NEWEST
OLDEST = SelfTradePrevention.CANCEL_OLDEST
BOTH = SelfTradePrevention.CANCEL_BOTH
DECREMENT = SelfTradePrevention.DECREMENT


def busy_venue(instrument: Instrument = BTC_USD) -> BareVenue:
    """Return a venue with three rich accounts that pay no fees."""
    venue = BareVenue(instrument)
    for name in ("ann", "bob", "cat"):
        venue.account(name, BTC="1000", USD="1000000")
    return venue


# --- price, then time -----------------------------------------------------------------------------


def test_purchase_takes_the_lowest_price_first_then_the_earliest() -> None:
    venue = busy_venue()
    venue.tell(
        limit("ann", "a1", SELL, "3@101"),
        limit("ann", "a2", SELL, "2@100"),
        limit("cat", "c1", SELL, "4@100"),
    )
    assert venue.tell(limit("bob", "b1", BUY, "7@101")) == [
        "bob NEW b1 buy 0/7@101 NEW leaves 7",
        "bob TRADE b1 buy 2/7@101 PARTIALLY_FILLED leaves 5, taker 2@100 fee 0",
        "ann TRADE a2 sell 2/2@100 FILLED, maker 2@100 fee 0",
        "bob TRADE b1 buy 6/7@101 PARTIALLY_FILLED leaves 1, taker 4@100 fee 0",
        "cat TRADE c1 sell 4/4@100 FILLED, maker 4@100 fee 0",
        "bob TRADE b1 buy 7/7@101 FILLED, taker 1@101 fee 0",
        "ann TRADE a1 sell 1/3@101 PARTIALLY_FILLED leaves 2, maker 1@101 fee 0",
    ]
    assert venue.trades() == ["BTC-USD 1 2@100 BUY", "BTC-USD 2 4@100 BUY", "BTC-USD 3 1@101 BUY"]
    assert venue.book() == ([], ["ann a1 2@101"])


def test_sale_takes_the_highest_price_first_then_the_earliest() -> None:
    venue = busy_venue()
    venue.tell(
        limit("ann", "a1", BUY, "3@99"),
        limit("ann", "a2", BUY, "2@100"),
        limit("cat", "c1", BUY, "4@100"),
    )
    assert venue.tell(limit("bob", "b1", SELL, "8@99")) == [
        "bob NEW b1 sell 0/8@99 NEW leaves 8",
        "bob TRADE b1 sell 2/8@99 PARTIALLY_FILLED leaves 6, taker 2@100 fee 0",
        "ann TRADE a2 buy 2/2@100 FILLED, maker 2@100 fee 0",
        "bob TRADE b1 sell 6/8@99 PARTIALLY_FILLED leaves 2, taker 4@100 fee 0",
        "cat TRADE c1 buy 4/4@100 FILLED, maker 4@100 fee 0",
        "bob TRADE b1 sell 8/8@99 FILLED, taker 2@99 fee 0",
        "ann TRADE a1 buy 2/3@99 PARTIALLY_FILLED leaves 1, maker 2@99 fee 0",
    ]
    assert venue.trades() == [
        "BTC-USD 1 2@100 SELL",
        "BTC-USD 2 4@100 SELL",
        "BTC-USD 3 2@99 SELL",
    ]
    assert venue.book() == (["ann a1 1@99"], [])


def test_nothing_trades_beyond_the_limit_and_the_rest_rests() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "2@100"), limit("ann", "a2", SELL, "2@101"))
    assert venue.tell(limit("bob", "b1", BUY, "5@100")) == [
        "bob NEW b1 buy 0/5@100 NEW leaves 5",
        "bob TRADE b1 buy 2/5@100 PARTIALLY_FILLED leaves 3, taker 2@100 fee 0",
        "ann TRADE a1 sell 2/2@100 FILLED, maker 2@100 fee 0",
    ]
    assert venue.book() == (["bob b1 3@100"], ["ann a2 2@101"])


def test_prices_that_do_not_meet_rest_on_both_sides() -> None:
    venue = busy_venue()
    assert venue.tell(limit("ann", "a1", SELL, "2@101"), limit("bob", "b1", BUY, "5@100")) == [
        "ann NEW a1 sell 0/2@101 NEW leaves 2",
        "bob NEW b1 buy 0/5@100 NEW leaves 5",
    ]
    assert venue.book() == (["bob b1 5@100"], ["ann a1 2@101"])


def test_partly_filled_order_keeps_its_place() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "5@100"), limit("cat", "c1", SELL, "5@100"))
    venue.tell(limit("bob", "b1", BUY, "2@100"))
    assert venue.book() == ([], ["ann a1 3@100", "cat c1 5@100"])


# --- market orders --------------------------------------------------------------------------------


def test_market_order_walks_up_to_its_protection() -> None:
    venue = busy_venue()
    venue.tell(
        limit("ann", "a1", SELL, "2@100"),
        limit("ann", "a2", SELL, "2@110"),
        limit("ann", "a3", SELL, "2@111"),
    )
    assert venue.tell(market("bob", "b1", BUY, "5")) == [
        "bob NEW b1 buy 0/5@0 NEW leaves 5",
        "bob TRADE b1 buy 2/5@0 PARTIALLY_FILLED leaves 3, taker 2@100 fee 0",
        "ann TRADE a1 sell 2/2@100 FILLED, maker 2@100 fee 0",
        "bob TRADE b1 buy 4/5@0 PARTIALLY_FILLED leaves 1, taker 2@110 fee 0",
        "ann TRADE a2 sell 2/2@110 FILLED, maker 2@110 fee 0",
        "bob CANCELED b1 buy 4/5@0 CANCELED, PRICE_PROTECTION",
    ]
    assert venue.book() == ([], ["ann a3 2@111"])


def test_market_sale_walks_down_to_its_protection() -> None:
    venue = busy_venue()
    # 10 % below 99 is 89.1, so that 89 is out of reach and 90 is not.
    venue.tell(
        limit("ann", "a1", BUY, "1@99"),
        limit("ann", "a2", BUY, "1@90"),
        limit("ann", "a3", BUY, "1@89"),
    )
    assert venue.tell(market("bob", "b1", SELL, "3")) == [
        "bob NEW b1 sell 0/3@0 NEW leaves 3",
        "bob TRADE b1 sell 1/3@0 PARTIALLY_FILLED leaves 2, taker 1@99 fee 0",
        "ann TRADE a1 buy 1/1@99 FILLED, maker 1@99 fee 0",
        "bob TRADE b1 sell 2/3@0 PARTIALLY_FILLED leaves 1, taker 1@90 fee 0",
        "ann TRADE a2 buy 1/1@90 FILLED, maker 1@90 fee 0",
        "bob CANCELED b1 sell 2/3@0 CANCELED, PRICE_PROTECTION",
    ]


def test_market_order_that_empties_the_book_finds_no_liquidity() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "2@100"))
    assert venue.tell(market("bob", "b1", BUY, "5")) == [
        "bob NEW b1 buy 0/5@0 NEW leaves 5",
        "bob TRADE b1 buy 2/5@0 PARTIALLY_FILLED leaves 3, taker 2@100 fee 0",
        "ann TRADE a1 sell 2/2@100 FILLED, maker 2@100 fee 0",
        "bob CANCELED b1 buy 2/5@0 CANCELED, NO_LIQUIDITY",
    ]


@pytest.mark.parametrize("side", Side)
def test_market_order_in_an_empty_book_finds_no_liquidity(side: Side) -> None:
    venue = busy_venue()
    name = side.name.lower()
    assert venue.tell(market("bob", "b1", side, "5")) == [
        f"bob NEW b1 {name} 0/5@0 NEW leaves 5",
        f"bob CANCELED b1 {name} 0/5@0 CANCELED, NO_LIQUIDITY",
    ]


def test_market_order_that_is_filled_is_not_canceled() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "2@100"))
    assert venue.tell(market("bob", "b1", BUY, "2")) == [
        "bob NEW b1 buy 0/2@0 NEW leaves 2",
        "bob TRADE b1 buy 2/2@0 FILLED, taker 2@100 fee 0",
        "ann TRADE a1 sell 2/2@100 FILLED, maker 2@100 fee 0",
    ]


@pytest.mark.parametrize(
    ("quantity", "last"),
    [
        ("2", "ann TRADE a1 sell 2/2@100 FILLED, maker 2@100 fee 0"),
        ("3", "bob CANCELED b1 buy 0/3@0 CANCELED, FILL_OR_KILL"),
    ],
)
def test_market_order_fill_or_kill(quantity: str, last: str) -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "2@100"), limit("ann", "a2", SELL, "2@111"))
    assert venue.tell(market("bob", "b1", BUY, quantity, TimeInForce.FOK))[-1] == last


# --- market orders by amount ----------------------------------------------------------------------


def test_amount_buys_whole_lots_and_leaves_the_dust() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "2@100"), limit("ann", "a2", SELL, "3@102"))
    # 350 = 2 x 100 + 1 x 102 + 48.
    assert venue.tell(market("bob", "b1", BUY, quote_quantity="350")) == [
        "bob NEW b1 buy 0/3@0 NEW leaves 3",
        "bob TRADE b1 buy 2/3@0 PARTIALLY_FILLED leaves 1, taker 2@100 fee 0",
        "ann TRADE a1 sell 2/2@100 FILLED, maker 2@100 fee 0",
        "bob TRADE b1 buy 3/3@0 FILLED, taker 1@102 fee 0",
        "ann TRADE a2 sell 1/3@102 PARTIALLY_FILLED leaves 2, maker 1@102 fee 0",
    ]
    assert venue.total("bob", "USD") == (1_000_000_00 - 302_00, 0)


def test_amount_to_sell_for_goes_on_at_lower_prices() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", BUY, "1@100"), limit("ann", "a2", BUY, "9@95"))
    # 300 = 1 x 100 + 2 x 95 + 10; at 100 alone it would be 3 lots at once.
    assert venue.tell(market("bob", "b1", SELL, quote_quantity="300")) == [
        "bob NEW b1 sell 0/3@0 NEW leaves 3",
        "bob TRADE b1 sell 1/3@0 PARTIALLY_FILLED leaves 2, taker 1@100 fee 0",
        "ann TRADE a1 buy 1/1@100 FILLED, maker 1@100 fee 0",
        "bob TRADE b1 sell 3/3@0 FILLED, taker 2@95 fee 0",
        "ann TRADE a2 buy 2/9@95 PARTIALLY_FILLED leaves 7, maker 2@95 fee 0",
    ]


def test_amount_to_sell_for_grows_with_lower_prices() -> None:
    venue = busy_venue(BTC_USD._replace(market_protection_ppm=1_000_000))
    venue.tell(limit("ann", "a1", BUY, "1@100"), limit("ann", "a2", BUY, "9@10"))
    # 145 = 1 x 100 + 4 x 10 + 5: more lots than 145 would be at 100.
    assert venue.tell(market("bob", "b1", SELL, quote_quantity="145")) == [
        "bob NEW b1 sell 0/5@0 NEW leaves 5",
        "bob TRADE b1 sell 1/5@0 PARTIALLY_FILLED leaves 4, taker 1@100 fee 0",
        "ann TRADE a1 buy 1/1@100 FILLED, maker 1@100 fee 0",
        "bob TRADE b1 sell 5/5@0 FILLED, taker 4@10 fee 0",
        "ann TRADE a2 buy 4/9@10 PARTIALLY_FILLED leaves 5, maker 4@10 fee 0",
    ]


def test_amount_never_passes_an_order_of_which_it_affords_a_part() -> None:
    venue = busy_venue(BTC_USD._replace(market_protection_ppm=1_000_000))
    venue.tell(limit("ann", "a1", BUY, "3@100"), limit("ann", "a2", BUY, "9@10"))
    assert venue.tell(market("bob", "b1", SELL, quote_quantity="250")) == [
        "bob NEW b1 sell 0/2@0 NEW leaves 2",
        "bob TRADE b1 sell 2/2@0 FILLED, taker 2@100 fee 0",
        "ann TRADE a1 buy 2/3@100 PARTIALLY_FILLED leaves 1, maker 2@100 fee 0",
    ]


def test_amount_that_finds_too_little_leaves_what_the_best_price_would_buy() -> None:
    venue = busy_venue()
    venue.tell(
        limit("ann", "a1", SELL, "2@100"),
        limit("ann", "a2", SELL, "3@102"),
        limit("ann", "a3", SELL, "3@111"),
    )
    # 1000 = 2 x 100 + 3 x 102 + 494, and 494 would be 4 lots at 100.
    assert venue.tell(market("bob", "b1", BUY, quote_quantity="1000")) == [
        "bob NEW b1 buy 0/9@0 NEW leaves 9",
        "bob TRADE b1 buy 2/9@0 PARTIALLY_FILLED leaves 7, taker 2@100 fee 0",
        "ann TRADE a1 sell 2/2@100 FILLED, maker 2@100 fee 0",
        "bob TRADE b1 buy 5/9@0 PARTIALLY_FILLED leaves 4, taker 3@102 fee 0",
        "ann TRADE a2 sell 3/3@102 FILLED, maker 3@102 fee 0",
        "bob CANCELED b1 buy 5/9@0 CANCELED, PRICE_PROTECTION",
    ]


def test_amount_without_price_protection_finds_no_liquidity() -> None:
    venue = busy_venue(BTC_USD._replace(market_protection_ppm=1_000_000))
    venue.tell(limit("ann", "a1", BUY, "1@100"))
    assert venue.tell(market("bob", "b1", SELL, quote_quantity="300")) == [
        "bob NEW b1 sell 0/3@0 NEW leaves 3",
        "bob TRADE b1 sell 1/3@0 PARTIALLY_FILLED leaves 2, taker 1@100 fee 0",
        "ann TRADE a1 buy 1/1@100 FILLED, maker 1@100 fee 0",
        "bob CANCELED b1 sell 1/3@0 CANCELED, NO_LIQUIDITY",
    ]


def test_amount_below_one_lot_is_an_order_for_nothing() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "2@100"))
    assert venue.tell(market("bob", "b1", BUY, quote_quantity="99.99")) == [
        "bob NEW b1 buy 0/0@0 NEW",
        "bob CANCELED b1 buy 0/0@0 CANCELED, NO_LIQUIDITY",
    ]
    assert not venue.state.accounts["bob"].orders


@pytest.mark.parametrize("side", Side)
def test_amount_in_an_empty_book_is_an_order_for_nothing(side: Side) -> None:
    venue = busy_venue()
    name = side.name.lower()
    assert venue.tell(market("bob", "b1", side, quote_quantity="500")) == [
        f"bob NEW b1 {name} 0/0@0 NEW",
        f"bob CANCELED b1 {name} 0/0@0 CANCELED, NO_LIQUIDITY",
    ]


def test_amount_buys_at_most_the_greatest_quantity() -> None:
    venue = busy_venue(BTC_USD._replace(maximum_quantity_lots=4))
    for number in range(3):
        venue.tell(limit("ann", f"a{number}", SELL, "2@100"))
    assert venue.tell(market("bob", "b1", BUY, quote_quantity="10000"))[0] == (
        "bob NEW b1 buy 0/4@0 NEW leaves 4"
    )
    assert venue.book() == ([], ["ann a2 2@100"])


def test_amount_that_finds_too_little_is_for_at_most_the_greatest_quantity() -> None:
    venue = busy_venue(BTC_USD._replace(maximum_quantity_lots=4))
    venue.tell(limit("ann", "a1", SELL, "2@100"))
    assert venue.tell(market("bob", "b1", BUY, quote_quantity="10000"))[0] == (
        "bob NEW b1 buy 0/4@0 NEW leaves 4"
    )


# --- self-trade prevention ------------------------------------------------------------------------


def own_asks() -> tuple[BareVenue, int, int, int]:
    """Return a venue with asks ann 2@100, cat 3@100, ann 4@101, the ids of ann's, and the next."""
    venue = busy_venue()
    venue.tell(
        limit("ann", "a1", SELL, "2@100"),
        limit("cat", "c1", SELL, "3@100"),
        limit("ann", "a2", SELL, "4@101"),
    )
    ids = venue.order_id("ann", "a1"), venue.order_id("ann", "a2")
    return venue, *ids, venue.state.event_number + 1


def test_without_prevention_an_account_trades_with_itself() -> None:
    venue, _, _, _ = own_asks()
    assert venue.tell(limit("ann", "b1", BUY, "6@101")) == [
        "ann NEW b1 buy 0/6@101 NEW leaves 6",
        "ann TRADE b1 buy 2/6@101 PARTIALLY_FILLED leaves 4, taker 2@100 fee 0",
        "ann TRADE a1 sell 2/2@100 FILLED, maker 2@100 fee 0",
        "ann TRADE b1 buy 5/6@101 PARTIALLY_FILLED leaves 1, taker 3@100 fee 0",
        "cat TRADE c1 sell 3/3@100 FILLED, maker 3@100 fee 0",
        "ann TRADE b1 buy 6/6@101 FILLED, taker 1@101 fee 0",
        "ann TRADE a2 sell 1/4@101 PARTIALLY_FILLED leaves 3, maker 1@101 fee 0",
    ]
    assert venue.total("ann", "BTC") == (1_003_000, 3_000)
    assert venue.total("ann", "USD") == (1_000_000_00 - 300_00, 0)


def test_cancel_newest_cancels_what_is_left_of_the_incoming_order() -> None:
    venue, a1, _, _ = own_asks()
    assert venue.tell(limit("ann", "b1", BUY, "6@101", prevention=NEWEST)) == [
        "ann NEW b1 buy 0/6@101 NEW leaves 6",
        f"ann CANCELED b1 buy 0/6@101 CANCELED, SELF_TRADE_PREVENTED, counter {a1}",
    ]
    assert venue.book() == ([], ["ann a1 2@100", "cat c1 3@100", "ann a2 4@101"])


def test_cancel_newest_trades_with_others_first() -> None:
    venue, a1, _, _ = own_asks()
    venue.tell(limit("cat", "c0", SELL, "1@99"))
    assert venue.tell(limit("ann", "b1", BUY, "6@101", prevention=NEWEST)) == [
        "ann NEW b1 buy 0/6@101 NEW leaves 6",
        "ann TRADE b1 buy 1/6@101 PARTIALLY_FILLED leaves 5, taker 1@99 fee 0",
        "cat TRADE c0 sell 1/1@99 FILLED, maker 1@99 fee 0",
        f"ann CANCELED b1 buy 1/6@101 CANCELED, SELF_TRADE_PREVENTED, counter {a1}",
    ]


def test_cancel_oldest_cancels_each_resting_order_and_goes_on() -> None:
    venue, _, _, b1 = own_asks()
    assert venue.tell(limit("ann", "b1", BUY, "6@101", prevention=OLDEST)) == [
        "ann NEW b1 buy 0/6@101 NEW leaves 6",
        f"ann CANCELED a1 sell 0/2@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
        "ann TRADE b1 buy 3/6@101 PARTIALLY_FILLED leaves 3, taker 3@100 fee 0",
        "cat TRADE c1 sell 3/3@100 FILLED, maker 3@100 fee 0",
        f"ann CANCELED a2 sell 0/4@101 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
    ]
    assert venue.book() == (["ann b1 3@101"], [])
    assert venue.total("ann", "BTC") == (1_003_000, 0)


def test_cancel_both_ends_the_first_pair_that_meets() -> None:
    venue, a1, _, b1 = own_asks()
    assert venue.tell(limit("ann", "b1", BUY, "6@101", prevention=BOTH)) == [
        "ann NEW b1 buy 0/6@101 NEW leaves 6",
        f"ann CANCELED a1 sell 0/2@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
        f"ann CANCELED b1 buy 0/6@101 CANCELED, SELF_TRADE_PREVENTED, counter {a1}",
    ]
    assert venue.book() == ([], ["cat c1 3@100", "ann a2 4@101"])


def test_decrement_takes_the_smaller_quantity_from_both_and_cancels_the_smaller() -> None:
    venue, a1, a2, b1 = own_asks()
    assert venue.tell(limit("ann", "b1", BUY, "6@101", prevention=DECREMENT)) == [
        "ann NEW b1 buy 0/6@101 NEW leaves 6",
        f"ann RESTATED b1 buy 0/4@101 NEW leaves 4, SELF_TRADE_PREVENTED, counter {a1}",
        f"ann CANCELED a1 sell 0/2@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
        "ann TRADE b1 buy 3/4@101 PARTIALLY_FILLED leaves 1, taker 3@100 fee 0",
        "cat TRADE c1 sell 3/3@100 FILLED, maker 3@100 fee 0",
        f"ann RESTATED a2 sell 0/3@101 NEW leaves 3, SELF_TRADE_PREVENTED, counter {b1}",
        f"ann RESTATED b1 buy 3/3@101 PARTIALLY_FILLED, SELF_TRADE_PREVENTED, counter {a2}",
        f"ann CANCELED b1 buy 3/3@101 CANCELED, SELF_TRADE_PREVENTED, counter {a2}",
    ]
    assert venue.book() == ([], ["ann a2 3@101"])
    assert venue.total("ann", "BTC") == (1_003_000, 3_000)
    assert venue.total("ann", "USD") == (1_000_000_00 - 300_00, 0)


def test_decrement_of_equal_orders_cancels_both() -> None:
    venue, a1, _, b1 = own_asks()
    assert venue.tell(limit("ann", "b1", BUY, "2@101", prevention=DECREMENT)) == [
        "ann NEW b1 buy 0/2@101 NEW leaves 2",
        f"ann RESTATED b1 buy 0/0@101 NEW, SELF_TRADE_PREVENTED, counter {a1}",
        f"ann CANCELED a1 sell 0/2@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
        f"ann CANCELED b1 buy 0/0@101 CANCELED, SELF_TRADE_PREVENTED, counter {a1}",
    ]


def test_decremented_purchase_frees_what_it_held() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", BUY, "5@100"))
    assert venue.total("ann", "USD") == (1_000_000_00, 500_00)
    a1, b1 = venue.order_id("ann", "a1"), venue.state.event_number + 1
    assert venue.tell(limit("ann", "b1", SELL, "2@100", prevention=DECREMENT)) == [
        "ann NEW b1 sell 0/2@100 NEW leaves 2",
        f"ann RESTATED a1 buy 0/3@100 NEW leaves 3, SELF_TRADE_PREVENTED, counter {b1}",
        f"ann RESTATED b1 sell 0/0@100 NEW, SELF_TRADE_PREVENTED, counter {a1}",
        f"ann CANCELED b1 sell 0/0@100 CANCELED, SELF_TRADE_PREVENTED, counter {a1}",
    ]
    assert venue.total("ann", "USD") == (1_000_000_00, 300_00)
    assert venue.total("ann", "BTC") == (1_000_000, 0)


def test_mode_of_the_incoming_order_decides() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "2@100", prevention=NEWEST))
    a1, b1 = venue.order_id("ann", "a1"), venue.state.event_number + 1
    assert a1 < b1
    assert venue.tell(limit("ann", "b1", BUY, "2@100", prevention=OLDEST)) == [
        "ann NEW b1 buy 0/2@100 NEW leaves 2",
        f"ann CANCELED a1 sell 0/2@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
    ]
    assert venue.tell(limit("ann", "s1", SELL, "2@100")) == [
        "ann NEW s1 sell 0/2@100 NEW leaves 2",
        "ann TRADE s1 sell 2/2@100 FILLED, taker 2@100 fee 0",
        "ann TRADE b1 buy 2/2@100 FILLED, maker 2@100 fee 0",
    ]


def test_orders_of_others_are_never_prevented() -> None:
    venue, _, _, _ = own_asks()
    lines = venue.tell(limit("bob", "b1", BUY, "9@101", prevention=BOTH))
    assert [line.split()[:3] for line in lines if "taker" in line] == [["bob", "TRADE", "b1"]] * 3


@pytest.mark.parametrize("mode", [NEWEST, OLDEST, BOTH, DECREMENT])
def test_fill_or_kill_that_meets_itself_first_changes_nothing(mode: SelfTradePrevention) -> None:
    venue, _, _, _ = own_asks()
    order = limit("ann", "b1", BUY, "9@101", TimeInForce.FOK, prevention=mode)
    assert venue.tell(order) == [
        "ann NEW b1 buy 0/9@101 NEW leaves 9",
        "ann CANCELED b1 buy 0/9@101 CANCELED, FILL_OR_KILL",
    ]
    assert venue.book() == ([], ["ann a1 2@100", "cat c1 3@100", "ann a2 4@101"])


def test_fill_or_kill_may_cancel_oldest_when_others_fill_it() -> None:
    venue, _, _, b1 = own_asks()
    order = limit("ann", "b1", BUY, "3@101", TimeInForce.FOK, prevention=OLDEST)
    assert venue.tell(order) == [
        "ann NEW b1 buy 0/3@101 NEW leaves 3",
        f"ann CANCELED a1 sell 0/2@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
        "ann TRADE b1 buy 3/3@101 FILLED, taker 3@100 fee 0",
        "cat TRADE c1 sell 3/3@100 FILLED, maker 3@100 fee 0",
    ]


def test_market_order_stopped_by_prevention_names_the_other() -> None:
    venue, a1, _, _ = own_asks()
    assert venue.tell(market("ann", "b1", BUY, "6", prevention=NEWEST)) == [
        "ann NEW b1 buy 0/6@0 NEW leaves 6",
        f"ann CANCELED b1 buy 0/6@0 CANCELED, SELF_TRADE_PREVENTED, counter {a1}",
    ]


def test_market_order_by_amount_decremented_to_nothing_ends() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "2@100"), limit("cat", "c1", SELL, "2@105"))
    a1, b1 = venue.order_id("ann", "a1"), venue.state.event_number + 1
    # 200 are lost to the own order, and 50 buy nothing at 105.
    order = market("ann", "b1", BUY, quote_quantity="250", prevention=DECREMENT)
    assert venue.tell(order) == [
        "ann NEW b1 buy 0/2@0 NEW leaves 2",
        f"ann RESTATED b1 buy 0/0@0 NEW, SELF_TRADE_PREVENTED, counter {a1}",
        f"ann CANCELED a1 sell 0/2@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
        f"ann CANCELED b1 buy 0/0@0 CANCELED, SELF_TRADE_PREVENTED, counter {a1}",
    ]
    assert not venue.state.accounts["ann"].orders


def test_market_order_by_amount_decrements_what_it_affords() -> None:
    venue = busy_venue()
    venue.tell(limit("ann", "a1", SELL, "5@100"))
    a1, b1 = venue.order_id("ann", "a1"), venue.state.event_number + 1
    order = market("ann", "b1", BUY, quote_quantity="250", prevention=DECREMENT)
    assert venue.tell(order) == [
        "ann NEW b1 buy 0/2@0 NEW leaves 2",
        f"ann RESTATED a1 sell 0/3@100 NEW leaves 3, SELF_TRADE_PREVENTED, counter {b1}",
        f"ann RESTATED b1 buy 0/0@0 NEW, SELF_TRADE_PREVENTED, counter {a1}",
        f"ann CANCELED b1 buy 0/0@0 CANCELED, SELF_TRADE_PREVENTED, counter {a1}",
    ]


def test_market_order_by_amount_that_buys_nothing_more_cancels_no_own_order() -> None:
    venue = busy_venue()
    venue.tell(
        limit("cat", "c1", SELL, "1@100"),
        limit("ann", "a1", SELL, "2@100"),
        limit("cat", "c2", SELL, "2@105"),
    )
    # 204 = 1 x 100 + 104: one lot more at 100, none at 105. So it is an order for one lot.
    order = market("ann", "b1", BUY, quote_quantity="204", prevention=OLDEST)
    assert venue.tell(order) == [
        "ann NEW b1 buy 0/1@0 NEW leaves 1",
        "ann TRADE b1 buy 1/1@0 FILLED, taker 1@100 fee 0",
        "cat TRADE c1 sell 1/1@100 FILLED, maker 1@100 fee 0",
    ]
    assert venue.book() == ([], ["ann a1 2@100", "cat c2 2@105"])


def test_chain_of_own_orders_is_prevented_one_by_one() -> None:
    venue = busy_venue()
    for number in range(1, 4):
        venue.tell(limit("ann", f"a{number}", SELL, "1@100"))
    a1, a2, a3 = (venue.order_id("ann", f"a{number}") for number in range(1, 4))
    b1 = venue.state.event_number + 1
    assert venue.tell(limit("ann", "b1", BUY, "2@100", prevention=DECREMENT)) == [
        "ann NEW b1 buy 0/2@100 NEW leaves 2",
        f"ann RESTATED b1 buy 0/1@100 NEW leaves 1, SELF_TRADE_PREVENTED, counter {a1}",
        f"ann CANCELED a1 sell 0/1@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
        f"ann RESTATED b1 buy 0/0@100 NEW, SELF_TRADE_PREVENTED, counter {a2}",
        f"ann CANCELED a2 sell 0/1@100 CANCELED, SELF_TRADE_PREVENTED, counter {b1}",
        f"ann CANCELED b1 buy 0/0@100 CANCELED, SELF_TRADE_PREVENTED, counter {a2}",
    ]
    assert venue.book() == ([], ["ann a3 1@100"])
    assert venue.order_id("ann", "a3") == a3
