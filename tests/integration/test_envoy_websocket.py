"""WebSockets through Envoy: what passes, who is believed, and how it ends."""

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import json_format
from tradewire.v1 import session_service_pb2
from tradewire_client import Client
from tradewire_envoy.render import ServerTls
from tradewire_server.cli.doctor import check_websocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.certificates import Authority
from tests.support.command_line import VenueProcess, venue_process
from tests.support.envoy import RestVenue, data_directory, running_rest_venue
from tests.support.venue import Credential, RunningVenue, Stubs, session_request
from tests.support.ws import RpcError, WsClient, order, reason_of

PATIENCE_S = 30
CLIENT = "127.0.0.66"
needs_addresses = pytest.mark.skipif(
    sys.platform != "linux", reason="needs the addresses 127.0.0.0/8"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rest() -> AsyncIterator[RestVenue]:
    """Share a venue with Envoy and its WebSocket gateway."""
    async with data_directory() as path, running_rest_venue(path, pages=True) as running:
        yield running


def url(rest: RestVenue) -> str:
    """Return where WebSockets are."""
    return f"ws://{rest.target}/v1/ws"


async def make_ticket(venue: RunningVenue, credential: Credential) -> str:
    """Make a ticket, over gRPC."""
    async with venue.connect() as channel:
        request = session_service_pb2.CreateTicketRequest()
        call = Stubs(channel).sessions.CreateTicket(
            request, metadata=credential.metadata, timeout=5
        )
        return str((await call).ticket)


async def status_of(address: str, **options: Any) -> tuple[int, Any]:
    """Return with what an upgrade is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address, proxy=None, **options):
            pass
    response = refused.value.response
    return response.status_code, json.loads(response.body or b"{}")


@pytest.mark.asyncio(loop_scope="module")
async def test_every_credential_passes(rest: RestVenue) -> None:
    alice = rest.alice
    ticket = await make_ticket(rest.venue, alice)
    bearer = {"authorization": f"Bearer {alice.token}"}
    for address, headers in ((url(rest), bearer), (f"{url(rest)}?ticket={ticket}", {})):
        async with WsClient.connect(address, headers=headers) as client:
            placed = await client.call("orders.place", order(f"by-{len(headers)}"))
            assert placed["order"]["account"] == "alice"
    status, error = await status_of(f"{url(rest)}?ticket={ticket}")
    assert (status, reason_of(error)) == (401, "TICKET_INVALID")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_large_message_and_compression_pass(rest: RestVenue) -> None:
    async with WsClient.connect(url(rest), compression="deflate") as client:
        assert [type(each).__name__ for each in client.socket.protocol.extensions] == [
            "PerMessageDeflate"
        ]
        await client.sign_in(rest.alice)
        # Larger than any buffer on the way.
        spaces = " " * 200_000
        await client.send(f'{{"jsonrpc":"2.0",{spaces}"method":"session.time"}}')
        assert (await client.call("account.balances"))["balances"]


@needs_addresses
@pytest.mark.asyncio(loop_scope="module")
async def test_envoy_says_where_the_client_is_and_nobody_else(rest: RestVenue) -> None:
    credential = await rest.venue.create_key("alice", addresses=(f"{CLIENT}/32",))
    proof = json_format.MessageToDict(session_request(credential, "sandbox"))
    claim = {"x-tradewire-client-address": CLIENT}
    edge = f"ws://{rest.http_edge}/v1/ws"
    # Through Envoy and past it: a header does not make one another client.
    for address in (url(rest), edge):
        async with WsClient.connect(address, headers=claim) as client:
            with pytest.raises(RpcError) as refused:
                await client.call("session.login", proof)
        assert refused.value.reason == "ADDRESS_NOT_ALLOWED"
        assert "127.0.0.1" in refused.value.error["message"]
    proof = json_format.MessageToDict(session_request(credential, "sandbox"))
    async with WsClient.connect(url(rest), local_addr=(CLIENT, 0)) as client:
        assert (await client.call("session.login", proof))["account"] == "alice"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream_is_read_through_envoy(rest: RestVenue) -> None:
    async with WsClient.connect(url(rest)) as client:
        await client.sign_in(rest.bob)
        number = await client.subscribe("executions.stream", {"afterSequence": "0"})
        for count in range(20):
            await client.call("orders.place", order(f"s-{count}"))
        await client.call("subscription.cancel", {"subscription": number})
        await client.notified("subscription.closed")
        seen = [
            int(execution["sequence"])
            for message in client.messages(number)
            for execution in message.get("batch", {}).get("executions", ())
        ]
        assert seen == list(range(1, len(seen) + 1))
        assert len(seen) == 20


@pytest.mark.asyncio(loop_scope="module")
async def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.certify("venue", "127.0.0.1")
    tls = ServerTls(certificate=pair.certificate, key=pair.key)
    context = ssl.create_default_context(cafile=str(authority.certificate))
    # As browsers do: they offer both for pages, and this one alone for a WebSocket.
    context.set_alpn_protocols(["http/1.1"])
    async with data_directory() as path, running_rest_venue(path, pages=True, tls=tls) as rest:
        address = f"wss://{rest.target}/v1/ws"
        async with WsClient.connect(address, ssl=context) as client:
            await client.sign_in(rest.alice)
            assert (await client.call("account.balances"))["balances"]


# --- as `tradewire up` puts it together -----------------------------------------------------------


@asynccontextmanager
async def signed_in(venue: VenueProcess) -> AsyncIterator[WsClient]:
    """Connect to a venue as its demo account, through Envoy."""
    running = venue.wait_until_ready()
    async with Client.from_demo(venue.data_dir / "demo.json") as owner:
        ticket = (await owner.create_ticket()).ticket
        address = f"{running['rest'].replace('http', 'ws')}/v1/ws?ticket={ticket}"
        async with WsClient.connect(address) as client:
            yield client


@pytest.mark.asyncio(loop_scope="module")
async def test_who_gets_in_and_how_it_ends(tmp_path: Path) -> None:
    """Pages of this place and programs get in, other pages do not; the end is announced."""
    with venue_process(tmp_path / "venue", "--no-bots") as venue:
        own = str(venue.wait_until_ready()["rest"])
        address = f"{own.replace('http', 'ws')}/v1/ws"
        for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
            status, error = await status_of(address, origin=origin)
            assert (status, reason_of(error)) == (403, "ORIGIN_NOT_ALLOWED")
        for allowed in (own, "http://localhost:5173"):
            async with WsClient.connect(address, origin=allowed) as client:
                assert (await client.call("session.time"))["environment"] == "sandbox"
        async with signed_in(venue) as client:
            await client.subscribe("executions.stream")
            venue.process.send_signal(signal.SIGTERM)
            closing = await client.notified("connection.closing")
            assert reason_of(closing["status"]) == "SERVER_DRAINING"
            assert await client.closed() == (1001, "SERVER_DRAINING")
        assert await asyncio.to_thread(venue.process.wait, PATIENCE_S) == 0


def test_the_gateway_as_a_process_of_its_own(tmp_path: Path) -> None:
    """Server, gateway and Envoy are three processes, as in production."""
    data_dir = tmp_path / "venue"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    at = f"http://127.0.0.1:{port}"
    with venue_process(data_dir, command="serve") as venue:
        pages = (
            *(sys.executable, "-m", "tradewire_gateway.web"),
            *("--upstream", f"unix:{data_dir}/edge.sock", "--rest-url", at),
            *("--port", "0", "--envoy-socket", f"{data_dir}/http.sock"),
        )
        envoy = (
            *(sys.executable, "-m", "tradewire_server.cli", "envoy", "run"),
            *("--data-dir", str(data_dir), "--rest-port", str(port)),
        )
        processes = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for command in (pages, envoy)
        ]
        try:
            deadline = time.monotonic() + PATIENCE_S
            while (check := check_websocket(at)).verdict != "ok":
                assert time.monotonic() < deadline, check
                time.sleep(0.1)
        finally:
            for process in processes:
                process.terminate()
                process.wait(PATIENCE_S)
        assert venue.end() == 0
