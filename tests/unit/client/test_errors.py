"""Statuses become errors of the tree, by the contract's catalogue and nothing else."""

from typing import Any

import grpc
import pytest
import tradewire_client as tw
from google.rpc import status_pb2
from tradewire_client._errors import (
    error_of_status,
    is_transient,
    leaves_open,
    needs_sign_in,
    settles,
)
from tradewire_client._gen.google import rpc
from tradewire_contract import reasons

from tests.unit.client.fake_venue import status_of

REFUSED_CLASSES = {
    grpc.StatusCode.INVALID_ARGUMENT: tw.InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: tw.AuthenticationError,
    grpc.StatusCode.PERMISSION_DENIED: tw.PermissionDenied,
    grpc.StatusCode.NOT_FOUND: tw.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: tw.AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: tw.FailedPrecondition,
    grpc.StatusCode.OUT_OF_RANGE: tw.OutOfRange,
    grpc.StatusCode.RESOURCE_EXHAUSTED: tw.Exhausted,
    grpc.StatusCode.DEADLINE_EXCEEDED: tw.DeadlinePassed,
    grpc.StatusCode.UNAVAILABLE: tw.NotServing,
    grpc.StatusCode.UNIMPLEMENTED: tw.Refused,
    grpc.StatusCode.INTERNAL: tw.Refused,
}
CODES = {code.value[0]: code for code in grpc.StatusCode}
ERRORS = [entry for entry in reasons().values() if entry.outcome != "order_event"]


def convert(status: status_pb2.Status) -> tw.TradewireError:
    return error_of_status(rpc.Status.parse(status.SerializeToString()))


def bare(code: grpc.StatusCode) -> tw.TradewireError:
    return error_of_status(rpc.Status(code=code.value[0], message="text"))


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_every_reason_of_the_catalogue_has_its_class(entry: Any) -> None:
    error = convert(status_of(entry.name, "the text", detail="1"))

    expected = {
        "rejected": tw.Rejected,
        "stream_closed": tw.StreamClosed,
        "unknown": {"ANSWER_LATE": tw.TimedOut, "ANSWER_LOST": tw.Unavailable}.get(entry.name),
        "refused": tw.RateLimited
        if entry.name == "RATE_LIMITED"
        else REFUSED_CLASSES[CODES[entry.code]],
    }[entry.outcome]
    assert type(error) is expected
    assert error.reason is tw.Reason(entry.number)
    assert error.code is CODES[entry.code]
    assert error.retryable == entry.retryable
    assert error.advice == entry.advice
    assert error.message == "the text"
    assert error.metadata["detail"] == "1"


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_refused_and_rejected_exclude_each_other(entry: Any) -> None:
    error = convert(status_of(entry.name))
    assert isinstance(error, tw.Refused) == (entry.outcome == "refused")
    assert isinstance(error, tw.Rejected) == (entry.outcome == "rejected")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, tw.Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, tw.TimedOut),
        (grpc.StatusCode.UNAUTHENTICATED, tw.AuthenticationError),
        (grpc.StatusCode.PERMISSION_DENIED, tw.PermissionDenied),
        (grpc.StatusCode.INVALID_ARGUMENT, tw.InvalidRequest),
        (grpc.StatusCode.NOT_FOUND, tw.NotFound),
        (grpc.StatusCode.UNIMPLEMENTED, tw.Refused),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, tw.ServerFault),
        (grpc.StatusCode.INTERNAL, tw.ServerFault),
        (grpc.StatusCode.UNKNOWN, tw.ServerFault),
        (grpc.StatusCode.CANCELLED, tw.ServerFault),
        (grpc.StatusCode.ABORTED, tw.ServerFault),
        (grpc.StatusCode.DATA_LOSS, tw.ServerFault),
    ],
    ids=lambda value: getattr(value, "name", getattr(value, "__name__", "")),
)
def test_a_status_without_details_claims_no_more_than_its_code_does(
    code: Any, expected: Any
) -> None:
    assert type(bare(code)) is expected


def test_an_unknown_reason_keeps_its_name_and_gets_the_class_of_its_code() -> None:
    status = status_of("ORDER_CLOSED")
    status.details[0].value = status.details[0].value.replace(b"ORDER_CLOSED", b"ORDER_FROZEN")

    error = convert(status)

    assert type(error) is tw.FailedPrecondition
    assert (error.reason, error.reason_name) == (tw.Reason.UNSPECIFIED, "ORDER_FROZEN")


def test_details_of_another_domain_are_not_believed() -> None:
    status = status_of("ORDER_CLOSED")
    status.details[0].value = status.details[0].value.replace(b"tradewire", b"elsewhere")

    assert type(convert(status)) is tw.ServerFault


def test_field_violations_are_listed() -> None:
    error = convert(status_of("FIELD_INVALID", fields={"price": "is too long", "side": "unset"}))

    assert error.field_violations == (
        tw.FieldViolation("price", "is too long"),
        tw.FieldViolation("side", "unset"),
    )
    assert str(error) == (
        "FIELD_INVALID: for a test [price: is too long; side: unset]. "
        "Correct the named fields and send the request again."
    )


def test_the_text_says_nothing_twice() -> None:
    error = convert(status_of("ORDER_CLOSED", "too late. Read its final state with GetOrder."))
    assert str(error) == "ORDER_CLOSED: too late. Read its final state with GetOrder."


def test_a_rate_limit_says_how_long_to_wait() -> None:
    error = convert(status_of("RATE_LIMITED", retry_after_ms="1500"))
    assert isinstance(error, tw.RateLimited)
    assert error.retry_after == 1.5


def test_a_sequence_out_of_range_says_what_there_is() -> None:
    error = convert(status_of("SEQUENCE_OUT_OF_RANGE", first_available="5", last_available="9"))
    assert isinstance(error, tw.OutOfRange)
    assert (error.first, error.last) == (5, 9)


def test_not_serving_is_caught_as_refused_and_as_unavailable() -> None:
    error = convert(status_of("OVERLOADED"))
    assert isinstance(error, tw.Refused)
    assert isinstance(error, tw.Unavailable)


BEFORE_THE_ENGINE = {
    "UNAUTHENTICATED",
    "SIGNATURE_INVALID",
    "TIMESTAMP_OUT_OF_WINDOW",
    "NONCE_REUSED",
    "NONCE_CACHE_FULL",
    "KEY_REVOKED",
    "KEY_EXPIRED",
    "ADDRESS_NOT_ALLOWED",
    "TOKEN_INVALID",
    "TOKEN_EXPIRED",
    "TICKET_INVALID",
    "ORIGIN_NOT_ALLOWED",
    "CONNECTION_LIMIT",
    "SCOPE_MISSING",
    "RATE_LIMITED",
    "STREAM_LIMIT",
    "OVERLOADED",
    "DEADLINE_PASSED",
    "NOT_SERVING",
    "KEY_LIMIT",
    "SCOPE_NOT_GRANTABLE",
    "INTERNAL",
    # Comes from the engine, after the look-up. Nothing is lost by not relying on that.
    "ID_CAPACITY_REACHED",
}


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_only_what_the_engine_says_settles_an_earlier_attempt(entry: Any) -> None:
    expected = entry.outcome == "rejected" or (
        entry.outcome == "refused" and entry.name not in BEFORE_THE_ENGINE
    )
    assert settles(convert(status_of(entry.name))) == expected


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_what_is_repeated_is_what_the_catalogue_calls_retryable_unless_the_id_is_taken(
    entry: Any,
) -> None:
    expected = entry.retryable and entry.outcome != "rejected"
    assert is_transient(convert(status_of(entry.name))) == expected


@pytest.mark.parametrize("code", list(grpc.StatusCode), ids=lambda code: code.name)
def test_without_details_only_a_lost_connection_is_repeated(code: grpc.StatusCode) -> None:
    lost = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL"}
    assert is_transient(bare(code)) == (code.name in lost)


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_what_nobody_knows_is_left_open_and_never_called_refused(entry: Any) -> None:
    error = convert(status_of(entry.name))
    assert leaves_open(error, repeated=False) == (entry.outcome == "unknown")
    assert leaves_open(error, repeated=True) == (not settles(error))


def test_a_new_sign_in_is_for_tokens_not_for_keys() -> None:
    helped = {entry.name for entry in ERRORS if needs_sign_in(convert(status_of(entry.name)))}
    assert helped == {"TOKEN_EXPIRED", "TOKEN_INVALID", "CREDENTIAL_ENDED"}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    from tradewire_client import _errors

    drawn = [
        line.replace("│", " ").replace("├──", "   ").replace("└──", "   ").split()[0]
        for line in (_errors.__doc__ or "").splitlines()
        if "├──" in line or "└──" in line
    ]
    defined = [
        name
        for name, value in vars(_errors).items()
        if isinstance(value, type)
        and issubclass(value, tw.TradewireError)
        and value is not tw.TradewireError
    ]
    assert sorted(drawn) == sorted(defined)
    assert all(hasattr(tw, name) for name in defined)
