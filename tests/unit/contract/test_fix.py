"""Dictionary, rules of engagement and gateway say the same of FIX, and what the contract says."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from tradewire.v1 import options_pb2
from tradewire_contract import ContractError, methods
from tradewire_contract.fix import (
    Member,
    dictionary_text,
    engagement,
    engagement_text,
    fix_contract,
)
from tradewire_contract.fix import messages as model
from tradewire_contract.fix.dictionary import render_dictionary
from tradewire_contract.fix.engagement import render_engagement
from tradewire_contract.fix.fields import MSG_TYPES, STANDARD, USER_DEFINED_FROM
from tradewire_contract.fix.messages import source_messages
from tradewire_contract.fix.placement import enum_values, is_coded, placed
from tradewire_contract.fix.rules import ANSWERS, REQUESTS, MessageRule
from tradewire_contract.generated import generated
from tradewire_gateway.fix.acceptor import AcceptorSettings
from tradewire_gateway.fix.connection import ConnectionSettings
from tradewire_gateway.fix.dictionary import Section
from tradewire_gateway.fix.market_data import SYMBOLS_MAX
from tradewire_gateway.fix.quickfix_xml import load_quickfix_xml
from tradewire_gateway.fix.translate.plan import ReadPlan, plans_of
from tradewire_gateway.fix.validation import VALUE_CHARACTERS_MAX, SessionRejectReason

CONTRACT = fix_contract()
IMAGE = FileDescriptorSet.FromString(generated("tradewire.binpb"))
DICTIONARY = load_quickfix_xml(dictionary_text())
TYPES = list(CONTRACT.messages)
REQUEST_RULES = {rule.type: rule for rule in REQUESTS}
ANSWER_RULES = {rule.type: rule for rule in ANSWERS}


class Row(NamedTuple):
    """A field of a message: its place is its tag behind those of the groups that it stands in."""

    place: tuple[int, ...]
    name: str
    type: str
    required: bool


def rows_of_model(members: Iterable[Member], within: tuple[int, ...] = ()) -> Iterator[Row]:
    for member in members:
        yield Row((*within, member.tag), member.name, member.type, member.required)
        yield from rows_of_model(member.group, (*within, member.tag))


def rows_of_dictionary(section: Section, within: tuple[int, ...] = ()) -> Iterator[Row]:
    for member in section.members.values():
        field = member.field
        yield Row((*within, field.tag), field.name, field.type.value, member.required)
        if member.group is not None:
            yield from rows_of_dictionary(member.group, (*within, field.tag))


class Documented(NamedTuple):
    """A row of a table of the rules of engagement."""

    row: Row
    values: dict[str, str]
    meaning: str


def documented(title: str) -> list[Documented]:
    """Return the table under a title of the rules of engagement."""
    _, found, rest = engagement_text().partition(f"\n{title}\n")
    assert found, title
    lines = iter(rest.split("\n"))
    table = list(_first_table(lines))
    assert table[0] == "| Tag | Name | Required | Type | Values | Meaning |"
    rows, path = [], list[int]()
    for line in table[2:]:
        tag, name, required, type_, values, meaning = line.strip("| ").split(" | ", 5)
        depth = tag.count("→")
        path = [*path[:depth], int(tag.replace("→", ""))]
        pairs = (each.partition(" ") for each in values.split(", ") if each.startswith("`"))
        found_values = {value.strip("`"): label for value, _, label in pairs}
        row = Row(tuple(path), name, type_, required == "Y")
        rows.append(Documented(row, found_values, meaning))
    return rows


def _first_table(lines: Iterator[str]) -> Iterator[str]:
    started = False
    for line in lines:
        if line.startswith("|"):
            started = True
            yield line.replace("|  |", "| . |")
        elif started:
            return


def members_by_place(
    members: Iterable[Member], within: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], Member]]:
    for member in members:
        yield (*within, member.tag), member
        yield from members_by_place(member.group, (*within, member.tag))


def test_both_documents_are_made_of_the_contract_and_always_the_same() -> None:
    assert render_dictionary(CONTRACT) == dictionary_text()
    assert render_engagement(CONTRACT, IMAGE) == engagement_text()


@pytest.mark.parametrize("msg_type", TYPES)
def test_dictionary_and_document_have_the_same_fields(msg_type: str) -> None:
    message = CONTRACT.messages[msg_type]
    expected = list(rows_of_model(message.members))
    assert list(rows_of_dictionary(DICTIONARY.messages[msg_type].body)) == expected
    title = f"### {message.rule.name}({msg_type})"
    assert [each.row for each in documented(title)] == expected


@pytest.mark.parametrize("part", ["header", "trailer"])
def test_header_and_trailer_are_the_same_too(part: str) -> None:
    expected = list(rows_of_model(getattr(CONTRACT, part)))
    assert list(rows_of_dictionary(getattr(DICTIONARY, part))) == expected
    assert [each.row for each in documented(f"## Standard {part}")] == expected


@pytest.mark.parametrize("msg_type", TYPES)
def test_the_document_has_the_values_of_the_dictionary(msg_type: str) -> None:
    message = CONTRACT.messages[msg_type]
    members = dict(members_by_place(message.members))
    for row, values, meaning in documented(f"### {message.rule.name}({msg_type})"):
        member, allowed = members[row.place], DICTIONARY.fields[row.place[-1]].values
        assert values.items() <= allowed.items() or values.keys() == member.accepted, row
        expected = {
            value.value: value.name
            for value in member.values
            if member.accepted is None or value.value in member.accepted
        }
        assert values == expected or values.keys() == member.accepted, row
        assert meaning, row


def test_the_dictionary_has_no_value_that_no_message_has() -> None:
    found: dict[int, dict[str, str]] = {}
    everything = [CONTRACT.header, CONTRACT.trailer]
    everything += [message.members for message in CONTRACT.messages.values()]
    for members in everything:
        for place, member in members_by_place(members):
            found.setdefault(place[-1], {}).update((v.value, v.name) for v in member.values)
    assert {tag: field.values for tag, field in DICTIONARY.fields.items()} == found


@pytest.mark.parametrize("msg_type", sorted(set(REQUEST_RULES) - {"V"}))
def test_the_gateway_reads_what_the_dictionary_has(msg_type: str) -> None:
    rule = REQUEST_RULES[msg_type]
    (source,) = source_messages(rule)
    read = set(ReadPlan(source).steps)
    extras = {extra.tag for extra in rule.extras}
    assert read | extras == set(DICTIONARY.messages[msg_type].body.members)
    assert not read & extras


def test_the_gateway_reads_a_subscription_from_what_the_dictionary_has() -> None:
    body = DICTIONARY.messages["V"].body
    assert set(body.members) == {262, 263, 264, 265, 266, 267, 146}
    (source,) = source_messages(REQUEST_RULES["V"])
    annotated = {place.rule.group or place.rule.tag for place in placed(source)}
    assert annotated <= set(body.members)
    assert [section.delimiter for section in body.walk()][1:] == [269, 55]


@pytest.mark.parametrize("msg_type", sorted(ANSWER_RULES))
def test_the_gateway_writes_what_the_dictionary_has(msg_type: str) -> None:
    rule, body = ANSWER_RULES[msg_type], DICTIONARY.messages[msg_type].body
    plans = plans_of(msg_type).values()
    extras = {extra.tag for extra in rule.extras}
    assert {tag for plan in plans for tag in plan.tags} | extras == set(body.members)
    for tag, member in body.members.items():
        if member.group is not None:
            entry = {each for plan in plans for each in plan.entry_tags.get(tag, ())}
            entry |= {each.tag for extra in rule.extras if extra.tag == tag for each in extra.group}
            assert entry == set(member.group.members), tag


def test_every_coded_value_of_the_contract_is_in_the_dictionary() -> None:
    for rule in (*REQUESTS, *ANSWERS):
        for source in source_messages(rule):
            for place in placed(source):
                enum = place.field.enum_type
                if enum is not None and is_coded(enum):
                    written = {value.value: value.name for value in enum_values(enum).values()}
                    values = DICTIONARY.fields[place.rule.tag].values
                    assert written.items() <= values.items(), place.field.full_name


def test_every_message_that_a_method_names_is_there() -> None:
    for method in methods().values():
        for msg_type in filter(None, (method.fix_request, *method.fix_reply)):
            assert method in CONTRACT.messages[msg_type].methods, (method.path, msg_type)


def test_required_fields_of_requests_are_those_without_which_the_contract_refuses() -> None:
    required = {member.tag for member in CONTRACT.messages["D"].members if member.required}
    assert required == {11, 55, 54, 40, 60}


def test_each_group_begins_with_a_field_that_is_required() -> None:
    for message in DICTIONARY.messages.values():
        for section in message.body.walk():
            if section is not message.body:
                assert section.members[section.delimiter].required, message.name


def test_user_defined_tags_are_listed() -> None:
    table = engagement_text().partition("## User-defined tags\n")[2].partition("\n## ")[0]
    listed = {int(line.split("|")[1]) for line in table.splitlines() if line.startswith("| 2")}
    assert listed == {tag for tag in CONTRACT.fields if tag >= USER_DEFINED_FROM}
    assert all(tag in STANDARD for tag in CONTRACT.fields if tag < USER_DEFINED_FROM)


def test_the_bounds_of_the_document_are_those_of_the_gateway() -> None:
    connection, acceptor = ConnectionSettings(), AcceptorSettings()
    assert acceptor.connection == connection
    prose = " ".join(engagement_text().partition("## Standard header")[0].split())
    for sentence in (
        (
            f"takes nothing of what it is sent for {connection.unread_s:g} seconds, or sends more "
            f"than {connection.messages_per_second:,} messages per second "
            f"({connection.message_burst:,} at once)"
        ),
        f"after {connection.sign_of_life_s:g} seconds of silence the first is logged out",
        (
            f"There may be {acceptor.connections_per_address:,} connections of one address and "
            f"{acceptor.connections_max:,} in all."
        ),
        (
            f"A value may have {VALUE_CHARACTERS_MAX:,} characters; a longer one is answered with "
            f"`Reject(3)`, `SessionRejectReason(373)` = {SessionRejectReason.VALUE_INCORRECT:d}."
        ),
        (
            f"{connection.resent_burst:,} of them at once; beyond that "
            f"{connection.resent_per_second:,} per second"
        ),
        f"`SubscriptionRequestType(263)` = 0, names at most {SYMBOLS_MAX} instruments",
    ):
        assert sentence in prose, sentence


# What the annotations could say wrong.


def planted(*fields: FieldDescriptorProto) -> Descriptor:
    """Return a message with some fields; what they refer to is of the contract."""
    file = descriptor_pb2.FileDescriptorProto(
        name="tradewire/v1/planted_fix.proto", package="tradewire.v1", syntax="proto3"
    )
    message = file.message_type.add(name="Planted")
    inner = file.message_type.add(name="Inner")
    inner.field.add(name="text", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
    kinds = file.enum_type.add(name="Kind")
    kinds.value.add(name="KIND_UNSPECIFIED", number=0)
    coded = kinds.value.add(name="KIND_ONE", number=1)
    coded.options.Extensions[options_pb2.fix_value].value = "1"
    kinds.value.add(name="KIND_TWO", number=2)
    message.field.extend(fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindMessageTypeByName("tradewire.v1.Planted")


def field(
    kind: "FieldDescriptorProto.Type.ValueType", type_name: str = "", **rule: object
) -> FieldDescriptorProto:
    optional = FieldDescriptorProto.LABEL_OPTIONAL
    made = FieldDescriptorProto(name="planted", number=1, type=kind, label=optional)
    if type_name:
        made.type_name = type_name
    made.options.Extensions[options_pb2.fix].MergeFrom(options_pb2.FixRule(**rule))  # type: ignore[arg-type]
    return made


TEXT, MESSAGE, ENUM = (
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_MESSAGE,
    FieldDescriptorProto.TYPE_ENUM,
)
WRONG = [
    (field(TEXT, tag=99), "has no name"),
    (field(TEXT, tag=20999), "has no name"),
    (field(TEXT, tag=20002, name="Cause"), "or two"),
    (field(TEXT, tag=44), "is PRICE in FIX and STRING in the contract"),
    (field(TEXT, tag=38, form=options_pb2.FIX_FORM_PRICE), "is QTY in FIX and PRICE"),
    (field(MESSAGE, "Inner", tag=60), "a message is a group or a component"),
    (field(TEXT, form=options_pb2.FIX_FORM_COMPONENT), "a component is a message"),
    (field(ENUM, "Kind", tag=40), "some values have no FIX value"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_an_annotation_that_contradicts_the_standard_is_refused(
    wrong: FieldDescriptorProto, message: str
) -> None:
    rule = MessageRule("D", "Planted", "")
    with pytest.raises(ContractError, match=message):
        list(model._annotated(planted(wrong), rule))


def test_two_fields_of_one_name_are_refused() -> None:
    one = Member(20100, "Same", "STRING")
    other = replace(one, tag=20101)
    with pytest.raises(ContractError, match="name of two tags"):
        model._fields([iter([one, other])])


def test_one_tag_with_two_types_is_refused() -> None:
    one = Member(20100, "Same", "STRING")
    with pytest.raises(ContractError, match="tag 20100"):
        model._fields([iter([one, replace(one, type="INT")])])


def test_a_method_with_a_message_that_has_no_rules_is_refused() -> None:
    fewer = {msg_type: found for msg_type, found in CONTRACT.messages.items() if msg_type != "8"}
    with pytest.raises(ContractError, match="the FIX message 8 has no rules"):
        model._check_methods(fewer)


def test_prose_that_asks_for_a_table_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(ContractError, match="no part 'nothing'"):
        engagement._Writer(CONTRACT, engagement._FixComments(IMAGE, CONTRACT)).part("nothing")


def test_the_messages_of_the_standard_are_all_known() -> None:
    assert set(CONTRACT.messages) <= MSG_TYPES
    assert len(MSG_TYPES) == 93
