"""Puts a venue's ports, sockets and certificates into `envoy.yaml`, and changes nothing else.

The file runs as it stands, with the default ports. What is looked for here must be in it: a place
that has gone is an error, not a setting without effect.
"""

import ipaddress
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tradewire_contract
import yaml

TEMPLATE = "envoy.yaml"
DESCRIPTOR_SET = "tradewire.binpb"
CONFIGURATION_FILE = "envoy.yaml"
OWNER_ONLY = 0o600
ADMIN_SOCKET = "envoy.sock"
EDGE_SOCKET = "edge.sock"
CALLS_SOCKET = "calls.sock"
AUTHZ_SOCKET = "authz.sock"
HTTP_SOCKET = "http.sock"
LISTENER = "rest"
# What the system allows, without the zero at its end.
SOCKET_PATH_MAX = 107
VENUE, VENUE_CALLS, AUTHZ = "venue", "venue_calls", "authz"
HTTP_EDGE, HEALTH, GATEWAY = "http_edge", "health", "gateway"

_TYPE = "@type"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
_MANAGER = "envoy.filters.network.http_connection_manager"
_TLS_INSPECTOR = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
_HEAP = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"
_FILL_INTERVAL_PER_S = 10
_BURST_S = 2

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """PEM files of the listener. With `client_ca` only clients with a certificate of it get in."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """PEM files with which Envoy and a venue on another machine know each other."""

    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A listener of a venue on another machine: a name of the DNS, or an address."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoySettings:
    """What is put into the configuration. Port 0 takes any free one.

    `venue` and `authz` are sockets on this machine, or listeners of the same venue on another one,
    which need `upstream_tls`; the HTTP edge is always beside Envoy. Unary calls that were
    transcoded go to the socket `calls`, or without one, and to another machine, to `venue`. The
    HTTP edge is at `http_port` and, for WebSockets, at the socket `http`; without that they go to
    the port, where they all come from this machine as far as it knows.
    `cors_origins` None leaves the pages of this machine. `trusted_hops` counts the proxies before
    Envoy whose `x-forwarded-for` is believed. `first_bytes_timeout_s` is for connections on which
    nothing has come yet.
    """

    admin_socket: Path
    venue: Path | Remote
    authz: Path | Remote
    calls: Path | None = None
    http: Path | None = None
    http_port: int = 8081
    host: str = "127.0.0.1"
    port: int = 8080
    tls: ServerTls | None = None
    upstream_tls: ClientTls | None = None
    cors_origins: Sequence[str] | None = None
    trusted_hops: int = 0
    requests_per_second: int = 2_000
    connections_max: int = 16_000
    heap_bytes_max: int = 4 << 30
    first_bytes_timeout_s: float = 10.0
    request_bytes_timeout_s: float = 15.0
    stream_idle_timeout_s: float = 60.0
    stream_flush_timeout_s: float = 10.0
    answer_timeout_s: float = 30.0

    @classmethod
    def beside(cls, sockets: Path, **changes: Any) -> "EnvoySettings":
        """Return the settings for a venue whose sockets are in a directory."""
        return cls(
            admin_socket=sockets / ADMIN_SOCKET,
            venue=sockets / EDGE_SOCKET,
            authz=sockets / AUTHZ_SOCKET,
            calls=sockets / CALLS_SOCKET,
            http=sockets / HTTP_SOCKET,
            **changes,
        )


class SettingsError(ValueError):
    """Settings that do not go together; the text says why."""


def template_path() -> Path:
    """Return where `envoy.yaml` is: beside this package in a checkout, inside it when installed."""
    here = Path(__file__).parent
    installed = here / TEMPLATE
    return installed if installed.exists() else here.parent / TEMPLATE


def descriptor_path() -> Path:
    """Return where the descriptor set of the contract is."""
    contract = Path(tradewire_contract.__file__).parent
    installed = contract / "gen" / DESCRIPTOR_SET
    return installed if installed.exists() else contract.parent / "gen" / DESCRIPTOR_SET


def render(settings: EnvoySettings) -> Json:
    """Return the configuration for a venue.

    Raises SettingsError.
    """
    config: Json = yaml.safe_load(template_path().read_text())
    # Aliases of the file become copies, so that a change is made in one place only.
    config = json.loads(json.dumps(config))
    config["admin"]["address"]["pipe"]["path"] = _socket_path(settings.admin_socket)
    listener = _named(config["static_resources"]["listeners"], LISTENER)
    socket_address = listener["address"]["socket_address"]
    socket_address["address"] = settings.host.strip("[]")
    socket_address["port_value"] = settings.port
    (chain,) = listener["filter_chains"]
    first_bytes = _seconds(settings.first_bytes_timeout_s)
    listener["listener_filters_timeout"] = first_bytes
    if settings.tls is not None:
        listener["listener_filters"] = [
            {
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": {_TYPE: f"type.googleapis.com/{_TLS_INSPECTOR}"},
            }
        ]
        chain["transport_socket_connect_timeout"] = first_bytes
        chain["transport_socket"] = _server_tls(settings.tls)
    manager = _named(chain["filters"], _MANAGER)["typed_config"]
    _set_manager(manager, settings)
    clusters = config["static_resources"]["clusters"]
    for name, upstream in ((VENUE, settings.venue), (AUTHZ, settings.authz)):
        _set_upstream(_named(clusters, name), upstream, settings.upstream_tls)
    _set_calls(manager, clusters, settings)
    for name in (HTTP_EDGE, HEALTH):
        edge = _endpoint(_named(clusters, name))
        edge["address"]["socket_address"]["port_value"] = settings.http_port
    gateway = _named(clusters, GATEWAY)
    if settings.http is not None:
        _set_upstream(gateway, settings.http, None)
    else:
        _endpoint(gateway)["address"] = _endpoint(_named(clusters, HTTP_EDGE))["address"]
    monitors = config["overload_manager"]["resource_monitors"]
    heap = _named(monitors, _HEAP)["typed_config"]
    heap["max_heap_size_bytes"] = settings.heap_bytes_max
    connections = _named(monitors, _CONNECTIONS)["typed_config"]
    connections["max_active_downstream_connections"] = settings.connections_max
    return config


def write_configuration(settings: EnvoySettings, path: Path) -> None:
    """Write the configuration, whole or not at all, for its owner only: it names every file that
    matters.

    Raises SettingsError.
    """
    text = dump(render(settings))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def dump(config: Json) -> str:
    """Return a configuration as YAML."""
    body = yaml.safe_dump(config, sort_keys=False, width=120)
    return f"# Made of {TEMPLATE}, which says why each rule is there. Changes are lost.\n{body}"


def _set_manager(manager: Json, settings: EnvoySettings) -> None:
    filters = manager["http_filters"]
    transcoder = _named(filters, "envoy.filters.http.grpc_json_transcoder")["typed_config"]
    transcoder["proto_descriptor"] = str(descriptor_path())
    limits = _named(filters, "envoy.filters.http.local_ratelimit")["typed_config"]["descriptors"]
    # The others are for some requests only.
    (bucket,) = (limit["token_bucket"] for limit in limits if len(limit["entries"]) == 1)
    bucket["max_tokens"] = settings.requests_per_second * _BURST_S
    bucket["tokens_per_fill"] = max(1, settings.requests_per_second // _FILL_INTERVAL_PER_S)
    (host,) = manager["route_config"]["virtual_hosts"]
    if settings.cors_origins is not None:
        policy = host["typed_per_filter_config"]["envoy.filters.http.cors"]
        policy["allow_origin_string_match"] = [
            {"exact": origin} for origin in settings.cors_origins
        ]
    if settings.trusted_hops:
        manager["xff_num_trusted_hops"] = settings.trusted_hops
    manager["request_timeout"] = _seconds(settings.request_bytes_timeout_s)
    manager["stream_idle_timeout"] = _seconds(settings.stream_idle_timeout_s)
    manager["stream_flush_timeout"] = _seconds(settings.stream_flush_timeout_s)
    for name in ("rest_calls", "grpc_calls"):
        _named(host["routes"], name)["route"]["timeout"] = _seconds(settings.answer_timeout_s)


def _set_calls(manager: Json, clusters: list[Json], settings: EnvoySettings) -> None:
    """Say where unary calls that were transcoded go."""
    cluster = _named(clusters, VENUE_CALLS)
    if settings.calls is not None and isinstance(settings.venue, Path):
        _set_upstream(cluster, settings.calls, None)
        return
    clusters.remove(cluster)
    (host,) = manager["route_config"]["virtual_hosts"]
    _named(host["routes"], "rest_calls")["route"]["cluster"] = VENUE


def _set_upstream(cluster: Json, upstream: Path | Remote, tls: ClientTls | None) -> None:
    if isinstance(upstream, Path):
        _endpoint(cluster)["address"] = {"pipe": {"path": _socket_path(upstream)}}
        return
    if tls is None:
        raise SettingsError(
            f"{upstream.host}:{upstream.port} is on another machine: give the certificates with "
            "which Envoy and the venue know each other"
        )
    host = upstream.host.strip("[]")
    address = {"socket_address": {"address": host, "port_value": upstream.port}}
    _endpoint(cluster)["address"] = address
    cluster["type"] = "STATIC" if _is_address(host) else "STRICT_DNS"
    if not _is_address(host):
        cluster["dns_lookup_family"] = "V4_PREFERRED"
    cluster["transport_socket"] = _client_tls(tls, host, grpc=cluster["name"] == VENUE)


def _server_tls(tls: ServerTls) -> Json:
    common = _tls_common(tls.certificate, tls.key, alpn=("h2", "http/1.1"))
    context: Json = {_TYPE: f"{_TLS}DownstreamTlsContext", "common_tls_context": common}
    if tls.client_ca is not None:
        common["validation_context"] = {"trusted_ca": _file(tls.client_ca)}
        context["require_client_certificate"] = True
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _client_tls(tls: ClientTls, host: str, *, grpc: bool) -> Json:
    common = _tls_common(tls.certificate, tls.key, alpn=("h2",) if grpc else ("http/1.1",))
    kind = "IP_ADDRESS" if _is_address(host) else "DNS"
    common["validation_context"] = {
        "trusted_ca": _file(tls.ca),
        # Any certificate of the authority is not enough: it must be the venue's.
        "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": host}}],
    }
    context: Json = {_TYPE: f"{_TLS}UpstreamTlsContext", "common_tls_context": common}
    if kind == "DNS":
        context["sni"] = host
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _tls_common(certificate: Path, key: Path, *, alpn: Sequence[str]) -> Json:
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": list(alpn),
        "tls_certificates": [{"certificate_chain": _file(certificate), "private_key": _file(key)}],
    }


def _file(path: Path) -> Json:
    return {"filename": str(path.absolute())}


def _socket_path(path: Path) -> str:
    text = str(path.absolute())
    if len(os.fsencode(text)) > SOCKET_PATH_MAX:
        raise SettingsError(f"{text} is too long for a socket: use a shorter --data-dir")
    return text


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _endpoint(cluster: Json) -> Json:
    ((place,),) = (group["lb_endpoints"] for group in cluster["load_assignment"]["endpoints"])
    endpoint: Json = place["endpoint"]
    return endpoint


def _named(entries: list[Json], name: str) -> Json:
    (found,) = (entry for entry in entries if entry["name"] == name)
    return found


def _seconds(value: float) -> str:
    return f"{value:g}s"
