"""Fails when the OpenAPI document takes something away from clients of the published one.

Part of `make check`, as `buf breaking` is for the protobuf contract. `make baseline` declares the
present document published.
"""

import json
import sys
from pathlib import Path

from tradewire_contract.openapi import breaking_changes

PROTO = Path(__file__).resolve().parent


def main() -> int:
    """Compare, say what is lost, return the exit code."""
    old, new = (
        json.loads((PROTO / name).read_text())
        for name in ("baseline.openapi.json", "gen/openapi.json")
    )
    changes = breaking_changes(old, new)
    for change in changes:
        print(change, file=sys.stderr)
    if changes:
        print("Within a version a change only adds: see proto/VERSIONING.md.", file=sys.stderr)
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
