"""SessionService: a signature becomes a token."""

from tradewire.v1 import session_service_pb2, session_service_pb2_grpc

from tradewire_server.api.admission import Admission
from tradewire_server.api.call import current_call, current_caller
from tradewire_server.api.edge import Context
from tradewire_server.api.encode import timestamp
from tradewire_server.api.key_messages import scope_numbers
from tradewire_server.api.venue import Venue
from tradewire_server.auth.proofs import SessionProof


class SessionService(session_service_pb2_grpc.SessionServiceServicer):
    """See the contract."""

    def __init__(self, venue: Venue, admission: Admission) -> None:
        self._venue = venue
        self._admission = admission

    async def CreateSession(
        self, request: session_service_pb2.CreateSessionRequest, context: Context
    ) -> session_service_pb2.CreateSessionResponse:
        signature = request.signature
        issued = self._admission.authenticator.create_session(
            SessionProof(
                key_id=signature.api_key,
                timestamp_ms=signature.timestamp_ms,
                nonce=signature.nonce,
                signature=signature.signature,
                window_ms=signature.receive_window_ms,
            ),
            address=current_call().address,
            now_ns=self._venue.clock_ns(),
        )
        return session_service_pb2.CreateSessionResponse(
            token=issued.token,
            expire_time=timestamp(issued.session.expires_ns),
            account=issued.session.account,
            scopes=scope_numbers(issued.session.scopes),
            environment=self._venue.environment,
        )

    async def EndSession(
        self, request: session_service_pb2.EndSessionRequest, context: Context
    ) -> session_service_pb2.EndSessionResponse:
        self._admission.authenticator.end_session(current_caller(), self._venue.clock_ns())
        return session_service_pb2.EndSessionResponse()

    async def GetServerTime(
        self, request: session_service_pb2.GetServerTimeRequest, context: Context
    ) -> session_service_pb2.GetServerTimeResponse:
        now_ns = self._venue.clock_ns()
        return session_service_pb2.GetServerTimeResponse(
            time=timestamp(now_ns),
            time_ms=now_ns // 10**6,
            environment=self._venue.environment,
        )
