"""A FIX client without an engine: simplefix writes and parses, a socket carries, nothing more.

Length, checksum and numbers of what arrives are counted here again, byte by byte.
"""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import simplefix

from tests.support.fix_peers.transcript import Fields
from tests.support.venue import Credential

ANSWER_S = 30.0
_FRAME = re.compile(rb"8=FIX\.4\.4\x019=(\d+)\x01(.*?\x01)10=(\d{3})\x01", re.DOTALL)


class RawClient:
    """One connection that begins both sequences at 1."""

    def __init__(
        self,
        credential: Credential,
        sender: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.delivered: list[Fields] = []
        self._credential = credential
        self._sender = sender
        self._reader = reader
        self._writer = writer
        self._parser = simplefix.FixParser()
        self._received = b""
        self._number = 0

    async def log_on(self) -> None:
        """Send a signed Logon(A) and take its answer."""
        message = self._message("A")
        self._number += 1
        signed = [message.get(tag).decode() for tag in (35, 49, 56, 34, 52)]
        signature = self._credential.private_key.sign("\x01".join(signed).encode())
        message.append_pair(98, 0)
        message.append_pair(108, 30)
        message.append_pair(141, "Y")
        message.append_pair(553, self._credential.key_id)
        message.append_data(95, 96, base64.b64encode(signature))
        self._writer.write(message.encode())
        answer = await self._receive()
        assert (answer[35], answer[141]) == ("A", "Y"), answer

    def send(self, msg_type: str, fields: Fields) -> None:
        """Send an application message."""
        message = self._message(msg_type)
        self._number += 1
        for tag, value in fields.items():
            message.append_pair(tag, value)
        self._writer.write(message.encode())

    async def next(self, msg_type: str = "8", **wanted: str) -> Fields:
        """Return the next message, which has this type and these fields."""
        message = await self._receive()
        self.delivered.append(message)
        assert message[35] == msg_type, message
        assert {tag: message.get(int(tag[1:])) for tag in wanted} == wanted, message
        return message

    async def log_out(self) -> None:
        """End the session, and see that the other side does so too."""
        self.send("5", {})
        assert (await self._receive())[35] == "5"
        async with asyncio.timeout(ANSWER_S):
            assert await self._reader.read() == b""

    def _message(self, msg_type: str) -> simplefix.FixMessage:
        message = simplefix.FixMessage()
        message.append_pair(8, "FIX.4.4")
        message.append_pair(35, msg_type)
        message.append_pair(49, self._sender)
        message.append_pair(56, "TW-ORDERS")
        message.append_pair(34, self._number + 1)
        message.append_utc_timestamp(52, precision=3)
        return message

    async def _receive(self) -> Fields:
        async with asyncio.timeout(ANSWER_S):
            while (message := self._parser.get_message()) is None:
                data = await self._reader.read(2**16)
                assert data, "closed"
                self._received += data
                self._parser.append_buffer(data)
        found = _FRAME.match(self._received)
        assert found is not None, self._received
        self._received = self._received[found.end() :]
        assert len(found[2]) == int(found[1])
        assert sum(found[0][: found.start(3) - 3]) % 256 == int(found[3])
        return {int(tag): value.decode("latin-1") for tag, value in message.pairs}


@asynccontextmanager
async def raw_client(credential: Credential, port: int, sender: str) -> AsyncIterator[RawClient]:
    """Connect a client; its connection ends with the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(credential, sender, reader, writer)
    finally:
        writer.close()
