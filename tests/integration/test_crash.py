"""A venue that is killed keeps what it said; one that does not is found out.

`python -m tests.simulation.crash` does the same for longer.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tradewire_server.journal.errors import JournalBehindHead

from tests.simulation.crash import CrashRun, Load, crash
from tests.simulation.crash_faults import FAULTS
from tests.simulation.crash_journal import Autopsy
from tests.simulation.crash_points import POINTS
from tests.simulation.crash_process import VenueDied

SHORT_LOAD_S = (0.3, 0.9)
JOURNAL = "journal.sqlite"


async def test_kills_under_load_neither_lose_nor_double_anything(tmp_path: Path) -> None:
    load = Load(SHORT_LOAD_S, drain_share=0, start_share=0)
    summary = await crash(tmp_path, kills=3, seed=3, load=load, disk_full=False)
    assert summary.violations == []
    assert summary.kills == 3
    assert summary.unknown > 0


async def test_a_full_disk_stops_the_venue_which_loses_nothing(tmp_path: Path) -> None:
    summary = await crash(tmp_path, kills=0, seed=4, load=Load(start_share=0), disk_full=True)
    assert summary.violations == []
    assert summary.disks_full == 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_venue_that_breaks_a_promise_is_found_out(tmp_path: Path, fault: str) -> None:
    load = Load(SHORT_LOAD_S, drain_share=0)
    summary = await crash(tmp_path, kills=1, seed=5, load=load, disk_full=False, fault=fault)
    assert summary.violations != []


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_kill_between_any_two_steps_loses_nothing(tmp_path: Path) -> None:
    load = Load((1.0, 1.5), point_share=1)
    summary = await crash(tmp_path, kills=2 * len(POINTS), seed=7, load=load, disk_full=False)
    assert summary.violations == []
    assert summary.kills_at_points > len(POINTS)


class RestoredRun(CrashRun):
    """A run in which the dead venue's database is replaced by a copy from before the load's end."""

    def __init__(self, directory: Path, *, keep_head: bool) -> None:
        super().__init__(directory, seed=6, load=Load(SHORT_LOAD_S, drain_share=0))
        self._keep_head = keep_head
        self._backup = directory / "backup.sqlite"

    async def _load(self) -> None:
        with (
            closing(sqlite3.connect(self.process.data_dir / JOURNAL)) as live,
            closing(sqlite3.connect(self._backup)) as backup,
        ):
            live.backup(backup)
        await super()._load()

    async def _restart(self) -> Autopsy:
        data_dir = self.process.data_dir
        for path in data_dir.glob("*.sqlite*"):
            path.unlink()
        for path in (data_dir / "snapshots").glob("*"):
            path.unlink()
        if not self._keep_head:
            (data_dir / "head").unlink()
        self._backup.rename(data_dir / JOURNAL)
        return await super()._restart()


@pytest.mark.slow
async def test_a_venue_that_lost_what_it_had_said_is_found_out(tmp_path: Path) -> None:
    run = RestoredRun(tmp_path, keep_head=False)
    try:
        violations = "\n".join((await run.run(1, disk_full=False)).violations)
    finally:
        await run.abandon()
    assert "SEQUENCE_OUT_OF_RANGE" in violations
    assert "and is lost" in violations


@pytest.mark.slow
async def test_a_venue_that_lost_what_it_had_said_does_not_start(tmp_path: Path) -> None:
    run = RestoredRun(tmp_path, keep_head=True)
    try:
        with pytest.raises(JournalBehindHead):
            await run.run(1, disk_full=False)
        with pytest.raises(VenueDied, match=r"acknowledged events .* are missing"):
            await run.process.ready()
    finally:
        await run.abandon()
