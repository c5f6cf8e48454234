"""Keys between the contract, the auth package and the journal."""

from tradewire.v1 import key_pb2, options_pb2

from tradewire_server.api.encode import timestamp
from tradewire_server.api.errors import make_error
from tradewire_server.auth.encoding import decode_base64url, encode_base64url
from tradewire_server.auth.keys import Algorithm, ApiKey
from tradewire_server.auth.provisioning import KeyRequest
from tradewire_server.engine.events import KeyRecord
from tradewire_server.engine.vocabulary import Reason

ALGORITHMS: dict[int, Algorithm] = {
    key_pb2.KEY_ALGORITHM_UNSPECIFIED: "ed25519",
    key_pb2.KEY_ALGORITHM_ED25519: "ed25519",
    key_pb2.KEY_ALGORITHM_HMAC_SHA256: "hmac-sha256",
}
ALGORITHM_NUMBERS = {
    "ed25519": key_pb2.KEY_ALGORITHM_ED25519,
    "hmac-sha256": key_pb2.KEY_ALGORITHM_HMAC_SHA256,
}
PUBLIC_KEY_BYTES = 32


def scope_name(scope: int) -> str:
    """Return a scope as the auth package names it."""
    return options_pb2.Scope.Name(scope).removeprefix("SCOPE_").lower()  # type: ignore[arg-type]


def scope_numbers(scopes: frozenset[str]) -> list[options_pb2.Scope.ValueType]:
    """Return scopes as the contract numbers them, in its order."""
    return sorted(options_pb2.Scope.Value("SCOPE_" + name.upper()) for name in scopes)


def public_key_of(text: str) -> bytes:
    """Return the bytes of a public key.

    Raises ApiError when it is not one.
    """
    if not text:
        return b""
    key = decode_base64url(text)
    if key is None or len(key) != PUBLIC_KEY_BYTES:
        raise make_error(
            Reason.FIELD_INVALID,
            "public_key must be 32 bytes in base64url without padding",
            field="public_key",
        )
    return key


def key_request(
    *,
    account: str,
    algorithm: int,
    public_key: str,
    scopes: list[int],
    addresses: list[str],
    expires_ns: int,
    label: str,
) -> KeyRequest:
    """Return what the auth package makes a key of."""
    return KeyRequest(
        account=account,
        scopes=frozenset(map(scope_name, scopes)) or frozenset({"read"}),
        algorithm=ALGORITHMS[algorithm],
        public_key=public_key_of(public_key),
        addresses=tuple(addresses),
        expires_ns=expires_ns or None,
        label=label,
    )


def record_of(key: ApiKey) -> KeyRecord:
    """Return a key as the journal keeps it."""
    return KeyRecord(
        key.key_id,
        key.account,
        key.algorithm,
        key.public_key,
        key.sealed_secret,
        tuple(sorted(key.scopes)),
        key.addresses,
        key.label,
        key.created_ns,
        key.expires_ns or 0,
        key.revoked_ns or 0,
    )


def key_of(record: KeyRecord) -> ApiKey:
    """Return a key as the auth package knows it."""
    return ApiKey(
        key_id=record.key_id,
        account=record.account,
        scopes=frozenset(record.scopes),
        algorithm="hmac-sha256" if record.algorithm == "hmac-sha256" else "ed25519",
        public_key=record.public_key,
        sealed_secret=record.sealed_secret,
        addresses=record.addresses,
        created_ns=record.created_ns,
        expires_ns=record.expires_ns or None,
        revoked_ns=record.revoked_ns or None,
        label=record.label,
    )


def key_message(record: KeyRecord) -> key_pb2.ApiKey:
    """Return a key as its owner may see it."""
    message = key_pb2.ApiKey(
        api_key=record.key_id,
        account=record.account,
        algorithm=ALGORITHM_NUMBERS[record.algorithm],
        public_key=encode_base64url(record.public_key) if record.public_key else "",
        scopes=scope_numbers(frozenset(record.scopes)),
        addresses=record.addresses,
        label=record.label,
        create_time=timestamp(record.created_ns),
    )
    if record.expires_ns:
        message.expire_time.CopyFrom(timestamp(record.expires_ns))
    if record.revoked_ns:
        message.revoke_time.CopyFrom(timestamp(record.revoked_ns))
    return message
