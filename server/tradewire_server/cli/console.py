"""The terminal's demo sign-in: what `tradewire up` gives to the pages that it serves.

The key of the demo account stays in this process: pages get tickets, which may read and trade. They
may not transfer, so nobody makes keys of it that outlive the ticket.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
from tradewire_client import (
    Client,
    Ed25519Key,
    NotServing,
    RateLimited,
    RetryPolicy,
    Scope,
    TradewireError,
    Unavailable,
)
from tradewire_gateway.web.demo_sign_in import DemoSignIn, SignInFailed
from tradewire_gateway.ws.origins import AllowedOrigins

from tradewire_server.cli.connection import DEFAULT_ACCOUNT

SCOPES = (Scope.READ, Scope.TRADE)


@asynccontextmanager
async def demo_sign_in(
    channel: grpc.aio.Channel, key: Ed25519Key, *, environment: str, for_all: bool
) -> AsyncIterator[DemoSignIn]:
    """Let pages sign in as the demo account while the context lasts.

    The page has to be one of this machine, whatever name leads here, unless it is `for_all`.
    """
    this_machine = AllowedOrigins(this_machine=True)
    # A page asks again by itself; meanwhile nobody waits.
    client = Client(
        channel=channel,
        key=key,
        environment=environment,
        retry=RetryPolicy(attempts=2, deadline=5.0),
    )

    async def make_ticket() -> str:
        try:
            return (await client.create_ticket(scopes=SCOPES)).ticket
        except RateLimited as error:
            raise SignInFailed("RATE_LIMITED", "too many pages sign in now") from error
        except (NotServing, Unavailable) as error:
            raise SignInFailed("NOT_SERVING", "the venue does not take sessions now") from error
        except TradewireError as error:
            # The key may have been revoked, by whoever operates the venue.
            raise SignInFailed("UNAUTHENTICATED", f"no demo account now: {error}") from error

    try:
        yield DemoSignIn(
            account=DEFAULT_ACCOUNT,
            make_ticket=make_ticket,
            origins=(lambda origin: True) if for_all else this_machine,
        )
    finally:
        await client.close()
