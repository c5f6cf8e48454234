"""Says what is wrong with a JSON value as a message of the contract, with the path of each field.

It looks no longer than it has to: a list that is longer than the contract lets it be is not looked
into, nesting ends where the contract's ends, and of very much that is wrong the first is told.
"""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tradewire_contract.json_form.fields import (
    Field,
    Findings,
    Given,
    fields_of,
    foreign_problem,
    kind_of,
    number_problem,
    shown,
    text_problem,
    unknown,
)
from tradewire_contract.json_form.text import VALUES_MAX, members_of


def check_message(
    content: dict[str, Any], descriptor: Descriptor, given: Given, findings: Findings
) -> None:
    """Add to the findings what is wrong with an object as this message.

    `given` are fields of it that came another way.
    """
    _check_members(content, descriptor, given, findings, path="")


def _check_members(
    content: dict[str, Any],
    descriptor: Descriptor,
    given: Given,
    findings: Findings,
    *,
    path: str,
) -> None:
    fields = fields_of(descriptor)
    for name, value in members_of(content):
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
    if field.foreign is not None:
        problem = foreign_problem(field, value)
        if problem is not None:
            findings.add(where, problem)
        return
    if not field.is_repeated:
        _check_value(field, value, findings, where=where)
        return
    if not isinstance(value, list):
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
    problem: str | None
    if field.message is not None and not field.is_text:
        if isinstance(value, dict):
            _check_members(value, field.message, Given(), findings, path=f"{where}.")
            return
        problem = f"must be {kind_of(field)}"
    elif isinstance(value, str):
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
