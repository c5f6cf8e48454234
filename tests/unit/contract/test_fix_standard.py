"""What is sent is FIX 4.4 as the standard's own dictionary has it, but for published deviations.

That dictionary is QuickFIX's and no part of this project: skipped, visibly, where it is absent.
TRADEWIRE_QUICKFIX_DEFINITIONS names the folder that holds it.
"""

import os
from pathlib import Path

import pytest
from tradewire_contract.fix.fields import MSG_TYPES, STANDARD, USER_DEFINED_FROM
from tradewire_gateway.fix.codec import SOH, Decoder, RawMessage, encode
from tradewire_gateway.fix.dictionary import Dictionary
from tradewire_gateway.fix.message import Message
from tradewire_gateway.fix.quickfix_xml import load_quickfix_xml
from tradewire_gateway.fix.translate import dictionary
from tradewire_gateway.fix.validation import Validator

from tests.unit.gateway.fix.samples import SAMPLES
from tests.unit.gateway.fix.translated import NOW

_USUAL = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "quickfix-fix44"
FILE = Path(os.environ.get("TRADEWIRE_QUICKFIX_DEFINITIONS", _USUAL)) / "FIX44.xml"

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="QuickFIX's FIX44.xml is not here")

# See "Deviations from FIX 4.4" in the rules of engagement.
OWN_MESSAGES = {"AP", "BF"}
OWN_VALUES = {(380, "8")}


@pytest.fixture(scope="module")
def standard() -> Dictionary:
    return load_quickfix_xml(FILE.read_bytes())


def test_fields_are_named_and_typed_as_in_the_standard(standard: Dictionary) -> None:
    for tag, (name, type_) in STANDARD.items():
        assert (standard.fields[tag].name, standard.fields[tag].type.value) == (name, type_)


def test_the_types_of_messages_are_those_of_the_standard(standard: Dictionary) -> None:
    assert standard.messages.keys() == MSG_TYPES
    for msg_type, message in dictionary().messages.items():
        assert message.name == standard.messages[msg_type].name


def test_values_are_those_of_the_standard(standard: Dictionary) -> None:
    for tag, field in dictionary().fields.items():
        if tag < USER_DEFINED_FROM and standard.fields[tag].values:
            own = {
                (tag, value) for value in field.values.keys() - standard.fields[tag].values.keys()
            }
            assert own <= OWN_VALUES, field.name


@pytest.mark.parametrize(
    "sample",
    [sample for sample in SAMPLES if sample[0] not in OWN_MESSAGES],
    ids=lambda sample: sample[0],
)
def test_a_client_with_the_standard_dictionary_takes_every_message(
    standard: Dictionary, sample: tuple[str, str]
) -> None:
    """It lets user-defined fields pass, as engines do that are told to."""
    msg_type, body = sample
    fields = [each for each in body.split("|") if each]
    kept = "|".join(each for each in fields if int(each.partition("=")[0]) < USER_DEFINED_FROM)
    content = f"35={msg_type}|34=7|49=TW-ORDERS|52={NOW}|56=CLIENT|{kept}|"
    decoder = Decoder(standard.data_fields)
    decoder.feed(encode("FIX.4.4", content.replace("|", SOH)))
    raw = decoder.next()
    assert isinstance(raw, RawMessage)
    assert isinstance(verdict := Validator(standard).validate(raw), Message), verdict
