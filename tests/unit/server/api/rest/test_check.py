"""The check of a request: what passes, what is refused, and that each refusal is paid for by the
address, for what it costs.
"""

import json
import sys
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc import status_pb2
from tradewire_contract import reasons, routes
from tradewire_server.api.admission import HANDLE
from tradewire_server.api.rest.check import RequestCheck
from tradewire_server.api.rest.request import BODY_MAX, Answer, RawRequest
from tradewire_server.auth.buckets import Bucket
from tradewire_server.auth.caller import Caller, address_buckets
from tradewire_server.auth.handles import Grant, HandlePolicy, HandleTable
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.auth.limits import Limiter

from tests.support.failures import Failure, failure_of
from tests.support.rest import SigningKey, signed_headers
from tests.unit.server.auth.venue import ADDRESS, NOW_MS, NOW_NS, SECOND, Venue, ed25519_key

ORDERS = "/tradewire.v1.OrderService"
BURST = 100
ORDER = b'{"clientOrderId":"a-1","symbol":"BTC-USD"}'


class Stage:
    """A check with everything behind it, at a time that stands still."""

    def __init__(self, *, handles: HandlePolicy | None = None, burst: int = BURST) -> None:
        self.burst = burst
        policy = LimitPolicy(address=Gcra(1, burst, 3600))
        self.venue = Venue(limits=policy)
        self.venue.add_ed25519()
        self.venue.add_ed25519("tw_ALL", scopes=SCOPES)
        self.limiter = Limiter(policy)
        self.handles = HandleTable(handles)
        self.now_ns = NOW_NS
        self.measured: list[tuple[str, int]] = []
        self.check = RequestCheck(
            self.venue.authenticator,
            self.limiter,
            self.handles,
            clock_ns=lambda: self.now_ns,
            measure=lambda method, code, seconds: self.measured.append((method, code)),
        )

    @property
    def used(self) -> int:
        """Units that the address has used."""
        return self.used_by(ADDRESS)

    def used_by(self, address: str) -> int:
        """Units that an address has used."""
        state = self.limiter.take(
            address_buckets(address), weight=0, now_ns=self.now_ns, reduces_risk=True
        )
        return self.burst - state.remaining

    def sign(self, method: str, target: str, body: bytes = b"", **changes: Any) -> dict[str, str]:
        key = SigningKey("tw_ED", lambda payload: self.venue.sign(payload, "tw_ED"))
        values = {"timestamp_ms": NOW_MS, **changes}
        return signed_headers(key, method, target, body, **values)

    def ask(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        address: str | None = ADDRESS,
    ) -> Answer:
        found = tuple((headers or {}).items())
        if address is not None:
            found += (("x-tradewire-client-address", address),)
        return self.check.decide(RawRequest(method, target, found, body))

    def grant(self, answer: Answer, method: str) -> Grant:
        """Redeem the handle of an answer that lets pass."""
        assert answer.status == 200, answer.body
        assert answer.body == b""
        ((name, handle),) = answer.headers
        assert name == HANDLE
        return self.handles.redeem(handle, method, self.now_ns)


@pytest.fixture
def stage() -> Stage:
    return Stage()


SCOPES = frozenset({"read", "trade", "transfer"})
# Of a key with all scopes, signed by the venue, but not one that it has seen since its start.
TOKEN = {
    "authorization": "Bearer "
    + Venue().tokens.issue(ed25519_key("tw_ALL", scopes=SCOPES), scopes=SCOPES, now_ns=NOW_NS).token
}
JUNK = {"authorization": "Bearer abc"}


def failure(answer: Answer) -> Failure:
    found = failure_of(json_format.Parse(answer.body, status_pb2.Status()))
    (entry,) = (entry for entry in reasons().values() if entry.name == found.reason)
    assert answer.status == entry.http_status
    assert dict(answer.headers)["content-type"] == "application/json"
    assert ("www-authenticate" in dict(answer.headers)) == (answer.status == 401)
    return found


# --- what passes ----------------------------------------------------------------------------------


def test_a_signed_request_passes_as_its_signer(stage: Stage) -> None:
    headers = stage.sign("POST", "/v1/orders", ORDER)
    answer = stage.ask("POST", "/v1/orders", ORDER, headers)
    assert stage.grant(answer, f"{ORDERS}/PlaceOrder") == Grant(
        f"{ORDERS}/PlaceOrder",
        Caller(
            "alice",
            "tw_ED",
            frozenset({"read", "trade"}),
            ADDRESS,
            None,
            # The window of 5 s, and the last of its milliseconds.
            NOW_NS + 5 * SECOND + 1_000_000,
        ),
        ADDRESS,
        NOW_NS + 30 * SECOND,
    )
    # The edge takes what it costs.
    assert stage.used == 0
    assert stage.measured == []


def test_a_request_with_a_token_passes_as_nobody(stage: Stage) -> None:
    answer = stage.ask("GET", "/v1/orders", headers=TOKEN)
    assert stage.grant(answer, f"{ORDERS}/ListOrders").caller is None


def test_a_public_request_needs_no_credential_but_one_that_is_there_is_verified(
    stage: Stage,
) -> None:
    path = "/tradewire.v1.SessionService/GetServerTime"
    assert stage.grant(stage.ask("GET", "/v1/time"), path).caller is None
    headers = stage.sign("GET", "/v1/time")
    caller = stage.grant(stage.ask("GET", "/v1/time", headers=headers), path).caller
    assert caller is not None
    assert caller.account == "alice"
    headers["x-api-signature"] = headers["x-api-signature"][::-1]
    assert failure(stage.ask("GET", "/v1/time", headers=headers)).reason in (
        "SIGNATURE_INVALID",
        "UNAUTHENTICATED",
    )


def test_without_an_address_there_is_no_limit_of_it(stage: Stage) -> None:
    answer = stage.ask("GET", "/v1/time", address=None)
    assert stage.grant(answer, "/tradewire.v1.SessionService/GetServerTime").address is None


# --- what is refused, and in which order ----------------------------------------------------------

BAD_QUERY = "/v1/orders?x=1"
CASES = [
    ("GET", "/v1/nothing", b"", {}, "METHOD_NOT_FOUND"),
    ("GET", "/", b"", {}, "METHOD_NOT_FOUND"),
    ("GET", "//v1/time", b"", {}, "METHOD_NOT_FOUND"),
    ("GET", "/v1/time/", b"", {}, "METHOD_NOT_FOUND"),
    ("POST", "/tradewire.v1.OrderService/PlaceOrder", b"{}", TOKEN, "METHOD_NOT_FOUND"),
    ("PUT", "/v1/orders", b"", {}, "METHOD_NOT_ALLOWED"),
    ("HEAD", "/v1/orders", b"", {}, "METHOD_NOT_ALLOWED"),
    ("OPTIONS", "/v1/orders", b"", {}, "METHOD_NOT_ALLOWED"),
    ("get", "/v1/orders", b"", {}, "METHOD_NOT_ALLOWED"),
    # The credential comes before what it would have asked for.
    ("GET", BAD_QUERY, b"{}", {}, "UNAUTHENTICATED"),
    ("POST", "/v1/orders", b"{", {}, "UNAUTHENTICATED"),
    ("GET", BAD_QUERY, b"", {**TOKEN, "x-api-key": "tw_A"}, "UNAUTHENTICATED"),
    # And it is verified before anything is read.
    ("GET", BAD_QUERY, b"{}", JUNK, "TOKEN_INVALID"),
    ("POST", "/v1/orders", b"{", JUNK, "TOKEN_INVALID"),
    ("POST", "/v1/orders", b"{", {"authorization": "Basic abc"}, "UNAUTHENTICATED"),
    ("POST", "/v1/orders", b"{" * 20_000, JUNK, "TOKEN_INVALID"),
    # The query before the body.
    ("GET", BAD_QUERY, b"{}", TOKEN, "FIELD_INVALID"),
    ("GET", "/v1/orders", b"{}", TOKEN, "MESSAGE_MALFORMED"),
    ("DELETE", "/v1/orders/1", b"{}", TOKEN, "MESSAGE_MALFORMED"),
    ("POST", "/v1/orders", b"{", TOKEN, "MESSAGE_MALFORMED"),
    ("POST", "/v1/orders", b'{"postonly":1}', TOKEN, "FIELD_INVALID"),
    ("POST", "/v1/orders", b" " * (BODY_MAX + 1), TOKEN, "REQUEST_TOO_LARGE"),
    ("GET", "/v1/time", b" " * (BODY_MAX + 1), {}, "REQUEST_TOO_LARGE"),
    ("POST", "/v1/orders", ORDER, {**TOKEN, "content-encoding": "gzip"}, "MESSAGE_MALFORMED"),
    (
        "POST",
        "/v1/orders",
        ORDER,
        {**TOKEN, "x-envoy-auth-partial-body": "true"},
        "REQUEST_TOO_LARGE",
    ),
]


@pytest.mark.parametrize(("method", "target", "body", "headers", "reason"), CASES)
def test_a_refusal_says_why_and_is_paid_by_the_address_for_its_size(
    stage: Stage, method: str, target: str, body: bytes, headers: dict[str, str], reason: str
) -> None:
    answer = stage.ask(method, target, body, headers)
    assert failure(answer).reason == reason
    units = 1 + (len(target) + len(body)) // 4096
    assert stage.used == units
    limits = {key: value for key, value in answer.headers if key.startswith("ratelimit")}
    # Of what reduces risk, half of the reserve is for who is known.
    limit = 95 if method == "DELETE" else 90
    assert limits == {
        "ratelimit-limit": str(limit),
        "ratelimit-remaining": str(limit - units),
        "ratelimit-reset": str(3600 * units),
    }
    assert len(stage.measured) == 1


def test_a_body_up_to_the_bound_is_read(stage: Stage) -> None:
    body = ORDER + b" " * (BODY_MAX - len(ORDER))
    headers = {**TOKEN, "x-envoy-auth-partial-body": "false"}
    stage.grant(stage.ask("POST", "/v1/orders", body, headers), f"{ORDERS}/PlaceOrder")


def test_another_method_is_told_which_there_are(stage: Stage) -> None:
    assert dict(stage.ask("PUT", "/v1/orders").headers)["allow"] == "GET, POST"
    assert "allow" not in dict(stage.ask("PUT", "/v1/nothing").headers)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/v1/orders", b'{"clientOrderId":"a-2","symbol":"BTC-USD"}'),
        ("POST", "/v1/orders", ORDER + b" "),
        ("POST", "/v1/orders:cancelAll", b'{"symbol":"BTC-USD"}'),
        ("PATCH", "/v1/orders/1", b'{"clientOrderId":"a-1"}'),
    ],
)
def test_another_body_path_or_method_was_not_signed(
    stage: Stage, method: str, target: str, body: bytes
) -> None:
    headers = stage.sign("POST", "/v1/orders", ORDER)
    assert failure(stage.ask(method, target, body, headers)).reason == "SIGNATURE_INVALID"
    # It is still good for what was signed.
    assert stage.ask("POST", "/v1/orders", ORDER, headers).status == 200


@pytest.mark.parametrize("target", ["/v1/orders", "/v1/orders?", "/v1/orders?symbol=B", "/v1/time"])
def test_the_target_is_signed_to_the_last_character(stage: Stage, target: str) -> None:
    headers = stage.sign("GET", "/v1/orders?symbol=A")
    assert failure(stage.ask("GET", target, headers=headers)).reason == "SIGNATURE_INVALID"
    headers = stage.sign("GET", target)
    assert stage.ask("GET", target, headers=headers).status == 200


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-api-timestamp", str(NOW_MS + 1)),
        ("x-api-nonce", "another-nonce-of-16"),
        ("x-api-key", "tw_OTHER"),
        ("x-api-signature", "A" * 86),
    ],
)
def test_another_header_was_not_signed(stage: Stage, header: str, value: str) -> None:
    headers = stage.sign("GET", "/v1/orders") | {header: value}
    assert failure(stage.ask("GET", "/v1/orders", headers=headers)).reason == "SIGNATURE_INVALID"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"timestamp_ms": NOW_MS - 5_001}, "TIMESTAMP_OUT_OF_WINDOW"),
        ({"timestamp_ms": NOW_MS + 1_000}, "TIMESTAMP_OUT_OF_WINDOW"),
        ({"environment": "production"}, "SIGNATURE_INVALID"),
        ({"nonce": "short"}, "UNAUTHENTICATED"),
    ],
)
def test_a_signature_is_of_now_and_here(stage: Stage, changes: dict[str, Any], reason: str) -> None:
    headers = stage.sign("GET", "/v1/orders", **changes)
    assert failure(stage.ask("GET", "/v1/orders", headers=headers)).reason == reason


def test_a_signature_is_good_once(stage: Stage) -> None:
    headers = stage.sign("GET", "/v1/orders")
    assert stage.ask("GET", "/v1/orders", headers=headers).status == 200
    assert failure(stage.ask("GET", "/v1/orders", headers=headers)).reason == "NONCE_REUSED"


REFUSED = [
    ("POST", "/v1/orders", b'{"symbl":"BTC-USD"}', "FIELD_INVALID"),
    ("POST", "/v1/orders", b"{", "MESSAGE_MALFORMED"),
    ("GET", "/v1/orders?x=1", b"", "FIELD_INVALID"),
    ("GET", "/v1/orders", b"{}", "MESSAGE_MALFORMED"),
    ("GET", "/v1/nothing", b"", "METHOD_NOT_FOUND"),
    ("PUT", "/v1/orders", b"", "METHOD_NOT_ALLOWED"),
    ("POST", "/v1/keys", b"{}", "SCOPE_MISSING"),
]


@pytest.mark.parametrize(("method", "target", "body", "reason"), REFUSED)
def test_what_is_refused_uses_up_no_nonce(
    stage: Stage, method: str, target: str, body: bytes, reason: str
) -> None:
    headers = stage.sign(method, target, body)
    answer = stage.ask(method, target, body, headers)
    assert failure(answer).reason == reason
    assert len(stage.venue.replay) == 0


def test_handles_that_are_left_behind_do_not_stop_cancels() -> None:
    for bound in ("handles_max", "handles_per_address_max"):
        stage = Stage(handles=HandlePolicy(**{bound: 10}))
        for _ in range(9):
            assert stage.ask("GET", "/v1/time").status == 200
        for reason in ("OVERLOADED" if bound == "handles_max" else "RATE_LIMITED",) * 2:
            assert failure(stage.ask("GET", "/v1/time")).reason == reason
        target = "/v1/orders/17"
        assert stage.ask("DELETE", target, headers=stage.sign("DELETE", target)).status == 200
        # The reserve has an end as well, and then no nonce is used up.
        headers = stage.sign("DELETE", target, nonce="another-nonce-of-16")
        found = failure(stage.ask("DELETE", target, headers=headers))
        assert found.reason == reason
        assert len(stage.venue.replay) == 1


def test_a_full_table_uses_up_no_nonce() -> None:
    stage = Stage(handles=HandlePolicy(handles_max=1))
    assert stage.ask("GET", "/v1/time").status == 200
    headers = stage.sign("GET", "/v1/orders")
    assert failure(stage.ask("GET", "/v1/orders", headers=headers)).reason == "OVERLOADED"
    assert len(stage.venue.replay) == 0


def test_a_request_that_was_given_up_holds_its_place_for_a_while() -> None:
    stage = Stage(handles=HandlePolicy(handles_per_address_max=1))
    assert stage.ask("GET", "/v1/time").status == 200
    answer = stage.ask("GET", "/v1/time")
    assert failure(answer).reason == "RATE_LIMITED"
    assert dict(answer.headers)["retry-after"] == "30"
    stage.now_ns += 30 * SECOND
    assert stage.ask("GET", "/v1/time").status == 200


def test_an_address_that_has_nothing_left_is_refused_before_anything_else(stage: Stage) -> None:
    for _ in range(BURST):
        stage.ask("GET", "/v1/nothing")
    headers = stage.sign("GET", "/v1/orders")
    for target in ("/v1/orders", "/v1/nothing"):
        answer = stage.ask("GET", target, headers=headers)
        found = failure(answer)
        assert (found.reason, found.metadata["scope"]) == ("RATE_LIMITED", "address")
        assert int(dict(answer.headers)["retry-after"]) > 0
    assert len(stage.venue.replay) == 0
    # What reduces risk has the reserve, and other addresses have their own.
    target = "/v1/orders/17"
    headers = stage.sign("DELETE", target)
    assert stage.ask("DELETE", target, headers=headers).status == 200
    assert stage.ask("GET", "/v1/time", address="198.51.100.9").status == 200


def test_a_request_that_its_address_could_not_pay_for_is_not_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the last unit would buy the reading of a body for which many are charged."""
    body = b" " * (50 * 4096) + b"{"
    assert failure(stage.ask("POST", "/v1/sessions", body)).reason == "MESSAGE_MALFORMED"
    assert stage.used == 51
    with monkeypatch.context() as patch:
        # To read it would be logged as a failure.
        patch.delattr(f"{RequestCheck.__module__}.check_body")
        found = failure(stage.ask("POST", "/v1/sessions", body))
        assert (found.reason, found.metadata["scope"]) == ("RATE_LIMITED", "address")
        assert "the check of a request failed" not in caplog.text
    assert stage.used == 51
    assert failure(stage.ask("POST", "/v1/sessions", b"{")).reason == "MESSAGE_MALFORMED"


def ban(stage: Stage) -> None:
    """Go on after refusals until the address is banned."""
    for _ in range(1_000):
        found = failure(stage.ask("GET", "/v1/nothing"))
        if found.metadata.get("scope") == "ban":
            return
    pytest.fail("it was never banned")


CANCELS = [
    ("DELETE", "/v1/orders/17", b""),
    ("POST", "/v1/orders:batchCancel", b"{"),
    ("POST", "/v1/orders:cancelAll", b"{"),
    ("GET", "/v1/limits", b""),
]


@pytest.mark.parametrize(("method", "target", "body"), CANCELS)
@pytest.mark.parametrize("headers", [{}, JUNK, {"x-api-key": "tw_ED"}], ids=["no", "junk", "part"])
def test_what_passes_a_ban_is_paid_in_it_and_strangers_have_half_of_the_reserve(
    stage: Stage, method: str, target: str, body: bytes, headers: dict[str, str]
) -> None:
    ban(stage)
    used = stage.used
    for number in range(1, 96 - used):
        answer = stage.ask(method, target, body, headers)
        assert failure(answer).reason in ("UNAUTHENTICATED", "TOKEN_INVALID")
        assert stage.used == used + number
    # Now nothing of it is looked at, and further bans are not made of it.
    for _ in range(500):
        found = failure(stage.ask(method, target, body, headers))
        assert (found.reason, found.metadata["scope"]) == ("RATE_LIMITED", "address")
    state = stage.limiter.ban(address_buckets(ADDRESS), now_ns=stage.now_ns)
    assert state is not None
    assert state.retry_after_ms == 120_000


def use_up_what_strangers_have(stage: Stage) -> None:
    for _ in range(200):
        stage.ask("DELETE", "/v1/orders/17", headers=JUNK)
    assert stage.used == 95
    # Neither a key nor a token that the venue has not seen helps then.
    for headers in (TOKEN, stage.sign("DELETE", "/v1/orders/17")):
        found = failure(stage.ask("DELETE", "/v1/orders/17", headers=headers))
        assert (found.reason, found.metadata["scope"]) == ("RATE_LIMITED", "address")


@pytest.mark.parametrize("is_banned", [False, True])
@pytest.mark.parametrize("is_signed", [False, True])
def test_cancels_of_who_is_known_pass_when_strangers_have_used_up_their_address(
    stage: Stage, is_signed: bool, is_banned: bool
) -> None:
    target = "/v1/orders/17"

    def credential(nonce: str) -> dict[str, str]:
        return stage.sign("DELETE", target, nonce=nonce) if is_signed else TOKEN

    # A token is known once it was verified, a key once it was used from there.
    assert stage.ask("DELETE", target, headers=credential("nonce-of-16-chars-1")).status == 200
    if is_banned:
        ban(stage)
    for _ in range(200):
        stage.ask("DELETE", target, headers=JUNK)
    assert stage.used == 95
    assert failure(stage.ask("DELETE", target, headers=JUNK)).reason == "RATE_LIMITED"
    answer = stage.ask("DELETE", target, headers=credential("nonce-of-16-chars-2"))
    stage.grant(answer, f"{ORDERS}/CancelOrder")


def test_who_is_not_known_is_a_stranger(stage: Stage) -> None:
    use_up_what_strangers_have(stage)


def test_a_signature_costs_a_unit_where_the_method_costs_nothing(stage: Stage) -> None:
    headers = stage.sign("GET", "/v1/limits")
    assert stage.ask("GET", "/v1/limits", headers=headers).status == 200
    assert stage.used == 1
    # A token costs no verification, and what has a weight is charged by the edge.
    assert stage.ask("GET", "/v1/limits", headers=TOKEN).status == 200
    assert stage.ask("GET", "/v1/orders", headers=stage.sign("GET", "/v1/orders")).status == 200
    assert stage.used == 1


def test_a_key_that_is_banned_has_nothing_read_and_uses_up_no_nonce(stage: Stage) -> None:
    sender = (Bucket("key", "tw_ED"), Bucket("account", "alice"))
    while stage.limiter.ban(sender, now_ns=stage.now_ns) is None:
        stage.limiter.take(sender, weight=4_000, now_ns=stage.now_ns)
    headers = stage.sign("POST", "/v1/orders", b"{")
    answer = stage.ask("POST", "/v1/orders", b"{", headers)
    assert failure(answer).metadata["scope"] == "ban"
    assert dict(answer.headers)["retry-after"] == "120"
    assert stage.used == 1
    target = "/v1/orders/17"
    assert stage.ask("DELETE", target, headers=stage.sign("DELETE", target)).status == 200
    assert len(stage.venue.replay) == 1
    # Other keys are not concerned, nor are accounts without limits.
    assert stage.ask("POST", "/v1/orders", ORDER, TOKEN).status == 200
    stage.limiter.set_exempt("alice", True)
    headers = stage.sign("POST", "/v1/orders", ORDER, nonce="another-nonce-of-16")
    assert stage.ask("POST", "/v1/orders", ORDER, headers).status == 200


# --- what refusals cost, in steps of the interpreter ----------------------------------------------

FULL_ORDER = {
    "clientOrderId": "x",
    "symbol": "BTC-USD",
    "side": "SIDE_BUY",
    "type": "ORDER_TYPE_LIMIT",
    "timeInForce": "TIME_IN_FORCE_GTD",
    "expireTime": "2026-12-31T12:00:00.123456789Z",
    "quantity": "0.01",
    "price": "60000",
}
BATCH = "/v1/orders:batchPlace"
STREAM = "/v1/marketData:stream?"
DIGITS = b'{"orders":[' + b",".join([b"9" * 4_300] * 58) + b"]}"
HUNDRED = json.dumps({"orders": [FULL_ORDER] * 100}).encode()
LAST_IS_BAD = [*[FULL_ORDER] * 99, {**FULL_ORDER, **{f"clientOrderId{n}": 1 for n in range(16)}}]
WORST = {
    "1500 symbols": ("GET", STREAM + "&".join(["symbols=A"] * 1_500), b"", {}),
    "128 symbols": ("GET", STREAM + "&".join(["symbols=A"] * 128), b"", {}),
    "15000 ampersands": ("GET", STREAM + "&" * 15_000, b"", {}),
    "a query of escapes": ("GET", STREAM + "x=1&symbols=" + "%41" * 2_700, b"", {}),
    "16 unknown names": ("GET", STREAM + "&".join(f"symbolsbook{n}=1" for n in range(16)), b"", {}),
    "a path of slashes": ("GET", "/v1/orders" + "/a" * 7_000, b"", {}),
    "a path of escapes": ("GET", "/v1/instruments/" + "%41" * 5_000, b"", {}),
    "a longest path": ("GET", "/v1/orders" + "/a" * 1_019, b"", {}),
    "digits, junk": ("POST", BATCH, DIGITS, JUNK),
    "digits of cancels, junk": ("POST", "/v1/orders:batchCancel", DIGITS, JUNK),
    "100 orders, junk": ("POST", BATCH, HUNDRED, JUNK),
    "digits, nobody": ("POST", "/v1/sessions", DIGITS, {}),
    "digits, known": ("POST", BATCH, DIGITS, TOKEN),
    "99 good orders, known": ("POST", BATCH, json.dumps({"orders": LAST_IS_BAD}).encode(), TOKEN),
    "5000 values, nobody": (
        "POST",
        "/v1/sessions",
        b'{"signature":[' + b",".join([b'{"a":1}'] * 2_400) + b"]}",
        {},
    ),
    "one name 4900 times": ("POST", "/v1/sessions", b'{"apiKey":"a"' + b',"a":1' * 4_900, {}),
    "deep": ("POST", "/v1/sessions", b'{"a":' * 2_400 + b"1" + b"}" * 2_400, {}),
    "a time of 250 KB": (
        "POST",
        "/v1/orders",
        json.dumps({**FULL_ORDER, "expireTime": "1" * 250_000}).encode(),
        TOKEN,
    ),
}
# Calls of functions: about half a millisecond, most of it to find names that are near.
STEPS_PER_UNIT = 5_000


@pytest.mark.parametrize("name", WORST)
def test_what_a_refusal_costs_is_in_proportion_to_its_charge(name: str) -> None:
    stage = Stage(burst=1_000)
    method, target, body, headers = WORST[name]
    stage.ask(method, target, body, headers)
    before = stage.used
    steps = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        answer = stage.ask(method, target, body, headers)
    finally:
        sys.setprofile(None)
    failure(answer)
    units = stage.used - before
    assert 0 < steps <= STEPS_PER_UNIT * units, (steps, units)


@pytest.mark.parametrize("target", [BATCH, "/v1/orders:batchCancel", "/v1/orders"])
def test_nobody_has_a_body_read_without_a_credential(
    stage: Stage, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    monkeypatch.setattr(f"{RequestCheck.__module__}.check_body", lambda body, *_: read.append(body))
    forged = TOKEN["authorization"][:-4] + "AAAA"
    signed = stage.sign("POST", target, HUNDRED) | {"x-api-signature": "A" * 86}
    for headers in ({}, JUNK, {"authorization": forged}, signed, {**TOKEN, **signed}):
        assert stage.ask("POST", target, HUNDRED, headers).status == 401
    assert read == []
    assert stage.ask("POST", target, HUNDRED, TOKEN).status == 200
    assert read == [HUNDRED]


def test_failing_signatures_are_throttled_before_they_are_verified(stage: Stage) -> None:
    reasons_found = []
    for _ in range(25):
        headers = stage.sign("GET", "/v1/orders") | {"x-api-signature": "A" * 86}
        reasons_found.append(failure(stage.ask("GET", "/v1/orders", headers=headers)).reason)
    assert reasons_found == ["SIGNATURE_INVALID"] * 20 + ["RATE_LIMITED"] * 5
    headers = stage.sign("GET", "/v1/orders")
    answer = stage.ask("GET", "/v1/orders", headers=headers)
    assert failure(answer).metadata["scope"] == "sign_in"
    assert dict(answer.headers)["retry-after"] == "6"


def test_two_addresses_are_none(stage: Stage) -> None:
    headers = (("x-tradewire-client-address", ADDRESS), ("x-tradewire-client-address", "10.0.0.1"))
    answer = stage.check.decide(RawRequest("GET", "/v1/time", headers, b""))
    assert failure(answer).reason == "UNAUTHENTICATED"
    # The first is Envoy's.
    assert (stage.used, stage.used_by("10.0.0.1")) == (1, 0)


def test_a_broken_rule_of_ours_lets_nothing_pass(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("secret of the house")

    monkeypatch.setattr(stage.handles, "issue", broken)
    answer = stage.ask("GET", "/v1/time")
    assert failure(answer).reason == "INTERNAL"
    assert b"secret" not in answer.body
    assert "the check of a request failed" in caplog.text


def test_a_denial_is_json_as_grpc_gateway_writes_it(stage: Stage) -> None:
    content = json.loads(stage.ask("GET", "/v1/nothing").body)
    assert content["code"] == 12
    assert content["message"] == "METHOD_NOT_FOUND: there is no path /v1/nothing"
    (detail,) = content["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (detail["reason"], detail["domain"]) == ("METHOD_NOT_FOUND", "tradewire")
    assert detail["metadata"]["outcome"] == "refused"


@pytest.mark.parametrize(
    "route", routes(), ids=lambda route: f"{route.http_method} {route.template}"
)
def test_every_route_can_be_reached(stage: Stage, route: Any) -> None:
    target = route.template.replace("{", "").replace("}", "")
    body = b"{}" if route.has_body else b""
    stage.grant(stage.ask(route.http_method, target, body, TOKEN), route.method.path)
