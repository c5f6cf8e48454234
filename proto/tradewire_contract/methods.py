"""The methods of the contract with their annotations: scope, weight, names on other protocols."""

from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from tradewire.v1 import (
    account_service_pb2,
    admin_service_pb2,
    execution_service_pb2,
    key_service_pb2,
    market_data_service_pb2,
    options_pb2,
    order_service_pb2,
    session_service_pb2,
)

from tradewire_contract.catalogue import reasons

SERVICE_FILES: tuple[FileDescriptor, ...] = (
    order_service_pb2.DESCRIPTOR,
    execution_service_pb2.DESCRIPTOR,
    market_data_service_pb2.DESCRIPTOR,
    account_service_pb2.DESCRIPTOR,
    key_service_pb2.DESCRIPTOR,
    session_service_pb2.DESCRIPTOR,
    admin_service_pb2.DESCRIPTOR,
)
# The notice of proto/VERSIONING.md.
NOTICE = timedelta(days=180)


class ContractError(Exception):
    """The contract breaks one of its own rules: the server does not start with it."""


class Deprecation(NamedTuple):
    """The announced end of a method: days as YYYY-MM-DD, and where to read what to use instead."""

    since: str
    sunset: str
    link: str


class Method(NamedTuple):
    """A method: its gRPC path, its messages and what the contract says about it."""

    path: str
    service: str
    name: str
    scope: str
    weight: int
    idempotent: bool
    reduces_risk: bool
    json_rpc: str
    fix_request: str
    fix_reply: tuple[str, ...]
    client_streaming: bool
    server_streaming: bool
    request: Descriptor
    response: Descriptor
    deprecation: Deprecation | None = None
    # Names of the reasons that this method gives, beside those that any call may get.
    reasons: tuple[str, ...] = ()


@cache
def methods() -> dict[str, Method]:
    """Return every method by its gRPC path.

    Raises ContractError when a method has no scope or no weight: nothing is open by omission.
    """
    found = [
        read_method(service.full_name, method)
        for file in SERVICE_FILES
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    return {method.path: method for method in found}


def read_method(service: str, method: MethodDescriptor) -> Method:
    """Return what the contract says about one method.

    Raises ContractError when it says too little, or breaks the policy of deprecation.
    """
    rule = method.GetOptions().Extensions[options_pb2.method]
    if rule.scope == options_pb2.SCOPE_UNSPECIFIED or not rule.HasField("weight"):
        raise ContractError(f"{service}.{method.name} has no scope or no weight")
    unknown = set(rule.reasons) - {entry.name for entry in reasons().values()}
    if unknown:
        raise ContractError(f"{service}.{method.name} names reasons that are none: {unknown}")
    return Method(
        path=f"/{service}/{method.name}",
        service=service,
        name=method.name,
        scope=options_pb2.Scope.Name(rule.scope).removeprefix("SCOPE_").lower(),
        weight=rule.weight,
        idempotent=rule.idempotent,
        reduces_risk=rule.reduces_risk,
        json_rpc=rule.json_rpc,
        fix_request=rule.fix_request,
        fix_reply=tuple(rule.fix_reply),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        request=method.input_type,
        response=method.output_type,
        deprecation=_deprecation(f"{service}.{method.name}", rule.deprecation)
        if rule.HasField("deprecation")
        else None,
        reasons=tuple(rule.reasons),
    )


def check_deprecation(name: str, deprecation: Deprecation) -> None:
    """Raise ContractError when a method would end sooner than the policy says, or not say where."""
    try:
        since, sunset = map(date.fromisoformat, (deprecation.since, deprecation.sunset))
    except ValueError:
        raise ContractError(f"{name}: since and sunset are days, YYYY-MM-DD") from None
    if sunset < since + NOTICE:
        raise ContractError(f"{name} would end less than {NOTICE.days} days after its announcement")
    if not deprecation.link.startswith("/"):
        raise ContractError(f"{name}: link is a path below the documentation")


def _deprecation(name: str, rule: options_pb2.Deprecation) -> Deprecation:
    found = Deprecation(rule.since, rule.sunset, rule.link)
    check_deprecation(name, found)
    return found
