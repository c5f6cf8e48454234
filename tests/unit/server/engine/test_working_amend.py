"""Amends: what keeps the place in the queue, what trades, what is refused."""

from typing import Any

import pytest
from tradewire_server.engine.commands import (
    AmendOrder,
    Refused,
    SetInstrumentStatus,
    SetKillSwitch,
    UpdateAccount,
)
from tradewire_server.engine.events import OrderAmended
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.vocabulary import (
    InstrumentStatus,
    PostOnly,
    Reason,
    SelfTradePrevention,
    Side,
)

from tests.support.bare_venue import BTC_USD, BareVenue, amend, limit

BUY, SELL = Side.BUY, Side.SELL


def venue_with_bids(instrument: Instrument = BTC_USD) -> BareVenue:
    """Return a venue with the bids ann 5@100, bob 5@100, and cat's ask 4@110."""
    venue = BareVenue(instrument)
    for name in ("ann", "bob", "cat"):
        venue.account(name, BTC="100", USD="10000")
    venue.tell(
        limit("ann", "a1", BUY, "5@100"),
        limit("bob", "b1", BUY, "5@100"),
        limit("cat", "c1", SELL, "4@110"),
    )
    return venue


# --- priority -------------------------------------------------------------------------------------


def test_smaller_quantity_keeps_the_place() -> None:
    venue = venue_with_bids()
    assert venue.tell(amend("ann", "a1", "a2", "3@")) == [
        "ann REPLACED a2 buy 0/3@100 NEW leaves 3, by a2, priority kept"
    ]
    assert venue.book()[0] == ["ann a2 3@100", "bob b1 5@100"]
    assert venue.total("ann", "USD") == (10_000_00, 300_00)


def test_greater_quantity_goes_to_the_end() -> None:
    venue = venue_with_bids()
    assert venue.tell(amend("ann", "a1", "a2", "6@")) == [
        "ann REPLACED a2 buy 0/6@100 NEW leaves 6, by a2, priority lost"
    ]
    assert venue.book()[0] == ["bob b1 5@100", "ann a2 6@100"]
    assert venue.total("ann", "USD") == (10_000_00, 600_00)


@pytest.mark.parametrize("terms", ["@99", "5@99", "3@99"])
def test_another_price_goes_to_the_end_of_that_price(terms: str) -> None:
    venue = venue_with_bids()
    venue.tell(limit("cat", "c2", BUY, "1@99"))
    lots = terms.partition("@")[0] or "5"
    assert venue.tell(amend("ann", "a1", "a2", terms)) == [
        f"ann REPLACED a2 buy 0/{lots}@99 NEW leaves {lots}, by a2, priority lost"
    ]
    assert venue.book()[0] == ["bob b1 5@100", "cat c2 1@99", f"ann a2 {lots}@99"]


def test_back_and_forth_loses_the_place() -> None:
    venue = venue_with_bids()
    venue.tell(amend("ann", "a1", "a2", "@99"), amend("ann", "a2", "a3", "@100"))
    assert venue.book()[0] == ["bob b1 5@100", "ann a3 5@100"]


def test_same_price_written_otherwise_keeps_the_place() -> None:
    venue = venue_with_bids()
    venue.tell(amend("ann", "a1", "a2", "4@100.00"))
    assert venue.book()[0] == ["ann a2 4@100", "bob b1 5@100"]


def test_quantity_is_that_of_the_whole_order() -> None:
    venue = venue_with_bids()
    venue.tell(limit("cat", "c2", SELL, "2@100"))
    assert venue.tell(amend("ann", "a1", "a2", "4@")) == [
        "ann REPLACED a2 buy 2/4@100 PARTIALLY_FILLED leaves 2, by a2, priority kept"
    ]
    assert venue.total("ann", "USD") == (9_800_00, 200_00)


def test_order_is_found_by_its_id_and_by_any_of_its_client_ids() -> None:
    venue = venue_with_bids()
    order_id = venue.order_id("ann", "a1")
    for number, command in enumerate(
        [
            amend("ann", "a1", "x1", "9@"),
            amend("ann", "a1", "x2", "8@"),
            amend("ann", "x1", "x3", "7@"),
            AmendOrder("ann", "x4", order_id, "", "6"),
        ],
        start=1,
    ):
        lots = 10 - number
        (event,) = venue.accept(command)
        assert isinstance(event, OrderAmended)
        assert (event.order_id, event.client_order_id) == (order_id, f"x{number}")
        assert (event.quantity_lots, event.priority_kept) == (lots, number > 1)


def test_event_holds_the_new_terms_and_fee_hold() -> None:
    venue = BareVenue()
    venue.account("ann", maker_rate=10_000, taker_rate=20_000, USD="1000")
    venue.tell(limit("ann", "a1", BUY, "5@100"))
    order_id = venue.order_id("ann", "a1")
    assert venue.accept(amend("ann", "a1", "a2", "6@101")) == [
        OrderAmended(order_id, "a2", 101, 6, 121 + 1, False, Reason.UNSPECIFIED)
    ]
    # 606 USD and 0.2 % of it, rounded up.
    assert venue.total("ann", "USD") == (1_000_00, 606_00 + 122)


# --- amends that trade ----------------------------------------------------------------------------


def test_amend_that_meets_trades_at_once() -> None:
    venue = venue_with_bids()
    assert venue.tell(amend("ann", "a1", "a2", "@110")) == [
        "ann REPLACED a2 buy 0/5@110 NEW leaves 5, by a2, priority lost",
        "ann TRADE a2 buy 4/5@110 PARTIALLY_FILLED leaves 1, taker 4@110 fee 0",
        "cat TRADE c1 sell 4/4@110 FILLED, maker 4@110 fee 0",
    ]
    assert venue.book() == (["ann a2 1@110", "bob b1 5@100"], [])
    assert venue.total("ann", "USD") == (10_000_00 - 440_00, 110_00)


def test_amended_sale_trades_at_the_makers_price() -> None:
    venue = venue_with_bids()
    assert venue.tell(amend("cat", "c1", "c2", "@95")) == [
        "cat REPLACED c2 sell 0/4@95 NEW leaves 4, by c2, priority lost",
        "cat TRADE c2 sell 4/4@95 FILLED, taker 4@100 fee 0",
        "ann TRADE a1 buy 4/5@100 PARTIALLY_FILLED leaves 1, maker 4@100 fee 0",
    ]


def test_amend_meets_prevention() -> None:
    venue = venue_with_bids()
    mode = SelfTradePrevention.CANCEL_NEWEST
    venue.tell(limit("cat", "c2", BUY, "1@90", prevention=mode))
    c1 = venue.order_id("cat", "c1")
    assert venue.tell(amend("cat", "c2", "c3", "@110")) == [
        "cat REPLACED c3 buy 0/1@110 NEW leaves 1, by c3, priority lost",
        f"cat CANCELED c3 buy 0/1@110 CANCELED, SELF_TRADE_PREVENTED, counter {c1}",
    ]


def test_amended_purchase_never_pays_more_fees_than_it_holds() -> None:
    venue = BareVenue()
    venue.account("cat", BTC="100")
    # 0.15 % of 1 USD is 0.15 cents: one cent when rounded up; of 10 USD 1.5 cents: two.
    venue.account("ann", taker_rate=15_000, USD="1000")
    for number in range(10):
        venue.tell(limit("cat", f"c{number}", SELL, "1@10"))
    venue.tell(limit("ann", "a1", BUY, "10@1"))
    lines = venue.tell(amend("ann", "a1", "a2", "@10"))
    fees = [int(line.rpartition("fee ")[2]) for line in lines if line.startswith("ann TRADE")]
    # 100 USD hold 15 cents.
    assert fees == [2, 2, 2, 2, 2, 2, 2, 1, 0, 0]
    assert venue.total("ann", "USD") == (1_000_00 - 100_00 - 15, 0)


# --- post-only ------------------------------------------------------------------------------------


def test_amend_of_a_repricing_order_gets_the_price_behind() -> None:
    venue = venue_with_bids()
    venue.tell(limit("bob", "b2", BUY, "1@90", post_only=PostOnly.REPRICE))
    assert venue.tell(amend("bob", "b2", "b3", "@120")) == [
        "bob REPLACED b3 buy 0/1@109 NEW leaves 1, REPRICED, by b3, priority lost"
    ]


def test_amend_that_repricing_turns_into_a_smaller_quantity_keeps_the_place() -> None:
    venue = venue_with_bids()
    venue.tell(
        limit("bob", "b2", BUY, "3@109", post_only=PostOnly.REPRICE),
        limit("ann", "a2", BUY, "1@109"),
    )
    assert venue.tell(amend("bob", "b2", "b3", "2@120")) == [
        "bob REPLACED b3 buy 0/2@109 NEW leaves 2, REPRICED, by b3, priority kept"
    ]
    assert venue.book()[0][:2] == ["bob b3 2@109", "ann a2 1@109"]


def test_amend_that_repricing_turns_into_nothing_is_refused() -> None:
    venue = venue_with_bids()
    venue.tell(limit("bob", "b2", BUY, "3@109", post_only=PostOnly.REPRICE))
    assert venue.do(amend("bob", "b2", "b3", "@120")) == Refused(
        Reason.ORDER_NOT_AMENDABLE, "the amend changes nothing"
    )


# --- refusals -------------------------------------------------------------------------------------


def would_be_rejected(reason: Reason) -> Refused:
    text = f"as a new order it would be rejected: {reason.name}"
    return Refused(Reason.ORDER_NOT_AMENDABLE, text, "", (("because", reason.name),))


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        (
            amend("nobody", "a1", "x", "3@"),
            Refused(Reason.ACCOUNT_NOT_FOUND, "there is no account nobody", "account"),
        ),
        (
            amend("ann", "b1", "x", "3@"),
            Refused(
                Reason.ORDER_NOT_FOUND,
                "there is no order with the client order id b1",
                "original_client_order_id",
            ),
        ),
        (
            AmendOrder("ann", "x", 999, "", "3"),
            Refused(Reason.ORDER_NOT_FOUND, "there is no order 999", "order_id"),
        ),
        (
            amend("ann", "a1", "a1", "3@"),
            Refused(
                Reason.CLIENT_ORDER_ID_REUSED,
                "a working order has the client order id a1",
                "client_order_id",
            ),
        ),
        (
            amend("ann", "a1", "x", "@100.5"),
            Refused(Reason.PRICE_OFF_TICK, "price is not a multiple of the tick size 1", "price"),
        ),
        (
            amend("ann", "a1", "x", "@0"),
            Refused(Reason.PRICE_OUT_OF_RANGE, "price is zero or too large", "price"),
        ),
        (
            amend("ann", "a1", "x", "2.5@"),
            Refused(
                Reason.QUANTITY_OFF_LOT,
                "quantity is not a multiple of the lot size 1",
                "quantity",
            ),
        ),
        (
            amend("ann", "a1", "x", "0@"),
            Refused(Reason.QUANTITY_OUT_OF_RANGE, "quantity is not between 1 and 1000", "quantity"),
        ),
        (
            amend("ann", "a1", "x", "@300000"),
            Refused(
                Reason.NOTIONAL_OUT_OF_RANGE,
                "price times quantity is not between 1 and 1000000 USD",
                "price",
            ),
        ),
        (
            amend("cat", "c1", "x", "1000@"),
            would_be_rejected(Reason.INSUFFICIENT_FUNDS),
        ),
        (
            amend("ann", "a1", "x", "@"),
            Refused(Reason.ORDER_NOT_AMENDABLE, "the amend changes nothing"),
        ),
        (
            amend("ann", "a1", "x", "5@100"),
            Refused(Reason.ORDER_NOT_AMENDABLE, "the amend changes nothing"),
        ),
        (amend("ann", "a1", "x", "100@101"), would_be_rejected(Reason.INSUFFICIENT_FUNDS)),
    ],
)
def test_refused_amend_names_what_is_wrong(command: AmendOrder, refused: Refused) -> None:
    venue = venue_with_bids()
    before = venue.state.state_hash()
    assert venue.do(command) == refused
    assert venue.state.state_hash() == before


def test_notional_is_that_of_the_quantity_when_no_price_is_given() -> None:
    venue = venue_with_bids(BTC_USD._replace(maximum_notional=600_00))
    assert venue.do(amend("ann", "a1", "x", "7@")) == Refused(
        Reason.NOTIONAL_OUT_OF_RANGE,
        "price times quantity is not between 1 and 600 USD",
        "quantity",
    )


@pytest.mark.parametrize("quantity", ["1", "2"])
def test_quantity_must_be_above_what_is_filled(quantity: str) -> None:
    venue = venue_with_bids()
    venue.tell(limit("cat", "c2", SELL, "2@100"))
    assert venue.do(amend("ann", "a1", "x", f"{quantity}@")) == Refused(
        Reason.QUANTITY_BELOW_FILLED,
        "quantity must be above what is filled (2); cancel the order in place of this",
        "quantity",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (SetInstrumentStatus("BTC-USD", InstrumentStatus.HALTED), Reason.INSTRUMENT_HALTED),
        (
            SetInstrumentStatus("BTC-USD", InstrumentStatus.CANCEL_ONLY),
            Reason.INSTRUMENT_CANCEL_ONLY,
        ),
        (SetInstrumentStatus("BTC-USD", InstrumentStatus.POST_ONLY), Reason.INSTRUMENT_POST_ONLY),
    ],
)
def test_amend_needs_the_status_that_a_new_order_needs(change: Any, reason: Reason) -> None:
    venue = venue_with_bids()
    venue.accept(change)
    assert venue.do(amend("ann", "a1", "x", "3@")) == would_be_rejected(reason)


@pytest.mark.parametrize(
    "change", [SetKillSwitch(engaged=True), UpdateAccount("ann", trading_disabled=True)]
)
def test_kill_switch_leaves_nothing_to_amend(change: Any) -> None:
    venue = venue_with_bids()
    venue.accept(change)
    answer = venue.do(amend("ann", "a1", "x", "3@"))
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.ORDER_NOT_FOUND


def test_amend_needs_a_price_within_the_band() -> None:
    venue = venue_with_bids(BTC_USD._replace(price_band_ppm=50_000))
    venue.tell(limit("cat", "c2", SELL, "1@100"))
    assert venue.do(amend("ann", "a1", "x", "@94")) == would_be_rejected(Reason.PRICE_OUT_OF_BAND)
    assert venue.tell(amend("ann", "a1", "x", "@95")) == [
        "ann REPLACED x buy 1/5@95 PARTIALLY_FILLED leaves 4, by x, priority lost"
    ]


def test_amend_of_a_post_only_order_may_not_trade() -> None:
    venue = venue_with_bids()
    venue.tell(limit("bob", "b2", BUY, "1@90", post_only=PostOnly.REJECT))
    assert venue.do(amend("bob", "b2", "x", "@110")) == would_be_rejected(
        Reason.POST_ONLY_WOULD_TRADE
    )


def test_amend_may_use_what_the_order_holds() -> None:
    venue = BareVenue()
    venue.account("ann", USD="500")
    venue.tell(limit("ann", "a1", BUY, "5@100"))
    assert venue.do(amend("ann", "a1", "x", "5@101")) == would_be_rejected(
        Reason.INSUFFICIENT_FUNDS
    )
    assert venue.tell(amend("ann", "a1", "a2", "10@50")) == [
        "ann REPLACED a2 buy 0/10@50 NEW leaves 10, by a2, priority lost"
    ]
    assert venue.total("ann", "USD") == (500_00, 500_00)


def test_order_keeps_the_fees_with_which_it_was_accepted() -> None:
    venue = BareVenue()
    venue.account("ann", maker_rate=10_000, taker_rate=10_000, USD="1000")
    venue.tell(limit("ann", "a1", BUY, "5@100"))
    venue.accept(UpdateAccount("ann", maker_rate=900_000, taker_rate=900_000))
    venue.tell(amend("ann", "a1", "a2", "4@100"))
    assert venue.total("ann", "USD") == (1_000_00, 400_00 + 40)
