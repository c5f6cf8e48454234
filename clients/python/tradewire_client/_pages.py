"""Lists: what was read at once, and what comes in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")


class Listing(tuple[Item, ...], Generic[Item]):
    """A tuple of what was read, and up to where that is true."""

    as_of_sequence: int
    """The account's execution sequence up to which it is true."""
    as_of_ledger_sequence: int
    """The account's ledger sequence up to which it is true; 0 where there is none."""
    journal_id: str
    """Identity of the journal."""

    def __new__(
        cls,
        items: Iterable[Item],
        *,
        as_of_sequence: int = 0,
        as_of_ledger_sequence: int = 0,
        journal_id: str = "",
    ) -> Self:
        """Make one of items."""
        self = super().__new__(cls, items)
        self.as_of_sequence = as_of_sequence
        self.as_of_ledger_sequence = as_of_ledger_sequence
        self.journal_id = journal_id
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """One page, and how to get the next one, None after the last."""

    items: Listing[Item]
    next: Callable[[], Awaitable[Page[Item]]] | None


class Pages(Generic[Item]):
    """A list that comes in pages: iterate over it to fetch them as needed, or await it for all at
    once.
    """

    def __init__(self, first: Callable[[], Awaitable[Page[Item]]]) -> None:
        self._first = first

    async def pages(self) -> AsyncIterator[Listing[Item]]:
        """Iterate over the pages themselves; each says up to where it is true."""
        fetch: Callable[[], Awaitable[Page[Item]]] | None = self._first
        while fetch is not None:
            page = await fetch()
            yield page.items
            fetch = page.next

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page:
                yield item

    def __await__(self) -> Generator[Any, None, Listing[Item]]:
        return self._all().__await__()

    async def _all(self) -> Listing[Item]:
        items: list[Item] = []
        # Overwritten by the first page: there always is one.
        last: Listing[Item] = Listing(())
        async for page in self.pages():
            items.extend(page)
            last = page
        return Listing(
            items,
            as_of_sequence=last.as_of_sequence,
            as_of_ledger_sequence=last.as_of_ledger_sequence,
            journal_id=last.journal_id,
        )
