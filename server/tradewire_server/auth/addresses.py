"""Client addresses: allow-lists of API keys and the subject that a per-address limit counts.

An address is the text of an IPv4 or IPv6 address without a port, or None for a caller that has none
(a unix socket, the in-process channel). An IPv4 address mapped into IPv6 (`::ffff:192.0.2.1`, what
a dual-stack socket reports) is the IPv4 address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from tradewire_server.auth.errors import InvalidRequest

ADDRESSES_MAX = 20
# Whoever has one IPv6 address usually has the /64 around it, so limits count that.
IPV6_LIMIT_PREFIX = 64
_CACHE_SIZE = 4096

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_allow_list(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the canonical form of a key's allow-list.

    Raises:
        InvalidRequest: an entry is no CIDR block, names a host inside a block, or there are too
        many.
    """
    canonical = tuple(dict.fromkeys(_parse_block(entry) for entry in entries))
    if len(canonical) > ADDRESSES_MAX:
        raise InvalidRequest(
            "addresses",
            f"{len(canonical)} addresses are too many, at most {ADDRESSES_MAX}: use wider blocks.",
        )
    return canonical


def is_allowed(allow_list: tuple[str, ...], address: str | None) -> bool:
    """Say whether a caller at this address passes the allow-list; an empty list lets all pass."""
    if not allow_list:
        return True
    parsed = _parse_address(address) if address is not None else None
    if parsed is None:
        return False
    return any(parsed in network for network in _networks(allow_list))


@lru_cache(maxsize=_CACHE_SIZE)
def limit_subject(address: str) -> str:
    """Return what a per-address limit counts: the IPv4 address, or the /64 of an IPv6 address."""
    parsed = _parse_address(address)
    if parsed is None:
        return "unparsable"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(parsed), IPV6_LIMIT_PREFIX), strict=False))
    return str(parsed)


def _parse_block(entry: str) -> str:
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        raise InvalidRequest(
            "addresses", f"{entry[:64]!r} is not a CIDR block such as 192.0.2.0/24."
        ) from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise InvalidRequest(
            "addresses", f"{entry!r} is an IPv4 block mapped into IPv6: write the IPv4 block."
        )
    # 192.0.2.7/24 may mean one host or the whole block; guessing would open or close too much.
    if "/" in entry and ipaddress.ip_interface(entry).ip != network.network_address:
        raise InvalidRequest(
            "addresses", f"{entry!r} names a host inside a block: did you mean {network}?"
        )
    return str(network)


@lru_cache(maxsize=_CACHE_SIZE)
def _networks(allow_list: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(entry) for entry in allow_list)


@lru_cache(maxsize=_CACHE_SIZE)
def _parse_address(address: str) -> Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
