"""Kills the venue under load, again and again: `python -m tests.simulation.crash --kills 20`.

A real process on a real data directory is killed with SIGKILL at random moments while clients
place, amend and cancel orders and follow their executions. After each restart everything that was
ever said to a client is held against what the venue says now, and against its journal. The checks
stand in `crash_checks` (what the API promises) and `crash_journal` (what the files hold).

The seed decides what clients do and when the venue dies; threads and the network do the rest, so a
seed does not repeat a run exactly. Exit code 1 and a list when a promise was broken; the data
directory is kept then.

The first life ends by itself: a limit on the size of files makes a write of the journal fail.
Half of the lives have a point in the venue's own course at which it kills itself (`crash_points`).
Beside the kills under load, some restarts are killed before they serve, and some lives end with
SIGTERM: the drain writes a snapshot, which the next recovery begins with, or is killed meanwhile.
"""

import argparse
import asyncio
import contextlib
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tradewire.v1 import order_service_pb2

from tests.simulation import crash_checks, crash_journal, crash_money
from tests.simulation.crash_clients import (
    Account,
    EntryClient,
    Follower,
    UnaryClient,
)
from tests.simulation.crash_faults import FAULTS
from tests.simulation.crash_market import MarketView, check_market, read_market
from tests.simulation.crash_points import ARM, DRAINING, POINTS
from tests.simulation.crash_process import VenueProcess
from tests.simulation.crash_record import Holding, Record, View, holdings
from tests.simulation.crash_wire import Connection
from tests.simulation.crash_world import OPERATOR, SYMBOLS, TRADERS
from tests.support.history import Answer, History, Kind, Operation, Verdict

UNARY_CLIENTS = 3
FOUND_MAX = 150
MOVEMENTS_MAX = 30
STABLE_TRIES = 40
CLIENTS_END_S = 15.0
LOOKUPS_AT_ONCE = 16
SHOWN_MAX = 40
# A restart may find the clock set back. Signatures are accepted from a clock that is not ahead by
# a second, nor behind by five.
CLOCKS_AHEAD_MS = (0, 0, 2_000, -500)
# Of the lives that end with SIGTERM, those that are killed while they drain.
KILLED_DRAIN_SHARE = 0.67
FILE_SIZE_MAX = 2 << 20


# What GetOrder said of client ids, by account.
Found = dict[str, dict[str, order_service_pb2.GetOrderResponse | None]]


class World(NamedTuple):
    """What the venue says, all at one event: accounts, instruments, and the fees it has taken."""

    records: dict[str, Record]
    markets: list[MarketView]
    fees: dict[str, Holding]


class Load(NamedTuple):
    """How long the clients work in a life, and how often something special happens.

    Lives end with SIGTERM, or at a chosen point; starts are killed before they serve.
    """

    seconds: tuple[float, float] = (0.4, 2.0)
    drain_share: float = 0.3
    point_share: float = 0.5
    start_share: float = 0.25


DEFAULT_LOAD = Load()


@dataclass
class Summary:
    """What happened in a run."""

    seed: int
    kills: int = 0
    kills_at_points: int = 0
    kills_starting: int = 0
    disks_full: int = 0
    drains: int = 0
    retries: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    unknown: int = 0
    found_later: int = 0
    executions: int = 0
    movements: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    violation_count: int = 0

    def __str__(self) -> str:
        counts = {verdict.value: self.verdicts[verdict] for verdict in Verdict}
        return (
            f"seed {self.seed}: {self.verdicts.total()} commands and {self.retries} repeats, "
            f"{counts['acknowledged']} acknowledged, {counts['refused']} refused, "
            f"{counts['rejected']} rejected; {self.unknown} were unknown, of which "
            f"{self.found_later} found later; {self.executions} executions, "
            f"{self.movements} movements of money; {self.kills} kills under load, of which "
            f"{self.kills_at_points} at chosen points, {self.kills_starting} while starting, "
            f"{self.disks_full} full disks, {self.drains} drains; "
            f"{self.violation_count} violations; {self.seconds:.0f} s"
        )


class CrashRun:
    """One venue, its clients, and what is known of both."""

    def __init__(
        self,
        directory: Path,
        *,
        seed: int,
        load: Load,
        report: Callable[[str], None] | None = None,
        fault: str | None = None,
    ) -> None:
        self._directory = directory
        self._arguments = [f"--fault={fault}"] if fault is not None else []
        self._report = report
        self._chance = random.Random(seed)
        self._times = load
        self._started = time.monotonic()
        self.history = History()
        self.process = VenueProcess(directory)
        self.summary = Summary(seed)
        self._life = 0
        self._points: list[tuple[str, bool]] = []
        self._point_name = ""
        self._accounts = {
            name: Account(name, self.history, random.Random(f"{seed} {name}")) for name in TRADERS
        }
        self._followers: dict[str, list[Follower]] = {
            name: [
                Follower(f"steady-{name}", account, restless=False),
                Follower(f"restless-{name}", account, restless=True),
            ]
            for name, account in self._accounts.items()
        }
        self._entries: dict[str, list[EntryClient]] = {
            name: [
                EntryClient(f"bound-{name}", account, cancel_on_disconnect=True),
                EntryClient(f"free-{name}", account, cancel_on_disconnect=False),
            ]
            for name, account in self._accounts.items()
        }
        self._cashier = crash_money.Cashier(random.Random(f"{seed} {OPERATOR}"))
        self._connections: dict[str, list[Connection]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._copies_at_end: list[crash_checks.Copy] = []

    # --- the course of a run ----------------------------------------------------------------------

    async def run(self, kills: int, *, disk_full: bool) -> Summary:
        """Fill the disk, then kill so many times; check each time, and thoroughly at the end."""
        # The very first start is one that makes everything.
        await self._kill_starts()
        if disk_full:
            await self._begin_life(f"--file-size-max={FILE_SIZE_MAX}")
            await self._load()
            await self._find_disk_full()
            await self._go_on("the disk was full")
        else:
            await self._begin_life()
        while self.summary.kills < kills:
            await self._load()
            await asyncio.sleep(self._chance.uniform(*self._times.seconds))
            await self._go_on(await self._end_life())
        await self._finish()
        return self._summarise()

    async def _go_on(self, how: str) -> None:
        """Start again after the venue has ended, and check."""
        await self._leave()
        self._tell(f"{how}, {len(self.history.operations)} commands so far")
        autopsy = await self._restart()
        self._tell(f"started again at event {autopsy.state.event_number}")
        await self._check(resend=0.5, autopsy=autopsy)
        self._tell("checked")

    def _tell(self, text: str) -> None:
        if self._report is not None:
            seconds = time.monotonic() - self._started
            violations = self.history.violation_count
            self._report(f"{seconds:5.1f} s, life {self._life}: {text}; {violations} violations")

    async def _begin_life(self, *arguments: str) -> None:
        """Start the venue, sign in and follow."""
        await self.process.spawn(*self._arguments, *arguments)
        await self._join()

    async def _join(self) -> None:
        await self.process.ready()
        self._life += 1
        process = self.process
        for name, key in process.keys.items():
            target = process.admin_target if name == OPERATOR else process.target
            self._connections[name] = [Connection(target, name, key) for _ in range(2)]
        await asyncio.gather(*(pair[0].sign_in() for pair in self._connections.values()))
        for name, account in self._accounts.items():
            account.life = self._life
            self._tasks += [
                asyncio.create_task(follower.run(self._connections[name][1]))
                for follower in self._followers[name]
            ]

    async def _load(self) -> None:
        """Let clients work until the venue ends."""
        for name, account in self._accounts.items():
            unary, streams = self._connections[name]
            clients = [UnaryClient(account, unary).run() for _ in range(UNARY_CLIENTS)]
            clients += [entry.run(streams) for entry in self._entries[name]]
            self._tasks += map(asyncio.create_task, clients)
        self.process.signal(ARM)
        cashier = self._cashier.run(self._operator, life=self._life)
        self._tasks.append(asyncio.create_task(cashier))

    async def _find_disk_full(self) -> None:
        """Wait until the venue has stopped itself because a write failed."""
        code = await self.process.ended()
        log = self.process.log_tail()
        if code <= 0:
            self._found([f"the disk is full, and the venue ended with {code}:\n{log}"])
        if not re.search(r"the venue stops: .*batch of events \d+ to \d+ is not durable", log):
            self._found([f"the disk is full, and the log does not name the place:\n{log}"])
        self.summary.disks_full += 1

    async def _end_life(self) -> str:
        """Kill; or drain, and perhaps kill before that is done."""
        by_itself = not self.process.is_running
        drains = self._chance.random() < self._times.drain_share or self._point_name in DRAINING
        if not drains:
            self.process.signal(signal.SIGKILL)
        else:
            self.process.signal(signal.SIGTERM)
            if self._point_name in DRAINING:
                by_itself = True
            elif self._chance.random() < KILLED_DRAIN_SHARE:
                await asyncio.sleep(self._chance.uniform(0, 0.8))
                self.process.signal(signal.SIGKILL)
        code = await self.process.ended()
        if code == -signal.SIGKILL:
            self.summary.kills += 1
            if by_itself:
                self.summary.kills_at_points += 1
            return f"kill {self.summary.kills}"
        if code == 0 and drains:
            self.summary.drains += 1
            return f"drain {self.summary.drains}"
        self.history.violate(f"the venue ended with {code}:\n{self.process.log_tail()}")
        return f"exit code {code}"

    async def _leave(self) -> None:
        """Wait for the clients of a dead venue and close their connections."""
        _, pending = await asyncio.wait(self._tasks, timeout=CLIENTS_END_S)
        for task in pending:
            self.history.violate(f"a client waits for a dead venue: {task}")
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self._tasks = []
        for connection in (c for pair in self._connections.values() for c in pair):
            await connection.close()
        self._copies_at_end = [
            copy._replace(executions=tuple(copy.executions)) for copy in self._copies()
        ]

    async def _restart(self) -> crash_journal.Autopsy:
        """Examine what the dead venue left while the next one starts."""
        copy = crash_journal.copy_of(self.process.data_dir, self._directory / "copy")
        await self._kill_starts()
        clock = f"--clock-ahead-ms={self._chance.choice(CLOCKS_AHEAD_MS)}"
        await self.process.spawn(*self._arguments, *self._point(), clock)
        autopsy = await asyncio.to_thread(crash_journal.examine, copy, TRADERS)
        shutil.rmtree(copy)
        await self._join()
        return autopsy

    async def _kill_starts(self) -> None:
        """Start and kill, perhaps some times, perhaps not."""
        while self._chance.random() < self._times.start_share:
            await self.process.spawn(*self._arguments, *self._point(starting=True))
            await asyncio.sleep(self._chance.uniform(0.3, 1.8))
            self.process.signal(signal.SIGKILL)
            await self.process.ended()
            self.summary.kills_starting += 1
        self._point_name = ""

    def _point(self, *, starting: bool = False) -> list[str]:
        """Return how a life kills itself, if it does before it is killed."""
        self._point_name = ""
        if self._chance.random() >= self._times.point_share:
            return []
        if not self._points:
            self._points = [(name, behind) for name in POINTS for behind in (False, True)]
            self._chance.shuffle(self._points)
        name, behind = self._points.pop()
        self._point_name = name
        call = self._chance.randint(1, 3 if starting else POINTS[name].calls)
        arguments = [f"--die-at={name}", f"--die-at-call={call}"]
        if behind:
            arguments.append("--die-behind")
        if starting:
            arguments.append("--die-armed")
        return arguments

    # --- checks -----------------------------------------------------------------------------------

    async def _check(
        self,
        *,
        resend: float,
        sample: int = FOUND_MAX,
        closed: bool = False,
        autopsy: crash_journal.Autopsy | None = None,
    ) -> dict[str, Record]:
        """Hold everything against the history, then repeat some of it.

        With an autopsy nobody has entered anything since the restart.
        """
        unknown = [o for o in self.history.with_verdict(Verdict.UNKNOWN) if not o.found]
        operations = [*unknown, *self._sample(sample)]
        found = await self._find(operations)
        records, markets, fees = await self._world(closed=closed, found=found)
        copies = await self._complete_copies(records)
        self._found(crash_checks.check_all(self.history, records, copies))
        self._found(crash_money.check_all(self._cashier.history, records, fees))
        for market in markets:
            self._found(check_market(market, records.values()))
        if autopsy is not None:
            await self._check_recovery(autopsy, records)
        again = [operation for operation in unknown if self._chance.random() < resend]
        await self._repeat([*again, *self._sample(sample, answered=True)])
        await self._repeat_movements(resend)
        return records

    async def _check_recovery(
        self, autopsy: crash_journal.Autopsy, records: dict[str, Record]
    ) -> None:
        """Hold the venue against what its journal was when it was dead."""
        self._found(autopsy.findings)
        self._found(crash_checks.check_durable(self.history, self._copies_at_end, autopsy.durable))
        self._found(crash_checks.check_durable(self._cashier.history, (), autopsy.booked))
        for record in records.values():
            self._found(crash_checks.check_recovery(record, autopsy.durable[record.account]))
        status = await self._operator.status(with_state_hash=True)
        if status.journal_id != autopsy.journal_id:
            self._found(["the venue has another journal than before"])
        self._found(
            await asyncio.to_thread(
                crash_journal.check_state_hash,
                autopsy.state,
                self.process.data_dir,
                event_number=status.event_number,
                state_hash=status.state_hash,
            )
        )

    def _sample(self, size: int, *, answered: bool = False) -> list[Operation]:
        """Return some operations of any age that have an id."""
        known = [
            operation
            for account in self._accounts.values()
            for operation in account.repeatable
            if not answered or operation.first_answer is not None
        ]
        return self._chance.sample(known, min(size, len(known)))

    async def _find(self, operations: Iterable[Operation]) -> Found:
        """Ask GetOrder for each id, and note of the unknown ones that they are there."""
        found: Found = {name: {} for name in TRADERS}
        limit = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def find(operation: Operation) -> None:
            async with limit:
                connection = self._connections[operation.account][0]
                response = await connection.find_order(operation.client_order_id)
            found[operation.account][operation.client_order_id] = response
            operation.found = operation.found or response is not None

        await asyncio.gather(*map(find, operations))
        return found

    async def _repeat(self, operations: Iterable[Operation]) -> None:
        """Send operations again; the history holds the answers against the first ones."""
        limit = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def repeat(operation: Operation) -> None:
            account = self._accounts[operation.account]
            async with limit:
                attempt = account.invoke(operation)
                connection = self._connections[operation.account][0]
                result = await connection.command(operation.kind, operation.request)
            if result is None:
                self._found([f"{operation}: not answered by a venue that lives"])
            else:
                account.complete(operation, attempt, result)

        await asyncio.gather(*map(repeat, operations))

    async def _repeat_movements(self, resend: float) -> None:
        """Send some deposits and withdrawals of any age again, and those that are unknown."""
        history = self._cashier.history
        unknown = history.with_verdict(Verdict.UNKNOWN)
        again = [operation for operation in unknown if self._chance.random() < resend]
        known = history.operations
        for operation in [*again, *self._chance.sample(known, min(MOVEMENTS_MAX, len(known)))]:
            if not await self._cashier.send(operation, self._operator, life=self._life):
                self._found([f"{operation}: not answered by a venue that lives"])

    async def _world(self, *, closed: bool, found: Found) -> World:
        """Read everything until all reads are of one event: orders may expire meanwhile."""
        for _ in range(STABLE_TRIES):
            before = await self._operator.status()
            views = [await self._view(name, closed=closed) for name in TRADERS]
            markets = [
                await read_market(self._connections[TRADERS[0]][0], symbol) for symbol in SYMBOLS
            ]
            fees = holdings(await self._operator.fees())
            after = await self._operator.status()
            if before.event_number == after.event_number:
                records = [Record(view._replace(found=found[view.account])) for view in views]
                return World({record.account: record for record in records}, markets, fees)
            await asyncio.sleep(0.2)
        raise RuntimeError("the venue does not come to rest")

    async def _view(self, name: str, *, closed: bool) -> View:
        """Read an account."""
        connection = self._connections[name][0]
        executions, as_of = await connection.executions()
        open_orders, open_as_of = await connection.orders(order_service_pb2.ORDER_FILTER_OPEN)
        closed_orders, closed_as_of = None, as_of
        if closed:
            closed_orders, closed_as_of = await connection.orders(
                order_service_pb2.ORDER_FILTER_CLOSED
            )
        ledger = await connection.ledger()
        balances = await connection.balances()
        if {as_of, open_as_of, closed_as_of, balances.as_of_sequence} != {len(executions)}:
            self._found([f"{name}: reads do not agree about the sequence {len(executions)}"])
        if balances.as_of_ledger_sequence != len(ledger):
            self._found([f"{name}: reads do not agree about the ledger's {len(ledger)}"])
        return View(
            name, executions, ledger, open_orders, closed_orders, holdings(balances), found={}
        )

    async def _complete_copies(self, records: dict[str, Record]) -> list[crash_checks.Copy]:
        """Wait until the followers are where the records are; return what all have up to there.

        Orders may have expired since, so that a follower is ahead of the records.
        """
        for name, followers in self._followers.items():
            for follower in followers:
                await follower.builder.reaches(len(records[name].steps))
        return [
            copy._replace(executions=copy.executions[: len(records[copy.account].steps)])
            for copy in self._copies()
        ]

    def _copies(self) -> list[crash_checks.Copy]:
        """Return what the followers have; order entry streams are not open while it is checked."""
        followers = [f.builder for group in self._followers.values() for f in group]
        entries = [e.builder for group in self._entries.values() for e in group]
        return [
            *(builder.copy(complete=True) for builder in followers),
            *(builder.copy(complete=False) for builder in entries),
        ]

    @property
    def _operator(self) -> Connection:
        return self._connections[OPERATOR][0]

    def _found(self, violations: Iterable[str]) -> None:
        for violation in violations:
            self.history.violate(f"life {self._life}: {violation}")

    # --- the end ----------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Settle what is unknown, cancel everything, and end in order."""
        # Those that were found are sent again too: they must give one answer.
        await self._check(resend=1.0, sample=10 * FOUND_MAX)
        await self._repeat(list(self.history.with_verdict(Verdict.UNKNOWN)))
        for name, account in self._accounts.items():
            request = order_service_pb2.CancelAllOrdersRequest()
            operation = self.history.begin(name, Kind.CANCEL_ALL, request, client_order_id="")
            attempt = account.invoke(operation)
            result = await self._connections[name][0].command(operation.kind, request)
            if not isinstance(result, Answer):
                self._found([f"{operation}: {result}"])
            else:
                account.complete(operation, attempt, result)
        records = await self._check(resend=0.0, closed=True)
        for record in records.values():
            held = {a: h.held for a, h in record.view.balances.items() if h.held}
            if held or record.view.open_orders:
                self._found([f"{record.account}: nothing is open, and held is {held}"])
            self.summary.executions += len(record.steps)
        self.process.signal(signal.SIGTERM)
        code = await self.process.ended()
        if code != 0:
            self._found([f"the last drain ended with {code}:\n{self.process.log_tail()}"])
        await self._leave()
        copy = crash_journal.copy_of(self.process.data_dir, self._directory / "copy")
        self._found((await asyncio.to_thread(crash_journal.examine, copy, TRADERS)).findings)

    def _summarise(self) -> Summary:
        summary, history = self.summary, self.history
        unknown = [operation for operation in history.operations if operation.was_unknown]
        summary.unknown = len(unknown)
        summary.found_later = sum(1 for o in unknown if o.found or o.first_answer is not None)
        summary.retries = history.retries
        summary.verdicts = history.count()
        summary.seconds = time.monotonic() - self._started
        summary.movements = len(self._cashier.history.operations)
        summary.violations = [*history.violations, *self._cashier.history.violations]
        summary.violation_count = history.violation_count + self._cashier.history.violation_count
        return summary

    async def abandon(self) -> None:
        """End what is left of a run that failed."""
        if self.process.is_running:
            self.process.signal(signal.SIGKILL)
            await self.process.ended()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in (c for pair in self._connections.values() for c in pair):
            await connection.close()


async def crash(
    directory: Path,
    *,
    kills: int,
    seed: int,
    load: Load = DEFAULT_LOAD,
    disk_full: bool = True,
    report: Callable[[str], None] | None = None,
    fault: str | None = None,
) -> Summary:
    """Run once in an empty directory."""
    run = CrashRun(directory, seed=seed, load=load, report=report, fault=fault)
    try:
        return await run.run(kills, disk_full=disk_full)
    finally:
        await run.abandon()


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="tests.simulation.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="kills under load")
    parser.add_argument("--seed", type=int, default=None, help="default: a random one")
    parser.add_argument("--fault", choices=FAULTS, help="break the venue: it must be found out")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    directory = Path(tempfile.mkdtemp(prefix="tradewire-crash-"))
    summary = None
    try:
        # uvloop would fork below gRPC's threads, where asyncio does not.
        summary = asyncio.run(
            crash(
                directory,
                kills=options.kills,
                seed=seed,
                disk_full=options.fault is None,
                report=_print,
                fault=options.fault,
            )
        )
    finally:
        if summary is not None and not summary.violation_count:
            with contextlib.suppress(OSError):
                shutil.rmtree(directory)
        else:
            print(f"seed {seed} failed; everything is kept in {directory}")
    for violation in summary.violations[:SHOWN_MAX]:
        print(f"VIOLATION {violation}")
    print(summary)
    return 1 if summary.violation_count else 0


if __name__ == "__main__":
    sys.exit(main())
