"""Allow-lists and the subjects of per-address limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.addresses import (
    ADDRESSES_MAX,
    is_allowed,
    limit_subject,
    parse_allow_list,
)
from tradewire_server.auth.errors import InvalidRequest


def test_blocks_become_canonical_and_unique() -> None:
    entries = ["192.0.2.0/24", "192.0.2.7", "2001:DB8::/32", "192.0.2.7/32", "0.0.0.0/0"]
    assert parse_allow_list(entries) == (
        "192.0.2.0/24",
        "192.0.2.7/32",
        "2001:db8::/32",
        "0.0.0.0/0",
    )


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("", "is not a CIDR block"),
        ("localhost", "is not a CIDR block"),
        ("192.0.2.0/33", "is not a CIDR block"),
        ("192.0.2.0/24, 198.51.100.0/24", "is not a CIDR block"),
        ("x" * 5000, "is not a CIDR block"),
        ("192.0.2.7/24", "did you mean 192.0.2.0/24?"),
        ("2001:db8::1/64", "did you mean 2001:db8::/64?"),
        ("::ffff:192.0.2.7", "write the IPv4 block"),
    ],
)
def test_what_is_no_block_is_refused(entry: str, text: str) -> None:
    with pytest.raises(InvalidRequest, match=text.replace("?", r"\?")) as refusal:
        parse_allow_list([entry])
    assert refusal.value.metadata == {"field": "addresses"}
    assert len(refusal.value.message) < 200


def test_the_number_of_blocks_is_bounded() -> None:
    entries = [f"192.0.2.{host}" for host in range(ADDRESSES_MAX + 1)]
    assert len(parse_allow_list(entries[:-1])) == ADDRESSES_MAX
    with pytest.raises(InvalidRequest, match="are too many"):
        parse_allow_list(entries)


@pytest.mark.parametrize(
    ("allow_list", "address", "allowed"),
    [
        ((), "198.51.100.1", True),
        ((), None, True),
        (("192.0.2.0/24",), "192.0.2.255", True),
        (("192.0.2.0/24",), "192.0.3.0", False),
        (("192.0.2.0/24",), "::ffff:192.0.2.1", True),
        (("192.0.2.0/24",), "2001:db8::1", False),
        (("192.0.2.0/24", "2001:db8::/32"), "2001:db8:1::1", True),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("192.0.2.0/24",), None, False),
        (("0.0.0.0/0", "::/0"), None, False),
        (("0.0.0.0/0",), "unix:", False),
    ],
)
def test_an_address_passes_when_a_block_has_it(
    allow_list: tuple[str, ...], address: str | None, allowed: bool
) -> None:
    assert is_allowed(allow_list, address) is allowed


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("garbage", "unparsable"),
    ],
)
def test_limits_count_an_ipv4_address_or_an_ipv6_network(address: str, subject: str) -> None:
    assert limit_subject(address) == subject


@given(st.ip_addresses())
def test_every_address_is_in_its_own_block(address: object) -> None:
    if str(address).startswith("::ffff:"):
        return
    assert is_allowed(parse_allow_list([str(address)]), str(address))
