"""Errors: each has an exit code of its own and says what to do next."""

import pytest
from tradewire_server.journal import errors
from tradewire_server.journal.errors import JournalError


def test_exit_codes_are_what_they_were() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.__name__: kind.exit_code for kind in kinds if issubclass(kind, JournalError)}
    assert codes == {
        "JournalError": 20,
        "JournalLocked": 21,
        "JournalDamaged": 22,
        "JournalBehindHead": 23,
        "JournalVersionUnknown": 24,
        "JournalWriteFailed": 25,
        "JournalFull": 26,
        "FeedOutOfRange": 27,
    }


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (errors.JournalLocked("/d/lock", 7), ["/d/lock", "process 7", "stop it first"]),
        (errors.JournalLocked("/d/lock", None), ["another process"]),
        (errors.JournalDamaged("event 5", "missing"), ["event 5: missing.", "journal verify"]),
        (errors.JournalDamaged("event 5", "missing", "Do this"), ["event 5: missing. Do this"]),
        (
            errors.JournalBehindHead(last_event=4, head_event=9, witness="/d/head"),
            ["ends at event 4", "/d/head records event 9", "5 to 9", "restore"],
        ),
        (errors.FeedOutOfRange(wanted=3, first_available=8), ["entry 3", "first available is 8"]),
    ],
)
def test_errors_say_place_and_remedy(error: JournalError, parts: list[str]) -> None:
    for part in parts:
        assert part in str(error)
