"""Pages: sizes and tokens. A token is the key of the last item; what it opens depends on the
caller.
"""

from collections.abc import Mapping
from typing import TypeVar

from tradewire_server.api.errors import make_error
from tradewire_server.engine.vocabulary import Reason

ItemT = TypeVar("ItemT")

DEFAULT_SIZE = 100


def page_size(requested: int) -> int:
    """Return how many items to give; the bound has been checked by the contract's rule."""
    return requested or DEFAULT_SIZE


def number_token(token: str) -> int:
    """Return the number after which a page begins, 0 for the first page.

    Raises ApiError for a token that no answer contained.
    """
    if not token:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) <= 18):
        raise make_error(
            Reason.FIELD_INVALID,
            "page_token must be the next_page_token of the page before",
            field="page_token",
        )
    return int(token)


def name_page(items: Mapping[str, ItemT], token: str, requested: int) -> tuple[list[ItemT], str]:
    """Return the items after a name, in the order of names, and the token of the next page."""
    size = page_size(requested)
    names = sorted(name for name in items if name > token)
    page = names[:size]
    return [items[name] for name in page], page[-1] if len(names) > size else ""
