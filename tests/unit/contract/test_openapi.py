"""The OpenAPI document says what the contract says: its paths, rules, examples and answers."""

import copy
import json
from pathlib import Path
from typing import Any

import protovalidate
import pytest
from buf.validate import validate_pb2
from google.protobuf import json_format, text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate
from tradewire.v1 import options_pb2
from tradewire_contract import ContractError, Route, methods, reasons, routes
from tradewire_contract.generated import generated
from tradewire_contract.openapi import build, document, render, text
from tradewire_contract.openapi.comments import summary
from tradewire_contract.openapi.operations import operation_id

from tests.support.bad_values import TEXTS
from tests.unit.contract.planted import Planted

DOCUMENT = document()
IMAGE = FileDescriptorSet.FromString(generated("tradewire.binpb"))
ALL = routes()
IDS = [operation_id(route) for route in ALL]
OPERATIONS: dict[str, Any] = {
    operation["operationId"]: operation | {"path": path, "verb": verb.upper()}
    for path, operations in DOCUMENT["paths"].items()
    for verb, operation in operations.items()
}
# JSON Schema has no references into an OpenAPI document, so the whole of it is the schema.
WHOLE = {"components": DOCUMENT["components"]}


def checks(schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of a schema in the document."""
    return Draft202012Validator(WHOLE | {"allOf": [schema]}, validate_formats=True)


def operation_of(route: Route) -> Any:
    return OPERATIONS[operation_id(route)]


def body_of(route: Route) -> Any:
    return operation_of(route)["requestBody"]["content"]["application/json"]


def answer_of(route: Route) -> Any:
    (content,) = operation_of(route)["responses"]["200"]["content"].values()
    return content


def new(descriptor: Descriptor) -> Message:
    return GetMessageClass(descriptor)()


def test_it_is_a_valid_openapi_document() -> None:
    validate(copy.deepcopy(DOCUMENT))


def test_it_is_made_of_the_descriptors_and_always_the_same() -> None:
    assert render(build(IMAGE)) == text()


def test_it_has_every_path_of_the_contract_and_no_other() -> None:
    shape = {variable: "{}" for route in ALL for variable in route.variables}
    expected = {(r.http_method, r.template.format(**shape)) for r in ALL}
    named = {p["name"]: "{}" for o in OPERATIONS.values() for p in o.get("parameters", ())}
    found = {(o["verb"], o["path"].format(**named)) for o in OPERATIONS.values()}
    assert found == expected
    assert len(OPERATIONS) == len(ALL)


def test_methods_of_the_operator_are_not_in_it() -> None:
    assert "AdminService" not in text()
    assert {o["x-tradewire-scope"] for o in OPERATIONS.values()} == {
        method.scope for method in methods().values()
    } - {"admin"}


@pytest.mark.parametrize("route", ALL, ids=IDS)
def test_an_operation_carries_what_the_contract_says_of_its_method(route: Route) -> None:
    operation, method = operation_of(route), route.method
    assert operation["x-tradewire-grpc"] == method.path
    assert operation["x-tradewire-weight"] == method.weight
    assert operation["x-tradewire-idempotent"] == method.idempotent
    assert operation["summary"]
    assert operation["description"].startswith(method.name)
    assert operation["tags"] == [method.service.rpartition(".")[2]]
    required = [scheme for choice in operation["security"] for scheme in choice.items()]
    assert bool(required) == (method.scope != "public")
    assert all(scopes == [method.scope] for _, scopes in required)
    documented = {
        reason
        for status, response in operation["responses"].items()
        if status != "200"
        for reason in _response(response)["x-tradewire-reasons"]
    }
    assert set(method.reasons) <= documented
    statuses = {entry.name: entry.http_status for entry in reasons().values()}
    for status, response in operation["responses"].items():
        # The gateway keeps 431 for headers that are too large.
        if status not in ("200", "431"):
            names = _response(response)["x-tradewire-reasons"]
            assert {str(statuses[name]) for name in names} == {status}


def _response(response: Any) -> Any:
    if "$ref" not in response:
        return response
    return DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]


@pytest.mark.parametrize("route", ALL, ids=IDS)
def test_every_field_of_a_request_is_a_parameter_or_in_the_body(route: Route) -> None:
    operation = operation_of(route)
    parameters = {(p["in"], p["name"]) for p in operation.get("parameters", ())}
    assert {name for place, name in parameters if place == "query"} == {
        field.json_name for field in route.query_fields
    }
    assert len([name for place, name in parameters if place == "path"]) == len(route.variables)
    assert ("requestBody" in operation) == route.has_body
    if route.has_body:
        assert set(_resolved(body_of(route)["schema"])["properties"]) == {
            field.json_name for field in route.body_fields
        }


def _resolved(schema: Any) -> Any:
    if "$ref" not in schema:
        return schema
    return DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


def example_request(route: Route) -> Message:
    """Return the message that the documented example makes on this path."""
    request = new(route.method.request)
    variables = iter(route.variables)
    for parameter in operation_of(route).get("parameters", ()):
        if "example" in parameter:
            is_path = parameter["in"] == "path"
            name = next(variables) if is_path else parameter["name"]
            json_format.ParseDict({name: parameter["example"]}, request)
    if route.has_body:
        json_format.ParseDict(body_of(route)["example"], request)
    return request


@pytest.mark.parametrize("route", ALL, ids=IDS)
def test_an_example_of_a_request_keeps_the_schema_and_the_contract(route: Route) -> None:
    for parameter in operation_of(route).get("parameters", ()):
        assert not parameter["required"] or "example" in parameter
        if "example" in parameter:
            checks(parameter["schema"]).validate(parameter["example"])
    if route.has_body:
        checks(body_of(route)["schema"]).validate(body_of(route)["example"])
    request = example_request(route)
    assert protovalidate.collect_violations(request) == []
    for order in getattr(request, "orders", ()):
        assert protovalidate.collect_violations(order) == []


@pytest.mark.parametrize("route", ALL, ids=IDS)
def test_an_example_of_an_answer_keeps_the_schema_and_the_contract(route: Route) -> None:
    content = answer_of(route)
    if route.method.server_streaming:
        schema = content["schema"]["properties"]["data"]["contentSchema"]
        frames = content["example"].split("\n\n")
        assert frames.pop() == ""
        answers = [json.loads(frame.removeprefix("data: ")) for frame in frames]
        kinds = [field.json_name for field in route.method.response.oneofs[0].fields]
        assert [next(iter(answer)) for answer in answers] == kinds
    else:
        schema, answers = content["schema"], [content["example"]]
    for answer in answers:
        checks(schema).validate(answer)
        parsed = json_format.ParseDict(answer, new(route.method.response))
        # Nothing that an answer prints is missing in it.
        assert as_json(parsed) == answer


def as_json(message: Message) -> Any:
    """Return a message as the gateway prints it."""
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def test_an_example_of_every_reason_is_an_error_of_the_catalogue() -> None:
    for name, example in DOCUMENT["components"]["examples"].items():
        checks({"$ref": "#/components/schemas/Status"}).validate(example["value"])
        status = json_format.ParseDict(example["value"], status_pb2.Status())
        info = error_details_pb2.ErrorInfo()
        assert status.details[0].Unpack(info)
        assert info.reason == name


def test_every_reference_leads_somewhere_and_everything_is_referred_to() -> None:
    referred = set[str]()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                referred.add(value["$ref"])
            for child in value.values():
                walk(child)
        elif isinstance(value, list):
            for child in value:
                walk(child)

    walk(DOCUMENT)
    kinds = ("schemas", "responses", "examples")
    defined = {
        f"#/components/{kind}/{name}" for kind in kinds for name in DOCUMENT["components"][kind]
    }
    assert {ref for ref in referred if ref.split("/")[2] in kinds} == defined


# What the servers check, message by message, is what the schemas say, field by field.

REQUESTS = {
    message.full_name: message
    for route in ALL
    for message in [
        route.method.request,
        *(field.message_type for field in route.method.request.fields),
    ]
    if message is not None and message.full_name.startswith("tradewire.")
}
FIELDS = [field for message in REQUESTS.values() for field in message.fields]


def schema_of(field: FieldDescriptor) -> Any:
    """Return the documented schema of a request's field, from a body or a parameter."""
    assert field.containing_type is not None
    schemas = DOCUMENT["components"]["schemas"]
    name = field.containing_type.name
    for component in (name, name.replace("Request", "Body")):
        if field.json_name in schemas.get(component, {}).get("properties", ()):
            return schemas[component]["properties"][field.json_name]
    for route in ALL:
        if route.method.request.name == name:
            for parameter in operation_of(route).get("parameters", ()):
                decided = parameter["in"] == "path" and field.name in route.variables
                if decided or parameter["name"] == field.json_name:
                    return parameter["schema"]
    raise AssertionError(f"{field.full_name} is nowhere in the document")


def keeps_contract(field: FieldDescriptor, value: Any) -> bool:
    """Say whether the contract's rules accept a value of a field."""
    message = new(field.containing_type)  # type: ignore[arg-type]
    try:
        json_format.ParseDict({field.json_name: value}, message)
    except json_format.ParseError:
        return False
    return not any(
        violation.proto.field is not None
        and violation.proto.field.elements[0].field_name == field.name
        for violation in protovalidate.collect_violations(message)
    )


def candidates(field: FieldDescriptor) -> list[Any]:
    """Return values of a field's JSON type, good, bad and at the ends."""
    if field.enum_type is not None:
        singles: list[Any] = [*(value.name for value in field.enum_type.values), "NO_SUCH_VALUE"]
    elif field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64):
        ends = (0, 1, 1000, 1001, 60_000, 60_001, 604_800, 604_801, 2**31 - 1, 2**63 - 1)
        singles = [*ends, *(-end for end in ends if end), 2**31, 2**63]
    elif field.type == FieldDescriptor.TYPE_STRING:
        lengths = (1, 2, 8, 9, 16, 17, 36, 37, 64, 65, 128, 129, 256, 257, 8192, 8193)
        good = ("BTC-USD", "A-B", "7", "0.5", "1" * 18, "a" * 20, "demo-1", "A" * 12 + "-B")
        singles = [*TEXTS, *good, *("x" * length for length in lengths)]
    else:
        return []
    if not field.is_repeated:
        return singles
    pairs = [[value, value] for value in singles[:2]]
    many = [[f"A{number}-B" for number in range(count)] for count in (20, 21, 100, 101)]
    return [[], *([value] for value in singles), *pairs, *(many if field.enum_type is None else ())]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.full_name[13:])
def test_a_value_keeps_the_schema_if_it_keeps_the_contract(field: FieldDescriptor) -> None:
    validator = checks(schema_of(field))
    for value in candidates(field):
        assert validator.is_valid(value) == keeps_contract(field, value), value


@pytest.mark.parametrize("message", REQUESTS.values(), ids=lambda message: message.name)
def test_a_field_is_required_if_a_request_without_it_is_refused(message: Descriptor) -> None:
    refused = {
        violation.proto.field.elements[0].field_name
        for violation in protovalidate.collect_violations(new(message))
        if violation.proto.field is not None
    }
    oneofs = {oneof.name for oneof in message.oneofs}
    schema = DOCUMENT["components"]["schemas"].get(message.name)
    if schema is not None:
        names = {message.fields_by_name[name].json_name for name in refused - oneofs}
        assert set(schema.get("required", ())) == names
        with_choice = "oneOf" in schema or schema.get("minProperties") == 1
        assert with_choice == bool(refused & oneofs)


def test_a_request_has_no_field_beside_the_documented_ones() -> None:
    for route in ALL:
        if route.has_body:
            assert _resolved(body_of(route)["schema"])["additionalProperties"] is False


# What an answer may print.


@pytest.mark.parametrize("route", ALL, ids=IDS)
def test_empty_and_full_answers_keep_the_schema(route: Route) -> None:
    content = answer_of(route)
    schema = content["schema"]
    if route.method.server_streaming:
        schema = schema["properties"]["data"]["contentSchema"]
    for answer in (new(route.method.response), *filled(route.method.response)):
        checks(schema).validate(as_json(answer))


def filled(descriptor: Descriptor) -> list[Message]:
    """Return messages with a value in every field; one for each member of a oneof."""
    most = max((len(oneof.fields) for oneof in descriptor.oneofs), default=1)
    return [_filled(descriptor, choice) for choice in range(most)]


def _filled(descriptor: Descriptor, choice: int) -> Message:
    message = new(descriptor)
    if isinstance(message, status_pb2.Status):
        example = DOCUMENT["components"]["examples"]["RATE_LIMITED"]["value"]
        return json_format.ParseDict(example, message)
    for field in descriptor.fields:
        oneof = field.containing_oneof
        if oneof is not None and oneof.fields[choice % len(oneof.fields)] is not field:
            continue
        if field.message_type is not None:
            inner = _filled(field.message_type, choice)
            target = getattr(message, field.name)
            _ = target.add().CopyFrom(inner) if field.is_repeated else target.CopyFrom(inner)
        elif field.is_repeated:
            getattr(message, field.name).append(_value(field))
        else:
            setattr(message, field.name, _value(field))
    return message


def _value(field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "text"
    return True if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else 7


# What cannot be said makes the generator fail.


def refuse(planted: Planted) -> str:
    """Return why no document can be made of a contract."""
    with pytest.raises(ContractError) as refused:
        build(planted.image(), planted.routes())
    return str(refused.value)


def rules(field: FieldDescriptorProto) -> validate_pb2.FieldRules:
    return field.options.Extensions[validate_pb2.field]


def test_a_planted_contract_without_anything_unusual_is_documented() -> None:
    planted = Planted()
    field = planted.add_field("name", FieldDescriptorProto.TYPE_STRING)
    rules(field).string.max_len = 3
    made = build(planted.image(), planted.routes())
    schema = made["components"]["schemas"]["ActRequest"]
    assert schema["properties"] == {"name": {"type": "string", "maxLength": 3}}


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (FieldDescriptorProto.TYPE_STRING, "string { email: true }"),
        (FieldDescriptorProto.TYPE_STRING, "string { prefix: 'a' }"),
        (FieldDescriptorProto.TYPE_STRING, "string { const: 'a' }"),
        (FieldDescriptorProto.TYPE_STRING, "string { pattern: '^\\\\d$' }"),
        (FieldDescriptorProto.TYPE_STRING, "string { pattern: 'unanchored' }"),
        (FieldDescriptorProto.TYPE_STRING, "ignore: IGNORE_IF_ZERO_VALUE string { min_len: 2 }"),
        (FieldDescriptorProto.TYPE_STRING, "cel { id: 'x' expression: 'true' }"),
        (FieldDescriptorProto.TYPE_INT32, "int32 { in: [1, 2] }"),
        (FieldDescriptorProto.TYPE_INT64, "int64 { gte: 5 }"),
        (FieldDescriptorProto.TYPE_BOOL, "bool { const: true }"),
        (FieldDescriptorProto.TYPE_BYTES, "bytes { min_len: 2 }"),
        (FieldDescriptorProto.TYPE_MESSAGE, "timestamp { gt_now: true }"),
    ],
    ids=lambda value: str(value).split(" {")[0] if isinstance(value, str) else "",
)
def test_a_rule_without_a_translation_is_refused(
    kind: "FieldDescriptorProto.Type.ValueType", rule: str
) -> None:
    planted = Planted()
    is_message = kind == FieldDescriptorProto.TYPE_MESSAGE
    name = ".google.protobuf.Timestamp" if is_message else ""
    field = planted.add_field("name", kind, type_name=name)
    text_format.Parse(rule, rules(field))
    assert "ActRequest.name" in refuse(planted)


def test_a_rule_at_a_message_is_refused() -> None:
    planted = Planted()
    planted.add_field("name", FieldDescriptorProto.TYPE_STRING)
    planted.request.options.Extensions[validate_pb2.message].cel.add(id="x", expression="true")
    assert "ActRequest" in refuse(planted)


def test_a_floating_point_field_is_refused() -> None:
    planted = Planted()
    planted.add_field("price", FieldDescriptorProto.TYPE_DOUBLE)
    assert "ActRequest.price" in refuse(planted)


def test_a_message_that_is_sent_and_received_is_refused() -> None:
    planted = Planted()
    planted.method.output_type = planted.method.input_type
    assert "in requests and in answers" in refuse(planted)


def test_a_needed_field_without_an_example_is_refused() -> None:
    planted = Planted()
    field = planted.add_field("unheard_of", FieldDescriptorProto.TYPE_STRING)
    rules(field).string.min_len = 1
    assert "has no example" in refuse(planted)
    field.options.Extensions[options_pb2.example] = '"x"'
    made = build(planted.image(), planted.routes())
    content = made["paths"]["/v1/acts"]["post"]["requestBody"]["content"]["application/json"]
    assert content["example"] == {"unheardOf": "x"}


def test_two_paths_of_one_variable_would_have_one_name() -> None:
    planted = Planted()
    field = planted.add_field("name", FieldDescriptorProto.TYPE_STRING)
    field.options.Extensions[options_pb2.example] = '"x"'
    planted.http.post = "/v1/acts/{name}"
    for place in ("b", "c"):
        planted.http.additional_bindings.add(post=f"/v1/acts/{place}/{{name}}", body="*")
    assert "planted.act.byName" in refuse(planted)


def test_a_deprecated_method_says_so_in_every_answer() -> None:
    planted = Planted()
    planted.rule.deprecation.since = "2027-01-01"
    planted.rule.deprecation.sunset = "2027-07-01"
    planted.rule.deprecation.link = "/docs/changelog"
    operation = build(planted.image(), planted.routes())["paths"]["/v1/acts"]["post"]
    assert operation["deprecated"] is True
    assert operation["x-deprecated-since"] == "2027-01-01"
    assert operation["x-sunset"] == "2027-07-01"
    for response in operation["responses"].values():
        assert {"Deprecation", "Sunset", "Link"} <= response["headers"].keys()


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("PlaceOrder places an order. After it, rest.", "Places an order"),
        ("GetX reads `BTC-USD`, e.g. `ETH-USD`, at 1.5 per cent.", None),
        ("EndX ends", "Ends"),
    ],
)
def test_a_summary_is_the_first_sentence_without_the_name(
    comment: str, expected: str | None
) -> None:
    assert summary(comment) == (expected or "Reads `BTC-USD`, e.g. `ETH-USD`, at 1.5 per cent")


def test_comments_name_fields_as_in_json() -> None:
    operation = OPERATIONS["orders.place"]
    assert "clientOrderId" in operation["description"]
    assert "client_order_id" not in text()


def test_an_installed_package_reads_its_own_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tradewire_contract"
    (package / "gen").mkdir(parents=True)
    (package / "gen" / "openapi.json").write_bytes(b"{}")
    monkeypatch.setattr("tradewire_contract.generated.__file__", str(package / "generated.py"))
    assert generated("openapi.json") == b"{}"
