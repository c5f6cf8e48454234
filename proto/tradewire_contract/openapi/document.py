"""Puts the OpenAPI document together. Its order is fixed: equal input gives equal text.

Paths and components are sorted; fields, parameters and tags keep the contract's order, which is the
order in which people read.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tradewire_contract.catalogue import ReasonEntry, reasons
from tradewire_contract.methods import SERVICE_FILES, ContractError
from tradewire_contract.openapi import prose
from tradewire_contract.openapi.comments import Comments
from tradewire_contract.openapi.examples import Examples, status_example
from tradewire_contract.openapi.operations import Operations, operation_id, tag
from tradewire_contract.openapi.schemas import Schemas
from tradewire_contract.rest import Route, routes

_COMPONENTS = "#/components/"
_VARIABLE = re.compile(r"{[a-z0-9_]+}")


def build(image: FileDescriptorSet, found: Sequence[Route] | None = None) -> dict[str, Any]:
    """Return the document of the contract, with the comments of ``image``.

    Methods without a REST path, so all that are for the operator, are not in it. Raises
    ContractError for what cannot be said.
    """
    chosen = routes() if found is None else found
    comments = Comments(image)
    schemas = Schemas(comments)
    examples = Examples(contract_files())
    operations = Operations(schemas, examples, comments)
    paths = _paths(chosen, operations)
    shared = _shared_responses(paths)
    services = dict.fromkeys(route.method.service for route in chosen)
    used = [entry for entry in reasons().values() if _is_used(entry, paths, shared)]
    return {
        "openapi": "3.1.0",
        "info": prose.info(),
        "servers": [{"url": "/", "description": "Where this document comes from."}],
        "tags": [
            {"name": tag(service), "description": comments.text(service)} for service in services
        ],
        "paths": paths,
        "components": {
            "schemas": dict(sorted((schemas.components | prose.status_schemas()).items())),
            "responses": dict(sorted(shared.items())),
            "examples": {
                entry.name: {
                    "summary": operations.reason_text(entry),
                    "value": status_example(entry, _decapitalized(operations.reason_text(entry))),
                }
                for entry in sorted(used, key=lambda entry: entry.name)
            },
            "headers": prose.headers(),
            "securitySchemes": prose.security_schemes(),
        },
    }


def render(document: dict[str, Any]) -> str:
    """Return a document as the text that is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def contract_files() -> list[FileDescriptor]:
    """Return the files of the contract, those without a service included, by name."""
    found: dict[str, FileDescriptor] = {}

    def add(files: Iterable[FileDescriptor]) -> None:
        for file in files:
            if file.name not in found and file.package.startswith("tradewire."):
                found[file.name] = file
                add(file.dependencies)

    add(SERVICE_FILES)
    return [found[name] for name in sorted(found)]


def _paths(chosen: Sequence[Route], operations: Operations) -> dict[str, Any]:
    """Return the operations by path and HTTP method.

    Paths that differ in the names of their variables only are one path for OpenAPI: the contract's
    first binding names the variables of all.
    """
    names: dict[str, list[str]] = {}
    paths: dict[str, Any] = {}
    identities = set[str]()
    for route in chosen:
        fields = route.method.request.fields_by_name
        mine = [fields[variable].json_name for variable in route.variables]
        shape = _VARIABLE.sub("{}", route.template)
        path_names = dict(zip(route.variables, names.setdefault(shape, mine), strict=True))
        template = route.template
        for variable, name in path_names.items():
            template = template.replace(f"{{{variable}}}", f"{{{name}}}")
        identity = operation_id(route)
        if identity in identities:
            raise ContractError(f"two operations would have the name {identity}")
        identities.add(identity)
        operation = operations.operation(route, path_names)
        paths.setdefault(template, {})[route.http_method.lower()] = operation
    return dict(sorted(paths.items()))


def _shared_responses(paths: dict[str, Any]) -> dict[str, Any]:
    """Move the error answers that several operations have in common to components; return these.

    Of one HTTP status the most frequent answer is shared, under the name of the status.
    """
    by_status: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for responses in _each_responses(paths):
        for status, response in responses.items():
            if status != "200":
                text = json.dumps(response)
                by_status.setdefault(status, {}).setdefault(text, []).append(responses)
    shared = {}
    for status, texts in by_status.items():
        text, users = max(texts.items(), key=lambda item: (len(item[1]), item[0]))
        if len(users) > 1:
            response = json.loads(text)
            name = response["description"].partition(".")[0].title().replace(" ", "")
            shared[name] = response
            for responses in users:
                responses[status] = {"$ref": f"{_COMPONENTS}responses/{name}"}
    return shared


def _each_responses(paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in paths.values():
        for operation in operations.values():
            yield operation["responses"]


def _is_used(entry: ReasonEntry, paths: dict[str, Any], shared: dict[str, Any]) -> bool:
    inline = [response for responses in _each_responses(paths) for response in responses.values()]
    return any(
        entry.name in response.get("x-tradewire-reasons", ())
        for response in (*inline, *shared.values())
    )


def _decapitalized(text: str) -> str:
    return (text[:1].lower() + text[1:]).removesuffix(".")
