"""The head file: the newest whole slot counts, and a torn write spoils only the older one."""

import itertools
from pathlib import Path

import pytest
from tradewire_server.journal import head
from tradewire_server.journal.head import Head, HeadFile


def head_of(number: int) -> Head:
    return Head(number, number.to_bytes(16, "big"), "0123456789abcdef" * 2)


def write(directory: Path, *numbers: int) -> None:
    file = HeadFile(directory, head_of(numbers[0]))
    for number in numbers[1:]:
        file.record(*head_of(number)[:2])
    file.close()


def test_absent_and_empty_files_hold_nothing(tmp_path: Path) -> None:
    assert head.read(tmp_path) is None
    (tmp_path / head.FILE_NAME).touch()
    assert head.read(tmp_path) is None


@pytest.mark.parametrize("numbers", [(0,), (5,), (0, 7), (0, 7, 9), (3, 4, 5, 6)])
def test_the_last_record_is_read(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    write(tmp_path, *numbers)
    assert head.read(tmp_path) == head_of(numbers[-1])


def test_opening_again_replaces_both_slots(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 3)
    write(tmp_path, 2)
    assert head.read(tmp_path) == head_of(2)


def test_any_single_damage_leaves_one_of_the_last_two(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 3)
    path = tmp_path / head.FILE_NAME
    data = path.read_bytes()
    slots = [range(offset, offset + head._SLOT_SIZE) for offset in head._SLOT_OFFSETS]
    for offset in itertools.chain(*slots):
        path.write_bytes(data[:offset] + bytes((data[offset] ^ 0x55,)) + data[offset + 1 :])
        assert head.read(tmp_path) in (head_of(2), head_of(3))
    for size in itertools.chain(*slots):
        path.write_bytes(data[:size])
        assert head.read(tmp_path) in (None, head_of(2), head_of(3))


def test_a_slot_of_something_else_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(head, "_MAGIC", b"TWHEAD\x00\x02")
        write(tmp_path, 8, 9)
    assert head.read(tmp_path) is None
