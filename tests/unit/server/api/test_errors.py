"""Every reason becomes the status that the catalogue says, and nothing else makes one."""

import pytest
from tradewire.v1 import reason_pb2
from tradewire_contract import ReasonEntry, reasons
from tradewire_contract.statuses import VIOLATIONS_MAX
from tradewire_server.api.admission import violation_error
from tradewire_server.api.errors import make_error, make_status, refused_status, rejected_status
from tradewire_server.engine.commands import Refused
from tradewire_server.engine.vocabulary import Reason

from tests.support.failures import failure_of

ERRORS = [entry for entry in reasons().values() if entry.outcome != "order_event"]


def test_the_servers_reasons_are_those_of_the_contract() -> None:
    contract = {
        value.name.removeprefix("REASON_"): value.number
        for value in reason_pb2.Reason.DESCRIPTOR.values
    }
    assert contract == {reason.name: int(reason) for reason in Reason}


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry.name)
def test_an_error_of_each_reason_is_whole(entry: ReasonEntry) -> None:
    reason = Reason(entry.number)
    found = failure_of(make_status(reason, "something is wrong"))
    assert (found.reason, found.text) == (reason.name, "something is wrong")
    assert found.outcome == reasons()[reason].outcome
    assert found.fields == ()


def test_an_error_that_could_be_read_has_a_code_and_advice() -> None:
    for entry in ERRORS:
        assert entry.code != 0, entry.name
        assert entry.advice.endswith("."), entry.name


def test_what_happened_to_an_order_is_no_error() -> None:
    for entry in reasons().values():
        if entry.outcome == "order_event":
            assert entry.code == 0


def test_the_field_to_blame_is_named_with_what_is_wrong() -> None:
    error = make_error(Reason.FIELD_INVALID, "must be shorter", field="label")
    found = failure_of(error.status)
    assert (found.fields, found.descriptions) == (("label",), ("must be shorter",))
    assert str(error) == "FIELD_INVALID: must be shorter"


def test_metadata_never_hides_what_the_catalogue_says() -> None:
    status = make_status(
        Reason.OVERLOADED, "x", metadata={"outcome": "a", "retryable": "b", "advice": "c", "d": "e"}
    )
    assert failure_of(status).metadata == {"d": "e"}


def test_a_refused_command_is_refused_whatever_its_reason_is_else() -> None:
    refused = Refused(Reason.INSUFFICIENT_FUNDS, "too little", "amount", (("asset", "USD"),))
    found = failure_of(refused_status(refused))
    assert (found.outcome, found.fields, found.metadata) == (
        "refused",
        ("amount",),
        {"asset": "USD"},
    )


def test_a_rejected_order_has_its_id_and_its_number() -> None:
    found = failure_of(rejected_status(Reason.INSTRUMENT_HALTED, order_id=17, sequence=4))
    assert (found.reason, found.outcome) == ("INSTRUMENT_HALTED", "rejected")
    assert found.metadata == {"order_id": "17", "sequence": "4"}


def test_very_many_violations_are_cut_so_that_the_error_can_be_sent() -> None:
    fields = [(f"commands[{number}].place", "is wrong") for number in range(10_000)]
    status = violation_error(fields).status
    assert len(failure_of(status).fields) == VIOLATIONS_MAX
    assert len(status.SerializeToString()) < 8 << 10
