"""What one address has of the gateway: its connections, and how much of it was refused.

An IPv6 client has a whole /64 to choose from, so that counts as one.
"""

import ipaddress

# How many refusals an address may have at once, in seconds of its rate.
_BURST_S = 5.0


class Address:
    """One address; gone when its last connection is."""

    __slots__ = ("_clear_s", "connections", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        self.connections = 0
        self._clear_s = 0.0

    def refuse(self, count: int, now_s: float, *, per_s: float) -> float:
        """Take refusals; return for how many seconds its connections are not to be read."""
        self._clear_s = max(self._clear_s, now_s) + count / per_s
        return max(0.0, self._clear_s - now_s - _BURST_S)


class Addresses:
    """All addresses that have a connection; never more than there are connections."""

    def __init__(self, *, each_max: int, all_max: int) -> None:
        self._each_max = each_max
        self._all_max = all_max
        self._known: dict[str, Address] = {}
        self.connections = 0

    def enter(self, address: str) -> Address | None:
        """Count a connection; None says that there are too many, of the address or in all."""
        key = group_of(address)
        known = self._known.get(key)
        if self.connections >= self._all_max:
            return None
        if known is not None and known.connections >= self._each_max:
            return None
        if known is None:
            known = self._known[key] = Address(key)
        known.connections += 1
        self.connections += 1
        return known

    def leave(self, address: Address) -> None:
        """Count one connection less."""
        address.connections -= 1
        self.connections -= 1
        if not address.connections:
            del self._known[address.key]


def group_of(address: str) -> str:
    """Return what counts as one address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
