"""The usual frames, without ceremony: whole text frames of a client, many at a time.

`websockets` reads anything that RFC 6455 has, byte by byte if it comes so, for 10 µs a frame. A
client that pipelines sends hundreds of small masked text frames that come together: those are
taken here, and everything else is left to the library.
"""

from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - where the library was built without
    from websockets.utils import apply_mask

_WHOLE_TEXT: Final = 0x81
_MASKED: Final = 0x80
_MEDIUM, _LARGE = 126, 127
_MASK_SIZE, _HEAD_MIN = 4, 6
_HEAD_MEDIUM: Final = 8


def take_texts(
    data: bytes, position: int, *, size_max: int, count_max: int
) -> tuple[list[bytes], int]:
    """Return the texts of the whole, masked text frames that stand at a position, not more than
    `count_max`, and where the rest begins: with a frame too many, of another kind, one that is
    larger than `size_max`, or a part of one.
    """
    texts: list[bytes] = []
    end = len(data)
    while len(texts) < count_max and end - position >= _HEAD_MIN and data[position] == _WHOLE_TEXT:
        size = data[position + 1] - _MASKED
        if size < 0 or size == _LARGE:
            break
        start = position + 2
        if size == _MEDIUM:
            if end - position < _HEAD_MEDIUM:
                break
            size = data[start] << 8 | data[start + 1]
            start += 2
        stop = start + _MASK_SIZE + size
        if stop > end or size > size_max:
            break
        texts.append(apply_mask(data[start + _MASK_SIZE : stop], data[start : start + _MASK_SIZE]))
        position = stop
    return texts, position
