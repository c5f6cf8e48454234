"""Answers of the contract, books and trades become the FIX messages that carry them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire.v1 import (
    account_pb2,
    account_service_pb2,
    market_data_service_pb2,
    market_pb2,
    order_pb2,
    order_service_pb2,
)
from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.translate import (
    MarketDataFeed,
    balances,
    book_snapshot,
    mass_cancel_report,
    position_reports,
    security_list,
    security_status,
)

from tests.unit.gateway.fix.translated import NOW, NOW_NS, answered, messages_of, request, text_of

INSTRUMENT = market_pb2.Instrument(
    symbol="BTC-USD",
    base_asset="BTC",
    quote_asset="USD",
    tick_size="0.01",
    lot_size="0.0001",
    minimum_quantity="0.0001",
    maximum_quantity="1000",
    minimum_notional="1",
    maximum_notional="10000000",
    price_band_percent="10",
    market_protection_percent="5",
    status=market_pb2.INSTRUMENT_STATUS_TRADING,
)
INSTRUMENT_TEXT = (
    "55=BTC-USD|20030=BTC|15=USD|20031=0.01|20032=0.0001|20033=0.0001|20034=1000|20035=1|20036=10000000|"
    "20037=10|20038=5|326=17|"
)
Batch = market_data_service_pb2.MarketDataBatch
Level = market_pb2.PriceLevel


def test_a_mass_cancel_that_was_done() -> None:
    asked = request("q", f"11=Q-1|530=1|55=BTC-USD|54=1|60={NOW}|")
    response = order_service_pb2.CancelAllOrdersResponse(canceled_count=0, as_of_sequence=42)
    fields = answered(mass_cancel_report(asked, response, now_ns=NOW_NS))
    assert text_of(fields) == (
        f"11=Q-1|530=1|55=BTC-USD|54=1|37=NONE|531=1|533=0|20013=42|60={NOW}|"
    )


def test_instruments_are_listed_with_their_rules() -> None:
    asked = request("x", "320=L-1|559=4|")
    (answer,) = security_list(asked, [INSTRUMENT], identity="S-7")
    assert text_of(answered(answer)) == (
        f"320=L-1|322=S-7|560=0|393=1|893=Y|146=1|{INSTRUMENT_TEXT.removesuffix('326=17|')}"
    )


def test_a_long_list_comes_in_pieces_and_an_empty_one_says_so() -> None:
    asked = request("x", "320=L-1|559=4|")
    found = [answered(answer) for answer in security_list(asked, [INSTRUMENT] * 201, identity="i")]
    assert [len(each.group(146)) for each in found] == [100, 100, 1]
    assert [each[893] for each in found] == ["N", "N", "Y"]
    assert {each[393] for each in found} == {"201"}
    (answer,) = security_list(asked, [], identity="i")
    assert text_of(answered(answer)) == "320=L-1|322=i|560=2|393=0|893=Y|"


@pytest.mark.parametrize(("status", "value"), [(1, "17"), (2, "2"), (3, "18"), (4, "21")], ids=str)
def test_the_status_of_an_instrument(status: Any, value: str) -> None:
    asked = request("e", "324=T-1|263=0|55=BTC-USD|")
    response = market_data_service_pb2.GetInstrumentResponse(instrument=INSTRUMENT)
    response.instrument.status = status
    fields = answered(security_status(asked, response))
    assert text_of(fields) == f"324=T-1|{INSTRUMENT_TEXT.replace('326=17', f'326={value}')}"


def test_balances_are_a_group() -> None:
    asked = request("BE", "923=U-1|924=4|553=key-1|")
    response = account_service_pb2.ListBalancesResponse(as_of_sequence=42)
    response.balances.add(asset="BTC", total="1", available="0.9", held="0.1")
    response.balances.add(asset="USD", total="5", available="5", held="0")
    assert text_of(answered(balances(asked, response))) == (
        "923=U-1|553=key-1|926=1|20013=42|20040=2|15=BTC|20041=1|20042=0.9|20043=0.1|"
        "15=USD|20041=5|20042=5|20043=0|"
    )


@pytest.mark.parametrize(
    ("quantity", "expected"), [("0.5", "704=0.5"), ("-0.5", "705=0.5"), ("0", "704=0")]
)
def test_positions_are_long_or_short(quantity: str, expected: str) -> None:
    asked = request("AN", "710=P-1|724=0|1=demo-1|")
    position = account_pb2.Position(
        symbol="BTC-USD", quantity=quantity, average_entry_price="59800", realized_pnl="12.5",
        unrealized_pnl="-3.1", fees="29.9",
    )  # fmt: skip
    response = account_service_pb2.ListPositionsResponse(positions=[position], as_of_sequence=42)
    (answer,) = position_reports(asked, response, now_ns=NOW_NS, identity="S-7")
    assert text_of(answered(answer)) == (
        "710=P-1|724=0|1=demo-1|721=S-7-1|715=20261122|727=1|728=0|55=BTC-USD|20044=59800|20045=12.5|"
        f"20046=-3.1|20047=29.9|702=1|703=TOT|{expected}|20013=42|"
    )


def test_no_position_is_one_report_that_says_so() -> None:
    asked = request("AN", "710=P-1|724=0|")
    response = account_service_pb2.ListPositionsResponse(as_of_sequence=42)
    (answer,) = position_reports(asked, response, now_ns=NOW_NS, identity="S-7")
    assert text_of(answered(answer)) == (
        "710=P-1|724=0|721=S-7-1|715=20261122|727=0|728=2|20013=42|"
    )


def book(*, snapshot: bool, bids: str = "", asks: str = "", sequence: int = 5) -> Any:
    def levels(text: str) -> list[Level]:
        pairs = (each.split(":") for each in text.split())
        return [Level(price=price, quantity=quantity) for price, quantity in pairs]

    return market_pb2.OrderBook(
        symbol="BTC-USD",
        epoch=3,
        sequence=sequence,
        previous_sequence=0 if snapshot else sequence - 1,
        snapshot=snapshot,
        bids=levels(bids),
        asks=levels(asks),
        checksum=492654767,
    )


def trade(number: int) -> market_pb2.Trade:
    made = market_pb2.Trade(
        trade_id=number,
        symbol="BTC-USD",
        price="100.5",
        quantity="1",
        taker_side=order_pb2.SIDE_SELL,
    )
    made.time.FromNanoseconds(1_795_342_530_123_456_000)
    return made


def test_a_book_once() -> None:
    answer = book_snapshot("V-1", book(snapshot=True, bids="100.5:2 100:1.5", asks="101:3"))
    assert answer.type == "W"
    assert text_of(answered(answer)) == (
        "262=V-1|55=BTC-USD|20021=3|20022=5|20023=0|20024=492654767|268=3|269=0|270=100.5|271=2|"
        "269=0|270=100|271=1.5|269=1|270=101|271=3|"
    )


def test_an_empty_book_is_a_snapshot_of_nothing() -> None:
    assert answered(book_snapshot("V-1", book(snapshot=True))).group(268) == []


def test_updates_tell_new_levels_from_changed_and_gone_ones() -> None:
    feed = MarketDataFeed("V-1")
    first = feed.message(
        Batch(book=book(snapshot=True, bids="100:1", asks="101:1"), trades=[trade(1)])
    )
    assert first.type == "W"
    assert [entry[269] for entry in answered(first).group(268)] == ["0", "1", "2"]
    update = book(snapshot=False, bids="100:0 99:2", asks="101:3", sequence=6)
    second = feed.message(Batch(book=update, trades=[trade(2)]))
    assert second.type == "X"
    assert text_of(answered(second)) == (
        "262=V-1|20021=3|20022=6|20023=5|20024=492654767|268=4|"
        "279=2|269=0|55=BTC-USD|270=100|279=0|269=0|55=BTC-USD|270=99|271=2|"
        "279=1|269=1|55=BTC-USD|270=101|271=3|279=0|269=2|55=BTC-USD|270=100.5|271=1|272=20261122|"
        "273=10:15:30.123456|20004=2|20020=2|"
    )
    # The level that was gone is new again.
    third = feed.message(Batch(book=book(snapshot=False, bids="100:1 99:0.0", sequence=7)))
    assert [entry[279] for entry in answered(third).group(268)] == ["0", "2"]


def test_a_new_snapshot_forgets_the_levels_before() -> None:
    feed = MarketDataFeed("V-1")
    feed.message(Batch(book=book(snapshot=True, bids="100:1")))
    feed.message(Batch(book=book(snapshot=True, bids="99:1")))
    update = feed.message(Batch(book=book(snapshot=False, bids="100:1 99:2")))
    assert [entry[279] for entry in answered(update).group(268)] == ["0", "1"]


def test_trades_alone_are_an_update_without_a_book() -> None:
    fields = answered(MarketDataFeed("V-1").message(Batch(trades=[trade(1), trade(2)])))
    assert [entry[20004] for entry in fields.group(268)] == ["1", "2"]
    assert [entry[279] for entry in fields.group(268)] == ["0", "0"]
    assert not {20021, 20022, 20023, 20024} & fields.keys()


@given(st.lists(messages_of(market_pb2.OrderBook.DESCRIPTOR), min_size=1, max_size=5), st.data())
def test_any_books_leave_the_client_with_the_venues_levels(books: list[Any], data: Any) -> None:
    """A client that obeys MDUpdateAction(279) strictly ends with the same levels."""
    feed = MarketDataFeed("V-1")
    mine: dict[tuple[str, str], str] = {}
    venue: dict[tuple[str, str], str] = {}
    for index, each in enumerate(books):
        each.snapshot = index == 0 or data.draw(st.booleans())
        each.symbol = "BTC-USD"
        for level in (*each.bids, *each.asks):
            level.price = level.price or "1"
            level.quantity = level.quantity or "0"
        for side in (each.bids, each.asks):
            unique = list({level.price: level for level in side}.values())
            if each.snapshot:
                unique = [level for level in unique if level.quantity.strip("0.")]
            copies = [Level(price=level.price, quantity=level.quantity) for level in unique]
            del side[:]
            side.extend(copies)
        _apply(venue, each)
        answer = feed.message(Batch(book=each))
        _obey(mine, answered(answer), is_snapshot=answer.type == "W")
        assert mine == venue


def _apply(levels: dict[tuple[str, str], str], each: Any) -> None:
    if each.snapshot:
        levels.clear()
    for kind, side in (("0", each.bids), ("1", each.asks)):
        for level in side:
            levels[kind, level.price] = level.quantity
            if not level.quantity.strip("0."):
                del levels[kind, level.price]


def _obey(levels: dict[tuple[str, str], str], fields: Fields, *, is_snapshot: bool) -> None:
    if is_snapshot:
        levels.clear()
    for entry in fields.group(268):
        key = (str(entry[269]), str(entry[270]))
        if entry.get(279) == "2":
            levels.pop(key, None)
        elif entry.get(279) == "1":
            assert key in levels
            levels[key] = str(entry[271])
        else:
            assert key not in levels
            levels[key] = str(entry[271])
