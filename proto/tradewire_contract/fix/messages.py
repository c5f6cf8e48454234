"""The FIX messages of the venue: what the contract's annotations and the tables of rules add up to.

One model, of which the data dictionary and the rules of engagement are two renderings. What is
contradictory (two names for a tag, a form that is not of the standard's type) is a ContractError.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from google.protobuf.descriptor import Descriptor
from tradewire.v1 import options_pb2

from tradewire_contract.fix.fields import STANDARD
from tradewire_contract.fix.placement import Placed, enum_values, field_type, is_coded, placed
from tradewire_contract.fix.rules import (
    ANSWERS,
    HEADER,
    REQUESTS,
    SESSION,
    TRAILER,
    USER_TAG_NAMES,
    Extra,
    MessageRule,
    Use,
    Value,
)
from tradewire_contract.methods import SERVICE_FILES, ContractError, Method, methods
from tradewire_contract.openapi.rules import is_required


@dataclass(frozen=True, slots=True)
class Field:
    """A field as all messages have it."""

    tag: int
    name: str
    type: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A field where it stands in a message or in an entry of a group."""

    tag: int
    name: str
    type: str
    required: bool = False
    values: tuple[Value, ...] = ()
    accepted: frozenset[str] | None = None
    meanings: tuple[str, ...] = ()
    """Sentences of the tables."""
    elements: tuple[str, ...] = ()
    """Full names of the contract's fields that stand here, which have comments."""
    use: Use | None = None
    group: tuple["Member", ...] = ()


@dataclass(frozen=True, slots=True)
class FixMessage:
    """A message with its members in order; `methods` are those that it calls or answers."""

    rule: MessageRule
    members: tuple[Member, ...]
    methods: tuple[Method, ...] = ()


@dataclass(frozen=True, slots=True)
class FixContract:
    """All of it."""

    fields: Mapping[int, Field]
    header: tuple[Member, ...]
    trailer: tuple[Member, ...]
    messages: Mapping[str, FixMessage]


@cache
def fix_contract() -> FixContract:
    """Return what the venue speaks on FIX.

    Raises ContractError when annotations and tables contradict each other or the standard.
    """
    header, trailer = (tuple(map(_extra_member, part)) for part in (HEADER, TRAILER))
    found = {rule.type: _message(rule) for rule in (*SESSION, *REQUESTS, *ANSWERS)}
    _check_methods(found)
    everything = [header, trailer, *(message.members for message in found.values())]
    return FixContract(_fields(walk(each) for each in everything), header, trailer, found)


def walk(members: Iterable[Member]) -> Iterator[Member]:
    """Yield the members and those of their groups."""
    for member in members:
        yield member
        yield from walk(member.group)


def request_methods(msg_type: str) -> tuple[Method, ...]:
    """Return the methods that a type of message calls."""
    return tuple(each for each in methods().values() if each.fix_request == msg_type)


def source_messages(rule: MessageRule) -> tuple[Descriptor, ...]:
    """Return the contract's messages whose fields a FIX message carries.

    Where a request may call several methods it is the widest one: that of the stream.
    """
    if rule.sources:
        return tuple(_descriptor(name) for name in rule.sources)
    called = request_methods(rule.type)
    return tuple(each.request for each in called if each.server_streaming or len(called) == 1)


def _descriptor(name: str) -> Descriptor:
    for file in SERVICE_FILES:
        for found in (file, *file.dependencies):
            if name in found.message_types_by_name:
                return found.message_types_by_name[name]
    raise ContractError(f"there is no message {name}")


def _check_methods(found: Mapping[str, FixMessage]) -> None:
    for method in methods().values():
        for msg_type in filter(None, (method.fix_request, *method.fix_reply)):
            if msg_type not in found:
                raise ContractError(f"{method.path}: the FIX message {msg_type} has no rules")


def _message(rule: MessageRule) -> FixMessage:
    first = {Use.ECHOED, Use.DECIDES, Use.SESSION}
    candidates = [
        *(_extra_member(extra) for extra in rule.extras if extra.use in first),
        *(member for source in source_messages(rule) for member in _annotated(source, rule)),
        *(_extra_member(extra) for extra in rule.extras if extra.use not in first),
    ]
    members = [
        replace(
            member,
            required=member.required or member.tag in rule.required,
            group=_ordered(member, rule),
        )
        for member in _merged(candidates)
        if member.tag not in rule.without
    ]
    called = (
        request_methods(rule.type)
        if rule.inbound
        else tuple(each for each in methods().values() if rule.type in each.fix_reply)
    )
    return FixMessage(rule, tuple(members), called)


def _annotated(source: Descriptor, rule: MessageRule) -> Iterator[Member]:
    for place in placed(source):
        for member in _place_members(place, is_request=rule.inbound):
            yield _in_group(member, place.rule)


def _place_members(place: Placed, *, is_request: bool) -> Iterator[Member]:
    """Yield the members that one field of the contract is written as."""
    _, field, rule = place
    name, standard_type = _name(rule.tag, rule.name)
    type_ = field_type(field, rule)
    enum = field.enum_type
    member = Member(
        tag=rule.tag,
        name=name,
        type=_agreed(rule.tag, standard_type, type_),
        required=is_request and field.containing_oneof is None and is_required(field),
        values=tuple(enum_values(enum).values()) if enum is not None and is_coded(enum) else (),
        elements=(field.full_name,),
    )
    if rule.form == options_pb2.FIX_FORM_GROUP:
        assert field.message_type is not None, "a group has a message type"
        entry = [
            *(_constant(each) for each in rule.constants),
            *(
                m
                for inner in placed(field.message_type)
                for m in _place_members(inner, is_request=is_request)
            ),
        ]
        member = replace(member, group=tuple(entry))
    yield member
    if rule.form in (options_pb2.FIX_FORM_DATE_AND_TIME, options_pb2.FIX_FORM_LONG_SHORT):
        second, second_type = _name(rule.tag + 1, "")
        yield replace(member, tag=rule.tag + 1, name=second, type=second_type)


def _in_group(member: Member, rule: options_pb2.FixRule) -> Member:
    if not rule.group:
        return member
    name, type_ = _name(rule.group, "")
    entry = (*(_constant(each) for each in rule.constants), replace(member, required=False))
    return Member(
        rule.group,
        name,
        type_,
        required=member.required,
        meanings=("Number of entries that follow.",),
        group=entry,
    )


def _constant(constant: options_pb2.FixConstant) -> Member:
    name, type_ = _name(constant.tag, "")
    return Member(
        constant.tag,
        name,
        type_,
        values=(Value(constant.value, constant.name),),
        meanings=("What kind of entry it is.",),
    )


def _extra_member(extra: Extra) -> Member:
    name, type_ = _name(extra.tag, "")
    return Member(
        tag=extra.tag,
        name=name,
        type=type_,
        required=extra.required,
        values=extra.values,
        accepted=extra.accepted,
        meanings=(extra.meaning,),
        use=extra.use,
        group=tuple(map(_extra_member, extra.group)),
    )


def _merged(members: Iterable[Member]) -> list[Member]:
    """Return one member per tag, where several say something about it."""
    found: dict[int, Member] = {}
    for member in members:
        known = found.get(member.tag)
        found[member.tag] = member if known is None else _merge(known, member)
    return list(found.values())


def _merge(one: Member, other: Member) -> Member:
    if (one.name, one.type) != (other.name, other.type):
        raise ContractError(f"tag {one.tag} is {one.name} and {other.name}")
    return replace(
        one,
        required=one.required or other.required,
        values=tuple(dict.fromkeys((*one.values, *other.values))),
        accepted=one.accepted if other.accepted is None else other.accepted,
        meanings=tuple(dict.fromkeys((*one.meanings, *other.meanings))),
        elements=tuple(dict.fromkeys((*one.elements, *other.elements))),
        use=one.use or other.use,
        group=tuple(_merged((*one.group, *other.group))),
    )


def _ordered(member: Member, rule: MessageRule) -> tuple[Member, ...]:
    """Return the entry of a group: it begins with what the rule says, and that must be there."""
    begin = rule.grouped.get(member.tag, ())
    entry = sorted(
        (each for each in member.group if each.tag not in rule.entries_without),
        key=lambda each: begin.index(each.tag) if each.tag in begin else len(begin),
    )
    return tuple(
        replace(each, required=each.required or index == 0) for index, each in enumerate(entry)
    )


def _name(tag: int, given: str) -> tuple[str, str]:
    """Return name and type of a tag; the type is empty where the contract's field decides it."""
    if tag in STANDARD:
        return STANDARD[tag]
    if tag in USER_TAG_NAMES:
        name, type_ = USER_TAG_NAMES[tag]
        if given in ("", name):
            return name, type_
    elif given:
        return given, ""
    raise ContractError(f"tag {tag} has no name, or two: {given!r}")


# The types of FIX that a type made of an annotation may stand for.
_COMPATIBLE = {
    "STRING": {"CURRENCY"},
    "INT": {"LENGTH", "NUMINGROUP", "SEQNUM"},
    "CHAR": {"INT", "STRING"},
}


def _agreed(tag: int, standard_type: str, type_: str) -> str:
    if standard_type in ("", type_) or standard_type in _COMPATIBLE.get(type_, ()):
        return standard_type or type_
    raise ContractError(f"tag {tag} is {standard_type} in FIX and {type_} in the contract")


def _fields(members: Iterable[Iterator[Member]]) -> dict[int, Field]:
    """Return the fields of all messages, each with all values that it has anywhere."""
    found: dict[int, Field] = {}
    for member in (each for some in members for each in some):
        known = found.get(member.tag, Field(member.tag, member.name, member.type))
        if (known.name, known.type) != (member.name, member.type):
            raise ContractError(f"tag {member.tag} is {known} and {member}")
        values = {value.value: value for value in (*member.values, *known.values)}
        found[member.tag] = replace(
            known, values=tuple(values[key] for key in sorted(values, key=_rank))
        )
    by_name: dict[str, int] = {}
    for field in found.values():
        if by_name.setdefault(field.name, field.tag) != field.tag:
            raise ContractError(f"{field.name} is the name of two tags")
    return dict(sorted(found.items()))


def _rank(value: str) -> tuple[int, str]:
    return (int(value), "") if value.isdecimal() else (10**9, value)
