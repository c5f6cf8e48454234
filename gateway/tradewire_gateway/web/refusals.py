"""Errors of the HTTP edge: the catalogue's JSON for programs, a page for people."""

import json
from collections.abc import Mapping

from starlette.requests import Request
from tradewire_contract import reasons

from tradewire_gateway.web.documents import JSON, Document

DOMAIN = "tradewire"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def refusal(
    name: str,
    text: str,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    metadata: Mapping[str, str] | None = None,
) -> Document:
    """Return the error of a reason as REST gives it: google.rpc.Status in JSON."""
    entry = next(entry for entry in reasons().values() if entry.name == name)
    status = {
        "code": entry.code,
        "message": f"{name}: {text}",
        "details": [
            {
                "@type": _ERROR_INFO,
                "reason": name,
                "domain": DOMAIN,
                "metadata": {
                    **(metadata or {}),
                    "outcome": entry.outcome,
                    "retryable": "true" if entry.retryable else "false",
                    "advice": entry.advice,
                },
            }
        ],
    }
    return Document.of(json.dumps(status), JSON, headers=headers, status=entry.http_status)


def wants_page(request: Request) -> bool:
    """Say whether a person asks, with a browser."""
    return "text/html" in request.headers.get("accept", "")
