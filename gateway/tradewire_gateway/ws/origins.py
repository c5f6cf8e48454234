"""Which pages may open a connection: what a browser says in `Origin` is looked up in a list.

Programs send no `Origin`; no list could keep them away. It keeps a page that somebody visits from
using what only that somebody's machine can reach.
"""

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

ORIGIN_MAX = 512
# As REST has it when it is served to this machine only, see envoy.yaml.
_THIS_MACHINE = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.ASCII)
_ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class OriginError(ValueError):
    """What should be an origin is none; the text says so."""


class AllowedOrigins:
    """The origins that are named, those of our own pages, and with `this_machine` all of it.

    `own` is asked each time, since Envoy may start later; what it yields are URLs or nothing.
    """

    def __init__(
        self,
        named: Iterable[str] = (),
        *,
        own: Callable[[], Iterable[str]] = tuple,
        this_machine: bool = False,
    ) -> None:
        """Take the list. Raises OriginError for what is no origin, such as `https://app.example`."""
        self._named = frozenset(_checked(name) for name in named)
        self._own = own
        self._this_machine = this_machine

    def __call__(self, origin: str) -> bool:
        """Say whether a page of this origin may connect; `null` and nonsense may not."""
        if len(origin) > ORIGIN_MAX:
            return False
        if origin in self._named:
            return True
        if self._this_machine and _THIS_MACHINE.fullmatch(origin):
            return True
        return any(origin == origin_of(url) for url in self._own() if url)


def origin_of(url: str) -> str:
    """Return the origin of a URL as browsers write it: without the port that goes without saying.

    Raises OriginError.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise OriginError(f"{url!r} is no URL: {error}") from None
    if scheme not in _DEFAULT_PORTS or not host:
        raise OriginError(f"{url!r} is no URL of a page: https://app.example")
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" + ("" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}")


def _checked(name: str) -> str:
    origin = origin_of(name)
    if origin != name or not _ORIGIN.fullmatch(name):
        raise OriginError(f"{name!r} is no origin as browsers send it: did you mean {origin!r}?")
    return name
