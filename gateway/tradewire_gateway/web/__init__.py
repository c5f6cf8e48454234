"""The HTTP edge beside REST: documentation and health, behind Envoy or on loopback.

It is a client of the contract like every gateway: facts come from `tradewire_contract`, health from
the channel it is given. It never asks anything of the outside, and its pages do not either.
"""

from tradewire_gateway.web.options import LimitRow, WebOptions
from tradewire_gateway.web.serving import serve_web

__all__ = ["LimitRow", "WebOptions", "serve_web"]
