"""What holds for all tests: examples are bounded by number, and no fixture leaves a socket open."""

import signal
import socket

import pytest
from hypothesis import settings

# Tests that were started in the background ignore interrupts, and so would the processes that
# they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline per example would fail on a busy machine; a database would make runs differ.
settings.register_profile("tradewire", deadline=None, database=None, derandomize=True)
settings.load_profile("tradewire")


@pytest.fixture(scope="module")
def grpc_addr() -> str:
    """Return a free address for pytest-grpc's server.

    Its own fixture leaves the probing socket to the garbage collector: a warning, so an error here.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
    return f"{host}:{port}"
