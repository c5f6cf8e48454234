"""Envoy and the venue on different machines: known to each other by certificates, or silent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc.aio
import pytest
from tradewire_envoy.process import EnvoyProcess, find_binary
from tradewire_envoy.render import ClientTls, EnvoySettings, Remote
from tradewire_server.app import Settings, Tls

from tests.support.certificates import Authority, Pair
from tests.support.envoy import bearer, data_directory
from tests.support.rest import (
    SignedRequests,
    ed25519_key,
    failure_of_response,
    rest_client,
)
from tests.support.server_sent import event_stream
from tests.support.trading import Trader, limit
from tests.support.venue import RunningVenue, Stubs, running_venue

HOST = "localhost"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def distant_venue(authority: Authority, pair: Pair) -> AsyncIterator[RunningVenue]:
    """Run a venue that listens for Envoy on the network."""
    tls = Tls(certificate=pair.certificate, key=pair.key, client_ca=authority.certificate)
    async with data_directory() as path:
        settings = Settings(
            data_dir=path,
            grpc_port=0,
            admin_port=0,
            drain_s=0.2,
            edge_address="127.0.0.1:0",
            authz_address="127.0.0.1:0",
            peer_tls=tls,
        )
        async with running_venue(path, settings=settings) as venue:
            await venue.provision(["alice"])
            yield venue


@asynccontextmanager
async def envoy_elsewhere(
    venue: RunningVenue, ca: Path, pair: Pair, host: str = HOST
) -> AsyncIterator[EnvoyProcess]:
    """Run Envoy in a directory of its own, as on a machine of its own."""
    async with data_directory() as path:
        settings = replace(
            EnvoySettings.beside(path),
            port=0,
            venue=Remote(host=host, port=venue.app.edge_port),
            authz=Remote(host=host, port=venue.app.authz_port),
            upstream_tls=ClientTls(ca=ca, certificate=pair.certificate, key=pair.key),
        )
        envoy = EnvoyProcess(settings, path, binary=find_binary())
        await envoy.start()
        try:
            yield envoy
        finally:
            await envoy.stop()


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
async def test_everything_works_over_the_network(authority: Authority, host: str) -> None:
    pair = authority.certify("venue", HOST, "127.0.0.1")
    async with (
        distant_venue(authority, pair) as venue,
        envoy_elsewhere(venue, authority.certificate, authority.certify("envoy"), host) as envoy,
        rest_client(envoy.url) as client,
        grpc.aio.insecure_channel(f"127.0.0.1:{envoy.port}") as channel,
    ):
        alice = venue.credentials["alice"]
        placed = await Trader(Stubs(channel), alice).place(limit("far-1"))
        signed = SignedRequests(ed25519_key(alice))
        found = await client.get(f"/v1/orders/{placed.order.order_id}", auth=signed)
        assert found.json()["order"]["clientOrderId"] == "far-1"
        refused = await client.get("/v1/balances")
        assert failure_of_response(refused).reason == "UNAUTHENTICATED"
        client.headers.update(bearer(alice))
        async with event_stream(client, "/v1/executions:stream", afterSequence=0) as events:
            assert (await anext(events))["batch"]["executions"][0]["sequence"] == "1"


async def test_a_venue_with_the_certificate_of_another_one_is_told_nothing(
    authority: Authority,
) -> None:
    """Its certificate is of the right authority, but not the venue's."""
    impostor = authority.certify("impostor", "elsewhere.internal")
    async with (
        distant_venue(authority, impostor) as venue,
        envoy_elsewhere(venue, authority.certificate, authority.certify("envoy")) as envoy,
        rest_client(envoy.url) as client,
    ):
        found = failure_of_response(await client.get("/v1/time"))
    assert (found.reason, found.outcome) == ("NOT_SERVING", "refused")


async def test_an_envoy_that_the_venue_does_not_know_is_told_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    stranger = Authority(strangers, "strangers").certify("envoy")
    async with (
        distant_venue(authority, authority.certify("venue", HOST)) as venue,
        envoy_elsewhere(venue, authority.certificate, stranger) as envoy,
        rest_client(envoy.url) as client,
    ):
        found = failure_of_response(await client.get("/v1/time"))
    assert (found.reason, found.outcome) == ("NOT_SERVING", "refused")
