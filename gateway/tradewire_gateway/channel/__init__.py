"""The channels of a gateway to the server: over the network or within the process.

A gateway is written against generated stubs and one of these; which one, it cannot tell.
"""

from tradewire_gateway.channel.in_process import InProcessChannel, InProcessServer
from tradewire_gateway.channel.network import PlaintextRefused, open_channel

__all__ = ["InProcessChannel", "InProcessServer", "PlaintextRefused", "open_channel"]
