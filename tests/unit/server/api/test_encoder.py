"""The encoder's bytes are what protobuf itself would make of the same values."""

import random

import pytest
from tradewire.v1 import account_pb2, market_pb2, order_pb2
from tradewire_server.api import encoder as encoder_module
from tradewire_server.api.encode import order_message, timestamp
from tradewire_server.api.encoder import MessageEncoder
from tradewire_server.engine.commands import (
    AmendOrder,
    CancelAllOrders,
    CancelOrder,
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    Deposit,
    ExpireOrders,
    PlaceOrder,
    Refused,
)
from tradewire_server.engine.decide import decide
from tradewire_server.engine.decimals import format_decimal
from tradewire_server.engine.fold import fold
from tradewire_server.engine.listener import Execution, LedgerEntry, Listener, PublicTrade
from tradewire_server.engine.state import State
from tradewire_server.engine.vocabulary import (
    ExecutionType,
    OrderType,
    PostOnly,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

from tests.support.venue import BTC_USD

DAY_NS = 86_400 * 10**9


class Judge(Listener):
    """Compares every message as it is made, since orders change afterwards."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.encoder = MessageEncoder(state)
        self.types: set[ExecutionType] = set()

    def execution(self, execution: Execution) -> None:
        message, order = self.encoder.execution(execution)
        self.types.add(execution.type)
        expected = order_pb2.Execution(
            sequence=execution.sequence,
            execution_id=str(execution.execution_id),
            type=int(execution.type),  # type: ignore[arg-type]
            order=order_message(execution.order),
            transact_time=timestamp(execution.time_ns),
            reason=int(execution.reason),  # type: ignore[arg-type]
            command_client_order_id=execution.client_order_id,
            counter_order_id=str(execution.counter_order_id or ""),
            priority_kept=execution.priority_kept,
        )
        if execution.type is ExecutionType.REPLACED:
            expected.replaced_client_order_id = execution.order.client_order_ids[-2]
        if execution.type is ExecutionType.TRADE:
            instrument = execution.order.market.instrument
            expected.last_quantity = instrument.format_quantity(execution.last_lots)
            expected.last_price = instrument.format_price(execution.last_ticks)
            expected.trade_id = execution.trade_id
            expected.liquidity = int(execution.liquidity)  # type: ignore[assignment]
            expected.last_fee = instrument.format_quote(execution.last_fee)
        assert order_pb2.Execution.FromString(message) == expected
        assert order_pb2.Order.FromString(order) == expected.order
        answer = self.encoder.stored_answer(message)
        assert answer.order == order
        rejected = execution.type is ExecutionType.REJECTED
        assert answer.rejected == (execution.reason if rejected else Reason.UNSPECIFIED)
        assert answer.priority_kept == bool(execution.priority_kept)

    def ledger_entry(self, entry: LedgerEntry) -> None:
        precisions = self.state.assets
        expected = account_pb2.LedgerEntry(
            ledger_sequence=entry.ledger_sequence,
            type=int(entry.type),  # type: ignore[arg-type]
            time=timestamp(entry.time_ns),
            request_id=entry.request_id,
            changes=[
                account_pb2.LedgerChange(
                    asset=change.asset,
                    amount=format_decimal(change.amount, precisions[change.asset]),
                    total=format_decimal(change.total, precisions[change.asset]),
                )
                for change in entry.changes
            ],
        )
        if entry.market is not None:
            expected.symbol = entry.market.instrument.symbol
            expected.trade_id = entry.trade_id
            expected.order_id = str(entry.order_id)
            expected.fee = entry.market.instrument.format_quote(entry.fee)
        assert account_pb2.LedgerEntry.FromString(self.encoder.ledger_entry(entry)) == expected

    def public_trade(self, trade: PublicTrade) -> None:
        instrument = trade.market.instrument
        assert market_pb2.Trade.FromString(self.encoder.public_trade(trade)) == market_pb2.Trade(
            trade_id=trade.trade_id,
            symbol=instrument.symbol,
            price=instrument.format_price(trade.price_ticks),
            quantity=instrument.format_quantity(trade.quantity_lots),
            taker_side=int(trade.taker_side),  # type: ignore[arg-type]
            time=timestamp(trade.time_ns),
        )


def founding() -> list[Command]:
    commands: list[Command] = [
        CreateAsset("BTC", 8),
        CreateAsset("USD", 10),
        CreateInstrument(BTC_USD),
    ]
    for account in ("alice", "bob"):
        commands.append(CreateAccount(account, 10_000, 20_000, 1_000))
        commands.append(Deposit(account, "USD", "1000000.0000000001", f"{account}-usd"))
        commands.append(Deposit(account, "BTC", "100.5", f"{account}-btc"))
    return commands


def random_command(number: int, state: State, chance: random.Random, now_ns: int) -> Command:
    account = chance.choice(("alice", "bob"))
    orders = list(state.accounts[account].orders)
    client_order_id = "x" * chance.randint(1, 28) + str(number)
    what = chance.random()
    if orders and what < 0.15:
        return CancelOrder(account, chance.choice(("", client_order_id)), chance.choice(orders))
    if orders and what < 0.35:
        price = str(chance.choice((99, 100, 101.5)))
        return AmendOrder(account, client_order_id, chance.choice(orders), price=price)
    if what < 0.37:
        return CancelAllOrders(account)
    if what < 0.4:
        return ExpireOrders()
    common = (account, client_order_id, "BTC-USD", chance.choice(list(Side)))
    mode = chance.choice(list(SelfTradePrevention))
    if what < 0.52:
        amount = str(chance.randint(1, 500))
        by_quote = chance.random() < 0.5
        return PlaceOrder(
            *common,
            OrderType.MARKET,
            TimeInForce.IOC,
            quantity="" if by_quote else amount,
            quote_quantity=amount if by_quote else "",
            self_trade_prevention=mode,
        )
    tif = chance.choice(list(TimeInForce))
    rests = tif not in (TimeInForce.IOC, TimeInForce.FOK)
    return PlaceOrder(
        *common,
        OrderType.LIMIT,
        tif,
        quantity=f"{chance.randint(1, 30)}.{chance.randint(0, 9999):04d}",
        price=f"{chance.randint(97, 103)}.{chance.randint(0, 99):02d}",
        expire_time_ns=now_ns + DAY_NS if tif is TimeInForce.GTD else 0,
        post_only=chance.choice(list(PostOnly)) if rests else PostOnly.UNSPECIFIED,
        connection=chance.choice(("", "1-7")),
        self_trade_prevention=mode,
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_bytes_are_those_of_protobuf(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small bounds, so that the caches are emptied on the way.
    monkeypatch.setattr(encoder_module, "STATIC_PARTS_MAX", 50)
    monkeypatch.setattr(encoder_module, "TEXTS_MAX", 100)
    chance = random.Random(seed)
    state = State()
    judge = Judge(state)
    # Numbers of one, two and three bytes, also of the counters.
    state.event_number = chance.choice((0, 100, 16_380, 3 * 10**12))
    now_ns = 1_800_000_000 * 10**9
    commands = founding()
    for number in range(1_500):
        command = commands[number] if number < len(commands) else None
        if number == len(commands):
            for account in state.accounts.values():
                account.sequence = account.ledger_sequence = chance.choice((0, 120, 16_300))
        now_ns += chance.choice((0, 1, 10**9, DAY_NS // 4))
        decided = decide(state, command or random_command(number, state, chance, now_ns), now_ns)
        if not isinstance(decided, Refused):
            for event in decided:
                fold(state, event, now_ns, judge)
    assert judge.types == set(ExecutionType)
