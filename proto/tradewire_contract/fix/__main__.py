"""Writes what is made of the contract for FIX: `python -m tradewire_contract.fix IMAGE FOLDER`.

`proto/generate.py` runs it as a process of its own, on the code that it has just generated.
"""

import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tradewire_contract.fix.dictionary import render_dictionary
from tradewire_contract.fix.engagement import render_engagement
from tradewire_contract.fix.messages import fix_contract
from tradewire_contract.fix.published import DICTIONARY, ENGAGEMENT


def main(image: Path, folder: Path) -> None:
    """Write both documents of the contract whose descriptors, with comments, are in ``image``."""
    contract = fix_contract()
    descriptors = FileDescriptorSet.FromString(image.read_bytes())
    (folder / DICTIONARY).write_text(render_dictionary(contract))
    (folder / ENGAGEMENT).write_text(render_engagement(contract, descriptors))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
