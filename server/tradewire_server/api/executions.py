"""ExecutionService: the account's executions in their one gapless sequence."""

from collections.abc import AsyncIterator

from tradewire.v1 import execution_service_pb2, execution_service_pb2_grpc

from tradewire_server.api.admission import Admission
from tradewire_server.api.call import current_call, own_account
from tradewire_server.api.edge import Context
from tradewire_server.api.pages import page_size
from tradewire_server.api.streaming import StreamEnd, feed_messages, feed_page, open_feed
from tradewire_server.api.venue import Venue
from tradewire_server.api.wire import Preencoded, embed, varint_field
from tradewire_server.feeds import FeedKind

AS_OF_SEQUENCE, JOURNAL_ID = 2, 3


class ExecutionService(execution_service_pb2_grpc.ExecutionServiceServicer):
    """See the contract. What was stored is sent; nothing is parsed."""

    def __init__(self, venue: Venue, admission: Admission) -> None:
        self._venue = venue
        self._admission = admission

    async def ListExecutions(
        self, request: execution_service_pb2.ListExecutionsRequest, context: Context
    ) -> Preencoded:
        venue = self._venue
        account = own_account(request.account)
        entries, head = await venue.read(
            feed_page,
            venue,
            FeedKind.EXECUTIONS,
            account,
            after=request.after_sequence,
            size=page_size(request.page_size),
        )
        return (
            entries
            + varint_field(AS_OF_SEQUENCE, head)
            + embed(JOURNAL_ID, venue.journal_id.encode())
        )

    async def StreamExecutions(
        self, request: execution_service_pb2.StreamExecutionsRequest, context: Context
    ) -> AsyncIterator[Preencoded]:
        account = own_account(request.account)
        after = request.after_sequence if request.HasField("after_sequence") else None
        subscription, before = await open_feed(
            self._venue, FeedKind.EXECUTIONS, account, after=after, snapshot=request.snapshot
        )
        with subscription:
            async for message in feed_messages(
                self._venue,
                subscription,
                StreamEnd(self._admission, current_call()),
                before=before,
            ):
                yield message
