"""Reads what the contract says about itself: the annotations on its methods, fields and values.

Used on both sides of the wire; it depends on protobuf and the generated contract only.
"""

from tradewire_contract.catalogue import ReasonEntry, reasons
from tradewire_contract.methods import ContractError, Method, methods

__all__ = ["ContractError", "Method", "ReasonEntry", "methods", "reasons"]
