"""Any sequence of commands leaves engine and oracle in agreement, and every invariant true."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.replay import check_replay
from tests.support.traffic import Traffic, new_twin


class VenueMachine(RuleBasedStateMachine):
    """Sends random commands to a crowded venue; `Twin` holds the engine against the oracle."""

    def __init__(self) -> None:
        super().__init__()
        self.twin = new_twin()
        self.traffic = Traffic(self.twin)

    def choose(self, data: st.DataObject) -> Traffic:
        self.traffic.pick = lambda values: data.draw(st.sampled_from(values))
        return self.traffic

    @rule(data=st.data())
    def limit(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).limit())

    @rule(data=st.data())
    def limit_of_own(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).limit(account="alice"))

    @rule(data=st.data())
    def market(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).market())

    @rule(data=st.data())
    def nonsense(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).nonsense())

    @rule(data=st.data())
    def amend(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).amend())

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).cancel())

    @rule(data=st.data())
    def rare(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).rare())

    @rule(data=st.data())
    def money(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).money())

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        self.twin.do(self.choose(data).pass_time())

    @invariant()
    def money_is_conserved_and_held_for_open_orders_only(self) -> None:
        self.twin.check_money()

    @invariant()
    def books_are_neither_crossed_nor_out_of_order(self) -> None:
        self.twin.check_books()

    @invariant()
    def indexes_agree(self) -> None:
        self.twin.check_orders()

    @invariant()
    def sequences_have_no_gap(self) -> None:
        self.twin.check_ledger()
        self.twin.check_trades()

    @invariant()
    def positions_add_up(self) -> None:
        self.twin.check_positions()

    def teardown(self) -> None:
        venue = self.twin.venue
        # Any place will do; this one differs from run to run and is the same for the same run.
        cut = venue.state.event_number * 7 // 11
        check_replay(venue.state, venue.events, venue.recorder, cut=cut)


def test_engine_agrees_with_the_oracle() -> None:
    run_state_machine_as_test(
        VenueMachine, settings=settings(max_examples=200, stateful_step_count=60)
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_engine_agrees_with_the_oracle_for_long() -> None:
    run_state_machine_as_test(
        VenueMachine, settings=settings(max_examples=1_500, stateful_step_count=120)
    )
