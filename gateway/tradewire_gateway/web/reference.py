"""The contract as a reference: services, messages and enums with comments, rules and FIX tags.

Read from the descriptor set, which has the comments, with the annotations of the generated code.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as FieldProto
from tradewire.v1 import options_pb2
from tradewire_contract import Method, Route, methods, routes

from tradewire_gateway.web.contract_files import contract_file

PACKAGE = "tradewire.v1"
_FOLDER = "tradewire/v1/"
# Field numbers of descriptor.proto, from which the paths of comments are made.
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6
_OF_MESSAGE_FIELD, _OF_MESSAGE_ONEOF, _OF_ENUM_VALUE, _OF_SERVICE_METHOD = 2, 8, 2, 2

_SCALARS = {
    FieldProto.TYPE_DOUBLE: "double",
    FieldProto.TYPE_INT64: "int64",
    FieldProto.TYPE_UINT64: "uint64",
    FieldProto.TYPE_INT32: "int32",
    FieldProto.TYPE_BOOL: "bool",
    FieldProto.TYPE_STRING: "string",
    FieldProto.TYPE_BYTES: "bytes",
    FieldProto.TYPE_UINT32: "uint32",
}
# What a type is in JSON, where its name does not say it.
_JSON_TYPES = {
    "int64": "string of digits",
    "uint64": "string of digits",
    "int32": "number",
    "uint32": "number",
    "bool": "true or false",
    "string": "string",
    "bytes": "string, base64",
    "google.protobuf.Timestamp": "string, RFC 3339",
    "google.rpc.Status": "object: code, message, details",
}
_SCOPES = {value: name for name, value in options_pb2.Scope.items()}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message."""

    name: str
    json_name: str
    number: int
    type_name: str
    link: str
    json_type: str
    repeated: bool
    optional: bool
    oneof: str
    comment: str
    rules: tuple[str, ...]
    fix_tag: int | None
    example: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message."""

    name: str
    comment: str
    fields: tuple[Field, ...]
    oneofs: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A value of an enum."""

    name: str
    number: int
    comment: str
    fix_value: str


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum."""

    name: str
    comment: str
    values: tuple[EnumValue, ...]
    has_fix: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A method with its comment and its REST routes."""

    method: Method
    comment: str
    routes: tuple[Route, ...]

    @property
    def is_admin(self) -> bool:
        """True when only the admin listener answers it."""
        return self.method.scope == "admin"


@dataclass(frozen=True, slots=True)
class Service:
    """A service."""

    name: str
    comment: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the contract, with everything that it defines."""

    name: str
    path: str
    comment: str
    services: tuple[Service, ...]
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]


@cache
def source_files() -> tuple[SourceFile, ...]:
    """Return the files of the contract: those with services first, in the contract's order."""
    content = contract_file("tradewire.binpb")
    if content is None:
        raise FileNotFoundError("tradewire.binpb: the installation lacks the descriptor set")
    image = descriptor_pb2.FileDescriptorSet.FromString(content)
    files = [file for file in image.file if file.name.startswith(_FOLDER)]
    pages = {
        f".{PACKAGE}.{name}": f"/docs/grpc/{_page_name(file)}#{name}"
        for file in files
        for name in (
            *(message.name for message in file.message_type),
            *(enum.name for enum in file.enum_type),
        )
    }
    return tuple(sorted((_read_file(file, pages) for file in files), key=_order))


@cache
def calls() -> tuple[Call, ...]:
    """Return all methods in the contract's order."""
    return tuple(
        call for file in source_files() for service in file.services for call in service.calls
    )


@cache
def enum_comments(enum: str) -> dict[str, str]:
    """Return the comments of an enum's values by name."""
    return {
        value.name: value.comment
        for file in source_files()
        for entry in file.enums
        if entry.name == enum
        for value in entry.values
    }


def page_of_call(call: Call) -> str:
    """Return where a method is described."""
    for file in source_files():
        for service in file.services:
            if call in service.calls:
                return f"/docs/grpc/{file.name}#{call.method.name}"
    raise KeyError(call.method.path)


def _order(file: SourceFile) -> tuple[int, str]:
    services = list(dict.fromkeys(method.service for method in methods().values()))
    if file.services:
        return services.index(f"{PACKAGE}.{file.services[0].name}"), file.name
    return len(services), file.name


def _page_name(file: descriptor_pb2.FileDescriptorProto) -> str:
    return file.name.removeprefix(_FOLDER).removesuffix(".proto")


def _read_file(file: descriptor_pb2.FileDescriptorProto, pages: dict[str, str]) -> SourceFile:
    comments = {
        tuple(place.path): _unwrap(place.leading_comments)
        for place in file.source_code_info.location
    }
    detached = [place for place in file.source_code_info.location if tuple(place.path) == (12,)]
    return SourceFile(
        name=_page_name(file),
        path=file.name,
        comment=_unwrap(detached[0].leading_comments) if detached else "",
        services=tuple(
            _read_service(entry, (_SERVICE, index), comments)
            for index, entry in enumerate(file.service)
        ),
        messages=tuple(
            _read_message(entry, (_MESSAGE, index), comments, pages)
            for index, entry in enumerate(file.message_type)
        ),
        enums=tuple(
            _read_enum(entry, (_ENUM, index), comments)
            for index, entry in enumerate(file.enum_type)
        ),
    )


_Comments = dict[tuple[int, ...], str]
_Path = tuple[int, ...]


def _read_service(
    service: descriptor_pb2.ServiceDescriptorProto, path: _Path, comments: _Comments
) -> Service:
    return Service(
        name=service.name,
        comment=comments.get(path, ""),
        calls=tuple(
            Call(
                method=methods()[f"/{PACKAGE}.{service.name}/{entry.name}"],
                comment=comments.get((*path, _OF_SERVICE_METHOD, index), ""),
                routes=tuple(
                    route
                    for route in routes()
                    if route.method.path == f"/{PACKAGE}.{service.name}/{entry.name}"
                ),
            )
            for index, entry in enumerate(service.method)
        ),
    )


def _read_message(
    message: descriptor_pb2.DescriptorProto, path: _Path, comments: _Comments, pages: dict[str, str]
) -> Message:
    return Message(
        name=message.name,
        comment=comments.get(path, ""),
        fields=tuple(
            _read_field(message, entry, comments.get((*path, _OF_MESSAGE_FIELD, index), ""), pages)
            for index, entry in enumerate(message.field)
        ),
        oneofs=tuple(
            (oneof.name, oneof.options.Extensions[validate_pb2.oneof].required)
            for index, oneof in enumerate(message.oneof_decl)
            # Optional fields are a oneof of their own in descriptors.
            if any(f.oneof_index == index and not f.proto3_optional for f in _members(message))
        ),
    )


def _members(message: descriptor_pb2.DescriptorProto) -> Iterator[FieldProto]:
    return (entry for entry in message.field if entry.HasField("oneof_index"))


def _read_field(
    message: descriptor_pb2.DescriptorProto, field: FieldProto, comment: str, pages: dict[str, str]
) -> Field:
    options = field.options
    is_named = field.type in (FieldProto.TYPE_MESSAGE, FieldProto.TYPE_ENUM)
    type_name = field.type_name.removeprefix(".") if is_named else _SCALARS[field.type]
    json_type = _JSON_TYPES.get(type_name, "object")
    if field.type == FieldProto.TYPE_ENUM:
        json_type = "string, the name"
    in_oneof = field.HasField("oneof_index") and not field.proto3_optional
    return Field(
        name=field.name,
        json_name=field.json_name,
        number=field.number,
        type_name=type_name.removeprefix(f"{PACKAGE}."),
        link=pages.get(field.type_name, ""),
        json_type=json_type,
        repeated=field.label == FieldProto.LABEL_REPEATED,
        optional=field.proto3_optional,
        oneof=message.oneof_decl[field.oneof_index].name if in_oneof else "",
        comment=comment,
        rules=tuple(_rules(options.Extensions[validate_pb2.field])),
        fix_tag=options.Extensions[options_pb2.fix].tag or None,
        example=options.Extensions[options_pb2.example],
    )


def _read_enum(enum: descriptor_pb2.EnumDescriptorProto, path: _Path, comments: _Comments) -> Enum:
    values = tuple(
        EnumValue(
            name=value.name,
            number=value.number,
            comment=comments.get((*path, _OF_ENUM_VALUE, index), ""),
            fix_value=value.options.Extensions[options_pb2.fix_value].value,
        )
        for index, value in enumerate(enum.value)
    )
    return Enum(
        name=enum.name,
        comment=comments.get(path, ""),
        values=values,
        has_fix=any(value.fix_value for value in values),
    )


def _rules(rules: validate_pb2.FieldRules) -> Iterator[str]:
    """Say the validation rules of a field in words."""
    if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        yield "may be left out"
    if rules.required:
        yield "required"
    kind = rules.WhichOneof("type")
    if kind is None:
        return
    for found, value in getattr(rules, kind).ListFields():
        yield from _rule(kind, found.name, value, getattr(rules, kind))


_RULE_WORDS: dict[tuple[str, str], Callable[[Any], str]] = {
    ("repeated", "min_items"): lambda value: f"at least {value}",
    ("repeated", "max_items"): lambda value: f"at most {value}",
    ("repeated", "unique"): lambda value: "no value twice",
    ("string", "pattern"): lambda value: f"`{value}`",
    ("string", "min_len"): lambda value: (
        "not empty" if value == 1 else f"at least {value} characters"
    ),
    ("string", "max_len"): lambda value: f"at most {value} characters",
    ("bytes", "max_len"): lambda value: f"at most {value:,} bytes",
    ("enum", "defined_only"): lambda value: "a name of the enum",
    ("enum", "not_in"): lambda value: "must be set",
    # The contract's only choice of numbers is that of scopes.
    ("enum", "in"): lambda value: f"one of {', '.join(f'`{_SCOPES[one]}`' for one in value)}",
}


def _rule(kind: str, name: str, value: Any, rules: Any) -> Iterator[str]:
    """Say one rule in words.

    Raises KeyError for one that has none yet.
    """
    if (kind, name) == ("repeated", "items"):
        for text in _rules(value):
            yield f"each {text}"
    elif name == "gte":
        yield f"{value:,} to {rules.lte:,}" if rules.HasField("lte") else f"{value:,} or more"
    elif name == "lte":
        if not rules.HasField("gte"):
            yield f"{value:,} or less"
    elif name == "gt":
        yield f"above {value:,}"
    else:
        yield _RULE_WORDS[kind, name](value)


def _unwrap(comment: str) -> str:
    """Return a comment as running text; an empty line stays a paragraph."""
    paragraphs = comment.strip().split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in text.splitlines()) for text in paragraphs)
