"""AccountService: balances, positions, ledger and limits of the caller's account."""

from collections.abc import AsyncIterator

from tradewire.v1 import account_service_pb2, account_service_pb2_grpc

from tradewire_server.api.admission import Admission
from tradewire_server.api.call import current_call, own_account
from tradewire_server.api.edge import Context
from tradewire_server.api.encode import account_message, balance_messages, position_messages
from tradewire_server.api.pages import page_size
from tradewire_server.api.streaming import StreamEnd, feed_messages, feed_page, open_feed
from tradewire_server.api.venue import Venue
from tradewire_server.api.wire import Preencoded, embed, varint_field
from tradewire_server.feeds import FeedKind

AS_OF_LEDGER_SEQUENCE, JOURNAL_ID = 2, 3


class AccountService(account_service_pb2_grpc.AccountServiceServicer):
    """See the contract. Everything is read, then known to be durable, then told."""

    def __init__(self, venue: Venue, admission: Admission) -> None:
        self._venue = venue
        self._admission = admission

    async def GetAccount(
        self, request: account_service_pb2.GetAccountRequest, context: Context
    ) -> account_service_pb2.GetAccountResponse:
        account = self._venue.account(own_account(request.account))
        response = account_service_pb2.GetAccountResponse(
            account=account_message(account),
            as_of_sequence=account.sequence,
            journal_id=self._venue.journal_id,
        )
        await self._venue.sequencer.settled()
        return response

    async def ListBalances(
        self, request: account_service_pb2.ListBalancesRequest, context: Context
    ) -> account_service_pb2.ListBalancesResponse:
        account = self._venue.account(own_account(request.account))
        response = account_service_pb2.ListBalancesResponse(
            balances=balance_messages(self._venue.state, account),
            as_of_sequence=account.sequence,
            as_of_ledger_sequence=account.ledger_sequence,
            journal_id=self._venue.journal_id,
        )
        await self._venue.sequencer.settled()
        return response

    async def ListPositions(
        self, request: account_service_pb2.ListPositionsRequest, context: Context
    ) -> account_service_pb2.ListPositionsResponse:
        account = self._venue.account(own_account(request.account))
        response = account_service_pb2.ListPositionsResponse(
            positions=position_messages(self._venue.state, account),
            as_of_sequence=account.sequence,
            journal_id=self._venue.journal_id,
        )
        await self._venue.sequencer.settled()
        return response

    async def ListLedgerEntries(
        self, request: account_service_pb2.ListLedgerEntriesRequest, context: Context
    ) -> Preencoded:
        venue = self._venue
        entries, head = await venue.read(
            feed_page,
            venue,
            FeedKind.LEDGER,
            own_account(request.account),
            after=request.after_sequence,
            size=page_size(request.page_size),
        )
        return (
            entries
            + varint_field(AS_OF_LEDGER_SEQUENCE, head)
            + embed(JOURNAL_ID, venue.journal_id.encode())
        )

    async def GetLimits(
        self, request: account_service_pb2.GetLimitsRequest, context: Context
    ) -> account_service_pb2.GetLimitsResponse:
        account = self._venue.account(own_account(request.account))
        now_ns = self._venue.clock_ns()
        buckets = current_call().buckets
        reports = self._admission.limiter.report(buckets, now_ns=now_ns)
        ban = self._admission.limiter.ban(buckets, now_ns=now_ns)
        counts = self._venue.unfilled_orders.report(account.name, now_ns=now_ns)
        response = account_service_pb2.GetLimitsResponse(
            limits=[
                account_service_pb2.LimitState(
                    name=report.scope,
                    rate_per_second=report.rate.rate // report.rate.period_s,
                    limit=report.rate.burst,
                    remaining=max(report.remaining, 0),
                    reset_ms=report.reset_ms,
                    reserve=report.reserve,
                )
                for report in reports
            ],
            open_order_limit=account.open_order_limit,
            open_order_count=len(account.orders),
            rate_limit_exempt=account.rate_limit_exempt,
            unfilled_orders=[
                account_service_pb2.UnfilledOrderCount(
                    interval_seconds=count.interval_s,
                    limit=count.limit,
                    remaining=count.remaining,
                    reset_ms=count.reset_ms,
                )
                for count in counts
            ],
        )
        if ban is not None and not account.rate_limit_exempt:
            response.limits.add(name=ban.scope, reset_ms=ban.reset_ms)
        await self._venue.sequencer.settled()
        return response

    async def StreamAccount(
        self, request: account_service_pb2.StreamAccountRequest, context: Context
    ) -> AsyncIterator[Preencoded]:
        after = request.after_sequence if request.HasField("after_sequence") else None
        subscription, before = await open_feed(
            self._venue,
            FeedKind.LEDGER,
            own_account(request.account),
            after=after,
            snapshot=request.snapshot,
        )
        with subscription:
            async for message in feed_messages(
                self._venue,
                subscription,
                StreamEnd(self._admission, current_call()),
                before=before,
            ):
                yield message
