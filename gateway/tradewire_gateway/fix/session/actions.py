"""What a session asks its shell to do; in this order, one after the other."""

from typing import NamedTuple

from tradewire_gateway.fix.message import Message
from tradewire_gateway.fix.store import Record


class Send(NamedTuple):
    """Write to the peer.

    A message with a number is stored first: `store.append(number, record)`. One without repeats
    or fills what was sent before, or belongs to no session.
    """

    data: bytes
    number: int | None = None
    record: Record | None = None


class Deliver(NamedTuple):
    """Give a message to the application.

    PossDupFlag(43) and PossResend(97) stand in its header. Once nothing that it asks for can be
    lost, remember so: `store.set_next_inbound(number + 1)`.
    """

    message: Message
    number: int


class Consumed(NamedTuple):
    """Remember, after all that was delivered before: `store.set_next_inbound(next_inbound)`."""

    next_inbound: int


class Reset(NamedTuple):
    """Forget the session's past: `store.reset()`."""


class Fetch(NamedTuple):
    """Read from the store and call `session.resend` with what `store.read` returned."""

    begin: int
    end: int
    limit: int


class LogonRequested(NamedTuple):
    """Decide on a client: find its session by the CompIDs, check who it is, and call `accept` or
    `refuse`. Until then nothing else of what it sends is looked at.
    """

    message: Message


class LoggedOn(NamedTuple):
    """The session is established; from now on messages can be sent."""

    message: Message


class PeerRejected(NamedTuple):
    """The peer sent a Reject(3) for one of our messages, which should not happen."""

    message: Message


class Note(NamedTuple):
    """Something that the log should tell: nothing is to be done."""

    text: str


class Disconnect(NamedTuple):
    """Close the connection when everything before is written; nothing follows."""

    reason: str


Action = (
    Send
    | Deliver
    | Consumed
    | Reset
    | Fetch
    | LogonRequested
    | LoggedOn
    | PeerRejected
    | Note
    | Disconnect
)
