"""The acceptance definitions of QuickFIX for FIX 4.4, server side: all 59 of them.

They are somebody else's files and no part of this repository; where they are absent the tests skip.
TRADEWIRE_QUICKFIX_DEFINITIONS names another folder than the usual one beside the repository.
"""

import os
from pathlib import Path

import pytest
from tradewire_gateway.fix.quickfix_xml import load_quickfix_xml
from tradewire_gateway.fix.validation import Validator

from tests.acceptance.fix.definitions import Counterparty

_USUAL = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "quickfix-fix44"
FOLDER = Path(os.environ.get("TRADEWIRE_QUICKFIX_DEFINITIONS", _USUAL))
DEFINITIONS = sorted(FOLDER.glob("*.def"))

pytestmark = pytest.mark.skipif(
    not DEFINITIONS, reason=f"the QuickFIX acceptance definitions are not in {FOLDER}"
)


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(load_quickfix_xml((FOLDER / "FIX44.xml").read_bytes()))


def test_all_definitions_are_there() -> None:
    assert len(DEFINITIONS) == 59


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_definition(validator: Validator, path: Path) -> None:
    Counterparty(validator).run(path)
