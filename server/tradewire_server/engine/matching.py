"""What an incoming order meets: a walk over the opposite side that changes nothing.

Price first, then time. Every resting order is met at most once, so the walk can be done on the live
book before a single event exists; the fold then does the same steps one by one. The incoming
order's self-trade prevention mode decides what happens when it meets its own account.
"""

from typing import NamedTuple

from tradewire_server.engine.book import BookSide
from tradewire_server.engine.events import make
from tradewire_server.engine.order import Order
from tradewire_server.engine.state import AccountState
from tradewire_server.engine.vocabulary import (
    DECREMENT,
    NO_REASON,
    SELF_TRADE_PREVENTED,
    Reason,
    SelfTradePrevention,
)


class Fill(NamedTuple):
    """A trade with a resting order."""

    maker: Order
    lots: int


class Prevented(NamedTuple):
    """A meeting with the own account: the resting order is canceled (0) or loses `lots`."""

    maker: Order
    lots: int


class Match(NamedTuple):
    """The steps in order, what is left, and why the walk stopped early, if it did."""

    steps: list[Fill | Prevented]
    filled_lots: int
    leaves_lots: int
    prevented_lots: int
    quote_units_left: int
    stopped_by: Reason
    counter_order_id: int


class Incoming(NamedTuple):
    """What walks: `limit_key` is the worst key it accepts; lots, or quote units to spend, or
    both.
    """

    account: AccountState
    limit_key: int
    lots: int
    quote_units: int
    mode: SelfTradePrevention


def match(incoming: Incoming, side: BookSide, quote_units_per_tick_lot: int) -> Match:
    """Return what `incoming` would do to the resting orders of `side`.

    `leaves_lots` is what found nothing to trade with. An order by quote units has `lots` as its
    bound; it ends with leaves 0 as soon as it cannot afford another lot.
    """
    account, limit_key, lots, quote_units, mode = incoming
    steps: list[Fill | Prevented] = []
    filled = prevented = counter = 0
    stopped = NO_REASON
    by_quote = quote_units > 0
    for key in reversed(side.keys):
        if key < limit_key or lots == 0 or stopped:
            break
        lot_cost = key * side.sign * quote_units_per_tick_lot
        maker = side.levels[key].first
        while maker is not None and lots:
            take = maker.leaves_lots if maker.leaves_lots < lots else lots
            if by_quote and quote_units < take * lot_cost:
                take = quote_units // lot_cost
                if take == 0:
                    lots = 0
                    break
            if mode and maker.account is account:
                counter = maker.order_id
                if mode is DECREMENT:
                    whole = take == maker.leaves_lots
                    steps.append(Prevented(maker, 0 if whole else take))
                    lots = lots - take if whole else 0
                    prevented += take
                    quote_units -= take * lot_cost
                    if lots == 0:
                        stopped = SELF_TRADE_PREVENTED
                        break
                else:
                    if mode is not SelfTradePrevention.CANCEL_NEWEST:
                        steps.append(Prevented(maker, 0))
                    if mode is not SelfTradePrevention.CANCEL_OLDEST:
                        stopped = SELF_TRADE_PREVENTED
                        break
            else:
                steps.append(make(Fill, (maker, take)))
                filled += take
                # Who does not take all of a resting order wants, or can afford, no more.
                lots = lots - take if take == maker.leaves_lots else 0
                quote_units -= take * lot_cost
            maker = maker.next
    return make(Match, (steps, filled, lots, prevented, quote_units, stopped, counter))
