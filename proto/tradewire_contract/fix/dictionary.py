"""The data dictionary of the venue in the XML format of QuickFIX, which most FIX engines read."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from tradewire_contract.fix.messages import FixContract, Member


def render_dictionary(contract: FixContract) -> str:
    """Return the dictionary as the text of an XML file, the same for the same contract."""
    root = ET.Element("fix", {"type": "FIX", "major": "4", "minor": "4", "servicepack": "0"})
    _members(ET.SubElement(root, "header"), contract.header)
    messages = ET.SubElement(root, "messages")
    for message in contract.messages.values():
        category = "admin" if message.rule.is_admin else "app"
        attributes = {"name": message.rule.name, "msgcat": category, "msgtype": message.rule.type}
        _members(ET.SubElement(messages, "message", attributes), message.members)
    _members(ET.SubElement(root, "trailer"), contract.trailer)
    ET.SubElement(root, "components")
    fields = ET.SubElement(root, "fields")
    for field in contract.fields.values():
        attributes = {"number": str(field.tag), "name": field.name, "type": field.type}
        element = ET.SubElement(fields, "field", attributes)
        for value in field.values:
            ET.SubElement(element, "value", {"enum": value.value, "description": value.name})
    ET.indent(root)
    note = "<!-- Generated from the contract by `make gen`. Do not edit. -->\n"
    return note + ET.tostring(root, encoding="unicode") + "\n"


def _members(parent: ET.Element, members: Iterable[Member]) -> None:
    for member in members:
        attributes = {"name": member.name, "required": "Y" if member.required else "N"}
        element = ET.SubElement(parent, "group" if member.group else "field", attributes)
        _members(element, member.group)
