"""The project's own scenarios: conversations with the acceptor, as text.

A file holds several; `== title` begins one. Lines, `#` and blank ones aside:

    settings NAME=VALUE ...   settings of the session, before anything else
    numbers OUT IN            what the store remembers of an earlier day
    connect                   open a connection (the last opened is meant where none is named)
    logon                     connect, log on with MsgSeqNum(34)=1 and read the answer
    > 35=D|34=2|...           send; 49, 56 and 52 are put in after 34 unless they are there
    >raw 8=FIX.4.4|...        send exactly this; a length and checksum are put in where absent
    < 35=3|34=2|...           read one message: all its fields but 8, 9, 10 in order; 49, 52 and 56
                              only if named; `*` takes any value
    nothing                   nothing was sent that has not been read
    wait SECONDS              time passes
    send 35=8|...             the application sends; `send-once` what is not worth repeating
    logout TEXT               the operator ends the session
    close | crash             the client, or the acceptor without a word, drops the connection
    closed                    the acceptor has closed
    stored OUT IN             what the store remembers now

`1`, `2` in front of a line name a connection by the order of opening. `|` is the separator SOH,
`<now>` and `<now-5>` are times. The application echoes NewOrderSingle(D) and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tradewire_gateway.fix.codec import SOH
from tradewire_gateway.fix.session import SessionSettings
from tradewire_gateway.fix.store import Numbers
from tradewire_gateway.fix.validation import Validator
from tradewire_gateway.fix.values import SECOND_NS, format_utc_timestamp

from tests.acceptance.fix.acceptor import Acceptor, Connection
from tests.acceptance.fix.definitions import complete, new_echo

CLIENT, VENUE = "TRADER", "TW-ORDERS"
_NOW = re.compile(r"<now([+-]\d+)?>")
_LINE = re.compile(r"(?:(\d) )?(\S+) ?(.*)")
_FRAME = re.compile(rb"8=FIX\.4\.4\x019=(\d+)\x01")
_UNNAMED = {"49", "52", "56"}


class ScenarioFailed(AssertionError):
    """The acceptor did something else than the scenario says."""


@dataclass(frozen=True)
class Scenario:
    """One conversation."""

    name: str
    path: Path
    lines: tuple[tuple[int, str], ...]


def load_scenarios(path: Path) -> list[Scenario]:
    """Return the scenarios of a file."""
    found = list[Scenario]()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if line.startswith("== "):
            found.append(Scenario(f"{path.stem}: {line[3:]}", path, ()))
        elif line and not line.startswith("#"):
            last = found[-1]
            found[-1] = Scenario(last.name, path, (*last.lines, (number, line)))
    return found


def run(scenario: Scenario, validator: Validator) -> None:
    """Hold the conversation.

    Raises:
        ScenarioFailed: the acceptor does not say or do what it should.
    """
    conversation = _Conversation(validator)
    for number, line in scenario.lines:
        try:
            conversation.do(line)
        except ScenarioFailed as failure:
            place = f"{scenario.path.name}, line {number}: {line}"
            raise ScenarioFailed(f"{place}\n  {failure}") from None


class _Conversation:
    def __init__(self, validator: Validator) -> None:
        self._validator = validator
        self._connections = list[Connection]()
        self._acceptor = self._new_acceptor(SessionSettings())

    def _new_acceptor(self, settings: SessionSettings) -> Acceptor:
        return Acceptor(
            self._validator,
            settings,
            comp_id=VENUE,
            clients={CLIENT, "OTHER"},
            new_application=new_echo,
        )

    def do(self, line: str) -> None:
        match = _LINE.fullmatch(line)
        assert match is not None, line
        verb, rest = match[2], self._fill_in(match[3])
        if verb == "settings":
            self._acceptor = self._new_acceptor(_settings(rest))
        elif verb == "numbers":
            self._acceptor.stores[CLIENT].reset()
            outbound, inbound = map(int, rest.split())
            self._acceptor.stores[CLIENT].append(outbound - 1, None)
            self._acceptor.stores[CLIENT].set_next_inbound(inbound)
        elif verb == "stored":
            self._expect(self._acceptor.stores[CLIENT].numbers(), Numbers(*map(int, rest.split())))
        elif verb == "wait":
            self._wait(float(rest))
        elif verb == "connect":
            self._connections.append(self._acceptor.connect())
        elif verb == "logon":
            for each in ("connect", "> 35=A|34=1|98=0|108=30", "< 35=A|34=1|98=0|108=30"):
                self.do(each)
        else:
            index = int(match[1]) - 1 if match[1] else -1
            self._do_on(self._connections[index], verb, rest)

    def _do_on(self, connection: Connection, verb: str, rest: str) -> None:
        session, now_ns = connection.session, self._acceptor.now_ns
        match verb:
            case ">":
                content = f"{_addressed(rest, now_ns)}|".replace("|", SOH)
                connection.receive(_frame(content))
            case ">raw":
                connection.receive(complete(rest.replace("|", SOH)))
            case "<":
                self._expect(_shown(_read(connection), rest), rest)
            case "nothing":
                self._expect(bytes(connection.unread), b"")
            case "send" | "send-once":
                fields = rest.split("|")
                body = "".join(f"{field}{SOH}" for field in fields[1:])
                session.send(fields[0].removeprefix("35="), body, now_ns, keep=verb == "send")
                connection.perform()
            case "logout":
                session.logout(now_ns, rest or None)
                connection.perform()
            case "close":
                connection.close()
            case "crash":
                self._acceptor.forget(connection)
                connection.is_open = False
            case "closed":
                self._expect((bytes(connection.unread), connection.is_open), (b"", False))
            case _:
                raise AssertionError(f"{verb} is not known")

    def _wait(self, seconds: float) -> None:
        until_ns = self._acceptor.now_ns + round(seconds * SECOND_NS)
        while self._acceptor.advance(until_ns):
            pass

    def _fill_in(self, text: str) -> str:
        def time(match: re.Match[str]) -> str:
            seconds = int(match[1] or 0)
            return format_utc_timestamp(self._acceptor.now_ns + seconds * SECOND_NS)

        return _NOW.sub(time, text)

    def _expect(self, received: object, expected: object) -> None:
        if received != expected:
            raise ScenarioFailed(f"received {received!r}")


def _settings(text: str) -> SessionSettings:
    words = {"yes": True, "no": False}
    pairs = [each.partition("=") for each in text.split()]
    values = dict[str, Any]()
    for name, _, value in pairs:
        values[name] = words[value] if value in words else int(value)
    return replace(SessionSettings(), **values)


def _addressed(text: str, now_ns: int) -> str:
    """Return the fields with CompIDs and time where they were left out."""
    fields = text.split("|")
    tags = {field.partition("=")[0] for field in fields}
    usual = {"49": CLIENT, "56": VENUE, "52": format_utc_timestamp(now_ns)}
    missing = [f"{tag}={value}" for tag, value in usual.items() if tag not in tags]
    return "|".join([*fields[:2], *missing, *fields[2:]])


def _frame(content: str) -> bytes:
    frame = f"8=FIX.4.4{SOH}9={len(content)}{SOH}{content}".encode("latin-1")
    return frame + b"10=%03d\x01" % (sum(frame) % 256)


def _read(connection: Connection) -> list[str]:
    """Take a message off what was sent and check its frame; return the fields within."""
    head = _FRAME.match(connection.unread)
    if head is None:
        raise ScenarioFailed(f"nothing, or no message: {bytes(connection.unread)!r}")
    end = head.end() + int(head[1])
    trailer = bytes(connection.unread[end : end + 7])
    if trailer != b"10=%03d\x01" % (sum(connection.unread[:end]) % 256):
        raise ScenarioFailed(f"wrong length or checksum: {bytes(connection.unread)!r}")
    fields = connection.unread[head.end() : end - 1].decode("latin-1").split(SOH)
    del connection.unread[: end + 7]
    return fields


def _shown(fields: list[str], expected: str) -> str:
    """Return the fields in the form of what is expected, with its wildcards."""
    wanted = [field.partition("=") for field in expected.split("|")]
    named = {tag for tag, _, _ in wanted}
    any_value = {tag for tag, _, value in wanted if value == "*"}
    shown = list[str]()
    for tag, equals, value in (field.partition("=") for field in fields):
        if tag in named or tag not in _UNNAMED:
            shown.append(f"{tag}=*" if tag in any_value else f"{tag}{equals}{value}")
    return "|".join(shown)
