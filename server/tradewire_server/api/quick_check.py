"""The contract's simplest rules as checks in Python: they say of nearly every message that it keeps
them all, at half the price of protovalidate.

A check is made from the annotations, for kinds of messages of which every rule is one that this
module knows: patterns and lengths of texts, values of enumerations, a oneof that has to be set. It
has no words for what is wrong: a message that does not pass goes to protovalidate, whose word is
the last. A test holds the two against each other.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

Check = Callable[[Message], bool]
# Takes a value of one field: a text or a number.
Allows = Callable[[Any], object]
# A field's name, what it may hold, whether its zero value passes in any case, and whether it has
# presence: then it passes if the field was not sent. Plain tuples are taken apart faster than named
# ones.
Rule = tuple[str, Allows, bool, bool]

# Texts of a field that are remembered: of prices as many as a busy book has.
TEXTS_MAX = 1 << 12
TEXT_LENGTH_MAX = 64

# What means the same to RE2, which the rules are written for, and to Python: no escapes, no `{,n}`
# and no `[:digit:]`.
_PORTABLE = re.compile(r"(?!.*(?:\{,|\[:))\^([A-Za-z0-9_.:~ (){},?*+\[\]-]*)\$")
_ZERO_PASSES = (validate_pb2.IGNORE_IF_ZERO_VALUE,)
_IGNORES = (validate_pb2.IGNORE_UNSPECIFIED, *_ZERO_PASSES)


class _Seen(dict[str, bool]):
    """Texts that were found good: symbols, prices and quantities come again and again. Bounded in
    their number and their length.
    """

    def __init__(self, matches: Allows) -> None:
        super().__init__()
        self._matches = matches

    def __missing__(self, text: str) -> bool:
        if not self._matches(text):
            return False
        if len(text) <= TEXT_LENGTH_MAX:
            if len(self) >= TEXTS_MAX:
                self.clear()
            self[text] = True
        return True


class _Unknown(Exception):
    """There is a rule that this module does not know."""


@cache
def quick_check(descriptor: Descriptor) -> Check | None:
    """Return what says of a message of a kind whether it keeps the contract's rules, None if only
    protovalidate knows.
    """
    try:
        if descriptor.GetOptions().HasExtension(validate_pb2.message):
            raise _Unknown
        rules = [rule for field in descriptor.fields for rule in _rules(field)]
    except _Unknown:
        return None
    oneofs = [
        oneof.name
        for oneof in descriptor.oneofs
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required
    ]

    def check(message: Message) -> bool:
        for name, allows, zero_passes, has_presence in rules:
            value = getattr(message, name)
            if value:
                if not allows(value):
                    return False
            elif (
                not zero_passes
                and (not has_presence or message.HasField(name))
                and not allows(value)
            ):
                return False
        return None not in map(message.WhichOneof, oneofs)

    return check


def _rules(field: FieldDescriptor) -> list[Rule]:
    """Return the rules of a field, one or none."""
    options = field.GetOptions()
    if not options.HasExtension(validate_pb2.field):
        if field.message_type not in (None, Timestamp.DESCRIPTOR):
            raise _Unknown
        return []
    rules = options.Extensions[validate_pb2.field]
    known = {found.name for found, _ in rules.ListFields()} <= {"ignore", "string", "enum"}
    if not known or field.is_repeated or rules.ignore not in _IGNORES:
        raise _Unknown
    is_text = rules.HasField("string")
    allows = _text(field, rules.string) if is_text else _number(field, rules.enum)
    zero_passes = rules.ignore in _ZERO_PASSES
    if field.enum_type is not None and not field.has_presence:
        zero_passes = zero_passes or bool(allows(0))
    return [(field.name, allows, zero_passes, field.has_presence)]


def _text(field: FieldDescriptor, rules: validate_pb2.StringRules) -> Allows:
    """Return what tells whether a text may be a field's."""
    portable = _PORTABLE.fullmatch(rules.pattern)
    if portable is None or not _has_only(rules, "pattern", "max_len"):
        raise _Unknown
    pattern = portable[1]
    if rules.HasField("max_len"):
        pattern = f"(?=.{{0,{rules.max_len}}}\\Z)(?:{pattern})"
    matches = re.compile(pattern).fullmatch
    # What names an order comes once: it has a bound of its own, or is one of several names.
    oneof = field.containing_oneof
    comes_once = rules.HasField("max_len") or (oneof is not None and len(oneof.fields) > 1)
    return matches if comes_once else _Seen(matches).__getitem__


def _number(field: FieldDescriptor, rules: validate_pb2.EnumRules) -> Allows:
    """Return what tells whether a number may be an enumeration's."""
    enum = field.enum_type
    if enum is None or not rules.defined_only or not _has_only(rules, "defined_only", "not_in"):
        raise _Unknown
    return (frozenset(enum.values_by_number) - set(rules.not_in)).__contains__


def _has_only(rules: Message, *names: str) -> bool:
    return {field.name for field, _ in rules.ListFields()} <= set(names)
