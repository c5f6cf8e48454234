"""Data dictionaries in the XML format of QuickFIX, which most FIX engines read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from tradewire_gateway.fix.dictionary import Dictionary, Field, Member, MessageDefinition, Section
from tradewire_gateway.fix.values import DataType


class DictionaryError(ValueError):
    """The text is no QuickFIX dictionary; the message names the place."""


def load_quickfix_xml(text: str | bytes) -> Dictionary:
    """Return the dictionary that a QuickFIX XML file describes.

    Raises:
        DictionaryError: the text is not XML, or names a field or component that it does not define.
    """
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise DictionaryError(f"not XML: {error}") from error
    fields = [_field(element) for element in _part(root, "fields")]
    reader = _Reader(
        fields={each.name: each for each in fields},
        components={_name(element): element for element in _part(root, "components")},
    )
    messages = [_message(element, reader) for element in _part(root, "messages")]
    return Dictionary(
        begin_string=f"{root.get('type')}.{root.get('major')}.{root.get('minor')}",
        fields={each.tag: each for each in fields},
        header=reader.section(_part(root, "header")),
        trailer=reader.section(_part(root, "trailer")),
        messages={each.type: each for each in messages},
    )


@dataclass(frozen=True)
class _Reader:
    """Resolves the names of fields and components."""

    fields: dict[str, Field]
    components: dict[str, ET.Element]

    def section(self, element: ET.Element, within: tuple[str, ...] = ()) -> Section:
        members = list(self._members(element, required=True, within=within))
        if element.tag == "group" and not members:
            raise DictionaryError(f"group {_name(element)} is empty")
        return Section(members)

    def _members(
        self, element: ET.Element, *, required: bool, within: tuple[str, ...]
    ) -> Iterator[Member]:
        for child in element:
            name = _name(child)
            is_required = required and child.get("required") == "Y"
            if child.tag == "component":
                # What a component requires is required only where the component itself is.
                component = self._component(name, within)
                yield from self._members(component, required=is_required, within=(*within, name))
            elif name not in self.fields:
                raise DictionaryError(f"field {name} is not defined")
            else:
                group = self.section(child, within) if child.tag == "group" else None
                yield Member(self.fields[name], is_required, group)

    def _component(self, name: str, within: tuple[str, ...]) -> ET.Element:
        if name in within:
            raise DictionaryError(f"component {name} contains itself")
        if name not in self.components:
            raise DictionaryError(f"component {name} is not defined")
        return self.components[name]


def _part(root: ET.Element, name: str) -> ET.Element:
    part = root.find(name)
    return ET.Element(name) if part is None else part


def _name(element: ET.Element) -> str:
    name = element.get("name")
    if name is None:
        raise DictionaryError(f"a {element.tag} has no name")
    return name


def _field(element: ET.Element) -> Field:
    name = _name(element)
    try:
        tag, data_type = int(element.get("number", "")), DataType(element.get("type"))
    except ValueError as error:
        raise DictionaryError(f"field {name}: {error}") from error
    values = {each.get("enum", ""): each.get("description", "") for each in element}
    return Field(tag, name, data_type, values)


def _message(element: ET.Element, reader: _Reader) -> MessageDefinition:
    return MessageDefinition(
        type=element.get("msgtype", ""),
        name=_name(element),
        body=reader.section(element),
        is_admin=element.get("msgcat") == "admin",
    )
