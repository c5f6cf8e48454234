"""Waiting for what has no event of its own: looked at again and again, until a deadline."""

import asyncio
from collections.abc import Callable

TIMEOUT_S = 20.0
_LOOK_S = 0.002


async def eventually(condition: Callable[[], object], *, within_s: float = TIMEOUT_S) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - see the module's docstring
            await asyncio.sleep(_LOOK_S)
