"""What a replay has shown, as numbers and as a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from tradewire_server.cli.replay.mirror import Agreement

FRACTION_DIGITS = 6


@dataclass
class Tally:
    """Counts while the replay runs."""

    orders: int = 0
    cancels: int = 0
    cancels_too_late: int = 0
    seeds: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    trades_recorded: Counter[tuple[Decimal, Decimal]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a replay."""

    symbol: str
    seconds: float
    tally: Tally
    trades: Counter[tuple[Decimal, Decimal]]
    agreements: Sequence[Agreement]

    @property
    def trades_reproduced(self) -> int:
        """Recorded trades that came out exactly, as a multiset of (price, quantity)."""
        return (self.tally.trades_recorded & self.trades).total()

    @property
    def orders_per_second(self) -> int:
        """Orders placed per second of wall time, cancels not counted."""
        return round(self.tally.orders / self.seconds) if self.seconds else 0

    @property
    def second_half(self) -> Sequence[Agreement]:
        """The second half of the snapshots."""
        return self.agreements[len(self.agreements) // 2 :]

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        tally = self.tally
        return {
            "symbol": self.symbol,
            "trades_recorded": tally.trades_recorded.total(),
            "trades_reproduced": self.trades_reproduced,
            "fills": self.trades.total(),
            "orders": tally.orders,
            "cancels": tally.cancels,
            "seeds": tally.seeds,
            "refused": dict(sorted(tally.refused.items())),
            "seconds": round(self.seconds, 3),
            "orders_per_second": self.orders_per_second,
            "snapshots": len(self.agreements),
            "whole": fractions(self.agreements),
            "second_half": fractions(self.second_half),
        }

    def render(self) -> RenderableType:
        """Return the report for people."""
        tally = self.tally
        trades = Table(title="Replay", title_justify="left", show_header=False)
        commands = tally.orders + tally.cancels
        rows = [
            ("Instrument", self.symbol),
            ("Orders", f"{tally.orders:,} and {tally.cancels:,} cancels"),
            ("  of them too late", f"{tally.cancels_too_late:,} cancels: the order had traded"),
            ("Trades recorded", f"{tally.trades_recorded.total():,}"),
            ("Trades reproduced", f"{self.trades_reproduced:,} of {self.trades.total():,} fills"),
            ("Orders per second", f"{self.orders_per_second:,}, durable"),
            ("Commands per second", f"{round(commands / self.seconds) if self.seconds else 0:,}"),
        ]
        if tally.seeds:
            rows.insert(1, ("Seeded orders", f"{tally.seeds:,}"))
        for reason, count in sorted(tally.refused.items()):
            rows.append((f"Refused: {reason}", f"{count:,}"))
        for row in rows:
            trades.add_row(*row)
        books = Table(title=f"{len(self.agreements):,} recorded books", title_justify="left")
        for header in ("Equal", "whole", "second half"):
            books.add_column(header, justify="left" if header == "Equal" else "right")
        whole, half = fractions(self.agreements), fractions(self.second_half)
        for name, label in _LABELS.items():
            books.add_row(label, percent(whole[name]), percent(half[name]))
        return Group(trades, books)


_LABELS = {
    "best_bid": "best bid",
    "best_ask": "best ask",
    "top5_bid": "five best bids, price and quantity",
    "top5_ask": "five best asks, price and quantity",
}


def fractions(agreements: Sequence[Agreement]) -> dict[str, float | None]:
    """Return the part of the snapshots that agree in each respect, None when there are none."""
    count = len(agreements)
    return {
        name: round(sum(getattr(a, name) for a in agreements) / count, FRACTION_DIGITS)
        if count
        else None
        for name in Agreement._fields
    }


def percent(fraction: float | None) -> str:
    """Return a fraction for people, cut and never rounded up: 100 % means all."""
    return "-" if fraction is None else f"{int(fraction * 10_000) / 100:.2f} %"
