"""The AsyncAPI 3.0 document of the WebSocket edge: made of the contract, read where it is shown.

    bounds      what a connection may send and how it is kept, in numbers
    frames      requests, answers and notifications as JSON-RPC has them, with their examples
    reasons     the reasons that a method answers with
    operations  a method as an operation, a stream as what is received besides
    prose       what a reader has to know first
    document    all of it as one document

The document is written from the client's side: what it is to `send`, the client sends. Schemas,
examples and comments are those of the OpenAPI document, since both say the same of the same
messages. As there, what cannot be said is a ContractError, and the generator fails.
"""

import json
from functools import cache
from typing import Any

from tradewire_contract.asyncapi.document import build
from tradewire_contract.generated import generated
from tradewire_contract.openapi.document import render

__all__ = ["build", "document", "render", "text"]


@cache
def text() -> str:
    """Return the published document as it was generated."""
    return generated("asyncapi.json").decode()


@cache
def document() -> dict[str, Any]:
    """Return the published document. It is shared: copy it before changing it."""
    parsed: dict[str, Any] = json.loads(text())
    return parsed
