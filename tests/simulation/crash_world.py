"""Who trades at the venue that is killed, and with what."""

from decimal import Decimal
from typing import Final

OPERATOR: Final = "admin"
FEES: Final = "fees"
TRADERS: Final = ("alice", "bob", "carol")
SYMBOLS: Final = ("BTC-USD", "ETH-USD")
TAKER_RATE: Final = Decimal("0.002")

# Carol is poor: much of what she sends is rejected.
DEPOSITS: Final = {
    ("alice", "USD"): Decimal(400_000_000),
    ("alice", "BTC"): Decimal(1_000_000),
    ("alice", "ETH"): Decimal(1_000_000),
    ("bob", "USD"): Decimal(400_000_000),
    ("bob", "BTC"): Decimal(1_000_000),
    ("bob", "ETH"): Decimal(1_000_000),
    ("carol", "USD"): Decimal(500),
    ("carol", "BTC"): Decimal(5),
    ("carol", "ETH"): Decimal(5),
}
