"""What the .proto files say about each element, as text for people who see JSON."""

import re
from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

_SNAKE = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
_PARENTS = (FileDescriptorProto, DescriptorProto, EnumDescriptorProto, ServiceDescriptorProto)
# Ends at a full stop before a capital: not in "e.g. `BTC-USD`", not in "1.5".
_SENTENCE = re.compile(r"(.*?[.])(?:\s+(?=[A-Z])|$)", re.DOTALL)


class Comments:
    """The comments of a descriptor set by the full name of what they stand at.

    The value `V` of enum `E` and the oneof `o` of message `M` are found as `E.V` and `M.o`.
    """

    def __init__(self, image: FileDescriptorSet) -> None:
        self._texts: dict[str, str] = {}
        self._json_names: dict[str, str] = {}
        for file in image.file:
            for message in file.message_type:
                self._json_names |= {
                    field.name: field.json_name for field in message.field if "_" in field.name
                }
            for location in file.source_code_info.location:
                comment = location.leading_comments
                name = _name(file, location.path) if comment else ""
                if name:
                    self._texts[name] = comment

    def text(self, full_name: str) -> str:
        """Return the comment in Markdown, with the fields' names as in JSON; empty if none."""
        lines = [line.strip() for line in self._texts.get(full_name, "").strip().splitlines()]
        paragraphs = "\n".join(lines).split("\n\n")
        joined = "\n\n".join(" ".join(paragraph.splitlines()) for paragraph in paragraphs)
        return self.in_json(joined)

    def in_json(self, text: str) -> str:
        """Return a text with the names of fields as they are written in JSON."""
        return _SNAKE.sub(lambda found: self._json_names.get(found[0], found[0]), text)


def summary(text: str) -> str:
    """Return what a method's comment begins with, without the method's name and the full stop.

    `PlaceOrder places an order. After ...` gives `Places an order`.
    """
    sentence = _SENTENCE.match(text)
    first = (sentence[1] if sentence else text).removesuffix(".").partition(" ")[2]
    return first[:1].upper() + first[1:]


def _name(file: FileDescriptorProto, path: Sequence[int]) -> str:
    """Return the full name of what a source location is about, empty for a part of it.

    A path is pairs of field number and index in descriptor.proto.
    """
    if not path or len(path) % 2:
        return ""
    element: Any = file
    names = [file.package]
    for number, index in zip(path[::2], path[1::2], strict=True):
        children = _children(element, number)
        if children is None:
            return ""
        element = children[index]
        names.append(element.name)
    return ".".join(names)


def _children(element: Any, number: int) -> Sequence[Any] | None:
    """Return the named elements in a field of a descriptor, None if it holds something else."""
    field = element.DESCRIPTOR.fields_by_number.get(number)
    if not isinstance(element, _PARENTS) or field is None or field.message_type is None:
        return None
    named = "name" in field.message_type.fields_by_name and field.is_repeated
    return getattr(element, field.name) if named else None
