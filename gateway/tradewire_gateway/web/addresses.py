"""Where the client of an HTTP request is.

Envoy says it in a header, and comes by a socket that only this user can open: nobody else is
believed, so whoever reaches the port of the HTTP edge by itself has the address it comes from.
"""

from starlette.types import Scope

CLIENT_ADDRESS = b"x-tradewire-client-address"
UNKNOWN = "unknown"


def client_address(scope: Scope) -> str:
    """Return the address of a request's client."""
    peer = scope.get("client")
    if peer is not None:
        return str(peer[0])
    # A unix socket has no address of its peer.
    found = [value for name, value in scope["headers"] if name == CLIENT_ADDRESS]
    return found[0].decode("latin-1") if len(found) == 1 else UNKNOWN
