"""The master key's file: the only module of this package that touches the file system.

The file holds the base64 of 32 bytes and is readable by its owner only. It is created whole or not
at all: written and synced under a temporary name, then linked to its own. Linking never replaces,
so of two processes that start at once one creates it and the other reads it.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from tradewire_server.auth.sealing import (
    MASTER_KEY_BYTES,
    Entropy,
    MasterKeyError,
    decode_master_key,
    encode_master_key,
)

_OWNER_ONLY = 0o600
_FILE_BYTES_MAX = 256


def load_or_create_master_key(path: Path, *, entropy: Entropy = secrets.token_bytes) -> bytes:
    """Return the master key in this file, made at first use.

    Raises:
        MasterKeyError: the file is no regular file, open to others, or does not hold a key.
        OSError: it cannot be read or written.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        _create(path, entropy(MASTER_KEY_BYTES))
        return _load(path)


def _load(path: Path) -> bytes:
    # O_NONBLOCK: a pipe in its place is refused below and does not hang the start.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise MasterKeyError(f"{path} is not a regular file.")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise MasterKeyError(
                f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): "
                f"`chmod 600 {path}`, and rotate the keys if others could read it."
            )
        content = os.read(descriptor, _FILE_BYTES_MAX)
    finally:
        os.close(descriptor)
    try:
        return decode_master_key(content.decode("ascii", errors="replace"))
    except MasterKeyError as error:
        raise MasterKeyError(f"{path}: {error}") from None


def _create(path: Path, key: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(encode_master_key(key).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # Another process was first: its key counts.
    finally:
        os.unlink(temporary)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
