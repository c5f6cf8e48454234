"""QuickFIX (C++) reads the dictionary, and takes what the gateway sends and what it must be sent.

Skipped where the library's headers are not installed (Debian: libquickfix-dev).
"""

import subprocess
from pathlib import Path

import pytest
from tradewire_contract.fix import dictionary_text
from tradewire_contract.fix.published import DICTIONARY

from tests.unit.gateway.fix.samples import SAMPLES, framed

SOURCE = Path(__file__).with_name("quickfix_dictionary.cpp")


def has_quickfix() -> bool:
    """Say whether a program that includes QuickFIX compiles here."""
    probe = "#include <quickfix/DataDictionary.h>\n"
    try:
        found = subprocess.run(
            ["g++", "-std=c++11", "-fsyntax-only", "-w", "-x", "c++", "-"],
            input=probe,
            text=True,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return False
    return found.returncode == 0


pytestmark = pytest.mark.skipif(not has_quickfix(), reason="QuickFIX for C++ is not installed")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("quickfix") / "check"
    # C++11: its headers have exception specifications, which later standards took away.
    options = ["-std=c++11", "-w", "-O0"]
    subprocess.run(["g++", *options, "-o", str(made), str(SOURCE), "-lquickfix"], check=True)
    return made


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dictionary") / DICTIONARY
    path.write_text(dictionary_text())
    return path


def check(program: Path, dictionary: Path, messages: list[str]) -> list[str]:
    done = subprocess.run(
        [program, dictionary],
        input="".join(f"{message}\n" for message in messages),
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_it_takes_every_message(program: Path, dictionary: Path) -> None:
    verdicts = check(program, dictionary, [framed(sample) for sample in SAMPLES])
    assert dict(zip(map(str, SAMPLES), verdicts, strict=True)) == dict.fromkeys(
        map(str, SAMPLES), "ok"
    )


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("11=A|55=BTC-USD|54=1|40=2|60=20261122-10:15:30|99=1|", "Invalid tag number"),
        ("11=A|55=BTC-USD|54=1|40=2|60=20261122-10:15:30|41=B|", "Tag not defined"),
        ("11=A|55=BTC-USD|54=9|40=2|60=20261122-10:15:30|", "Value is incorrect"),
        ("11=A|55=BTC-USD|54=1|40=2|", "Required tag missing"),
    ],
)
def test_it_refuses_what_the_dictionary_does_not_have(
    program: Path, dictionary: Path, body: str, complaint: str
) -> None:
    (verdict,) = check(program, dictionary, [framed(("D", body))])
    assert complaint in verdict
