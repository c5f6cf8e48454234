"""PlaceOrders and CancelOrders: several commands in one call, each with a result of its own.

The commands enter the sequencer together, on a lane of the call's own, and the call is answered
when the last of them is durable. The whole call fails only when none of its commands was entered.

A batch whose items a limit has refused is answered all the same, and the call says how long to wait
as if it had been refused itself.
"""

import asyncio
from collections.abc import Sequence

from tradewire_server.api.admission import Admission
from tradewire_server.api.call import current_call, own_account
from tradewire_server.api.commands import Intake, Request, result_bytes, wait_of
from tradewire_server.api.venue import Venue
from tradewire_server.api.wire import Preencoded, embed, varint_field
from tradewire_server.sequencer import Lane, Outcome, Submission

RESULTS, AS_OF_SEQUENCE = 1, 2


class Batches:
    """Enters batches and collects their results."""

    def __init__(self, venue: Venue, admission: Admission) -> None:
        self._venue = venue
        self._admission = admission

    async def enter(self, requests: Sequence[Request], account_requested: str) -> Preencoded:
        """Return the response of a batch for an account, when all of it is durable.

        Cancellation of the call does not withdraw the commands. Raises ApiError when the caller
        does not have the account, Overloaded and NotServing when nothing was entered.
        """
        call = current_call()
        account = own_account(account_requested)
        intake = Intake(self._admission, call, account, valid_until_ns=call.valid_until_ns)
        submissions = intake.submissions(requests)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        results: list[bytes] = []

        def deliver(outcomes: list[tuple[Submission, Outcome]]) -> None:
            # Called right after publication: what the state holds now is durable.
            sequence = self._venue.account(account).sequence
            results.extend(
                embed(RESULTS, result_bytes(submission.tag, outcome, sequence))
                for submission, outcome in outcomes
            )
            if len(results) == len(submissions) and not answer.done():
                results.append(varint_field(AS_OF_SEQUENCE, sequence))
                answer.set_result(b"".join(results))
            # What the edge's limits refused is in the state of the limits already.
            for _, outcome in outcomes:
                wait_ms = wait_of(outcome)
                if wait_ms > call.limit_state.retry_after_ms:
                    call.limit_state = call.limit_state._replace(retry_after_ms=wait_ms)

        self._venue.sequencer.enter(Lane(deliver), submissions)
        return await answer
