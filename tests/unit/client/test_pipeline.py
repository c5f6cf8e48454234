"""Commands from submission to result, without a stream."""

from typing import Any

import pytest
import tradewire_client as tw
from hypothesis import given
from hypothesis import strategies as st
from tradewire.v1 import order_service_pb2
from tradewire_client._gen.tradewire import v1
from tradewire_client._pipeline import FRAME_MAX, Pipeline

from tests.unit.client.fake_venue import order, status_of


class Reply:
    """What of a future the pipeline uses."""

    def __init__(self) -> None:
        self.outcome: Any = None

    def done(self) -> Any:
        return self.outcome is not None

    def set_result(self, result: Any) -> None:
        assert not self.done(), "a command is resolved once"
        self.outcome = result

    def set_exception(self, error: Any) -> None:
        self.set_result(error)


class Harness:
    """A pipeline and the replies of its commands."""

    def __init__(self, *, max_pending: Any = 10_000, patience: Any = 10.0) -> None:
        self.pipeline = Pipeline(max_pending=max_pending, patience=patience)
        self.replies: dict[str, Reply] = {}

    def place(self, name: Any, now: Any = 0.0) -> Any:
        return self._submit(
            name, v1.OrderCommand(place=v1.PlaceOrderRequest(client_order_id=name)), now
        )

    def cancel_all(self, name: Any, now: Any = 0.0) -> Any:
        return self._submit(name, v1.OrderCommand(cancel_all=v1.CancelAllOrdersRequest()), now, "")

    def _submit(self, name: Any, command: Any, now: Any, client_order_id: Any = None) -> Any:
        reply = self.replies[name] = Reply()
        self.pipeline.submit(
            command,
            client_order_id=name if client_order_id is None else client_order_id,
            reply=reply,
            now=now,
        )
        return reply

    def frame(self, now: Any = 0.0) -> Any:
        frame = self.pipeline.next_frame(now)
        if frame is None:
            return None
        return [c.place.client_order_id if c.place else "cancel_all" for c in frame.commands]

    def take(self, number: Any, client_order_id: Any = "", **outcome: Any) -> None:
        message = order_service_pb2.CommandResult(
            command_number=number, client_order_id=client_order_id, **outcome
        )
        self.pipeline.take(v1.CommandResult.parse(message.SerializeToString()))

    def outcome(self, name: Any) -> Any:
        return self.replies[name].outcome


def test_commands_gather_into_frames_in_their_order() -> None:
    harness = Harness()
    names = [f"c{n}" for n in range(FRAME_MAX + 2)]
    for name in names:
        harness.place(name)
    assert harness.frame() == names[:FRAME_MAX]
    assert harness.frame() == names[FRAME_MAX:]
    assert harness.frame() is None


def test_a_result_resolves_its_command() -> None:
    harness = Harness()
    harness.place("a")
    harness.place("b")
    harness.frame()
    harness.take(2, "b", order=order(client_order_id="b"), as_of_sequence=7, priority_kept=True)

    answer = harness.outcome("b")
    assert (answer.client_order_id, answer.as_of_sequence, answer.priority_kept) == ("b", 7, True)
    assert harness.outcome("a") is None
    assert len(harness.pipeline) == 1


def test_a_count_of_zero_is_a_result() -> None:
    harness = Harness()
    harness.cancel_all("x")
    harness.frame()
    harness.take(1, canceled_count=0, as_of_sequence=3)
    assert harness.outcome("x") == tw.CanceledOrders(canceled_count=0, as_of_sequence=3)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("INSUFFICIENT_FUNDS", tw.Rejected), ("RATE_LIMITED", tw.RateLimited)],
)
def test_an_error_is_a_result_as_well(name: Any, kind: Any) -> None:
    harness = Harness()
    harness.place("a")
    harness.frame()
    harness.take(1, "a", error=status_of(name))
    assert type(harness.outcome("a")) is kind


@pytest.mark.parametrize(
    ("number", "name", "outcome"),
    [
        (2, "a", {"order": order()}),
        (1, "b", {"order": order()}),
        (1, "a", {}),
    ],
)
def test_a_result_that_fits_no_command_is_the_venues_fault(
    number: Any, name: Any, outcome: Any
) -> None:
    harness = Harness()
    harness.place("a")
    harness.frame()
    with pytest.raises(tw.ProtocolViolation):
        harness.take(number, name, **outcome)


def test_the_number_of_commands_without_a_result_is_bounded() -> None:
    harness = Harness(max_pending=2)
    harness.place("a")
    harness.frame()
    harness.place("b")
    with pytest.raises(tw.TooManyPending, match="await drain"):
        harness.place("c")
    harness.take(1, "a", order=order())
    harness.place("c")


def test_after_an_interruption_what_was_sent_goes_first_and_counts_from_one() -> None:
    harness = Harness()
    for name in "abc":
        harness.place(name)
    harness.frame()
    harness.take(1, "a", order=order())
    harness.place("d")
    harness.pipeline.interrupted()
    harness.place("e")

    assert harness.frame() == ["b", "c", "d", "e"]
    harness.take(1, "b", order=order(client_order_id="b"))
    assert harness.outcome("b").client_order_id == "b"


def test_a_mass_cancel_that_was_sent_is_not_sent_again() -> None:
    harness = Harness()
    harness.place("a")
    harness.cancel_all("x")
    harness.place("b")
    harness.frame()
    harness.cancel_all("y")
    harness.pipeline.interrupted()

    assert type(harness.outcome("x")) is tw.UnknownOutcome
    assert harness.frame() == ["a", "b", "cancel_all"]


def test_a_rate_limit_met_by_the_second_sending_leaves_the_first_unknown() -> None:
    harness = Harness()
    harness.place("a")
    harness.frame()
    harness.pipeline.interrupted()
    harness.frame()
    harness.take(1, "a", error=status_of("RATE_LIMITED"))

    error = harness.outcome("a")
    assert type(error) is tw.UnknownOutcome
    assert (error.client_order_id, error.attempts) == ("a", 2)
    assert isinstance(error.__cause__, tw.RateLimited)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("PRICE_OFF_TICK", tw.InvalidRequest), ("POST_ONLY_WOULD_TRADE", tw.Rejected)],
)
def test_an_answer_of_the_engine_settles_both_sendings(name: Any, kind: Any) -> None:
    harness = Harness()
    harness.place("a")
    harness.frame()
    harness.pipeline.interrupted()
    harness.frame()
    harness.take(1, "a", error=status_of(name))
    assert type(harness.outcome("a")) is kind


@pytest.mark.parametrize("name", ["ANSWER_LATE", "ANSWER_LOST"])
def test_a_result_that_nobody_knows_is_an_unknown_outcome(name: Any) -> None:
    harness = Harness()
    harness.place("a")
    harness.frame()
    harness.take(1, "a", error=status_of(name))

    error = harness.outcome("a")
    assert type(error) is tw.UnknownOutcome
    assert error.client_order_id == "a"
    assert isinstance(error.__cause__, tw.Unavailable)


def test_what_waited_too_long_for_a_stream_is_not_sent() -> None:
    harness = Harness(patience=10.0)
    harness.place("sent", now=0.0)
    harness.frame()
    harness.pipeline.interrupted()
    harness.place("unsent", now=5.0)
    harness.place("fresh", now=16.0)

    assert harness.frame(now=16.0) == ["fresh"]
    assert type(harness.outcome("sent")) is tw.UnknownOutcome
    assert type(harness.outcome("unsent")) is tw.Unavailable
    assert "was not sent: no stream for 10 seconds" in str(harness.outcome("unsent"))


def test_without_a_stream_the_same_is_told_by_expire() -> None:
    harness = Harness(patience=10.0)
    harness.place("sent", now=0.0)
    harness.frame()
    harness.pipeline.interrupted()
    harness.place("fresh", now=8.0)
    harness.pipeline.expire(11.0)

    assert type(harness.outcome("sent")) is tw.UnknownOutcome
    assert harness.outcome("fresh") is None
    assert harness.frame(now=11.0) == ["fresh"]


def test_a_command_whose_owner_left_is_not_sent() -> None:
    harness = Harness()
    harness.place("a")
    harness.place("b")
    harness.replies["a"].outcome = "canceled by its owner"
    assert harness.frame() == ["b"]
    harness.replies["b"].outcome = "canceled by its owner"
    harness.take(1, "b", order=order())


def test_the_end_resolves_everything() -> None:
    harness = Harness()
    harness.place("answered")
    harness.place("sent")
    harness.frame()
    harness.take(1, "answered", order=order(client_order_id="answered"))
    harness.place("unsent")
    harness.pipeline.abandon(tw.AuthenticationError("revoked"))

    assert harness.outcome("answered").client_order_id == "answered"
    assert type(harness.outcome("sent")) is tw.UnknownOutcome
    assert type(harness.outcome("unsent")) is tw.Unavailable
    assert "was not sent: revoked" in str(harness.outcome("unsent"))
    assert len(harness.pipeline) == 0


@given(st.lists(st.sampled_from(["place", "frame", "result", "cut"]), max_size=60))
def test_every_command_is_resolved_once_and_sent_in_order(steps: Any) -> None:
    """A venue that answers in order, and streams that break at any point."""
    harness = Harness()
    placed, first_sendings = 0, list[str]()
    on_stream: list[tuple[int, str]] = []
    for step in steps:
        if step == "place":
            placed += 1
            harness.place(f"c{placed}")
        elif step == "frame":
            names = harness.frame() or []
            first_sendings += [name for name in names if name not in first_sendings]
            on_stream += [(len(on_stream) + n, name) for n, name in enumerate(names, start=1)]
            assert [name for _, name in on_stream] == sorted(
                (name for _, name in on_stream), key=lambda name: int(name[1:])
            )
        elif step == "result":
            waiting = [pair for pair in on_stream if harness.outcome(pair[1]) is None]
            if waiting:
                number, name = waiting[0]
                harness.take(number, name, order=order(client_order_id=name))
        else:
            on_stream = []
            harness.pipeline.interrupted()
    harness.pipeline.abandon(tw.ClientClosed("the end"))

    assert first_sendings == [f"c{n}" for n in range(1, len(first_sendings) + 1)]
    assert all(reply.done() for reply in harness.replies.values())
    for name, reply in harness.replies.items():
        if name not in first_sendings:
            assert type(reply.outcome) is tw.Unavailable
