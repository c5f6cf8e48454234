"""What becomes of a well-formed new order: time in force, post-only, funds, band, status, caps."""

import pytest
from tradewire_server.engine.commands import (
    Command,
    ExpireOrders,
    PlaceOrder,
    SetInstrumentStatus,
    SetKillSwitch,
    UpdateAccount,
)
from tradewire_server.engine.events import OrderAccepted, OrderCanceled, OrderRejected, OrderTraded
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

from tests.support.bare_venue import (
    BTC_USD,
    DAY_NS,
    SECOND_NS,
    START_NS,
    BareVenue,
    cancel,
    limit,
    market,
)

BUY, SELL = Side.BUY, Side.SELL
NO_PREVENTION = SelfTradePrevention.UNSPECIFIED


def venue_with_ask(instrument: Instrument = BTC_USD) -> BareVenue:
    """Return a venue with ann's ask of 5@100; bob can buy, nobody pays fees."""
    venue = BareVenue(instrument)
    venue.account("ann", BTC="100", USD="100000")
    venue.account("bob", BTC="100", USD="100000")
    venue.tell(limit("ann", "a1", SELL, "5@100"))
    return venue


# --- events ---------------------------------------------------------------------------------------


def test_resting_order_is_one_event_with_its_terms() -> None:
    venue = BareVenue()
    venue.account("ann", maker_rate=20_000, taker_rate=10_000, USD="1000")
    number = venue.state.event_number + 1
    order = limit(
        "ann",
        "a1",
        BUY,
        "3@100",
        TimeInForce.GTD,
        post_only=PostOnly.REJECT,
        prevention=SelfTradePrevention.CANCEL_BOTH,
        expire_time_ns=START_NS + 1,
        connection="c7",
    )
    assert venue.accept(order) == [
        OrderAccepted(
            order_id=number,
            account="ann",
            client_order_id="a1",
            symbol="BTC-USD",
            side=BUY,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTD,
            price_ticks=100,
            quantity_lots=3,
            quote_amount=0,
            expire_time_ns=START_NS + 1,
            post_only=PostOnly.REJECT,
            self_trade_prevention=SelfTradePrevention.CANCEL_BOTH,
            connection="c7",
            maker_rate=20_000,
            taker_rate=10_000,
            fee_hold=60,
            reason=Reason.UNSPECIFIED,
        )
    ]


def test_taking_order_is_accepted_and_trades_with_decided_fees() -> None:
    venue = BareVenue()
    venue.account("ann", maker_rate=10_000, taker_rate=90_000, BTC="5")
    venue.account("bob", maker_rate=90_000, taker_rate=20_000, USD="1000")
    venue.tell(limit("ann", "a1", SELL, "2@100"))
    accepted, *rest = venue.accept(limit("bob", "b1", BUY, "2@101"))
    assert isinstance(accepted, OrderAccepted)
    # 0.9 % of 202 USD are held; 0.2 % and 0.1 % of 200 USD are paid.
    assert accepted.fee_hold == 182
    assert rest == [OrderTraded(accepted.order_id, accepted.order_id - 1, 100, 2, 40, 20)]


def test_amount_stands_in_the_event_in_quote_units() -> None:
    venue = venue_with_ask()
    accepted = venue.accept(market("bob", "b1", BUY, quote_quantity="250.5"))[0]
    assert isinstance(accepted, OrderAccepted)
    assert (accepted.quote_amount, accepted.quantity_lots, accepted.price_ticks) == (250_50, 2, 0)


def test_rejected_order_is_one_event_with_the_terms_as_asked() -> None:
    venue = venue_with_ask()
    number = venue.state.event_number + 1
    order = limit(
        "bob",
        "b1",
        BUY,
        "9@100",
        TimeInForce.GTD,
        expire_time_ns=START_NS + 5,
        post_only=PostOnly.REJECT,
        prevention=SelfTradePrevention.DECREMENT,
        connection="c7",
    )
    assert venue.accept(order) == [
        OrderRejected(
            order_id=number,
            account="bob",
            client_order_id="b1",
            symbol="BTC-USD",
            side=BUY,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTD,
            price_ticks=100,
            quantity_lots=9,
            quote_amount=0,
            expire_time_ns=START_NS + 5,
            post_only=PostOnly.REJECT,
            self_trade_prevention=SelfTradePrevention.DECREMENT,
            reason=Reason.POST_ONLY_WOULD_TRADE,
        )
    ]


def test_deciding_changes_nothing() -> None:
    venue = venue_with_ask()
    before = venue.state.state_hash()
    first = venue.decide(limit("bob", "b1", BUY, "9@100"))
    assert venue.decide(limit("bob", "b1", BUY, "9@100")) == first
    assert venue.state.state_hash() == before


# --- time in force --------------------------------------------------------------------------------


def test_good_till_canceled_rests() -> None:
    venue = venue_with_ask()
    assert venue.tell(limit("bob", "b1", BUY, "8@100"))[-1] == (
        "ann TRADE a1 sell 5/5@100 FILLED, maker 5@100 fee 0"
    )
    venue.now_ns += 1_000 * DAY_NS
    assert venue.tell(ExpireOrders()) == []
    assert venue.book() == (["bob b1 3@100"], [])


def test_immediate_or_cancel_never_rests() -> None:
    venue = venue_with_ask()
    assert venue.tell(limit("bob", "b1", BUY, "8@100", TimeInForce.IOC)) == [
        "bob NEW b1 buy 0/8@100 NEW leaves 8",
        "bob TRADE b1 buy 5/8@100 PARTIALLY_FILLED leaves 3, taker 5@100 fee 0",
        "ann TRADE a1 sell 5/5@100 FILLED, maker 5@100 fee 0",
        "bob CANCELED b1 buy 5/8@100 CANCELED, IMMEDIATE_OR_CANCEL",
    ]
    assert venue.tell(limit("bob", "b2", BUY, "8@100", TimeInForce.IOC)) == [
        "bob NEW b2 buy 0/8@100 NEW leaves 8",
        "bob CANCELED b2 buy 0/8@100 CANCELED, IMMEDIATE_OR_CANCEL",
    ]
    assert venue.book() == ([], [])
    assert venue.total("bob", "USD") == (100_000_00 - 500_00, 0)


def test_immediate_or_cancel_that_is_filled_is_not_canceled() -> None:
    venue = venue_with_ask()
    assert venue.tell(limit("bob", "b1", BUY, "5@100", TimeInForce.IOC)) == [
        "bob NEW b1 buy 0/5@100 NEW leaves 5",
        "bob TRADE b1 buy 5/5@100 FILLED, taker 5@100 fee 0",
        "ann TRADE a1 sell 5/5@100 FILLED, maker 5@100 fee 0",
    ]


def test_fill_or_kill_is_filled_whole() -> None:
    venue = venue_with_ask()
    assert venue.tell(limit("bob", "b1", BUY, "5@100", TimeInForce.FOK)) == [
        "bob NEW b1 buy 0/5@100 NEW leaves 5",
        "bob TRADE b1 buy 5/5@100 FILLED, taker 5@100 fee 0",
        "ann TRADE a1 sell 5/5@100 FILLED, maker 5@100 fee 0",
    ]


@pytest.mark.parametrize("terms", ["6@100", "5@99"])
def test_fill_or_kill_that_cannot_be_filled_does_nothing(terms: str) -> None:
    venue = venue_with_ask()
    quantity, _, price = terms.partition("@")
    assert venue.tell(limit("bob", "b1", BUY, terms, TimeInForce.FOK)) == [
        f"bob NEW b1 buy 0/{quantity}@{price} NEW leaves {quantity}",
        f"bob CANCELED b1 buy 0/{quantity}@{price} CANCELED, FILL_OR_KILL",
    ]
    assert venue.book() == ([], ["ann a1 5@100"])


def test_good_till_date_ends_at_its_time() -> None:
    venue = venue_with_ask()
    ends = START_NS + 5 * SECOND_NS
    venue.tell(limit("bob", "b1", BUY, "1@90", TimeInForce.GTD, expire_time_ns=ends))
    venue.now_ns = ends - 1
    assert venue.tell(ExpireOrders()) == []
    venue.now_ns = ends
    assert venue.tell(ExpireOrders()) == ["bob EXPIRED b1 buy 0/1@90 EXPIRED, EXPIRED"]
    assert venue.tell(ExpireOrders()) == []
    assert venue.total("bob", "USD") == (100_000_00, 0)


@pytest.mark.parametrize("hours", [0, 1, 12, 23])
def test_day_order_ends_at_midnight_utc(hours: int) -> None:
    venue = venue_with_ask()
    midnight = START_NS - START_NS % DAY_NS
    venue.now_ns = midnight + hours * 3_600 * SECOND_NS
    (accepted,) = venue.accept(limit("bob", "b1", BUY, "1@90", TimeInForce.DAY))
    assert isinstance(accepted, OrderAccepted)
    assert accepted.expire_time_ns == midnight + DAY_NS


def test_orders_expire_by_time_then_by_age() -> None:
    venue = venue_with_ask()
    for name, seconds in (("b1", 9), ("b2", 3), ("b3", 6), ("b4", 3), ("b5", 20)):
        ends = START_NS + seconds * SECOND_NS
        venue.tell(limit("bob", name, BUY, "1@90", TimeInForce.GTD, expire_time_ns=ends))
    venue.now_ns += 10 * SECOND_NS
    assert [line.split()[2] for line in venue.tell(ExpireOrders())] == ["b2", "b4", "b3", "b1"]
    assert venue.book()[0] == ["bob b5 1@90"]


def test_partly_filled_order_expires_with_what_it_filled() -> None:
    venue = venue_with_ask()
    ends = START_NS + SECOND_NS
    venue.tell(limit("bob", "b1", BUY, "8@100", TimeInForce.GTD, expire_time_ns=ends))
    venue.now_ns = ends
    assert venue.tell(ExpireOrders()) == ["bob EXPIRED b1 buy 5/8@100 EXPIRED, EXPIRED"]


# --- post-only ------------------------------------------------------------------------------------


def test_post_only_order_that_does_not_meet_rests() -> None:
    venue = venue_with_ask()
    assert venue.tell(
        limit("bob", "b1", BUY, "1@99", post_only=PostOnly.REJECT),
        limit("bob", "b2", BUY, "1@99", post_only=PostOnly.REPRICE),
    ) == [
        "bob NEW b1 buy 0/1@99 NEW leaves 1",
        "bob NEW b2 buy 0/1@99 NEW leaves 1",
    ]


@pytest.mark.parametrize("price", [100, 105])
def test_post_only_reject_rejects_what_would_trade(price: int) -> None:
    venue = venue_with_ask()
    assert venue.tell(limit("bob", "b1", BUY, f"1@{price}", post_only=PostOnly.REJECT)) == [
        f"bob REJECTED b1 buy 0/1@{price} REJECTED, POST_ONLY_WOULD_TRADE"
    ]


@pytest.mark.parametrize("price", [100, 105])
def test_post_only_reprice_buys_one_tick_below_the_best_ask(price: int) -> None:
    venue = venue_with_ask()
    assert venue.tell(limit("bob", "b1", BUY, f"2@{price}", post_only=PostOnly.REPRICE)) == [
        "bob NEW b1 buy 0/2@99 NEW leaves 2, REPRICED"
    ]
    assert venue.book() == (["bob b1 2@99"], ["ann a1 5@100"])
    assert venue.total("bob", "USD") == (100_000_00, 198_00)


def test_post_only_reprice_sells_one_tick_above_the_best_bid() -> None:
    venue = venue_with_ask()
    venue.tell(limit("bob", "b1", BUY, "1@95"))
    assert venue.tell(limit("ann", "a2", SELL, "2@90", post_only=PostOnly.REPRICE)) == [
        "ann NEW a2 sell 0/2@96 NEW leaves 2, REPRICED"
    ]


def test_post_only_reprice_is_rejected_when_there_is_no_price_behind() -> None:
    venue = BareVenue()
    venue.account("ann", BTC="100", USD="100000")
    venue.tell(limit("ann", "a1", SELL, "5@1"))
    assert venue.tell(limit("ann", "b1", BUY, "2@1", post_only=PostOnly.REPRICE)) == [
        "ann REJECTED b1 buy 0/2@1 REJECTED, POST_ONLY_WOULD_TRADE"
    ]


def test_post_only_reprice_is_rejected_when_the_notional_would_not_fit() -> None:
    venue = venue_with_ask(BTC_USD._replace(maximum_notional=1_000_00))
    venue.tell(cancel("ann", "a1"), limit("bob", "b1", BUY, "1@200"))
    # 5 x 200 fit, 5 x 201 do not.
    assert venue.tell(limit("ann", "a2", SELL, "5@200", post_only=PostOnly.REPRICE)) == [
        "ann REJECTED a2 sell 0/5@200 REJECTED, POST_ONLY_WOULD_TRADE"
    ]


def test_post_only_reprice_is_rejected_when_the_price_would_leave_the_band() -> None:
    venue = venue_with_ask(BTC_USD._replace(price_band_ppm=100_000))
    # The last price is 100, so 110 is the highest bid.
    venue.tell(limit("bob", "b1", BUY, "5@100"), limit("bob", "b2", BUY, "1@110"))
    assert venue.tell(limit("ann", "a2", SELL, "1@105", post_only=PostOnly.REPRICE)) == [
        "ann REJECTED a2 sell 0/1@105 REJECTED, PRICE_OUT_OF_BAND"
    ]


def test_rejected_order_keeps_the_price_that_was_asked_for() -> None:
    venue = venue_with_ask()
    venue.account("poor", USD="100")
    assert venue.tell(limit("poor", "p1", BUY, "2@101", post_only=PostOnly.REPRICE)) == [
        "poor REJECTED p1 buy 0/2@101 REJECTED, INSUFFICIENT_FUNDS"
    ]


# --- band -----------------------------------------------------------------------------------------


def test_band_counts_from_the_last_trade() -> None:
    venue = venue_with_ask(BTC_USD._replace(price_band_ppm=100_000))
    assert venue.tell(
        # Before the first trade there is no reference.
        limit("bob", "b0", BUY, "1@1"),
        limit("bob", "b1", BUY, "1@100"),
        limit("bob", "b2", BUY, "1@89"),
        limit("bob", "b3", BUY, "1@90"),
        limit("ann", "a2", SELL, "1@111"),
        limit("ann", "a3", SELL, "1@110"),
    ) == [
        "bob NEW b0 buy 0/1@1 NEW leaves 1",
        "bob NEW b1 buy 0/1@100 NEW leaves 1",
        "bob TRADE b1 buy 1/1@100 FILLED, taker 1@100 fee 0",
        "ann TRADE a1 sell 1/5@100 PARTIALLY_FILLED leaves 4, maker 1@100 fee 0",
        "bob REJECTED b2 buy 0/1@89 REJECTED, PRICE_OUT_OF_BAND",
        "bob NEW b3 buy 0/1@90 NEW leaves 1",
        "ann REJECTED a2 sell 0/1@111 REJECTED, PRICE_OUT_OF_BAND",
        "ann NEW a3 sell 0/1@110 NEW leaves 1",
    ]


def test_market_order_knows_its_protection_and_no_band() -> None:
    venue = venue_with_ask(BTC_USD._replace(price_band_ppm=1_000))
    venue.tell(limit("bob", "b1", BUY, "1@100"), limit("ann", "a2", SELL, "1@100"))
    assert venue.tell(market("bob", "b2", BUY, "1"))[1] == (
        "bob TRADE b2 buy 1/1@0 FILLED, taker 1@100 fee 0"
    )


# --- status, kill switches, caps ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "plain", "post_only"),
    [
        (InstrumentStatus.TRADING, "NEW", "NEW"),
        (InstrumentStatus.HALTED, "INSTRUMENT_HALTED", "INSTRUMENT_HALTED"),
        (InstrumentStatus.CANCEL_ONLY, "INSTRUMENT_CANCEL_ONLY", "INSTRUMENT_CANCEL_ONLY"),
        (InstrumentStatus.POST_ONLY, "INSTRUMENT_POST_ONLY", "NEW"),
    ],
)
def test_status_says_what_an_instrument_accepts(
    status: InstrumentStatus, plain: str, post_only: str
) -> None:
    venue = venue_with_ask()
    venue.accept(SetInstrumentStatus("BTC-USD", status))
    outcomes = {
        "NEW": "bob NEW {} buy 0/1@90 NEW leaves 1",
        "": "bob REJECTED {} buy 0/1@90 REJECTED, {}",
    }
    expected = [
        (outcomes["NEW"] if reason == "NEW" else outcomes[""]).format(name, reason)
        for name, reason in (("b1", plain), ("b2", post_only))
    ]
    assert (
        venue.tell(
            limit("bob", "b1", BUY, "1@90"),
            limit("bob", "b2", BUY, "1@90", post_only=PostOnly.REJECT),
        )
        == expected
    )
    # Cancels are accepted always.
    assert venue.tell(cancel("ann", "a1")) == [
        "ann CANCELED a1 sell 0/5@100 CANCELED, USER_CANCELED"
    ]


def test_kill_switch_of_an_account_cancels_its_orders_and_rejects_new_ones() -> None:
    venue = venue_with_ask()
    venue.tell(limit("ann", "a2", BUY, "1@90"), limit("bob", "b1", BUY, "1@90"))
    assert venue.tell(
        UpdateAccount("ann", trading_disabled=True),
        limit("ann", "a3", BUY, "1@90"),
        limit("bob", "b2", BUY, "1@91"),
    ) == [
        "ann CANCELED a1 sell 0/5@100 CANCELED, KILL_SWITCH",
        "ann CANCELED a2 buy 0/1@90 CANCELED, KILL_SWITCH",
        "ann REJECTED a3 buy 0/1@90 REJECTED, TRADING_DISABLED",
        "bob NEW b2 buy 0/1@91 NEW leaves 1",
    ]
    assert venue.tell(
        UpdateAccount("ann", trading_disabled=False), limit("ann", "a4", BUY, "1@90")
    ) == ["ann NEW a4 buy 0/1@90 NEW leaves 1"]


def test_kill_switch_of_the_venue_cancels_all_orders_and_rejects_new_ones() -> None:
    venue = venue_with_ask()
    venue.tell(limit("bob", "b1", BUY, "1@90"))
    assert venue.tell(
        SetKillSwitch(engaged=True),
        limit("ann", "a3", BUY, "1@90"),
        market("bob", "b2", BUY, "1"),
        SetKillSwitch(engaged=False),
        limit("ann", "a4", BUY, "1@90"),
    ) == [
        "ann CANCELED a1 sell 0/5@100 CANCELED, KILL_SWITCH",
        "bob CANCELED b1 buy 0/1@90 CANCELED, KILL_SWITCH",
        "ann REJECTED a3 buy 0/1@90 REJECTED, TRADING_DISABLED",
        "bob REJECTED b2 buy 0/1@0 REJECTED, TRADING_DISABLED",
        "ann NEW a4 buy 0/1@90 NEW leaves 1",
    ]


def test_account_has_a_greatest_number_of_open_orders() -> None:
    venue = BareVenue()
    venue.account("ann", limit=2, USD="1000", BTC="10")
    assert venue.tell(
        limit("ann", "a1", BUY, "1@90"),
        limit("ann", "a2", BUY, "1@91"),
        limit("ann", "a3", BUY, "1@92"),
        cancel("ann", "a1"),
        limit("ann", "a4", BUY, "1@93"),
    ) == [
        "ann NEW a1 buy 0/1@90 NEW leaves 1",
        "ann NEW a2 buy 0/1@91 NEW leaves 1",
        "ann REJECTED a3 buy 0/1@92 REJECTED, OPEN_ORDER_LIMIT",
        "ann CANCELED a1 buy 0/1@90 CANCELED, USER_CANCELED",
        "ann NEW a4 buy 0/1@93 NEW leaves 1",
    ]


def test_first_broken_rule_answers() -> None:
    """Kill switch, status, cap, band, post-only, funds: each hides those after it."""
    venue = venue_with_ask(BTC_USD._replace(price_band_ppm=100_000))
    venue.account("poor", limit=0)
    venue.tell(limit("bob", "b1", BUY, "1@100"))
    order = limit("poor", "p", BUY, "9@500", post_only=PostOnly.REJECT)
    good_price = order._replace(price="100")
    low_price = order._replace(price="99")
    steps: list[tuple[Command, PlaceOrder, str]] = [
        (UpdateAccount("poor", trading_disabled=True), order, "TRADING_DISABLED"),
        (UpdateAccount("poor", trading_disabled=False), order, "INSTRUMENT_HALTED"),
        (SetInstrumentStatus("BTC-USD", InstrumentStatus.TRADING), order, "OPEN_ORDER_LIMIT"),
        (UpdateAccount("poor", open_order_limit=9), order, "PRICE_OUT_OF_BAND"),
        (ExpireOrders(), good_price, "POST_ONLY_WOULD_TRADE"),
        (ExpireOrders(), low_price, "INSUFFICIENT_FUNDS"),
    ]
    venue.accept(SetInstrumentStatus("BTC-USD", InstrumentStatus.HALTED))
    for change, command, reason in steps:
        venue.accept(change)
        assert venue.tell(command)[-1].rpartition(", ")[2] == reason


# --- funds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("funds", "outcome"), [("300.6", "NEW"), ("300.59", "REJECTED")])
def test_purchase_needs_notional_and_highest_fee(funds: str, outcome: str) -> None:
    venue = BareVenue()
    venue.account("ann", maker_rate=20_000, taker_rate=10_000, USD=funds)
    assert venue.tell(limit("ann", "a1", BUY, "3@100"))[0].split()[1] == outcome


@pytest.mark.parametrize(("funds", "outcome"), [("3", "NEW"), ("2.999", "REJECTED")])
def test_sale_needs_its_base(funds: str, outcome: str) -> None:
    venue = BareVenue()
    venue.account("ann", maker_rate=20_000, taker_rate=10_000, BTC=funds)
    assert venue.tell(limit("ann", "a1", SELL, "3@100"))[0].split()[1] == outcome


def test_account_without_the_asset_has_nothing_of_it() -> None:
    venue = BareVenue()
    venue.account("ann")
    assert venue.tell(limit("ann", "a1", SELL, "1@100"), limit("ann", "a2", BUY, "1@100")) == [
        "ann REJECTED a1 sell 0/1@100 REJECTED, INSUFFICIENT_FUNDS",
        "ann REJECTED a2 buy 0/1@100 REJECTED, INSUFFICIENT_FUNDS",
    ]


def test_what_open_orders_hold_is_not_available() -> None:
    venue = BareVenue()
    venue.account("ann", USD="300")
    assert venue.tell(
        limit("ann", "a1", BUY, "2@100"),
        limit("ann", "a2", BUY, "2@100"),
        limit("ann", "a3", BUY, "1@100"),
    ) == [
        "ann NEW a1 buy 0/2@100 NEW leaves 2",
        "ann REJECTED a2 buy 0/2@100 REJECTED, INSUFFICIENT_FUNDS",
        "ann NEW a3 buy 0/1@100 NEW leaves 1",
    ]


@pytest.mark.parametrize(("funds", "outcome"), [("200.4", "NEW"), ("200.39", "REJECTED")])
def test_market_purchase_needs_what_its_trades_cost(funds: str, outcome: str) -> None:
    venue = venue_with_ask()
    venue.account("cat", taker_rate=20_000, USD=funds)
    assert venue.tell(market("cat", "c1", BUY, "2"))[0].split()[1] == outcome


@pytest.mark.parametrize(("funds", "outcome"), [("2", "NEW"), ("1.999", "REJECTED")])
def test_market_sale_needs_all_of_its_quantity(funds: str, outcome: str) -> None:
    venue = venue_with_ask()
    venue.tell(limit("bob", "b1", BUY, "1@90"))
    venue.account("cat", BTC=funds)
    assert venue.tell(market("cat", "c1", SELL, "2"))[0].split()[1] == outcome


def test_rejected_order_by_amount_was_for_no_quantity() -> None:
    venue = venue_with_ask()
    venue.account("cat", USD="199")
    assert venue.tell(market("cat", "c1", BUY, quote_quantity="200")) == [
        "cat REJECTED c1 buy 0/0@0 REJECTED, INSUFFICIENT_FUNDS"
    ]


def test_fill_or_kill_is_killed_by_one_event() -> None:
    venue = venue_with_ask()
    accepted, *rest = venue.accept(limit("bob", "b1", BUY, "6@100", TimeInForce.FOK))
    assert isinstance(accepted, OrderAccepted)
    assert rest == [OrderCanceled(accepted.order_id, Reason.FILL_OR_KILL)]
    assert venue.total("bob", "USD") == (100_000_00, 0)
