"""Operation of the venue: accounts, money, instruments, switches, keys."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc.aio
import pytest
from tradewire.v1 import (
    account_service_pb2,
    admin_service_pb2,
    key_pb2,
    market_data_service_pb2,
    market_pb2,
    options_pb2,
    order_pb2,
    reason_pb2,
)

from tests.integration.conftest import Floor
from tests.support.failures import failure, failure_of
from tests.support.trading import BUY, SELL, TIMEOUT_S, Trader, amend, cancel, limit
from tests.support.venue import SYMBOL, Stubs

HALTED = market_pb2.INSTRUMENT_STATUS_HALTED
CANCEL_ONLY = market_pb2.INSTRUMENT_STATUS_CANCEL_ONLY
POST_ONLY = market_pb2.INSTRUMENT_STATUS_POST_ONLY
TRADING = market_pb2.INSTRUMENT_STATUS_TRADING


@dataclass
class Operator:
    """Calls admin methods by their name."""

    stubs: Stubs
    metadata: Any

    async def __call__(self, name: str, **fields: Any) -> Any:
        request = getattr(admin_service_pb2, f"{name}Request")(**fields)
        method = getattr(self.stubs.admin, name)
        return await method(request, metadata=self.metadata, timeout=TIMEOUT_S)


@pytest.fixture
async def operator(floor: Floor) -> AsyncIterator[Operator]:
    async with grpc.aio.insecure_channel(floor.venue.admin_target) as channel:
        yield Operator(Stubs(channel), floor.venue.credentials["admin"].metadata)


async def test_an_account_is_opened_once(operator: Operator) -> None:
    first = await operator("CreateAccount", account="carol")
    assert first.account.maker_fee_rate == "0.001"
    assert first.account.taker_fee_rate == "0.002"
    assert first.account.open_order_limit == 1000
    assert await operator("CreateAccount", account="carol", maker_fee_rate="0.001") == first
    other = await failure(operator("CreateAccount", account="carol", maker_fee_rate="0"))
    assert other.reason == "ALREADY_EXISTS"
    assert (await failure(operator("CreateAccount", account="fees"))).reason == "ALREADY_EXISTS"


async def test_accounts_are_listed_in_pages(operator: Operator) -> None:
    found, token = [], ""
    while True:
        page = await operator("ListAccounts", page_size=2, page_token=token)
        found.append([account.account for account in page.accounts])
        token = page.next_page_token
        if not token:
            break
    assert found == [["admin", "alice"], ["bob", "fees"]]


async def test_an_update_changes_what_it_names(operator: Operator) -> None:
    before = (await operator("CreateAccount", account="carol")).account
    after = (await operator("UpdateAccount", account="carol", taker_fee_rate="0.05")).account
    assert after.taker_fee_rate == "0.05"
    after.taker_fee_rate = before.taker_fee_rate
    assert after == before
    assert (await operator("UpdateAccount", account="carol")).canceled_count == 0


async def test_orders_keep_the_fees_with_which_they_were_accepted(
    operator: Operator, alice: Trader, bob: Trader
) -> None:
    await alice.place(limit("a-1", SELL, "1", "100"))
    await operator("UpdateAccount", account="alice", maker_fee_rate="0.5")
    await operator("UpdateAccount", account="bob", taker_fee_rate="0")
    await bob.place(limit("b-1", BUY, "1", "100"))
    assert (await alice.get("a-1")).order.fee == "0.1"
    assert (await bob.get("b-1")).order.fee == "0"


async def test_a_deposit_happens_once(operator: Operator, alice: Trader) -> None:
    fields = {"request_id": "d-1", "account": "alice", "asset": "USD", "amount": "12.5"}
    first = await operator("CreateDeposit", **fields)
    assert first.balance.total == "400000012.5"
    assert first.ledger_sequence == 4
    assert await operator("CreateDeposit", **fields) == first
    assert await operator("CreateDeposit", **{**fields, "amount": "012.50"}) == first
    reused = await failure(operator("CreateDeposit", **{**fields, "amount": "13"}))
    assert (reused.reason, reused.fields) == ("REQUEST_ID_REUSED", ("request_id",))
    # Ids are the account's own, and no client order ids.
    await operator("CreateDeposit", **{**fields, "account": "bob"})
    await alice.place(limit("d-1"))
    withdrawn = await operator("CreateWithdrawal", **{**fields, "request_id": "d-2"})
    assert withdrawn.balance.total == "400000000"
    taken = await failure(operator("CreateWithdrawal", **fields))
    assert taken.reason == "REQUEST_ID_REUSED"


async def test_a_withdrawal_leaves_what_orders_hold(operator: Operator, alice: Trader) -> None:
    await alice.place(limit("a-1", SELL, "1000", "100"))
    fields = {"account": "alice", "asset": "BTC"}
    refused = await failure(
        operator("CreateWithdrawal", request_id="w-1", amount="999000.00000001", **fields)
    )
    assert (refused.reason, refused.outcome) == ("INSUFFICIENT_FUNDS", "refused")
    answer = await operator("CreateWithdrawal", request_id="w-1", amount="999000", **fields)
    assert (answer.balance.total, answer.balance.available, answer.balance.held) == (
        "1000",
        "0",
        "1000",
    )


async def test_the_ledger_tells_what_moved_money(operator: Operator, alice: Trader) -> None:
    async with alice.follow_account() as follower:
        await follower.live()
        await operator(
            "CreateDeposit", request_id="d-9", account="alice", asset="ETH", amount="0.5"
        )
        tape = await follower.until(lambda tape: tape.entries)
    (entry,) = tape.entries
    assert entry.request_id == "d-9"
    assert [(c.asset, c.amount, c.total) for c in entry.changes] == [("ETH", "0.5", "1000000.5")]


async def test_an_instrument_is_listed_and_trades_at_once(
    operator: Operator, alice: Trader
) -> None:
    await operator("CreateAsset", asset="SOL", precision=6)
    await operator("CreateAsset", asset="SOL", precision=6)
    instrument = market_pb2.Instrument(
        symbol="SOL-USD", base_asset="SOL", quote_asset="USD", tick_size="0.05", lot_size="0.5",
        minimum_quantity="1", maximum_quantity="100", minimum_notional="5",
        maximum_notional="10000", price_band_percent="10", market_protection_percent="1.5",
    )  # fmt: skip
    listed = (await operator("CreateInstrument", instrument=instrument)).instrument
    instrument.status = TRADING
    assert listed == instrument
    assert (await operator("CreateInstrument", instrument=instrument)).instrument == instrument
    instrument.tick_size = "0.1"
    again = await failure(operator("CreateInstrument", instrument=instrument))
    assert again.reason == "ALREADY_EXISTS"

    for quantity, price, reason in (
        ("1", "10.02", "PRICE_OFF_TICK"),
        ("1.25", "10", "QUANTITY_OFF_LOT"),
        ("0.5", "10", "QUANTITY_OUT_OF_RANGE"),
        ("100.5", "10", "QUANTITY_OUT_OF_RANGE"),
        ("1", "4.95", "NOTIONAL_OUT_OF_RANGE"),
        ("100", "100.05", "NOTIONAL_OUT_OF_RANGE"),
    ):
        order = limit("a-1", BUY, quantity, price, symbol="SOL-USD")
        assert (await failure(alice.place(order))).reason == reason
    answer = await alice.place(limit("a-1", BUY, "1.50", "10.05", symbol="SOL-USD"))
    assert (answer.order.quantity, answer.order.price) == ("1.5", "10.05")


async def test_a_price_band_rejects_what_is_too_far_from_the_market(
    operator: Operator, alice: Trader, bob: Trader
) -> None:
    await operator("CreateAsset", asset="SOL", precision=6)
    instrument = market_pb2.Instrument(
        symbol="SOL-USD", base_asset="SOL", quote_asset="USD", tick_size="0.01", lot_size="0.01",
        minimum_quantity="0.01", maximum_quantity="1000", minimum_notional="0",
        maximum_notional="1000000", price_band_percent="10", market_protection_percent="5",
    )  # fmt: skip
    await operator("CreateInstrument", instrument=instrument)
    await operator("CreateDeposit", request_id="d", account="alice", asset="SOL", amount="100")
    await alice.place(limit("a-1", SELL, "1", "100", symbol="SOL-USD"))
    await bob.place(limit("b-1", BUY, "1", "100", symbol="SOL-USD"))

    await bob.place(limit("b-2", BUY, "1", "90", symbol="SOL-USD"))
    rejected = await failure(bob.place(limit("b-3", BUY, "1", "89.99", symbol="SOL-USD")))
    assert (rejected.reason, rejected.outcome) == ("PRICE_OUT_OF_BAND", "rejected")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (HALTED, "INSTRUMENT_HALTED"),
        (CANCEL_ONLY, "INSTRUMENT_CANCEL_ONLY"),
        (POST_ONLY, "INSTRUMENT_POST_ONLY"),
    ],
)
async def test_the_status_of_an_instrument_decides_what_it_accepts(
    operator: Operator,
    alice: Trader,
    status: market_pb2.InstrumentStatus.ValueType,
    reason: str,
) -> None:
    await alice.place(limit("a-1", quantity="2"))
    await alice.place(limit("a-2"))
    changed = await operator("SetInstrumentStatus", symbol=SYMBOL, status=status)
    assert changed.instrument.status == status
    shown = await alice.stubs.market.GetInstrument(
        market_data_service_pb2.GetInstrumentRequest(symbol=SYMBOL)
    )
    assert shown.instrument.status == status

    rejected = await failure(alice.place(limit("a-3")))
    assert (rejected.reason, rejected.outcome) == (reason, "rejected")
    amended = await failure(alice.amend(amend("a-4", "a-1", quantity="1")))
    assert (amended.reason, amended.metadata["because"]) == ("ORDER_NOT_AMENDABLE", reason)
    post_only = limit("a-5", post_only=order_pb2.POST_ONLY_REJECT)
    if status == POST_ONLY:
        await alice.place(post_only)
    else:
        assert (await failure(alice.place(post_only))).reason == reason
    # Other instruments trade on, and cancels pass.
    await alice.place(limit("a-6", symbol="ETH-USD"))
    await alice.cancel(cancel("a-1"))
    assert (await alice.cancel_all(symbol=SYMBOL)).canceled_count >= 1

    await operator("SetInstrumentStatus", symbol=SYMBOL, status=TRADING)
    assert (await alice.place(limit("a-7"))).order.status == order_pb2.ORDER_STATUS_NEW


async def test_the_kill_switch_of_an_account_stops_it_and_no_other(
    operator: Operator, alice: Trader, bob: Trader
) -> None:
    await alice.place(limit("a-1"))
    await alice.place(limit("a-2", symbol="ETH-USD"))
    await bob.place(limit("b-1"))
    async with alice.enter() as entry:
        await entry.live()
        engaged = await operator("UpdateAccount", account="alice", trading_disabled=True)
        assert engaged.canceled_count == 2
        assert engaged.account.trading_disabled
        tape = await entry.until(lambda tape: len(tape.executions) == 2)
        assert {e.reason for e in tape.executions} == {reason_pb2.REASON_KILL_SWITCH}
        (result,) = await entry.do(limit("a-3"))
        assert failure_of(result.error).reason == "TRADING_DISABLED"
    rejected = await failure(alice.place(limit("a-4")))
    assert (rejected.reason, rejected.outcome) == ("TRADING_DISABLED", "rejected")
    assert (await bob.get("b-1")).order.status == order_pb2.ORDER_STATUS_NEW
    account = await alice(alice.stubs.accounts.GetAccount, account_service_pb2.GetAccountRequest())
    assert account.account.trading_disabled
    again = await operator("UpdateAccount", account="alice", trading_disabled=True)
    assert again.canceled_count == 0

    await operator("UpdateAccount", account="alice", trading_disabled=False)
    assert (await alice.place(limit("a-5"))).order.status == order_pb2.ORDER_STATUS_NEW
    # A rejected id stays taken.
    assert (await failure(alice.place(limit("a-4")))).reason == "TRADING_DISABLED"


async def test_the_kill_switch_of_the_venue_stops_everybody(
    operator: Operator, alice: Trader, bob: Trader
) -> None:
    await alice.place(limit("a-1"))
    await bob.place(limit("b-1"))
    assert (await operator("SetKillSwitch", engaged=True)).canceled_count == 2
    assert (await operator("GetVenueStatus")).kill_switch_engaged
    for trader in (alice, bob):
        assert (await failure(trader.place(limit("x-1")))).reason == "TRADING_DISABLED"
    assert (await operator("SetKillSwitch", engaged=True)).canceled_count == 0
    await operator("SetKillSwitch", engaged=False)
    assert (await alice.place(limit("a-2"))).order.status == order_pb2.ORDER_STATUS_NEW


async def test_an_open_order_limit_rejects_one_more(operator: Operator, alice: Trader) -> None:
    await operator("UpdateAccount", account="alice", open_order_limit=2)
    await alice.place(limit("a-1"))
    await alice.place(limit("a-2"))
    rejected = await failure(alice.place(limit("a-3")))
    assert (rejected.reason, rejected.outcome) == ("OPEN_ORDER_LIMIT", "rejected")
    await alice.cancel(cancel("a-1"))
    await alice.place(limit("a-4"))


async def test_exemption_from_limits_counts_at_once(
    operator: Operator, floor: Floor, alice: Trader
) -> None:
    for exempt in (True, False):
        await operator("UpdateAccount", account="alice", rate_limit_exempt=exempt)
        limits = await alice(floor.stubs.accounts.GetLimits, account_service_pb2.GetLimitsRequest())
        assert limits.rate_limit_exempt == exempt
        assert floor.venue.app.limiter.is_exempt("alice") == exempt


async def test_an_operator_makes_and_revokes_keys_of_any_account(
    operator: Operator, floor: Floor
) -> None:
    created = await operator(
        "CreateAccountKey",
        account="bob",
        algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256,
        scopes=[options_pb2.SCOPE_READ],
    )
    assert created.secret
    listed = await operator("ListAccountKeys", account="bob")
    assert [key.api_key for key in listed.keys] == [
        floor.venue.credentials["bob"].key_id,
        created.key.api_key,
    ]
    async with floor.bob.follow() as follower:
        await follower.live()
        revoked = await operator("RevokeAccountKey", api_key=floor.venue.credentials["bob"].key_id)
        assert revoked.key.HasField("revoke_time")
        assert (await follower.to_end()).closed.reason == "CREDENTIAL_ENDED"
    assert (await failure(floor.bob.orders())).reason == "KEY_REVOKED"


async def test_admin_keys_belong_to_the_admin_account(operator: Operator, floor: Floor) -> None:
    refused = await failure(
        operator(
            "CreateAccountKey",
            account="alice",
            algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256,
            scopes=[options_pb2.SCOPE_ADMIN],
        )
    )
    assert (refused.reason, refused.fields) == ("FIELD_INVALID", ("scopes",))
    await operator(
        "CreateAccountKey",
        account="admin",
        algorithm=key_pb2.KEY_ALGORITHM_HMAC_SHA256,
        scopes=[options_pb2.SCOPE_ADMIN],
    )


async def test_the_status_says_how_the_venue_is(
    operator: Operator, floor: Floor, alice: Trader
) -> None:
    await alice.place(limit("a-1"))
    app = floor.venue.app
    status = await operator("GetVenueStatus", with_state_hash=True)
    assert status.journal_id == app.journal.journal_id
    assert status.event_number == app.journal.last_event()
    assert status.state_hash == app.state.state_hash().hex()
    assert (status.open_order_count, status.account_count) == (1, 4)
    assert status.queue_length == 0
    assert not status.kill_switch_engaged
    assert status.version
    assert (await operator("GetVenueStatus")).state_hash == ""


async def test_balances_of_any_account_add_up(
    operator: Operator, alice: Trader, bob: Trader
) -> None:
    """Available + held = total, and what traders pay as fees is on the account of the venue."""
    await alice.place(limit("a-1", SELL, "2", "100"))
    await bob.place(limit("b-1", BUY, "1", "100"))
    await bob.place(limit("b-2", BUY, "1", "50"))

    async def balances(account: str) -> dict[str, tuple[str, str, str]]:
        answer = await operator("ListAccountBalances", account=account)
        return {b.asset: (b.total, b.available, b.held) for b in answer.balances}

    assert (await balances("alice"))["BTC"] == ("999999", "999998", "1")
    assert (await balances("alice"))["USD"] == ("400000099.9", "400000099.9", "0")
    assert (await balances("bob"))["USD"] == ("399999899.8", "399999849.7", "50.1")
    assert (await balances("fees"))["USD"] == ("0.3", "0.3", "0")
    assert await alice.balances() == {
        b.asset: b for b in (await operator("ListAccountBalances", account="alice")).balances
    }


async def test_positions_tell_price_and_profit(alice: Trader, bob: Trader) -> None:
    await alice.place(limit("a-1", SELL, "2", "100"))
    await bob.place(limit("b-1", BUY, "2", "100"))
    await bob.place(limit("b-2", SELL, "1", "110"))
    await alice.place(limit("a-2", BUY, "1", "110"))

    async def position(trader: Trader) -> tuple[str, str, str, str, str]:
        answer = await trader(
            trader.stubs.accounts.ListPositions, account_service_pb2.ListPositionsRequest()
        )
        (found,) = answer.positions
        return (
            found.quantity, found.average_entry_price, found.realized_pnl, found.unrealized_pnl,
            found.fees,
        )  # fmt: skip

    assert await position(bob) == ("1", "100", "10", "10", "0.51")
    assert await position(alice) == ("-1", "100", "-10", "-10", "0.42")
