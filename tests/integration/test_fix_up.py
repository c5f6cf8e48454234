"""FIX as `tradewire up` serves it."""

import asyncio
import contextlib
import json
import ssl
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tradewire_server.auth.encoding import decode_base64url

from tests.support.certificates import Authority
from tests.support.command_line import venue_process
from tests.support.fix import FixClient, Peer
from tests.support.venue import Credential


def demo_peer(data_dir: Path) -> Peer:
    """Return a client with the first key of a demo venue that may trade."""
    demo = json.loads((data_dir / "demo.json").read_bytes())
    entry = next(each for each in demo["accounts"] if "trade" in each["scopes"])
    seed = decode_base64url(entry["private_key"])
    assert seed is not None
    private_key = Ed25519PrivateKey.from_private_bytes(seed)
    return Peer(Credential(entry["account"], entry["api_key"], private_key))


async def attempt(port: int, peer: Peer, tls: ssl.SSLContext | None) -> FixClient:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    client = FixClient(peer, reader, writer)
    client.log_on()
    await client.until(lambda: client.logon is not None or client.is_closed)
    return client


async def trade(
    port: int, peer: Peer, client_order_id: str, *, tls: ssl.SSLContext | None = None
) -> FixClient:
    # Right after its start a venue accepts nothing that may have been signed for the one before.
    async with asyncio.timeout(20):
        while (client := await attempt(port, peer, tls)).logon is None:
            assert "Not authenticated" in client.last_words
            # Whoever tries again at once, again and again, is told to wait longer.
            await asyncio.sleep(0.1)
    client.place(client_order_id, t38="0.01", t44="30000")
    assert (await client.next("8", t11=client_order_id)).body[150] == "0"
    return client


async def test_up_serves_order_entry_and_says_when_it_ends(tmp_path: Path) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots", "--no-rest") as venue:
        marker = await asyncio.to_thread(venue.wait_until_ready)
        port = marker["ports"]["fix"]
        assert marker["fix"] == f"127.0.0.1:{port}"
        assert (data_dir / "fix.db").stat().st_mode & 0o077 == 0
        client = await trade(port, demo_peer(data_dir), "a-1")
        ended = asyncio.create_task(asyncio.to_thread(venue.end))
        assert "The venue ends" in await client.closed()
        assert client.messages[-1].type == "B"
        assert await ended == 0
    # The next one goes on where this one was.
    with venue_process(data_dir, "--no-bots", "--no-rest") as venue:
        marker = await asyncio.to_thread(venue.wait_until_ready)
        client = await trade(marker["ports"]["fix"], client.peer, "a-2")
        assert client.messages == []
        await client.log_out()
        assert await asyncio.to_thread(venue.end) == 0


async def test_up_without_fix_listens_nowhere_for_it(tmp_path: Path) -> None:
    with venue_process(tmp_path / "venue", "--no-bots", "--no-rest", "--no-fix") as venue:
        marker = await asyncio.to_thread(venue.wait_until_ready)
        assert (marker["fix"], marker["ports"]["fix"]) == (None, 0)
        assert not (tmp_path / "venue" / "fix.db").exists()


async def test_with_tls_fix_speaks_it_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.certify("venue", "localhost", "127.0.0.1")
    files = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    context = ssl.create_default_context(cafile=str(authority.certificate))
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots", "--no-rest", *files) as venue:
        marker = await asyncio.to_thread(venue.wait_until_ready)
        port = marker["ports"]["fix"]
        client = await trade(port, demo_peer(data_dir), "a-1", tls=context)
        await client.log_out()
        # In the clear nobody answers.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01")
        with contextlib.suppress(ConnectionError):
            assert b"FIX" not in await asyncio.wait_for(reader.read(), 20)
        writer.close()
