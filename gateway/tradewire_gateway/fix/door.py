"""Who may connect: counted from the first packet on, before any handshake.

A connection that has not logged on is worth nothing yet. When there are as many as may be, of one
address or in all, the oldest of those makes room for the one that comes: so whoever holds
connections open, half-open or in the middle of a handshake keeps out nobody who logs on within its
time, while those that are logged on are never touched. Only they can make it full.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

logger = logging.getLogger("tradewire.fix")

HANDSHAKE_S: Final = 10.0
BACKLOG: Final = 512
ACCEPT_RETRY_S: Final = 0.5
# Who has one address of IPv6 has at least these.
_IPV6_PREFIX: Final = 64

Serve = Callable[["Guest", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Guest:
    """One connection, from its first packet to its end."""

    def __init__(self, place: str, connection: socket.socket) -> None:
        self.place = place
        """The address or network that it is counted for."""
        self.is_known = False
        """Set when it has logged on."""
        self.socket: socket.socket | None = connection
        """Until a transport has it."""
        self.task: asyncio.Task[None] | None = None
        self.drop: Callable[[], object] = self._cancel

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Door:
    """Listens, counts, and does the handshakes; `serve` does the rest."""

    def __init__(self, serve: Serve, *, connections_max: int, connections_per_address: int) -> None:
        self._serve = serve
        self._connections_max = connections_max
        self._connections_per_address = connections_per_address
        # In the order of their arrival.
        self._guests: dict[Guest, None] = {}
        self._by_place = Counter[str]()
        self._listening = list[asyncio.Task[None]]()
        self._tls: ssl.SSLContext | None = None

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; return the port, of the first address where the host has several.

        Raises OSError.
        """
        self._tls = tls
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sockets = list[socket.socket]()
        try:
            for family, address in dict.fromkeys((each[0], each[4]) for each in found):
                sockets.append(_listen(family, address))
        except OSError:
            for each in sockets:
                each.close()
            raise
        self._listening = [loop.create_task(self._accept(each)) for each in sockets]
        name: tuple[str, int] = sockets[0].getsockname()
        return name[1]

    def close(self) -> None:
        """Let nobody in any more, and drop those that have not logged on."""
        for task in self._listening:
            task.cancel()
        for guest in list(self._guests):
            if not guest.is_known:
                guest.drop()

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What serves the connections that there are."""
        return [guest.task for guest in self._guests if guest.task is not None]

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    connection, peer = await loop.sock_accept(listener)
                except OSError as error:
                    # The client is gone again, or the process has no file left for it.
                    logger.warning("nobody can connect for %g s: %s", ACCEPT_RETRY_S, error)
                    await asyncio.sleep(ACCEPT_RETRY_S)
                    continue
                connection.setblocking(False)
                self._arrive(connection, peer)

    def _arrive(self, connection: socket.socket, peer: object) -> None:
        """Take a connection in, or close it."""
        place = place_of(peer)
        if not self._has_room(place):
            connection.close()
            return
        guest = Guest(place, connection)
        self._guests[guest] = None
        self._by_place[place] += 1
        guest.task = asyncio.get_running_loop().create_task(self._receive(guest))
        guest.task.add_done_callback(lambda _: self._leave(guest))

    def _has_room(self, place: str) -> bool:
        """Say whether one more may come from there, if need be in place of another."""
        is_place_full = self._by_place[place] >= self._connections_per_address
        if not is_place_full and len(self._guests) < self._connections_max:
            return True
        for guest in self._guests:
            if not guest.is_known and (guest.place == place or not is_place_full):
                logger.info("%s: makes room without having logged on", guest.place)
                self._forget(guest)
                guest.drop()
                return True
        logger.warning("%s: not let in, too many connections", place)
        return False

    def _forget(self, guest: Guest) -> None:
        if guest not in self._guests:
            return
        del self._guests[guest]
        self._by_place[guest.place] -= 1
        if not self._by_place[guest.place]:
            del self._by_place[guest.place]

    def _leave(self, guest: Guest) -> None:
        self._forget(guest)
        if guest.socket is not None:
            guest.socket.close()

    async def _receive(self, guest: Guest) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        connection, guest.socket = guest.socket, None
        assert connection is not None, "it is received once"
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else HANDSHAKE_S,
            )
        except OSError as error:
            # No handshake, or the connection was gone before it.
            logger.info("%s: %s", guest.place, error)
            return
        try:
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            await self._serve(guest, reader, writer)
        finally:
            transport.abort()


def _listen(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # The addresses of IPv4 have a socket of their own.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def place_of(peer: object) -> str:
    """Return what a peer is counted for: its address, or its network where that is IPv6."""
    text = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
