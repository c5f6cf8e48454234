"""What the documentation says about REST is what happens: a test for each statement."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tradewire_gateway.web.portal import OWN_BOUNDS
from tradewire_gateway.web.rendering import FOLDER
from tradewire_server.api.published_limits import published_limits
from tradewire_server.auth.limit_policy import LimitPolicy

from tests.support.envoy import RestVenue, bearer, rest_venue

__all__ = ["rest_venue"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = {
    "symbol": "BTC-USD",
    "side": "SIDE_BUY",
    "type": "ORDER_TYPE_LIMIT",
    "quantity": "0.5",
    "price": "100",
}


@pytest_asyncio.fixture(loop_scope="module")
async def alice(rest_venue: RestVenue) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=rest_venue.url, headers=bearer(rest_venue.alice)
    ) as client:
        yield client


def new_id() -> str:
    return f"facts-{secrets.token_hex(8)}"


def order(**fields: Any) -> dict[str, Any]:
    return {**ORDER, "clientOrderId": new_id(), **fields}


def error(answer: httpx.Response) -> tuple[int, str, str]:
    detail = answer.json()["details"][0]
    return answer.status_code, detail["reason"], detail["metadata"]["outcome"]


async def test_json_is_as_the_table_says(alice: httpx.AsyncClient) -> None:
    answer = (await alice.post("/v1/orders", json=order())).raise_for_status().json()
    assert answer["asOfSequence"].isdigit()
    placed = answer["order"]
    assert placed["side"] == "SIDE_BUY"
    assert placed["filledQuantity"] == "0"
    assert placed["originalClientOrderId"] == ""
    assert placed["postOnly"] == "POST_ONLY_UNSPECIFIED"
    assert placed["cancelOnDisconnect"] is False
    assert "quoteQuantity" not in placed
    assert "expireTime" not in placed
    assert datetime.fromisoformat(placed["createTime"]).utcoffset() is not None
    assert placed["createTime"].endswith("Z")
    limits = (await alice.get("/v1/limits")).raise_for_status().json()
    assert isinstance(limits["openOrderLimit"], int)
    keys = (await alice.get("/v1/positions")).raise_for_status().json()
    assert keys["positions"] == []


async def test_requests_may_use_either_name_but_not_both(alice: httpx.AsyncClient) -> None:
    plain = order()
    snake = {**plain, "client_order_id": plain.pop("clientOrderId")}
    del snake["clientOrderId"]
    assert (await alice.post("/v1/orders", json=snake)).status_code == 200
    both = order(client_order_id=new_id())
    answer = await alice.post("/v1/orders", json=both)
    assert error(answer) == (400, "FIELD_INVALID", "refused")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda text: text.replace('"symbol"', '"postOnyl": "x", "symbol"'), "postOnyl"),
        (lambda text: text.replace('"symbol"', '"side": "SIDE_BUY", "symbol"'), "side"),
        (lambda text: text.replace('"0.5"', "0.5"), "quantity"),
    ],
)
async def test_reading_is_strict_and_names_the_field(
    alice: httpx.AsyncClient, change: Callable[[str], str], field: str
) -> None:
    content = change(json.dumps(order()))
    answer = await alice.post("/v1/orders", content=content)
    assert error(answer) == (400, "FIELD_INVALID", "refused")
    violations = answer.json()["details"][1]["fieldViolations"]
    assert [violation["field"] for violation in violations] == [field]


async def test_fields_have_the_names_of_the_contract(alice: httpx.AsyncClient) -> None:
    answer = await alice.post("/v1/orders", json=order(clientOrderId="not an id"))
    assert error(answer) == (400, "FIELD_INVALID", "refused")
    (violation,) = answer.json()["details"][1]["fieldViolations"]
    assert violation["field"] == "client_order_id"
    assert violation["reason"]


async def test_an_id_has_a_letter_or_digit(alice: httpx.AsyncClient) -> None:
    for wanted in (".", "..", "_-:"):
        answer = await alice.post("/v1/orders", json=order(clientOrderId=wanted))
        assert error(answer) == (400, "FIELD_INVALID", "refused")


async def test_unknown_parameters_and_no_json_are_refused(alice: httpx.AsyncClient) -> None:
    answer = await alice.get("/v1/orders", params={"pageSise": "5"})
    assert error(answer) == (400, "FIELD_INVALID", "refused")
    answer = await alice.post("/v1/orders", content="{")
    assert error(answer) == (400, "MESSAGE_MALFORMED", "refused")


async def test_a_colon_in_an_id_is_written_encoded(alice: httpx.AsyncClient) -> None:
    wanted = f"a:{secrets.token_hex(4)}:cancel"
    (await alice.post("/v1/orders", json=order(clientOrderId=wanted))).raise_for_status()
    answer = await alice.get(f"/v1/orders/client/{wanted.replace(':', '%3A')}")
    assert answer.json()["order"]["clientOrderId"] == wanted


async def test_other_methods_are_told_which_are_allowed(alice: httpx.AsyncClient) -> None:
    answer = await alice.put("/v1/orders", json={})
    assert error(answer) == (405, "METHOD_NOT_ALLOWED", "refused")
    assert set(answer.headers["allow"].replace(" ", "").split(",")) >= {"GET", "POST"}


async def test_bodies_have_a_bound(alice: httpx.AsyncClient) -> None:
    rows = {
        row.name: row.value for row in published_limits(LimitPolicy(), heartbeat_s=10, edge=None)
    }
    content = b" " * (int(rows["rest_body_bytes_max"]) + 1)
    answer = await alice.post("/v1/orders", content=content)
    assert error(answer) == (413, "REQUEST_TOO_LARGE", "refused")


async def test_limit_state_is_in_every_answer(alice: httpx.AsyncClient) -> None:
    for answer in (await alice.get("/v1/balances"), await alice.get("/v1/orders/1234567")):
        names = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
        limit, remaining, reset = (int(answer.headers[name]) for name in names)
        assert remaining <= limit
        # In seconds: no bucket of the policy needs minutes to fill.
        assert 0 <= reset <= 60


async def test_pages_end_with_an_empty_token(alice: httpx.AsyncClient) -> None:
    for _ in range(3):
        (await alice.post("/v1/orders", json=order())).raise_for_status()
    token, found = "", 0
    while True:
        query: dict[str, str] = {"pageSize": "2", **({"pageToken": token} if token else {})}
        page = (await alice.get("/v1/orders", params=query)).raise_for_status().json()
        found += len(page["orders"])
        token = page["nextPageToken"]
        if not token:
            break
        assert len(page["orders"]) == 2
    assert found >= 3


async def test_a_repeat_returns_the_first_answer(alice: httpx.AsyncClient) -> None:
    first = order(quantity="0.50")
    placed = (await alice.post("/v1/orders", json=first)).raise_for_status().json()
    canceled = await alice.delete(f"/v1/orders/{placed['order']['orderId']}")
    assert canceled.status_code == 200
    later = {**first, "quantity": "0.5", "validUntil": "2099-01-01T00:00:00Z"}
    again = (await alice.post("/v1/orders", json=later)).raise_for_status().json()
    assert again["order"]["orderId"] == placed["order"]["orderId"]
    other = await alice.post("/v1/orders", json={**first, "quantity": "0.6"})
    assert error(other) == (409, "CLIENT_ORDER_ID_REUSED", "refused")


async def test_an_id_without_effect_is_not_found(alice: httpx.AsyncClient) -> None:
    late = order(validUntil="2020-01-01T00:00:00Z")
    refused = await alice.post("/v1/orders", json=late)
    assert error(refused) == (504, "DEADLINE_PASSED", "refused")
    assert refused.json()["details"][0]["metadata"]["retryable"] == "false"
    answer = await alice.get(f"/v1/orders/client/{late['clientOrderId']}")
    assert error(answer) == (404, "ORDER_NOT_FOUND", "refused")
    # Refused is free: the same id places an order.
    del late["validUntil"]
    assert (await alice.post("/v1/orders", json=late)).status_code == 200


async def test_a_rejected_order_takes_its_id_and_has_a_number(alice: httpx.AsyncClient) -> None:
    first = order(side="SIDE_SELL", price="200")
    (await alice.post("/v1/orders", json=first)).raise_for_status()
    taking = order(price="200", postOnly="POST_ONLY_REJECT")
    answer = await alice.post("/v1/orders", json=taking)
    (await alice.delete(f"/v1/orders/client/{first['clientOrderId']}")).raise_for_status()
    assert error(answer) == (400, "POST_ONLY_WOULD_TRADE", "rejected")
    assert answer.json()["details"][0]["metadata"]["sequence"].isdigit()
    found = await alice.get(f"/v1/orders/client/{taking['clientOrderId']}")
    assert found.json()["order"]["status"] == "ORDER_STATUS_REJECTED"


async def test_streams_are_events_with_one_message_each(alice: httpx.AsyncClient) -> None:
    (await alice.post("/v1/orders", json=order())).raise_for_status()
    seen = []
    async with alice.stream("GET", "/v1/executions:stream?afterSequence=0") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            assert not line or line.startswith("data:"), line
            if line:
                seen.append(json.loads(line[5:]))
            if seen and "caughtUp" in seen[-1]:
                break
    assert all(len(message) == 1 for message in seen)
    assert [key for message in seen for key in message] == ["batch"] * (len(seen) - 1) + [
        "caughtUp"
    ]
    assert seen[-1]["caughtUp"]["journalId"]
    numbers = [int(e["sequence"]) for m in seen[:-1] for e in m["batch"]["executions"]]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_stream_beyond_the_newest_says_what_there_is(alice: httpx.AsyncClient) -> None:
    answer = await alice.get("/v1/executions:stream", params={"afterSequence": 10**9})
    assert error(answer) == (400, "SEQUENCE_OUT_OF_RANGE", "refused")
    metadata = answer.json()["details"][0]["metadata"]
    assert any("first" in name for name in metadata)
    assert any("last" in name for name in metadata)


async def test_a_snapshot_comes_first_and_names_its_number(alice: httpx.AsyncClient) -> None:
    async with alice.stream("GET", "/v1/executions:stream?snapshot=true") as stream:
        first = await anext(line async for line in stream.aiter_lines() if line)
    assert int(json.loads(first[5:])["snapshot"]["asOfSequence"]) >= 0


async def test_update_of_a_book_continues_the_one_before(alice: httpx.AsyncClient) -> None:
    books: list[dict[str, Any]] = []
    path = "/v1/marketData:stream?symbols=BTC-USD&depth=5"
    async with alice.stream("GET", path) as stream:
        async for line in stream.aiter_lines():
            message = json.loads(line[5:]) if line else {}
            if book := message.get("batch", {}).get("book"):
                books.append(book)
            if len(books) == 2:
                break
            if "caughtUp" in message:
                (await alice.post("/v1/orders", json=order(price="101"))).raise_for_status()
    assert books[0]["snapshot"]
    assert books[1]["snapshot"] or books[1]["previousSequence"] == books[0]["sequence"]


class Signer:
    """Signs with alice's key, with a mistake where it is asked for one."""

    def __init__(self, venue: RestVenue) -> None:
        self._credential = venue.alice
        self._environment = venue.venue.app.settings.environment

    def headers(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        environment: str | None = None,
        timestamp: str | None = None,
        nonce: str | None = None,
        change: Callable[[str], str] = lambda text: text,
        encode: Callable[[bytes], str] | None = None,
    ) -> dict[str, str]:
        """Return the headers of a request."""
        timestamp = timestamp or str(time.time_ns() // 1_000_000)
        nonce = nonce or secrets.token_urlsafe(24)
        lines = (
            "TRADEWIRE-V1",
            environment or self._environment,
            timestamp,
            nonce,
            method,
            path,
            hashlib.sha256(body).hexdigest(),
        )
        signature = self._credential.private_key.sign(change("\n".join(lines)).encode())
        spell = encode or (lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode())
        return {
            "x-api-key": self._credential.key_id,
            "x-api-timestamp": timestamp,
            "x-api-nonce": nonce,
            "x-api-signature": spell(signature),
        }


def with_plus(signature: bytes) -> str:
    """Spell it in the alphabet that is not that of URLs; the same bytes, one way or the other."""
    return base64.b64encode(b"\xff" * 3 + signature[3:]).decode()


PATH = "/v1/orders?symbol=BTC-USD"
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("mistake", "reason", "part"),
    [
        ({"change": lambda text: f"{text}\n"}, "SIGNATURE_INVALID", "separator"),
        ({"change": lambda text: text.replace("\n", "\\n")}, "SIGNATURE_INVALID", "separator"),
        ({"change": lambda text: text.replace("?symbol=BTC-USD", "")}, "SIGNATURE_INVALID", "path"),
        ({"change": lambda text: text.replace(EMPTY, "")}, "SIGNATURE_INVALID", "body"),
        ({"change": lambda t: t.replace(EMPTY, EMPTY.upper())}, "SIGNATURE_INVALID", "body"),
        ({"change": lambda text: text.replace("GET", "get")}, "SIGNATURE_INVALID", "method"),
        ({"environment": "production"}, "SIGNATURE_INVALID", "environment"),
        ({"encode": bytes.hex}, "UNAUTHENTICATED", None),
        ({"encode": with_plus}, "UNAUTHENTICATED", None),
        ({"timestamp": "1760000000000"}, "TIMESTAMP_OUT_OF_WINDOW", None),
        ({"timestamp": str(int(time.time()))}, "TIMESTAMP_OUT_OF_WINDOW", None),
    ],
)
async def test_a_mistake_in_signing_is_refused_and_found(
    rest_venue: RestVenue, mistake: dict[str, Any], reason: str, part: str | None
) -> None:
    headers = Signer(rest_venue).headers("GET", PATH, **mistake)
    async with httpx.AsyncClient(base_url=rest_venue.url) as client:
        answer = await client.get(PATH, headers=headers)
        assert error(answer) == (401, reason, "refused")
        if part is None:
            return
        described = {name.removeprefix("x-api-"): value for name, value in headers.items()}
        described["apiKey"] = described.pop("key")
        checked = await client.post(
            "/v1/sessions:check", json={**described, "method": "GET", "path": PATH, "body": ""}
        )
    found = checked.raise_for_status().json()
    assert (found["valid"], found["part"]) == (False, part)
    assert found["stringToSign"].split("\n")[0] == "TRADEWIRE-V1"


async def test_a_nonce_is_good_once_and_two_credentials_are_none(rest_venue: RestVenue) -> None:
    headers = Signer(rest_venue).headers("GET", PATH)
    async with httpx.AsyncClient(base_url=rest_venue.url) as client:
        assert (await client.get(PATH, headers=headers)).status_code == 200
        assert error(await client.get(PATH, headers=headers))[1] == "NONCE_REUSED"
        both = {**Signer(rest_venue).headers("GET", PATH), **bearer(rest_venue.alice)}
        assert error(await client.get(PATH, headers=both))[1] == "UNAUTHENTICATED"


async def test_a_check_says_that_a_request_is_not_fresh(rest_venue: RestVenue) -> None:
    for timestamp, word in (("1760000000000", "old"), (str(int(time.time())), "seconds")):
        headers = Signer(rest_venue).headers("GET", PATH, timestamp=timestamp)
        described = {name.removeprefix("x-api-"): value for name, value in headers.items()}
        described["apiKey"] = described.pop("key")
        async with httpx.AsyncClient(base_url=rest_venue.url) as client:
            answer = await client.post(
                "/v1/sessions:check", json={**described, "method": "GET", "path": PATH, "body": ""}
            )
        found = answer.raise_for_status().json()
        assert (found["valid"], found["part"]) == (False, "timestamp")
        assert word in found["explanation"]


async def test_requests_of_one_key_may_overtake_each_other(rest_venue: RestVenue) -> None:
    now = time.time_ns() // 1_000_000
    signer = Signer(rest_venue)
    async with httpx.AsyncClient(base_url=rest_venue.url) as client:
        answers = await asyncio.gather(
            *(
                client.get(PATH, headers=signer.headers("GET", PATH, timestamp=str(now - back)))
                for back in range(0, 4_000, 500)
            )
        )
    assert {answer.status_code for answer in answers} == {200}


async def test_numbers_in_the_text_are_those_of_the_policy() -> None:
    rows = {row.name: row.value for row in published_limits(LimitPolicy(), heartbeat_s=10)}
    text = "".join(path.read_text() for path in (FOLDER / "pages").iterdir())
    mentioned = re.findall(r'limit\("(\w+)", "(\w+)"\)', text)
    assert len(mentioned) == text.count("limit(")
    for name, usual in mentioned:
        assert rows[name] == usual, name
    assert "15 minutes" in text
    assert rows["lifetime_s"] == "900"
    assert "25 seconds" in text
    assert float(rows["heartbeat"]) < 25 / 2
    assert rows.keys() >= OWN_BOUNDS
    assert rows["page_size"] == "100, at most 1000"
    assert "at most 1000, 100 unless set" in text


ETH: dict[str, Any] = {"symbol": "ETH-USD", "quantity": "1", "price": "50"}
OTHER_SIDE: dict[str, Any] = {**ETH, "side": "SIDE_SELL", "price": "60"}


@pytest_asyncio.fixture(loop_scope="module")
async def book(alice: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """Return alice, and a book of ETH-USD in which one unit is offered at 60."""
    (await alice.post("/v1/orders", json=order(**OTHER_SIDE))).raise_for_status()
    yield alice
    cancel = await alice.post("/v1/orders:cancelAll", json={"symbol": "ETH-USD"})
    cancel.raise_for_status()


def market(**fields: Any) -> dict[str, Any]:
    """Return the fields of a market order."""
    return {**ETH, "type": "ORDER_TYPE_MARKET", "price": None, **fields}


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({}, "NEW", "UNSPECIFIED"),
        ({"timeInForce": "TIME_IN_FORCE_DAY"}, "NEW", "UNSPECIFIED"),
        ({"price": "60", "quantity": "0.5"}, "FILLED", "UNSPECIFIED"),
        ({"price": "60", "quantity": "3"}, "PARTIALLY_FILLED", "UNSPECIFIED"),
        ({"timeInForce": "TIME_IN_FORCE_IOC"}, "CANCELED", "IMMEDIATE_OR_CANCEL"),
        (
            {"timeInForce": "TIME_IN_FORCE_FOK", "price": "60", "quantity": "3"},
            "CANCELED",
            "FILL_OR_KILL",
        ),
        ({"price": "60", "postOnly": "POST_ONLY_REPRICE"}, "NEW", "UNSPECIFIED"),
        (market(), "FILLED", "UNSPECIFIED"),
        (market(quantity="3"), "CANCELED", "NO_LIQUIDITY"),
        (market(quantity=None, quoteQuantity="30"), "FILLED", "UNSPECIFIED"),
    ],
)
async def test_order_types_do_what_the_table_says(
    book: httpx.AsyncClient, fields: dict[str, Any], status: str, reason: str
) -> None:
    wanted = {name: value for name, value in order(**{**ETH, **fields}).items() if value}
    placed = (await book.post("/v1/orders", json=wanted)).raise_for_status().json()["order"]
    assert placed["status"] == f"ORDER_STATUS_{status}"
    assert placed["reason"] == f"REASON_{reason}"
    if "postOnly" in fields:
        tick = (await book.get("/v1/instruments/ETH-USD")).json()["instrument"]["tickSize"]
        assert Decimal(placed["price"]) == 60 - Decimal(tick)
    if fields.get("timeInForce") == "TIME_IN_FORCE_DAY":
        assert placed["expireTime"].endswith("T00:00:00Z")
    if status == "FILLED" and "quoteQuantity" not in fields:
        assert placed["leavesQuantity"] == "0"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "ORDER_TYPE_MARKET"}, "FIELDS_CONFLICT"),
        ({"price": "50.0000001"}, "PRICE_OFF_TICK"),
        ({"quantity": "0.0000001"}, "QUANTITY_OFF_LOT"),
        ({"quantity": "9999999"}, "QUANTITY_OUT_OF_RANGE"),
        ({"timeInForce": "TIME_IN_FORCE_GTD"}, "EXPIRE_TIME_INVALID"),
    ],
)
async def test_what_an_instrument_does_not_allow_is_refused(
    book: httpx.AsyncClient, fields: dict[str, Any], reason: str
) -> None:
    wanted = order(**{**ETH, **fields})
    assert error(await book.post("/v1/orders", json=wanted)) == (400, reason, "refused")
    found = await book.get(f"/v1/orders/client/{wanted['clientOrderId']}")
    assert error(found) == (404, "ORDER_NOT_FOUND", "refused")


async def test_an_amend_says_whether_the_order_kept_its_place(book: httpx.AsyncClient) -> None:
    placed = order(**ETH)
    (await book.post("/v1/orders", json=placed)).raise_for_status()
    path = f"/v1/orders/client/{placed['clientOrderId']}"
    for change, kept in (({"quantity": "0.5"}, True), ({"price": "49"}, False)):
        amend = {"clientOrderId": new_id(), **change}
        answer = (await book.patch(path, json=amend)).raise_for_status().json()
        assert answer["priorityKept"] is kept
        by_new_id = await book.get(f"/v1/orders/client/{amend['clientOrderId']}")
        assert by_new_id.json()["order"]["orderId"] == answer["order"]["orderId"]
    (await book.delete(path)).raise_for_status()
    assert error(await book.delete(path)) == (400, "ORDER_CLOSED", "refused")


@pytest.mark.parametrize(
    ("mistake", "place"),
    [
        ({"quantity": 1}, "orders[1].quantity"),
        ({"postOnyl": "x"}, "orders[1].postOnyl"),
        ({"side": "SIDE_BYE"}, "orders[1].side"),
    ],
)
async def test_json_that_is_no_message_refuses_the_batch(
    book: httpx.AsyncClient, mistake: dict[str, Any], place: str
) -> None:
    good = order(**ETH)
    answer = await book.post(
        "/v1/orders:batchPlace", json={"orders": [good, order(**{**ETH, **mistake})]}
    )
    assert error(answer) == (400, "FIELD_INVALID", "refused")
    assert answer.json()["details"][1]["fieldViolations"][0]["field"] == place
    found = await book.get(f"/v1/orders/client/{good['clientOrderId']}")
    assert error(found) == (404, "ORDER_NOT_FOUND", "refused")


@pytest.mark.parametrize("mistake", [{"quantity": "-1"}, {"symbol": "NO-PE"}, {"side": 77}])
async def test_a_broken_rule_refuses_the_item(
    book: httpx.AsyncClient, mistake: dict[str, Any]
) -> None:
    orders = [order(**{**ETH, **mistake}), order(**ETH)]
    answer = (await book.post("/v1/orders:batchPlace", json={"orders": orders})).raise_for_status()
    first, second = answer.json()["results"]
    assert first["error"]["details"][0]["metadata"]["outcome"] == "refused"
    assert second["order"]["status"] == "ORDER_STATUS_NEW"


async def test_results_of_cancels_are_matched_by_their_number(book: httpx.AsyncClient) -> None:
    orders = [order(**ETH) for _ in range(2)]
    (await book.post("/v1/orders:batchPlace", json={"orders": orders})).raise_for_status()
    cancels = [{"originalClientOrderId": one["clientOrderId"]} for one in (*orders, order())]
    answer = await book.post("/v1/orders:batchCancel", json={"cancels": cancels})
    results = answer.raise_for_status().json()["results"]
    assert [result["commandNumber"] for result in results] == ["1", "2", "3"]
    assert {result["clientOrderId"] for result in results} == {""}
    assert ["order" in result for result in results] == [True, True, False]


async def test_an_enum_may_be_sent_by_its_number(alice: httpx.AsyncClient) -> None:
    placed = (await alice.post("/v1/orders", json=order(side=1))).raise_for_status().json()
    assert placed["order"]["side"] == "SIDE_BUY"


async def test_a_batch_has_a_result_for_each(book: httpx.AsyncClient) -> None:
    orders = [order(**ETH), order(**{**ETH, "price": "50.0000001"}), order(**ETH)]
    answer = (await book.post("/v1/orders:batchPlace", json={"orders": orders})).raise_for_status()
    results = answer.json()["results"]
    assert ["order" in result for result in results] == [True, False, True]
    assert results[1]["error"]["details"][0]["reason"] == "PRICE_OFF_TICK"


async def test_self_trade_prevention_names_the_other_order(book: httpx.AsyncClient) -> None:
    before = (await book.get("/v1/balances")).json()["asOfSequence"]
    mode = "SELF_TRADE_PREVENTION_CANCEL_NEWEST"
    wanted = order(**{**ETH, "price": "60"}, selfTradePrevention=mode)
    placed = (await book.post("/v1/orders", json=wanted)).raise_for_status().json()["order"]
    assert placed["reason"] == "REASON_SELF_TRADE_PREVENTED"
    found = (await book.get("/v1/executions", params={"afterSequence": before})).json()
    assert int(found["executions"][-1]["counterOrderId"]) > 0
    types = [execution["type"] for execution in found["executions"]]
    assert types == ["EXECUTION_TYPE_NEW", "EXECUTION_TYPE_CANCELED"]
