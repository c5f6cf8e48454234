"""The trading server: the gRPC edge, the sequencer, the engine and the journal behind it."""

from importlib.metadata import version

__version__ = version("tradewire")
