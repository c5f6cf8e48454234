"""The FIX session: what goes on between two sides beside the messages of the application."""

from tradewire_gateway.fix.session.actions import (
    Action,
    Consumed,
    Deliver,
    Disconnect,
    Fetch,
    LoggedOn,
    LogonRequested,
    Note,
    PeerRejected,
    Reset,
    Send,
)
from tradewire_gateway.fix.session.machine import NotEstablished, Session, State
from tradewire_gateway.fix.session.settings import SessionSettings

__all__ = [
    "Action",
    "Consumed",
    "Deliver",
    "Disconnect",
    "Fetch",
    "LoggedOn",
    "LogonRequested",
    "NotEstablished",
    "Note",
    "PeerRejected",
    "Reset",
    "Send",
    "Session",
    "SessionSettings",
    "State",
]
