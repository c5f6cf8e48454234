"""FIX messages as people write them: with a pipe for the separator, framed on demand."""

from functools import cache
from pathlib import Path

from tradewire_gateway.fix.codec import SOH
from tradewire_gateway.fix.quickfix_xml import load_quickfix_xml
from tradewire_gateway.fix.validation import Validator

_DICTIONARY = Path(__file__).parents[3] / "acceptance" / "fix" / "dictionary.xml"


@cache
def validator() -> Validator:
    """Return a validator of the scenarios' dictionary."""
    return Validator(load_quickfix_xml(_DICTIONARY.read_bytes()))


def frame(content: str, begin_string: str = "FIX.4.4") -> bytes:
    """Return a whole message, framed without the help of the codec."""
    text = content.replace("|", SOH)
    head = f"8={begin_string}{SOH}9={len(text)}{SOH}{text}".encode("latin-1")
    return head + b"10=%03d\x01" % (sum(head) % 256)


def content(data: bytes) -> str:
    """Return what stands between BodyLength and CheckSum, with pipes."""
    return data.decode("latin-1").split(SOH, 2)[2].rpartition("10=")[0].replace(SOH, "|")
