"""Events as bytes: what a batch of the journal holds as its payload.

A payload is a version byte and a MessagePack list of `[tag, field, field, ...]`, the fields by
position. It must be readable for as long as there are journals:

- tags are given out here, by the name of the class, and never used again for anything else;
- fields are appended to an event with a default, never removed or moved: a shorter list takes the
  defaults; a longer one comes from a newer release and is refused, as is a tag that is not known.

Enumerations travel as their values, nested records as lists. How a class is made again from its
list is worked out once, from its annotations.
"""

import enum
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tradewire_server.engine.events import EVENT_TYPES, Event
from tradewire_server.journal import packing
from tradewire_server.journal.errors import JournalVersionUnknown

VERSION: Final = 1

TAGS: Final[Mapping[str, int]] = {
    "AssetCreated": 1,
    "InstrumentListed": 2,
    "InstrumentStatusChanged": 3,
    "AccountUpdated": 4,
    "KillSwitchSet": 5,
    "Deposited": 6,
    "Withdrawn": 7,
    "KeyStored": 8,
    "OrderAccepted": 9,
    "OrderRejected": 10,
    "OrderTraded": 11,
    "OrderAmended": 12,
    "OrderReduced": 13,
    "OrderCanceled": 14,
}

EventType = TypeVar("EventType")
Convert = Callable[[Any], Any]

# What MessagePack gives back as it was.
_PLAIN: Final = (int, str, bytes, bool, float, type(None))


class EventUnreadable(JournalVersionUnknown):
    """An event was written by a newer release, or its bytes are none."""


def _record_converter(record: type[Any]) -> Convert:
    """Return what makes a NamedTuple of the list of its fields."""
    hints = get_type_hints(record)
    names: tuple[str, ...] = record._fields
    defaults: dict[str, Any] = record._field_defaults
    size = len(names)
    conversions = [
        (position, convert)
        for position, name in enumerate(names)
        if (convert := _converter(hints[name])) is not None
    ]

    def complete(fields: list[Any]) -> list[Any]:
        if len(fields) > size:
            raise EventUnreadable(
                f"{record.__name__} has {len(fields)} fields, this release knows {size}"
            )
        missing = names[len(fields) :]
        if not all(name in defaults for name in missing):
            raise EventUnreadable(f"{record.__name__} has only {len(fields)} fields of {size}")
        # Defaults are the finished values: they join after the conversion of the others.
        for position, convert in conversions:
            if position < len(fields):
                fields[position] = convert(fields[position])
        return fields + [defaults[name] for name in missing]

    new = tuple.__new__

    def convert_record(fields: list[Any]) -> Any:
        if len(fields) != size:
            return new(record, complete(fields))
        for position, convert in conversions:
            fields[position] = convert(fields[position])
        return new(record, fields)

    return convert_record


def _optional_converter(hint: Any) -> Convert | None:
    members = [member for member in get_args(hint) if member is not type(None)]
    if len(members) == 1 and (convert := _converter(members[0])) is not None:
        inner = convert
        return lambda value: None if value is None else inner(value)
    if all(_converter(member) is None for member in members):
        return None
    raise TypeError(f"a field of type {hint} cannot be told apart in the journal")


def _tuple_converter(hint: Any) -> Convert:
    member, *rest = get_args(hint)
    if rest != [Ellipsis]:
        raise TypeError(f"a field of type {hint} has no codec: use a NamedTuple")
    convert = _converter(member)
    if convert is None:
        return tuple
    inner = convert
    return lambda values: tuple([inner(value) for value in values])


def _converter(hint: Any) -> Convert | None:
    """Return what makes a field of what MessagePack gave for it, None if that is it already."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _optional_converter(hint)
    if origin is tuple:
        return _tuple_converter(hint)
    if hint in _PLAIN:
        return None
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return cast(Convert, {member.value: member for member in hint}.__getitem__)
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return _record_converter(hint)
    raise TypeError(f"a field of type {hint} has no codec")


class EventCodec(Generic[EventType]):
    """Encodes and decodes the events of some classes, told apart by their tags."""

    def __init__(self, classes: Mapping[int, type[EventType]]) -> None:
        self._tags = {record: tag for tag, record in classes.items()}
        self._converters = {tag: _record_converter(record) for tag, record in classes.items()}

    def encode_events(self, events: Iterable[EventType]) -> bytes:
        """Return the events as a payload."""
        tags = self._tags
        rows = [(tags[type(event)], *cast(tuple[Any, ...], event)) for event in events]
        return bytes((VERSION,)) + packing.encode(rows)

    def decode_events(self, payload: bytes) -> list[EventType]:
        """Return the events of a payload.

        Raises `EventUnreadable`.
        """
        if not payload or payload[0] != VERSION:
            raise EventUnreadable(
                f"the payload has version {payload[:1].hex() or 'none'}, this release reads "
                f"{VERSION:02x}"
            )
        converters = self._converters
        events = []
        fields: list[Any] = []
        try:
            for fields in packing.decode(memoryview(payload)[1:]):
                events.append(converters[fields.pop(0)](fields))
        except (KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
            raise EventUnreadable(
                f"event {len(events) + 1} of the payload cannot be read: {error!r} in {fields}"
            ) from error
        return events


def _by_tag(classes: Iterable[type[Event]]) -> dict[int, type[Event]]:
    return {TAGS[record.__name__]: record for record in classes}


_CODEC: Final = EventCodec[Event](_by_tag(EVENT_TYPES))

encode_events: Final = _CODEC.encode_events
decode_events: Final = _CODEC.decode_events
