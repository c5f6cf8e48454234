"""Feed entries as bytes: a chunk is a serialised `{repeated X items = 1;}` nobody needs to parse.

Every entry is a length-delimited field 1 (tag 0x0A, varint length, message), so chunks laid end to
end are a valid message again. Messages stay opaque; only their lengths are read here.
"""

TAG = 0x0A
# A varint of a length below 2**35; nothing longer is ever stored.
_LENGTH_BYTES_MAX = 5


class EntriesMalformed(ValueError):
    """Bytes are not a run of entries; `offset` says from where on."""

    def __init__(self, offset: int, finding: str) -> None:
        super().__init__(f"offset {offset}: {finding}")
        self.offset = offset


def wrap(message: bytes) -> bytes:
    """Return the message as one entry."""
    length = len(message)
    if length < 0x80:
        return bytes((TAG, length)) + message
    head = bytearray((TAG,))
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + message


def _body(data: bytes, offset: int) -> tuple[int, int]:
    """Return where the message of the entry at `offset` starts and ends."""
    if data[offset] != TAG:
        raise EntriesMalformed(offset, f"expected an entry, found the byte 0x{data[offset]:02x}")
    size = len(data)
    length = shift = 0
    position = offset + 1
    while position < size:
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift == 7 * _LENGTH_BYTES_MAX:
            raise EntriesMalformed(offset, "the length does not end")
    else:
        raise EntriesMalformed(offset, "the data ends within a length")
    end = position + length
    if end > size:
        raise EntriesMalformed(offset, f"a message of {length} bytes has {size - position} left")
    return position, end


def split(data: bytes) -> list[bytes]:
    """Return the messages of all entries.

    Raises `EntriesMalformed`.
    """
    messages = []
    offset, size = 0, len(data)
    while offset < size:
        start, end = _body(data, offset)
        messages.append(data[start:end])
        offset = end
    return messages


def count(data: bytes) -> int:
    """Return how many entries there are.

    Raises `EntriesMalformed`.
    """
    entries = offset = 0
    size = len(data)
    while offset < size:
        _, offset = _body(data, offset)
        entries += 1
    return entries


def cut(data: bytes, first: int, after: int) -> bytes:
    """Drop the entries numbered up to `after` from data whose first entry is `first`.

    Raises `EntriesMalformed`.
    """
    if after < first:
        return data
    offset, size = 0, len(data)
    for _ in range(after - first + 1):
        if offset >= size:
            break
        _, offset = _body(data, offset)
    return data[offset:]


def take(data: bytes, max_bytes: int) -> tuple[bytes, int]:
    """Return as many leading entries as fit, but at least one, and how many they are.

    Raises `EntriesMalformed`.
    """
    entries = offset = 0
    size = len(data)
    while offset < size:
        _, end = _body(data, offset)
        if entries and end > max_bytes:
            break
        entries += 1
        offset = end
    return data[:offset], entries
