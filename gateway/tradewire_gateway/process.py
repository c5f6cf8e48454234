"""What gateways that run as processes of their own have in common: their server, and their end."""

import argparse
import asyncio
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from tradewire_gateway.channel import open_channel


def add_upstream(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where the server is."""
    parser.add_argument("--upstream", required=True, help="the server's gRPC: HOST:PORT, unix:PATH")
    parser.add_argument("--upstream-ca", type=Path, help="PEM file that its certificate is of")


def open_upstream(
    arguments: argparse.Namespace, *, options: Iterable[tuple[str, Any]] = ()
) -> grpc.aio.Channel:
    """Return a channel to the server, with options of gRPC's beside the usual ones.

    Raises OSError, PlaintextRefused.
    """
    credentials = None
    if arguments.upstream_ca is not None:
        credentials = grpc.ssl_channel_credentials(arguments.upstream_ca.read_bytes())
    return open_channel(arguments.upstream, credentials=credentials, options=options)


def told_to_end() -> asyncio.Event:
    """Return what is set by the first SIGINT or SIGTERM."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told
