"""What the client takes from outside: time, sleep and chance. Tests pass their own."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_NS_PER_MS = 1_000_000
# 24 characters of base64url.
_NONCE_BYTES = 18


def _wall_ms() -> int:
    return time.time_ns() // _NS_PER_MS


def _nonce() -> str:
    return secrets.token_urlsafe(_NONCE_BYTES)


def _client_order_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Clocks, sleep, and the sources of random numbers, nonces and client order ids."""

    wall_ms: Callable[[], int] = _wall_ms
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    # Spreads retries; it guards no secret.
    random: Callable[[], float] = random.random
    nonce: Callable[[], str] = _nonce
    client_order_id: Callable[[], str] = _client_order_id
