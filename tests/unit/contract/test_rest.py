"""Which method of the contract an HTTP request is, as the gateway reads it."""

import pytest
from tradewire_contract import Route, allowed_methods, find_route, routes


def template_of(http_method: str, path: str) -> str | None:
    match = find_route(http_method, path)
    return None if match is None else match.route.template


@pytest.mark.parametrize(
    "route", routes(), ids=lambda route: f"{route.http_method} {route.template}"
)
def test_a_template_with_values_is_its_own_path(route: Route) -> None:
    path = route.template.format(**dict.fromkeys(route.variables, "a-1"))
    match = find_route(route.http_method, path)
    assert match is not None
    assert match.route is route
    assert match.variables == dict.fromkeys(route.variables, "a-1")
    assert route.http_method in allowed_methods(path)


@pytest.mark.parametrize(
    ("http_method", "path", "template"),
    [
        ("GET", "/v1/orders/client/a", "/v1/orders/client/{client_order_id}"),
        ("GET", "/v1/orders/client", "/v1/orders/{order_id}"),
        ("GET", "/v1/orders/", None),
        ("GET", "/v1/orders/1/2", None),
        ("GET", "/v1/orders:stream", None),
        # What follows a colon is a verb where the contract has it, and else part of the id.
        ("GET", "/v1/orders/client/a:b", "/v1/orders/client/{client_order_id}"),
        ("GET", "/v1/orders/client/a:stream", None),
        ("GET", "/v1/orders/client/a%3Astream", "/v1/orders/client/{client_order_id}"),
        ("DELETE", "/v1/keys/a:rotate", None),
        ("POST", "/v1/keys/a:rotate", "/v1/keys/{api_key}:rotate"),
    ],
)
def test_a_path_is_read_as_the_gateway_reads_it(
    http_method: str, path: str, template: str | None
) -> None:
    assert template_of(http_method, path) == template


def test_the_methods_of_a_path_are_those_that_the_gateway_takes() -> None:
    assert allowed_methods("/v1/keys/a:rotate") == ("POST",)
    assert allowed_methods("/v1/keys/a%3Arotate") == ("DELETE",)
    assert allowed_methods("/v1/orders/1") == ("DELETE", "GET", "PATCH")
    assert allowed_methods("/v2/orders") == ()


def test_fields_that_the_path_decides_are_not_taken_from_elsewhere() -> None:
    by_path = {(route.http_method, route.template): route for route in routes()}
    cancel = by_path["DELETE", "/v1/orders/{order_id}"]
    names = [field.name for field in cancel.query_fields]
    assert names == ["client_order_id", "account", "valid_until"]
    amend = by_path["PATCH", "/v1/orders/client/{original_client_order_id}"]
    assert amend.query_fields == ()
    assert {"order_id", "original_client_order_id"}.isdisjoint(f.name for f in amend.body_fields)
