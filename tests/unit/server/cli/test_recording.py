"""Recordings: every kind of line, the noise of floats, and where a line is not understood."""

import lzma
from decimal import Decimal
from pathlib import Path

import pytest
from tradewire_server.cli.replay.recording import (
    BookSeen,
    Level,
    OrderChanged,
    OrderCreated,
    OrderDeleted,
    RecordingError,
    Traded,
    read_recording,
)

LINES = """\
1430438404518 order_created {"price": "236.47", "amount": "2.00000000", "id": 7, "order_type": 0}
1430438404635 order_changed {"price": "236.47", "amount": "1.78855669", "id": 7, "order_type": 0}
1430438404637 order_deleted {"price": "236.47", "amount": "0.00000000", "id": 5, "order_type": 1}
1430438404645 trade {"price": 236.61000000000001, "amount": 1.7885566900000001, "id": 8111041}
1430438405885 order_book {"bids": [["236.47", "1.5"]], "asks": [["236.64", "3.79520000"]]}
"""
EVENTS = [
    OrderCreated(7, "buy", Decimal("236.47"), Decimal(2)),
    OrderChanged(7, "buy", Decimal("236.47"), Decimal("1.78855669")),
    OrderDeleted(5, "sell", Decimal("236.47"), Decimal(0)),
    Traded(Decimal("236.61"), Decimal("1.78855669")),
    BookSeen(
        (Level(Decimal("236.47"), Decimal("1.5")),), (Level(Decimal("236.64"), Decimal("3.7952")),)
    ),
]


def test_every_kind_of_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    path.write_text(LINES)
    assert list(read_recording(path)) == EVENTS


def test_a_compressed_recording_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "events.log.xz"
    path.write_bytes(lzma.compress(LINES.encode()))
    assert list(read_recording(path)) == EVENTS


def test_a_limit_counts_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    path.write_text(LINES)
    assert list(read_recording(path, limit=2)) == EVENTS[:2]


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("nonsense", "wanted `<milliseconds> <kind> <JSON>`"),
        ("x order_created {}", "wanted `<milliseconds> <kind> <JSON>`"),
        ('1 trade {"price": ', "the JSON is broken"),
        ("1 trade []", "the JSON is no object"),
        ("1 sneeze {}", "the kind 'sneeze' is none of order_created, order_changed"),
        ('1 trade {"amount": "1"}', "trade: 'price' is missing"),
        ('1 trade {"price": "x", "amount": "1"}', "a price or amount is no decimal number"),
        ('1 trade {"price": "-1", "amount": "1"}', "'-1' is no price or amount"),
        ('1 trade {"price": "NaN", "amount": "1"}', "'NaN' is no price or amount"),
        ('1 order_created {"id": 1, "order_type": 2}', "order_type is 2, wanted 0 or 1"),
        ('1 order_book {"bids": [["1"]], "asks": []}', "order_book: "),
    ],
)
def test_what_is_not_understood_is_named_with_its_line(
    tmp_path: Path, line: str, finding: str
) -> None:
    path = tmp_path / "events.log"
    path.write_text(LINES + line + "\n")
    with pytest.raises(RecordingError) as caught:
        list(read_recording(path))
    assert f"{path}, line 6: " in str(caught.value)
    assert finding in str(caught.value)


def test_a_file_that_is_cut_off_or_missing_is_said_to_be(tmp_path: Path) -> None:
    cut = tmp_path / "cut.xz"
    cut.write_bytes(lzma.compress(LINES.encode() * 100)[:-30])
    with pytest.raises(RecordingError, match="after line "):
        list(read_recording(cut))
    with pytest.raises(RecordingError, match="No such file"):
        list(read_recording(tmp_path / "none"))
