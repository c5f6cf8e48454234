"""The path and the query of a request, read strictly.

Names are compared as they were sent, values are percent-decoded: what the transcoder does. A
parameter without `=` it would drop silently, so that is refused here.

A query is bounded before it is taken apart, and a list while it is read.
"""

import re
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from google.protobuf.descriptor import FieldDescriptor
from tradewire_contract import Route
from tradewire_contract.json_form.fields import (
    Field,
    Findings,
    Given,
    fields_of,
    shown,
    text_problem,
    unknown,
)

from tradewire_server.api.admission import violation_error
from tradewire_server.api.errors import make_error
from tradewire_server.api.rest.request import PARAMETERS_MAX, QUERY_MAX
from tradewire_server.engine.vocabulary import Reason

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class _Parameters(NamedTuple):
    """What a route takes from its query: read once, because it is asked for each parameter.

    `known` has those of the path too, under each of their names, so that a second time is told.
    """

    known: dict[str, Field]
    names: tuple[str, ...]


@cache
def _parameters_of(route: Route) -> _Parameters:
    by_name = fields_of(route.method.request).by_name
    allowed = {field.name: field.json_name for field in route.query_fields}
    known = {
        name: field
        for name, field in by_name.items()
        if field.name in allowed or field.name in route.variables
    }
    return _Parameters(known, tuple(allowed.values()))


def check_target(route: Route, target: str) -> Given:
    """Refuse a target whose path or query is not what the route takes.

    Returns which fields it gave. Raises ApiError: MESSAGE_MALFORMED, REQUEST_TOO_LARGE, or
    FIELD_INVALID with a violation per field.
    """
    path, _, query = target.partition("?")
    if len(query) > QUERY_MAX:
        raise make_error(Reason.REQUEST_TOO_LARGE, f"the query has more than {QUERY_MAX} bytes")
    if query.count("&") >= PARAMETERS_MAX:
        text = f"the query has more than {PARAMETERS_MAX} parameters"
        raise make_error(Reason.REQUEST_TOO_LARGE, text)
    _decode(path, "the path")
    by_name = fields_of(route.method.request).by_name
    given = Given()
    for variable in route.variables:
        given.from_path(by_name[variable])
    findings = Findings()
    for part in query.split("&") if query else ():
        if findings.is_full:
            break
        if part:
            _check_parameter(part, given, findings, route)
    if findings.found:
        raise violation_error(findings.found)
    return given


def _check_parameter(
    part: str,
    given: Given,
    findings: Findings,
    route: Route,
) -> None:
    name, equals, raw = part.partition("=")
    parameters = _parameters_of(route)
    field = parameters.known.get(name)
    if field is None:
        what = unknown(name, parameters.names)
        if route.has_body:
            what = "is not taken from the query: send it in the body"
        findings.add(shown(name), what)
        return
    if not equals:
        findings.add(field.name, f"has no value: write {name}=...")
        return
    value = _decode(raw, f"the parameter {name}")
    # A list is one value after the other, under one name.
    problem = given.repeated(field, name) if field.is_repeated else given.once(field, name)
    if problem is None and not is_bool_text(field, value):
        problem = text_problem(field, value)
    if problem is not None:
        findings.add(field.name, problem)


def is_bool_text(field: Field, value: str) -> bool:
    """Say whether this is a truth value, which in a query has no quotes that could be wrong."""
    return field.cpp_type == FieldDescriptor.CPPTYPE_BOOL and value in ("true", "false")


def _decode(text: str, what: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise make_error(Reason.MESSAGE_MALFORMED, f"{what} has a % that is no percent-encoding")
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode("utf-8")
    except UnicodeDecodeError:
        raise make_error(Reason.MESSAGE_MALFORMED, f"{what} is not UTF-8") from None
