"""The report: the object that programs read, and what people see."""

import io
from collections import Counter
from decimal import Decimal

from rich.console import Console
from tradewire_server.cli.replay.mirror import Agreement
from tradewire_server.cli.replay.report import Report, Tally, percent


def _agreement(*values: bool) -> Agreement:
    return Agreement(*values)


def _report() -> Report:
    recorded = Counter({(Decimal(10), Decimal(1)): 2, (Decimal(11), Decimal(1)): 1})
    tally = Tally(orders=30, cancels=5, cancels_too_late=1, trades_recorded=recorded)
    tally.refused["INSUFFICIENT_FUNDS"] = 2
    return Report(
        symbol="R1-USD",
        seconds=1.5,
        tally=tally,
        trades=Counter({(Decimal(10), Decimal("1.0")): 1, (Decimal(12), Decimal(1)): 3}),
        agreements=[
            _agreement(False, True, False, False),
            _agreement(True, True, False, True),
            _agreement(True, True, True, False),
        ],
    )


def test_the_json_object_has_the_promised_keys() -> None:
    assert _report().as_json() == {
        "symbol": "R1-USD",
        "trades_recorded": 3,
        "trades_reproduced": 1,
        "fills": 4,
        "orders": 30,
        "cancels": 5,
        "seeds": 0,
        "refused": {"INSUFFICIENT_FUNDS": 2},
        "seconds": 1.5,
        "orders_per_second": 20,
        "snapshots": 3,
        "whole": {
            "best_bid": 0.666667,
            "best_ask": 1.0,
            "top5_bid": 0.333333,
            "top5_ask": 0.333333,
        },
        "second_half": {"best_bid": 1.0, "best_ask": 1.0, "top5_bid": 0.5, "top5_ask": 0.5},
    }


def test_without_snapshots_there_are_no_fractions() -> None:
    report = Report(symbol="R1-USD", seconds=0, tally=Tally(), trades=Counter(), agreements=[])
    content = report.as_json()
    assert content["orders_per_second"] == 0
    assert content["whole"] == dict.fromkeys(("best_bid", "best_ask", "top5_bid", "top5_ask"))


def test_people_see_the_same_figures() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(_report().render())
    text = console.export_text()
    assert "1 of 4 fills" in text
    assert "Refused: INSUFFICIENT_FUNDS" in text
    assert "66.66 %" in text


def test_percentages_never_round_up_to_all() -> None:
    assert [percent(fraction) for fraction in (0.99999, 1.0, None)] == ["99.99 %", "100.00 %", "-"]
