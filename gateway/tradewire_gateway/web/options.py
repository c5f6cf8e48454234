"""What the HTTP edge is told by whoever starts it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc.aio

from tradewire_gateway.web.demo_sign_in import DemoSignIn

DEFAULT_PORT = 8081


class LimitRow(Protocol):
    """A row of the published table of limits."""

    @property
    def name(self) -> str:
        """Which limit."""

    @property
    def value(self) -> str:
        """How much, as text."""

    @property
    def unit(self) -> str:
        """Of what."""

    @property
    def meaning(self) -> str:
        """Whom and what it limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """What the HTTP edge is told. It closes nothing that it is given.

    `port` 0 takes any free one. `rest_url` is where clients find REST, without a slash at its end;
    it is asked when a page is first shown, since Envoy may start later. `fix_target` is where FIX
    is, empty where it is not served. `demo` is how pages sign in that have no key, None where they
    do not.
    """

    channel: grpc.aio.Channel
    environment: str
    rest_url: Callable[[], str]
    grpc_target: str
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    limits: Sequence[LimitRow] = ()
    fix_target: str = ""
    demo: DemoSignIn | None = None
