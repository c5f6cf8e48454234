"""Says what is wrong with the files of a listener's certificate: gRPC only says that it failed."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization


def certificate_problem(certificate: Path, key: Path, client_ca: Path | None) -> str:
    """Return what is wrong with PEM files that belong together, empty if nothing is."""
    try:
        return (
            _pair_problem(certificate, key)
            if client_ca is None
            else _pair_problem(certificate, key)
            or _chain_problem(client_ca, client_ca.read_bytes())
        )
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"


def _pair_problem(certificate: Path, key: Path) -> str:
    chain, private = certificate.read_bytes(), key.read_bytes()
    problem = _chain_problem(certificate, chain)
    if problem:
        return (
            f"{problem}: are certificate and key swapped?" if b"PRIVATE KEY" in chain else problem
        )
    try:
        loaded = serialization.load_pem_private_key(private, password=None)
    except TypeError:
        return f"{key} needs a password: give a key without one"
    except (ValueError, UnsupportedAlgorithm):
        return f"{key} has no private key in PEM"
    certified = x509.load_pem_x509_certificates(chain)[0].public_key()
    if loaded.public_key() != certified:
        return f"{key} is not the key of {certificate}"
    return ""


def _chain_problem(path: Path, chain: bytes) -> str:
    try:
        x509.load_pem_x509_certificates(chain)
    except ValueError:
        return f"{path} has no certificate in PEM"
    return ""


def is_self_signed(certificate: Path) -> bool:
    """Say whether a certificate is its own authority, so that clients can be given itself."""
    first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    return first.issuer == first.subject
