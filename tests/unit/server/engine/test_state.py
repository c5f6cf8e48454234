"""A snapshot is the state, in any process; the expiries stay small; indexes forget the closed."""

import json
import random

import pytest
from tradewire_server.engine.commands import (
    CancelConnection,
    CreateKey,
    ExpireOrders,
    RevokeKey,
    SetInstrumentStatus,
    SetKillSwitch,
    UpdateAccount,
)
from tradewire_server.engine.events import KeyRecord
from tradewire_server.engine.state import (
    EXPIRIES_SLACK,
    SNAPSHOT_VERSION,
    TEXTS_MAX,
    Market,
    State,
    due_entries,
    dump_state,
    load_state,
)
from tradewire_server.engine.vocabulary import (
    InstrumentStatus,
    OrderStatus,
    PostOnly,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

from tests.support.bare_venue import BTC_USD, SECOND_NS, BareVenue, amend, cancel, limit
from tests.support.replay import check_replay, through_snapshot

BUY, SELL = Side.BUY, Side.SELL


def rich_venue() -> BareVenue:
    """Return a venue that has one of everything a snapshot holds."""
    venue = BareVenue(BTC_USD, BTC_USD._replace(symbol="ETH-USD", base_asset="ETH"))
    venue.account("zoe", maker_rate=10_000, taker_rate=20_000, BTC="100", USD="10000")
    venue.account("ann", BTC="100", ETH="5", USD="10000")
    venue.accept(UpdateAccount("ann", rate_limit_exempt=True))
    key = KeyRecord("k2", "zoe", "hmac", b"", b"\x00sealed", ("read", "trade"), (), "x", 5)
    venue.accept(CreateKey(key))
    venue.accept(CreateKey(key._replace(key_id="k1", addresses=("192.0.2.0/24",), expires_ns=9)))
    venue.accept(RevokeKey("zoe", "k2"))
    venue.tell(
        limit("ann", "a1", SELL, "5@100"),
        limit("zoe", "z1", BUY, "2@100"),
        limit(
            "zoe",
            "z2",
            BUY,
            "3@90",
            TimeInForce.DAY,
            post_only=PostOnly.REPRICE,
            prevention=SelfTradePrevention.DECREMENT,
            connection="c1",
        ),
        limit("ann", "a2", SELL, "5@100"),
        amend("ann", "a1", "a3", "6@"),
        limit("ann", "a4", SELL, "1@7", symbol="ETH-USD"),
    )
    venue.accept(SetInstrumentStatus("ETH-USD", InstrumentStatus.POST_ONLY))
    return venue


# --- snapshot -------------------------------------------------------------------------------------


def test_snapshot_gives_the_state_back() -> None:
    venue = rich_venue()
    recovered = through_snapshot(venue.state)
    assert dump_state(recovered) == dump_state(venue.state)
    assert recovered.state_hash() == venue.state.state_hash()
    # Numbers became the members that the engine tells apart by identity.
    order = recovered.accounts["zoe"].client_order_ids["z2"]
    terms = venue.state.accounts["zoe"].client_order_ids["z2"].terms
    assert order.terms == terms
    assert [type(value) for value in order.terms] == [type(value) for value in terms]
    assert order.status is OrderStatus.NEW
    assert recovered.markets["ETH-USD"].instrument.status is InstrumentStatus.POST_ONLY
    assert recovered.keys == venue.state.keys
    assert list(recovered.keys) == ["k2", "k1"]


def test_snapshot_is_plain_and_sorted_by_name() -> None:
    plain = dump_state(rich_venue().state)

    def types(value: object) -> set[type]:
        inner = [types(item) for item in value] if isinstance(value, list) else []
        return {type(value)}.union(*inner)

    # No member of an enumeration, no tuple: nothing that is written otherwise than it is read.
    assert types(plain) == {list, int, str, bool, bytes}
    assets, markets, accounts = plain[4:7]
    assert [row[0] for row in assets] == ["BTC", "ETH", "USD"]
    assert [row[0][0] for row in markets] == ["BTC-USD", "ETH-USD"]
    assert [row[0] for row in accounts] == ["ann", "fees", "zoe"]


def test_recovered_venue_goes_on_like_the_other() -> None:
    venue = rich_venue()
    cut = len(venue.events)
    venue.tell(
        limit("zoe", "z3", BUY, "8@100"),
        cancel("ann", "a4"),
        CancelConnection("c1"),
    )
    venue.accept(SetKillSwitch(engaged=True))
    for place in range(cut + 1):
        check_replay(venue.state, venue.events, venue.recorder, cut=place)


def test_order_that_lost_its_place_stands_last_in_its_level_and_first_in_its_account() -> None:
    recovered = through_snapshot(rich_venue().state)
    (level,) = recovered.markets["BTC-USD"].book.asks.levels.values()
    assert [order.client_order_id for order in level] == ["a2", "a3"]
    names = [order.client_order_id for order in recovered.accounts["ann"].orders.values()]
    assert names == ["a3", "a2", "a4"]


def test_snapshot_without_keys_is_plain_json() -> None:
    venue = BareVenue()
    venue.account("ann", BTC="100")
    venue.tell(limit("ann", "a1", SELL, "5@100", connection="c1"))
    recovered = load_state(json.loads(json.dumps(dump_state(venue.state))))
    assert recovered.state_hash() == venue.state.state_hash()


def test_amounts_without_a_bound_are_text() -> None:
    venue = rich_venue()
    huge = 10**30
    venue.state.accounts["ann"].balance("USD").total = huge
    venue.state.accounts["ann"].position("BTC-USD").cost = -huge
    order = venue.state.accounts["ann"].client_order_ids["a1"]
    order.filled_tick_lots = order.fee = huge
    recovered = through_snapshot(venue.state)
    assert dump_state(recovered) == dump_state(venue.state)
    assert recovered.accounts["ann"].balance("USD").total == huge
    assert recovered.accounts["ann"].position("BTC-USD").cost == -huge
    assert recovered.accounts["ann"].client_order_ids["a1"].fee == huge


def test_empty_state_has_a_snapshot() -> None:
    fees = ["fees", 0, 0, 0, False, False, 0, 0, [], []]
    assert dump_state(State()) == [1, 0, 0, False, [], [], [fees], [], []]
    assert through_snapshot(State()).state_hash() == State().state_hash()


def test_unknown_version_is_named() -> None:
    plain = dump_state(State())
    plain[0] = SNAPSHOT_VERSION + 1
    with pytest.raises(ValueError, match="snapshot version 2 is not known, expected 1"):
        load_state(plain)


# --- expiries -------------------------------------------------------------------------------------


def gtd(venue: BareVenue, number: int, seconds: int) -> None:
    """Let ann place an order that ends after some seconds."""
    ends = venue.now_ns + seconds * SECOND_NS
    venue.tell(limit("ann", f"e{number}", BUY, "1@1", TimeInForce.GTD, expire_time_ns=ends))


def test_expiries_of_closed_orders_are_dropped() -> None:
    venue = BareVenue()
    venue.account("ann", limit=10**6, USD="1000000")
    gtd(venue, 0, 1)
    # Orders that end later than an open one stay in the heap when they close, up to a bound.
    for number in range(1, 3 * EXPIRIES_SLACK):
        gtd(venue, number, 100)
        venue.tell(cancel("ann", f"e{number}"))
        assert len(venue.state.expiries) <= 2 * venue.state.expiring_count + EXPIRIES_SLACK
    assert len(venue.state.expiries) > 1
    assert venue.state.expiring_count == 1
    # When the first one closes, its entry goes, and with it all the others below it.
    venue.now_ns += SECOND_NS
    assert len(venue.tell(ExpireOrders())) == 1
    assert venue.state.expiries == []


def test_first_of_the_expiries_is_an_open_order() -> None:
    venue, chance = BareVenue(), random.Random(3)
    venue.account("ann", limit=10**6, USD="1000000")
    open_orders = set[int]()
    for number in range(400):
        gtd(venue, number, chance.randrange(1, 50))
        open_orders.add(number)
        while open_orders and chance.random() < 0.45:
            closing = chance.choice(sorted(open_orders))
            open_orders.remove(closing)
            venue.tell(cancel("ann", f"e{closing}"))
        if venue.state.expiries:
            assert venue.state.expiries[0][1] in venue.state.orders


@pytest.mark.parametrize("seed", range(20))
def test_due_entries_are_those_up_to_now(seed: int) -> None:
    chance = random.Random(seed)
    heap = sorted((chance.randrange(20), number) for number in range(chance.randrange(40)))
    for now in range(-1, 21):
        assert sorted(due_entries(heap, now)) == [entry for entry in heap if entry[0] <= now]


# --- indexes --------------------------------------------------------------------------------------


def test_closed_orders_are_forgotten_everywhere() -> None:
    venue = rich_venue()
    venue.accept(SetKillSwitch(engaged=True))
    state = venue.state
    assert (state.orders, state.connections, state.expiring_count) == ({}, {}, 0)
    assert state.expiries == []
    for account in state.accounts.values():
        assert (account.orders, account.client_order_ids) == ({}, {})
    for market in state.markets.values():
        for side in (market.book.bids, market.book.asks):
            assert (side.keys, side.levels) == ([], {})


def test_orders_are_found_by_id_or_by_client_id() -> None:
    account = rich_venue().state.accounts["ann"]
    order = account.client_order_ids["a1"]
    assert account.find_order(order.order_id, "") is order
    assert account.find_order(order.order_id, "a2") is order
    assert account.find_order(0, "a1") is account.find_order(0, "a3") is order
    assert account.find_order(1, "a1") is None
    assert account.find_order(0, "z1") is None


def test_unused_balances_and_positions_are_empty() -> None:
    account = rich_venue().state.accounts["zoe"]
    assert account.available("ETH") == 0
    assert "ETH" not in account.balances
    assert account.balance("ETH").total == account.position("ETH-USD").quantity_lots == 0
    assert {"ETH"} <= set(account.balances)


# --- numbers --------------------------------------------------------------------------------------


def test_market_reads_numbers_as_its_instrument_does() -> None:
    market = Market(BTC_USD)
    for text in ("100", "100.5", "0", "7", "007", "1000000000", "100"):
        assert market.parse_price(text) == BTC_USD.parse_price(text)
        assert market.parse_quantity(text) == BTC_USD.parse_quantity(text)


def test_market_remembers_a_bounded_number_of_good_texts() -> None:
    market = Market(BTC_USD)
    for ticks in range(1, 3 * TEXTS_MAX):
        assert market.parse_price(str(ticks)) == ticks
        assert market.parse_price(f"{ticks}.5") is Reason.PRICE_OFF_TICK
        assert len(market.price_texts) <= TEXTS_MAX
    assert market.price_texts
    assert {text: int(text) for text in market.price_texts} == market.price_texts
