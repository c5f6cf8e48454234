"""Connections and refusals of an address."""

import pytest
from tradewire_gateway.ws.addresses import Address, Addresses, group_of


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_what_counts_as_one_address(address: str, group: str) -> None:
    assert group_of(address) == group


def test_connections_of_an_address_and_in_all() -> None:
    addresses = Addresses(each_max=2, all_max=3)
    first = addresses.enter("192.0.2.1")
    assert first is not None
    assert addresses.enter("192.0.2.1") is first
    assert addresses.enter("192.0.2.1") is None
    other = addresses.enter("192.0.2.2")
    assert other is not None
    assert addresses.enter("192.0.2.3") is None
    addresses.leave(first)
    assert addresses.enter("192.0.2.1") is first


def test_address_without_connections_is_forgotten() -> None:
    addresses = Addresses(each_max=2, all_max=3)
    first = addresses.enter("192.0.2.1")
    assert first is not None
    addresses.leave(first)
    assert addresses.connections == 0
    assert addresses.enter("192.0.2.1") is not first


def test_an_ipv6_client_does_not_multiply() -> None:
    addresses = Addresses(each_max=1, all_max=3)
    assert addresses.enter("2001:db8::1")
    assert addresses.enter("2001:db8::2") is None


def test_refusals_are_paid_by_time() -> None:
    address = Address("192.0.2.1")
    assert address.refuse(50, 100.0, per_s=10) == 0
    assert address.refuse(10, 100.0, per_s=10) == 1.0
    # Two seconds later there is room for twenty more.
    assert address.refuse(10, 102.0, per_s=10) == 0
    assert address.refuse(1, 1_000.0, per_s=10) == 0
