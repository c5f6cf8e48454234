"""SessionService: a signature becomes a token; and what writers of clients ask."""

from tradewire.v1 import session_service_pb2, session_service_pb2_grpc

from tradewire_server.api.admission import Admission
from tradewire_server.api.call import current_call, current_caller
from tradewire_server.api.edge import Context
from tradewire_server.api.encode import timestamp
from tradewire_server.api.errors import make_error
from tradewire_server.api.key_messages import scope_name, scope_numbers
from tradewire_server.api.venue import Venue
from tradewire_server.auth.proofs import FixLogonProof, SessionProof, SignedRequest
from tradewire_server.engine.vocabulary import Reason

PRODUCTION = "production"


class SessionService(session_service_pb2_grpc.SessionServiceServicer):
    """See the contract."""

    def __init__(self, venue: Venue, admission: Admission) -> None:
        self._venue = venue
        self._admission = admission

    async def CreateSession(
        self, request: session_service_pb2.CreateSessionRequest, context: Context
    ) -> session_service_pb2.CreateSessionResponse:
        authenticator, address = self._admission.authenticator, current_call().address
        now_ns = self._venue.clock_ns()
        match request.WhichOneof("proof"):
            case "token":
                issued = authenticator.renew_session(request.token, address=address, now_ns=now_ns)
            case "ticket":
                issued = authenticator.redeem_ticket(request.ticket, address=address, now_ns=now_ns)
            case _:
                proof = _proof(request)
                issued = authenticator.create_session(proof, address=address, now_ns=now_ns)
        return session_service_pb2.CreateSessionResponse(
            token=issued.token,
            expire_time=timestamp(issued.session.expires_ns),
            account=issued.session.account,
            scopes=scope_numbers(issued.session.scopes),
            environment=self._venue.environment,
        )

    async def CreateTicket(
        self, request: session_service_pb2.CreateTicketRequest, context: Context
    ) -> session_service_pb2.CreateTicketResponse:
        issued = self._admission.authenticator.create_ticket(
            current_caller(),
            scopes=frozenset(scope_name(scope) for scope in request.scopes),
            now_ns=self._venue.clock_ns(),
        )
        return session_service_pb2.CreateTicketResponse(
            ticket=issued.text, expire_time=timestamp(issued.expires_ns)
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

    async def CheckSignature(
        self, request: session_service_pb2.CheckSignatureRequest, context: Context
    ) -> session_service_pb2.CheckSignatureResponse:
        if self._venue.environment == PRODUCTION:
            text = f"signatures are explained on a sandbox only, this is {PRODUCTION}"
            raise make_error(Reason.METHOD_NOT_FOUND, text)
        found = self._admission.authenticator.check_signature(
            SignedRequest(
                key_id=request.api_key,
                timestamp=request.timestamp,
                nonce=request.nonce,
                signature=request.signature,
                method=request.method,
                path=request.path,
                body=request.body,
                recv_window=request.recv_window,
            ),
            address=current_call().address,
            now_ns=self._venue.clock_ns(),
            host=_host(context),
        )
        return session_service_pb2.CheckSignatureResponse(
            valid=found.is_valid,
            part=found.part,
            explanation=found.text,
            string_to_sign=found.string_to_sign,
        )

    async def GetTokenKeys(
        self, request: session_service_pb2.GetTokenKeysRequest, context: Context
    ) -> session_service_pb2.GetTokenKeysResponse:
        key_set = self._admission.authenticator.token_keys()
        return session_service_pb2.GetTokenKeysResponse(
            keys=[session_service_pb2.TokenKey(**key) for key in key_set["keys"]]
        )


def _host(context: Context) -> str:
    """Return where an HTTP request was sent, empty for what was none."""
    metadata = context.invocation_metadata() or ()
    return next((str(value) for name, value in metadata if name == "host"), "")


def _proof(request: session_service_pb2.CreateSessionRequest) -> SessionProof | FixLogonProof:
    if request.WhichOneof("proof") == "fix_logon":
        logon = request.fix_logon
        return FixLogonProof(
            key_id=logon.api_key,
            sender_comp_id=logon.sender_comp_id,
            target_comp_id=logon.target_comp_id,
            msg_seq_num=logon.msg_seq_num,
            sending_time=logon.sending_time,
            raw_data=logon.raw_data,
        )
    signature = request.signature
    return SessionProof(
        key_id=signature.api_key,
        timestamp_ms=signature.timestamp_ms,
        nonce=signature.nonce,
        signature=signature.signature,
        window_ms=signature.receive_window_ms,
    )
