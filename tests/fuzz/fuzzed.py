"""What targets make of their input."""

from __future__ import annotations

import atheris
from tradewire_gateway.fix.codec import SOH


class Input:
    """Takes values off an input, from its end and its beginning; exhausted it gives zeros."""

    def __init__(self, data: bytes) -> None:
        self._provider = atheris.FuzzedDataProvider(data)

    def __bool__(self) -> bool:
        return bool(self._provider.remaining_bytes())

    def number(self, most: int) -> int:
        """Return a number from 0 to the greatest, both included."""
        value: int = self._provider.ConsumeIntInRange(0, most)
        return value

    def chance(self, one_in: int) -> bool:
        """Return True for one value in so many."""
        return self.number(one_in - 1) == one_in - 1

    def data(self, longest: int) -> bytes:
        """Return some bytes."""
        taken: bytes = self._provider.ConsumeBytes(self.number(longest))
        return taken

    def text(self, longest: int) -> str:
        """Return some characters, among which there is no separator."""
        return self.data(longest).decode("latin-1").replace(SOH, "|")

    def one_of(self, choices: list[str]) -> str:
        """Return one of them."""
        return choices[self.number(len(choices) - 1)]


def frame(content: str, *, length: int | None = None, checksum: int | None = None) -> bytes:
    """Return a message framed without the codec, wrongly where its length or checksum is given."""
    size = len(content) if length is None else length
    head = f"8=FIX.4.4{SOH}9={size}{SOH}{content}".encode("latin-1")
    return head + b"10=%03d\x01" % (sum(head) % 256 if checksum is None else checksum)
