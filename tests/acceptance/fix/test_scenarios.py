"""The project's own conversations with a FIX acceptor, one test each."""

from pathlib import Path

import pytest
from tradewire_gateway.fix.quickfix_xml import load_quickfix_xml
from tradewire_gateway.fix.validation import Validator

from tests.acceptance.fix.scenario import Scenario, ScenarioFailed, load_scenarios, run

FOLDER = Path(__file__).parent
SCENARIOS = [
    scenario
    for path in sorted((FOLDER / "scenarios").glob("*.txt"))
    for scenario in load_scenarios(path)
]


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(load_quickfix_xml((FOLDER / "dictionary.xml").read_bytes()))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(validator: Validator, scenario: Scenario) -> None:
    run(scenario, validator)


def _failure(validator: Validator, *lines: str) -> str:
    scenario = Scenario("by hand", FOLDER / "by hand", tuple(enumerate(lines, start=1)))
    with pytest.raises(ScenarioFailed) as failure:
        run(scenario, validator)
    return str(failure.value)


@pytest.mark.parametrize(
    ("line", "received"),
    [
        ("< 35=A|34=1|98=0|108=31", "35=A|34=1|98=0|108=30"),
        ("< 35=A|34=1|98=0", "35=A|34=1|98=0|108=30"),
        ("< 35=A|34=1|49=TRADER|98=0|108=30", "49=TW-ORDERS"),
        ("nothing", "8=FIX.4.4"),
        ("closed", "True"),
        ("stored 2 3", "outbound=2, inbound=2"),
    ],
)
def test_a_scenario_that_is_not_kept_to_fails(
    validator: Validator, line: str, received: str
) -> None:
    failure = _failure(validator, "connect", "> 35=A|34=1|98=0|108=30", line)
    assert f"by hand, line 3: {line}" in failure
    assert received in failure


def test_an_answer_that_is_awaited_in_vain_fails(validator: Validator) -> None:
    assert "nothing, or no message: b''" in _failure(validator, "connect", "< 35=A|34=1")
