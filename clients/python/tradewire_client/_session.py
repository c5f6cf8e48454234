"""Signing in with a key or with tickets, and staying signed in.

The token is renewed in one place and by one task at a time, however many calls wait for it:

- A call that finds a token in the last part of its life goes on with it and starts the renewal
  beside it.
- A call that finds none, or one that has ended, waits for the renewal.
- A token that the venue no longer takes is forgotten, but only if it is still the one that was
  refused.

The clock of this machine may be wrong. Its offset is measured with GetServerTime, at the first
sign-in if the environment's name is not known anyway, and whenever the venue says that a timestamp
is outside its window. Nothing else uses the wall clock: how long a token lives is counted on the
monotonic one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from tradewire_client._calls import Metadata, perform
from tradewire_client._errors import (
    AuthenticationError,
    ClientClosed,
    ConfigurationError,
    TradewireError,
)
from tradewire_client._gen.stubs import SessionServiceStub
from tradewire_client._gen.tradewire import v1
from tradewire_client._retry import Effect, Retrier, Work
from tradewire_client._signing import Key, encode_signature, session_payload
from tradewire_client._tickets import Tickets
from tradewire_client._times import nanoseconds_of
from tradewire_client._values import GetServerTimeResponse
from tradewire_client._world import World

logger = logging.getLogger("tradewire_client.session")

# The part of a token's life after which it is renewed, and the seconds before its end in which it
# is not used.
_RENEW_AFTER = 0.8
_SPARE_S = 2.0
_RENEWAL_PAUSE_S = 5.0
# Greatest number of measurements for one sign-in; the difference below which the clock was right,
# and the pause before the next try then, times the number of tries.
_MEASUREMENTS_MAX = 3
_SMALL_MS = 250
_CLOCK_PAUSE_S = 0.5
_END_TIMEOUT_S = 1.0
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Token:
    metadata: Metadata
    renew_at: float
    expires_at: float


class Session:
    """The session of a client: who it is, what it may do, and the venue's clock."""

    def __init__(
        self,
        stub: SessionServiceStub,
        credential: Key | Tickets | None,
        *,
        environment: str,
        retrier: Retrier,
        world: World,
    ) -> None:
        self._stub = stub
        self._credential = credential
        self._retrier = retrier
        self._world = world
        self._environment = environment
        self._fixed_environment = bool(environment)
        self._token: _Token | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._renewal_pause_until = 0.0
        self._closed = False
        self.account = ""
        """The account of the key, empty before the first sign-in."""
        self.scopes: tuple[v1.Scope, ...] = ()
        """What the session permits."""
        self.clock_offset_ms = 0
        """Venue's clock minus this machine's, as measured last; 0 while there was no need."""

    @property
    def environment(self) -> str:
        """Name of the environment, empty before it is known."""
        return self._environment

    @property
    def can_sign_in(self) -> bool:
        """Whether there is a key, or a ticket, to sign in with."""
        return self._credential is not None

    async def server_time(self) -> GetServerTimeResponse:
        """Ask for the venue's clock."""
        return GetServerTimeResponse.from_message(await self._get_server_time())

    async def sign_in(self) -> None:
        """Create a session now rather than at the first call that needs it.

        Raises:
            AuthenticationError: the venue does not know the key, or the signature does not match.
        """
        await self._renewed()

    async def end(self) -> None:
        """End the session: its token is useless from now on. The next call signs in again."""
        token, self._token = self._token, None
        if token is not None:
            request = v1.EndSessionRequest()
            await perform(self._stub.end_session, request, _END_TIMEOUT_S, token.metadata)

    async def close(self) -> None:
        """End the session as far as the venue can be reached, for good."""
        self._closed = True
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        try:
            await self.end()
        except TradewireError as error:
            logger.debug("the session was not ended: %s", error)

    async def authorization(self) -> Sequence[tuple[str, str]]:
        """Return the metadata that authorises a call, empty without a key or ticket.

        Raises:
            TradewireError: signing in failed.
        """
        if self._closed:
            raise ClientClosed("the client is closed")
        if self._credential is None:
            return ()
        token, now = self._token, self._world.monotonic()
        if token is None or now >= token.expires_at:
            await self._renewed()
            assert self._token is not None, "a renewal without an error leaves a token"
            return self._token.metadata
        if now >= token.renew_at and now >= self._renewal_pause_until:
            self._renew()
        return token.metadata

    def invalidate(self, authorization: Metadata) -> None:
        """Forget this credential: the venue did not take it."""
        if self._token is not None and self._token.metadata is authorization:
            self._token = None

    async def _renewed(self) -> None:
        self._renew()
        assert self._renewal is not None, "it was just made"
        # Who no longer waits must not take the sign-in away from the others.
        await asyncio.shield(self._renewal)

    def _renew(self) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._sign_in(), name="tradewire sign-in")
            self._renewal.add_done_callback(self._after_renewal)

    def _after_renewal(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._renewal_pause_until = self._world.monotonic() + _RENEWAL_PAUSE_S
            logger.info("signing in failed: %s", error)

    async def _sign_in(self) -> None:
        if isinstance(self._credential, Tickets):
            self._accept(await self._redeem(self._credential))
        elif self._credential is None:
            raise ConfigurationError("the client has no key to sign in with")
        else:
            await self._sign_in_with(self._credential)

    async def _redeem(self, tickets: Tickets) -> v1.CreateSessionResponse:
        async def attempt(seconds: float) -> v1.CreateSessionResponse:
            request = v1.CreateSessionRequest(ticket=await tickets.next())
            return await perform(self._stub.create_session, request, seconds)

        response = await self._retrier.run(Work(name="CreateSession", effect=Effect.NONE), attempt)
        tickets.note_used()
        self._check_environment(response.environment)
        return response

    async def _sign_in_with(self, key: Key) -> None:
        if not self._environment:
            await self._measure_clock()
        measurements = 0
        while True:
            try:
                self._accept(await self._create_session(key))
                return
            except AuthenticationError as error:
                late = error.reason is v1.Reason.TIMESTAMP_OUT_OF_WINDOW
                if not late or measurements == _MEASUREMENTS_MAX:
                    raise
            measurements += 1
            before = self.clock_offset_ms
            await self._measure_clock()
            if abs(self.clock_offset_ms - before) < _SMALL_MS:
                # The clock is right, so the venue has just started: it takes no timestamp that
                # its former process could have seen.
                await self._world.sleep(measurements * _CLOCK_PAUSE_S)

    async def _create_session(self, key: Key) -> v1.CreateSessionResponse:
        async def attempt(seconds: float) -> v1.CreateSessionResponse:
            # Every attempt is signed anew: a nonce is good once, and the timestamp must be fresh.
            request = v1.CreateSessionRequest(signature=self._sign(key))
            return await perform(self._stub.create_session, request, seconds)

        # A session too many does no harm, so an attempt without an answer is simply repeated.
        return await self._retrier.run(Work(name="CreateSession", effect=Effect.NONE), attempt)

    def _sign(self, key: Key) -> v1.SessionSignature:
        timestamp_ms = self._world.wall_ms() + self.clock_offset_ms
        nonce = self._world.nonce()
        payload = session_payload(
            environment=self._environment, timestamp_ms=timestamp_ms, nonce=nonce
        )
        return v1.SessionSignature(
            api_key=key.api_key,
            timestamp_ms=timestamp_ms,
            nonce=nonce,
            signature=encode_signature(key.sign(payload)),
        )

    def _accept(self, response: v1.CreateSessionResponse) -> None:
        expires_ms = nanoseconds_of(response.expire_time, absent=0) // _NS_PER_MS
        life_s = (expires_ms - self._world.wall_ms() - self.clock_offset_ms) / 1000
        now = self._world.monotonic()
        expires_at = now + max(life_s - _SPARE_S, life_s * _RENEW_AFTER)
        credential = self._credential
        is_last = isinstance(credential, Tickets) and not credential.has_next
        self._token = _Token(
            metadata=(("authorization", f"Bearer {response.token}"),),
            renew_at=expires_at if is_last else now + life_s * _RENEW_AFTER,
            expires_at=expires_at,
        )
        self.account = response.account
        self.scopes = tuple(response.scopes)

    async def _measure_clock(self) -> None:
        before = self._world.wall_ms()
        response = await self._get_server_time()
        middle = (before + self._world.wall_ms()) // 2
        self.clock_offset_ms = response.time_ms - middle
        self._check_environment(response.environment)

    def _check_environment(self, environment: str) -> None:
        if self._fixed_environment and environment != self._environment:
            raise ConfigurationError(
                f"the venue is {environment!r}, and this client is set up for {self._environment!r}"
            )
        self._environment = environment

    async def _get_server_time(self) -> v1.GetServerTimeResponse:
        async def attempt(seconds: float) -> v1.GetServerTimeResponse:
            request = v1.GetServerTimeRequest()
            return await perform(self._stub.get_server_time, request, seconds)

        return await self._retrier.run(Work(name="GetServerTime", effect=Effect.NONE), attempt)
