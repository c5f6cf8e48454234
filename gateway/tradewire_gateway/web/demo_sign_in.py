"""`POST /console/demo`: the terminal signs in as the demo account, of which it has no key.

A ticket is made by who has the key, inside the process. It is for a page of this very place only:

- The browser says where the page is from (`Origin`), and that has to be where the request went
  (`Host`), and one of the origins that are allowed. So neither a page of another site, nor one
  whose name was made to lead here (DNS rebinding), gets a ticket; nor does a program, which has
  the files of `tradewire up`.
- `Sec-Fetch-Site`, which a page cannot set, has to agree where the browser sends it.

Tickets are counted by address and in all, and so is what is remembered of addresses.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from tradewire_gateway.web.documents import JSON, Document
from tradewire_gateway.web.refusals import refusal

PATH = "/console/demo"
PER_S = 0.5
BURST = 20
ALL_PER_S = 10.0
ALL_BURST = 100
ADDRESSES_MAX = 10_000
_NEVER_KEPT = (("cache-control", "no-store"),)
_EVERYBODY = ""


class SignInFailed(Exception):
    """There is no ticket now; the reason is one of the catalogue."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSignIn:
    """What pages may sign in with: tickets of an account.

    `make_ticket` raises SignInFailed. `origins` says whether a page of an origin may ask, once it
    is known that it is of this place.
    """

    account: str
    make_ticket: Callable[[], Awaitable[str]]
    origins: Callable[[str], bool]


class DemoDesk:
    """Gives tickets to pages; `clock` is in seconds."""

    def __init__(self, sign_in: DemoSignIn, *, clock: Callable[[], float]) -> None:
        self._sign_in = sign_in
        self._clock = clock
        # When each address has used up nothing again; the oldest first.
        self._clear_s: dict[str, float] = {}

    async def respond(self, request: Request, *, address: str) -> Document:
        """Return a ticket, or why there is none."""
        refused = self._check_page(request) or self._count(address)
        if refused is not None:
            return refused
        try:
            ticket = await self._sign_in.make_ticket()
        except SignInFailed as error:
            return refusal(error.reason, error.text, headers=_NEVER_KEPT)
        content = {"ticket": ticket, "account": self._sign_in.account}
        return Document.of(json.dumps(content), JSON, headers=_NEVER_KEPT)

    def _check_page(self, request: Request) -> Document | None:
        origin = request.headers.get("origin", "")
        host = request.headers.get("host", "")
        site = request.headers.get("sec-fetch-site", "same-origin")
        if (
            site == "same-origin"
            and host
            and _place(origin) == host.lower()
            and self._sign_in.origins(origin)
        ):
            return None
        return refusal(
            "ORIGIN_NOT_ALLOWED",
            "the demo account is for the terminal of this very place; programs have the key that "
            "`tradewire up` wrote",
            headers=_NEVER_KEPT,
        )

    def _count(self, address: str) -> Document | None:
        now_s = self._clock()
        waits_s = (
            self._wait_s(_EVERYBODY, now_s, per_s=ALL_PER_S, burst=ALL_BURST),
            self._wait_s(address, now_s, per_s=PER_S, burst=BURST),
        )
        wait_s = max(waits_s)
        if wait_s > 0 or not self._has_room(address, now_s):
            wait_ms = max(1, int(wait_s * 1_000))
            return refusal(
                "RATE_LIMITED",
                f"too many pages sign in: wait {wait_ms} ms",
                headers=(*_NEVER_KEPT, ("retry-after", str(-(-wait_ms // 1_000)))),
                metadata={"scope": "sign_in", "retry_after_ms": str(wait_ms)},
            )
        self._take(_EVERYBODY, now_s, per_s=ALL_PER_S)
        self._take(address, now_s, per_s=PER_S)
        return None

    def _wait_s(self, subject: str, now_s: float, *, per_s: float, burst: int) -> float:
        backlog_s = max(0.0, self._clear_s.get(subject, 0.0) - now_s)
        return backlog_s + 1 / per_s - burst / per_s

    def _take(self, subject: str, now_s: float, *, per_s: float) -> None:
        clear_s = max(self._clear_s.pop(subject, 0.0), now_s) + 1 / per_s
        self._clear_s[subject] = clear_s

    def _has_room(self, address: str, now_s: float) -> bool:
        """Forget addresses that have used up nothing any more; say whether one more fits."""
        while len(self._clear_s) >= ADDRESSES_MAX and address not in self._clear_s:
            oldest = next(iter(self._clear_s))
            if oldest != _EVERYBODY and self._clear_s[oldest] > now_s:
                return False
            del self._clear_s[oldest]
        return True


def _place(origin: str) -> str:
    """Return host and port of an origin, as a `Host` header has them; empty if it is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != origin:
        return ""
    return parts.netloc.lower()
