"""`tradewire up`: the whole venue in one process, for a newcomer and for trying things out.

The composition root of everything: server and gateways meet here and nowhere else. Gateways are
clients of the in-process server that this module makes beside the network listener; the demo bots
are its first users.
"""

import asyncio
import errno
import json
import shlex
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from tradewire_client import Client, Ed25519Key
from tradewire_gateway.channel import InProcessChannel, InProcessServer
from tradewire_gateway.web import WebOptions, serve_web
from tradewire_gateway.web.demo_sign_in import DemoSignIn
from tradewire_gateway.web.terminal_files import newest_build
from tradewire_gateway.ws import (
    AllowedOrigins,
    Gateway,
    WebSocketLimits,
    WebSocketOptions,
)
from tradewire_gateway.ws.meters import Meters as WebSocketMeters

from tradewire_server.api.published_limits import published_limits
from tradewire_server.auth.encoding import decode_base64url
from tradewire_server.auth.limit_policy import policy_rows
from tradewire_server.certificates import is_self_signed
from tradewire_server.cli.bots.market import Maker, MarketPlan, Taker, keep_running
from tradewire_server.cli.commands import command_line
from tradewire_server.cli.connection import DEFAULT_ACCOUNT
from tradewire_server.cli.console import demo_sign_in
from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.fix import fix_gateway
from tradewire_server.cli.founding import (
    ACCOUNTS,
    BTC_USD,
    ETH_USD,
    MAKER_ACCOUNT,
    TAKER_ACCOUNT,
    found_demo,
    save_demo,
)
from tradewire_server.cli.hosting import LOOPBACK, Hosted, HostOptions, run_venue
from tradewire_server.cli.rest import RestOptions, rest_edge
from tradewire_server.cli.venue_files import DEMO_FILE, DemoKey
from tradewire_server.sockets import SocketError

MARKETS = (
    MarketPlan(
        symbol=BTC_USD.symbol,
        anchor=Decimal(60_000),
        step=Decimal(4),
        spread=Decimal(6),
        gap=Decimal(5),
        quantity=Decimal("0.05"),
    ),
    MarketPlan(
        symbol=ETH_USD.symbol,
        anchor=Decimal(3_000),
        step=Decimal("0.20"),
        spread=Decimal("0.30"),
        gap=Decimal("0.25"),
        quantity=Decimal("0.8"),
    ),
)
# Stands for a file that the venue does not know, as on the pages.
AUTHORITY_FILE = "authority.pem"
DEMO_SEED = 4
TERMINAL_NOT_BUILT = "not built: `make terminal` builds it, where npm (Node.js 20) is"


def run(options: HostOptions, *, with_bots: bool) -> None:
    """Run the demo venue until it is told to stop."""
    run_venue(options, partial(_residents, with_bots=with_bots))


@asynccontextmanager
async def _residents(hosted: Hosted, *, with_bots: bool) -> AsyncIterator[RenderableType]:
    app, running = hosted.app, hosted.running
    founded = await found_demo(app)
    save_demo(
        app.settings.data_dir,
        founded,
        environment=running.environment,
        grpc=running.grpc,
        admin=running.admin,
    )
    local = InProcessServer(interceptors=[app.public_edge()])
    app.add_public(local)
    await local.start()
    try:
        async with (
            # Before the pages, which say where it is.
            _fix(hosted, local),
            _rest(hosted, local, founded.keys[DEFAULT_ACCOUNT]) as notes,
            _bots(local, founded.keys, running.environment, with_bots=with_bots),
        ):
            yield _welcome(hosted, [*founded.notes, *notes], with_bots=with_bots)
    finally:
        await local.stop(app.settings.drain_s)


@asynccontextmanager
async def _fix(hosted: Hosted, local: InProcessServer) -> AsyncIterator[None]:
    """Serve FIX, if it is wanted."""
    options, settings = hosted.options, hosted.app.settings
    if options.fix_port is None:
        yield
        return
    async with (
        InProcessChannel(local, name="fix gateway") as channel,
        fix_gateway(
            channel,
            data_dir=settings.data_dir,
            host=options.host,
            port=options.fix_port,
            tls=settings.tls,
        ) as port,
    ):
        hosted.running = replace(hosted.running, ports=replace(hosted.running.ports, fix=port))
        yield


@asynccontextmanager
async def _rest(
    hosted: Hosted, local: InProcessServer, demo_key: DemoKey
) -> AsyncIterator[list[str]]:
    """Run the HTTP edge and Envoy before it, if they are wanted; yields what is to be said."""
    options = hosted.options.rest
    if options is None:
        yield []
        return
    listener = _bind(options.http_port)
    async with (
        InProcessChannel(local, name="http edge") as channel,
        # What waits for a slow reader waits at the venue, which can conflate it.
        InProcessChannel(local, name="websocket gateway", stream_length_max=2) as streams,
        InProcessChannel(local, name="demo sign-in") as demo_channel,
        _demo(hosted, options, demo_channel, demo_key) as demo,
    ):
        web = WebOptions(
            channel=channel,
            environment=hosted.running.environment,
            rest_url=lambda: hosted.running.rest,
            grpc_target=hosted.running.grpc,
            fix_target=hosted.running.fix,
            demo=demo,
            limits=(
                *published_limits(
                    hosted.app.settings.limits,
                    heartbeat_s=hosted.app.settings.heartbeat_s,
                    edge=options.published(),
                ),
                *policy_rows(WebSocketLimits()),
            ),
        )
        http_port = listener.getsockname()[1]
        gateway = Gateway(
            WebSocketOptions(
                channel=streams,
                origins=AllowedOrigins(
                    options.cors_origins,
                    own=lambda: (hosted.running.rest, f"http://{LOOPBACK}:{http_port}"),
                    this_machine=options.is_local and not options.cors_origins,
                ),
                meters=WebSocketMeters(hosted.app.metrics.registry),
            )
        )
        trusted = _bind_trusted(hosted)
        async with serve_web(web, listener=listener, trusted=trusted, upgrades=gateway):
            edge = await hosted.after_drain.enter_async_context(
                rest_edge(
                    options,
                    data_dir=hosted.app.settings.data_dir,
                    sockets=hosted.app.sockets.directory,
                    http_port=http_port,
                    tls=hosted.app.settings.tls,
                )
            )
            ports = replace(hosted.running.ports, rest=edge.port, http=http_port)
            hosted.running = replace(hosted.running, rest=edge.url, ports=ports)
            try:
                yield [edge.note] if edge.note else []
            finally:
                await edge.stop_listening()


@asynccontextmanager
async def _demo(
    hosted: Hosted, options: RestOptions, channel: InProcessChannel, key: DemoKey
) -> AsyncIterator[DemoSignIn | None]:
    """Let pages sign in as the demo account, where only this machine gets there or it is wanted."""
    if not options.is_local and not options.demo_for_all:
        yield None
        return
    async with demo_sign_in(
        channel,
        _pair(key),
        environment=hosted.running.environment,
        for_all=options.demo_for_all,
    ) as sign_in:
        yield sign_in


def _bind(port: int) -> socket.socket:
    """Take the port of the HTTP edge, which Envoy alone is to reach.

    Raises CommandFailed when another process has it.
    """
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        # Bound alone, two could have it.
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise CommandFailed(
            f"port {port} on {LOOPBACK} cannot be opened, another process has it: stop that one or "
            "choose another port with --http-port"
        ) from error
    return listener


def _bind_trusted(hosted: Hosted) -> socket.socket:
    """Open the socket on which Envoy says where the clients of WebSocket are.

    Raises CommandFailed.
    """
    sockets = hosted.app.sockets
    try:
        listener = sockets.bind(sockets.http)
        listener.listen()
    except (SocketError, OSError) as error:
        raise CommandFailed(f"the socket of the HTTP edge cannot be opened: {error}") from error
    return listener


@asynccontextmanager
async def _bots(
    local: InProcessServer, keys: dict[str, DemoKey], environment: str, *, with_bots: bool
) -> AsyncIterator[None]:
    if not with_bots:
        yield
        return
    random = Random(DEMO_SEED)
    clients = {
        account: Client(
            channel=InProcessChannel(local, name=account),
            key=_pair(keys[account]),
            environment=environment,
        )
        for account in (MAKER_ACCOUNT, TAKER_ACCOUNT)
    }
    bots: list[Maker | Taker] = []
    for plan in MARKETS:
        for kind, account in ((Maker, MAKER_ACCOUNT), (Taker, TAKER_ACCOUNT)):
            chance = Random(random.getrandbits(64))
            bots.append(kind(clients[account], plan, random=chance, sleep=asyncio.sleep))
    tasks = [
        asyncio.create_task(keep_running(bot, sleep=asyncio.sleep), name=type(bot).__name__)
        for bot in bots
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in clients.values():
            await client.close()


def _pair(key: DemoKey) -> Ed25519Key:
    seed = decode_base64url(key.private_key)
    assert seed is not None, "the file was written, or checked, at this start"
    return Ed25519Key.from_seed(key.api_key, seed)


def _welcome(hosted: Hosted, notes: list[str], *, with_bots: bool) -> RenderableType:
    running, data_dir = hosted.running, hosted.options.data_dir
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    scheme = "gRPC with TLS" if running.tls else "gRPC"
    facts.add_row(scheme, running.grpc)
    facts.add_row("admin gRPC", f"{running.admin}  (this machine only)")
    facts.add_row("metrics", running.metrics)
    if running.rest:
        facts.add_row("REST", running.rest)
        websocket = running.rest.replace("http", "ws", 1)
        facts.add_row("WebSocket", f"{websocket}/v1/ws")
        facts.add_row("documents", f"{running.rest}/docs")
        built = newest_build() is not None
        facts.add_row("terminal", f"{running.rest}/console" if built else TERMINAL_NOT_BUILT)
    if running.fix:
        kind = "FIX 4.4 with TLS" if running.tls else "FIX 4.4"
        facts.add_row(kind, f"{running.fix}  (TW-ORDERS, TW-MARKETDATA, TW-DROPCOPY)")
    facts.add_row("data", f"{data_dir}  (journal {running.journal_id[:8]}…)")
    facts.add_row("accounts", ", ".join(account.name for account in ACCOUNTS))
    facts.add_row("keys", f"{data_dir / DEMO_FILE}  (only you can read it)")
    facts.add_row("market", "a maker and takers trade" if with_bots else "quiet: --no-bots")
    for note in notes:
        facts.add_row("note", note)
    line = command_line(data_dir)
    authority = _authority(hosted.options.tls_certificate)
    trust = f" --tls-ca {authority}" if authority else ""
    commands = [
        line(f"book {BTC_USD.symbol}{trust}"),
        line(f"orders place {BTC_USD.symbol} buy 0.01 --price 60000{trust}"),
        line(f"executions --follow{trust}"),
    ]
    if running.rest:
        cacert = f"--cacert {authority} " if authority else ""
        commands.append(_curl(f"{cacert}{running.rest}", line(f"token{trust}")))
    if authority == AUTHORITY_FILE:
        facts.add_row("note", f"{AUTHORITY_FILE} below is the certificate of your authority")
    # Outside the frame and never folded, so that a line can be taken as it is.
    paste = (Text(command, no_wrap=True, overflow="ignore", style="bold") for command in commands)
    title = f"Tradewire {running.version} ({running.environment})"
    return Group(
        Panel(facts, title=title, expand=False, padding=(1, 2)),
        "Paste into another terminal:",
        "",
        *paste,
        "",
        "Ctrl-C ends the venue.",
    )


def _authority(certificate: Path | None) -> str:
    """Return the file that clients are given to trust the venue, as a shell takes it; empty without
    TLS.
    """
    if certificate is None:
        return ""
    return shlex.quote(str(certificate)) if is_self_signed(certificate) else AUTHORITY_FILE


def _curl(rest: str, token: str) -> str:
    """Return a line that places an order over REST; repeated, it is the same order."""
    body = {
        "clientOrderId": "first-by-curl",
        "symbol": BTC_USD.symbol,
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "0.01",
        "price": "60000",
    }
    return (
        f'curl -sS {rest}/v1/orders -H "authorization: Bearer $({token})" '
        f"-d {shlex.quote(json.dumps(body, separators=(',', ':')))}"
    )
