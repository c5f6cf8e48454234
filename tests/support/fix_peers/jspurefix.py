"""A client made with jspurefix, where `make fix-peer` has put it."""

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tradewire_contract.fix import dictionary_text

from tests.support.venue import Credential

FOLDER = Path(__file__).with_name("node")

needs_jspurefix = pytest.mark.skipif(
    shutil.which("node") is None or not (FOLDER / "node_modules" / "jspurefix").is_dir(),
    reason="needs node, and the package that `make fix-peer` installs where npm is",
)


def client_command(
    directory: Path, credential: Credential, port: int, sender: str
) -> tuple[str | Path, ...]:
    """Return how to run the client; its store is in the directory."""
    dictionary, key, store = (directory / name for name in ("dictionary.xml", "key.pem", "store"))
    dictionary.write_text(dictionary_text())
    key.write_bytes(
        credential.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    store.mkdir(exist_ok=True)
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "sender": sender,
        "target": "TW-ORDERS",
        "key": credential.key_id,
        "pem": str(key),
        "dictionary": str(dictionary),
        "store": str(store),
    }
    return "node", FOLDER / "client.mjs", json.dumps(settings)
