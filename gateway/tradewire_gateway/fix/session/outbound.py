"""The outbound side: sequence numbers, headers, and the record of what can be sent again."""

from __future__ import annotations

from typing import Final

from tradewire_gateway.fix.codec import encode, encode_fields
from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.session.actions import Action, Send
from tradewire_gateway.fix.store import Record
from tradewire_gateway.fix.values import format_utc_timestamp

# A reject goes back the way that the message came: OnBehalfOf turns into DeliverTo and vice versa.
_ROUTES: Final = {115: 128, 116: 129, 144: 145, 128: 115, 129: 116, 145: 144}


def reverse_route(header: Fields) -> Fields:
    """Return the routing fields for an answer to a message with this header."""
    back = {_ROUTES[tag]: value for tag, value in header.items() if tag in _ROUTES and value}
    return Fields(sorted(back.items()))


class Outbound:
    """Numbers messages and puts them on the list of actions."""

    def __init__(self, begin_string: str, actions: list[Action]) -> None:
        self._begin_string = begin_string
        self._actions = actions
        self.sender = ""
        self.target = ""
        self.next_number = 1
        self.last_sent_ns = 0

    def send(
        self,
        msg_type: str,
        body: str,
        now_ns: int,
        *,
        header: Fields | None = None,
        keep: bool = False,
        reference: int | None = None,
    ) -> int:
        """Send a new message and return its number.

        With `keep` it can be sent again: from its reference where it has one, else from its body.
        """
        number = self.next_number
        data = self._compose(msg_type, number, body, format_utc_timestamp(now_ns), header)
        record = None
        if keep:
            stored = body if reference is None else ""
            record = Record(msg_type, now_ns, stored, header, reference)
        self._actions.append(Send(data, number, record))
        self.next_number = number + 1
        self.last_sent_ns = now_ns
        return number

    def repeat(self, number: int, record: Record, now_ns: int) -> None:
        """Send a message again, under its old number."""
        self._send_again(number, record.type, record.body, record.sending_time_ns, now_ns, record)

    def fill(self, begin: int, end: int, now_ns: int) -> None:
        """Say that nothing is to be sent again from begin to end, both included."""
        self._send_again(begin, "4", f"36={end + 1}\x01123=Y\x01", now_ns, now_ns)

    def send_outside(self, msg_type: str, body: str, now_ns: int) -> None:
        """Send a message that belongs to no session and uses up no number."""
        data = self._compose(msg_type, 1, body, format_utc_timestamp(now_ns), None)
        self._actions.append(Send(data))

    def _send_again(
        self,
        number: int,
        msg_type: str,
        body: str,
        first_sent_ns: int,
        now_ns: int,
        record: Record | None = None,
    ) -> None:
        header = Fields(record.header or {}) if record is not None else Fields()
        header[43] = "Y"
        header[122] = format_utc_timestamp(first_sent_ns)
        data = self._compose(msg_type, number, body, format_utc_timestamp(now_ns), header)
        self._actions.append(Send(data))
        self.last_sent_ns = now_ns

    def _compose(
        self, msg_type: str, number: int, body: str, sending_time: str, header: Fields | None
    ) -> bytes:
        if not header:
            content = (
                f"35={msg_type}\x0134={number}\x0149={self.sender}\x0152={sending_time}\x01"
                f"56={self.target}\x01{body}"
            )
            return encode(self._begin_string, content)
        # Ascending tags: 43 comes before 49, and 97, 115, 122 and so on after 56.
        fields = {**header, 34: str(number), 49: self.sender, 52: sending_time, 56: self.target}
        ordered = Fields(sorted(fields.items()))
        return encode(self._begin_string, f"35={msg_type}\x01{encode_fields(ordered)}{body}")
