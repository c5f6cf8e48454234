"""The REST paths of the contract: which method an HTTP request is, by its google.api.http rule."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from tradewire_contract.methods import SERVICE_FILES, ContractError, Method, methods

_VARIABLE = re.compile(r"{([a-z0-9_]+)}")
_VERBS = ("get", "put", "post", "delete", "patch")
WHOLE_MESSAGE = "*"


class Route(NamedTuple):
    """One binding of a method: `POST /v1/orders`. `binding` counts those of a method from 0."""

    http_method: str
    template: str
    method: Method
    binding: int
    variables: tuple[str, ...]
    has_body: bool
    pattern: re.Pattern[str]

    @property
    def query_fields(self) -> tuple[FieldDescriptor, ...]:
        """The fields of the request that are taken from the query."""
        return () if self.has_body else self._fields_beside_path()

    @property
    def body_fields(self) -> tuple[FieldDescriptor, ...]:
        """The fields of the request that are taken from the body."""
        return self._fields_beside_path() if self.has_body else ()

    def _fields_beside_path(self) -> tuple[FieldDescriptor, ...]:
        """Return what the path does not decide: a variable also excludes the rest of its oneof."""
        fields = self.method.request.fields_by_name
        decided = {fields[name].containing_oneof for name in self.variables} - {None}
        return tuple(
            field
            for field in self.method.request.fields
            if field.name not in self.variables and field.containing_oneof not in decided
        )


class Match(NamedTuple):
    """A request's route and the values of its path variables, percent-decoded."""

    route: Route
    variables: dict[str, str]


@cache
def routes() -> tuple[Route, ...]:
    """Return the bindings of all methods, in the contract's order.

    Raises ContractError for a form of rule that is not supported here.
    """
    return tuple(
        route
        for file in SERVICE_FILES
        for service in file.services_by_name.values()
        for method in service.methods
        for route in read_routes(methods()[f"/{service.full_name}/{method.name}"], method)
    )


def read_routes(method: Method, descriptor: MethodDescriptor) -> Iterator[Route]:
    """Yield the bindings of one method, none if it has no REST path.

    Raises ContractError for a form of rule that is not supported here.
    """
    yield from _bindings(method, descriptor.GetOptions().Extensions[annotations_pb2.http])


def find_route(http_method: str, path: str) -> Match | None:
    """Return what a request is; `path` is as sent, without the query. Literal segments win over
    variables.
    """
    verb = _custom_verb(path)
    for route in _by_method().get(http_method, ()):
        found = route.pattern.fullmatch(path)
        if found is not None and _custom_verb(route.template) == verb:
            return Match(route, {k: unquote(v) for k, v in found.groupdict().items()})
    return None


def allowed_methods(path: str) -> tuple[str, ...]:
    """Return the HTTP methods that a path has; none if there is no such path."""
    return tuple(verb for verb in _by_method() if find_route(verb, path) is not None)


def _custom_verb(path: str) -> str:
    """Return the verb at the end of a path, as in `/v1/orders:cancelAll`; empty if it has none.

    The gateway takes what follows the last colon for a verb wherever any path of the contract has
    it. So an id that ends like that is sent with `%3A`.
    """
    _, colon, verb = path.rpartition("/")[2].rpartition(":")
    return verb if colon and verb in _custom_verbs() else ""


@cache
def _custom_verbs() -> frozenset[str]:
    ends = (route.template.rpartition("/")[2] for route in routes())
    return frozenset(end.rpartition(":")[2] for end in ends if ":" in end)


@cache
def _by_method() -> dict[str, tuple[Route, ...]]:
    """Return the routes by HTTP method, those with fewer variables first."""
    by_method: dict[str, list[Route]] = {}
    for route in sorted(routes(), key=lambda route: len(route.variables)):
        by_method.setdefault(route.http_method, []).append(route)
    return {verb: tuple(found) for verb, found in sorted(by_method.items())}


def _bindings(method: Method, rule: http_pb2.HttpRule) -> Iterator[Route]:
    if rule.WhichOneof("pattern") is None:
        return
    for index, binding in enumerate((rule, *rule.additional_bindings)):
        verb = binding.WhichOneof("pattern")
        if verb not in _VERBS or binding.body not in ("", WHOLE_MESSAGE) or binding.response_body:
            raise ContractError(f"{method.path} has a REST binding of a form that is not used here")
        template = getattr(binding, verb)
        yield Route(
            http_method=verb.upper(),
            template=template,
            method=method,
            binding=index,
            variables=tuple(_VARIABLE.findall(template)),
            has_body=binding.body == WHOLE_MESSAGE,
            pattern=_pattern(template),
        )


def _pattern(template: str) -> re.Pattern[str]:
    """Return what matches a path; a variable is one segment."""
    literals = _VARIABLE.split(template)
    parts = [
        f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part)
        for index, part in enumerate(literals)
    ]
    return re.compile("".join(parts))
