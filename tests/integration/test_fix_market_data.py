"""Market data sessions over FIX."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields

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
def trader(venue: RunningVenue) -> Peer:
    """Return alice's client that trades."""
    return Peer(venue.credentials["alice"], sender="ALICE")


@pytest.fixture
def watcher(venue: RunningVenue) -> Peer:
    """Return bob's client that watches."""
    return Peer(venue.credentials["bob"], sender="BOB", target="TW-MARKETDATA")


def ask(client: FixClient, query_id: str, kind: str, *entries: str) -> None:
    """Send a MarketDataRequest(V) for BTC-USD."""
    fields = Fields({262: query_id, 263: kind, 264: "10"})
    if kind == "1":
        fields[265] = "1"
    fields[267] = [Fields({269: entry}) for entry in entries]
    fields[146] = [Fields({55: "BTC-USD"})]
    client.send("V", fields)  # type: ignore[arg-type]
    assert encode_fields(fields)


async def test_a_book_is_sent_whole_and_then_as_it_changes(
    gateway: Gateway, trader: Peer, watcher: Peer
) -> None:
    async with gateway.logged_on(trader) as client, gateway.logged_on(watcher) as market:
        client.place("a-1")
        await client.next("8", t11="a-1")
        ask(market, "q-1", "1", "0", "1", "2")
        snapshot = await market.next("W", t262="q-1")
        assert [(e[269], e[270], e[271]) for e in snapshot.body.group(268)] == [("0", "100", "1")]
        client.place("a-2", t44="99")
        change = await market.next("X")
        (entry,) = change.body.group(268)
        assert (entry[279], entry[269], entry[270], entry[271]) == ("0", "0", "99", "1")
        client.cancel("a-3", "a-1")
        change = await market.next("X")
        (entry,) = change.body.group(268)
        assert (entry[279], entry[270]) == ("2", "100")


async def test_a_subscription_ends_when_it_is_told(
    gateway: Gateway, trader: Peer, watcher: Peer
) -> None:
    async with gateway.logged_on(trader) as client, gateway.logged_on(watcher) as market:
        ask(market, "q-1", "1", "0", "1")
        await market.next("W", t262="q-1")
        ask(market, "q-1", "1", "0", "1")
        twice = await market.next("Y", t262="q-1")
        assert twice.body[281] == "1"
        ask(market, "q-1", "2", "0", "1")
        client.place("a-1")
        await client.next("8", t11="a-1")
        # The id is free, and what the former would have sent is not there.
        ask(market, "q-1", "1", "0", "1")
        again = await market.next("W", t262="q-1")
        assert len(again.body.group(268)) == 1
        assert market.messages == []


async def test_a_book_once_instruments_and_their_status(gateway: Gateway, watcher: Peer) -> None:
    async with gateway.logged_on(watcher) as market:
        ask(market, "q-1", "0", "0", "1")
        assert (await market.next("W")).body[262] == "q-1"
        market.send("x", {320: "l-1", 559: "4"})
        found = await market.next("y")
        assert found.body[393] == "2"
        market.send("e", {324: "s-1", 55: "BTC-USD", 263: "0"})
        assert (await market.next("f")).body[324] == "s-1"
        market.place("a-1")
        assert (await market.next("j")).body[380] == "3"


async def test_an_unknown_symbol_is_rejected(gateway: Gateway, watcher: Peer) -> None:
    async with gateway.logged_on(watcher) as market:
        fields = Fields({262: "q-1", 263: "1", 264: "10", 265: "1"})
        fields[267] = [Fields({269: "0"}), Fields({269: "1"})]
        fields[146] = [Fields({55: "XXX-USD"})]
        market.send("V", fields)  # type: ignore[arg-type]
        rejected = await market.next("Y", t262="q-1")
        assert rejected.body[281] == "0"
