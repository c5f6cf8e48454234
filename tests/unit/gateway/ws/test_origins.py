"""Which pages may connect: a table of hostile origins, and what is no origin at all."""

import pytest
from tradewire_gateway.ws import AllowedOrigins, OriginError, origin_of

NAMED = "https://app.example"

HOSTILE = [
    "",
    "null",
    "https://evil.example",
    "http://app.example",
    "https://app.example:444",
    "https://app.example.evil.example",
    "https://evil.example/https://app.example",
    "https://app.example@evil.example",
    "https://app.example/",
    "https://app.example#",
    "HTTPS://APP.EXAMPLE",
    " https://app.example",
    "https://app.example ",
    "https://app.example,https://evil.example",
    "https://app.example\n",
    "https://\u0430pp.example",
    "https://sub.app.example",
    "file://",
    "chrome-extension://app.example",
    "https://" + "a" * 1_000,
]


@pytest.mark.parametrize("origin", HOSTILE)
def test_hostile_origin(origin: str) -> None:
    assert not AllowedOrigins([NAMED])(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.2",
        "http://localhost:99999999",
        "http://localhost:",
        "http://localhost:8080/",
        "http://[::2]:80",
        "ws://localhost",
        "http://evil.example?http://localhost",
        "http://localhost\n",
        "http://localhost:١٢",
    ],
)
def test_origin_that_only_looks_like_this_machine(origin: str) -> None:
    assert not AllowedOrigins(this_machine=True)(origin)


@pytest.mark.parametrize(
    "origin",
    ["http://localhost", "http://localhost:5173", "https://127.0.0.1:8443", "http://[::1]:1"],
)
def test_pages_of_this_machine(origin: str) -> None:
    assert AllowedOrigins(this_machine=True)(origin)
    assert not AllowedOrigins()(origin)


def test_named_origin() -> None:
    assert AllowedOrigins([NAMED, "http://[2001:db8::1]:81"])("http://[2001:db8::1]:81")
    assert AllowedOrigins([NAMED])(NAMED)


def test_own_pages_are_asked_for_each_time() -> None:
    own: list[str] = []
    allowed = AllowedOrigins(own=lambda: own)
    assert not allowed("https://api.example")
    own += ["", "https://api.example:443/docs"]
    assert allowed("https://api.example")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "app.example",
        "https://",
        "https://app.example/",
        "https://APP.example",
        "https://app.example:443",
        "https://app.example/path",
        "ftp://app.example",
        "https://app.example:x",
        "https://[::1",
        "*",
        "null",
    ],
)
def test_list_takes_origins_only(name: str) -> None:
    with pytest.raises(OriginError):
        AllowedOrigins([name])


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example", "https://api.example"),
        ("https://api.example:443/x", "https://api.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_origin_of_a_url(url: str, origin: str) -> None:
    assert origin_of(url) == origin
