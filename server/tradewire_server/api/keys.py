"""KeyService: the caller's own keys, which are events in the journal like all that lasts."""

from tradewire.v1 import key_service_pb2, key_service_pb2_grpc

from tradewire_server.api.call import current_caller
from tradewire_server.api.convert import time_ns
from tradewire_server.api.edge import Context
from tradewire_server.api.key_messages import (
    key_message,
    key_of,
    key_request,
    public_key_of,
    record_of,
)
from tradewire_server.api.pages import number_token, page_size
from tradewire_server.api.venue import Venue
from tradewire_server.auth.keys import KeyRing
from tradewire_server.auth.provisioning import KeyMaker
from tradewire_server.auth.tickets import check_makes_keys
from tradewire_server.engine.commands import CreateKey, RevokeKey, SetKeyExpiry
from tradewire_server.engine.events import KeyRecord

DEFAULT_OVERLAP_S = 86_400
NS_PER_S = 10**9


class KeyService(key_service_pb2_grpc.KeyServiceServicer):
    """See the contract."""

    def __init__(self, venue: Venue, maker: KeyMaker, ring: KeyRing) -> None:
        self._venue = venue
        self._maker = maker
        self._ring = ring

    async def CreateKey(
        self, request: key_service_pb2.CreateKeyRequest, context: Context
    ) -> key_service_pb2.CreateKeyResponse:
        caller = current_caller()
        check_makes_keys(caller)
        created = self._maker.create(
            key_request(
                account=caller.account,
                algorithm=request.algorithm,
                public_key=request.public_key,
                scopes=list(request.scopes),
                addresses=list(request.addresses),
                expires_ns=time_ns(request, "expire_time"),
                label=request.label,
            ),
            creator_scopes=caller.scopes,
            now_ns=self._venue.clock_ns(),
        )
        record = record_of(created.key)
        await self._venue.submit(CreateKey(record))
        return key_service_pb2.CreateKeyResponse(key=key_message(record), secret=created.secret)

    async def ListKeys(
        self, request: key_service_pb2.ListKeysRequest, context: Context
    ) -> key_service_pb2.ListKeysResponse:
        records, token = list_keys(
            self._venue, current_caller().account, request.page_token, request.page_size
        )
        await self._venue.sequencer.settled()
        return key_service_pb2.ListKeysResponse(
            keys=map(key_message, records), next_page_token=token
        )

    async def RotateKey(
        self, request: key_service_pb2.RotateKeyRequest, context: Context
    ) -> key_service_pb2.RotateKeyResponse:
        caller, venue = current_caller(), self._venue
        check_makes_keys(caller)
        rotated = self._maker.rotate(
            self._ring.find(caller.account, key_id=request.api_key),
            public_key=public_key_of(request.public_key),
            overlap_ns=(request.overlap_seconds or DEFAULT_OVERLAP_S) * NS_PER_S,
            creator_scopes=caller.scopes,
            now_ns=venue.clock_ns(),
        )
        record = record_of(rotated.created.key)
        # The successor first: if the venue stops between the two, there is a key too many, never
        # too few.
        await venue.submit(CreateKey(record))
        await venue.submit(
            SetKeyExpiry(caller.account, rotated.former_key_id, rotated.former_expires_ns)
        )
        return key_service_pb2.RotateKeyResponse(
            key=key_message(record),
            secret=rotated.created.secret,
            replaced=key_message(venue.state.keys[rotated.former_key_id]),
        )

    async def RevokeKey(
        self, request: key_service_pb2.RevokeKeyRequest, context: Context
    ) -> key_service_pb2.RevokeKeyResponse:
        await self._venue.submit(RevokeKey(current_caller().account, request.api_key))
        return key_service_pb2.RevokeKeyResponse(
            key=key_message(self._venue.state.keys[request.api_key])
        )


def list_keys(
    venue: Venue, account: str, token: str, requested: int
) -> tuple[list[KeyRecord], str]:
    """Return a page of an account's keys by creation, and the token of the next page."""
    after, size = number_token(token), page_size(requested)
    records = list(venue.account(account).keys.values())
    page = records[after : after + size]
    return page, str(after + size) if len(records) > after + size else ""


def apply_key(ring: KeyRing, record: KeyRecord) -> None:
    """Bring the ring to what the journal says of a key."""
    key = key_of(record)
    known = ring.get(record.key_id)
    if known is None:
        ring.add(key)
        return
    if record.expires_ns and known.expires_ns != record.expires_ns:
        ring.expire(record.key_id, record.expires_ns)
    if record.revoked_ns and known.revoked_ns is None:
        ring.revoke(record.key_id, record.revoked_ns)
