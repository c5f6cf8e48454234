"""Channels of streams, and what the venue's answers say beside their message."""

from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from tradewire.v1 import execution_service_pb2
from tradewire_contract.statuses import make_status
from tradewire_gateway.ws.upstream import (
    STREAMS_PER_CHANNEL,
    Upstream,
    closing_status,
    failure_of,
    rate_limit_of,
    reason_of,
)


class FakeChannel:
    """Stands for a channel that is never used."""

    closed = False

    async def close(self) -> None:
        """Take note."""
        self.closed = True


async def test_streams_are_spread_over_channels_that_are_not_that_of_calls() -> None:
    first, opened = FakeChannel(), list[FakeChannel]()

    def open_channel() -> Any:
        opened.append(FakeChannel())
        return opened[-1]

    upstream = Upstream(cast(Any, first), open_channel=open_channel)
    leases = [upstream.lease() for _ in range(2 * STREAMS_PER_CHANNEL + 1)]
    assert len(opened) == 3
    assert {id(lease.channel) for lease in leases} == {id(channel) for channel in opened}
    # Who comes next takes a place that is free.
    leases[0].give_back()
    assert upstream.lease().channel is cast(Any, opened[0])
    await upstream.close()
    assert all(channel.closed for channel in opened)
    assert not first.closed


async def test_one_channel_may_carry_everything() -> None:
    channel = FakeChannel()
    upstream = Upstream(cast(Any, channel))
    leases = {id(upstream.lease().channel) for _ in range(STREAMS_PER_CHANNEL + 1)}
    assert leases == {id(channel)}
    await upstream.close()
    assert not channel.closed


@pytest.mark.parametrize(
    ("code", "reason", "number"),
    [
        (grpc.StatusCode.UNAVAILABLE, "ANSWER_LOST", 14),
        (grpc.StatusCode.CANCELLED, "ANSWER_LOST", 14),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "ANSWER_LATE", 4),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "", 8),
        (grpc.StatusCode.INTERNAL, "", 13),
    ],
)
def test_error_without_details(code: grpc.StatusCode, reason: str, number: int) -> None:
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="why")
    failure = failure_of(error)
    assert (failure.code, reason_of(failure.status)) == (number, reason)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        (None, ""),
        ((), ""),
        ((("ratelimit-limit", "5"),), ""),
        ((("ratelimit-limit", "x"), ("ratelimit-remaining", "1"), ("ratelimit-reset", "1")), ""),
        (
            (("ratelimit-limit", "5"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "2")),
            '{"limit":"5","remaining":"0","resetMs":"2000"}',
        ),
    ],
)
def test_state_of_the_limits(metadata: Any, text: str) -> None:
    assert rate_limit_of(metadata) == text


def test_why_a_stream_ended() -> None:
    response: type[Message] = execution_service_pb2.StreamExecutionsResponse
    message = execution_service_pb2.StreamExecutionsResponse()
    message.closing.resume_after = 5
    assert closing_status(message.SerializeToString(), response) is None
    message.closing.status.CopyFrom(make_status("CREDENTIAL_ENDED", "it was revoked"))
    found = closing_status(message.SerializeToString(), response)
    assert reason_of(found) == "CREDENTIAL_ENDED"
    assert closing_status(b"\xff", response) is None
    assert reason_of(None) == ""
