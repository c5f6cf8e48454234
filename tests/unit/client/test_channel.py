"""Where a client may speak in the clear, and how it knows the venue elsewhere."""

import datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import tradewire_client as tw
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tradewire.v1 import session_service_pb2
from tradewire_client._channel import is_loopback

from tests.unit.client.fake_venue import quick_options


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1:50051",
        "127.8.9.1:50051",
        "localhost:50051",
        "localhost",
        "[::1]:50051",
        "::1",
        "ipv4:127.0.0.1:50051",
        "ipv6:[::1]:50051",
        "dns:///localhost:50051",
        "unix:/run/venue.sock",
        "unix-abstract:venue",
        "ipv4:127.0.0.1:1,127.0.0.1:2",
    ],
)
def test_this_machine_is_known_as_such(target: str) -> None:
    assert is_loopback(target)


@pytest.mark.parametrize(
    "target",
    [
        "venue.example:50051",
        "10.0.0.1:50051",
        "0.0.0.0:50051",
        "[2001:db8::1]:50051",
        "2001:db8::1",
        "dns:///venue.example:50051",
        "dns://127.0.0.1/venue.example:50051",
        "localhost.example:50051",
        "127.0.0.1.example:50051",
        "ipv4:127.0.0.1:1,10.0.0.1:2",
        "xds:///127.0.0.1",
        "",
    ],
)
def test_any_other_machine_is_not(target: str) -> None:
    assert not is_loopback(target)


class Opened(Exception):
    """A channel would be opened."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    kinds: list[str] = []

    def record(kind: str) -> Any:
        def open_one(target: str, *args: Any, **options: Any) -> Any:
            kinds.append(kind)
            raise Opened

        return open_one

    monkeypatch.setattr(grpc.aio, "insecure_channel", record("plaintext"))
    monkeypatch.setattr(grpc.aio, "secure_channel", record("TLS"))
    return kinds


@pytest.mark.parametrize(
    ("target", "options", "kind"),
    [
        ("127.0.0.1:1", {}, "plaintext"),
        ("127.0.0.1:1", {"tls": tw.Tls()}, "TLS"),
        ("venue.example:1", {}, "TLS"),
        ("venue.example:1", {"allow_plaintext": True}, "plaintext"),
        ("venue.example:1", {"allow_plaintext": True, "tls": tw.Tls()}, "TLS"),
    ],
)
def test_plaintext_stays_on_this_machine_unless_it_is_allowed(
    target: str, options: dict[str, Any], kind: str, opened: list[str]
) -> None:
    with pytest.raises(Opened):
        tw.Client(target, **options)
    assert opened == [kind]


def test_a_client_needs_somewhere_to_go() -> None:
    with pytest.raises(tw.ConfigurationError, match="either a target or a channel"):
        tw.Client()


def test_half_a_client_certificate_is_refused() -> None:
    with pytest.raises(tw.ConfigurationError, match="mutual TLS needs both"):
        tw.Client("venue.example:1", tls=tw.Tls(certificate=b"x"))


def make_certificate(name: str) -> tuple[bytes, bytes]:
    """Return a self-signed certificate and its key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(pem), private


async def test_a_venue_with_tls_is_known_by_its_certificate_and_knows_the_clients(
    tmp_path: Path,
) -> None:
    venue_certificate, venue_key = make_certificate("venue.test")
    client_certificate, client_key = make_certificate("client.test")
    (tmp_path / "roots.pem").write_bytes(venue_certificate)

    async def server_time(request: Any, context: Any) -> bytes:
        return session_service_pb2.GetServerTimeResponse(time_ms=5).SerializeToString()

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"GetServerTime": grpc.unary_unary_rpc_method_handler(server_time)}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tradewire.v1.SessionService", handlers),)
    )
    credentials = grpc.ssl_server_credentials(
        [(venue_key, venue_certificate)], client_certificate, require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        known = tw.Tls(
            root_certificates=tmp_path / "roots.pem",
            certificate=client_certificate,
            private_key=client_key,
            server_name="venue.test",
        )
        unknown = tw.Tls(root_certificates=venue_certificate, server_name="venue.test")
        options = {**quick_options(), "key": None}
        async with tw.Client(f"127.0.0.1:{port}", tls=known, **options) as client:
            assert (await client.session.server_time()).time_ms == 5
        async with tw.Client(f"127.0.0.1:{port}", tls=unknown, **options) as client:
            with pytest.raises(tw.Unavailable):
                await client.session.server_time()
    finally:
        await server.stop(None)
