"""The connection: where to, and whether it may be in the clear."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import grpc.aio

from tradewire_client._errors import ConfigurationError

_MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
_LOCAL_SCHEMES: Final = ("unix:", "unix-abstract:")
_SCHEMES: Final = ("dns:///", "dns:", "ipv4:", "ipv6:", "passthrough:///")

# Retries are done above, where client order ids are known. A venue that restarts shall be found
# again soon.
_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Pings notice a dead path while a call is open. Without one there is nothing to notice, and
    # the server would take them for abuse.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How to know the venue, and how it knows this machine; PEM as bytes or the path of a file."""

    root_certificates: bytes | Path | str | None = None
    """Who may vouch for the venue; None means the authorities that gRPC trusts."""
    certificate: bytes | Path | str | None = None
    """This machine's certificate chain, for mutual TLS."""
    private_key: bytes | Path | str | None = None
    """The key of that certificate."""
    server_name: str = ""
    """Name to look for in the venue's certificate, when it is not the one dialled."""

    def credentials(self) -> grpc.ChannelCredentials:
        """Return gRPC's form.

        Raises:
            ConfigurationError: of certificate and private key only one is given.
            OSError: a file cannot be read.
        """
        if (self.certificate is None) != (self.private_key is None):
            raise ConfigurationError("mutual TLS needs both, certificate and private_key")
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.root_certificates),
            private_key=_pem(self.private_key),
            certificate_chain=_pem(self.certificate),
        )


def open_channel(target: str, *, tls: Tls | None, allow_plaintext: bool) -> grpc.aio.Channel:
    """Open a channel: as `tls` says, else in the clear on this machine, else with TLS.

    Raises:
        ConfigurationError: the target is empty, or the TLS options do not fit together.
    """
    if not target:
        raise ConfigurationError("the target is empty; write e.g. '127.0.0.1:50051'")
    options: list[tuple[str, str | int]] = list(_OPTIONS)
    if tls is None and (allow_plaintext or is_loopback(target)):
        return grpc.aio.insecure_channel(target, options=options)
    chosen = tls or Tls()
    if chosen.server_name:
        options.append(("grpc.ssl_target_name_override", chosen.server_name))
    return grpc.aio.secure_channel(target, chosen.credentials(), options=options)


def is_loopback(target: str) -> bool:
    """Tell whether a target is on this machine."""
    if target.startswith(_LOCAL_SCHEMES):
        return True
    address = target
    for scheme in _SCHEMES:
        if target.startswith(scheme):
            address = target.removeprefix(scheme)
            break
    # A target may list several addresses.
    return all(_is_loopback_host(_host(one)) for one in address.split(","))


def _is_loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    # More than one colon and no brackets: an IPv6 address without a port.
    return address if address.count(":") > 1 else address.partition(":")[0]


def _pem(source: bytes | Path | str | None) -> bytes | None:
    if source is None or isinstance(source, bytes):
        return source
    return Path(source).read_bytes()
