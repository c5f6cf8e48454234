"""One line for what may happen, nothing for bugs."""

from pathlib import Path

import pytest
from tradewire_client import Rejected, TimedOut, Unavailable
from tradewire_server.auth.sealing import MasterKeyError
from tradewire_server.cli.failure import CommandFailed, explain
from tradewire_server.journal.errors import JournalBehindHead, JournalDamaged, JournalLocked


def _told(error: Exception) -> tuple[str, int]:
    failure = explain(error)
    assert failure is not None
    return str(failure), failure.exit_code


def test_a_venue_that_does_not_answer_is_told_with_the_way_to_one() -> None:
    error = Unavailable("failed to connect to all addresses; last error: x: Connection refused (1)")
    text, code = _told(error)
    assert text.startswith("no venue answers (Connection refused (1)): start one with")
    assert code == 1
    assert _told(TimedOut("no answer"))[0].startswith("no venue answers (no answer)")


def test_a_certificate_that_is_not_trusted_is_no_venue_that_does_not_answer() -> None:
    start = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "
    unknown = Unavailable(
        f"{start}Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL "
        "routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: unable to get local issuer "
        "certificate: OK"
    )
    assert _told(unknown)[0] == (
        "the venue's certificate is not trusted (unable to get local issuer certificate): name the "
        "certificate of its authority with --tls-ca FILE"
    )
    other = Unavailable(
        f"{start}Custom verification check failed with error: UNAUTHENTICATED: Hostname "
        "Verification Check failed."
    )
    assert _told(other)[0].startswith("the venue's certificate is for another host")


def test_the_venues_own_words_stay() -> None:
    error = Rejected("the order was rejected", reason_name="PRICE_OUT_OF_BAND")
    assert _told(error) == ("PRICE_OUT_OF_BAND: the order was rejected", 1)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JournalLocked("lock", 7), 21),
        (JournalDamaged("event 3", "its hash does not match"), 22),
        (JournalBehindHead(last_event=1, head_event=2, witness="head"), 23),
        (MasterKeyError("bad"), 1),
        (CommandFailed("no", exit_code=3), 3),
    ],
)
def test_exit_codes_are_those_of_the_error(error: Exception, code: int) -> None:
    assert _told(error)[1] == code


def test_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "none").read_text()
    assert _told(caught.value)[0] == f"{tmp_path / 'none'}: No such file or directory"


def test_bugs_are_not_explained() -> None:
    assert explain(AssertionError("we broke our own rule")) is None
    assert explain(KeyError("x")) is None
