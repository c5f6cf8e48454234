"""What is put into Envoy's configuration, and that nothing else changes."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewire_envoy.render import (
    SOCKET_PATH_MAX,
    ClientTls,
    EnvoySettings,
    Remote,
    ServerTls,
    SettingsError,
    descriptor_path,
    dump,
    render,
    template_path,
    write_configuration,
)

SOCKETS = Path("/venue")
PEERS = ClientTls(ca=Path("/ca.pem"), certificate=Path("/envoy.pem"), key=Path("/envoy.key"))


def settings(**changes: Any) -> EnvoySettings:
    """Return the settings of the file's own values, but for what is given."""
    return replace(EnvoySettings.beside(SOCKETS), **changes)


def differences(before: Any, after: Any, path: str = "") -> dict[str, Any]:
    """Return what differs by its path."""
    if isinstance(before, dict) and isinstance(after, dict):
        found: dict[str, Any] = {}
        for key in {**before, **after}:
            found |= differences(before.get(key), after.get(key), f"{path}/{key}")
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        found = {}
        for index, pair in enumerate(zip(before, after, strict=True)):
            found |= differences(*pair, f"{path}/{index}")
        return found
    return {} if before == after else {path.rpartition("/")[2]: after}


def changed(**changes: Any) -> dict[str, Any]:
    """Return what a change of the settings changes."""
    return differences(render(settings()), render(settings(**changes)))


def test_the_defaults_are_those_of_the_file() -> None:
    template = yaml.safe_load(template_path().read_text())
    before = copy.deepcopy(template)
    after = render(EnvoySettings.beside(Path(".tradewire").absolute()))
    # Paths have become absolute, and nothing else is different.
    found = differences(before, after)
    assert set(found) == {"path", "proto_descriptor"}
    assert found["proto_descriptor"] == str(descriptor_path())
    assert [Path(value).name for value in _values(after, "path") if ".tradewire" in value] == [
        "envoy.sock",
        "edge.sock",
        "calls.sock",
        "authz.sock",
        "http.sock",
    ]


def _values(node: Any, name: str) -> list[Any]:
    if isinstance(node, dict):
        return [
            value
            for key, child in node.items()
            for value in ([child] if key == name else _values(child, name))
        ]
    if isinstance(node, list):
        return [value for child in node for value in _values(child, name)]
    return []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"port": 1}, {"port_value": 1}),
        ({"http_port": 2}, {"port_value": 2}),
        ({"host": "[::]"}, {"address": "::"}),
        ({"trusted_hops": 1}, {"xff_num_trusted_hops": 1}),
        ({"requests_per_second": 50}, {"max_tokens": 100, "tokens_per_fill": 5}),
        ({"connections_max": 7}, {"max_active_downstream_connections": 7}),
        ({"heap_bytes_max": 8}, {"max_heap_size_bytes": 8}),
        ({"first_bytes_timeout_s": 9}, {"listener_filters_timeout": "9s"}),
        ({"stream_flush_timeout_s": 2}, {"stream_flush_timeout": "2s"}),
        ({"request_bytes_timeout_s": 1.5}, {"request_timeout": "1.5s"}),
        ({"stream_idle_timeout_s": 2}, {"stream_idle_timeout": "2s"}),
        ({"answer_timeout_s": 3}, {"timeout": "3s"}),
        (
            {"cors_origins": ["https://a.example"]},
            {"exact": "https://a.example", "safe_regex": None},
        ),
        ({"cors_origins": []}, {"allow_origin_string_match": []}),
    ],
)
def test_a_setting_changes_its_place_only(
    changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert changed(**changes) == expected


def test_without_a_socket_websockets_go_to_the_port_of_pages() -> None:
    config = render(settings(http=None, http_port=4))
    clusters = {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}
    found = clusters["gateway"]["load_assignment"]["endpoints"][0]["lb_endpoints"]
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 4}}
    assert found == [{"endpoint": {"address": address}}]


def test_tls_is_at_least_1_2_and_offers_both_protocols() -> None:
    tls = ServerTls(certificate=Path("/a.pem"), key=Path("/a.key"))
    socket = changed(tls=tls)["transport_socket"]
    common = socket["typed_config"]["common_tls_context"]
    assert common["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_2"}
    assert common["alpn_protocols"] == ["h2", "http/1.1"]
    assert "require_client_certificate" not in socket["typed_config"]


def test_who_connects_with_tls_has_the_same_time_to_begin() -> None:
    tls = ServerTls(certificate=Path("/a.pem"), key=Path("/a.key"))
    (listener,) = render(settings(tls=tls, first_bytes_timeout_s=3))["static_resources"][
        "listeners"
    ]
    names = [entry["name"] for entry in listener["listener_filters"]]
    assert names == ["envoy.filters.listener.tls_inspector"]
    assert listener["listener_filters_timeout"] == "3s"
    assert listener["filter_chains"][0]["transport_socket_connect_timeout"] == "3s"


def test_with_an_authority_of_clients_they_need_its_certificates() -> None:
    tls = ServerTls(certificate=Path("/a.pem"), key=Path("/a.key"), client_ca=Path("/ca.pem"))
    socket = changed(tls=tls)["transport_socket"]
    context = socket["typed_config"]
    assert context["require_client_certificate"] is True
    assert context["common_tls_context"]["validation_context"] == {
        "trusted_ca": {"filename": "/ca.pem"}
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"calls": None},
        {
            "venue": Remote(host="venue.internal", port=1),
            "authz": Remote(host="venue.internal", port=2),
            "upstream_tls": PEERS,
        },
    ],
    ids=["no socket", "elsewhere"],
)
def test_without_a_socket_for_calls_they_go_the_way_of_streams(changes: dict[str, Any]) -> None:
    config = render(settings(**changes))
    names = [cluster["name"] for cluster in config["static_resources"]["clusters"]]
    assert names == ["venue", "authz", "http_edge", "gateway", "health"]
    assert "venue_calls" not in _values(config, "cluster")
    assert "venue_calls" in _values(render(settings()), "cluster")


@pytest.mark.parametrize(
    ("host", "type_", "kind"),
    [("venue.internal", "STRICT_DNS", "DNS"), ("10.0.0.7", "STATIC", "IP_ADDRESS")],
)
def test_a_venue_elsewhere_is_known_by_its_certificate(host: str, type_: str, kind: str) -> None:
    config = render(
        settings(
            venue=Remote(host=host, port=50061),
            authz=Remote(host=host, port=50062),
            upstream_tls=PEERS,
        )
    )
    clusters = {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}
    for name, port, protocol in (("venue", 50061, "h2"), ("authz", 50062, "http/1.1")):
        cluster = clusters[name]
        assert cluster["type"] == type_
        assert _values(cluster, "socket_address") == [{"address": host, "port_value": port}]
        context = cluster["transport_socket"]["typed_config"]["common_tls_context"]
        assert context["alpn_protocols"] == [protocol]
        assert context["validation_context"]["match_typed_subject_alt_names"] == [
            {"san_type": kind, "matcher": {"exact": host}}
        ]
    assert "transport_socket" not in clusters["http_edge"]


def test_nothing_is_sent_to_another_machine_in_the_clear() -> None:
    with pytest.raises(SettingsError, match="certificates"):
        render(settings(venue=Remote(host="venue.internal", port=1)))


def test_a_path_that_fits_no_socket_is_refused() -> None:
    directory = Path("/" + "d" * SOCKET_PATH_MAX)
    with pytest.raises(SettingsError, match="too long for a socket"):
        render(EnvoySettings.beside(directory))


def test_the_file_is_its_owners_and_says_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text("older")
    path.chmod(0o644)
    write_configuration(settings(), path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("# Made of envoy.yaml")
    assert yaml.safe_load(path.read_text()) == render(settings())
    assert [entry.name for entry in tmp_path.iterdir()] == ["envoy.yaml"]


def test_a_refused_setting_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text("older")
    with pytest.raises(SettingsError):
        write_configuration(settings(authz=Remote(host="a", port=1)), path)
    assert path.read_text() == "older"


def test_what_is_printed_has_no_aliases() -> None:
    assert "&id" not in dump(render(settings()))
