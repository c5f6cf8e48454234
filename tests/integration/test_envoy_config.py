"""Envoy's configuration: Envoy itself takes it, and it says what the contract says."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewire_contract import methods, reasons, routes
from tradewire_envoy.process import find_binary
from tradewire_envoy.render import (
    ClientTls,
    EnvoySettings,
    Remote,
    ServerTls,
    template_path,
    write_configuration,
)
from tradewire_gateway.ws.options import WebSocketLimits
from tradewire_server.api.registry import PUBLIC_SERVICES

from tests.support.certificates import Authority
from tests.support.command_line import run_command

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE: dict[str, Any] = yaml.safe_load(template_path().read_text())
(MANAGER,) = (
    filter_["typed_config"]
    for filter_ in TEMPLATE["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
)
(HOST,) = MANAGER["route_config"]["virtual_hosts"]
ROUTES = {route["name"]: route for route in HOST["routes"]}
FILTERS = {filter_["name"]: filter_ for filter_ in MANAGER["http_filters"]}
EXT_AUTHZ = "envoy.filters.http.ext_authz"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"


def validate(path: Path, directory: Path = ROOT) -> None:
    """Let Envoy judge a configuration."""
    done = subprocess.run(
        [str(find_binary()), "-c", str(path), "--mode", "validate", "--disable-hot-restart"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # What Envoy drops one day is said today, and what its authors do not defend yet, too.
    for word in ("deprecated", "work-in-progress"):
        assert word not in done.stderr.lower(), done.stderr


def test_the_file_runs_as_it_stands_from_the_root_of_the_repository() -> None:
    validate(template_path())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_with_tls_for_clients(tmp_path: Path, authority: Authority) -> None:
    pair = authority.certify("rest", "localhost")
    for client_ca in (None, authority.certificate):
        tls = ServerTls(certificate=pair.certificate, key=pair.key, client_ca=client_ca)
        path = tmp_path / "envoy.yaml"
        write_configuration(replace(EnvoySettings.beside(tmp_path), tls=tls, host="::"), path)
        validate(path, tmp_path)


@pytest.mark.parametrize("host", ["venue.trading.svc.cluster.local", "10.1.2.3"])
def test_for_a_venue_on_another_machine(tmp_path: Path, authority: Authority, host: str) -> None:
    pair = authority.certify("envoy")
    settings = replace(
        EnvoySettings.beside(tmp_path),
        host="0.0.0.0",
        venue=Remote(host=host, port=50061),
        authz=Remote(host=host, port=50062),
        upstream_tls=ClientTls(
            ca=authority.certificate, certificate=pair.certificate, key=pair.key
        ),
        trusted_hops=1,
        cors_origins=["https://terminal.example"],
    )
    path = tmp_path / "envoy.yaml"
    write_configuration(settings, path)
    validate(path, tmp_path)


def test_the_command_prints_what_envoy_takes(tmp_path: Path, authority: Authority) -> None:
    pair = authority.certify("envoy")
    peers = (
        *("--peer-ca", str(authority.certificate)),
        *("--peer-certificate", str(pair.certificate), "--peer-key", str(pair.key)),
    )
    remote = ("--edge-address", "venue.internal:50061", "--authz-address", "venue.internal:50062")
    at = ("envoy", "config", "--data-dir", str(tmp_path / "data"))
    for arguments in ((), (*remote, *peers), ("--rest-host", "0.0.0.0", "--allow-plaintext")):
        printed = run_command(*at, *arguments)
        assert printed.exit_code == 0, printed.err
        path = tmp_path / "printed.yaml"
        path.write_text(printed.out)
        validate(path, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rest-host", "0.0.0.0"), "--allow-plaintext"),
        (("--edge-address", "venue:1"), "--authz-address '' is no HOST:PORT"),
        (("--edge-address", "venue", "--authz-address", "venue:1"), "is no HOST:PORT"),
        (("--edge-address", "v:1", "--authz-address", "v:2"), "--peer-certificate"),
        (("--tls-key", "/none"), "give both"),
        (("--data-dir", "/tmp/" + "d" * 120), "use a shorter --data-dir"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    refused = run_command("envoy", "config", "--data-dir", str(tmp_path), *arguments)
    assert (refused.exit_code, words in refused.err, refused.out) == (1, True, ""), refused


# --- the contract -------------------------------------------------------------------------------


def _bodies(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every body that Envoy answers with."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "json_format" and "details" in value:
                yield value
            else:
                yield from _bodies(value)
    elif isinstance(node, list):
        for value in node:
            yield from _bodies(value)


# Envoy cannot know whether it happened: the answer was there, and was lost here.
UNKNOWN_HERE = {"INTERNAL"}


def test_every_answer_of_envoy_is_one_of_the_catalogue() -> None:
    catalogue = {entry.name: entry for entry in reasons().values()}
    mappers = MANAGER["local_reply_config"]["mappers"]
    found = {}
    for body in _bodies(mappers):
        (info,) = body["details"]
        entry = catalogue[info["reason"]]
        found[entry.name] = body
        assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
        assert info["domain"] == "tradewire"
        assert body["code"] == entry.code
        assert body["message"].startswith(f"{entry.name}: ")
        metadata = dict(info["metadata"])
        outcome = "unknown" if entry.name in UNKNOWN_HERE else entry.outcome
        assert metadata.pop("outcome") == outcome
        assert metadata.pop("retryable") == str(entry.retryable).lower()
        assert metadata.pop("advice") == entry.advice
        assert set(metadata) <= {"retry_after_ms"}
    assert set(found) == {
        *("NOT_SERVING", "OVERLOADED", "ANSWER_LATE", "ANSWER_LOST", "DEADLINE_PASSED"),
        *("RATE_LIMITED", "REQUEST_TOO_LARGE", "METHOD_NOT_FOUND", "METHOD_NOT_ALLOWED"),
        *("FIELD_INVALID", "INTERNAL", "MESSAGE_MALFORMED"),
    }


def test_the_statuses_are_those_of_the_catalogue() -> None:
    catalogue = {entry.name: entry for entry in reasons().values()}
    for mapper in MANAGER["local_reply_config"]["mappers"]:
        bodies = list(_bodies(mapper))
        if bodies and "status_code" in mapper:
            reason = bodies[0]["details"][0]["reason"]
            assert mapper["status_code"] == catalogue[reason].http_status, reason


def test_all_public_services_are_transcoded_and_no_others() -> None:
    services = FILTERS[TRANSCODER]["typed_config"]["services"]
    assert set(services) == PUBLIC_SERVICES
    assert len(services) == len(set(services))


def test_streams_and_only_streams_have_no_timeouts() -> None:
    rest = re.compile(ROUTES["rest_streams"]["match"]["safe_regex"]["regex"])
    grpc = re.compile(ROUTES["grpc_streams"]["match"]["safe_regex"]["regex"])
    calls = re.compile(ROUTES["grpc_calls"]["match"]["safe_regex"]["regex"])
    with_rest = {route.method.path for route in routes()}
    for path, method in methods().items():
        if method.service not in PUBLIC_SERVICES:
            assert not grpc.fullmatch(path)
            assert not calls.fullmatch(path)
            continue
        streams = method.server_streaming or method.client_streaming
        assert bool(grpc.fullmatch(path)) == streams, path
        assert bool(rest.fullmatch(path)) == (streams and path in with_rest), path
        # The first route that fits is taken.
        assert grpc.fullmatch(path) or calls.fullmatch(path), path
    for name in ("rest_streams", "grpc_streams"):
        assert ROUTES[name]["route"]["timeout"] == "0s"
        assert ROUTES[name]["route"]["idle_timeout"] == "0s"
    for name, route in ROUTES.items():
        if name in ("rest_streams", "grpc_streams", "websocket", "rest") or "route" not in route:
            continue
        assert route["route"]["timeout"] != "0s", name
        assert route["route"].get("idle_timeout") != "0s", name


def test_every_path_of_the_contract_is_a_rest_route() -> None:
    rest = re.compile(ROUTES["rest"]["match"]["safe_regex"]["regex"])
    pages = re.compile(ROUTES["pages"]["match"]["safe_regex"]["regex"])
    for route in routes():
        path = re.sub(r"{[^}]*}", "x", route.template)
        assert rest.fullmatch(path), path
        assert not pages.fullmatch(path), path
        assert path != ROUTES["websocket"]["match"]["path"]


def test_no_route_has_the_transcoder_without_ext_authz() -> None:
    """Envoy has skipped ext_authz on a route that was chosen again (#9929, #9869): so it is on
    everywhere, the transcoder off everywhere, and the routes that turn these round do not meet.
    """
    assert "disabled" not in FILTERS[EXT_AUTHZ]
    assert FILTERS[TRANSCODER]["disabled"] is True
    names = list(FILTERS)
    assert names.index(EXT_AUTHZ) < names.index(TRANSCODER)
    for name, route in ROUTES.items():
        changes = route.get("typed_per_filter_config", {})
        if TRANSCODER in changes:
            assert EXT_AUTHZ not in changes, name
    assert [
        name for name in ROUTES if TRANSCODER in ROUTES[name].get("typed_per_filter_config", {})
    ] == ["rest"]


def test_ext_authz_fails_closed_and_sees_everything() -> None:
    config = FILTERS[EXT_AUTHZ]["typed_config"]
    assert config["failure_mode_allow"] is False
    assert config["with_request_body"] == {
        "max_request_bytes": 262144,
        "allow_partial_message": False,
        "pack_as_bytes": True,
    }
    assert config["http_service"]["authorization_response"]["allowed_upstream_headers"] == {
        "patterns": [{"exact": "x-tradewire-handle"}]
    }


def test_the_windows_of_all_streams_fit_into_that_of_their_connection() -> None:
    clusters = {cluster["name"]: cluster for cluster in TEMPLATE["static_resources"]["clusters"]}
    (options,) = clusters["venue"]["typed_extension_protocol_options"].values()
    http2 = options["explicit_http_config"]["http2_protocol_options"]
    needed = http2["initial_stream_window_size"] * http2["max_concurrent_streams"]
    assert http2["initial_connection_window_size"] >= needed


def test_nothing_may_change_a_path() -> None:
    assert MANAGER["normalize_path"] is False
    assert MANAGER["merge_slashes"] is False
    assert MANAGER["path_with_escaped_slashes_action"] == "REJECT_REQUEST"


LIMIT = FILTERS["envoy.filters.http.local_ratelimit"]["typed_config"]
CLUSTERS = {cluster["name"]: cluster for cluster in TEMPLATE["static_resources"]["clusters"]}


def _limited_paths(name: str) -> re.Pattern[str]:
    (regex,) = (
        header["string_match"]["safe_regex"]["regex"]
        for limit in LIMIT["rate_limits"]
        for action in limit["actions"]
        for header in action.get("header_value_match", {}).get("headers", ())
        if action["header_value_match"]["descriptor_value"] == name and header["name"] == ":path"
    )
    return re.compile(regex)


def test_what_goes_to_the_http_edge_has_its_limit() -> None:
    pages, health = _limited_paths("pages"), _limited_paths("health")
    websockets = _limited_paths("websockets")
    for path in ("/", "/favicon.ico", "/docs", "/docs/a/b.js", "/console", "/console/demo"):
        for suffix in ("", "?", "?a=/v1/time"):
            assert pages.fullmatch(path + suffix), path
            assert websockets.fullmatch("/v1/ws" + suffix)
            assert not websockets.fullmatch(path + suffix), path
    assert health.fullmatch("/healthz")
    assert health.fullmatch("/healthz?a")
    for route in routes():
        path = re.sub(r"{[^}]*}", "docs", route.template)
        assert not pages.fullmatch(path), path
        assert not health.fullmatch(path), path
        assert not websockets.fullmatch(path), path
    for name, cluster in (
        ("pages", "http_edge"),
        ("websocket", "gateway"),
        ("console_demo", "gateway"),
        ("health", "health"),
    ):
        assert ROUTES[name]["route"]["cluster"] == cluster


def test_the_gateway_has_room_for_what_it_takes() -> None:
    """It refuses in its own words what is too much: not Envoy, with a 503."""
    (threshold,) = CLUSTERS["gateway"]["circuit_breakers"]["thresholds"]
    most = WebSocketLimits().websocket_connections_max
    assert most < min(threshold["max_connections"], threshold["max_requests"])
    assert most < EnvoySettings.beside(Path("/x")).connections_max
    assert CLUSTERS["gateway"]["per_connection_buffer_limit_bytes"] <= 32768


def test_a_websocket_is_neither_checked_nor_transcoded_nor_timed() -> None:
    route = ROUTES["websocket"]
    assert route["match"] == {"path": "/v1/ws"}
    assert route["route"]["upgrade_configs"] == [{"upgrade_type": "websocket"}]
    assert route["route"]["timeout"] == route["route"]["idle_timeout"] == "0s"
    # It might be sent twice, and a ticket is good once.
    assert "retry_policy" not in route["route"]
    assert set(route["typed_per_filter_config"]) == {EXT_AUTHZ}
    assert "upgrade_configs" not in MANAGER
    others = [name for name in ROUTES if "upgrade_configs" in ROUTES[name].get("route", {})]
    assert others == ["websocket"]


def test_one_address_cannot_take_all_connections_to_the_http_edge() -> None:
    """Whoever does not read has one for as long as the timeout of the route."""
    (bucket,) = (
        limit["token_bucket"]
        for limit in LIMIT["descriptors"]
        if limit["entries"][-1].get("value") == "pages"
    )
    seconds = float(ROUTES["pages"]["route"]["timeout"].removesuffix("s"))
    interval_s = float(bucket["fill_interval"].removesuffix("s"))
    most = bucket["max_tokens"] + bucket["tokens_per_fill"] * seconds / interval_s
    (threshold,) = CLUSTERS["http_edge"]["circuit_breakers"]["thresholds"]
    assert most < threshold["max_connections"]
    assert CLUSTERS["http_edge"]["per_connection_buffer_limit_bytes"] <= 32768


def test_no_stream_without_credential_is_endless() -> None:
    """But for market data, of which the venue counts the streams of each address."""
    streams = re.compile(ROUTES["grpc_streams"]["match"]["safe_regex"]["regex"])
    for path in ("/grpc.health.v1.Health/Watch", "/grpc.reflection.v1.ServerReflection/X"):
        assert not streams.fullmatch(path)
    grpc = [
        route["match"]["safe_regex"]["regex"]
        for route in HOST["routes"]
        if route["name"].startswith("grpc_")
    ]
    assert not any(re.fullmatch(regex, "/grpc.health.v1.Health/Watch") for regex in grpc)


def test_what_grows_is_ended_before_others_are_refused() -> None:
    actions = {
        action["name"].rpartition(".")[2]: action["triggers"][0]
        for action in TEMPLATE["overload_manager"]["actions"]
    }
    refusing = actions["stop_accepting_requests"]["threshold"]["value"]
    for name in ("reset_high_memory_stream", "reduce_timeouts"):
        assert actions[name]["scaled"]["saturation_threshold"] < refusing
    assert actions["shrink_heap"]["threshold"]["value"] < refusing
    # Without it no stream is ever counted.
    assert TEMPLATE["overload_manager"]["buffer_factory_config"]


def test_the_flood_limit_is_on() -> None:
    config = FILTERS["envoy.filters.http.local_ratelimit"]["typed_config"]
    for name in ("filter_enabled", "filter_enforced"):
        assert config[name]["default_value"] == {"numerator": 100, "denominator": "HUNDRED"}
