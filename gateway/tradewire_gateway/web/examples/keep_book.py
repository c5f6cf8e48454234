"""Keeps a copy of an order book and checks it at each step. Needs httpx.

Ends after as many updates as the first argument says; without one it goes on.
"""

import json
import os
import sys
import zlib
from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import httpx

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
PATH = f"{URL}/v1/marketData:stream"
# The checksum is over ten levels, so a copy has at least ten.
DEPTH = 10


class OutOfSync(Exception):
    """An update does not fit the copy: take a new snapshot."""


class Book:
    def __init__(self) -> None:
        # Texts as they came, by price: `price:quantity`.
        self.bids: dict[Decimal, str] = {}
        self.asks: dict[Decimal, str] = {}
        self.place: tuple[str, str] | None = None  # epoch and sequence

    def apply(self, message: dict[str, Any]) -> None:
        if message["snapshot"]:
            self.bids.clear()
            self.asks.clear()
        elif (message["epoch"], message["previousSequence"]) != self.place:
            raise OutOfSync(f"{message['previousSequence']} does not continue {self.place}")
        self._change(self.bids, message["bids"])
        self._change(self.asks, message["asks"])
        self.place = message["epoch"], message["sequence"]
        if zlib.crc32(self.text().encode()) != message["checksum"]:
            raise OutOfSync(f"the checksum differs at {message['sequence']}")

    def text(self) -> str:
        """Bid 1, ask 1, bid 2, ask 2, ...; a level that is missing is left out."""
        pairs = zip_longest(self.best(self.bids), self.best(self.asks))
        return "|".join(level for pair in pairs for level in pair if level)

    def best(self, side: dict[Decimal, str]) -> list[str]:
        return [side[price] for price in sorted(side, reverse=side is self.bids)][:10]

    def _change(self, side: dict[Decimal, str], levels: list[dict[str, str]]) -> None:
        for level in levels:
            price = Decimal(level["price"])
            side[price] = f"{level['price']}:{level['quantity']}"
            if Decimal(level["quantity"]) == 0:
                del side[price]
        # What falls out of the view is not updated any more.
        for price in sorted(side, reverse=side is self.bids)[DEPTH:]:
            del side[price]


def books(symbol: str) -> Iterator[Book]:
    """Yield the copy after each change, from a new snapshot whenever it is lost."""
    query = {"symbols": symbol, "depth": DEPTH, "withoutTrades": True}
    while True:
        book = Book()
        try:
            with httpx.stream("GET", PATH, params=query, timeout=25) as stream:
                for line in stream.iter_lines():
                    event = json.loads(line[5:]) if line.startswith("data:") else {}
                    if message := event.get("batch", {}).get("book"):
                        book.apply(message)
                        yield book
        except (httpx.TransportError, OutOfSync) as error:
            print(f"a new snapshot: {error!r}", file=sys.stderr)


left = int(sys.argv[1]) if len(sys.argv) > 1 else -1
for book in books("BTC-USD"):
    print(book.place, book.best(book.bids)[:1], book.best(book.asks)[:1], "checked")
    left -= 1
    if left == 0:
        break
