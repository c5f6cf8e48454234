"""The runner of definitions sees what is wrong: it would be no test otherwise."""

from pathlib import Path

import pytest
from tradewire_gateway.fix.quickfix_xml import load_quickfix_xml
from tradewire_gateway.fix.validation import Validator

from tests.acceptance.fix.definitions import Counterparty, DefinitionFailed, complete

_DICTIONARY = Path(__file__).parent / "dictionary.xml"
LOGON = "I8=FIX.4.4|35=A|34=1|49=TW44|52=<TIME>|56=ISLD|98=0|108=2|"
ANSWER = "E8=FIX.4.4|9=62|35=A|34=1|49=ISLD|52=00000000-00:00:00.000|56=TW44|98=0|108=2|10=0|"
LOGOUT = "I8=FIX.4.4|35=5|34=2|49=TW44|52=<TIME>|56=ISLD|"


def run(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines).replace("|", "\x01"), "latin-1")
    Counterparty(Validator(load_quickfix_xml(_DICTIONARY.read_bytes()))).run(path)


def test_a_definition_that_is_met_passes(tmp_path: Path) -> None:
    answer = "E8=FIX.4.4|35=5|34=2|49=ISLD|52=<TIME>.000|56=TW44|"
    run(
        tmp_path / "a.def",
        "# a comment",
        "iCONNECT",
        LOGON,
        ANSWER,
        "",
        LOGOUT,
        answer,
        "eDISCONNECT",
    )


def test_connections_are_told_apart(tmp_path: Path) -> None:
    lines = ["i1,CONNECT", "i2,CONNECT", f"I2,{LOGON[1:]}", f"E2,{ANSWER[1:]}", "i2,DISCONNECT"]
    run(tmp_path / "a.def", *lines)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (ANSWER.replace("9=62", "9=63"), "9=62 in place of 9=63"),
        (ANSWER.replace("|108=2", ""), "the tags differ"),
        (ANSWER.replace("98=0|108=2", "108=2|98=0"), "the tags differ"),
        (ANSWER.replace("108=2", "108=3"), "108=2 in place of 108=3"),
        ("eDISCONNECT", "expected a disconnect, received"),
    ],
)
def test_an_answer_that_differs_fails(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(DefinitionFailed, match=f"a.def, line 3: {problem}"):
        run(tmp_path / "a.def", "iCONNECT", LOGON, line)


def test_what_does_not_come_fails(tmp_path: Path) -> None:
    with pytest.raises(DefinitionFailed, match="line 2: expected a message, received b''"):
        run(tmp_path / "a.def", "iCONNECT", ANSWER)
    with pytest.raises(DefinitionFailed, match="line 4: expected a disconnect, received"):
        # A heartbeat comes after two seconds.
        run(tmp_path / "a.def", "iCONNECT", LOGON, ANSWER, "eDISCONNECT")


def test_messages_are_completed_only_where_they_are_not_complete() -> None:
    whole = b"8=FIX.4.4\x019=5\x0135=0\x0110=163\x01"
    assert complete("8=FIX.4.4\x0135=0\x01") == whole
    assert complete("8=FIX.4.4\x0135=0\x0110=0\x01") == whole.replace(b"163", b"0")
    assert (
        complete("8=FIX.4.4\x019=9\x0135=0\x0110=0\x01") == b"8=FIX.4.4\x019=9\x0135=0\x0110=0\x01"
    )
    assert complete("35=0\x018=FIX.4.4\x01") == b"35=0\x018=FIX.4.4\x01"
