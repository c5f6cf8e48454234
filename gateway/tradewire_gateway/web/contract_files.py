"""The files that the portal shows or hands out, from an installed package or from a checkout."""

from pathlib import Path

import tradewire_contract

_PACKAGE = Path(tradewire_contract.__file__).parent
# In a wheel everything stands beside the package that reads the contract.
_INSTALLED = _PACKAGE / "gen"
CHECKOUT = _PACKAGE.parents[1]
IN_CHECKOUT = {
    "tradewire.binpb": "proto/gen/tradewire.binpb",
    "openapi.json": "proto/gen/openapi.json",
    "asyncapi.json": "proto/gen/asyncapi.json",
    "signing.json": "tests/vectors/signing.json",
    "CHANGELOG.md": "CHANGELOG.md",
    "VERSIONING.md": "proto/VERSIONING.md",
    "rules-of-engagement.md": "proto/gen/rules-of-engagement.md",
    "tradewire-fix44.xml": "proto/gen/tradewire-fix44.xml",
}
_PROTO_FOLDER = "tradewire/v1"
_EXPLORER = "gateway/explorer/node_modules/@scalar/api-reference/dist/browser/standalone.js"


def contract_file(name: str) -> bytes | None:
    """Return a file by its name, None if this installation does not have it."""
    for path in (_INSTALLED / name, CHECKOUT / IN_CHECKOUT[name]):
        if path.is_file():
            return path.read_bytes()
    return None


def proto_files() -> dict[str, bytes]:
    """Return the contract's source by path, e.g. `tradewire/v1/order.proto`."""
    for root in (_INSTALLED / "proto", CHECKOUT / "proto"):
        found = sorted((root / _PROTO_FOLDER).glob("*.proto"))
        if found:
            return {f"{_PROTO_FOLDER}/{path.name}": path.read_bytes() for path in found}
    return {}


def explorer_bundle() -> bytes | None:
    """Return the explorer's program, None where its npm package is not installed."""
    path = CHECKOUT / _EXPLORER
    return path.read_bytes() if path.is_file() else None
