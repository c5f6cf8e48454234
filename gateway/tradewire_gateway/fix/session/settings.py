"""What can be chosen about a session."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The rules of engagement that differ from venue to venue."""

    begin_string: str = "FIX.4.4"
    reset_on_logon: bool = False
    """Begin both sequences at 1 on every Logon(A), whatever ResetSeqNumFlag(141) says."""
    reset_in_session: bool = False
    """Obey a Logon(A) with ResetSeqNumFlag(141)=Y within a session. Whoever sends it is not asked
    again who it is, and what was not yet reported to the client is lost: better log out first.
    """
    explain: bool = True
    """Send a Logout(5) with Text(58) where FIX also allows to close without a word."""
    heartbeat_s_min: int = 1
    heartbeat_s_max: int = 120
    """Bounds of what a client may choose in HeartBtInt(108)."""
    logon_timeout_s: int = 10
    logout_timeout_s: int = 2
    sending_time_tolerance_s: int = 120
    """How far SendingTime(52) may be from the clock, in both directions."""
    message_bytes_max: int = 64 * 1024
    waiting_bytes_max: int = 1024 * 1024
    """Bytes that may arrive before the Logon(A) has been decided on."""
    held_messages_max: int = 2500
    held_bytes_max: int = 4 * 1024 * 1024
    """Messages that are kept while those before them are asked for again."""
    resend_requests_max: int = 16
    """ResendRequests(2) that may wait while one is being answered."""
    resend_chunk: int = 200
    """Records that are read from the store at once."""
