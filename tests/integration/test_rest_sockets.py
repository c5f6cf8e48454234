"""The sockets and listeners on which the gateway reaches the server."""

import socket
import ssl
import stat
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
from tradewire.v1 import session_service_pb2
from tradewire_server.app import Application, ListenError, Settings, Tls

from tests.integration import test_lifecycle
from tests.integration.conftest import Complaints
from tests.support.failures import failure_of_call
from tests.support.front import ADDRESS, Front, front_of, list_services, order, refused_at_edge
from tests.support.rest import ed25519_key
from tests.support.venue import Clock, Stubs, running_venue

certificate = test_lifecycle.certificate


async def test_the_sockets_are_the_owners_and_go_with_the_venue(
    data_dir: Path, complaints: Complaints
) -> None:
    async with running_venue(data_dir) as venue:
        sockets = venue.app.sockets
        for path in (sockets.edge, sockets.calls, sockets.authz):
            assert path.parent == data_dir
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_ISSOCK(path.stat().st_mode)
    assert not sockets.edge.exists()
    assert not sockets.calls.exists()
    assert not sockets.authz.exists()


async def test_sockets_of_a_process_that_was_killed_are_replaced(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    for name in ("edge.sock", "calls.sock", "authz.sock"):
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(data_dir / name))
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with front_of(venue, clock) as front:
            assert (await front.send("GET", "/v1/time")).message.time_ms


async def test_a_file_in_the_place_of_a_socket_is_left_alone(
    data_dir: Path, complaints: Complaints
) -> None:
    (data_dir / "authz.sock").write_text("mine")
    app = Application(Settings(data_dir=data_dir, grpc_port=0, admin_port=0))
    with pytest.raises(ListenError, match="is in the way"):
        await app.start()
    app.sequencer.close()
    app.journal.close()
    assert (data_dir / "authz.sock").read_text() == "mine"


async def test_a_long_path_gets_its_sockets_elsewhere(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    long = data_dir / ("d" * 120)
    settings = Settings(data_dir=long, grpc_port=0, admin_port=0, drain_s=0.2)
    async with running_venue(long, settings=settings, clock_ns=clock) as venue:
        directory = venue.app.sockets.directory
        assert directory != long
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        async with front_of(venue, clock) as front:
            assert (await front.check("GET", "/v1/time")).status_code == 200
    assert not directory.exists()
    app = Application(
        Settings(data_dir=data_dir, socket_dir=long, grpc_port=0, admin_port=0, drain_s=0.2)
    )
    with pytest.raises(ListenError, match="too long"):
        await app.start()
    app.sequencer.close()
    app.journal.close()


async def test_reflection_is_off_in_production_unless_it_is_asked_for(
    data_dir: Path, complaints: Complaints
) -> None:
    for number, (environment, wanted, there) in enumerate(
        [("production", None, False), ("production", True, True), ("sandbox", False, False)]
    ):
        settings = Settings(
            data_dir=data_dir / str(number),
            environment=environment,
            reflection=wanted,
            grpc_port=0,
            admin_port=0,
            drain_s=0.2,
        )
        async with running_venue(data_dir, settings=settings) as venue, venue.connect() as channel:
            if there:
                assert await list_services(channel)
            else:
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await list_services(channel)
                assert failure_of_call(error.value).reason == "METHOD_NOT_FOUND"


# --- a gateway elsewhere --------------------------------------------------------------------------


async def test_a_gateway_elsewhere_needs_a_certificate(
    data_dir: Path,
    clock: Clock,
    complaints: Complaints,
    certificate: Tls,
) -> None:
    tls = Tls(
        certificate=certificate.certificate,
        key=certificate.key,
        client_ca=certificate.certificate,
    )
    settings = Settings(
        data_dir=data_dir,
        grpc_port=0,
        admin_port=0,
        drain_s=0.2,
        edge_address="127.0.0.1:0",
        authz_address="127.0.0.1:0",
        peer_tls=tls,
    )
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        context = ssl.create_default_context(cafile=str(tls.certificate))
        url = f"https://localhost:{venue.app.authz_port}"
        async with httpx.AsyncClient(base_url=url, verify=context, trust_env=False) as nobody:
            with pytest.raises(httpx.TransportError):
                await nobody.get("/v1/time")
        context = ssl.create_default_context(cafile=str(tls.certificate))
        context.load_cert_chain(tls.certificate, tls.key)
        pem, key = tls.certificate.read_bytes(), tls.key.read_bytes()
        credentials = grpc.ssl_channel_credentials(pem, key, pem)
        async with (
            httpx.AsyncClient(base_url=url, verify=context, trust_env=False) as http,
            grpc.aio.secure_channel(f"localhost:{venue.app.edge_port}", credentials) as edge,
        ):
            front = Front(venue, clock, http, edge)
            body = order()
            headers = front.sign("POST", "/v1/orders", body)
            reply = await front.send("POST", "/v1/orders", body, headers)
            assert reply.message.order.account == "alice"
            # It is believed where its client is, and so is what it has not asked.
            only_there = await venue.create_key("alice", addresses=[f"{ADDRESS}/32"])
            headers = front.sign("GET", "/v1/orders", key=ed25519_key(only_there))
            await front.send("GET", "/v1/orders", headers=headers)
            time = "/tradewire.v1.SessionService/GetServerTime"
            assert (await refused_at_edge(front, (), time)).reason == "UNAUTHENTICATED"
        without = grpc.ssl_channel_credentials(pem)
        async with grpc.aio.secure_channel(
            f"localhost:{venue.app.edge_port}", without
        ) as nobody_edge:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await Stubs(nobody_edge).sessions.GetServerTime(
                    session_service_pb2.GetServerTimeRequest(), timeout=10
                )
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("with_tls", [False, True])
async def test_a_listener_for_a_gateway_elsewhere_does_not_open_without_an_authority(
    data_dir: Path,
    complaints: Complaints,
    certificate: Tls,
    with_tls: bool,
) -> None:
    for name in ("edge_address", "authz_address"):
        settings: Any = {name: "127.0.0.1:0", "peer_tls": certificate if with_tls else None}
        app = Application(Settings(data_dir=data_dir / name, grpc_port=0, admin_port=0, **settings))
        with pytest.raises(ListenError, match="authority"):
            await app.start()
        app.sequencer.close()
        app.journal.close()
