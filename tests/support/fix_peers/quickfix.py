"""Peers made with QuickFIX for C++, compiled where its headers are installed (libquickfix-dev)."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tradewire_contract.fix import dictionary_text

from tests.support.venue import Credential

SOURCES = Path(__file__).parent
_HALF_A_DAY_S = 12 * 3600


def has_quickfix() -> bool:
    """Say whether programs that use QuickFIX and OpenSSL can be compiled here."""
    if shutil.which("g++") is None:
        return False
    probe = "#include <openssl/evp.h>\n#include <quickfix/Session.h>\n"
    command = ["g++", "-std=c++14", "-fsyntax-only", "-w", "-x", "c++", "-"]
    done = subprocess.run(command, input=probe, text=True, capture_output=True, check=False)
    return done.returncode == 0


needs_quickfix = pytest.mark.skipif(
    not has_quickfix(), reason="needs g++, libquickfix-dev and libssl-dev"
)


def build(name: str, directory: Path) -> Path:
    """Compile one of the programs beside this file; return where it is."""
    program = directory / name
    # Its headers have exception specifications, which C++17 took away.
    command = ["g++", "-std=c++14", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-deprecated"]
    source = SOURCES / f"{name}.cpp"
    libraries = ["-lquickfix", "-lcrypto", "-lpthread"]
    subprocess.run([*command, "-o", str(program), str(source), *libraries], check=True)
    return program


def write_settings(directory: Path, sender: str, target: str, **settings: object) -> Path:
    """Write a settings file with our dictionary and everything validated; return its path."""
    dictionary = directory / "dictionary.xml"
    dictionary.write_text(dictionary_text())
    # A session of QuickFIX begins anew each day; let that be half a day away.
    turn = time.strftime("%H:%M:%S", time.gmtime(time.time() + _HALF_A_DAY_S))
    every = {
        "BeginString": "FIX.4.4",
        "SenderCompID": sender,
        "TargetCompID": target,
        "StartTime": turn,
        "EndTime": turn,
        "HeartBtInt": 30,
        "LogonTimeout": 30,
        "UseDataDictionary": "Y",
        "DataDictionary": dictionary,
        "ValidateFieldsOutOfOrder": "Y",
        "ValidateFieldsHaveValues": "Y",
        "ValidateUserDefinedFields": "Y",
        "FileStorePath": directory / "store",
        "TimestampPrecision": 6,
        "SocketNodelay": "Y",
        **settings,
    }
    path = directory / "settings.cfg"
    path.write_text("[SESSION]\n" + "".join(f"{name}={value}\n" for name, value in every.items()))
    return path


def initiator_command(
    program: Path,
    directory: Path,
    credential: Credential,
    port: int,
    sender: str,
    target: str = "TW-ORDERS",
) -> tuple[str | Path, ...]:
    """Return how to run the initiator; its store is in the directory."""
    key = directory / "key.pem"
    key.write_bytes(
        credential.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    settings = write_settings(
        directory,
        sender,
        target,
        ConnectionType="initiator",
        SocketConnectHost="127.0.0.1",
        SocketConnectPort=port,
        ReconnectInterval=1,
    )
    return program, settings, credential.key_id, key
