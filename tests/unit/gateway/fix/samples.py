"""One message of each kind that goes in or out, as the gateway makes and takes them."""

from __future__ import annotations

from collections.abc import Iterator

from google.rpc import status_pb2
from tradewire.v1 import (
    account_service_pb2,
    market_data_service_pb2,
    market_pb2,
    order_pb2,
    order_service_pb2,
    reason_pb2,
    stream_pb2,
)
from tradewire_gateway.fix.codec import SOH, encode
from tradewire_gateway.fix.translate import (
    Answer,
    MarketDataFeed,
    Untranslatable,
    balances,
    execution_report,
    mass_cancel_report,
    order_status_reports,
    position_reports,
    refusal,
    security_list,
    security_status,
)

from tests.unit.gateway.fix.translated import NOW, NOW_NS, request

_ORDER = "11=A-1|55=BTC-USD|54=1|40=2|38=0.01|44=60000|"
REQUESTS = (
    ("D", f"{_ORDER}59=6|126={NOW}|18=6|20003=O|1=demo-1|20007={NOW}|21=1|60={NOW}|"),
    ("G", f"11=G-1|41=A-1|38=0.02|44=60001|55=BTC-USD|54=1|40=2|60={NOW}|"),
    ("F", f"11=C-1|41=A-1|37=1001|55=BTC-USD|54=1|38=0.01|60={NOW}|"),
    ("q", f"11=Q-1|530=1|55=BTC-USD|54=1|60={NOW}|"),
    ("H", "790=S-1|11=A-1|55=BTC-USD|54=1|"),
    ("AF", "584=S-2|585=7|"),
    ("V", "262=V-1|263=1|264=10|265=1|266=Y|267=3|269=0|269=1|269=2|146=2|55=BTC-USD|55=ETH-USD|"),
    ("x", "320=L-1|559=4|263=0|"),
    ("e", "324=T-1|263=0|55=BTC-USD|"),
    ("BE", "923=U-1|924=4|553=key-1|"),
    ("AN", f"710=P-1|724=0|263=0|1=demo-1|581=1|715=20261122|60={NOW}|453=1|448=me|447=D|452=24|"),
)  # fmt: skip
"""Type and body of each request, with all that it may have."""

INSTRUMENT = market_pb2.Instrument(
    symbol="BTC-USD", base_asset="BTC", quote_asset="USD", tick_size="0.01", lot_size="0.0001",
    minimum_quantity="0.0001", maximum_quantity="1000", minimum_notional="1",
    maximum_notional="10000000", price_band_percent="10", market_protection_percent="5",
    status=market_pb2.INSTRUMENT_STATUS_TRADING,
)  # fmt: skip


def execution() -> order_pb2.Execution:
    """Return a trade with everything set."""
    made = order_pb2.Execution(
        sequence=42,
        execution_id="5003",
        type=order_pb2.EXECUTION_TYPE_TRADE,
        order=order_pb2.Order(
            order_id="1001", client_order_id="A-2", original_client_order_id="A-1",
            account="demo-1", symbol="BTC-USD", side=order_pb2.SIDE_BUY,
            type=order_pb2.ORDER_TYPE_LIMIT, time_in_force=order_pb2.TIME_IN_FORCE_GTD,
            quantity="0.01", quote_quantity="5", price="60000",
            post_only=order_pb2.POST_ONLY_REJECT,
            self_trade_prevention=order_pb2.SELF_TRADE_PREVENTION_CANCEL_BOTH,
            status=order_pb2.ORDER_STATUS_PARTIALLY_FILLED, filled_quantity="0.004",
            leaves_quantity="0.006", average_price="60000.5", fee="0.24",
            cancel_on_disconnect=True,
        ),
        last_quantity="0.004", last_price="60000.5", trade_id=12,
        liquidity=order_pb2.LIQUIDITY_MAKER, last_fee="0.24",
        reason=reason_pb2.REASON_SELF_TRADE_PREVENTED, counter_order_id="1002",
        command_client_order_id="C-1", priority_kept=True,
    )  # fmt: skip
    for time in (made.order.create_time, made.order.expire_time, made.transact_time):
        time.FromNanoseconds(NOW_NS // 1000 * 1000)
    return made


def _book(*, snapshot: bool) -> market_data_service_pb2.MarketDataBatch:
    made = market_data_service_pb2.MarketDataBatch()
    made.book.MergeFrom(
        market_pb2.OrderBook(
            symbol="BTC-USD", epoch=3, sequence=5, previous_sequence=4, snapshot=snapshot,
            checksum=492654767,
        )
    )  # fmt: skip
    made.book.bids.add(price="100.5", quantity="2")
    made.book.bids.add(price="100", quantity="0" if not snapshot else "1")
    made.book.asks.add(price="101", quantity="3")
    trade = made.trades.add(trade_id=7, symbol="BTC-USD", price="101", quantity="1")
    trade.taker_side = order_pb2.SIDE_BUY
    trade.time.FromNanoseconds(NOW_NS)
    return made


def answers() -> Iterator[Answer]:
    """Yield what the gateway sends, each kind once or more."""
    asked = {msg_type: request(msg_type, body) for msg_type, body in REQUESTS}
    yield Answer("8", execution_report(execution(), is_copy=True))
    for orders in ([execution().order], []):
        for body in order_status_reports(orders, asked["AF"], as_of_sequence=42):
            yield Answer("8", body)
    canceled = order_service_pb2.CancelAllOrdersResponse(canceled_count=2, as_of_sequence=42)
    yield mass_cancel_report(asked["q"], canceled, now_ns=NOW_NS)
    yield from security_list(asked["x"], [INSTRUMENT, INSTRUMENT], identity="S-7")
    found = market_data_service_pb2.GetInstrumentResponse(instrument=INSTRUMENT)
    yield security_status(asked["e"], found)
    held = account_service_pb2.ListBalancesResponse(as_of_sequence=42)
    for asset in ("BTC", "USD"):
        held.balances.add(asset=asset, total="3", available="2", held="1")
    yield balances(asked["BE"], held)
    open_ = account_service_pb2.ListPositionsResponse(as_of_sequence=42)
    open_.positions.add(
        symbol="BTC-USD", quantity="-1", average_entry_price="2", realized_pnl="-3",
        unrealized_pnl="4", fees="5",
    )  # fmt: skip
    yield from position_reports(asked["AN"], open_, now_ns=NOW_NS, identity="S-7")
    feed = MarketDataFeed("V-1")
    yield feed.message(_book(snapshot=True))
    yield feed.message(_book(snapshot=False))
    limit = stream_pb2.RateLimit(limit=100, remaining=0, reset_ms=1500)
    errors: list[status_pb2.Status] = [
        Untranslatable(reason, "so it is").status for reason in ("INSTRUMENT_NOT_FOUND", "INTERNAL")
    ]
    for message in asked.values():
        for error in errors:
            yield refusal(message, error, now_ns=NOW_NS, identity="S-7", limit=limit)


SAMPLES = [*REQUESTS, *((each.type, each.body.replace(SOH, "|")) for each in answers())]


def framed(sample: tuple[str, str]) -> str:
    """Return a message as it goes over the wire, with pipes."""
    msg_type, body = sample
    content = f"35={msg_type}|34=7|49=CLIENT|52={NOW}|56=TW-ORDERS|{body}"
    return encode("FIX.4.4", content.replace("|", SOH)).decode("latin-1").replace(SOH, "|")
