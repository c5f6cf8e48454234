"""The terminal as `tradewire up` serves it: the demo sign-in through Envoy, and the banner."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tradewire_gateway.web.demo_sign_in import BURST
from tradewire_gateway.web.terminal_files import newest_build

from tests.support.command_line import VenueProcess, venue_process
from tests.support.rest import failure_of_response


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueProcess]:
    """Share a venue among the tests of this module."""
    with venue_process(tmp_path_factory.mktemp("venue"), "--no-bots") as venue:
        venue.wait_until_ready()
        yield venue
        assert venue.end() == 0


@pytest.fixture
def rest(venue: VenueProcess) -> str:
    """Return where REST is."""
    return str(venue.wait_until_ready()["rest"])


@pytest.fixture
def client(rest: str) -> Iterator[httpx.Client]:
    """Return a browser's HTTP client at the terminal's page."""
    with httpx.Client(base_url=rest, headers={"origin": rest}, trust_env=False) as client:
        yield client


def test_a_page_of_this_machine_signs_in_without_a_key(client: httpx.Client) -> None:
    config = client.get("/console/config.json").json()
    assert (config["environment"], config["demo"]) == ("sandbox", True)
    given = client.post("/console/demo")
    assert given.status_code == 200, given.text
    assert given.json()["account"] == "demo-1"
    begun = client.post("/v1/sessions", json={"ticket": given.json()["ticket"]})
    assert begun.status_code == 200, begun.text
    session = begun.json()
    assert (session["account"], session["scopes"]) == ("demo-1", ["SCOPE_READ", "SCOPE_TRADE"])
    bearer = {"authorization": f"Bearer {session['token']}"}
    assert client.get("/v1/balances", headers=bearer).status_code == 200
    # It makes neither keys nor further tickets.
    key = client.post("/v1/keys", headers=bearer, json={"algorithm": "KEY_ALGORITHM_HMAC_SHA256"})
    assert failure_of_response(key).reason == "SCOPE_MISSING"
    more = client.post("/v1/sessions:ticket", headers=bearer, json={})
    assert failure_of_response(more).reason == "SCOPE_NOT_GRANTABLE"


@pytest.mark.parametrize("origin", ["", "null", "https://evil.example", "http://127.0.0.1:1"])
def test_a_page_of_another_place_does_not(client: httpx.Client, origin: str) -> None:
    request = client.build_request("POST", "/console/demo", headers={"origin": origin})
    if not origin:
        del request.headers["origin"]
    assert failure_of_response(client.send(request)).reason == "ORIGIN_NOT_ALLOWED"


def test_a_name_that_was_made_to_lead_here_does_not_help(client: httpx.Client, rest: str) -> None:
    host = f"evil.example:{rest.rpartition(':')[2]}"
    headers = {"host": host, "origin": f"http://{host}"}
    refused = client.post("/console/demo", headers=headers)
    assert failure_of_response(refused).reason == "ORIGIN_NOT_ALLOWED"


@pytest.mark.parametrize("way", ["envoy", "http edge"])
def test_nobody_names_an_address_of_its_own(
    venue: VenueProcess, client: httpx.Client, rest: str, way: str
) -> None:
    """Else nobody would ever have to wait: each request would be another address."""
    url = rest
    if way == "http edge":
        url = f"http://127.0.0.1:{venue.wait_until_ready()['ports']['http']}"
    answers = [
        client.post(
            f"{url}/console/demo",
            headers={"origin": url, "x-tradewire-client-address": f"192.0.2.{number}"},
        )
        for number in range(BURST + 10)
    ]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert failure_of_response(refused[0]).reason == "RATE_LIMITED"
    assert int(refused[0].headers["retry-after"]) >= 1


def test_the_banner_says_where_the_terminal_is_or_how_to_get_it(
    venue: VenueProcess, client: httpx.Client, rest: str
) -> None:
    page = client.get("/console/", headers={"accept": "text/html"})
    assert f"{rest.replace('http', 'ws')}/v1/ws" in venue.printed
    if newest_build() is None:
        assert page.status_code == 404
        assert "make terminal" in page.text
        assert "make terminal" in venue.printed
    else:
        assert page.status_code == 200
        assert f"{rest}/console" in venue.printed
        assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_where_others_get_in_there_is_no_demo_unless_it_is_wanted(tmp_path: Path) -> None:
    for flags, demo in (((), False), (("--allow-demo-sign-in",), True)):
        open_to_all = ("--rest-host", "0.0.0.0", "--allow-plaintext", *flags)
        with venue_process(tmp_path / str(demo), "--no-bots", *open_to_all) as venue:
            port = venue.wait_until_ready()["ports"]["rest"]
            url = f"http://127.0.0.1:{port}"
            # As a page sees it at the name by which this machine is known.
            headers = {"host": "venue.example", "origin": "http://venue.example"}
            with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
                assert json.loads(client.get("/console/config.json").text)["demo"] is demo
                assert client.post("/console/demo").status_code == (200 if demo else 405)
