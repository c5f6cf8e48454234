"""Assets, instruments, accounts, money and keys: what happens, what a repeat does, what not."""

from typing import Any

import pytest
from tradewire_server.engine.administration import LIVE_KEYS_MAX
from tradewire_server.engine.commands import (
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    Refused,
    RevokeKey,
    SetInstrumentStatus,
    SetKeyExpiry,
    SetKillSwitch,
    UpdateAccount,
    Withdraw,
)
from tradewire_server.engine.events import (
    AccountUpdated,
    AssetCreated,
    Deposited,
    Event,
    InstrumentListed,
    InstrumentStatusChanged,
    KeyRecord,
    KeyStored,
    KillSwitchSet,
    Withdrawn,
)
from tradewire_server.engine.state import ENDED_KEYS_MAX
from tradewire_server.engine.vocabulary import InstrumentStatus, Reason, Side

from tests.support.bare_venue import BTC_USD, START_NS, BareVenue, limit

ETH_USD = BTC_USD._replace(symbol="ETH-USD", base_asset="ETH", base_precision=3)
TOO_LATE = Refused(Reason.FIELD_INVALID, "a time must be before the year 2262", "expire_time")


def exists(text: str) -> Refused:
    return Refused(Reason.ALREADY_EXISTS, text)


def no_account(name: str) -> Refused:
    return Refused(Reason.ACCOUNT_NOT_FOUND, f"there is no account {name}", "account")


def no_asset(name: str) -> Refused:
    return Refused(Reason.ASSET_NOT_FOUND, f"there is no asset {name}", "asset")


def no_key(name: str) -> Refused:
    return Refused(Reason.KEY_NOT_FOUND, f"there is no key {name}", "api_key")


def invalid(text: str, field: str) -> Refused:
    return Refused(Reason.FIELD_INVALID, text, field)


ANN = AccountUpdated("ann", 10_000, 20_000, 5, False, False)
KEY = KeyRecord("k1", "ann", "ed25519", b"p" * 32, b"", ("read",), ("192.0.2.0/24",), "x", START_NS)


def another_key(key_id: str, *, expires_ns: int = 0) -> KeyRecord:
    """Return a key like the first one, with a public key of its own."""
    return KEY._replace(key_id=key_id, public_key=key_id.encode(), expires_ns=expires_ns)


def venue_with_ann() -> BareVenue:
    """Return a venue with BTC-USD, the asset ETH, and ann who has 5 BTC and the key k1."""
    venue = BareVenue()
    venue.accept(CreateAsset("ETH", 3))
    venue.accept(CreateAccount("ann", 10_000, 20_000, 5))
    venue.accept(Deposit("ann", "BTC", "5", "d1"))
    venue.accept(CreateKey(KEY))
    return venue


CASES: list[tuple[Command, list[Event] | Refused]] = [
    # Assets.
    (CreateAsset("XRP", 6), [AssetCreated("XRP", 6)]),
    (CreateAsset("BTC", 3), []),
    (CreateAsset("BTC", 4), exists("asset BTC exists with precision 3")),
    # Instruments.
    (CreateInstrument(ETH_USD), [InstrumentListed(ETH_USD)]),
    (CreateInstrument(BTC_USD), []),
    (CreateInstrument(BTC_USD._replace(status=InstrumentStatus.HALTED)), []),
    (
        CreateInstrument(BTC_USD._replace(tick_units=2)),
        exists("instrument BTC-USD exists with other rules"),
    ),
    (CreateInstrument(ETH_USD._replace(base_asset="NO")), no_asset("NO")),
    (CreateInstrument(ETH_USD._replace(quote_asset="NO")), no_asset("NO")),
    (
        CreateInstrument(ETH_USD._replace(base_precision=4)),
        invalid("asset ETH has the precision 3, not 4", "instrument"),
    ),
    (
        CreateInstrument(ETH_USD._replace(quote_precision=4)),
        invalid("asset USD has the precision 2, not 4", "instrument"),
    ),
    (
        CreateInstrument(ETH_USD._replace(lot_units=0)),
        invalid("tick_size and lot_size must be positive", "instrument"),
    ),
    (
        SetInstrumentStatus("BTC-USD", InstrumentStatus.HALTED),
        [InstrumentStatusChanged("BTC-USD", InstrumentStatus.HALTED)],
    ),
    (SetInstrumentStatus("BTC-USD", InstrumentStatus.TRADING), []),
    (
        SetInstrumentStatus("NO-NO", InstrumentStatus.HALTED),
        Refused(Reason.INSTRUMENT_NOT_FOUND, "there is no instrument NO-NO", "symbol"),
    ),
    # Accounts.
    (
        CreateAccount("bob", 0, 9_999_999, 7, True),
        [AccountUpdated("bob", 0, 9_999_999, 7, True, False)],
    ),
    (CreateAccount("ann", 10_000, 20_000, 5), []),
    (
        CreateAccount("ann", 10_000, 20_000, 6),
        exists("account ann exists with other settings; use UpdateAccount"),
    ),
    (
        CreateAccount("bob", -1, 0, 7),
        invalid("a fee rate must be below 1", "maker_fee_rate"),
    ),
    (
        CreateAccount("bob", 10_000_000, 0, 7),
        invalid("a fee rate must be below 1", "maker_fee_rate"),
    ),
    (
        CreateAccount("bob", 0, 10_000_000, 7),
        invalid("a fee rate must be below 1", "taker_fee_rate"),
    ),
    (UpdateAccount("nobody"), no_account("nobody")),
    (UpdateAccount("ann"), []),
    (UpdateAccount("ann", maker_rate=10_000, trading_disabled=False), []),
    (UpdateAccount("ann", maker_rate=1), [ANN._replace(maker_rate=1)]),
    (UpdateAccount("ann", maker_rate=0), [ANN._replace(maker_rate=0)]),
    (UpdateAccount("ann", taker_rate=2), [ANN._replace(taker_rate=2)]),
    (UpdateAccount("ann", open_order_limit=9), [ANN._replace(open_order_limit=9)]),
    (UpdateAccount("ann", rate_limit_exempt=True), [ANN._replace(rate_limit_exempt=True)]),
    (UpdateAccount("ann", trading_disabled=True), [ANN._replace(trading_disabled=True)]),
    (
        UpdateAccount("ann", taker_rate=10_000_000),
        invalid("a fee rate must be below 1", "taker_fee_rate"),
    ),
    # Kill switch.
    (SetKillSwitch(engaged=True), [KillSwitchSet(True)]),
    (SetKillSwitch(engaged=False), []),
    # Money.
    (Deposit("ann", "USD", "12.5", "d2"), [Deposited("ann", "USD", 1_250, "d2")]),
    (Deposit("fees", "USD", "0.01", "d2"), [Deposited("fees", "USD", 1, "d2")]),
    (Deposit("nobody", "USD", "12.5", "d2"), no_account("nobody")),
    (Deposit("ann", "NO", "12.5", "d2"), no_asset("NO")),
    (Deposit("ann", "USD", "12.505", "d2"), invalid("amount has more than 2 decimals", "amount")),
    (
        Deposit("ann", "USD", "0.00", "d2"),
        invalid("amount must be positive and fit 62 bits of the smallest unit", "amount"),
    ),
    (
        Deposit("ann", "USD", "46116860184273879.03", "d2"),
        [Deposited("ann", "USD", (1 << 62) - 1, "d2")],
    ),
    (
        Deposit("ann", "USD", "46116860184273879.04", "d2"),
        invalid("amount must be positive and fit 62 bits of the smallest unit", "amount"),
    ),
    (Withdraw("ann", "BTC", "5", "w1"), [Withdrawn("ann", "BTC", 5_000, "w1")]),
    (
        Withdraw("ann", "BTC", "5.001", "w1"),
        Refused(
            Reason.INSUFFICIENT_FUNDS,
            "the available balance does not cover the withdrawal",
            "amount",
        ),
    ),
    (
        Withdraw("ann", "USD", "1", "w1"),
        Refused(
            Reason.INSUFFICIENT_FUNDS,
            "the available balance does not cover the withdrawal",
            "amount",
        ),
    ),
    (Withdraw("nobody", "BTC", "5", "w1"), no_account("nobody")),
    (Withdraw("ann", "NO", "5", "w1"), no_asset("NO")),
    (
        Withdraw("ann", "BTC", "0", "w1"),
        invalid("amount must be positive and fit 62 bits of the smallest unit", "amount"),
    ),
    # Keys.
    (CreateKey(another_key("k2")), [KeyStored(another_key("k2"))]),
    (
        CreateKey(KEY._replace(key_id="k2")),
        invalid("this public key is or was registered: make a new key pair", "public_key"),
    ),
    (CreateKey(KEY), exists("key k1 exists")),
    (CreateKey(KEY._replace(account="nobody")), no_account("nobody")),
    (CreateKey(KEY._replace(key_id="k2", expires_ns=1 << 63)), TOO_LATE),
    (SetKeyExpiry("ann", "k1", 77), [KeyStored(KEY._replace(expires_ns=77))]),
    (SetKeyExpiry("ann", "k1", 1 << 63), TOO_LATE),
    (SetKeyExpiry("ann", "k2", 77), no_key("k2")),
    (SetKeyExpiry("bob", "k1", 77), no_key("k1")),
    (RevokeKey("ann", "k1"), [KeyStored(KEY._replace(revoked_ns=START_NS))]),
    (RevokeKey("", "k1"), [KeyStored(KEY._replace(revoked_ns=START_NS))]),
    (RevokeKey("bob", "k1"), no_key("k1")),
    (RevokeKey("ann", "k2"), no_key("k2")),
]


@pytest.mark.parametrize(("command", "answer"), CASES)
def test_command_answers(command: Command, answer: list[Event] | Refused) -> None:
    venue = venue_with_ann()
    before = venue.state.state_hash()
    assert venue.decide(command) == answer
    assert venue.state.state_hash() == before


REPEATABLE = (CreateAsset, CreateInstrument, SetInstrumentStatus, CreateAccount, UpdateAccount)


@pytest.mark.parametrize(
    "command",
    [
        command
        for command, answer in CASES
        if answer and not isinstance(answer, Refused)
        if isinstance(command, (*REPEATABLE, SetKillSwitch, SetKeyExpiry, RevokeKey))
    ],
)
def test_repeat_changes_nothing(command: Command) -> None:
    venue = venue_with_ann()
    assert venue.accept(command)
    assert venue.accept(command) == []


def test_instrument_that_exists_keeps_its_status() -> None:
    venue = venue_with_ann()
    venue.accept(SetInstrumentStatus("BTC-USD", InstrumentStatus.HALTED))
    assert venue.accept(CreateInstrument(BTC_USD)) == []
    assert venue.state.markets["BTC-USD"].instrument.status is InstrumentStatus.HALTED


def test_held_money_cannot_be_withdrawn() -> None:
    venue = venue_with_ann()
    venue.tell(limit("ann", "a1", Side.SELL, "2@100"))
    assert isinstance(venue.do(Withdraw("ann", "BTC", "3.001", "w1")), Refused)
    assert venue.accept(Withdraw("ann", "BTC", "3", "w1"))
    assert venue.total("ann", "BTC") == (2_000, 2_000)


@pytest.mark.parametrize(
    ("old", "new", "kept"), [(0, 50, 50), (50, 40, 40), (50, 50, None), (50, 60, None)]
)
def test_expiry_of_a_key_only_comes_nearer(old: int, new: int, kept: Any) -> None:
    venue = venue_with_ann()
    venue.accept(CreateKey(another_key("k2", expires_ns=old)))
    expected = [KeyStored(another_key("k2", expires_ns=kept))] if kept else []
    assert venue.accept(SetKeyExpiry("ann", "k2", new)) == expected


def test_account_has_a_greatest_number_of_live_keys() -> None:
    venue = venue_with_ann()
    for number in range(2, LIVE_KEYS_MAX + 1):
        expires_ns = venue.now_ns + 10 if number == 2 else 0
        venue.accept(CreateKey(another_key(f"k{number}", expires_ns=expires_ns)))
    more = CreateKey(another_key("more"))
    full = Refused(Reason.KEY_LIMIT, "the account has 20 live keys")
    assert venue.do(more) == full
    venue.now_ns += 9
    assert venue.do(more) == full
    # The expired key counts no longer, nor does a revoked one.
    venue.now_ns += 1
    venue.accept(more)
    assert venue.do(CreateKey(another_key("again"))) == full
    venue.accept(RevokeKey("ann", "k1"))
    venue.accept(CreateKey(another_key("again")))
    assert venue.do(CreateKey(another_key("last"))) == full


def test_key_stands_under_its_account_in_its_latest_form() -> None:
    venue = venue_with_ann()
    venue.accept(SetKeyExpiry("ann", "k1", 77))
    latest = KEY._replace(expires_ns=77)
    assert venue.state.keys == {"k1": latest}
    assert venue.state.accounts["ann"].keys == {"k1": latest}


def test_money_moves_are_ledger_entries() -> None:
    venue = venue_with_ann()
    assert venue.entries(
        lambda: [
            venue.accept(Deposit("ann", "USD", "12.5", "d2")),
            venue.accept(Withdraw("ann", "USD", "2.25", "w1")),
            venue.accept(Deposit("ann", "BTC", "0.001", "d3")),
        ]
    ) == [
        "ann DEPOSIT USD +1250=1250 d2",
        "ann WITHDRAWAL USD -225=1025 w1",
        "ann DEPOSIT BTC +1=5001 d3",
    ]
    assert [row.ledger_sequence for row in venue.recorder.entries] == [1, 2, 3, 4]
    assert {row.time_ns for row in venue.recorder.entries} == {START_NS}


def test_of_the_keys_that_have_ended_an_account_keeps_the_latest() -> None:
    venue = venue_with_ann()
    for number in range(1, ENDED_KEYS_MAX + 3):
        key = another_key(f"n{number}")
        venue.accept(CreateKey(key))
        venue.accept(RevokeKey("ann", key.key_id))
    kept = [f"n{number}" for number in range(3, ENDED_KEYS_MAX + 3)]
    assert list(venue.state.keys) == ["k1", *kept]
    assert list(venue.state.accounts["ann"].keys) == ["k1", *kept]
    assert venue.state.public_keys == {b"p" * 32: "k1", **{name.encode(): name for name in kept}}
    assert venue.do(RevokeKey("ann", "n1")) == no_key("n1")
    venue.accept(CreateKey(another_key("n1")))
