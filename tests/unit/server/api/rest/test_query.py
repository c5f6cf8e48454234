"""Paths and queries: each parameter is known, given once and decodable."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_contract import Route, find_route, routes
from tradewire_server.api.errors import ApiError
from tradewire_server.api.rest.query import check_target

from tests.support.failures import Failure, failure_of


def check(target: str, verb: str = "GET") -> None:
    match = find_route(verb, target.partition("?")[0])
    assert match is not None, target
    check_target(match.route, target)


def refusal(target: str, verb: str = "GET") -> Failure:
    with pytest.raises(ApiError) as error:
        check(target, verb)
    return failure_of(error.value.status)


@pytest.mark.parametrize(
    "target",
    [
        "/v1/orders",
        "/v1/orders?",
        "/v1/orders?symbol=BTC-USD",
        "/v1/orders?symbol=",
        "/v1/orders?symbol=BTC%2DUSD&pageSize=50",
        "/v1/orders?page_size=50&&filter=ORDER_FILTER_CLOSED&",
        "/v1/orders?filter=2",
        "/v1/orders?pageToken=a=b",
        "/v1/executions?afterSequence=9223372036854775807",
        "/v1/executions:stream?afterSequence=0&snapshot=true",
        "/v1/executions:stream?snapshot=false",
        "/v1/marketData:stream?symbols=BTC-USD&symbols=ETH-USD&withoutBook=true",
        "/v1/instruments/BTC-USD/candles?startTime=2026-01-31T12:00:00Z",
        "/v1/instruments/BTC-USD/candles?start_time=2026-01-31T12%3A00%3A00.5%2B02%3A00",
        "/v1/orders/client/a%3Ab?account=%C3%A4",
    ],
)
def test_what_the_contract_has_is_taken(target: str) -> None:
    check(target)


@pytest.mark.parametrize(
    ("target", "field", "what"),
    [
        (
            "/v1/orders?sybmol=BTC-USD",
            "sybmol",
            "is not a field of this request: did you mean symbol?",
        ),
        ("/v1/orders?Symbol=A", "Symbol", "is not a field of this request: did you mean symbol?"),
        ("/v1/orders?%73ymbol=A", "%73ymbol", "is not a field of this request: did you mean"),
        ("/v1/time?x=1", "x", "is not a field of this request"),
        ("/v1/time?=1", '""', "is not a field of this request"),
        ("/v1/orders?a.b=1", "a.b", "is not a field of this request"),
        ("/v1/orders?symbol", "symbol", "has no value: write symbol=..."),
        ("/v1/orders?symbol=A&symbol=B", "symbol", "is given twice"),
        (
            "/v1/orders?pageSize=1&page_size=1",
            "page_size",
            "is given twice, as pageSize and as page_size",
        ),
        ("/v1/orders?pageSize=ten", "page_size", "must be a whole number"),
        ("/v1/orders?pageSize=", "page_size", "must be a whole number"),
        ("/v1/orders?pageSize=4294967296", "page_size", "must be between"),
        ("/v1/orders?filter=CLOSED", "filter", "did you mean ORDER_FILTER_CLOSED?"),
        ("/v1/executions:stream?snapshot=yes", "snapshot", "must be true or false"),
        ("/v1/executions:stream?snapshot=True", "snapshot", "must be true or false"),
        ("/v1/marketData:stream?symbol=A", "symbol", "did you mean symbols?"),
        (
            "/v1/instruments/BTC-USD/candles?startTime=today",
            "start_time",
            'must be of the form "2026-01-31T12:00:00Z"',
        ),
        ("/v1/orders/17?orderId=18", "order_id", "is given by the path"),
        ("/v1/orders/17?clientOrderId=a", "clientOrderId", "is not a field of this request"),
    ],
)
def test_what_it_does_not_have_is_named(target: str, field: str, what: str) -> None:
    found = refusal(target)
    assert (found.reason, found.fields) == ("FIELD_INVALID", (field,))
    assert what in found.descriptions[0]


def test_a_list_ends_where_the_contract_lets_it() -> None:
    symbols = "&".join(["symbols=BTC-USD"] * 100)
    check(f"/v1/marketData:stream?{symbols}&withoutBook=true")
    found = refusal(f"/v1/marketData:stream?{symbols}&symbols=BTC-USD")
    assert (found.fields, found.descriptions) == (("symbols",), ("must have at most 100 items",))


def test_a_query_is_bounded_before_it_is_taken_apart() -> None:
    check("/v1/orders?symbol=A" + "&" * 127)
    found = refusal("/v1/orders?symbol=A" + "&" * 128)
    assert (found.reason, found.text) == (
        "REQUEST_TOO_LARGE",
        "the query has more than 128 parameters",
    )
    check("/v1/orders?pageToken=" + "A" * (8_192 - len("pageToken=")))
    found = refusal("/v1/orders?pageToken=" + "A" * 8_192)
    assert (found.reason, found.text) == (
        "REQUEST_TOO_LARGE",
        "the query has more than 8192 bytes",
    )


def test_everything_that_is_wrong_is_told() -> None:
    assert refusal("/v1/orders?x=1&pageSize=y&symbol=A&symbol=B").fields == (
        "x",
        "page_size",
        "symbol",
    )


def test_a_request_with_a_body_has_no_query() -> None:
    found = refusal("/v1/orders?symbol=BTC-USD", "POST")
    assert (found.fields, found.descriptions) == (
        ("symbol",),
        ("is not taken from the query: send it in the body",),
    )


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("/v1/orders?symbol=%", "the parameter symbol has a %"),
        ("/v1/orders?symbol=%4", "the parameter symbol has a %"),
        ("/v1/orders?symbol=%zz", "the parameter symbol has a %"),
        ("/v1/orders?symbol=%FF", "the parameter symbol is not UTF-8"),
        ("/v1/orders?symbol=%ED%A0%80", "the parameter symbol is not UTF-8"),
        ("/v1/orders?symbol=\xe4", "the parameter symbol is not UTF-8"),
        ("/v1/orders/%FF", "the path is not UTF-8"),
        ("/v1/orders/%4", "the path has a %"),
    ],
)
def test_what_cannot_be_decoded_is_malformed(target: str, what: str) -> None:
    found = refusal(target)
    assert found.reason == "MESSAGE_MALFORMED"
    assert found.text.startswith(what)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_can_be_a_value(text: str) -> None:
    check(f"/v1/orders?symbol={quote(text, safe='')}")


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.template)
def test_every_parameter_is_taken_under_both_names(route: Route) -> None:
    samples = {"page_size": "5", "depth": "5", "snapshot": "true"}
    for field in route.query_fields:
        value = samples.get(field.name, "1")
        if field.message_type is not None:
            value = "2026-01-31T12:00:00Z"
        elif field.name.startswith("without"):
            value = "true"
        path = route.template.replace("{", "").replace("}", "")
        for name in (field.name, field.json_name):
            check_target(route, f"{path}?{name}={value}")
