"""Between FIX messages and the contract, by the contract's annotations; without any I/O.

    plan         how a message of the contract is written in FIX and read, compiled once
    requests     D F G H q AF x e BE AN V -> requests of the contract
    reports      executions and orders -> 8
    replies      other answers -> r y f BF AP
    refusals     errors -> 8 9 r y f Y BF AP j
    market_data  books and trades -> W X
    errors       errors of the catalogue, and those of messages that cannot be translated

What an annotation cannot say stands in the tables of `tradewire_contract.fix.rules`.
"""

from tradewire_gateway.fix.translate.errors import Untranslatable
from tradewire_gateway.fix.translate.market_data import MarketDataFeed, book_snapshot
from tradewire_gateway.fix.translate.refusals import refusal
from tradewire_gateway.fix.translate.replies import (
    Answer,
    balances,
    mass_cancel_report,
    position_reports,
    security_list,
    security_status,
)
from tradewire_gateway.fix.translate.reports import (
    execution_report,
    order_status_report,
    order_status_reports,
)
from tradewire_gateway.fix.translate.requests import (
    METHODS,
    MarketDataQuery,
    to_market_data_query,
    to_request,
)
from tradewire_gateway.fix.translate.vocabulary import dictionary

__all__ = [
    "METHODS",
    "Answer",
    "MarketDataFeed",
    "MarketDataQuery",
    "Untranslatable",
    "balances",
    "book_snapshot",
    "dictionary",
    "execution_report",
    "mass_cancel_report",
    "order_status_report",
    "order_status_reports",
    "position_reports",
    "refusal",
    "security_list",
    "security_status",
    "to_market_data_query",
    "to_request",
]
