"""The files that `make gen` writes and that are read at run time."""

from pathlib import Path


def generated(name: str) -> bytes:
    """Return the content of a generated file: `openapi.json`, `asyncapi.json` or
    `tradewire.binpb`.

    An installed package holds them in its own folder `gen`, a checkout in `proto/gen`.
    """
    package = Path(__file__).parent
    shipped = package / "gen" / name
    return (shipped if shipped.exists() else package.parent / "gen" / name).read_bytes()
