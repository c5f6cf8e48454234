"""The OpenAPI 3.1 document of the REST edge: made of the contract, read where it is published.

    comments       what the .proto files say about each element
    rules          validation rules as JSON Schema
    schemas        messages and enums as JSON Schema, by Envoy's JSON rules
    examples       requests and answers of annotated examples
    answers        the HTTP statuses of an operation and the reasons for each
    operations     a REST path as an operation
    document       all of it as one document
    compatibility  what a change of the document takes away from a client

The document is a function of the descriptors. Nothing is left out in silence: what cannot be said
in OpenAPI is a ContractError, and the generator fails.
"""

import json
from functools import cache
from typing import Any

from tradewire_contract.generated import generated
from tradewire_contract.openapi.compatibility import breaking_changes
from tradewire_contract.openapi.document import build, render

__all__ = ["breaking_changes", "build", "document", "render", "text"]


@cache
def text() -> str:
    """Return the published document as it was generated."""
    return generated("openapi.json").decode()


@cache
def document() -> dict[str, Any]:
    """Return the published document. It is shared: copy it before changing it."""
    parsed: dict[str, Any] = json.loads(text())
    return parsed
