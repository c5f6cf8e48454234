"""Order entry over FIX: logon, orders, and what became of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.conftest import Complaints
from tests.support.fix import FixClient, Gateway, Peer, running_gateway
from tests.support.venue import RunningVenue


@pytest.fixture(params=["in_process", "network"])
async def gateway(
    request: pytest.FixtureRequest, venue: RunningVenue, tmp_path: Path
) -> AsyncIterator[Gateway]:
    """Return a gateway before the test's venue, over one of the two channels."""
    async with running_gateway(venue, tmp_path, kind=request.param) as gateway:
        yield gateway


@pytest.fixture
def alice(venue: RunningVenue) -> Peer:
    """Return alice's client."""
    return Peer(venue.credentials["alice"], sender="ALICE")


@pytest.fixture
def bob(venue: RunningVenue) -> Peer:
    """Return bob's client."""
    return Peer(venue.credentials["bob"], sender="BOB")


async def test_an_order_is_reported_new(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.place("a-1")
        report = await client.next("8", t11="a-1")
        assert (report.body[150], report.body[39], report.body[151]) == ("0", "0", "1")
        assert report.body[20001] == "1"


async def test_a_trade_is_reported_to_both_sides(gateway: Gateway, alice: Peer, bob: Peer) -> None:
    async with gateway.logged_on(alice) as maker, gateway.logged_on(bob) as taker:
        maker.place("a-1")
        await maker.next("8", t11="a-1", t150="0")
        taker.place("b-1", t54="2")
        bought = await maker.next("8", t150="F")
        await taker.next("8", t150="0")
        sold = await taker.next("8", t150="F")
        assert bought.body[31] == sold.body[31] == "100"
        assert (bought.body[39], sold.body[39]) == ("2", "2")


async def test_cancel_amend_and_their_rejects(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.place("a-1")
        await client.next("8", t11="a-1", t150="0")
        client.send(
            "G",
            {
                41: "a-1",
                11: "a-2",
                55: "BTC-USD",
                54: "1",
                60: "20260101-00:00:00",
                38: "2",
                40: "2",
                44: "101",
            },
        )
        replaced = await client.next("8", t150="5")
        assert (replaced.body[11], replaced.body[41], replaced.body[38]) == ("a-2", "a-1", "2")
        client.cancel("a-3", "a-2")
        canceled = await client.next("8", t150="4")
        assert (canceled.body[11], canceled.body[39]) == ("a-3", "4")
        client.cancel("a-4", "a-2")
        rejected = await client.next("9", t11="a-4")
        assert (rejected.body[39], rejected.body[434]) == ("4", "1")
        client.cancel("a-5", "never")
        rejected = await client.next("9", t11="a-5")
        assert (rejected.body[37], rejected.body[102]) == ("NONE", "1")


async def test_what_is_refused_and_what_is_rejected(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.place("off-tick", t44="100.001")
        refused = await client.next("8", t11="off-tick")
        assert (refused.body[150], refused.body[39]) == ("8", "8")
        assert 20001 not in refused.body
        client.place("good")
        assert (await client.next("8", t11="good")).body[150] == "0"
        client.place("would-trade", t54="2", t18="6")
        rejected = await client.next("8", t11="would-trade")
        assert (rejected.body[150], rejected.body[20001]) == ("8", "2")
        assert client.messages == []


async def test_no_two_reports_have_one_id_even_after_a_reset(gateway: Gateway, alice: Peer) -> None:
    ids = []
    for _ in range(3):
        async with gateway.logged_on(alice, reset=True) as client:
            client.place("off-tick", t44="100.001")
            ids.append((await client.next("8", t11="off-tick")).body[17])
    assert len(set(ids)) == 3


async def test_commands_reach_the_engine_in_their_order(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        for number in range(300):
            client.place(f"p-{number}", t44=str(10 + number % 7))
            client.cancel(f"c-{number}", f"p-{number}")
        ids = [(await client.next("8")).body[11] for _ in range(600)]
        assert ids == [f"{kind}-{number}" for number in range(300) for kind in "pc"]
        assert client.messages == []


async def test_a_repeated_order_gets_its_first_report_again(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.place("a-1")
        first = await client.next("8", t11="a-1")
        client.place("a-1")
        again = await client.next("8", t11="a-1")
        assert again.header[97] == "Y"
        assert again.body[17] == first.body[17]
        client.cancel("a-2", "a-1")
        await client.next("8", t150="4")
        client.place("a-1", t38="2")
        reused = await client.next("8", t11="a-1")
        assert (reused.body[150], reused.body[103]) == ("8", "6")


async def test_questions_see_the_commands_before_them(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.place("a-1")
        client.send("H", {11: "a-1", 55: "BTC-USD", 54: "1", 790: "q-1"})
        status = await client.next("8", t150="I")
        assert (status.body[11], status.body[39], status.body[790]) == ("a-1", "0", "q-1")
        client.place("a-2")
        client.send("AF", {584: "m-1", 585: "7"})
        found = [await client.next("8", t150="I") for _ in range(2)]
        assert [each.body[11] for each in found] == ["a-1", "a-2"]
        assert found[-1].body[912] == "Y"
        client.send("H", {11: "never", 55: "BTC-USD", 54: "1"})
        assert (await client.next("8", t150="I")).body[37] == "NONE"


async def test_mass_cancel(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.place("a-1")
        client.place("a-2")
        client.send("q", {11: "all", 530: "7", 60: "20260101-00:00:00"})
        report = await client.next("r")
        assert (report.body[531], report.body[533]) == ("7", "2")


async def test_the_state_of_the_limit_is_in_band(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.place("a-1")
        report = await client.next("8", t11="a-1")
        assert int(str(report.body[20015])) < int(str(report.body[20014]))


# --- logon ----------------------------------------------------------------------------------------


async def refused(client: FixClient) -> str:
    text = await client.closed()
    assert client.logon is None
    return text


async def test_a_replayed_logon_is_not_authenticated(gateway: Gateway, alice: Peer) -> None:
    client = await gateway.connect(alice)
    client.log_on(reset=True)
    await client.established()
    await client.log_out()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(client.sent[0])
    answer = await reader.read()
    assert b"\x0135=5\x01" in answer
    assert b"58=Not authenticated" in answer
    writer.close()
    async with gateway.logged_on(alice):
        pass


async def test_a_logon_signed_long_ago_is_not_authenticated(gateway: Gateway, alice: Peer) -> None:
    client = await gateway.connect(alice)
    client.log_on(age_s=6)
    assert (await refused(client)).startswith("Not authenticated")


async def test_an_unknown_target_is_not_told_apart(gateway: Gateway, alice: Peer) -> None:
    alice.target = "TW-NOTHING"
    client = await gateway.connect(alice)
    client.log_on()
    assert (await refused(client)).startswith("Not authenticated")


async def test_a_key_that_may_only_read_does_not_trade(
    gateway: Gateway, venue: RunningVenue
) -> None:
    reader = await venue.create_key("alice", frozenset({"read"}))
    client = await gateway.connect(Peer(reader))
    client.log_on()
    assert "scopes read and trade" in await refused(client)


async def test_a_second_logon_is_refused_and_the_first_goes_on(
    gateway: Gateway, alice: Peer, bob: Peer
) -> None:
    async with gateway.logged_on(alice) as first:
        second = await gateway.connect(Peer(alice.credential, sender="ALICE"))
        second.log_on()
        assert "logged on" in await refused(second)
        # Of another account it is another session.
        bob.sender = "ALICE"
        async with gateway.logged_on(bob):
            pass
        first.place("a-1")
        await first.next("8", t11="a-1")
        await first.log_out()
    async with gateway.logged_on(alice):
        pass


async def test_connecting_and_closing_is_no_matter(
    gateway: Gateway, alice: Peer, complaints: Complaints
) -> None:
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b"8=FIX.4.4\x019=5\x01"):
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(data)
        writer.transport.abort()
    async with gateway.logged_on(alice):
        pass
    assert complaints.records == []


@pytest.mark.parametrize(
    ("tag", "value"),
    [(96, "A" * 86 + "=="), (553, "tw_NOTHING"), (96, None), (553, None)],
)
async def test_whatever_is_wrong_with_a_credential_the_words_are_the_same(
    gateway: Gateway, alice: Peer, tag: int, value: str | None
) -> None:
    client = await gateway.connect(alice)

    def change(body: dict[int, object]) -> None:
        if value is None:
            body.pop(tag)
            if tag == 96:
                body.pop(95)
        else:
            body[tag] = value

    client.log_on(change=change)  # type: ignore[arg-type]
    assert (await refused(client)).startswith("Not authenticated")


# --- drop copy ------------------------------------------------------------------------------------


async def test_a_drop_copy_hears_of_everything_and_takes_no_orders(
    gateway: Gateway, venue: RunningVenue, alice: Peer
) -> None:
    reader = await venue.create_key("alice", frozenset({"read"}))
    copy = Peer(reader, sender="BACKOFFICE", target="TW-DROPCOPY")
    async with gateway.logged_on(alice) as client:
        client.place("a-1")
        await client.next("8", t11="a-1")
        async with gateway.logged_on(copy, t20012="0") as listener:
            first = await listener.next("8")
            assert (first.body[11], first.body[797]) == ("a-1", "Y")
            listener.place("c-1")
            refused = await listener.next("j")
            assert (refused.body[372], refused.body[380]) == ("D", "3")
        client.cancel("a-2", "a-1")
        canceled = await client.next("8", t150="4")
        # What happened meanwhile comes at the next logon, and the past again when it is asked for.
        copy.store.set_next_inbound(2)
        async with gateway.logged_on(copy) as listener:
            again, later = await listener.next("8"), await listener.next("8", t150="4")
            assert (again.body, again.header[43]) == (first.body, "Y")
            assert later.body[17] == canceled.body[17]


async def test_balances_and_positions_are_answered(gateway: Gateway, alice: Peer) -> None:
    async with gateway.logged_on(alice) as client:
        client.send("BE", {923: "u-1", 924: "4", 553: "alice"})
        assert (await client.next("BF")).body[923] == "u-1"
        client.send(
            "AN",
            {710: "p-1", 724: "0", 1: "alice", 581: "1", 715: "20260101", 60: "20260101-00:00:00"},
        )
        assert (await client.next("AP")).body[710] == "p-1"
