"""The refusals and their names."""

from pathlib import Path

from tradewire_server.auth.errors import AuthError, InvalidRequest, Reason, Unauthenticated

CONTRACT = Path(__file__).resolve().parents[4] / "proto" / "tradewire" / "v1" / "reason.proto"


def test_every_reason_is_one_of_the_contract() -> None:
    contract = CONTRACT.read_text()
    assert [reason for reason in Reason if f"  REASON_{reason} = " not in contract] == []


def test_an_error_carries_reason_message_and_metadata() -> None:
    error = Unauthenticated(Reason.NONCE_REUSED, "Again.", nonce="n")
    assert isinstance(error, AuthError)
    assert (error.reason, error.message, error.metadata) == (
        "NONCE_REUSED",
        "Again.",
        {"nonce": "n"},
    )
    assert str(error) == "Again."
    assert repr(error) == "Unauthenticated(NONCE_REUSED, 'Again.', {'nonce': 'n'})"


def test_an_invalid_request_names_its_field() -> None:
    error = InvalidRequest("label", "Too long.")
    assert (error.reason, error.metadata) == (Reason.FIELD_INVALID, {"field": "label"})
