"""A QuickFIX file becomes a dictionary, and one that is wrong says where."""

import pytest
from tradewire_gateway.fix.codec import DATA_FIELDS
from tradewire_gateway.fix.quickfix_xml import DictionaryError, load_quickfix_xml
from tradewire_gateway.fix.values import DataType

from tests.unit.gateway.fix.wire import validator

HEAD = '<fix type="FIX" major="4" minor="4">'
FIELDS = (
    '<fields><field number="55" name="Symbol" type="STRING"/>'
    '<field number="453" name="NoPartyIDs" type="NUMINGROUP"/></fields>'
)
RECURSIVE = (
    '<header><component name="P"/></header><components><component name="P">'
    '<group name="NoPartyIDs"><field name="Symbol"/><component name="P"/></group>'
    "</component></components>"
)


def test_fields_messages_and_components_are_read() -> None:
    dictionary = validator().dictionary
    assert dictionary.begin_string == "FIX.4.4"
    assert dictionary.fields[54].values == {"1": "BUY", "2": "SELL"}
    assert dictionary.fields[60].type is DataType.UTCTIMESTAMP
    order = dictionary.messages["D"]
    assert (order.name, order.is_admin) == ("NewOrderSingle", False)
    assert list(order.body.members)[:5] == [11, 453, 18, 55, 200]
    assert order.body.required == (11, 55, 54, 40)
    # Symbol(55) is required in the component, but the component is not in this message.
    assert dictionary.messages["8"].body.required == ()
    parties = order.body.members[453].group
    assert parties is not None
    assert (parties.delimiter, parties.required) == (448, (448,))
    assert [section.delimiter for section in parties.walk()] == [448, 523]
    assert dictionary.messages["A"].is_admin


def test_lengths_and_their_data_are_found() -> None:
    pairs = validator().dictionary.data_fields
    assert pairs == {93: 89, 95: 96, 354: 355}
    assert pairs.items() <= DATA_FIELDS.items()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<fix>", "not XML"),
        (
            f'{HEAD}<fields><field number="x" name="A" type="INT"/></fields></fix>',
            "field A: invalid literal",
        ),
        (
            f'{HEAD}<fields><field number="1" name="A" type="MONEY"/></fields></fix>',
            "field A: 'MONEY' is not a valid DataType",
        ),
        (f'{HEAD}<fields><field number="1" type="INT"/></fields></fix>', "a field has no name"),
        (f'{HEAD}<header><field name="B"/></header></fix>', "field B is not defined"),
        (f'{HEAD}<header><component name="B"/></header></fix>', "component B is not defined"),
        (
            f'{HEAD}{FIELDS}<header><group name="NoPartyIDs"/></header></fix>',
            "group NoPartyIDs is empty",
        ),
        (
            f"{HEAD}{FIELDS}{RECURSIVE}</fix>",
            "component P contains itself",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str, problem: str) -> None:
    with pytest.raises(DictionaryError, match=problem):
        load_quickfix_xml(text)


def test_an_empty_dictionary_is_one() -> None:
    dictionary = load_quickfix_xml(f"{HEAD}</fix>")
    assert (dictionary.fields, dictionary.messages, dictionary.data_fields) == ({}, {}, {})
