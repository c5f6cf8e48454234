"""The published numbers of all limits, and rows of a table made of them.

Each number has its unit and meaning beside it, so that the table for users is generated and cannot
be stale. `policy_rows` also reads `ReplayPolicy` and `TokenPolicy`; the whole table is made by
`api.published_limits`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Gcra:
    """A limit: `rate` units per `period_s`, and at most `burst` units at once."""

    rate: int
    burst: int
    period_s: int = 1
    interval_ns: int = field(init=False, repr=False, compare=False)
    capacity_ns: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if min(self.rate, self.burst, self.period_s) < 1:
            raise ValueError(f"{self}: rate, burst and period_s are at least 1")
        object.__setattr__(self, "interval_ns", -(-self.period_s * _NS_PER_S // self.rate))
        object.__setattr__(self, "capacity_ns", self.burst * self.interval_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPolicy:
    """The published numbers of all limits."""

    key: Gcra = field(
        default=Gcra(1_000, 4_000),
        metadata={"unit": "weight units", "meaning": "What one API key may do"},
    )
    account: Gcra = field(
        default=Gcra(2_000, 8_000),
        metadata={"unit": "weight units", "meaning": "What all keys of an account may do"},
    )
    address: Gcra = field(
        default=Gcra(1_000, 4_000),
        metadata={"unit": "weight units", "meaning": "What one IPv4 address or IPv6 /64 may do"},
    )
    reserve_percent: int = field(
        default=10,
        metadata={
            "unit": "% of burst",
            "meaning": "Part of a burst kept for calls that reduce risk",
        },
    )
    refusals: Gcra = field(
        default=Gcra(200, 200, 60),
        metadata={
            "unit": "refusals",
            "meaning": "Refusals of one sender before it is banned; who waits as it is told is "
            "never banned",
        },
    )
    waits_at_once: int = field(
        default=16,
        metadata={
            "unit": "refusals",
            "meaning": "Refusals whose wait is not over, before a further one counts: connections "
            "that may wait side by side",
        },
    )
    ban_ladder_s: tuple[int, ...] = field(
        default=(120, 600, 3_600, 86_400, 259_200),
        metadata={"unit": "s", "meaning": "Length of the first, second, ... ban in a row"},
    )
    ban_decay_s: int = field(
        default=86_400,
        metadata={
            "unit": "s",
            "meaning": "Time without a ban that takes back one step of the ladder",
        },
    )
    unfilled_orders: tuple[tuple[int, int], ...] = field(
        default=((10, 10_000), (86_400, 2_000_000)),
        metadata={
            "unit": "s / orders",
            "meaning": "Orders placed and not filled, per account and interval; intervals are "
            "aligned to the epoch, the first fill of an order gives back, and counts begin at 0 "
            "with the process",
        },
    )
    streams_per_account: int = field(
        default=64,
        metadata={
            "unit": "streams",
            "meaning": "Streams of one account at a time: executions, account, order entry, of all "
            "its keys",
        },
    )
    market_streams_per_address: int = field(
        default=32,
        metadata={
            "unit": "streams",
            "meaning": "Market data streams of one IPv4 address or IPv6 /64 at a time",
        },
    )
    sign_in_failures_per_address: Gcra = field(
        default=Gcra(10, 20, 60),
        metadata={"unit": "failures", "meaning": "Failed sign-ins of one address before it waits"},
    )
    sign_in_failures_per_key_prefix: Gcra = field(
        default=Gcra(60, 120, 60),
        metadata={
            "unit": "failures",
            "meaning": "Failed sign-ins with one key prefix, from addresses that never signed in "
            "with the key, before these wait",
        },
    )
    subjects_max: int = field(
        default=100_000,
        metadata={"unit": "buckets", "meaning": "Keys, accounts, addresses limited at once, each"},
    )

    def __post_init__(self) -> None:
        if not 0 <= self.reserve_percent <= 90:
            raise ValueError(f"reserve_percent is {self.reserve_percent}, possible are 0 to 90")
        if not self.ban_ladder_s:
            raise ValueError("ban_ladder_s needs at least one step")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePolicy:
    """How large and how many requests the edges take before anything looks into them."""

    rest_body_bytes_max: int = field(
        default=256 << 10, metadata={"unit": "bytes", "meaning": "Body of a REST request"}
    )
    rest_header_bytes_max: int = field(
        default=16 << 10,
        metadata={"unit": "bytes", "meaning": "Headers of a REST request, path and query included"},
    )
    rest_path_bytes_max: int = field(
        default=2 << 10, metadata={"unit": "bytes", "meaning": "Path of a REST request"}
    )
    rest_query_bytes_max: int = field(
        default=8 << 10, metadata={"unit": "bytes", "meaning": "Query of a REST request"}
    )
    rest_query_parameters_max: int = field(
        default=128, metadata={"unit": "parameters", "meaning": "Parameters of a REST request"}
    )
    rest_bytes_per_unit: int = field(
        default=4 << 10,
        metadata={
            "unit": "bytes",
            "meaning": "A REST request that is refused before it is a call costs its address 1 "
            "weight unit, and 1 more for each of these in its path, query and body",
        },
    )
    rest_requests: Gcra = field(
        default=Gcra(2_000, 4_000),
        metadata={
            "unit": "requests",
            "meaning": "REST requests of one address, counted before anything else is looked at",
        },
    )
    rest_pages: Gcra = field(
        default=Gcra(20, 200),
        metadata={
            "unit": "requests",
            "meaning": "Documents that one address may read; the same again for `/healthz`",
        },
    )
    websockets: Gcra = field(
        default=Gcra(50, 500),
        metadata={"unit": "requests", "meaning": "WebSocket connections that one address begins"},
    )
    rest_large_bodies: Gcra = field(
        default=Gcra(100, 400),
        metadata={
            "unit": "requests",
            "meaning": "REST requests of one address with a body of 32 KiB or more, or one that is "
            "sent without `content-length`",
        },
    )
    rest_answer_s: int = field(
        default=30,
        metadata={"unit": "s", "meaning": "Time for the answer to a REST request (not of streams)"},
    )
    message_bytes_max: int = field(
        default=4 << 20, metadata={"unit": "bytes", "meaning": "Message received over gRPC"}
    )
    metadata_bytes_max: int = field(
        default=8 << 10, metadata={"unit": "bytes", "meaning": "Metadata of a gRPC call"}
    )
    streams_per_connection_max: int = field(
        default=1_000, metadata={"unit": "calls", "meaning": "Calls at once on a gRPC connection"}
    )


class PolicyRow(NamedTuple):
    """A row of the published table."""

    name: str
    value: str
    unit: str
    meaning: str


def policy_rows(policy: Any) -> tuple[PolicyRow, ...]:
    """Return the table of a policy, a dataclass whose fields carry `unit` and `meaning`."""
    return tuple(
        PolicyRow(
            name=entry.name,
            value=_text(getattr(policy, entry.name)),
            unit=entry.metadata["unit"],
            meaning=entry.metadata["meaning"],
        )
        for entry in fields(policy)
    )


def _text(value: object) -> str:
    if isinstance(value, Gcra):
        period = "s" if value.period_s == 1 else f"{value.period_s} s"
        return f"{value.rate} per {period}, at most {value.burst} at once"
    if isinstance(value, tuple):
        return ", ".join(
            " / ".join(map(_text, item)) if isinstance(item, tuple) else _text(item)
            for item in value
        )
    return str(value)
