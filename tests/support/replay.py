"""The same events give the same state: from the first one, and from any snapshot.

Events go through the journal's codec and snapshots through MessagePack, as they do in a venue.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from tradewire_server.engine.events import Event
from tradewire_server.engine.fold import fold
from tradewire_server.engine.listener import Listener
from tradewire_server.engine.state import State, dump_state, load_state
from tradewire_server.journal.codec import decode_events, encode_events

from tests.support.recorder import Recorder

Stamped = tuple[Event, int]


def fold_all(state: State, events: Sequence[Stamped], listener: Listener) -> None:
    """Fold events with their times."""
    for event, time_ns in events:
        fold(state, event, time_ns, listener)


def through_journal(events: Sequence[Stamped]) -> list[Stamped]:
    """Return the events as they come out of the journal."""
    decoded = decode_events(encode_events(event for event, _ in events))
    return [(event, time_ns) for event, (_, time_ns) in zip(decoded, events, strict=True)]


def through_snapshot(state: State) -> State:
    """Return the state as it comes out of its stored snapshot."""
    return load_state(msgspec.msgpack.decode(msgspec.msgpack.encode(dump_state(state))))


def check_replay(state: State, events: Sequence[Stamped], told: Recorder, *, cut: int) -> None:
    """Fold the events again, all of them and those after `cut`, and compare state and telling."""
    events = through_journal(events)
    whole, recorder = State(), Recorder()
    fold_all(whole, events[:cut], recorder)
    heard = len(recorder.executions), len(recorder.entries), len(recorder.trades)
    recovered, late = through_snapshot(whole), Recorder()
    assert recovered.state_hash() == whole.state_hash()
    fold_all(whole, events[cut:], recorder)
    fold_all(recovered, events[cut:], late)
    assert recorder.executions == told.executions
    assert recorder.entries == told.entries
    assert recorder.trades == told.trades
    assert late.executions == told.executions[heard[0] :]
    assert late.entries == told.entries[heard[1] :]
    assert late.trades == told.trades[heard[2] :]
    for other in (whole, recovered):
        assert other.state_hash() == state.state_hash()
        assert _orders_of(other) == _orders_of(state)


def _orders_of(state: State) -> list[Any]:
    """Return what no dump shows: the orders of the dictionaries, and the books."""
    return [
        list(state.orders),
        [list(account.orders) for _, account in sorted(state.accounts.items())],
        sorted((name, sorted(orders)) for name, orders in state.connections.items()),
        state.expiring_count,
        [
            (symbol, buys, key, [order.order_id for order in side.levels[key]])
            for symbol, market in sorted(state.markets.items())
            for buys, side in ((True, market.book.bids), (False, market.book.asks))
            for key in side.keys
        ],
    ]
