"""The documentation portal: complete, without dead links, and without anything from elsewhere."""

import json
import re
import tomllib
from dataclasses import replace
from functools import cache
from itertools import pairwise
from urllib.parse import unquote

import pytest
from google.rpc import code_pb2
from tradewire_contract import methods, reasons, routes
from tradewire_contract.generated import generated
from tradewire_gateway.web import portal as portal_module
from tradewire_gateway.web.contract_files import CHECKOUT, IN_CHECKOUT, proto_files
from tradewire_gateway.web.portal import Portal
from tradewire_gateway.web.reference import source_files
from tradewire_gateway.web.rendering import EXAMPLES, FOLDER

from tests.support.portal import REST_URL, ROWS, Page, Row, options, page_paths, read_page

PORTAL = Portal(options())
PATHS = tuple(page_paths(PORTAL))
# The explorer's script is served only where its package is installed.
OPTIONAL = {"/docs/assets/scalar.js"}
# The terminal is served beside the portal.
OUTSIDE = ("https://keepachangelog.com/", "https://semver.org/", "/console/")


@cache
def page(path: str) -> Page:
    return read_page(PORTAL, path)


def text(path: str) -> str:
    document = PORTAL.find(path)
    assert document is not None, path
    return document.content.decode()


def test_every_path_has_something() -> None:
    empty = {path for path in PORTAL.paths() if PORTAL.find(path) is None}
    assert empty <= OPTIONAL


def test_nothing_else_is_there() -> None:
    for path in ("/docs/", "/docs/nothing", "/docs/../pyproject.toml", "/docs/assets/", "", "/"):
        assert PORTAL.find(path) is None, path


@pytest.mark.parametrize("path", PATHS)
def test_links_and_anchors_lead_somewhere(path: str) -> None:
    for link in page(path).links:
        if link.startswith(OUTSIDE):
            continue
        target, _, anchor = link.partition("#")
        target = target or path
        assert PORTAL.find(target) is not None, link
        if anchor and target in PATHS:
            assert unquote(anchor) in page(target).ids, link


@pytest.mark.parametrize("path", PATHS)
def test_what_a_page_loads_is_served_here(path: str) -> None:
    loaded = [
        attributes.get("src") or attributes.get("href", "")
        for tag, attributes in page(path).elements
        if tag in ("script", "link", "img", "iframe", "source")
    ]
    assert loaded
    for address in loaded:
        assert PORTAL.find(address) is not None, address


@pytest.mark.parametrize("path", PATHS)
def test_pages_keep_to_their_own_policy(path: str) -> None:
    for tag, attributes in page(path).elements:
        assert tag != "style", path
        assert tag != "script" or "src" in attributes, path
        assert not [name for name in attributes if name == "style" or name.startswith("on")], path


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_in_order_for_those_who_listen(path: str) -> None:
    elements = page(path).elements
    assert [attributes for tag, attributes in elements if tag == "html"] == [{"lang": "en"}]
    assert [tag for tag, _ in elements].count("main") == 1
    levels = [int(tag[1]) for tag, _ in elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for above, below in pairwise(levels):
        assert below <= above + 1, f"{path}: h{above} is followed by h{below}"
    assert len(page(path).ids) == len(set(page(path).ids))
    scrolling = [a for tag, a in elements if tag == "pre" or a.get("class") == "table"]
    assert all(attributes.get("tabindex") == "0" for attributes in scrolling)


def test_every_reason_is_in_the_catalogue_with_its_codes() -> None:
    content = text("/docs/errors")
    for entry in reasons().values():
        part = content.partition(f'<h3 id="{entry.name}">')[2].partition("</section>")[0]
        assert part, entry.name
        if entry.outcome == "order_event":
            continue
        assert f"<li>HTTP {entry.http_status}</li>" in part
        assert f"<li>gRPC {code_pb2.Code.Name(entry.code)} ({entry.code})</li>" in part
        assert ("may succeed later" in part) == entry.retryable
        for name, code in (
            ("OrdRejReason(103)", entry.order_reject_reason),
            ("CxlRejReason(102)", entry.cancel_reject_reason),
            ("BusinessRejectReason(380)", entry.business_reject_reason),
        ):
            assert (f"<li>{name} {code}</li>" in part) == (code is not None), entry.name


def test_every_method_is_listed_with_what_the_contract_says_about_it() -> None:
    words = page("/docs/methods").words
    for method in methods().values():
        assert re.search(rf"\b{method.name}\b", words), method.name
        assert not method.json_rpc or method.json_rpc in words
    for route in routes():
        assert f"{route.http_method} {route.template}" in words


def test_every_message_field_and_value_is_in_the_reference() -> None:
    for file in source_files():
        here = page(f"/docs/grpc/{file.name}")
        ids = set(here.ids)
        for service in file.services:
            assert {call.method.name for call in service.calls} <= ids
        for message in file.messages:
            assert message.name in ids
            assert {f"{message.name}.{entry.name}" for entry in message.fields} <= ids
        for enum in file.enums:
            assert {enum.name, *(value.name for value in enum.values)} <= ids


def test_everything_of_the_contract_is_commented() -> None:
    for file in source_files():
        assert file.comment, file.name
        for message in file.messages:
            assert message.comment, message.name
            assert all(entry.comment for entry in message.fields), message.name
        for enum in file.enums:
            assert all(value.comment for value in enum.values), enum.name
        for service in file.services:
            assert all(call.comment for call in service.calls), service.name


def test_limits_are_those_of_the_venue() -> None:
    words = page("/docs/limits").words
    for row in ROWS:
        assert row.value in words
        assert row.meaning in words


def test_what_concerns_clients_stands_before_what_the_venue_keeps() -> None:
    rows = (*ROWS, Row("cached_max", "20000", "tokens", "Verified tokens remembered"))
    shown = read_page(Portal(replace(options(), limits=rows)), "/docs/limits").ids
    assert (
        shown.index("key") < shown.index("bounds-of-the-venue-itself") < shown.index("cached_max")
    )


def test_reasons_lead_to_the_page_that_says_more() -> None:
    assert set(portal_module.MORE_ABOUT) <= {entry.name for entry in reasons().values()}
    assert {path for path, _ in portal_module.MORE_ABOUT.values()} <= set(
        page("/docs/errors").links
    )


def test_the_weights_are_those_of_the_contract() -> None:
    words = page("/docs/limits").words.partition("What a call costs")[2]
    assert re.search(r"20 CheckSignature", words)
    assert not [m for m in methods().values() if m.scope == "admin" and f" {m.name}," in words]


def test_every_example_is_shown_whole() -> None:
    shown = "\n".join("".join(page(path).text) for path in PATHS)
    for example in EXAMPLES.iterdir():
        assert example.read_text().rstrip() in shown, example.name
        # What is wider has to be scrolled.
        assert max(map(len, example.read_text().splitlines())) <= 100, example.name


def test_pages_say_how_the_programs_are_run_by_their_tests() -> None:
    commands = re.findall(r"npx tsx (\S+)", page("/docs/quick-start").words)
    commands += re.findall(r"npx tsx (\S+)", page("/docs/signing").words)
    assert len(commands) == 2
    # A name that ends so is a module wherever it is; `.ts` is not, without a package.json.
    assert all(name.rstrip(" .").endswith(".mts") for name in commands)
    assert not [path.name for path in EXAMPLES.iterdir() if path.suffix == ".ts"]


def test_every_page_source_and_template_is_used() -> None:
    code = "".join(path.read_text() for path in FOLDER.glob("*.py"))
    templates = "".join(path.read_text() for path in (FOLDER / "templates").iterdir())
    pages = "".join(path.read_text() for path in (FOLDER / "pages").iterdir())
    for path in (FOLDER / "pages").iterdir():
        assert f'"{path.name}"' in code
    for path in (FOLDER / "templates").iterdir():
        assert f'"{path.name}"' in code + templates or f'table("{path.stem}"' in pages, path.name


def test_search_finds_places_that_exist() -> None:
    records = json.loads(text("/docs/search.json"))
    titles = {record["title"] for record in records}
    assert {"RATE_LIMITED", "PlaceOrder", "PlaceOrderRequest message"} <= titles
    for record in records:
        path, _, anchor = record["path"].partition("#")
        assert not anchor or anchor in page(path).ids
        assert "<" not in record["title"]


def test_files_are_handed_out_as_they_are() -> None:
    for path, content in proto_files().items():
        assert text(f"/docs/proto/{path}") == content.decode()
    assert len(proto_files()) == len(source_files())
    for path in ("/docs/openapi.json", "/docs/signing.json"):
        assert json.loads(text(path))


def test_an_installed_package_has_every_file() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for name, source in IN_CHECKOUT.items():
        assert included[source] == f"tradewire_contract/gen/{name}"
    assert included["proto/tradewire/v1"] == "tradewire_contract/gen/proto/tradewire/v1"


def test_without_the_explorer_its_page_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal_module, "explorer_bundle", lambda: None)
    portal = Portal(options())
    without = read_page(portal, "/docs/explorer")
    assert "make explorer" in without.words
    assert not [a for t, a in without.elements if t == "script" and "scalar" in a["src"]]
    assert portal.find("/docs/assets/scalar.js") is None
    document = portal.find("/docs/explorer")
    assert document is not None
    # Nothing on it needs more than the other pages do.
    assert document.headers == ()


def test_what_is_served_is_what_the_pages_say() -> None:
    without = page("/docs/protocols").words
    portal = Portal(replace(options(), fix_target="fix.example:9876"))
    served = read_page(portal, "/docs/protocols").words
    assert "fix.example:9876" in served
    assert "This venue does not serve it" in without
    assert "This venue does not serve it" not in served
    assert "ws://127.0.0.1:8080/v1/ws" in without
    rows = [tag for tag, _ in page("/docs/protocols").elements if tag == "tr"]
    assert len(rows) == 13


@pytest.mark.parametrize("path", ["/console", "/v1/ws", "/docs/<script>"])
def test_what_is_missing_is_said_on_a_page(path: str) -> None:
    document = PORTAL.missing_page(path)
    assert document.status == 404
    assert b"<script>" not in document.content


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_has_the_contrast_of_level_aa() -> None:
    css = (FOLDER / "assets" / "portal.css").read_text()
    light = _colours(css.partition(":root {")[2].partition("}")[0])
    by_system = _colours(css.partition(':root:not([data-theme="light"]) {')[2].partition("}")[0])
    dark = _colours(css.partition(':root[data-theme="dark"] {')[2].partition("}")[0])
    assert by_system == dark
    assert light.keys() == dark.keys()
    for scheme in (light, dark):
        pairs = [
            *((text, ground) for text in ("text", "muted") for ground in ("page", "surface")),
            *(("accent", ground) for ground in ("page", "surface", "accent-soft", "mark")),
            *(("text", ground) for ground in ("mark", "accent-soft")),
            ("muted", "mark"),
            *((name, "code") for name in scheme if name.startswith("token-")),
        ]
        for text, ground in pairs:
            found = _contrast(scheme[text], scheme[ground])
            assert found >= 4.5, f"{text} on {ground}: {found:.2f}"


def test_the_websocket_reference_has_every_operation() -> None:
    found = page("/docs/asyncapi")
    operations = json.loads(generated("asyncapi.json"))["operations"]
    assert set(operations) <= set(found.ids)
    assert {"orders.place", "executions.stream.message", "connection.closing"} <= set(operations)
    document = PORTAL.find("/docs/asyncapi.json")
    assert document is not None
    served, published = json.loads(document.content), json.loads(generated("asyncapi.json"))
    # What it is served with is where this venue is, as on the pages.
    for server in served["servers"].values():
        assert server["variables"]["host"].pop("default") == REST_URL.partition("//")[2]
    for server in published["servers"].values():
        del server["variables"]["host"]["default"]
    assert served == published


def test_the_page_of_websocket_has_the_close_codes_of_the_document() -> None:
    words = page("/docs/websocket").words
    described = json.loads(generated("asyncapi.json"))["info"]["description"]
    for code in ("1001", "1008", "1009", "1011", "1013"):
        assert code in words
        assert code in described
