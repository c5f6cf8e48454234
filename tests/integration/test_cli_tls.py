"""A venue with TLS, as the command line shows it: whom to trust, and what is said without that."""

from pathlib import Path

from tests.support.certificates import Authority
from tests.support.command_line import run_command, venue_process


def test_the_lines_to_paste_say_whom_to_trust(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.certify("venue", "127.0.0.1")
    data_dir = tmp_path / "data"
    tls = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    with venue_process(data_dir, "--no-bots", *tls) as venue:
        untrusted = run_command("book", "BTC-USD", "--data-dir", str(data_dir))
        doubted = run_command("doctor", "--data-dir", str(data_dir))
        trusting = ("--data-dir", str(data_dir), "--tls-ca", str(authority.certificate))
        book = run_command("book", "BTC-USD", *trusting)
        healthy = run_command("doctor", *trusting)
        shown = venue.printed
    assert shown.count("--tls-ca authority.pem") == 4
    assert "--cacert authority.pem https://" in shown
    assert book.exit_code == 0, book.err
    for said in (untrusted.err, doubted.out):
        told = " ".join(said.split())
        assert "the venue's certificate is not trusted" in told
        assert "--tls-ca FILE" in told
    assert "not trusted" not in " ".join(healthy.out.split())


def test_swapped_files_are_no_port_that_is_taken(tmp_path: Path) -> None:
    pair = Authority(tmp_path).certify("venue", "127.0.0.1")
    tls = ("--tls-certificate", str(pair.key), "--tls-key", str(pair.certificate))
    refused = run_command("up", "--data-dir", str(tmp_path / "data"), "--no-bots", *tls)
    assert refused.exit_code == 1
    assert "are certificate and key swapped?" in refused.err
