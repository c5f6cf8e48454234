"""What is known of the call at hand: set by the edge, read by the servicers."""

from contextvars import ContextVar
from dataclasses import dataclass

from tradewire_contract import Method

from tradewire_server.api.errors import make_error
from tradewire_server.auth.buckets import EXEMPT, Bucket, LimitState
from tradewire_server.auth.caller import Caller
from tradewire_server.engine.vocabulary import Reason


@dataclass(slots=True)
class Call:
    """A call that was admitted; its commands are too old after `valid_until_ns`, if not 0.

    `limit_state` is that of the sender's tightest limit after what was taken last.
    """

    method: Method
    caller: Caller | None
    address: str | None
    buckets: tuple[Bucket, ...]
    valid_until_ns: int
    limit_state: LimitState = EXEMPT


_current: ContextVar[Call] = ContextVar("call")
enter_call = _current.set
current_call = _current.get


# The account of a stream is whatever stands in its first frame.
NAME_SHOWN_MAX = 32


def current_caller() -> Caller:
    """Return the authenticated caller."""
    caller = _current.get().caller
    assert caller is not None, "the edge lets nobody through to a method with a scope"
    return caller


def own_account(requested: str) -> str:
    """Return the account that a request is about.

    Raises ApiError: ACCOUNT_NOT_FOUND for any account that the credential does not cover, whether
    it exists or not.
    """
    account = current_caller().account
    if requested in ("", account):
        return account
    raise make_error(
        Reason.ACCOUNT_NOT_FOUND,
        f"there is no account {requested[:NAME_SHOWN_MAX]} for this credential",
        field="account",
    )
