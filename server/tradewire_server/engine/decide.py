"""From a command to its events, changing nothing.

`decide(state, command, now_ns)` returns the events of the command, or `Refused`. Refused leaves no
trace; a *rejected* order is an event. Time is an argument; nothing here reads a clock, and nothing
here is read again at recovery: the fold only sees the events. The rules stand in `placing`,
`working` and `administration`.
"""

from collections.abc import Callable
from typing import Any, cast

from tradewire_server.engine.administration import (
    create_account,
    create_asset,
    create_instrument,
    create_key,
    deposit,
    revoke_key,
    set_key_expiry,
    set_kill_switch,
    set_status,
    update_account,
    withdraw,
)
from tradewire_server.engine.commands import (
    AmendOrder,
    CancelAllOrders,
    CancelConnection,
    CancelOrder,
    CancelOrphans,
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    ExpireOrders,
    PlaceOrder,
    Refused,
    RevokeKey,
    SetInstrumentStatus,
    SetKeyExpiry,
    SetKillSwitch,
    UpdateAccount,
    Withdraw,
)
from tradewire_server.engine.placing import Events, place
from tradewire_server.engine.state import State
from tradewire_server.engine.working import (
    amend,
    cancel,
    cancel_all,
    cancel_connection,
    cancel_orphans,
    expire,
)


def decide(state: State, command: Command, now_ns: int) -> Events | Refused:
    """Return what a command does, or why it does nothing."""
    return _DECIDERS[type(command)](state, command, now_ns)


_Decider = Callable[[State, Any, int], Events | Refused]

_DECIDERS: dict[type, _Decider] = {
    PlaceOrder: cast(_Decider, place),
    AmendOrder: cast(_Decider, amend),
    CancelOrder: cast(_Decider, cancel),
    CancelAllOrders: cast(_Decider, cancel_all),
    CancelConnection: cast(_Decider, cancel_connection),
    CancelOrphans: cast(_Decider, cancel_orphans),
    ExpireOrders: cast(_Decider, expire),
    CreateAsset: cast(_Decider, create_asset),
    CreateInstrument: cast(_Decider, create_instrument),
    SetInstrumentStatus: cast(_Decider, set_status),
    CreateAccount: cast(_Decider, create_account),
    UpdateAccount: cast(_Decider, update_account),
    SetKillSwitch: cast(_Decider, set_kill_switch),
    Deposit: cast(_Decider, deposit),
    Withdraw: cast(_Decider, withdraw),
    CreateKey: cast(_Decider, create_key),
    SetKeyExpiry: cast(_Decider, set_key_expiry),
    RevokeKey: cast(_Decider, revoke_key),
}
