"""What a Logon(A) must be like before anybody is asked who sent it, and how it is answered."""

from __future__ import annotations

from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.session.settings import SessionSettings
from tradewire_gateway.fix.validation import Invalid, Verdict


def objection(verdict: Verdict) -> str | None:
    """Return why a message cannot be a Logon(A), None when it is one in form."""
    if verdict.type != "A":
        return "The first message must be Logon(A)"
    if isinstance(verdict, Message):
        return None
    if not isinstance(verdict, Invalid):
        return "Logon(A) is not supported"
    reason, tag = verdict.rejection
    return reason.text if tag is None else f"{reason.text}: {tag}"


def objection_to_terms(logon: Message, settings: SessionSettings) -> str | None:
    """Return why what a Logon(A) asks for cannot be had, None when it can."""
    heartbeat_s = logon.body.integer(108)
    if logon.body.text(98) != "0":
        return "EncryptMethod(98) must be 0"
    if heartbeat_s is None or not (
        settings.heartbeat_s_min <= heartbeat_s <= settings.heartbeat_s_max
    ):
        return (
            f"HeartBtInt(108) must be from {settings.heartbeat_s_min} to {settings.heartbeat_s_max}"
        )
    if logon.body.flag(141) and logon.header.integer(34) != 1:
        return "ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1"
    return None


def logon_body(
    heartbeat_s: int, *, reset: bool, next_expected: int | None, extra: Fields | None
) -> str:
    """Return the encoded body of a Logon(A) or of the answer to one."""
    fields = Fields({98: "0", 108: str(heartbeat_s)})
    if reset:
        fields[141] = "Y"
    if next_expected is not None:
        fields[789] = str(next_expected)
    return encode_fields(Fields({**fields, **(extra or {})}))
