"""The decoder: streams of frames, broken frames and garbage, in arbitrary pieces.

It must not raise, it must hold no more than its bound allows, it must find the same messages
however the stream is cut, and what the session would read of a message is what went in.
"""

from __future__ import annotations

from tradewire_gateway.fix.codec import SOH, Decoder, RawMessage

from tests.fuzz.fuzzed import Input, frame

INPUT_BYTES = 2048
_LENGTH_MAX = 512
# What a message may have beside its content, and one byte more.
_FRAME_BYTES = len("8=FIXT.1.1|9=123456789|10=123|")
_FRAGMENTS = [
    b"8=", b"8=FIX.4.4\x01", b"8=FIX.4.4\x019=5\x01", b"8=FIX.4.4\x019=400\x0135=D\x01", b"\x0110=",
    b"8=FIXT.1.1\x019=999999999\x01", b"35=0\x01", b"10=000\x01", b"\x01", b"95=3\x0196=a\x01b\x01",
]  # fmt: skip


def run(data: bytes) -> None:
    """Decode a stream in one piece and in many."""
    fuzzed = Input(data)
    cuts = [fuzzed.number(300) for _ in range(fuzzed.number(12))]
    stream, whole = _stream(fuzzed)
    # No length can be above this bound, so that nothing depends on what has arrived.
    is_bounded = fuzzed.chance(2)
    bound = _LENGTH_MAX if is_bounded else 10**9
    at_once = _decode([stream], bound)
    pieces = _cut(stream, cuts)
    in_pieces = _decode(pieces, bound)
    if not is_bounded:
        assert at_once == in_pieces, "the messages depend on how they arrive"
    if whole is not None:
        assert [SOH.join(map("=".join, zip(each.tags, each.values, strict=True))) + SOH
                for each in at_once] == whole  # fmt: skip


def _stream(fuzzed: Input) -> tuple[bytes, list[str] | None]:
    """Return a stream, and the contents of its messages where all of it is as it should be."""
    parts, whole = list[bytes](), list[str]()
    is_sound = fuzzed.chance(4)
    while fuzzed and len(parts) < 12:
        text = fuzzed.text(60)
        fields = [f"{number}={part}" for number, part in enumerate(text.split("|"), 100)]
        content = SOH.join(["35=D", *fields]) + SOH
        kind = 0 if is_sound else fuzzed.number(5)
        if kind == 0:
            whole.append(content)
            parts.append(frame(content))
        elif kind == 1:
            parts.append(frame(content, length=fuzzed.number(2 * _LENGTH_MAX)))
        elif kind == 2:
            parts.append(frame(content, checksum=fuzzed.number(255)))
        elif kind == 3:
            parts.append(frame(text.replace("|", SOH)))
        elif kind == 4:
            parts.append(_FRAGMENTS[fuzzed.number(len(_FRAGMENTS) - 1)])
        else:
            parts.append(fuzzed.data(200))
    return b"".join(parts), whole if is_sound else None


def _cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces = list[bytes]()
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    return [*pieces, stream]


def _decode(pieces: list[bytes], bound: int) -> list[RawMessage]:
    decoder = Decoder(message_bytes_max=bound)
    found = list[RawMessage]()
    for piece in pieces:
        decoder.feed(piece)
        # Each thing that is found takes bytes from the stream: this ends.
        before = decoder.buffered + 1
        while (each := decoder.next()) is not None:
            if isinstance(each, RawMessage):
                found.append(each)
                assert len(each.tags) == len(each.values)
            assert decoder.buffered < before, "nothing was taken"
            before = decoder.buffered
        assert decoder.buffered <= 2 * bound + _FRAME_BYTES, decoder.buffered
    return found
