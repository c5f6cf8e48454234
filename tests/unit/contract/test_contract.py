"""The contract holds its own rules: what the servers, gateways and documents rely on."""

from collections import Counter

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from tradewire.v1 import (
    account_pb2,
    account_service_pb2,
    execution_service_pb2,
    market_data_service_pb2,
    market_pb2,
    options_pb2,
    order_pb2,
    order_service_pb2,
    stream_pb2,
)
from tradewire_contract import ContractError, Method, methods, reasons
from tradewire_contract.methods import SERVICE_FILES, read_method

MESSAGE_FILES = (
    order_pb2.DESCRIPTOR,
    market_pb2.DESCRIPTOR,
    account_pb2.DESCRIPTOR,
    stream_pb2.DESCRIPTOR,
    *SERVICE_FILES,
)
STREAM_RESPONSES = (
    order_service_pb2.EnterOrdersResponse,
    execution_service_pb2.StreamExecutionsResponse,
    account_service_pb2.StreamAccountResponse,
    market_data_service_pb2.StreamMarketDataResponse,
)
ALL = list(methods().values())
OUTCOMES = ("refused", "rejected", "unknown", "order_event", "stream_closed")
RESERVE_METHODS = {"CancelOrder", "CancelOrders", "CancelAllOrders", "RevokeKey"}


def messages(files: tuple[FileDescriptor, ...]) -> list[Descriptor]:
    return [message for file in files for message in file.message_types_by_name.values()]


def enums(files: tuple[FileDescriptor, ...]) -> list[EnumDescriptor]:
    return [enum for file in files for enum in file.enum_types_by_name.values()]


def fix_of(field: FieldDescriptor) -> options_pb2.FixRule:
    return field.GetOptions().Extensions[options_pb2.fix]


def tag_of(field: FieldDescriptor) -> int:
    return fix_of(field).tag


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)
def test_every_method_has_scope_weight_and_conventional_names(method: Method) -> None:
    assert method.scope in ("public", "read", "trade", "transfer", "admin")
    assert method.weight >= 0
    assert method.request.name == f"{method.name}Request"
    assert method.response.name == f"{method.name}Response"
    assert method.reduces_risk == (method.name in RESERVE_METHODS)


def test_a_method_without_scope_or_weight_is_refused() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="bare.proto", package="bare")
    file.message_type.add(name="M")
    service = file.service.add(name="S")
    service.method.add(name="Open", input_type=".bare.M", output_type=".bare.M")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    method = pool.FindServiceByName("bare.S").methods[0]
    with pytest.raises(ContractError, match=r"bare\.S\.Open has no scope or no weight"):
        read_method("bare.S", method)


def test_public_methods_are_these_and_no_others() -> None:
    public = {method.name for method in ALL if method.scope == "public"}
    market = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]
    assert public == {method.name for method in market.methods} | {
        "CreateSession",
        "GetServerTime",
        "CheckSignature",
        "GetTokenKeys",
    }


def test_admin_methods_have_no_rest_path_and_no_json_rpc_name() -> None:
    for method in ALL:
        is_admin = method.service.endswith("AdminService")
        assert is_admin == (method.scope == "admin")
        assert is_admin == (method.json_rpc == "")


def test_rest_paths_and_json_rpc_names_are_unique() -> None:
    paths: Counter[tuple[str, str]] = Counter()
    for file in SERVICE_FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                for binding in (rule, *rule.additional_bindings):
                    verb = binding.WhichOneof("pattern")
                    if verb:
                        paths[verb, getattr(binding, verb)] += 1
    assert paths
    assert max(paths.values()) == 1, paths
    names = Counter(method.json_rpc for method in ALL if method.json_rpc)
    assert max(names.values()) == 1, names


def test_every_unary_method_but_those_of_the_operator_has_a_rest_path() -> None:
    for file in SERVICE_FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                is_open = service.name != "AdminService" and not method.client_streaming
                assert bool(rule.WhichOneof("pattern")) == is_open, method.full_name


@pytest.mark.parametrize("response", STREAM_RESPONSES, ids=lambda response: response.__name__)
def test_stream_responses_share_one_shape(response: type[Message]) -> None:
    fields = {field.name: field.number for field in response.DESCRIPTOR.oneofs[0].fields}
    shared = {"batch": 1, "snapshot": 2, "caught_up": 3, "heartbeat": 4, "closing": 5}
    assert fields.items() <= shared.items()
    assert {"batch", "caught_up", "heartbeat", "closing"} <= fields.keys()


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (order_pb2.ExecutionBatch, "executions"),
        (order_service_pb2.OrderEntryBatch, "executions"),
        (execution_service_pb2.ListExecutionsResponse, "executions"),
        (account_pb2.LedgerBatch, "entries"),
        (account_service_pb2.ListLedgerEntriesResponse, "entries"),
        (market_pb2.TradeBatch, "trades"),
        (market_data_service_pb2.ListTradesResponse, "trades"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_stored_entries_are_field_one_wherever_they_are_sent(
    message: type[Message], field: str
) -> None:
    assert message.DESCRIPTOR.fields_by_name[field].number == 1


def test_a_fix_tag_stands_once_in_a_message_and_means_one_name() -> None:
    names: dict[int, set[str]] = {}
    for message in messages(MESSAGE_FILES):
        # Entries of one group may come from several fields, told apart by a constant beside them.
        tags = Counter(
            (tag, *(constant.value for constant in fix_of(field).constants))
            for field in message.fields
            if (tag := tag_of(field))
        )
        assert not tags or max(tags.values()) == 1, message.full_name
        for field in message.fields:
            if tag_of(field):
                names.setdefault(tag_of(field), set()).add(field.name)
    same = {
        11: {"client_order_id", "command_client_order_id"},
        15: {"quote_asset", "asset"},
        41: {"original_client_order_id", "replaced_client_order_id"},
        55: {"symbol", "symbols"},
        268: {"bids", "asks", "trades"},
    }
    for tag, found in names.items():
        assert len(found) == 1 or found == same.get(tag), (tag, found)


def test_fix_values_of_an_enum_are_unique() -> None:
    for enum in enums(MESSAGE_FILES):
        values = [
            value.GetOptions().Extensions[options_pb2.fix_value].value for value in enum.values
        ]
        written = [value for value in values if value]
        assert len(written) == len(set(written)), enum.full_name


def test_every_reason_says_what_it_is_about_and_errors_have_a_code_and_advice() -> None:
    for entry in reasons().values():
        assert entry.outcome in OUTCOMES, entry
        is_error = entry.outcome != "order_event"
        assert bool(entry.code) == is_error, entry
        assert bool(entry.advice) == is_error, entry
        if entry.outcome == "rejected":
            assert entry.order_reject_reason is not None, entry


def test_no_public_field_is_a_float() -> None:
    floats = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}
    for message in messages(MESSAGE_FILES):
        for field in message.fields:
            assert field.cpp_type not in floats, field.full_name
