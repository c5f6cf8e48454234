"""The command `tradewire`: run a venue, trade on it, operate it, look into its journal.

Commands are light until they run: each imports what it needs inside, so that `--help` and shell
completion answer at once.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tradewire_server import __version__
from tradewire_server.cli import account as account_commands
from tradewire_server.cli import admin as admin_commands
from tradewire_server.cli import envoy, journal, keys, market, orders
from tradewire_server.cli.arguments import Json
from tradewire_server.cli.connection import (
    DATA_DIR,
    Account,
    Admin,
    AdminKey,
    AdminOptions,
    ClientCertificate,
    ClientKey,
    DataDir,
    Grpc,
    KeyFile,
    TlsCa,
    VenueOptions,
)
from tradewire_server.cli.envoy import (
    CorsOrigin,
    HttpPort,
    RestHost,
    RestPort,
    RestRate,
    Workers,
)
from tradewire_server.cli.failure import EXIT_INTERRUPTED, explain

app = typer.Typer(
    name="tradewire",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A trading venue: run it with `up`, trade with `orders`, watch with `book`.",
)
app.add_typer(orders.app, name="orders")
app.add_typer(keys.app, name="keys")
app.add_typer(admin_commands.app, name="admin")
app.add_typer(journal.app, name="journal")
app.add_typer(envoy.app, name="envoy")
market.add_to(app)
account_commands.add_to(app)

_LISTEN = "Listeners"
_PEERS = "Envoy on another machine"

Environment = Annotated[
    str,
    typer.Option(
        "--environment",
        envvar="TRADEWIRE_ENVIRONMENT",
        help="Name of the venue, part of every signature.",
    ),
]
Host = Annotated[
    str,
    typer.Option(
        "--host",
        envvar="TRADEWIRE_HOST",
        help="Address to listen on; the admin listener stays on this machine.",
        rich_help_panel=_LISTEN,
    ),
]


def _port(flag: str, variable: str, text: str, panel: str = _LISTEN) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, min=0, max=65535, help=text, rich_help_panel=panel
    )
    return option


def _peer(flag: str, variable: str, metavar: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, metavar=metavar, help=text, rich_help_panel=_PEERS
    )
    return option


def _file(flag: str, variable: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, metavar="FILE", help=text, rich_help_panel=_LISTEN
    )
    return option


GrpcPort = Annotated[
    int, _port("--grpc-port", "TRADEWIRE_GRPC_PORT", "Port of the gRPC API; 0 takes any.")
]
AdminPort = Annotated[
    int, _port("--admin-port", "TRADEWIRE_ADMIN_PORT", "Port of the admin service.")
]
MetricsPort = Annotated[
    int, _port("--metrics-port", "TRADEWIRE_METRICS_PORT", "Port of the Prometheus metrics.")
]
FixPort = Annotated[
    int, _port("--fix-port", "TRADEWIRE_FIX_PORT", "Port of the FIX gateway; 0 takes any.")
]
TlsCertificate = Annotated[
    Path | None,
    _file("--tls-certificate", "TRADEWIRE_TLS_CERTIFICATE", "Certificate chain (PEM)."),
]
TlsKey = Annotated[
    Path | None, _file("--tls-key", "TRADEWIRE_TLS_KEY", "Key of the certificate (PEM).")
]
TlsClientCa = Annotated[
    Path | None,
    _file("--tls-client-ca", "TRADEWIRE_TLS_CLIENT_CA", "Let in only clients that these certify."),
]
AllowPlaintext = Annotated[
    bool,
    typer.Option(
        "--allow-plaintext",
        envvar="TRADEWIRE_ALLOW_PLAINTEXT",
        help="Speak in the clear outside this machine, too.",
        rich_help_panel=_LISTEN,
    ),
]
EdgeAddress = Annotated[
    str | None,
    _peer("--edge-address", "TRADEWIRE_EDGE_ADDRESS", "HOST:PORT", "Listen for calls of Envoy."),
]
AuthzAddress = Annotated[
    str | None,
    _peer("--authz-address", "TRADEWIRE_AUTHZ_ADDRESS", "HOST:PORT", "Listen for its checks."),
]
PeerCertificate = Annotated[
    Path | None,
    _peer("--peer-certificate", "TRADEWIRE_PEER_CERTIFICATE", "FILE", "Certificate there (PEM)."),
]
PeerKey = Annotated[
    Path | None, _peer("--peer-key", "TRADEWIRE_PEER_KEY", "FILE", "Key of that certificate.")
]
PeerCa = Annotated[
    Path | None,
    _peer("--peer-ca", "TRADEWIRE_PEER_CA", "FILE", "Certificates that vouch for Envoy."),
]
LogLevel = Annotated[
    str,
    typer.Option(
        "--log-level", envvar="TRADEWIRE_LOG_LEVEL", help="debug, info, warning or error."
    ),
]


@app.command()
def up(
    *,
    data_dir: DataDir = DATA_DIR,
    environment: Environment = "sandbox",
    no_bots: Annotated[
        bool,
        typer.Option("--no-bots", envvar="TRADEWIRE_NO_BOTS", help="Leave the market quiet."),
    ] = False,
    log_level: LogLevel = "warning",
    host: Host = "127.0.0.1",
    grpc_port: GrpcPort = 50051,
    admin_port: AdminPort = 50052,
    metrics_port: MetricsPort = 9464,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    tls_client_ca: TlsClientCa = None,
    allow_plaintext: AllowPlaintext = False,
    no_rest: Annotated[
        bool, typer.Option("--no-rest", envvar="TRADEWIRE_NO_REST", help="Do without Envoy.")
    ] = False,
    rest_host: RestHost = "127.0.0.1",
    rest_port: RestPort = 8080,
    http_port: HttpPort = 8081,
    cors_origin: CorsOrigin = None,
    rest_rate: RestRate = 2_000,
    rest_workers: Workers = 1,
    allow_demo_sign_in: Annotated[
        bool,
        typer.Option(
            "--allow-demo-sign-in",
            envvar="TRADEWIRE_ALLOW_DEMO_SIGN_IN",
            help="Let browsers of other machines sign in at the terminal as demo-1, too.",
        ),
    ] = False,
    no_fix: Annotated[
        bool, typer.Option("--no-fix", envvar="TRADEWIRE_NO_FIX", help="Do without FIX.")
    ] = False,
    fix_port: FixPort = 9876,
) -> None:
    """Run a venue with demo accounts, money and a live market.

    The first start makes accounts and writes their keys to `demo.json` in the data directory.

    Example: `tradewire up --data-dir /tmp/venue --grpc-port 0 --no-bots`
    """
    _log(log_level)
    from tradewire_server.cli.hosting import HostOptions
    from tradewire_server.cli.rest import RestOptions
    from tradewire_server.cli.up import run

    rest = RestOptions(
        host=rest_host,
        port=rest_port,
        http_port=http_port,
        cors_origins=tuple(cors_origin or ()),
        workers=rest_workers,
        requests_per_second=rest_rate,
        demo_for_all=allow_demo_sign_in,
    )
    options = HostOptions(
        data_dir=data_dir,
        environment=environment,
        host=host,
        grpc_port=grpc_port,
        admin_port=admin_port,
        metrics_port=metrics_port,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        allow_plaintext=allow_plaintext,
        rest=None if no_rest else rest,
        fix_port=None if no_fix else fix_port,
    )
    run(options, with_bots=not no_bots)


@app.command()
def serve(
    *,
    data_dir: DataDir = DATA_DIR,
    environment: Environment = "production",
    new_admin_key: Annotated[
        bool, typer.Option("--new-admin-key", help="Make one more admin key, into admin.json.")
    ] = False,
    log_level: LogLevel = "info",
    host: Host = "127.0.0.1",
    grpc_port: GrpcPort = 50051,
    admin_port: AdminPort = 50052,
    metrics_port: MetricsPort = 9464,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    tls_client_ca: TlsClientCa = None,
    allow_plaintext: AllowPlaintext = False,
    edge_address: EdgeAddress = None,
    authz_address: AuthzAddress = None,
    peer_certificate: PeerCertificate = None,
    peer_key: PeerKey = None,
    peer_ca: PeerCa = None,
) -> None:
    """Run the server alone, as in production.

    The first start makes one key, for the account `admin`, in `admin.json` in the data directory.

    Example: `tradewire serve --host 0.0.0.0 --tls-certificate venue.pem --tls-key venue.key`
    """
    _log(log_level)
    from tradewire_server.cli.hosting import HostOptions
    from tradewire_server.cli.serve import run

    options = HostOptions(
        data_dir=data_dir,
        environment=environment,
        host=host,
        grpc_port=grpc_port,
        admin_port=admin_port,
        metrics_port=metrics_port,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        allow_plaintext=allow_plaintext,
        edge_address=edge_address,
        authz_address=authz_address,
        peer_certificate=peer_certificate,
        peer_key=peer_key,
        peer_ca=peer_ca,
    )
    run(options, new_admin_key=new_admin_key)


@app.command()
def replay(
    file: Annotated[
        Path, typer.Argument(help="Recording in the Bitstamp format, plain or .xz.", metavar="FILE")
    ],
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many lines.")] = None,
    seed_book: Annotated[
        bool,
        typer.Option("--seed-book", help="First place what must have rested before the recording."),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the orders and the instrument open.")
    ] = False,
    json: Json = False,
    data_dir: DataDir = DATA_DIR,
    account: Account = "replay",
    grpc: Grpc = "",
    key: KeyFile = None,
    tls_ca: TlsCa = None,
    client_certificate: ClientCertificate = None,
    client_key: ClientKey = None,
    admin: Admin = "",
    admin_key: AdminKey = None,
) -> None:
    """Send the recorded orders of a real exchange through the API and compare what comes out.

    Each replay trades a new instrument, which is halted at the end. Recorded trades and books are
    held against those of the venue. Example: `tradewire replay events.log.xz`
    """
    from tradewire_server.cli.replay.command import run

    run(
        file,
        VenueOptions(
            data_dir=data_dir,
            account=account,
            grpc=grpc,
            key=key,
            tls_ca=tls_ca,
            client_certificate=client_certificate,
            client_key=client_key,
        ),
        AdminOptions(data_dir=data_dir, admin=admin, admin_key=admin_key),
        limit=limit,
        seed_book=seed_book,
        keep=keep,
        as_json=json,
    )


@app.command()
def doctor(
    data_dir: DataDir = DATA_DIR,
    admin_key: AdminKey = None,
    tls_ca: TlsCa = None,
    json: Json = False,
) -> None:
    """Look whether everything is as it must be, and say what to do about what is not.

    Ends with exit code 1 when something fails. Example: `tradewire doctor`
    """
    from tradewire_server.cli.doctor import run

    run(data_dir, admin_key=admin_key, tls_ca=tls_ca, as_json=json)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _log(level: str) -> None:
    import logging

    name = level.upper()
    if name not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise typer.BadParameter("choose one of debug, info, warning, error")
    logging.basicConfig(
        level=name, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr
    )


def main() -> None:
    """Run a command and end the process."""
    # gRPC's own lines about refused connections say less than the one line that follows.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        app(prog_name="tradewire")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Who read has gone, `head` for instance. Nothing more can be said.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        failure = explain(error)
        if failure is None:
            raise
        sys.stderr.write(f"tradewire: {failure}\n")
        sys.exit(failure.exit_code)
