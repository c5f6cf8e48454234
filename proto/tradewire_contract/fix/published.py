"""The published documents of FIX, as `make gen` has written them."""

from functools import cache
from typing import Final

from tradewire_contract.generated import generated

DICTIONARY: Final = "tradewire-fix44.xml"
ENGAGEMENT: Final = "rules-of-engagement.md"


@cache
def dictionary_text() -> str:
    """Return the data dictionary in the XML format of QuickFIX."""
    return generated(DICTIONARY).decode()


@cache
def engagement_text() -> str:
    """Return the rules of engagement, Markdown."""
    return generated(ENGAGEMENT).decode()
