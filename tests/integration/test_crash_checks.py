"""The checks of the crash loop find what they are for: each broken promise, planted one by one."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from google.protobuf import timestamp_pb2
from tradewire.v1 import (
    account_pb2,
    admin_service_pb2,
    market_pb2,
    order_pb2,
    order_service_pb2,
    reason_pb2,
)

from tests.simulation import crash_checks, crash_market, crash_money
from tests.simulation.crash_checks import Copy
from tests.simulation.crash_market import MarketView
from tests.simulation.crash_record import Holding, Record, View, step_of
from tests.simulation.crash_world import DEPOSITS, FEES, TRADERS
from tests.support.history import Answer, Failure, History, Kind, Operation, Verdict

LedgerEntry = account_pb2.LedgerEntry
PlaceOrderRequest = order_service_pb2.PlaceOrderRequest
MOMENT = timestamp_pb2.Timestamp(seconds=61)
MAKER_FEE, TAKER_FEE = Decimal("0.04"), Decimal("0.08")


def order(**changes: object) -> order_pb2.Order:
    fields: dict[str, object] = {
        "symbol": "BTC-USD",
        "type": order_pb2.ORDER_TYPE_LIMIT,
        "status": order_pb2.ORDER_STATUS_NEW,
        "filled_quantity": "0",
        "price": "100",
    }
    return order_pb2.Order(**{**fields, **changes})  # type: ignore[arg-type]


def buy(**changes: object) -> order_pb2.Order:
    """Alice's order 10."""
    fields: dict[str, object] = {
        "account": "alice",
        "order_id": "10",
        "client_order_id": "a-1",
        "side": order_pb2.SIDE_BUY,
        "quantity": "1",
        "leaves_quantity": "1",
    }
    return order(**{**fields, **changes})


def bound(**changes: object) -> order_pb2.Order:
    """Alice's order 13, which is canceled with its connection."""
    return buy(
        **{
            "order_id": "13",
            "client_order_id": "a-5",
            "cancel_on_disconnect": True,
            "price": "50",
            **changes,
        }
    )


def sell(**changes: object) -> order_pb2.Order:
    """Bob's order 11, which takes from order 10 and is filled."""
    fields: dict[str, object] = {
        "account": "bob",
        "order_id": "11",
        "client_order_id": "b-1",
        "side": order_pb2.SIDE_SELL,
        "quantity": "0.4",
        "leaves_quantity": "0.4",
    }
    return order(**{**fields, **changes})


def execution(
    sequence: int, kind: "order_pb2.ExecutionType.ValueType", state: order_pb2.Order, **more: object
) -> bytes:
    return order_pb2.Execution(
        sequence=sequence,
        execution_id=str(100 + sequence),
        type=kind,
        order=state,
        transact_time=MOMENT,
        reason=state.reason,
        **more,  # type: ignore[arg-type]
    ).SerializeToString()


def trade(
    sequence: int, state: order_pb2.Order, liquidity: "order_pb2.Liquidity.ValueType", fee: Decimal
) -> bytes:
    return execution(
        sequence,
        order_pb2.EXECUTION_TYPE_TRADE,
        state,
        last_quantity="0.4",
        last_price="100",
        trade_id=1,
        liquidity=liquidity,
        last_fee=str(fee),
    )


FILLED_PART = {
    "status": order_pb2.ORDER_STATUS_PARTIALLY_FILLED,
    "filled_quantity": "0.4",
    "leaves_quantity": "0.6",
}
REJECTED = order(
    account="alice",
    order_id="12",
    client_order_id="a-3",
    side=order_pb2.SIDE_BUY,
    quantity="9",
    leaves_quantity="0",
    status=order_pb2.ORDER_STATUS_REJECTED,
    reason=reason_pb2.REASON_INSUFFICIENT_FUNDS,
)
ALICE = [
    execution(1, order_pb2.EXECUTION_TYPE_NEW, buy()),
    trade(2, buy(**FILLED_PART), order_pb2.LIQUIDITY_MAKER, MAKER_FEE),
    execution(
        3,
        order_pb2.EXECUTION_TYPE_REPLACED,
        buy(**FILLED_PART | {"client_order_id": "a-2", "price": "99"}),
        command_client_order_id="a-2",
    ),
    execution(4, order_pb2.EXECUTION_TYPE_REJECTED, REJECTED),
    execution(5, order_pb2.EXECUTION_TYPE_NEW, bound()),
    execution(
        6,
        order_pb2.EXECUTION_TYPE_CANCELED,
        bound(
            status=order_pb2.ORDER_STATUS_CANCELED,
            leaves_quantity="0",
            reason=reason_pb2.REASON_DISCONNECTED,
        ),
    ),
]
BOB = [
    execution(1, order_pb2.EXECUTION_TYPE_NEW, sell()),
    trade(
        2,
        sell(status=order_pb2.ORDER_STATUS_FILLED, filled_quantity="0.4", leaves_quantity="0"),
        order_pb2.LIQUIDITY_TAKER,
        TAKER_FEE,
    ),
]


def movement(sequence: int, request_id: str, asset: str, amount: str, total: str) -> LedgerEntry:
    changes = [account_pb2.LedgerChange(asset=asset, amount=amount, total=total)]
    return LedgerEntry(ledger_sequence=sequence, request_id=request_id, changes=changes)


def booked_trade(
    sequence: int, order_id: str, fee: Decimal, *changes: tuple[str, str, str]
) -> LedgerEntry:
    return LedgerEntry(
        ledger_sequence=sequence,
        order_id=order_id,
        symbol="BTC-USD",
        trade_id=1,
        fee=str(fee),
        changes=[account_pb2.LedgerChange(asset=a, amount=n, total=t) for a, n, t in changes],
    )


def deposits(name: str) -> dict[str, Holding]:
    return {
        asset: Holding(amount, amount, Decimal(0))
        for (account, asset), amount in DEPOSITS.items()
        if account == name
    }


def founding(name: str) -> list[LedgerEntry]:
    return [
        movement(sequence, f"{name}-{asset}", asset, str(holding.total), str(holding.total))
        for sequence, (asset, holding) in enumerate(deposits(name).items(), 1)
    ]


ALICES_LEDGER = [
    *founding("alice"),
    booked_trade(
        4, "10", MAKER_FEE, ("BTC", "0.4", "1000000.4"), ("USD", "-40.04", "399999959.96")
    ),
    movement(5, "m-0", "USD", "0.5", "399999960.46"),
]
BOBS_LEDGER = [
    *founding("bob"),
    booked_trade(4, "11", TAKER_FEE, ("BTC", "-0.4", "999999.6"), ("USD", "39.92", "400000039.92")),
]


@dataclass
class World:
    """What was said to clients, and what the venue says now."""

    history: History
    money: History
    executions: dict[str, list[bytes]]
    ledgers: dict[str, list[LedgerEntry]]
    holdings: dict[str, dict[str, Holding]]
    found: dict[str, order_service_pb2.GetOrderResponse | None]
    copies: list[Copy]
    market: MarketView
    durable: int = 5

    def operation(self, client_order_id: str) -> Operation:
        return self.history.by_id["alice", client_order_id]

    def violations(self) -> list[str]:
        records = {name: Record(self._view(name)) for name in TRADERS}
        found = list(self.history.violations)
        found += crash_checks.check_all(self.history, records, self.copies)
        found += crash_money.check_all(self.money, records, self.holdings[FEES])
        found += crash_market.check_market(self.market, records.values())
        found += crash_checks.check_recovery(records["alice"], self.durable)
        return found

    def _view(self, name: str) -> View:
        executions = self.executions[name]
        last = {step.order.order_id: step for step in map(step_of, executions)}
        return View(
            name,
            executions,
            self.ledgers[name],
            [step.order for step in last.values() if not step.is_final],
            [step.order for step in last.values() if step.is_final],
            self.holdings[name],
            self.found if name == "alice" else {},
        )


def place(client_order_id: str, **changes: object) -> PlaceOrderRequest:
    request = PlaceOrderRequest(
        client_order_id=client_order_id,
        symbol="BTC-USD",
        side=order_pb2.SIDE_BUY,
        type=order_pb2.ORDER_TYPE_LIMIT,
        quantity="1",
        price="100",
    )
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def answer(account_executions: list[bytes], sequence: int) -> Answer:
    return Answer(step_of(account_executions[sequence - 1]).order_bytes, sequence)


def failure(outcome: str, reason: str, **metadata: str) -> Failure:
    return Failure(outcome, reason, 9, reason, tuple(sorted(metadata.items())))


def sound_history() -> History:
    history = History()

    def sent(
        account: str, kind: Kind, request: object, result: Answer | Failure | None, *, life: int = 1
    ) -> None:
        name: str = request.client_order_id  # type: ignore[attr-defined]
        operation = history.begin(account, kind, request, client_order_id=name)  # type: ignore[arg-type]
        attempt = history.invoke(operation, life=life, cancel_on_disconnect=name == "a-5")
        if result is not None:
            history.complete(operation, attempt, result)

    amend = order_service_pb2.AmendOrderRequest(client_order_id="a-2", order_id="10", price="99")
    rejected = failure("rejected", "INSUFFICIENT_FUNDS", order_id="12", sequence="4")
    sent("alice", Kind.PLACE, place("a-1"), answer(ALICE, 1))
    sent("alice", Kind.AMEND, amend, answer(ALICE, 3))
    sent("alice", Kind.PLACE, place("a-3", quantity="9"), rejected)
    sent("alice", Kind.PLACE, place("a-4"), failure("refused", "PRICE_OFF_TICK"))
    sent("alice", Kind.PLACE, place("a-5", price="50"), None)
    sent("alice", Kind.PLACE, place("a-6"), None)
    request = place("b-1", side=order_pb2.SIDE_SELL, quantity="0.4")
    sent("bob", Kind.PLACE, request, answer(BOB, 2))
    return history


def sound_money() -> History:
    history = History()
    for number, amount, result in ((0, "0.5", Answer(b"", 5)), (1, "0.25", None)):
        request = admin_service_pb2.CreateDepositRequest(
            request_id=f"m-{number}", account="alice", asset="USD", amount=amount
        )
        operation = history.begin(
            "alice", Kind.DEPOSIT, request, client_order_id=request.request_id
        )
        attempt = history.invoke(operation, life=1)
        if result is not None:
            history.complete(operation, attempt, result)
    return history


def changed(holding: Holding, amount: Decimal, held: Decimal) -> Holding:
    total = holding.total + amount
    return Holding(total, total - held, held)


@pytest.fixture
def world() -> World:
    """Return a world in which everything is as promised."""
    holdings = {name: deposits(name) for name in TRADERS}
    alice, bob = holdings["alice"], holdings["bob"]
    held = Decimal("59.4") + Decimal("0.12")
    alice["USD"] = changed(alice["USD"], Decimal("0.5") - 40 - MAKER_FEE, held)
    alice["BTC"] = changed(alice["BTC"], Decimal("0.4"), Decimal(0))
    bob["USD"] = changed(bob["USD"], 40 - TAKER_FEE, Decimal(0))
    bob["BTC"] = changed(bob["BTC"], Decimal("-0.4"), Decimal(0))
    fees = MAKER_FEE + TAKER_FEE
    holdings[FEES] = {"USD": Holding(fees, fees, Decimal(0))}
    found = order_service_pb2.GetOrderResponse(order=step_of(ALICE[1]).order, as_of_sequence=2)
    return World(
        sound_history(),
        sound_money(),
        {"alice": list(ALICE), "bob": list(BOB), "carol": []},
        {"alice": list(ALICES_LEDGER), "bob": list(BOBS_LEDGER), "carol": founding("carol")},
        holdings,
        {"a-1": found, "a-6": None},
        [
            Copy("all", "alice", list(ALICE), complete=True),
            Copy("some", "alice", ALICE[:3], complete=False),
        ],
        MarketView(
            "BTC-USD",
            market_pb2.OrderBook(bids=[market_pb2.PriceLevel(price="99", quantity="0.6")]),
            [
                market_pb2.Trade(
                    trade_id=1,
                    symbol="BTC-USD",
                    price="100",
                    quantity="0.4",
                    taker_side=order_pb2.SIDE_SELL,
                    time=MOMENT,
                )
            ],
            [
                market_pb2.Candle(
                    open_time=timestamp_pb2.Timestamp(seconds=60),
                    open_price="100",
                    high_price="100",
                    low_price="100",
                    close_price="100",
                    volume="0.4",
                    trade_count=1,
                )
            ],
        ),
    )


def test_a_world_as_promised_has_no_violations(world: World) -> None:
    assert world.violations() == []


def lose_acknowledged(world: World) -> None:
    del world.executions["bob"][:]


def lose_the_end(world: World) -> None:
    del world.executions["alice"][2:]
    world.copies.clear()


def double_an_execution(world: World) -> None:
    world.executions["alice"].append(world.executions["alice"][-1])


def enter_twice(world: World) -> None:
    again = buy(order_id="14", price="40")
    world.executions["alice"].append(execution(7, order_pb2.EXECUTION_TYPE_NEW, again))


def enter_refused(world: World) -> None:
    refused = buy(order_id="14", client_order_id="a-4")
    world.executions["alice"].append(execution(7, order_pb2.EXECUTION_TYPE_NEW, refused))


def enter_unsent(world: World) -> None:
    unsent = buy(order_id="14", client_order_id="a-99")
    world.executions["alice"].append(execution(7, order_pb2.EXECUTION_TYPE_NEW, unsent))


def enter_other_content(world: World) -> None:
    other = buy(order_id="14", client_order_id="a-6", quantity="2", leaves_quantity="2")
    world.executions["alice"].append(execution(7, order_pb2.EXECUTION_TYPE_NEW, other))


def go_on_behind_the_end(world: World) -> None:
    world.executions["alice"].append(
        execution(7, order_pb2.EXECUTION_TYPE_REPLACED, bound(), command_client_order_id="a-6")
    )


def answer_otherwise(world: World) -> None:
    operation = world.operation("a-1")
    attempt = world.history.invoke(operation, life=2)
    world.history.complete(operation, attempt, answer(ALICE, 2))


def refuse_when_repeated(world: World) -> None:
    operation = world.operation("a-1")
    attempt = world.history.invoke(operation, life=2)
    world.history.complete(operation, attempt, failure("refused", "ORDER_CLOSED"))


def answer_with_another_state(world: World) -> None:
    first = world.operation("a-1").attempts[0]
    first.result = Answer(step_of(ALICE[1]).order_bytes, 1)


def reject_elsewhere(world: World) -> None:
    first = world.operation("a-3").attempts[0]
    first.result = failure("rejected", "INSUFFICIENT_FUNDS", order_id="12", sequence="3")


def find_and_lose(world: World) -> None:
    world.operation("a-6").found = True


def look_up_nothing(world: World) -> None:
    world.found["a-5"] = None


def look_up_an_old_state(world: World) -> None:
    world.found["a-1"] = order_service_pb2.GetOrderResponse(order=buy(), as_of_sequence=6)


def change_what_was_sent(world: World) -> None:
    changed_order = buy(create_time={"seconds": 1})
    world.executions["alice"][0] = execution(1, order_pb2.EXECUTION_TYPE_NEW, changed_order)


def stop_sending(world: World) -> None:
    world.copies[0] = Copy("all", "alice", ALICE[:5], complete=True)


def send_what_is_lost(world: World) -> None:
    world.copies[0] = Copy("all", "alice", [*ALICE, ALICE[5]], complete=True)


def keep_an_orphan(world: World) -> None:
    del world.executions["alice"][5]
    del world.copies[0]


def cancel_a_stranger(world: World) -> None:
    state = buy(
        **FILLED_PART
        | {
            "client_order_id": "a-2",
            "status": order_pb2.ORDER_STATUS_CANCELED,
            "leaves_quantity": "0",
            "reason": reason_pb2.REASON_DISCONNECTED,
        }
    )
    world.executions["alice"].append(execution(7, order_pb2.EXECUTION_TYPE_CANCELED, state))


def make_money(world: World) -> None:
    alice = world.holdings["alice"]
    alice["USD"] = changed(alice["USD"], Decimal("0.01"), alice["USD"].held)


def hold_too_much(world: World) -> None:
    alice = world.holdings["alice"]
    alice["USD"] = changed(alice["USD"], Decimal(0), Decimal(61))


def keep_the_fees(world: World) -> None:
    world.holdings[FEES].clear()


def book_twice(world: World) -> None:
    world.ledgers["alice"].append(movement(6, "m-0", "USD", "0.5", "399999960.96"))


def book_nothing(world: World) -> None:
    del world.ledgers["alice"][4]


def book_another_amount(world: World) -> None:
    world.ledgers["alice"][4] = movement(5, "m-0", "USD", "5", "399999964.96")


def book_unsent(world: World) -> None:
    world.ledgers["carol"].append(movement(4, "m-9", "USD", "1", "501"))


def book_no_trade(world: World) -> None:
    del world.ledgers["bob"][3]


def leave_a_gap(world: World) -> None:
    world.ledgers["carol"][2] = movement(4, "carol-ETH", "ETH", "5", "5")


def publish_no_trade(world: World) -> None:
    world.market = world.market._replace(trades=[])


def publish_another_trade(world: World) -> None:
    world.market.trades[0].price = "101"


def count_a_trade_twice(world: World) -> None:
    world.market.candles[0].trade_count = 2


def show_another_book(world: World) -> None:
    world.market.book.bids[0].quantity = "1"


def trade_one_side(world: World) -> None:
    del world.executions["bob"][1]


PLANTS: dict[Callable[[World], None], str] = {
    lose_acknowledged: "bob place b-1 .* and is lost",
    lose_the_end: "alice amend a-2 .* and is lost",
    double_an_execution: "alice: execution 7 has the sequence 6",
    enter_twice: "alice place a-1 .* took effect 2 times",
    enter_refused: "alice place a-4 .* refused, and is there",
    enter_unsent: "nobody sent a-99",
    enter_other_content: "alice place a-6 .* quantity was 1, is 2",
    go_on_behind_the_end: "order 13 goes on behind its end",
    answer_otherwise: "alice place a-1 .* and when repeated",
    refuse_when_repeated: "took effect and is refused when repeated",
    answer_with_another_state: "with another order than is there",
    reject_elsewhere: "execution 3 is no rejection",
    find_and_lose: "alice place a-6 .* and is lost",
    look_up_nothing: r"GetOrder of a-5 finds \[\]",
    look_up_an_old_state: "GetOrder of a-1 is not as its execution as of 6",
    change_what_was_sent: "follower all of alice: execution 1 has other bytes now",
    stop_sending: "lacks 1 executions",
    send_what_is_lost: "was sent 1 executions that are lost",
    keep_an_orphan: "order 13 outlived its connection",
    cancel_a_stranger: "was canceled with a connection that it is not bound to",
    make_money: "by its trades it is",
    hold_too_much: "held is 61",
    keep_the_fees: "fees in USD",
    book_twice: "alice deposit m-0 .* took effect 2 times",
    book_nothing: "alice deposit m-0 .* acknowledged as 5, and is not that",
    book_another_amount: "0.5 USD was booked as",
    book_unsent: "nobody asked for m-9",
    book_no_trade: "bob: the ledger has other trades than the executions",
    leave_a_gap: "carol: ledger entry 3 has the sequence 4",
    publish_no_trade: "0 public trades, not numbered 1 to 1",
    publish_another_trade: "trade 1 is not that of its taker",
    count_a_trade_twice: "the candles are not those of the trades",
    show_another_book: "the book of SIDE_BUY is not that of the open orders",
    trade_one_side: "trade 1 has 1 sides",
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_broken_promise_is_found(world: World, plant: Callable[[World], None]) -> None:
    plant(world)
    found = world.violations()
    assert any(re.search(PLANTS[plant], violation) for violation in found), found


def test_what_a_later_life_refuses_was_never_done(world: World) -> None:
    operation = world.operation("a-6")
    attempt = world.history.invoke(operation, life=2)
    world.history.complete(operation, attempt, failure("refused", "PRICE_OFF_TICK"))
    assert operation.verdict is Verdict.REFUSED


@pytest.mark.parametrize(("life", "reason"), [(1, "PRICE_OFF_TICK"), (2, "NOT_SERVING")])
def test_other_refusals_leave_an_unknown_command_unknown(
    world: World, life: int, reason: str
) -> None:
    operation = world.operation("a-6")
    attempt = world.history.invoke(operation, life=life)
    world.history.complete(operation, attempt, failure("refused", reason))
    assert operation.verdict is Verdict.UNKNOWN


def test_nothing_is_told_before_it_is_durable(world: World) -> None:
    durable = {"alice": 2, "bob": 2}
    found = list(crash_checks.check_durable(world.history, world.copies, durable))
    assert found == [
        "follower all of alice: was sent more than was durable",
        "follower some of alice: was sent more than was durable",
        "alice amend a-2 (sent in life 1): acknowledged before it was durable",
    ]
