"""Messages of streams as JSON, made once for all who get the same bytes.

Updates of a book go to every subscriber alike, as the same bytes; what belongs to one account goes
to few. So the last texts are kept by the bytes that they were made of, as many as fit into a bound.
"""

from collections.abc import Callable
from functools import cache

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from tradewire_gateway.ws.json_form import writer

# A few hundred milliseconds of busy markets: who reads later is conflated anyway.
KEPT_MAX = 512
KEPT_BYTES_MAX = 4 << 20


class Renderer:
    """Renders the messages of one type."""

    __slots__ = ("_bytes", "_kept", "_parse", "_write")

    def __init__(self, response: Descriptor) -> None:
        message_type: type[Message] = message_factory.GetMessageClass(response)
        self._parse: Callable[[bytes], Message] = message_type.FromString
        self._write = writer(response)
        self._kept: dict[bytes, bytes] = {}
        self._bytes = 0

    def __call__(self, data: bytes) -> bytes:
        """Return the JSON of a message. Raises DecodeError."""
        text = self._kept.get(data)
        if text is None:
            text = self._write(self._parse(data)).encode()
            self._keep(data, text)
        return text

    def _keep(self, data: bytes, text: bytes) -> None:
        size = len(data) + len(text)
        if size > KEPT_BYTES_MAX // 4:
            return
        self._kept[data] = text
        self._bytes += size
        while self._bytes > KEPT_BYTES_MAX or len(self._kept) > KEPT_MAX:
            # The oldest: a dictionary keeps the order in which things came.
            oldest = next(iter(self._kept))
            self._bytes -= len(oldest) + len(self._kept.pop(oldest))


@cache
def renderer(response: Descriptor) -> Renderer:
    """Return the renderer of a type, the same one for everybody."""
    return Renderer(response)
