"""The published numbers."""

from dataclasses import fields

import pytest
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy, PolicyRow, policy_rows
from tradewire_server.auth.replay import ReplayPolicy
from tradewire_server.auth.tickets import TicketPolicy
from tradewire_server.auth.tokens import TokenPolicy


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"burst": 0}, {"period_s": 0}, {"rate": -1}])
def test_a_limit_lets_something_pass(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Gcra(**{"rate": 1, "burst": 1, "period_s": 1, **wrong})


def test_the_time_between_two_units_is_rounded_up() -> None:
    assert Gcra(3, 10).interval_ns == 333_333_334
    assert Gcra(3, 10).capacity_ns == 3_333_333_340
    assert Gcra(1, 1, 60).interval_ns == 60_000_000_000


@pytest.mark.parametrize("wrong", [{"reserve_percent": -1}, {"reserve_percent": 91}])
def test_the_reserve_is_a_part_of_the_burst(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="reserve_percent"):
        LimitPolicy(**wrong)  # type: ignore[arg-type]


def test_the_ladder_has_a_step() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        LimitPolicy(ban_ladder_s=())


def test_one_key_cannot_use_up_what_its_account_has() -> None:
    policy = LimitPolicy()
    assert policy.key.rate < policy.account.rate
    assert policy.key.burst < policy.account.burst


def test_a_full_frame_of_commands_fits_every_limit() -> None:
    policy = LimitPolicy()
    for rate in (policy.key, policy.account, policy.address):
        assert rate.burst * (100 - policy.reserve_percent) // 100 >= 256


def test_the_nonces_of_a_key_suffice_for_its_failing_limit() -> None:
    assert ReplayPolicy().nonces_per_key_max <= ReplayPolicy().nonces_max


@pytest.mark.parametrize("policy", [LimitPolicy(), ReplayPolicy(), TokenPolicy(), TicketPolicy()])
def test_every_number_is_published_with_unit_and_meaning(policy: object) -> None:
    rows = policy_rows(policy)
    assert [row.name for row in rows] == [entry.name for entry in fields(policy)]  # type: ignore[arg-type]
    assert all(row.value and row.unit and row.meaning for row in rows)


def test_rows_are_written_for_people() -> None:
    rows = {row.name: row for row in policy_rows(LimitPolicy())}
    assert rows["key"] == PolicyRow(
        "key",
        "1000 per s, at most 4000 at once",
        "weight units",
        "What one API key may do",
    )
    assert rows["refusals"].value == "200 per 60 s, at most 200 at once"
    assert rows["ban_ladder_s"].value == "120, 600, 3600, 86400, 259200"
    assert rows["unfilled_orders"].value == "10 / 10000, 86400 / 2000000"
    assert rows["reserve_percent"].value == "10"
