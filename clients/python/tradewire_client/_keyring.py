"""Management of the account's API keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Literal, TypeAlias

from tradewire_client._calls import Caller
from tradewire_client._enums import enum_value
from tradewire_client._gen.stubs import KeyServiceStub
from tradewire_client._gen.tradewire import v1
from tradewire_client._pages import Listing, Page, Pages
from tradewire_client._retry import Effect
from tradewire_client._times import require_aware
from tradewire_client._values import ApiKey, CreateKeyResponse, RotateKeyResponse

KeyAlgorithmLike: TypeAlias = "v1.KeyAlgorithm | Literal['ed25519', 'hmac_sha256']"
ScopeLike: TypeAlias = "v1.Scope | Literal['read', 'trade', 'transfer', 'quote']"


class Keys:
    """Creates, lists, rotates and revokes keys; what makes a key is never repeated."""

    def __init__(self, stub: KeyServiceStub, caller: Caller) -> None:
        self._stub = stub
        self._caller = caller

    async def create(
        self,
        *,
        public_key: str = "",
        algorithm: KeyAlgorithmLike = "ed25519",
        scopes: Iterable[ScopeLike] = (),
        addresses: Iterable[str] = (),
        expire_time: datetime | None = None,
        label: str = "",
    ) -> CreateKeyResponse:
        """Make a key, read-only unless scopes are given.

        For Ed25519 pass `Ed25519Key.generate().public_key`; for HMAC the answer holds the secret,
        this once.

        Raises:
            UnknownOutcome: the key may have been made: look at `list`, and revoke what is too much.
        """
        request = v1.CreateKeyRequest(
            algorithm=enum_value(v1.KeyAlgorithm, algorithm, name="algorithm"),
            public_key=public_key,
            scopes=[enum_value(v1.Scope, scope, name="scopes") for scope in scopes],
            addresses=list(addresses),
            expire_time=require_aware(expire_time, name="expire_time"),
            label=label,
        )
        response = await self._caller.call(self._stub.create_key, request, effect=Effect.ONCE)
        return CreateKeyResponse.from_message(response)

    def list(self, *, page_size: int = 100) -> Pages[ApiKey]:
        """List the account's keys by creation, revoked ones included."""
        return Pages(partial(self._page, v1.ListKeysRequest(page_size=page_size), ""))

    async def rotate(
        self, api_key: str, *, public_key: str = "", overlap_seconds: int = 0
    ) -> RotateKeyResponse:
        """Make a successor with the same permissions; the old key ends after the overlap, 0 means a
        day.

        Raises:
            UnknownOutcome: the successor may have been made: look at `list`.
        """
        request = v1.RotateKeyRequest(
            api_key=api_key, public_key=public_key, overlap_seconds=overlap_seconds
        )
        response = await self._caller.call(self._stub.rotate_key, request, effect=Effect.ONCE)
        return RotateKeyResponse.from_message(response)

    async def revoke(self, api_key: str) -> ApiKey:
        """End a key, its sessions and its streams within a second."""
        request = v1.RevokeKeyRequest(api_key=api_key)
        response = await self._caller.call(self._stub.revoke_key, request, effect=Effect.REPEATABLE)
        return ApiKey.from_message(response.key or v1.ApiKey())

    async def _page(self, request: v1.ListKeysRequest, token: str) -> Page[ApiKey]:
        page = replace(request, page_token=token)
        response = await self._caller.call(self._stub.list_keys, page)
        token = response.next_page_token
        return Page(
            items=Listing(map(ApiKey.from_message, response.keys)),
            next=partial(self._page, request, token) if token else None,
        )
