"""What must be true of every venue at any time, whatever a test did to it.

- Money is conserved: per asset, the totals of all accounts are deposits minus withdrawals.
- Every account's executions and ledger entries are numbered 1, 2, 3, ... in the journal, and their
  orders go through the life cycle of DESIGN 5.3.
- Folding the journal from its beginning gives the state that was live, and so does the snapshot.
"""

from collections import Counter, defaultdict

from tradewire.v1 import account_pb2, order_pb2
from tradewire_server.app import Application
from tradewire_server.engine.events import Deposited, Withdrawn
from tradewire_server.engine.fold import fold
from tradewire_server.engine.listener import Listener
from tradewire_server.engine.state import State
from tradewire_server.feeds import FeedKind, split
from tradewire_server.journal.codec import decode_events
from tradewire_server.journal.records import Journal
from tradewire_server.journal.sqlite import SqliteJournal
from tradewire_server.recovery import recover

_FINAL = {
    order_pb2.ORDER_STATUS_FILLED,
    order_pb2.ORDER_STATUS_CANCELED,
    order_pb2.ORDER_STATUS_EXPIRED,
    order_pb2.ORDER_STATUS_REJECTED,
}


def audit(app: Application) -> None:
    """Check a venue that was drained."""
    journal = SqliteJournal.open(app.settings.data_dir, now_ns=app.clock_ns())
    try:
        _audit(journal, app.state)
    finally:
        journal.close()


def _audit(journal: Journal, live: State) -> None:
    folded, moved = _fold_again(journal)
    assert folded.state_hash() == live.state_hash(), "the journal folds to what was live"
    assert recover(journal).state_hash() == live.state_hash(), "and so does the snapshot"
    held: Counter[str] = Counter()
    for account in live.accounts.values():
        for asset, balance in account.balances.items():
            held[asset] += balance.total
        _check_executions(journal, account.name, account.sequence)
        _check_ledger(journal, account.name, account.ledger_sequence)
    assert +held == +moved, "money is conserved"


def _fold_again(journal: Journal) -> tuple[State, Counter[str]]:
    state, nobody = State(), Listener()
    moved: Counter[str] = Counter()
    for batch in journal.batches(0):
        for event in decode_events(batch.payload):
            fold(state, event, batch.time_ns, nobody)
            if isinstance(event, Deposited):
                moved[event.asset] += event.amount
            elif isinstance(event, Withdrawn):
                moved[event.asset] -= event.amount
    return state, moved


def _entries(journal: Journal, kind: FeedKind, key: str, last: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < last:
        for chunk in journal.read_feed(kind, key, after=len(found), max_bytes=1 << 20):
            assert chunk.first == len(found) + 1
            found += split(chunk.data)
    assert len(found) == last
    assert journal.feed_range(kind, key)[1] == last
    return found


def _check_executions(journal: Journal, account: str, last: int) -> None:
    orders: dict[str, list[order_pb2.Execution]] = defaultdict(list)
    execution_ids = set()
    for number, data in enumerate(_entries(journal, FeedKind.EXECUTIONS, account, last), 1):
        execution = order_pb2.Execution.FromString(data)
        assert execution.sequence == number
        assert execution.order.account == account
        execution_ids.add(int(execution.execution_id))
        orders[execution.order.order_id].append(execution)
    assert len(execution_ids) == last, "execution ids are unique"
    for executions in orders.values():
        statuses = [execution.order.status for execution in executions]
        first = executions[0].type
        assert first in (order_pb2.EXECUTION_TYPE_NEW, order_pb2.EXECUTION_TYPE_REJECTED)
        assert all(e.type != order_pb2.EXECUTION_TYPE_NEW for e in executions[1:])
        assert not _FINAL.intersection(statuses[:-1]), "nothing follows a final state"


def _check_ledger(journal: Journal, account: str, last: int) -> None:
    for number, data in enumerate(_entries(journal, FeedKind.LEDGER, account, last), 1):
        assert account_pb2.LedgerEntry.FromString(data).ledger_sequence == number
