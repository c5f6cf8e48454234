"""A change that takes something from a client is found, one that only adds is not."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tradewire_contract.openapi import breaking_changes, document

Change = Callable[[Any], object]

ORDERS = "/v1/orders"
BOOK = "/v1/instruments/{symbol}/book"
STREAM = "/v1/executions:stream"


def schema(name: str) -> Callable[[Any], Any]:
    return lambda made: made["components"]["schemas"][name]


def place(made: Any) -> Any:
    return made["paths"][ORDERS]["post"]


def book(made: Any) -> Any:
    return made["paths"][BOOK]["get"]


def request(made: Any) -> Any:
    return schema("PlaceOrderRequest")(made)


def order(made: Any) -> Any:
    return schema("Order")(made)


def depth(made: Any) -> Any:
    (parameter,) = (p for p in book(made)["parameters"] if p["name"] == "depth")
    return parameter


def put(target: Any, **values: Any) -> None:
    target.update(values)


def event(made: Any) -> Any:
    response = made["paths"][STREAM]["get"]["responses"]["200"]
    return response["content"]["text/event-stream"]["schema"]["properties"]["data"]


TAKES_AWAY: list[tuple[str, Change]] = [
    ("POST /v1/orders: is gone", lambda made: made["paths"][ORDERS].pop("post")),
    ("GET /v1/time: is gone", lambda made: made["paths"].pop("/v1/time")),
    ("operationId", lambda made: put(place(made), operationId="orders.create")),
    ("credential", lambda made: put(book(made), security=[{"bearer": ["read"]}])),
    ("credential", lambda made: place(made)["security"].pop(0)),
    ("credential", lambda made: put(place(made)["security"][0], bearer=["transfer"])),
    (
        "security scheme signatureKey",
        lambda made: put(made["components"]["securitySchemes"]["signatureKey"], name="x-key"),
    ),
    ("the answer 409 is gone", lambda made: place(made)["responses"].pop("409")),
    (
        "application/json is gone",
        lambda made: put(place(made)["responses"]["200"], content={}),
    ),
    (
        "header RateLimit-Limit is gone",
        lambda made: place(made)["responses"]["200"]["headers"].pop("RateLimit-Limit"),
    ),
    ("the body is gone", lambda made: place(made).pop("requestBody")),
    (
        "the body became required",
        lambda made: put(made["paths"]["/v1/keys"]["post"]["requestBody"], required=True),
    ),
    (
        "a body is new and required",
        lambda made: put(book(made), requestBody={"required": True, "content": {}}),
    ),
    ("parameter depth is gone", lambda made: book(made)["parameters"].pop(1)),
    ("parameter depth became required", lambda made: put(depth(made), required=True)),
    (
        "query parameter side is new and required",
        lambda made: book(made)["parameters"].append(
            {"name": "side", "in": "query", "required": True, "schema": {}}
        ),
    ),
    ("maximum was 1000", lambda made: put(depth(made)["schema"], maximum=500)),
    ("minimum was 0", lambda made: put(depth(made)["schema"], minimum=1)),
    ("type was integer", lambda made: put(depth(made)["schema"], type="string")),
    ("multipleOf was nothing", lambda made: put(depth(made)["schema"], multipleOf=5)),
    (".price: is gone", lambda made: request(made)["properties"].pop("price")),
    ("required was", lambda made: request(made)["required"].append("price")),
    (
        ".symbol: pattern was",
        lambda made: put(request(made)["properties"]["symbol"], pattern="^BTC-USD$"),
    ),
    (
        ".symbol: maxLength was nothing",
        lambda made: put(request(made)["properties"]["symbol"], maxLength=7),
    ),
    (".side: enum was", lambda made: request(made)["properties"]["side"]["enum"].pop()),
    (
        ".symbol: enum was nothing",
        lambda made: put(request(made)["properties"]["symbol"], enum=["BTC-USD"]),
    ),
    (
        "orderId is no alternative",
        lambda made: schema("CancelOrderRequest")(made)["oneOf"].pop(0),
    ),
    (
        ".orders: uniqueItems was",
        lambda made: put(
            schema("PlaceOrdersRequest")(made)["properties"]["orders"], uniqueItems=True
        ),
    ),
    (".order.fee: is gone", lambda made: order(made)["properties"].pop("fee")),
    ("required was", lambda made: order(made)["required"].remove("fee")),
    (
        ".order.fee: type was string",
        lambda made: put(order(made)["properties"]["fee"], type="number"),
    ),
    (".order.status: enum was", lambda made: schema("OrderStatus")(made)["enum"].pop()),
    (".order.status: enum was", lambda made: schema("OrderStatus")(made).pop("enum")),
    (
        ".asOfSequence: pattern was",
        lambda made: schema("PlaceOrderResponse")(made)["properties"]["asOfSequence"].pop(
            "pattern"
        ),
    ),
    (
        "whether none of the alternatives",
        lambda made: schema("CommandResult")(made)["oneOf"].append({"not": {}}),
    ),
    (
        ".data: type was",
        lambda made: put(event(made)["contentSchema"], type="array"),
    ),
    (
        "contentMediaType was",
        lambda made: put(event(made), contentMediaType="application/cbor"),
    ),
    (
        "an alternative is gone",
        lambda made: schema("Status")(made)["properties"]["details"]["items"]["oneOf"].pop(),
    ),
]
ONLY_ADDS: list[Change] = [
    lambda made: None,
    lambda made: put(made["paths"], **{"/v1/new": {"get": copy.deepcopy(book(made))}}),
    lambda made: put(place(made), description="Other words.", deprecated=True),
    lambda made: book(made)["parameters"].append(
        {"name": "side", "in": "query", "required": False, "schema": {"type": "string"}}
    ),
    lambda made: put(depth(made)["schema"], maximum=5000),
    lambda made: depth(made)["schema"].pop("minimum"),
    lambda made: put(request(made)["properties"], tag={"type": "string"}),
    lambda made: request(made)["required"].remove("type"),
    lambda made: request(made)["properties"]["symbol"].pop("pattern"),
    lambda made: request(made)["properties"]["side"]["enum"].append("SIDE_BOTH"),
    lambda made: put(order(made)["properties"], tag={"type": "string"}),
    lambda made: order(made)["required"].append("price"),
    lambda made: schema("OrderStatus")(made)["enum"].append("ORDER_STATUS_SUSPENDED"),
    lambda made: put(place(made)["responses"], **{"418": {"description": "New."}}),
    lambda made: schema("CommandResult")(made)["oneOf"].insert(0, {"required": ["quote"]}),
    lambda made: place(made)["security"].append({"mutualTLS": []}),
    lambda made: put(book(made), security=[]),
]


@pytest.mark.parametrize(
    ("expected", "change"),
    TAKES_AWAY,
    ids=[f"{index} {expected}" for index, (expected, _) in enumerate(TAKES_AWAY)],
)
def test_what_is_taken_away_is_named(expected: str, change: Change) -> None:
    before = copy.deepcopy(document())
    # So that there is an answer in which one alternative is always set.
    schema("CommandResult")(before)["oneOf"].pop()
    made = copy.deepcopy(before)
    change(made)
    found = breaking_changes(before, made)
    assert any(expected in sentence for sentence in found), found


@pytest.mark.parametrize("change", ONLY_ADDS, ids=range(len(ONLY_ADDS)))
def test_what_only_adds_is_allowed(change: Change) -> None:
    made = copy.deepcopy(document())
    change(made)
    assert breaking_changes(document(), made) == []


def test_a_schema_that_leads_back_to_itself_is_compared_once() -> None:
    made = copy.deepcopy(document())
    order(made)["properties"]["parent"] = {"$ref": "#/components/schemas/Order"}
    again = copy.deepcopy(made)
    again["components"]["schemas"]["Order"]["properties"].pop("fee")
    assert breaking_changes(made, made) == []
    assert any(".order.fee: is gone" in sentence for sentence in breaking_changes(made, again))
