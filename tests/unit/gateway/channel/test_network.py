"""Which targets may be reached without credentials, and with which options."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
from tradewire_gateway.channel import PlaintextRefused, network, open_channel

LOCAL = [
    "localhost",
    "localhost:50051",
    "127.0.0.1:50051",
    "127.8.9.10:50051",
    "[::1]:50051",
    "::1",
    "[::ffff:127.0.0.1]:50051",
    "dns:localhost:50051",
    "dns:///localhost:50051",
    "dns://192.0.2.1/localhost:50051",
    "ipv4:127.0.0.1:50051",
    "ipv4:127.0.0.1:50051,127.0.0.2:50051",
    "ipv6:[::1]:50051",
    "unix:/run/tradewire.sock",
    "unix:///run/tradewire.sock",
    "unix-abstract:tradewire",
]
REMOTE = [
    "",
    "venue.example:50051",
    "192.0.2.1:50051",
    "0.0.0.0:50051",
    "[2001:db8::1]:50051",
    "[::ffff:192.0.2.1]:50051",
    "localhost.example:50051",
    "127.0.0.1.example:50051",
    "dns:///venue.example:50051",
    "dns:///venue.example:50051?localhost",
    "dns://localhost/venue.example:50051",
    "ipv4:127.0.0.1:50051,192.0.2.1:50051",
    "ipv6:[2001:db8::1]:50051",
    "xds:///localhost:50051",
    "passthrough:///localhost:50051",
]


@pytest.mark.parametrize("target", LOCAL)
def test_loopback_and_unix_sockets_are_local(target: str) -> None:
    assert network.is_local(target)


@pytest.mark.parametrize("target", REMOTE)
def test_what_is_not_surely_local_is_remote(target: str) -> None:
    assert not network.is_local(target)


def test_plaintext_to_another_machine_is_refused() -> None:
    with pytest.raises(PlaintextRefused, match=r"'venue\.example:50051': it is not a loopback"):
        open_channel("venue.example:50051")


class Opened:
    """Records what grpc.aio is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        monkeypatch.setattr(grpc.aio, "insecure_channel", self._insecure)
        monkeypatch.setattr(grpc.aio, "secure_channel", self._secure)

    def _insecure(self, target: str, *, options: Any) -> str:
        self.calls.append((target, None, dict(options)))
        return "channel"

    def _secure(self, target: str, credentials: Any, *, options: Any) -> str:
        self.calls.append((target, credentials, dict(options)))
        return "channel"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(monkeypatch)


def test_the_projects_options_are_set(opened: Opened) -> None:
    open_channel("127.0.0.1:50051")
    assert opened.calls == [
        (
            "127.0.0.1:50051",
            None,
            {
                "grpc.max_receive_message_length": 4 * 1024 * 1024,
                "grpc.keepalive_time_ms": 30_000,
                "grpc.keepalive_timeout_ms": 10_000,
                "grpc.http2.max_pings_without_data": 0,
                "grpc.keepalive_permit_without_calls": 0,
                "grpc.max_reconnect_backoff_ms": 2_000,
                "grpc.enable_http_proxy": 0,
            },
        )
    ]


def test_arguments_and_options_override_the_projects(opened: Opened) -> None:
    open_channel(
        "localhost:1",
        received_bytes_max=1,
        keepalive_interval_ms=2,
        keepalive_timeout_ms=3,
        options=[("grpc.enable_http_proxy", 1), ("other", "x")],
    )
    [(_, _, options)] = opened.calls
    assert options["grpc.max_receive_message_length"] == 1
    assert options["grpc.keepalive_time_ms"] == 2
    assert options["grpc.keepalive_timeout_ms"] == 3
    assert options["grpc.enable_http_proxy"] == 1
    assert options["other"] == "x"


def test_with_credentials_any_target_is_reached(opened: Opened) -> None:
    credentials = grpc.ssl_channel_credentials()
    open_channel("venue.example:50051", credentials=credentials)
    [(target, given, _)] = opened.calls
    assert (target, given) == ("venue.example:50051", credentials)


def test_plaintext_can_be_allowed(opened: Opened) -> None:
    open_channel("venue.example:50051", allow_plaintext=True)
    [(target, given, _)] = opened.calls
    assert (target, given) == ("venue.example:50051", None)
