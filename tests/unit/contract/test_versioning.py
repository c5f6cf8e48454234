"""The policy of proto/VERSIONING.md: nothing is taken away within a version, and not at once."""

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from tradewire_contract import ContractError, methods
from tradewire_contract.methods import Deprecation, check_deprecation
from tradewire_contract.openapi import breaking_changes, document

from tests.unit.contract.planted import Planted

ROOT = Path(__file__).resolve().parents[3]
NOTICE = timedelta(days=180)


def test_the_document_takes_nothing_from_clients_of_the_published_one() -> None:
    published = json.loads((ROOT / "proto/baseline.openapi.json").read_text())
    assert breaking_changes(published, document()) == []


def test_a_method_is_announced_180_days_before_it_ends() -> None:
    for method in methods().values():
        if method.deprecation is not None:
            since = date.fromisoformat(method.deprecation.since)
            assert date.fromisoformat(method.deprecation.sunset) >= since + NOTICE, method.path


def test_the_page_says_the_same_number_of_days() -> None:
    (days,) = re.findall(r"\*\*(\d+) days\*\*", (ROOT / "proto/VERSIONING.md").read_text())
    assert timedelta(days=int(days)) == NOTICE


@pytest.mark.parametrize(
    ("deprecation", "expected"),
    [
        (Deprecation("2027-01-01", "2027-06-29", "/docs/changelog"), "180 days"),
        (Deprecation("2027-01-01", "soon", "/docs/changelog"), "YYYY-MM-DD"),
        (Deprecation("", "2027-07-01", "/docs/changelog"), "YYYY-MM-DD"),
        (Deprecation("2027-01-01", "2027-07-01", ""), "link"),
        (Deprecation("2027-01-01", "2027-07-01", "docs"), "link"),
    ],
)
def test_a_deprecation_that_breaks_the_policy_is_refused(
    deprecation: Deprecation, expected: str
) -> None:
    with pytest.raises(ContractError, match=expected):
        check_deprecation("tradewire.v1.Service.Method", deprecation)


def test_a_deprecation_of_180_days_is_read() -> None:
    planted = Planted()
    planted.add_field("name", FieldDescriptorProto.TYPE_STRING)
    planted.rule.deprecation.since = "2027-01-01"
    planted.rule.deprecation.sunset = "2027-06-30"
    planted.rule.deprecation.link = "/docs/changelog"
    (route,) = planted.routes()
    assert route.method.deprecation == Deprecation("2027-01-01", "2027-06-30", "/docs/changelog")
    planted.rule.deprecation.sunset = "2027-06-29"
    with pytest.raises(ContractError, match="180 days"):
        planted.routes()
