"""What a call or a command failed with, checked against the catalogue of the contract.

Every error that a test looks at passes through here, so every one of them is known to have exactly
one ErrorInfo that says what the catalogue says, and at most one BadRequest.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from tradewire_contract import reasons

_CATALOGUE = {entry.name: entry for entry in reasons().values()}
_OWN_METADATA = ("outcome", "retryable", "advice")


@dataclass(frozen=True)
class Failure:
    """An error of the catalogue. `fields` are the fields that BadRequest blames, in its order."""

    reason: str
    outcome: str
    fields: tuple[str, ...]
    text: str
    metadata: dict[str, str] = field(compare=False)
    descriptions: tuple[str, ...] = field(default=(), compare=False)
    is_retryable: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.reason} ({self.outcome}) {list(self.fields)}: {self.text}"


def failure_of(status: status_pb2.Status) -> Failure:
    """Return what a status says, which has to be what the catalogue says."""
    infos, requests = [], []
    for detail in status.details:
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            infos.append(info)
        elif detail.Unpack(request):
            requests.append(request)
        else:
            raise AssertionError(f"unknown detail {detail.type_url}")
    assert len(infos) == 1, f"one ErrorInfo in {status}"
    assert len(requests) <= 1, f"at most one BadRequest in {status}"
    info = infos[0]
    entry = _CATALOGUE[info.reason]
    assert info.domain == "tradewire"
    assert status.code == entry.code, f"{info.reason} has the code {entry.code}"
    assert info.metadata["retryable"] in ("false", "true" if entry.retryable else "false")
    assert info.metadata["advice"] == entry.advice
    assert entry.advice, f"{info.reason} says what to do next"
    assert info.metadata["outcome"] in ("refused", "rejected", "stream_closed", "unknown")
    assert status.message.startswith(f"{info.reason}: "), "the text names the reason"
    violations = list(requests[0].field_violations) if requests else []
    assert not requests or violations, "BadRequest is there to name a field"
    for violation in violations:
        assert violation.field
        assert violation.reason, f"the rule that {violation.field} breaks is named"
        assert violation.description, f"what is wrong with {violation.field} is said"
    return Failure(
        reason=info.reason,
        outcome=info.metadata["outcome"],
        fields=tuple(violation.field for violation in violations),
        text=status.message.removeprefix(f"{info.reason}: "),
        metadata={k: v for k, v in info.metadata.items() if k not in _OWN_METADATA},
        descriptions=tuple(violation.description for violation in violations),
        is_retryable=info.metadata["retryable"] == "true",
    )


def failure_of_call(error: Any) -> Failure:
    """Return what a failed call says (an AioRpcError, or the call or error of blocking gRPC)."""
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} {error.details()!r} has no google.rpc.Status"
    return failure_of(status)


async def failure(call: Awaitable[Any]) -> Failure:
    """Await a call that has to fail, and return what it failed with."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return failure_of_call(error)
    raise AssertionError(f"expected an error, got {answer}")
