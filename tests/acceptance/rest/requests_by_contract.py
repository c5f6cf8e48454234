"""What the contract says of an HTTP request, worked out with nothing of the server: an oracle.

The server's check and Envoy's transcoder read a request in their own ways; here protobuf's JSON
mapping and protovalidate do.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import protovalidate
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tradewire_contract import Route, find_route

# As the document says: no slash, backslash or NUL in a value, and no `.` or `..`.
_AMBIGUOUS = re.compile(r"//|/(\.|%2e){1,2}(/|$)|%00|%2f|\\|%5c", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)


class NotOfTheContract(Exception):
    """The request is not what the contract says; the text says why."""


def path_of(url: str) -> str:
    """Return the path of an address as it is sent."""
    return urlsplit(url).path


def route_of(method: str, url: str) -> Route | None:
    """Return the path of the contract that a request is for, None if it is for none."""
    match = find_route(method, path_of(url))
    return None if match is None else match.route


def read(method: str, url: str, body: bytes) -> Message:
    """Return the message that a request is.

    Raises NotOfTheContract.
    """
    parts = urlsplit(url)
    match = find_route(method, parts.path)
    if match is None:
        raise NotOfTheContract("it has no such path")
    if _AMBIGUOUS.search(parts.path):
        raise NotOfTheContract("servers read such a path in more than one way")
    message = GetMessageClass(match.route.method.request)()
    for given in (
        match.variables,
        _of_query(match.route, parts.query),
        _of_body(match.route, body),
    ):
        try:
            json_format.ParseDict(given, message)
        except (json_format.ParseError, TypeError, AttributeError, ValueError) as error:
            raise NotOfTheContract(str(error)) from error
    violations = protovalidate.collect_violations(message)
    if violations:
        raise NotOfTheContract("; ".join(violation.proto.message for violation in violations))
    return message


def _of_query(route: Route, query: str) -> dict[str, Any]:
    fields = {name: f for f in route.query_fields for name in (f.name, f.json_name)}
    found: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise NotOfTheContract("the query is not UTF-8") from error
    for name, text in pairs:
        field = fields.get(name)
        if field is None:
            raise NotOfTheContract(f"there is no parameter {name}")
        value = _value(field, text)
        if field.is_repeated:
            found.setdefault(field.name, []).append(value)
        elif field.name in found:
            raise NotOfTheContract(f"{name} is there twice")
        else:
            found[field.name] = value
    return found


def _value(field: FieldDescriptor, text: str) -> Any:
    """Return a parameter's text as JSON has it."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text not in ("true", "false"):
            raise NotOfTheContract(f"{field.name} is true or false")
        return text == "true"
    if field.enum_type is not None and text.lstrip("-").isdecimal():
        return int(text)
    return text


def _of_body(route: Route, body: bytes) -> dict[str, Any]:
    if not route.has_body:
        if body:
            raise NotOfTheContract("no body belongs there")
        return {}
    try:
        content = json.loads(body) if body else {}
    except ValueError as error:
        raise NotOfTheContract("the body is not JSON") from error
    if not isinstance(content, dict):
        raise NotOfTheContract("the body is not an object")
    names = {name for f in route.body_fields for name in (f.name, f.json_name)}
    for name in content:
        if name not in names:
            raise NotOfTheContract(f"there is no field {name}")
    _check_values(route.method.request, content)
    return content


def _check_values(message: Descriptor, content: dict[str, Any]) -> None:
    """Refuse what Python's mapping takes and protobuf's does not: booleans as the numbers 1 and 0,
    bytes with characters that base64 does not have.
    """
    for field in message.fields:
        value = content.get(field.json_name, content.get(field.name))
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, bool) and field.cpp_type != FieldDescriptor.CPPTYPE_BOOL:
                raise NotOfTheContract(f"{field.name} is no boolean")
            is_bytes = field.type == FieldDescriptor.TYPE_BYTES
            if is_bytes and isinstance(item, str) and not _BASE64.fullmatch(item):
                raise NotOfTheContract(f"{field.name} is not base64")
            if isinstance(item, dict) and field.message_type is not None:
                _check_values(field.message_type, item)
