"""Whether an answer is right for the request that was sent, by the contract alone.

An oracle reads the request (`requests_by_contract`). What it refuses must be refused as
FIELD_INVALID or MESSAGE_MALFORMED; what it accepts must not be, except for what the contract says
in words only (IN_WORDS). That is sharper than "some 4xx" and than the document's schema: protobuf
reads numbers in place of an enum's names, so data that breaks the schema may rightly be accepted.
"""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from tradewire_contract import Route, allowed_methods, reasons

from tests.acceptance.rest.requests_by_contract import NotOfTheContract, path_of, read, route_of

# Of these the contract speaks in comments: neither annotation nor schema can say it.
IN_WORDS = {
    # What an answer contained.
    "page_token": {"ListKeys", "ListOrders", "ListInstruments"},
    # 32 bytes as base64url, of Ed25519 only, never registered before.
    "public_key": {"CreateKey", "RotateKey"},
    # CIDR.
    "addresses": {"CreateKey"},
    # Printable.
    "label": {"CreateKey"},
    # In the future.
    "expire_time": {"CreateKey"},
    # Of a key that is live.
    "api_key": {"RotateKey"},
}
MALFORMED = {"FIELD_INVALID", "MESSAGE_MALFORMED"}
NO_ROUTE = {"METHOD_NOT_FOUND", "METHOD_NOT_ALLOWED", "MESSAGE_MALFORMED"}
BODY_MAX = 256 << 10
# A time long past for every test, and no time at all.
LONG_PAST_S = 1_700_000_000


def keeps_the_contract(ctx: Any, response: Any, case: Any) -> None:
    """Check an answer, as one of schemathesis' checks."""
    sent = response.request
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    route = route_of(sent.method, sent.url)
    if response.status_code == 200:
        assert route is not None, "there is no such path"
        read(sent.method, sent.url, body)
        check_answer(route, response.text)
        return
    reason, fields = read_error(response.status_code, response.text)
    if len(body) > BODY_MAX:
        assert reason == "REQUEST_TOO_LARGE", reason
        return
    if route is None:
        assert reason in NO_ROUTE, reason
        verbs = ", ".join(allowed_methods(path_of(sent.url)))
        if reason == "METHOD_NOT_ALLOWED":
            assert response.headers["allow"] == [verbs]
        return
    request = refusal = None
    try:
        request = read(sent.method, sent.url, body)
    except NotOfTheContract as why:
        refusal = why
    if request is None:
        assert reason in MALFORMED, f"{reason}, although {refusal}"
        return
    assert reason in documented(case, response.status_code), f"{reason} is not documented"
    assert reason != "MESSAGE_MALFORMED"
    if reason == "FIELD_INVALID":
        assert fields, "names no field"
        assert all(route.method.name in IN_WORDS.get(field, ()) for field in fields), fields
    if response.status_code >= 500:
        assert reason == "DEADLINE_PASSED", reason
        assert was_late(request), request


def documented(case: Any, status: int) -> list[str]:
    """Return the reasons that the document names for a status of an operation."""
    response = case.operation.responses.get(str(status))
    found: list[str] = response.definition["x-tradewire-reasons"]
    return found


def read_error(http_status: int, text: str) -> tuple[str, list[str]]:
    """Return the reason of an error and the fields that it names; its form must be right."""
    status = json_format.Parse(text, status_pb2.Status())
    info, violations = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    for detail in status.details[1:]:
        assert detail.Unpack(violations)
    (entry,) = (entry for entry in reasons().values() if entry.name == info.reason)
    assert status.code == entry.code
    assert http_status == entry.http_status
    return info.reason, [violation.field for violation in violations.field_violations]


def check_answer(route: Route, text: str) -> None:
    """Parse an answer: nothing in it is unknown, and nothing that must be printed is missing."""
    kind = GetMessageClass(route.method.response)
    for answer in events_of(text) if route.method.server_streaming else [text]:
        message = json_format.Parse(answer, kind())
        printed = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
        assert json.loads(answer) == printed


def events_of(text: str) -> list[str]:
    """Return the data of each event of a stream, which is framed just as documented."""
    *frames, rest = text.split("\n\n")
    assert rest == ""
    assert all(frame.startswith("data: {") and "\n" not in frame for frame in frames), text
    return [frame.removeprefix("data: ") for frame in frames]


def was_late(request: Message) -> bool:
    """Say whether a request asked not to be done any more."""
    field = request.DESCRIPTOR.fields_by_name.get("valid_until")
    if field is None or not request.HasField("valid_until"):
        return False
    seconds: int = request.valid_until.seconds  # type: ignore[attr-defined]
    return seconds < LONG_PAST_S
