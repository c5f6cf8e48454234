"""Writes the AsyncAPI document of a descriptor set: `python -m tradewire_contract.asyncapi IN OUT`.

`proto/generate.py` runs it as a process of its own, on the code that it has just generated.
"""

import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tradewire_contract.asyncapi.document import build
from tradewire_contract.openapi.document import render


def main(image: Path, out: Path) -> None:
    """Write the document of the contract whose descriptors, with comments, are in ``image``."""
    out.write_text(render(build(FileDescriptorSet.FromString(image.read_bytes()))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
