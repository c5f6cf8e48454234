"""The AsyncAPI document says what the contract says: its methods, messages, examples and errors."""

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import protovalidate
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import status_pb2
from jsonschema_rs import Draft7Validator
from tradewire.v1 import options_pb2, stream_pb2, websocket_pb2
from tradewire_contract import ContractError, Method, methods, reasons
from tradewire_contract.asyncapi import bounds, build, document, text
from tradewire_contract.generated import generated
from tradewire_contract.openapi import document as openapi_document
from tradewire_contract.openapi.document import render
from tradewire_gateway.ws import json_rpc
from tradewire_gateway.ws.json_form import DEPTH_MAX, plain, reader
from tradewire_gateway.ws.options import PATH, WebSocketLimits

from tests.unit.gateway.ws.json_form.samples import descriptor_of

DOCUMENT = document()
IMAGE = FileDescriptorSet.FromString(generated("tradewire.binpb"))
METHODS = {method.json_rpc: method for method in methods().values() if method.json_rpc}
STREAMS = [name for name, method in METHODS.items() if method.server_streaming]
OWN = {
    rule.request or rule.notification: descriptor
    for descriptor in websocket_pb2.DESCRIPTOR.message_types_by_name.values()
    for rule in [descriptor.GetOptions().Extensions[options_pb2.json_rpc_message]]
    if rule.request or rule.notification
}
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
OPERATIONS: dict[str, Any] = DOCUMENT["operations"]
WHOLE = {"components": DOCUMENT["components"]}
PARSER = Path(__file__).parents[2] / "support" / "asyncapi_parser"


def checks(message: str) -> Draft7Validator:
    """Return a validator of the payload of a message."""
    return Draft7Validator(WHOLE | {"allOf": [MESSAGES[message]["payload"]]}, validate_formats=True)


def examples(message: str) -> list[Any]:
    return [example["payload"] for example in MESSAGES[message].get("examples", ())]


def test_it_is_what_the_contract_gives() -> None:
    assert render(build(IMAGE)) == text()


def test_every_method_is_sent_and_answered() -> None:
    for name, method in METHODS.items():
        operation = OPERATIONS[name]
        assert operation["action"] == "send"
        assert operation["messages"] == [{"$ref": f"#/channels/connection/messages/{name}"}]
        assert operation["reply"]["messages"] == [
            {"$ref": f"#/channels/connection/messages/{name}.result"},
            {"$ref": "#/channels/connection/messages/error"},
        ]
        assert operation["x-tradewire-grpc"] == method.path
        assert ("security" in operation) == (method.scope != "public")
        assert set(method.reasons) <= set(operation["x-tradewire-reasons"])


def test_what_a_stream_sends_is_received() -> None:
    received = [name for name, found in OPERATIONS.items() if found["action"] == "receive"]
    notified = ["subscription.closed", "connection.closing"]
    assert received == [f"{name}.message" for name in STREAMS] + notified


def test_nothing_is_there_beside_methods_and_the_connection() -> None:
    own = [name for name in OWN if name not in ("subscription.closed", "connection.closing")]
    sent = [name for name, found in OPERATIONS.items() if found["action"] == "send"]
    assert sorted(sent) == sorted([*METHODS, *own, "batch"])
    assert all(OPERATIONS[name]["description"] for name in OPERATIONS)
    channel = DOCUMENT["channels"]["connection"]
    assert (channel["address"], sorted(channel["messages"])) == (PATH, sorted(MESSAGES))


def test_a_request_is_that_of_the_method() -> None:
    for name in [*METHODS, *(name for name in OWN if name in OPERATIONS)]:
        if OPERATIONS[name]["action"] == "send":
            (frame,) = examples(name)
            assert frame["method"] == name
            assert checks(name).is_valid(frame)
            assert not checks(name).is_valid(frame | {"method": "other.method"})
            assert not checks(name).is_valid(frame | {"more": 1})
            assert not checks(name).is_valid(frame | {"params": {**frame["params"], "more": 1}})


def request_of(name: str) -> Descriptor:
    return METHODS[name].request if name in METHODS else OWN[name]


@pytest.mark.parametrize("name", [*METHODS, "subscription.cancel", "connection.configure"])
def test_the_example_of_a_request_is_one_that_the_venue_takes(name: str) -> None:
    (frame,) = examples(name)
    protovalidate.validate(reader(request_of(name))(frame["params"]))


def answered(name: str) -> tuple[str, Descriptor]:
    if name in STREAMS:
        return "result", descriptor_of(websocket_pb2.Subscription)
    return "result", METHODS[name].response


@pytest.mark.parametrize("name", METHODS)
def test_the_example_of_an_answer_is_a_whole_answer(name: str) -> None:
    (frame,) = examples(f"{name}.result")
    member, descriptor = answered(name)
    assert checks(f"{name}.result").is_valid(frame)
    message = reader(descriptor)(frame[member])
    assert plain(descriptor)(message) == frame[member]
    limit = descriptor_of(stream_pb2.RateLimit)
    assert plain(limit)(reader(limit)(frame["rateLimit"])) == frame["rateLimit"]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_has_an_example_of_everything_that_it_sends(name: str) -> None:
    response = METHODS[name].response
    events = [frame["params"]["message"] for frame in examples(f"{name}.message")]
    assert [next(iter(event)) for event in events] == [each.json_name for each in response.fields]
    for frame in examples(f"{name}.message"):
        assert checks(f"{name}.message").is_valid(frame)
        reader(response)(frame["params"]["message"])


@pytest.mark.parametrize("name", ["subscription.closed", "connection.closing"])
def test_a_notification_of_the_connection_has_an_example(name: str) -> None:
    (frame,) = examples(name)
    assert checks(name).is_valid(frame)
    assert plain(OWN[name])(reader(OWN[name])(frame["params"])) == frame["params"]


def test_every_error_of_the_catalogue_has_an_example() -> None:
    named = {example["name"]: example["payload"] for example in MESSAGES["error"]["examples"]}
    assert list(named) == [entry.name for entry in reasons().values() if entry.code]
    status = descriptor_of(status_pb2.Status)
    for frame in named.values():
        assert checks("error").is_valid(frame)
        assert plain(status)(reader(status)(frame["error"]["data"])) == frame["error"]["data"]
    assert named["METHOD_NOT_FOUND"]["error"]["code"] == json_rpc.METHOD_NOT_FOUND


def test_schemas_are_those_of_rest() -> None:
    ours, rest = DOCUMENT["components"]["schemas"], openapi_document()["components"]["schemas"]
    shared = set(ours) & set(rest) - {"Status"}
    assert len(shared) > 60
    # There a description stands beside a reference, here around it.
    assert {name: without_references(ours[name]) for name in shared} == {
        name: without_references(rest[name]) for name in shared
    }


def without_references(value: Any) -> Any:
    if isinstance(value, list):
        return [without_references(item) for item in value]
    if isinstance(value, dict):
        if "$ref" in value or "$ref" in (value.get("allOf") or [{}])[0]:
            return value.get("$ref") or value["allOf"][0]["$ref"]
        return {key: without_references(inner) for key, inner in value.items()}
    return value


def test_what_is_sent_to_a_subscription_is_a_request_of_its_stream() -> None:
    (frame,) = examples("subscription.send")
    order = examples("orders.place")[0]["params"]
    sent = frame["params"] | {"message": {"commands": [{"place": order}]}}
    assert checks("subscription.send").is_valid(frame | {"params": sent})
    wrong = frame["params"] | {"message": {"commands": [{"put": order}]}}
    assert not checks("subscription.send").is_valid(frame | {"params": wrong})


def test_a_batch_is_an_array_of_requests() -> None:
    requests = [examples(name)[0] for name in ("orders.place", "session.time")]
    assert checks("batch").is_valid(requests)
    assert not checks("batch").is_valid([])
    assert not checks("batch").is_valid(requests[0])
    assert not checks("batch").is_valid(["orders.place"])
    assert checks("batch").is_valid(requests * 128)
    assert not checks("batch").is_valid(requests * 129)
    assert checks("batch.result").is_valid([examples("orders.place.result")[0], *examples("error")])


def test_an_id_is_a_short_text_or_a_whole_number() -> None:
    (frame,) = examples("session.time")
    good = ["", "x" * 64, 0, -(2**53) + 1, 2**53 - 1]
    bad = ["x" * 65, 1.5, 2**53, None, [], True]
    assert [
        value for value in good if not checks("session.time").is_valid(frame | {"id": value})
    ] == []
    assert [value for value in bad if checks("session.time").is_valid(frame | {"id": value})] == []
    without = {key: value for key, value in frame.items() if key != "id"}
    assert checks("session.time").is_valid(without)


def test_the_bounds_are_those_of_the_gateway() -> None:
    limits = WebSocketLimits()
    assert dataclasses.asdict(limits) | {
        "websocket_frame_bytes_max": bounds.FRAME_KIB << 10,
        "websocket_batch_max": bounds.BATCH_MAX,
        "websocket_unanswered_max": bounds.UNANSWERED_MAX,
        "websocket_unanswered_bytes_max": bounds.UNANSWERED_MIB << 20,
        "websocket_subscriptions_max": bounds.SUBSCRIPTIONS_MAX,
        "websocket_malformed_max": bounds.MALFORMED_MAX,
        "websocket_ping_s": bounds.PING_S,
        "websocket_idle_s": bounds.IDLE_S,
        "websocket_stalled_s": bounds.STALLED_S,
        "websocket_lifetime_s": bounds.LIFETIME_H * 3_600,
        "websocket_notice_s": bounds.NOTICE_S,
    } == dataclasses.asdict(limits)
    assert bounds.PATH == PATH
    assert bounds.DEPTH_MAX == DEPTH_MAX
    assert (bounds.ID_LENGTH_MAX, bounds.ID_NUMBER_MAX) == (
        json_rpc.ID_LENGTH_MAX,
        json_rpc.ID_NUMBER_MAX,
    )


def test_two_messages_of_one_name_are_refused() -> None:
    method: Method = METHODS["session.time"]
    with pytest.raises(ContractError, match=r"session\.time"):
        build(IMAGE, [method, method])


@pytest.mark.skipif(
    shutil.which("node") is None or not (PARSER / "node_modules").is_dir(),
    reason="needs node, and the package that `make asyncapi-parser` installs where npm is",
)
def test_the_parser_of_asyncapi_finds_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "asyncapi.json"
    path.write_text(text())
    done = subprocess.run(
        ["node", PARSER / "check.mjs", path], capture_output=True, text=True, check=True, timeout=90
    )
    found = json.loads(done.stdout)
    # 3.1 has nothing that is needed here, and fewer programs read it.
    assert [each["code"] for each in found["diagnostics"]] == ["asyncapi-latest-version"]
    assert {operation["id"]: operation["action"] for operation in found["operations"]} == {
        name: operation["action"] for name, operation in OPERATIONS.items()
    }
    replies = {operation["id"]: operation["replies"] for operation in found["operations"]}
    assert replies["orders.place"] == ["orders.place.result", "error"]
