"""A FIX client made with another library, in a process of its own.

It is told by lines what to do, and tells by lines what happens: see `initiator.cpp`. All such
clients understand the same lines, so that a test says once what is traded.
"""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

ANSWER_S = 30.0

Fields = Mapping[int, str]


class Line(NamedTuple):
    """Something that happened, in the client's own words."""

    kind: str
    """`<` received, `>` sent, `=` delivered to the application, `!` event."""
    text: str

    @property
    def fields(self) -> Fields:
        """The fields of a message; of a tag that is there twice the last."""
        return dict(self._pairs())

    def group(self, first: int) -> Sequence[Fields]:
        """Return the entries of the group whose entries begin with this field.

        The last one has what follows the group, too.
        """
        entries: list[dict[int, str]] = []
        for tag, value in self._pairs():
            if tag == first:
                entries.append({})
            if entries:
                entries[-1][tag] = value
        return entries

    def _pairs(self) -> Iterator[tuple[int, str]]:
        for field in self.text.split("|"):
            tag, equals, value = field.partition("=")
            if equals and tag.isdecimal():
                yield int(tag), value


class ForeignClient:
    """The process and its transcript."""

    def __init__(self, process: Process) -> None:
        self.lines: list[Line] = []
        self._process = process
        self._changed = asyncio.Event()
        self._seen = 0
        self._reading = asyncio.create_task(self._read())

    def tell(self, line: str) -> None:
        """Let it do something: `start`, `logout`, or a message."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def send(self, msg_type: str, fields: Fields) -> None:
        """Let it send an application message."""
        self.tell(f"{msg_type} " + "|".join(f"{tag}={value}" for tag, value in fields.items()))

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until something is so because of what has been told."""
        async with asyncio.timeout(ANSWER_S):
            while not wanted():
                assert not self._reading.done(), f"it has ended: {self.lines[-5:]}"
                self._changed.clear()
                await self._changed.wait()

    async def logged_on(self) -> None:
        """Wait until the logon has been answered."""
        await self.until(lambda: Line("!", "logged on") in self.lines)

    async def next(self, msg_type: str = "8", **wanted: str) -> Fields:
        """Return the first message delivered behind the last one returned that has these fields."""
        return (await self.next_line(msg_type, **wanted)).fields

    async def next_line(self, msg_type: str, **wanted: str) -> Line:
        """Return such a message with its groups."""
        found: list[Line] = []

        def look() -> bool:
            while self._seen < len(self.lines):
                line = self.lines[self._seen]
                self._seen += 1
                if line.kind == "=" and _has(line.fields, {"t35": msg_type, **wanted}):
                    found.append(line)
                    return True
            return False

        await self.until(look)
        return found[0]

    def messages(self, kind: str, msg_type: str = "", **wanted: str) -> list[Fields]:
        """Return all messages of a kind, of a type, with these fields."""
        all_wanted = {**wanted, **({"t35": msg_type} if msg_type else {})}
        # An event may quote a message.
        return [
            line.fields
            for line in self.lines
            if line.kind == kind and _has(line.fields, all_wanted)
        ]

    async def log_out(self) -> None:
        """Let it end the session, and wait for its end."""
        self.tell("logout")
        async with asyncio.timeout(ANSWER_S):
            await self._reading
            assert await self._process.wait() == 0, self.lines[-5:]

    async def kill(self) -> None:
        """End it at once, without a chance to do anything more."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                text = line.decode("latin-1").rstrip("\n")
                self.lines.append(Line(text[:1], text[2:]))
                self._changed.set()
        finally:
            asyncio.get_running_loop().call_soon(self._changed.set)


def _has(fields: Fields, wanted: Mapping[str, str]) -> bool:
    return all(fields.get(int(tag[1:])) == value for tag, value in wanted.items())


@asynccontextmanager
async def foreign_client(*command: str | Path) -> AsyncIterator[ForeignClient]:
    """Run a client; kill it at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, limit=2**20, env={**os.environ, "NODE_NO_WARNINGS": "1"}
    )
    client = ForeignClient(process)
    try:
        yield client
    finally:
        await client.kill()
