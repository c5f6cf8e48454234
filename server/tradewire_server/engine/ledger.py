"""Balances, positions and fees: integer arithmetic on amounts that were decided before."""

from tradewire_server.engine.vocabulary import BUY, Side

RATE_SCALE = 10_000_000


def fee_of(notional: int, rate: int) -> int:
    """Return the fee of a notional, rounded up to the quote asset's smallest unit."""
    return -(-notional * rate // RATE_SCALE)


class Balance:
    """A holding of one asset, in its smallest unit: available + held = total."""

    __slots__ = ("held", "total")

    def __init__(self, total: int = 0, held: int = 0) -> None:
        self.total = total
        self.held = held

    @property
    def available(self) -> int:
        """What orders and withdrawals can use."""
        return self.total - self.held


class Position:
    """The net result of an account's trades in one instrument.

    `cost` is what the open part cost, in quote units: positive for a long position, negative for a
    short one.
    What rounding leaves when a part is closed stays in `cost`, so that a flat position has realised
    exactly what it received minus what it paid.
    """

    __slots__ = ("cost", "fees", "quantity_lots", "realized")

    def __init__(
        self, quantity_lots: int = 0, cost: int = 0, realized: int = 0, fees: int = 0
    ) -> None:
        self.quantity_lots = quantity_lots
        self.cost = cost
        self.realized = realized
        self.fees = fees

    def trade(self, side: Side, lots: int, notional_per_lot: int, fee: int) -> None:
        """Book a trade."""
        self.fees += fee
        signed = lots if side is BUY else -lots
        held = self.quantity_lots
        if held and (held > 0) != (signed > 0):
            closing = min(abs(held), lots)
            cost_closed = self.cost * closing // abs(held)
            proceeds = closing * notional_per_lot
            self.realized += (proceeds if held > 0 else -proceeds) - cost_closed
            self.cost -= cost_closed
            signed -= closing if signed > 0 else -closing
            self.quantity_lots += -closing if held > 0 else closing
        self.quantity_lots += signed
        self.cost += signed * notional_per_lot

    def unrealized(self, notional_per_lot: int) -> int:
        """Return the profit of the open part at a price."""
        return self.quantity_lots * notional_per_lot - self.cost
