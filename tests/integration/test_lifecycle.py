"""A venue's life: starting, draining, failing, starting again."""

import asyncio
import contextlib
import datetime
import socket
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tradewire.v1 import order_pb2, reason_pb2, session_service_pb2
from tradewire_server.app import Application, ListenError, Settings, Tls
from tradewire_server.journal.errors import JournalError, JournalWriteFailed
from tradewire_server.journal.records import Batch

from tests.integration.conftest import Complaints
from tests.support.audit import audit
from tests.support.failures import failure
from tests.support.slow_disk import SlowDisk
from tests.support.trading import TIMEOUT_S, Trader, limit
from tests.support.venue import Clock, RunningVenue, Stubs, running_venue
from tests.support.waiting import eventually


async def test_a_drain_answers_what_waits_and_tells_the_streams(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=5)
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        disk = SlowDisk(venue.app)
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), venue.credentials["alice"])
            async with (
                alice.enter(cancel_on_disconnect=True) as entry,
                alice.follow() as follower,
                alice.follow_account() as ledger,
                alice.watch(["BTC-USD"]) as market,
            ):
                for stream in (entry, follower, ledger, market):
                    await stream.live()
                await entry.do(limit("a-0"))
                disk.hold()
                first = asyncio.create_task(alice.place(limit("u-1")))
                await disk.held()
                # These wait behind the commit that is under way.
                second = asyncio.create_task(alice.place(limit("u-2")))
                await entry.send(*(limit(f"a-{number}") for number in range(1, 200)))
                await eventually(lambda: venue.app.sequencer.queue_length == 200)

                draining = asyncio.create_task(venue.app.drain())
                await asyncio.sleep(0)
                late = await failure(alice.place(limit("late")))
                disk.release()

                assert (await first).order.client_order_id == "u-1"
                assert (await second).order.client_order_id == "u-2"
                for stream in (entry, follower, ledger, market):
                    tape = await stream.to_end()
                    assert tape.closed.reason == "SERVER_DRAINING"
                await draining
        assert late.reason == "NOT_SERVING"
        assert [result.HasField("order") for result in entry.tape.results] == [True] * 200
        assert entry.tape.closing is not None
        assert entry.tape.closing.resume_after == entry.tape.position
        assert follower.tape.executions[0].sequence == 1
        # The end of the stream canceled its orders, and only those, before the venue was gone.
        left = {order.client_order_id for order in venue.app.state.orders.values()}
        assert left == {"u-1", "u-2"}
        venue.app.drain = nothing  # type: ignore[method-assign]
    audit(venue.app)


async def nothing() -> None:
    """Stand for a drain that was done."""


async def test_the_next_start_is_from_the_snapshot_of_the_drain(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with venue.connect() as channel:
            await Trader(Stubs(channel), venue.credentials["alice"]).place(limit("a-1"))
    before = venue.app.state

    app = Application(Settings(data_dir=data_dir, grpc_port=0, admin_port=0), clock_ns=clock)
    snapshot = app.journal.latest_snapshot()
    assert snapshot is not None
    assert snapshot.event_number == before.event_number
    assert snapshot.state_hash == before.state_hash() == app.state.state_hash()
    await app.start()
    await app.drain()


async def test_draining_is_said_to_those_who_ask_for_health(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue, venue.connect() as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="tradewire.v1.OrderService"))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        await venue.app.set_health(serving=False)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()


async def test_a_failed_write_stops_the_venue_and_answers_nothing(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    app = Application(
        Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=0.1), clock_ns=clock
    )
    venue = RunningVenue(app, *await app.start())
    await venue.provision(["alice"])
    async with venue.connect() as channel:
        alice = Trader(Stubs(channel), venue.credentials["alice"])
        kept = await alice.place(limit("kept"))
        async with alice.enter() as entry, alice.follow() as follower:
            await entry.live()
            await follower.live()

            def fail(batch: Batch) -> None:
                raise JournalWriteFailed("the disk is full")

            app.journal.append = fail  # type: ignore[method-assign]
            lost = asyncio.create_task(alice.place(limit("lost")))
            await asyncio.wait_for(app.stopped.wait(), TIMEOUT_S)

            # Nothing of it is shown, by nobody, and nothing more is taken.
            reads = [
                alice.place(limit("later")),
                alice.get("lost"),
                alice.get("kept"),
                alice.orders(),
                alice.balances(),
            ]
            for read in reads:
                assert (await failure(read)).reason == "NOT_SERVING"
            assert not lost.done()
            await app.drain()
            with pytest.raises(grpc.aio.AioRpcError):
                await lost
            for stream in (entry, follower):
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await stream.to_end()
                assert stream.tape.executions == []
                assert stream.tape.results == []
    assert any("the disk is full" in record.getMessage() for record in complaints.records)
    complaints.clear()

    async with running_venue(data_dir, clock_ns=clock) as venue:
        clock.advance(2)
        credential = await venue.create_key("alice")
        await venue.sign_in(credential)
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), credential)
            assert (await alice.get("kept")).order == kept.order
            assert (await failure(alice.get("lost"))).reason == "ORDER_NOT_FOUND"
            assert (await alice.place(limit("lost"))).as_of_sequence == 2
    audit(venue.app)


async def test_a_broken_rule_of_the_engine_stops_the_venue(
    data_dir: Path, clock: Clock, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), venue.credentials["alice"])
            await alice.place(limit("a-1"))
            del venue.app.state.markets["BTC-USD"].instrument
            lost = asyncio.create_task(alice.place(limit("a-2")))
            await asyncio.wait_for(venue.app.stopped.wait(), TIMEOUT_S)
            assert venue.app.failure is venue.app.sequencer.failure is not None
            lost.cancel()
    assert complaints.records
    complaints.clear()
    async with running_venue(data_dir, clock_ns=clock) as venue:
        assert len(venue.app.state.orders) == 1


async def test_two_processes_do_not_share_a_directory(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock):
        with pytest.raises(JournalError):
            Application(Settings(data_dir=data_dir, grpc_port=0, admin_port=0), clock_ns=clock)


async def test_a_taken_port_is_a_clear_error(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for flag in ("grpc_port", "admin_port"):
            ports = {"grpc_port": 0, "admin_port": 0, flag: port}
            app = Application(Settings(data_dir=data_dir, **ports), clock_ns=clock)
            with pytest.raises(ListenError, match=f"port {port} .* --{flag.replace('_', '-')}"):
                await app.start()
            app.journal.close()


async def test_plaintext_does_not_leave_the_machine_unless_allowed(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    settings = Settings(data_dir=data_dir, host="0.0.0.0", grpc_port=0, admin_port=0)
    app = Application(settings, clock_ns=clock)
    with pytest.raises(ListenError, match="--allow-plaintext"):
        await app.start()
    app.journal.close()

    allowed = Settings(
        data_dir=data_dir, host="0.0.0.0", grpc_port=0, admin_port=0, allow_plaintext=True
    )
    async with (
        running_venue(data_dir, settings=allowed, clock_ns=clock) as venue,
        venue.connect() as channel,
    ):
        await Stubs(channel).sessions.GetServerTime(session_service_pb2.GetServerTimeRequest())


@pytest.fixture
def certificate(tmp_path: Path) -> Tls:
    """Make a certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = Tls(certificate=tmp_path / "certificate.pem", key=tmp_path / "key.pem")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


async def test_tls_is_spoken_wherever_it_was_asked_for(
    data_dir: Path, clock: Clock, complaints: Complaints, certificate: Tls
) -> None:
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, tls=certificate)
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        pem = certificate.certificate.read_bytes()
        options = [("grpc.ssl_target_name_override", "localhost")]
        request = session_service_pb2.GetServerTimeRequest()
        async with grpc.aio.secure_channel(
            venue.target, grpc.ssl_channel_credentials(pem), options=options
        ) as channel:
            assert (await Stubs(channel).sessions.GetServerTime(request, timeout=5)).time_ms
        async with grpc.aio.insecure_channel(venue.target) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await Stubs(channel).sessions.GetServerTime(request, timeout=5)


async def test_mutual_tls_lets_in_only_those_with_a_certificate(
    data_dir: Path, clock: Clock, complaints: Complaints, certificate: Tls
) -> None:
    tls = Tls(
        certificate=certificate.certificate, key=certificate.key, client_ca=certificate.certificate
    )
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, tls=tls)
    pem, key = tls.certificate.read_bytes(), tls.key.read_bytes()
    options = [("grpc.ssl_target_name_override", "localhost")]
    request = session_service_pb2.GetServerTimeRequest()
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        for credentials, let_in in (
            (grpc.ssl_channel_credentials(pem, key, pem), True),
            (grpc.ssl_channel_credentials(pem), False),
        ):
            async with grpc.aio.secure_channel(
                venue.target, credentials, options=options
            ) as channel:
                call = Stubs(channel).sessions.GetServerTime(request, timeout=5)
                if let_in:
                    assert (await call).time_ms
                else:
                    with pytest.raises(grpc.aio.AioRpcError):
                        await call


async def test_orders_expire_by_the_clock(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), venue.credentials["alice"])
            soon = Timestamp()
            soon.FromNanoseconds(clock() + 100 * 10**6)
            placed = await alice.place(
                limit("a-1", time_in_force=order_pb2.TIME_IN_FORCE_GTD, expire_time=soon)
            )
            assert placed.order.expire_time == soon
            # Nothing else happens at the venue: its own timer does it.
            async with alice.follow(after_sequence=0) as follower:
                tape = await follower.until(lambda tape: len(tape.executions) == 2)
            expired = tape.executions[1]
            assert expired.type == order_pb2.EXECUTION_TYPE_EXPIRED
            assert expired.reason == reason_pb2.REASON_EXPIRED
            assert expired.transact_time.ToNanoseconds() >= soon.ToNanoseconds()

            day = await alice.place(limit("a-2", time_in_force=order_pb2.TIME_IN_FORCE_DAY))
            assert day.order.expire_time.seconds % 86_400 == 0
            long = Timestamp(seconds=day.order.expire_time.seconds + 5 * 86_400)
            await alice.place(
                limit("a-3", time_in_force=order_pb2.TIME_IN_FORCE_GTD, expire_time=long)
            )
    clock.advance(86_400)
    # What is due is expired before anybody is served.
    async with running_venue(data_dir, clock_ns=clock) as venue:
        left = [order.client_order_id for order in venue.app.state.orders.values()]
        assert left == ["a-3"]
    audit(venue.app)


async def test_the_venue_counts_what_it_does(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), venue.credentials["alice"])
            await alice.place(limit("a-1"))
            await alice.place(limit("a-2"))
            await failure(alice.place(limit("bad id")))
            async with alice.follow() as follower:
                await follower.live()
                await alice.place(limit("a-3"))
        registry = venue.app.metrics.registry
        place = {"method": "/tradewire.v1.OrderService/PlaceOrder"}
        ok, invalid = {**place, "code": "0"}, {**place, "code": "3"}
        assert registry.get_sample_value("tradewire_calls_total", ok) == 3
        assert registry.get_sample_value("tradewire_calls_total", invalid) == 1
        assert registry.get_sample_value("tradewire_call_seconds_count", place) == 3
        assert registry.get_sample_value("tradewire_open_orders") == 3
        events = registry.get_sample_value("tradewire_event_number")
        assert events == venue.app.journal.last_event()
