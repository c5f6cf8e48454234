"""Messages as the gateway gives them to the translators and takes them: over the wire."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st
from tradewire.v1 import options_pb2
from tradewire_contract.fix.placement import TIMESTAMP, enum_values
from tradewire_contract.openapi.rules import enum_numbers, is_required, rules_of
from tradewire_gateway.fix.codec import SOH, Decoder, RawMessage, encode, encode_fields
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.translate import Answer, dictionary
from tradewire_gateway.fix.validation import Validator, Verdict

NOW_NS = 1_795_342_530_123_456_789
NOW = "20261122-10:15:30.123456"


@cache
def validator() -> Validator:
    return Validator(dictionary())


def received(msg_type: str, body: Fields | str, number: int = 7) -> Verdict:
    """Return what the session makes of a message that a client sends."""
    text = encode_fields(body) if isinstance(body, Fields) else body
    if SOH not in text:
        text = text.replace("|", SOH)
    header = f"35={msg_type}|49=CLIENT|56=TW-ORDERS|34={number}|52=20261122-10:15:30|"
    decoder = Decoder(dictionary().data_fields)
    decoder.feed(encode("FIX.4.4", header.replace("|", SOH) + text))
    raw = decoder.next()
    assert isinstance(raw, RawMessage), raw
    return validator().validate(raw)


def request(msg_type: str, body: Fields | str) -> Message:
    """Return a message that a client sends, which the dictionary allows."""
    verdict = received(msg_type, body)
    assert isinstance(verdict, Message), verdict
    return verdict


def answered(answer: Answer) -> Fields:
    """Return the body of an answer as a client gets it, whose dictionary allows it."""
    verdict = received(answer.type, answer.body)
    assert isinstance(verdict, Message), (answer, verdict)
    return verdict.body


def report(body: str) -> Fields:
    """Return the body of an ExecutionReport(8) as a client gets it."""
    return answered(Answer("8", body))


def text_of(fields: Fields) -> str:
    """Return fields as people write them."""
    return encode_fields(fields).replace(SOH, "|")


def messages_of(descriptor: Descriptor, *, required: tuple[str, ...] = ()) -> Any:
    """Return a strategy for messages that keep the contract's rules, as far as FIX carries them."""
    return st.builds(_build, st.just(descriptor), _values(descriptor, required))


def _build(descriptor: Descriptor, values: dict[str, Any]) -> ProtoMessage:
    made: ProtoMessage = GetMessageClass(descriptor)(
        **{name: value for name, value in values.items() if value is not None}
    )
    return made


@st.composite
def _values(draw: st.DrawFn, descriptor: Descriptor, required: tuple[str, ...]) -> dict[str, Any]:
    chosen = {
        draw(st.sampled_from(list(oneof.fields))).name
        for oneof in descriptor.oneofs
        if not _is_optional(oneof)
    }
    values = dict[str, Any]()
    for field in descriptor.fields:
        rule = field.GetOptions().Extensions[options_pb2.fix]
        is_component = rule.form == options_pb2.FIX_FORM_COMPONENT
        oneof = field.containing_oneof
        if not (rule.tag or is_component) or (
            oneof is not None and not _is_optional(oneof) and field.name not in chosen
        ):
            continue
        must = is_required(field) or field.name in (*required, *chosen) or is_component
        value = draw(_value(field) if must else st.none() | _value(field))
        values[field.name] = value
    return values


def _is_optional(oneof: Any) -> bool:
    """Say whether a oneof only stands for the presence of a single field."""
    return bool(oneof.name.startswith("_"))


def _value(field: FieldDescriptor) -> Any:
    if field.is_repeated:
        assert field.message_type is not None, "lists of texts are not made here"
        return st.lists(messages_of(field.message_type), max_size=3)
    if field.enum_type is not None:
        known = [number for number in enum_numbers(field) if number in enum_values(field.enum_type)]
        return st.sampled_from(known)
    if field.message_type is not None:
        return (
            _times()
            if field.message_type.full_name == TIMESTAMP
            else messages_of(field.message_type)
        )
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return _texts(field)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return st.integers(0, 1000)


def _times() -> Any:
    seconds = st.integers(946_684_800, 4_102_444_799)
    micros = st.integers(0, 999_999)
    return st.builds(
        lambda second, micro: Timestamp(seconds=second, nanos=micro * 1000), seconds, micros
    )


def _texts(field: FieldDescriptor) -> Any:
    pattern = rules_of(field).string.pattern.removeprefix("^").removesuffix("$")
    if pattern:
        longest = rules_of(field).string.max_len or 1000
        texts = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
        return texts.map(lambda text: text[:longest]).filter(re.compile(f"{pattern}$").match)
    form = field.GetOptions().Extensions[options_pb2.fix].form
    if form == options_pb2.FIX_FORM_LONG_SHORT:
        return st.from_regex(re.compile(r"-?[1-9][0-9]{0,8}([.][0-9]{1,8})?"), fullmatch=True)
    if form != options_pb2.FIX_FORM_UNSPECIFIED:
        return st.from_regex(re.compile(r"[0-9]{1,9}([.][0-9]{1,8})?"), fullmatch=True)
    return st.from_regex(re.compile(r"[A-Za-z0-9_.:-]{1,36}"), fullmatch=True)
