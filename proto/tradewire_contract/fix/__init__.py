"""FIX as the contract has it: its messages, data dictionary and rules of engagement.

fields      the standard's own facts: names and types of fields, types of messages
rules       what FIX has and the contract has not, as tables
placement   where the contract's fields stand in FIX, by their annotations
messages    what these add up to: one model of all messages
dictionary  the model as a data dictionary, QuickFIX XML
engagement  the model as the rules of engagement, Markdown; its prose is engagement.md
published   both documents, as they were generated
"""

from tradewire_contract.fix.messages import Field, FixContract, FixMessage, Member, fix_contract
from tradewire_contract.fix.published import dictionary_text, engagement_text

__all__ = [
    "Field",
    "FixContract",
    "FixMessage",
    "Member",
    "dictionary_text",
    "engagement_text",
    "fix_contract",
]
