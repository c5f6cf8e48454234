"""What is served: bytes with a type and an ETag, and how a request for them is answered."""

import gzip
import hashlib
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request
from starlette.responses import Response

HTML = "text/html; charset=utf-8"
JSON = "application/json"
# Below this a packed body is not worth a header.
_WORTH_PACKING = 1_024
_PACKING_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes that are served as they stand, plain and packed."""

    content: bytes
    packed: bytes | None
    media_type: str
    etag: str
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200

    @classmethod
    def of(
        cls,
        content: bytes | str,
        media_type: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        status: int = 200,
    ) -> Self:
        """Make a document; packing a large one takes a while."""
        data = content.encode() if isinstance(content, str) else content
        packed = None
        if len(data) >= _WORTH_PACKING:
            packed = gzip.compress(data, _PACKING_LEVEL, mtime=0)
        return cls(
            content=data,
            packed=packed,
            media_type=media_type,
            etag=hashlib.sha256(data).hexdigest()[:32],
            headers=headers,
            status=status,
        )


def answer(request: Request, document: Document) -> Response:
    """Answer a GET or HEAD with a document: what the client has already is not sent again."""
    packed = document.packed if _takes_gzip(request) else None
    # Two representations, two strong tags.
    etag = f'"{document.etag}{"-gzip" if packed is not None else ""}"'
    headers = {"etag": etag, "cache-control": "no-cache", **dict(document.headers)}
    if document.packed is not None:
        headers["vary"] = "accept-encoding"
    if document.status == 200 and _has_it(request, etag):
        return Response(status_code=304, headers=headers)
    if packed is not None:
        headers["content-encoding"] = "gzip"
    body = document.content if packed is None else packed
    headers["content-length"] = str(len(body))
    return Response(
        b"" if request.method == "HEAD" else body,
        status_code=document.status,
        headers=headers,
        media_type=document.media_type,
    )


def _takes_gzip(request: Request) -> bool:
    for coding in request.headers.get("accept-encoding", "").split(","):
        name, _, quality = coding.strip().partition(";")
        if name.strip().lower() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _has_it(request: Request, etag: str) -> bool:
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return "*" in tags or etag in tags
