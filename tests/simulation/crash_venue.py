"""A venue that is made to be killed: its own process, a fixed data directory and fixed ports.

It is founded at its first start. At every start it prints the keys with which the clients sign in.
Ends with 0 after SIGTERM, otherwise with the exit code of what stopped it.
"""

import argparse
import asyncio
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvloop
from tradewire_server.api.key_messages import record_of
from tradewire_server.app import Application, Settings
from tradewire_server.auth.provisioning import KeyRequest
from tradewire_server.engine.commands import (
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    Refused,
)
from tradewire_server.journal.client_ids import ClientIdIndex

from tests.simulation.crash_faults import FAULTS
from tests.simulation.crash_points import ARM, POINTS, dying_at
from tests.simulation.crash_world import DEPOSITS, OPERATOR, TRADERS
from tests.support.venue import BTC_USD, DEMO_SCOPES, ETH_USD

# The index of client ids is written behind the journal, many at a time; here often enough that
# kills meet it at work.
CLIENT_IDS_FLUSH_AT = 300
# Snapshots are taken by a process of its own, which may outlive the venue.
SNAPSHOT_EVENTS = 3_000


async def submit(app: Application, command: Command) -> None:
    """Run a command that must be accepted."""
    outcome = await app.sequencer.submit(command, lane="founding")
    assert not isinstance(outcome, Refused), outcome


async def found(app: Application, public_keys: dict[str, bytes]) -> None:
    """Make assets, instruments, accounts, money and keys."""
    for asset, precision in (("BTC", 8), ("ETH", 8), ("USD", 10)):
        await submit(app, CreateAsset(asset, precision))
    for instrument in (BTC_USD, ETH_USD):
        await submit(app, CreateInstrument(instrument))
    for account in TRADERS:
        await submit(app, CreateAccount(account, 10_000, 20_000, 10_000_000, True))
    await submit(app, CreateAccount(OPERATOR, 0, 0, 1, True))
    for (account, asset), amount in DEPOSITS.items():
        await submit(app, Deposit(account, asset, str(amount), f"{account}-{asset}"))
    for account, public_key in public_keys.items():
        if app.state.accounts[account].keys:
            # Made before a kill.
            continue
        scopes = frozenset({"admin"}) if account == OPERATOR else DEMO_SCOPES
        request = KeyRequest(account=account, scopes=scopes, public_key=public_key)
        created = app.maker.create(request, creator_scopes=None, now_ns=app.clock_ns())
        await submit(app, CreateKey(record_of(created.key)))


async def serve(
    settings: Settings,
    public_keys: dict[str, bytes],
    *,
    arm: Callable[[], None],
    clock_ns: Callable[[], int],
) -> int:
    """Serve until SIGTERM or a failure; return the exit code."""
    asyncio.get_running_loop().add_signal_handler(ARM, arm)
    app = Application(settings, clock_ns=clock_ns)
    # The operator's key is made last; what was made before a kill is not made again.
    operator = app.state.accounts.get(OPERATOR)
    is_new = operator is None or not operator.keys
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app.stopped.set)
    await app.start()
    if is_new:
        await found(app, public_keys)
    key_ids = {name: next(iter(app.state.accounts[name].keys)) for name in public_keys}
    print(json.dumps(key_ids), flush=True)
    # What this process starts must not hold the pipe when this process is gone.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    await app.stopped.wait()
    await app.drain()
    return 0 if app.failure is None else getattr(app.failure, "exit_code", 1)


def _ignore() -> None:
    """Take the signal that arms a point, of which there is none."""


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="tests.simulation.crash_venue", description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--admin-port", type=int, required=True)
    parser.add_argument("--public-keys", default="{}", help="JSON: account to key in hex")
    parser.add_argument("--file-size-max", type=int, help="bytes at which a write fails")
    parser.add_argument("--clock-ahead-ms", type=int, default=0, help="how wrong the clock is")
    parser.add_argument("--die-at", choices=POINTS, help="kill yourself there")
    parser.add_argument("--die-at-call", type=int, default=1, help="at which call of it")
    parser.add_argument("--die-behind", action="store_true", help="behind the call, not before it")
    parser.add_argument("--die-armed", action="store_true", help="count at once")
    parser.add_argument("--fault", choices=FAULTS, help="a promise to break")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if options.file_size_max is not None:
        # Python ignores SIGXFSZ, so that the write fails with EFBIG.
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.file_size_max,) * 2)
    if options.fault is not None:
        FAULTS[options.fault]()
    arm: Callable[[], None] = _ignore
    if options.die_at is not None:
        arm = dying_at(
            options.die_at,
            call=options.die_at_call,
            behind=options.die_behind,
            armed=options.die_armed,
        )
    defaults = ClientIdIndex.__init__.__kwdefaults__
    assert defaults is not None
    defaults["flush_at"] = CLIENT_IDS_FLUSH_AT
    settings = Settings(
        data_dir=options.data_dir,
        grpc_port=options.grpc_port,
        admin_port=options.admin_port,
        drain_s=0.3,
        snapshot_events=SNAPSHOT_EVENTS,
    )
    keys = {name: bytes.fromhex(key) for name, key in json.loads(options.public_keys).items()}
    ahead_ns = options.clock_ahead_ms * 10**6
    sys.exit(uvloop.run(serve(settings, keys, arm=arm, clock_ns=lambda: time.time_ns() + ahead_ns)))


if __name__ == "__main__":
    main()
