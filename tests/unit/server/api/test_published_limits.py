"""The published table: whole, without doubles, and made of the numbers that apply."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewire_contract import methods
from tradewire_server.api.published_limits import ADMIN_SERVICE, published_limits
from tradewire_server.app import SERVER_OPTIONS
from tradewire_server.auth.limit_policy import EdgePolicy, Gcra, LimitPolicy, PolicyRow

ENVOY = Path(__file__).parents[4] / "envoy" / "envoy.yaml"


def table(policy: LimitPolicy | None = None, **changes: Any) -> dict[str, PolicyRow]:
    rows = published_limits(policy or LimitPolicy(), **{"heartbeat_s": 10.0, **changes})
    names = [row.name for row in rows]
    assert len(names) == len(set(names)), "each number is there once"
    return {row.name: row for row in rows}


def test_every_row_is_whole() -> None:
    for row in table().values():
        assert all(type(text) is str and text.strip() == text != "" for text in row), row
        assert row.meaning[0].isupper(), row


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key", "1000 per s, at most 4000 at once"),
        ("ban_ladder_s", "120, 600, 3600, 86400, 259200"),
        ("unfilled_orders", "10 / 10000, 86400 / 2000000"),
        ("streams_per_account", "64"),
        ("market_streams_per_address", "32"),
        ("page_size", "100, at most 1000"),
        ("PlaceOrders.orders", "100"),
        ("CancelOrders.cancels", "100"),
        ("EnterOrders.commands", "256"),
        ("rest_body_bytes_max", "262144"),
        ("rest_header_bytes_max", "16384"),
        ("rest_path_bytes_max", "2048"),
        ("rest_query_bytes_max", "8192"),
        ("rest_query_parameters_max", "128"),
        ("rest_bytes_per_unit", "4096"),
        ("rest_values", "5000"),
        ("rest_digits", "40"),
        ("signature", "1"),
        ("handles_reserve_percent", "10"),
        ("handles_per_address_max", "5000"),
        ("message_bytes_max", "4194304"),
        ("stream_lifetime", "86400"),
        ("lifetime_s", "900"),
        ("default_window_ms", "5000"),
        ("heartbeat", "10"),
    ],
)
def test_what_clients_run_into_is_there(name: str, value: str) -> None:
    assert table()[name].value == value


def test_the_table_shows_the_venues_own_numbers() -> None:
    rows = table(
        LimitPolicy(key=Gcra(5, 7), streams_per_account=3, unfilled_orders=((60, 9),)),
        heartbeat_s=0.5,
        edge=EdgePolicy(rest_requests=Gcra(11, 13)),
    )
    assert rows["key"].value == "5 per s, at most 7 at once"
    assert rows["streams_per_account"].value == "3"
    assert rows["unfilled_orders"].value == "60 / 9"
    assert rows["heartbeat"].value == "0.5"
    assert rows["rest_requests"].value == "11 per s, at most 13 at once"


def test_nothing_of_the_admin_service_is_published() -> None:
    admin = {method.name for method in methods().values() if method.service == ADMIN_SERVICE}
    assert not {name.partition(".")[0] for name in table()} & admin


def test_the_listeners_have_the_published_bounds() -> None:
    options = dict(SERVER_OPTIONS)
    edge = EdgePolicy()
    assert options["grpc.max_receive_message_length"] == edge.message_bytes_max
    assert options["grpc.max_metadata_size"] == edge.metadata_bytes_max
    assert options["grpc.max_concurrent_streams"] == edge.streams_per_connection_max


def test_envoy_has_the_published_bounds() -> None:
    found: dict[str, list[Any]] = {}

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                found.setdefault(key, []).append(value)
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(yaml.safe_load(ENVOY.read_text()))
    edge = EdgePolicy()
    assert found["max_request_bytes"] == [edge.rest_body_bytes_max]
    assert found["max_request_headers_kb"] == [edge.rest_header_bytes_max >> 10]
    assert f"{edge.rest_answer_s}s" in found["timeout"]
    limited = {
        limit["entries"][-1].get("value", ""): limit["token_bucket"]
        for limit in found["descriptors"][0]
    }
    for name, published in (
        ("", edge.rest_requests),
        ("pages", edge.rest_pages),
        ("health", edge.rest_pages),
        ("websockets", edge.websockets),
        ("large_bodies", edge.rest_large_bodies),
    ):
        bucket = limited.pop(name)
        seconds = float(bucket["fill_interval"].removesuffix("s"))
        assert bucket["max_tokens"] == published.burst, name
        assert bucket["tokens_per_fill"] == published.rate * seconds, name
    assert not limited
