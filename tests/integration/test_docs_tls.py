"""The programs of the pages over TLS, as the REST page says, at a venue with a certificate."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tradewire_gateway.web.rendering import EXAMPLES

from tests.support.certificates import Authority
from tests.support.command_line import run_command, venue_process
from tests.support.node import needs_node, program

TRUST = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")


@pytest.mark.parametrize(
    "name", ["first_order.sh", "first_order.py", pytest.param("first_order.mts", marks=needs_node)]
)
def test_an_order_is_placed_over_tls(tmp_path: Path, name: str) -> None:
    page = (EXAMPLES.parent / "pages" / "rest.md").read_text(encoding="utf-8")
    for variable in TRUST:
        assert f"{variable}=authority.pem" in page
    authority = Authority(tmp_path)
    pair = authority.certify("venue", "127.0.0.1")
    tls = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    data_dir = tmp_path / "data"
    with venue_process(data_dir, "--no-bots", *tls) as venue:
        rest = venue.wait_until_ready()["rest"]
        assert rest.startswith("https://")
        trusting = ("--tls-ca", str(authority.certificate), "--data-dir", str(data_dir))
        signed_in = run_command("token", *trusting)
        assert signed_in.exit_code == 0, signed_in.err
        interpreter = {"sh": ["bash"], "py": [sys.executable], "mts": [program("tsx")]}
        command = [*interpreter[name.partition(".")[2]], str(EXAMPLES / name)]
        environment = {
            "PATH": os.environ["PATH"],
            "TRADEWIRE_URL": rest,
            "TRADEWIRE_TOKEN": signed_in.out.strip(),
        }
        trust = dict.fromkeys(TRUST, str(authority.certificate))
        for given, works in ((trust, True), ({}, False)):
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env={**environment, **given},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert ("ORDER_STATUS_CANCELED" in done.stdout) is works, done.stderr
