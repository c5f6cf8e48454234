"""What is wrong with the files of a certificate is said of the right file."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from tradewire_server.app import ListenError, Tls
from tradewire_server.certificates import certificate_problem, is_self_signed

from tests.support.certificates import Authority


def test_files_that_belong_together_have_no_problem(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.certify("venue")
    assert certificate_problem(pair.certificate, pair.key, authority.certificate) == ""
    assert is_self_signed(authority.certificate)
    assert not is_self_signed(pair.certificate)


def test_swapped_files_are_told(tmp_path: Path) -> None:
    pair = Authority(tmp_path).certify("venue")
    problem = certificate_problem(pair.key, pair.certificate, None)
    assert problem == f"{pair.key} has no certificate in PEM: are certificate and key swapped?"
    with pytest.raises(ListenError, match="swapped"):
        Tls(certificate=pair.key, key=pair.certificate).check()


def test_each_file_is_named_for_what_it_lacks(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, other = authority.certify("venue"), authority.certify("other")
    empty = tmp_path / "empty"
    empty.write_text("nothing\n")
    none = tmp_path / "none"
    sealed = tmp_path / "sealed"
    key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
    sealed.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert [
        certificate_problem(pair.certificate, other.key, None),
        certificate_problem(empty, pair.key, None),
        certificate_problem(pair.certificate, empty, None),
        certificate_problem(pair.certificate, sealed, None),
        certificate_problem(pair.certificate, pair.key, empty),
        certificate_problem(pair.certificate, none, None),
    ] == [
        f"{other.key} is not the key of {pair.certificate}",
        f"{empty} has no certificate in PEM",
        f"{empty} has no private key in PEM",
        f"{sealed} needs a password: give a key without one",
        f"{empty} has no certificate in PEM",
        f"{none} cannot be read: No such file or directory",
    ]
