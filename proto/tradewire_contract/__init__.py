"""Reads what the contract says about itself: the annotations on its methods, fields and values.

Used on both sides of the wire; it depends on protobuf and the generated contract only.
"""

from tradewire_contract.catalogue import ReasonEntry, reasons
from tradewire_contract.methods import ContractError, Deprecation, Method, methods
from tradewire_contract.rest import Match, Route, allowed_methods, find_route, routes

__all__ = [
    "ContractError",
    "Deprecation",
    "Match",
    "Method",
    "ReasonEntry",
    "Route",
    "allowed_methods",
    "find_route",
    "methods",
    "reasons",
    "routes",
]
