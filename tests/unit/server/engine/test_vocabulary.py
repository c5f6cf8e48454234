"""The engine's enumerations are the contract's: every name and every number."""

import enum

import pytest
from google.protobuf.descriptor import EnumDescriptor
from tradewire.v1 import account_pb2, market_pb2, order_pb2, reason_pb2
from tradewire_server.engine import vocabulary

CONTRACT: dict[type[enum.IntEnum], EnumDescriptor] = {
    vocabulary.Side: order_pb2.Side.DESCRIPTOR,
    vocabulary.OrderType: order_pb2.OrderType.DESCRIPTOR,
    vocabulary.TimeInForce: order_pb2.TimeInForce.DESCRIPTOR,
    vocabulary.PostOnly: order_pb2.PostOnly.DESCRIPTOR,
    vocabulary.SelfTradePrevention: order_pb2.SelfTradePrevention.DESCRIPTOR,
    vocabulary.OrderStatus: order_pb2.OrderStatus.DESCRIPTOR,
    vocabulary.ExecutionType: order_pb2.ExecutionType.DESCRIPTOR,
    vocabulary.Liquidity: order_pb2.Liquidity.DESCRIPTOR,
    vocabulary.InstrumentStatus: market_pb2.InstrumentStatus.DESCRIPTOR,
    vocabulary.LedgerEntryType: account_pb2.LedgerEntryType.DESCRIPTOR,
    vocabulary.Reason: reason_pb2.Reason.DESCRIPTOR,
}
# Where "not set" has no meaning inside, the engine has no member for it.
WITH_UNSPECIFIED = {
    vocabulary.PostOnly,
    vocabulary.SelfTradePrevention,
    vocabulary.Liquidity,
    vocabulary.Reason,
}


def _screaming(name: str) -> str:
    return "".join(f"_{c}" if c.isupper() else c.upper() for c in name).removeprefix("_")


@pytest.mark.parametrize("words", CONTRACT, ids=lambda words: words.__name__)
def test_words_are_those_of_the_contract(words: type[enum.IntEnum]) -> None:
    descriptor = CONTRACT[words]
    prefix = _screaming(descriptor.name) + "_"
    contract = {value.name.removeprefix(prefix): value.number for value in descriptor.values}
    if words not in WITH_UNSPECIFIED:
        del contract["UNSPECIFIED"]
    assert {word.name: word.value for word in words} == contract


def test_every_enumeration_is_held_against_the_contract() -> None:
    defined = {
        value
        for value in vars(vocabulary).values()
        if isinstance(value, type) and issubclass(value, enum.Enum) and value is not enum.IntEnum
    }
    assert defined == set(CONTRACT)
