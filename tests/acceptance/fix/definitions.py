"""Runs the acceptance definitions of QuickFIX (`*.def`) against the acceptor without sockets.

The file format is that of QuickFIX's own runner. A line begins with what the tester does: `I` sends
the message that follows, `E` expects it, `i` acts on the connection (CONNECT, DISCONNECT), `e`
expects the acceptor to do so; a digit and a comma after it choose one of several connections.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.session import Session, SessionSettings
from tradewire_gateway.fix.validation import Validator
from tradewire_gateway.fix.values import SECOND_NS

from tests.acceptance.fix.acceptor import Acceptor, Application, Connection

_LINE = re.compile(r"([IEie])(?:(\d),)?(.*)", re.DOTALL)
_TIME = re.compile(r"<TIME(?:([+-])(\d+))?>")
_MESSAGE = re.compile(rb"8=[^\x01]*\x019=(\d+)\x01")
# A tester waits this long; none of the files needs more than two heartbeats of six seconds.
_PATIENCE_S = 20
_DISCONNECT_PATIENCE_S = 10
_DATE_TIME = r"\d{8}-\d{2}:\d{2}:\d{2}"
# Tags whose values are compared by form. They are searched for, not matched in full.
_PATTERNS = {
    "10": re.compile(r"\d{3}"),
    "42": re.compile(_DATE_TIME),
    "52": re.compile(_DATE_TIME + r"(\.\d{3})?"),
    "60": re.compile(_DATE_TIME),
    "122": re.compile(_DATE_TIME),
}


class DefinitionFailed(AssertionError):
    """The acceptor did something else than the definition expects."""


def new_echo() -> Application:
    """Return QuickFIX's test application: it returns some messages and supports no others."""
    seen = set[str]()

    def echo(session: Session, message: Message, now_ns: int) -> None:
        if message.type not in {"D", "d", "C"}:
            session.reject_business(message, 3, "Unsupported Message Type", now_ns)
            return
        is_resent = message.header.flag(97)
        if message.type == "D":
            order_id = message.body.text(11) or ""
            if is_resent and order_id in seen:
                return
            seen.add(order_id)
        body = encode_fields(Fields(sorted(message.body.items())))
        header = Fields({97: "Y"}) if is_resent else None
        session.send(message.type, body, now_ns, header=header)

    return echo


def complete(text: str) -> bytes:
    """Return a message with the length and checksum that it lacks."""
    if not text.startswith("8="):
        return text.encode("latin-1")
    head, _, rest = text.partition("\x01")
    if not rest.startswith("9="):
        body, found, trailer = rest.rpartition("\x0110=")
        body = body + "\x01" if found else rest
        rest = f"9={len(body)}\x01{body}" + (f"10={trailer}" if found else "")
        text = f"{head}\x01{rest}"
    if "\x0110=" not in text:
        text += f"10={sum(text.encode('latin-1')) % 256:03d}\x01"
    return text.encode("latin-1")


class Counterparty:
    """The counterparty that a definition describes."""

    def __init__(self, validator: Validator) -> None:
        settings = SessionSettings(reset_on_logon=True, reset_in_session=True, explain=False)
        self._acceptor = Acceptor(
            validator, settings, comp_id="ISLD", clients={"TW44"}, new_application=new_echo
        )
        self._connections = dict[str, Connection]()

    def run(self, path: Path) -> None:
        """Do what the file says.

        Raises:
            DefinitionFailed: the acceptor does not do what it should.
        """
        # QuickFIX's runner finds out by a connection whether the server is up.
        self._acceptor.connect().close()
        for number, line in enumerate(path.read_text("latin-1").split("\n"), start=1):
            try:
                self._do(line.rstrip("\r"))
            except DefinitionFailed as failure:
                raise DefinitionFailed(f"{path.name}, line {number}: {failure}") from None

    def _do(self, line: str) -> None:
        match = _LINE.fullmatch(line)
        if not line or line.startswith("#"):
            return
        assert match is not None, line
        action, connection, rest = match[1], match[2] or "1", match[3]
        if line.endswith("CONNECT"):
            self._act_on_connection(action, connection, rest)
        elif action == "I":
            self._connections[connection].receive(complete(self._substitute(rest)))
        else:
            self._expect(self._connections[connection], complete(self._substitute(rest)))

    def _act_on_connection(self, action: str, name: str, verb: str) -> None:
        match action, verb:
            case "i", "CONNECT":
                self._connections[name] = self._acceptor.connect()
            case "i", "DISCONNECT":
                self._connections[name].close()
            case "e", "DISCONNECT":
                self._expect_disconnect(self._connections[name])
            case _:
                raise AssertionError(f"{action}{verb} is not known")

    def _substitute(self, text: str) -> str:
        now = datetime.fromtimestamp(self._acceptor.now_ns // SECOND_NS, UTC)

        def time(match: re.Match[str]) -> str:
            seconds = int(match[2] or 0) * (-1 if match[1] == "-" else 1)
            return (now + timedelta(seconds=seconds)).strftime("%Y%m%d-%H:%M:%S")

        return _TIME.sub(time, text)

    def _expect(self, connection: Connection, expected: bytes) -> None:
        until_ns = self._acceptor.now_ns + _PATIENCE_S * SECOND_NS
        while not connection.unread and connection.is_open and self._acceptor.advance(until_ns):
            pass
        received = _read_message(connection.unread)
        difference = _difference(_fields(expected), _fields(received))
        if difference:
            shown = [part.replace(b"\x01", b"|").decode() for part in (expected, received)]
            raise DefinitionFailed(f"{difference}\n  expected {shown[0]}\n  received {shown[1]}")

    def _expect_disconnect(self, connection: Connection) -> None:
        until_ns = self._acceptor.now_ns + _DISCONNECT_PATIENCE_S * SECOND_NS
        while connection.is_open and not connection.unread and self._acceptor.advance(until_ns):
            pass
        if connection.unread:
            raise DefinitionFailed(f"expected a disconnect, received {bytes(connection.unread)!r}")
        if connection.is_open:
            raise DefinitionFailed("the connection is still open")


def _read_message(unread: bytearray) -> bytes:
    """Take a message off the bytes, by its length, as QuickFIX's runner does."""
    head = _MESSAGE.match(unread)
    if head is None:
        raise DefinitionFailed(f"expected a message, received {bytes(unread)!r}")
    end = unread.index(b"\x01", head.end() + int(head[1])) + 1
    message = bytes(unread[:end])
    del unread[:end]
    return message


def _fields(message: bytes) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in message.decode("latin-1").split("\x01")[:-1]]
    return [(tag, value) for tag, _, value in pairs]


def _difference(expected: list[tuple[str, str]], received: list[tuple[str, str]]) -> str:
    """Return the first difference; empty when the messages agree."""
    tags = [tag for tag, _ in received]
    if tags != [tag for tag, _ in expected]:
        return f"the tags differ: {tags}"
    for (tag, wanted), (_, value) in zip(expected, received, strict=True):
        pattern = _PATTERNS.get(tag)
        if not pattern.search(value) if pattern else value != wanted:
            return f"{tag}={value} in place of {tag}={wanted}"
    return ""
