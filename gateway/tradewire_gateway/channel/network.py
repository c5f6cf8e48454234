"""A gRPC channel to a server behind a socket, with the options this project relies on.

Prices, orders and credentials do not travel readable: without credentials only the loopback
interface and unix sockets are reached, unless plaintext is allowed explicitly.

Keepalive finds out that a peer has vanished without a word. A server that does not expect the
pings takes them for an attack and ends the connection ("too_many_pings"), quiet streams and all:
it must be built with `grpc.http2.min_ping_interval_without_data_ms` below the interval here, for
gRPC's own default is five minutes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
import grpc.aio

RECEIVED_BYTES_MAX: Final = 4 * 1024 * 1024
KEEPALIVE_INTERVAL_MS: Final = 30_000
KEEPALIVE_TIMEOUT_MS: Final = 10_000
# After a long outage gRPC would try every two minutes only, and fail all calls in between.
RECONNECT_MAX_MS: Final = 2_000

_UNIX_SCHEMES: Final = frozenset({"unix", "unix-abstract"})
_ADDRESS_SCHEMES: Final = frozenset({"ipv4", "ipv6"})


class PlaintextRefused(ValueError):
    """The target can only be reached over a network, and no credentials were given."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"Refusing a plaintext connection to {target!r}: it is not a loopback address. "
            "Give channel credentials (TLS), or allow plaintext explicitly."
        )


def open_channel(
    target: str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    allow_plaintext: bool = False,
    received_bytes_max: int = RECEIVED_BYTES_MAX,
    keepalive_interval_ms: int = KEEPALIVE_INTERVAL_MS,
    keepalive_timeout_ms: int = KEEPALIVE_TIMEOUT_MS,
    options: Iterable[tuple[str, Any]] = (),
) -> grpc.aio.Channel:
    """Return a channel to a target in gRPC's syntax; it connects with the first call.

    Options given here override the project's own.

    Raises:
        PlaintextRefused: there are no credentials, and the target is not on this machine.
    """
    if credentials is None and not allow_plaintext and not is_local(target):
        raise PlaintextRefused(target)
    merged: dict[str, Any] = {
        "grpc.max_receive_message_length": received_bytes_max,
        "grpc.keepalive_time_ms": keepalive_interval_ms,
        "grpc.keepalive_timeout_ms": keepalive_timeout_ms,
        # A quiet subscription must notice a dead peer too, an unused channel need not.
        "grpc.http2.max_pings_without_data": 0,
        "grpc.keepalive_permit_without_calls": 0,
        "grpc.max_reconnect_backoff_ms": RECONNECT_MAX_MS,
        # A proxy of the environment would see what was meant for the peer alone.
        "grpc.enable_http_proxy": 0,
        **dict(options),
    }
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=list(merged.items()))
    return grpc.aio.secure_channel(target, credentials, options=list(merged.items()))


def is_local(target: str) -> bool:
    """Say whether a target surely leads to this machine; what cannot be told counts as remote."""
    scheme, separator, rest = target.partition(":")
    if separator and scheme in _UNIX_SCHEMES:
        return True
    if separator and scheme in _ADDRESS_SCHEMES:
        return all(_is_loopback(_host(address)) for address in rest.split(","))
    if target.startswith("dns:"):
        # dns:host:port or dns://resolver/host:port
        return _is_loopback(_host(urlsplit(target).path.removeprefix("/")))
    return "://" not in target and _is_loopback(_host(target))


def _host(address: str) -> str:
    """Return the host of `host`, `host:port`, `[ipv6]:port` or a bare IPv6 address."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    if address.count(":") > 1:
        return address
    return address.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
