"""The venue's data dictionary, as the contract has it."""

from dataclasses import replace
from functools import cache

from tradewire_contract.fix import dictionary_text
from tradewire_contract.fix.fields import MSG_TYPES

from tradewire_gateway.fix.dictionary import Dictionary
from tradewire_gateway.fix.quickfix_xml import load_quickfix_xml


@cache
def dictionary() -> Dictionary:
    """Return the dictionary of what is spoken here; other messages of FIX 4.4 are unsupported."""
    loaded = load_quickfix_xml(dictionary_text())
    return replace(loaded, unsupported=MSG_TYPES - loaded.messages.keys())
