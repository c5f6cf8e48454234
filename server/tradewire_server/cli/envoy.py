"""Envoy for a venue that runs elsewhere than in `tradewire up`: its configuration, or itself.

What supervises the server in production supervises Envoy, too, so `run` becomes Envoy.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradewire_server.cli.connection import DATA_DIR, DataDir, with_options
from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.venue_files import RunningVenue

if TYPE_CHECKING:
    from tradewire_envoy.render import ClientTls, EnvoySettings, Remote

app = typer.Typer(
    no_args_is_help=True, help="Envoy for REST: print its configuration, or run it for a venue."
)

_TLS = "TLS"
_CLUSTER = "Venue on another machine"

RestHost = Annotated[
    str, typer.Option("--rest-host", envvar="TRADEWIRE_REST_HOST", help="Address to listen on.")
]
RestPort = Annotated[
    int,
    typer.Option(
        "--rest-port", envvar="TRADEWIRE_REST_PORT", min=0, max=65535, help="Port to listen on."
    ),
]
HttpPort = Annotated[
    int,
    typer.Option(
        "--http-port",
        envvar="TRADEWIRE_HTTP_PORT",
        min=0,
        max=65535,
        help="Port of the HTTP edge on this machine.",
    ),
]
CorsOrigin = Annotated[
    list[str] | None,
    typer.Option(
        "--cors-origin",
        envvar="TRADEWIRE_CORS_ORIGIN",
        help="Web origin whose pages may call, such as `https://app.example`; repeat for more.",
    ),
]
RestRate = Annotated[
    int,
    typer.Option(
        "--rest-rate",
        envvar="TRADEWIRE_REST_RATE",
        min=1,
        help="Requests per second of one address, before the venue's own limits.",
    ),
]
TrustedHops = Annotated[
    int,
    typer.Option(
        "--trusted-hops",
        min=0,
        help="Proxies before Envoy whose `x-forwarded-for` says who the client is.",
    ),
]
AllowPlaintext = Annotated[
    bool,
    typer.Option(
        "--allow-plaintext",
        envvar="TRADEWIRE_ALLOW_PLAINTEXT",
        help="Speak in the clear outside this machine, too.",
    ),
]


def _file(flag: str, variable: str, text: str, panel: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, metavar="FILE", help=text, rich_help_panel=panel
    )
    return option


def _listener(flag: str, variable: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, metavar="HOST:PORT", help=text, rich_help_panel=_CLUSTER
    )
    return option


TlsCertificate = Annotated[
    Path | None,
    _file("--tls-certificate", "TRADEWIRE_TLS_CERTIFICATE", "Certificate chain (PEM).", _TLS),
]
TlsKey = Annotated[
    Path | None, _file("--tls-key", "TRADEWIRE_TLS_KEY", "Key of the certificate (PEM).", _TLS)
]
TlsClientCa = Annotated[
    Path | None,
    _file(
        "--tls-client-ca",
        "TRADEWIRE_TLS_CLIENT_CA",
        "Let in only clients that these certify.",
        _TLS,
    ),
]
EdgeAddress = Annotated[
    str,
    _listener("--edge-address", "TRADEWIRE_EDGE_ADDRESS", "Where the server takes its calls."),
]
AuthzAddress = Annotated[
    str,
    _listener("--authz-address", "TRADEWIRE_AUTHZ_ADDRESS", "Where the server takes its checks."),
]
PeerCa = Annotated[
    Path | None,
    _file("--peer-ca", "TRADEWIRE_PEER_CA", "Certificates that vouch for the server.", _CLUSTER),
]
PeerCertificate = Annotated[
    Path | None,
    _file(
        "--peer-certificate",
        "TRADEWIRE_PEER_CERTIFICATE",
        "Envoy's own certificate, which the server asks for.",
        _CLUSTER,
    ),
]
PeerKey = Annotated[
    Path | None,
    _file("--peer-key", "TRADEWIRE_PEER_KEY", "Key of that certificate.", _CLUSTER),
]
Workers = Annotated[
    int,
    typer.Option(
        "--rest-workers", envvar="TRADEWIRE_REST_WORKERS", min=1, help="Threads of Envoy."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyOptions:
    """What Envoy is told."""

    data_dir: DataDir = DATA_DIR
    rest_host: RestHost = "127.0.0.1"
    rest_port: RestPort = 8080
    http_port: HttpPort = 8081
    cors_origin: CorsOrigin = None
    rest_rate: RestRate = 2_000
    trusted_hops: TrustedHops = 0
    tls_certificate: TlsCertificate = None
    tls_key: TlsKey = None
    tls_client_ca: TlsClientCa = None
    allow_plaintext: AllowPlaintext = False
    edge_address: EdgeAddress = ""
    authz_address: AuthzAddress = ""
    peer_ca: PeerCa = None
    peer_certificate: PeerCertificate = None
    peer_key: PeerKey = None

    def settings(self) -> "EnvoySettings":
        """Return what is put into the configuration.

        Raises CommandFailed.
        """
        from dataclasses import replace

        from tradewire_server.cli.hosting import tls_files
        from tradewire_server.cli.rest import RestOptions

        tls = tls_files(self.tls_certificate, self.tls_key, self.tls_client_ca)
        rest = RestOptions(
            host=self.rest_host,
            port=self.rest_port,
            http_port=self.http_port,
            cors_origins=tuple(self.cors_origin or ()),
            requests_per_second=self.rest_rate,
        )
        rest.check(tls=tls, allow_plaintext=self.allow_plaintext)
        running = RunningVenue.load(self.data_dir)
        sockets = self.data_dir if running is None else running.sockets
        settings = replace(rest.settings(sockets, tls=tls), trusted_hops=self.trusted_hops)
        if not self.edge_address and not self.authz_address:
            return settings
        return replace(
            settings,
            venue=_remote("--edge-address", self.edge_address),
            authz=_remote("--authz-address", self.authz_address),
            upstream_tls=self._peer_tls(),
        )

    def _peer_tls(self) -> "ClientTls":
        from tradewire_envoy.render import ClientTls

        files = (self.peer_ca, self.peer_certificate, self.peer_key)
        for path in files:
            if path is None:
                raise CommandFailed(
                    "with --edge-address and --authz-address give --peer-ca, --peer-certificate "
                    "and --peer-key: the server and Envoy have to know each other"
                )
            if not path.is_file():
                raise CommandFailed(f"{path}: there is no such file")
        ca, certificate, key = files
        assert ca is not None
        assert certificate is not None
        assert key is not None
        return ClientTls(ca=ca, certificate=certificate, key=key)


def _remote(flag: str, address: str) -> "Remote":
    from tradewire_envoy.render import Remote

    host, colon, port = address.rpartition(":")
    if not host or not colon or not port.isdigit():
        raise CommandFailed(f"{flag} {address!r} is no HOST:PORT")
    return Remote(host=host, port=int(port))


async def config(options: EnvoyOptions) -> None:
    """Print Envoy's configuration for a venue.

    Example: `tradewire envoy config --rest-port 8443 > envoy.yaml`
    """
    from tradewire_envoy.render import SettingsError, dump, render

    try:
        print(dump(render(options.settings())), end="")
    except SettingsError as error:
        raise CommandFailed(str(error)) from error


async def run(options: EnvoyOptions, workers: Workers = 1) -> None:
    """Become Envoy for a venue that `tradewire serve` runs; its output is its log.

    Example: `tradewire envoy run --data-dir /var/lib/tradewire --rest-port 8080`
    """
    from tradewire_envoy.process import (
        EnvoyMissing,
        command_line,
        find_binary,
        with_files_allowed,
    )
    from tradewire_envoy.render import CONFIGURATION_FILE, SettingsError, write_configuration
    from tradewire_envoy.tether import allow_files

    configuration = options.data_dir / CONFIGURATION_FILE
    try:
        binary = find_binary()
        options.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = with_files_allowed(options.settings())
        write_configuration(settings, configuration)
    except (EnvoyMissing, SettingsError) as error:
        raise CommandFailed(str(error)) from error
    settings.admin_socket.unlink(missing_ok=True)
    allow_files()
    os.execv(binary, command_line(binary, configuration, concurrency=workers))


app.command()(with_options(EnvoyOptions, config))
app.command()(with_options(EnvoyOptions, run))
