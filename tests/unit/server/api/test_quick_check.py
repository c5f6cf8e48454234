"""The quick check says of a message what protovalidate says of it."""

import random

import protovalidate
import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from tradewire.v1 import order_pb2, order_service_pb2
from tradewire_contract import methods
from tradewire_server.api import quick_check as module
from tradewire_server.api.quick_check import quick_check

REQUESTS = {method.request.full_name: method.request for method in methods().values()}
CHECKED = {name: request for name, request in REQUESTS.items() if quick_check(request) is not None}
OF_ORDERS = ("PlaceOrder", "AmendOrder", "CancelOrder", "CancelAllOrders")
ROUNDS = 600

TEXTS = (
    "", "0", "1", "00.10", "1.", ".1", "1.5", "-1", "1e3", "9" * 18, "9" * 19,
    "1." + "9" * 18, "1." + "9" * 19, "\u0661", "1\n", "\n1", "1\x00", "1 ",
    "BTC-USD", "BTC-USD\n", "btc-usd", "B-U", "BTC-", "A" * 12 + "-" + "B" * 12, "A" * 13 + "-B",
    "a-1", "...", "._:-", "-a-", "a" * 36, "a" * 37, ":" * 36, "\u00e4", "a b", "~", "alice", "[a]",
    "x" * 1000,
)  # fmt: skip


def filled(kind: Descriptor, chance: random.Random) -> Message:
    """Return a message of which most fields are set to something, good or bad."""
    message: Message = message_factory.GetMessageClass(kind)()
    for field in kind.fields:
        if chance.random() < 0.3:
            continue
        if field.message_type is not None:
            getattr(message, field.name).seconds = chance.randrange(-5, 5)
        else:
            setattr(message, field.name, value(field, chance))
    return message


def value(field: FieldDescriptor, chance: random.Random) -> object:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        if chance.random() < 0.3:
            return "".join(chance.choices("019.aA-_: \n", k=chance.randrange(5)))
        return chance.choice(TEXTS)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    return chance.choice((-1, 0, 1, 2, 3, 4, 5, 6, 7, 100))


def test_the_commands_of_orders_are_checked_quickly() -> None:
    assert {f"tradewire.v1.{name}Request" for name in OF_ORDERS} <= CHECKED.keys()


@pytest.mark.parametrize("name", sorted(CHECKED))
def test_it_says_what_protovalidate_says(name: str) -> None:
    chance, check = random.Random(1), quick_check(CHECKED[name])
    assert check is not None
    for _ in range(ROUNDS):
        message = filled(CHECKED[name], chance)
        assert check(message) == (not protovalidate.collect_violations(message)), message


def test_each_field_of_an_order_alone() -> None:
    check = quick_check(order_service_pb2.PlaceOrderRequest.DESCRIPTOR)
    assert check is not None
    good = order_service_pb2.PlaceOrderRequest(
        client_order_id="a-1",
        symbol="BTC-USD",
        side=order_pb2.SIDE_BUY,
        type=order_pb2.ORDER_TYPE_LIMIT,
        quantity="1",
        price="2",
    )
    assert check(good)
    passed = 0
    for field in good.DESCRIPTOR.fields:
        if field.message_type is not None:
            continue
        is_text = field.cpp_type == FieldDescriptor.CPPTYPE_STRING
        for each in TEXTS if is_text else range(-1, 9):
            message = order_service_pb2.PlaceOrderRequest()
            message.CopyFrom(good)
            setattr(message, field.name, each)
            passes = not protovalidate.collect_violations(message)
            passed += passes
            # Twice: the second time from memory.
            assert check(message) == check(message) == passes, (field.name, each)
    assert passed > len(TEXTS)


def test_memory_of_texts_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXTS_MAX", 3)
    seen = module._Seen(lambda text: text != "bad")
    assert [bool(seen[text]) for text in ("a", "bad", "b", "x" * 65, "c")] == [1, 0, 1, 1, 1]
    assert set(seen) == {"a", "b", "c"}
    assert seen["d"]
    assert set(seen) == {"d"}


@pytest.mark.parametrize(
    "rules",
    [
        {"string": {"pattern": r"^\d$"}},
        {"string": {"pattern": "^[[:digit:]]$"}},
        {"string": {"pattern": "^a|b$"}},
        {"string": {"pattern": "^a{,2}$"}},
        {"string": {"pattern": "a"}},
        {"string": {"pattern": "^a$", "min_len": 1}},
        {"string": {"pattern": "^a$"}, "required": True},
        {"string": {"pattern": "^a$"}, "cel": [{"id": "a", "expression": "true"}]},
        {"string": {"pattern": "^a$"}, "ignore": validate_pb2.IGNORE_ALWAYS},
        {"string": {"email": True}},
    ],
)
def test_a_rule_that_it_does_not_know_is_protovalidates(rules: dict[str, object]) -> None:
    assert quick_check(kind_with(validate_pb2.FieldRules(**rules))) is None  # type: ignore[arg-type]


def test_a_rule_that_it_knows_is_not() -> None:
    rules = validate_pb2.FieldRules(string=validate_pb2.StringRules(pattern="^a$", max_len=1))
    assert quick_check(kind_with(rules)) is not None


def kind_with(rules: validate_pb2.FieldRules) -> Descriptor:
    """Return a kind of messages with one text that has these rules."""
    file = descriptor_pb2.FileDescriptorProto(name="a.proto", package="a", syntax="proto3")
    file.dependency.append(validate_pb2.DESCRIPTOR.name)
    field = file.message_type.add(name="A").field.add(name="text", number=1, type=9, label=1)
    field.options.Extensions[validate_pb2.field].CopyFrom(rules)
    pool = descriptor_pool.DescriptorPool()
    add_with_dependencies(pool, validate_pb2.DESCRIPTOR)
    pool.Add(file)
    found: Descriptor = pool.FindMessageTypeByName("a.A")
    return found


def add_with_dependencies(pool: descriptor_pool.DescriptorPool, file: FileDescriptor) -> None:
    for dependency in file.dependencies:
        add_with_dependencies(pool, dependency)
    copy = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(copy)
    pool.Add(copy)
