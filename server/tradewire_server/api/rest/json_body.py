"""The body of a request, read strictly.

Envoy's transcoder forgives: it drops fields that it does not know, takes the last of two, and reads
JSON that is none. A mistyped `postOnly` would become an order that takes. So the body is read here
first, and what is not exactly a message of the contract is refused, with the path of each field.
What protobuf's JSON mapping allows is allowed: both names of a field, null, numbers as strings,
enum values by name or number.

A body costs little even when it is made to cost much: its values are counted before they are read,
a list that is longer than the contract lets it be is not looked into, nesting ends where the
contract's ends, and of very much that is wrong the first is told.
"""

import json
from typing import Any, NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tradewire_server.api.admission import violation_error
from tradewire_server.api.errors import ApiError, make_error
from tradewire_server.api.rest.fields import (
    Field,
    Findings,
    Given,
    fields_of,
    kind_of,
    number_problem,
    shown,
    text_problem,
    unknown,
)
from tradewire_server.engine.vocabulary import Reason

# A hundred orders with all of their fields have a quarter of that.
VALUES_MAX = 5_000
# To make an integer of a text costs the square of its length. The contract has 20 digits at most.
DIGITS_MAX = 40
_SEPARATORS = (b"{", b"[", b",")


class _Members(list[tuple[str, Any]]):
    """The members of an object as they stand there, also those of the same name."""


class _NotJson(ValueError):
    """Python would read it, but it is no JSON."""


def check_body(body: bytes, descriptor: Descriptor, given: Given) -> None:
    """Refuse a body that is not a message of this type; `given` are the fields of the path.

    An empty body is an empty message. Raises ApiError: MESSAGE_MALFORMED, or FIELD_INVALID with a
    violation per field.
    """
    if not body:
        return
    content = _parse(body)
    if not isinstance(content, _Members):
        raise make_error(Reason.MESSAGE_MALFORMED, "the body is not a JSON object: {...}")
    findings = Findings()
    _check_message(content, descriptor, given, findings, path="")
    if findings.found:
        raise violation_error(findings.found)


def _parse(body: bytes) -> Any:
    if sum(body.count(separator) for separator in _SEPARATORS) > VALUES_MAX:
        raise _malformed(f"it has more than {VALUES_MAX} values")
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_Members,
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except UnicodeDecodeError as error:
        why = f"it is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        why = f"{error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno} column {error.colno}"
    except RecursionError:
        why = "it is nested too deep"
    except _NotJson as error:
        why = str(error)
    raise _malformed(why) from None


def _malformed(why: str) -> ApiError:
    return make_error(Reason.MESSAGE_MALFORMED, f"the body is not acceptable JSON: {why}")


def _parse_int(text: str) -> int:
    return int(_bounded(text))


def _parse_float(text: str) -> float:
    return float(_bounded(text))


def _bounded(text: str) -> str:
    if len(text) > DIGITS_MAX:
        raise _NotJson("a number has too many digits")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJson(f"{name} is no value in JSON")


def _check_message(
    members: _Members,
    descriptor: Descriptor,
    given: Given,
    findings: Findings,
    *,
    path: str,
) -> None:
    fields = fields_of(descriptor)
    for name, value in members:
        if findings.is_full:
            return
        field = fields.by_name.get(name)
        if field is None:
            findings.add(f"{path}{shown(name)}", unknown(name, fields.names))
            continue
        where = f"{path}{field.name}"
        problem = given.once(field, name, counts=value is not None)
        if problem is not None:
            findings.add(where, problem)
        elif value is not None:
            _check_field(field, value, findings, where=where)


def _check_field(field: Field, value: Any, findings: Findings, *, where: str) -> None:
    if not field.is_repeated:
        _check_value(field, value, findings, where=where)
        return
    if not isinstance(value, list) or isinstance(value, _Members):
        findings.add(where, "must be a list: [...]")
        return
    most = field.items_max or VALUES_MAX
    if len(value) > most:
        findings.add(where, f"must have at most {most} items")
        return
    for index, item in enumerate(value):
        if findings.is_full:
            return
        _check_value(field, item, findings, where=f"{where}[{index}]")


def _check_value(field: Field, value: Any, findings: Findings, *, where: str) -> None:
    message = field.message
    if message is not None and not field.is_text:
        if isinstance(value, _Members):
            _check_message(value, message, Given(), findings, path=f"{where}.")
        else:
            findings.add(where, f"must be {kind_of(field)}")
        return
    problem: str | None
    if isinstance(value, str):
        problem = text_problem(field, value)
    elif isinstance(value, bool):
        is_bool = field.cpp_type == FieldDescriptor.CPPTYPE_BOOL
        problem = None if is_bool else f"must be {kind_of(field)}"
    elif isinstance(value, int | float):
        problem = number_problem(field, value)
    else:
        problem = f"must be {kind_of(field)}"
    if problem is not None:
        findings.add(where, problem)
