"""The unfilled-order count in the sequencer: what is counted, what gives back, and when."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tradewire_server.engine.commands import (
    CancelOrder,
    Command,
    PlaceOrder,
    Refused,
    UpdateAccount,
)
from tradewire_server.engine.vocabulary import Reason, Side, TimeInForce
from tradewire_server.sequencer import Done, Outcome, Sequencer, submission_of

from tests.unit.server.test_sequencer import BEGIN_NS, Stage, place, running, settle

LIMIT = 3
# Where BEGIN_NS lies within an interval of ten seconds.
INTERVAL_S = 10
ENDS_MS = (INTERVAL_S * 10**9 - BEGIN_NS % (INTERVAL_S * 10**9)) // 10**6


@pytest.fixture
def stage() -> Stage:
    return Stage(unfilled=((INTERVAL_S, LIMIT),))


@pytest.fixture
async def sequencer(stage: Stage) -> AsyncIterator[Sequencer]:
    async with running(stage) as sequencer:
        yield sequencer


async def do(sequencer: Sequencer, command: Command) -> Outcome:
    return await sequencer.submit(command, lane="unary")


def left(stage: Stage, account: str = "alice") -> int:
    (count,) = stage.unfilled_orders.report(account, now_ns=stage.now_ns)
    return count.remaining


def ioc(client_order_id: str, side: Side, **fields: Any) -> PlaceOrder:
    return place(client_order_id, side, time_in_force=TimeInForce.IOC, **fields)


async def test_resting_orders_count_and_the_next_one_is_refused(
    stage: Stage, sequencer: Sequencer
) -> None:
    for number in range(LIMIT):
        assert isinstance(await do(sequencer, place(f"a-{number}")), Done)
    assert left(stage) == 0
    refused = await do(sequencer, place("a-9"))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.RATE_LIMITED
    assert dict(refused.metadata) == {
        "scope": "unfilled_orders",
        "limit": str(LIMIT),
        "interval_seconds": str(INTERVAL_S),
        "retry_after_ms": str(ENDS_MS),
    }
    assert "a fill gives back" in refused.text
    assert f"wait {ENDS_MS} ms" in refused.text
    # Refused: no event, and the id is free.
    assert stage.state.accounts["alice"].sequence == LIMIT
    assert isinstance(await do(sequencer, place("b-1", account="bob")), Done)
    stage.now_ns += ENDS_MS * 10**6
    assert isinstance(await do(sequencer, place("a-9")), Done)
    assert left(stage) == LIMIT - 1


async def test_a_cancel_is_not_limited_and_gives_nothing_back(
    stage: Stage, sequencer: Sequencer
) -> None:
    for number in range(LIMIT):
        await do(sequencer, place(f"a-{number}"))
    for number in range(LIMIT):
        canceled = await do(sequencer, CancelOrder("alice", "", 0, f"a-{number}"))
        assert isinstance(canceled, Done)
    assert left(stage) == 0
    assert isinstance(await do(sequencer, place("a-9")), Refused)


async def test_a_repeat_is_answered_and_not_counted_also_beyond_the_limit(
    stage: Stage, sequencer: Sequencer
) -> None:
    first = await do(sequencer, place("a-0"))
    assert await do(sequencer, place("a-0")) == first
    assert left(stage) == LIMIT - 1
    for number in range(1, LIMIT):
        await do(sequencer, place(f"a-{number}"))
    assert await do(sequencer, place("a-0")) == first


@pytest.mark.parametrize(
    ("command", "rejected"),
    [
        (place("a-1", price="0.001"), False),  # off tick
        (place("a-1", symbol="NO-SUCH"), False),
        (place("a-1", Side.SELL, quantity="999999999"), False),
        (place("a-1", Side.BUY, quantity="15", price="99999"), True),  # beyond the funds
    ],
)
async def test_what_never_came_to_be_is_given_back(
    stage: Stage, sequencer: Sequencer, command: PlaceOrder, *, rejected: bool
) -> None:
    for _ in range(LIMIT + 1):
        outcome = await do(sequencer, command)
        assert outcome.reason if isinstance(outcome, Refused) else outcome.rejected
        assert isinstance(outcome, Done) == rejected
        assert left(stage) == LIMIT
        command = command._replace(client_order_id=command.client_order_id + "x")


async def test_the_first_fill_gives_back_to_taker_and_maker(
    stage: Stage, sequencer: Sequencer
) -> None:
    await do(sequencer, place("a-0", Side.SELL, quantity="3"))
    assert (left(stage, "alice"), left(stage, "bob")) == (LIMIT - 1, LIMIT)
    await do(sequencer, place("b-0", account="bob"))
    assert (left(stage, "alice"), left(stage, "bob")) == (LIMIT, LIMIT)
    # Further fills of the same order give nothing.
    await do(sequencer, place("a-1", Side.SELL, "200"))
    await do(sequencer, place("b-1", account="bob"))
    await do(sequencer, ioc("b-2", Side.BUY, account="bob"))
    assert (left(stage, "alice"), left(stage, "bob")) == (LIMIT - 1, LIMIT)


async def test_an_order_that_takes_several_gives_back_once(
    stage: Stage, sequencer: Sequencer
) -> None:
    for number in range(2):
        await do(sequencer, place(f"a-{number}", Side.SELL))
    await do(sequencer, place("b-0", price="90", account="bob"))
    await do(sequencer, ioc("b-1", Side.BUY, quantity="2", account="bob"))
    assert (left(stage, "alice"), left(stage, "bob")) == (LIMIT, LIMIT - 1)


async def test_a_fill_gives_back_within_the_batch(stage: Stage, sequencer: Sequencer) -> None:
    """Whoever trades with every order is never limited, however many come at once."""
    await do(sequencer, place("b-0", quantity="100", account="bob"))
    lane, outcomes = stage.lane()
    sequencer.enter(lane, [submission_of(ioc(f"a-{n}", Side.SELL)) for n in range(5 * LIMIT)])
    await settle(sequencer, outcomes, 5 * LIMIT)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert left(stage) == LIMIT


async def test_an_order_that_traded_with_nobody_stays_counted(
    stage: Stage, sequencer: Sequencer
) -> None:
    for number in range(LIMIT):
        await do(sequencer, ioc(f"a-{number}", Side.BUY))
    assert not stage.state.orders
    assert isinstance(await do(sequencer, ioc("a-9", Side.BUY)), Refused)


async def test_what_waited_too_long_is_not_counted(stage: Stage, sequencer: Sequencer) -> None:
    late = await sequencer.submit(place("a-1"), lane="unary", valid_until_ns=BEGIN_NS - 1)
    assert isinstance(late, Refused)
    assert late.reason is Reason.DEADLINE_PASSED
    assert left(stage) == LIMIT


async def test_an_exempt_account_is_not_counted(stage: Stage, sequencer: Sequencer) -> None:
    await do(sequencer, UpdateAccount("alice", rate_limit_exempt=True))
    for number in range(2 * LIMIT):
        assert isinstance(await do(sequencer, place(f"a-{number}")), Done)
    assert left(stage) == LIMIT
    await do(sequencer, UpdateAccount("alice", rate_limit_exempt=False))
    for number in range(LIMIT):
        assert isinstance(await do(sequencer, place(f"b-{number}")), Done)
    assert isinstance(await do(sequencer, place("b-9")), Refused)
