"""The client as a whole: it covers the contract, finds the demo venue, closes what it opened."""

import asyncio
import inspect
import json
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import tradewire_client as tw
from tradewire.v1 import (
    account_pb2,
    account_service_pb2,
    key_pb2,
    key_service_pb2,
)
from tradewire_client._calls import Caller
from tradewire_client._gen import stubs
from tradewire_client._retry import Effect
from tradewire_contract import methods

from tests.unit.client.fake_venue import KEY, FakeVenue, bare_fault, fault, script

METHODS = {
    f"{method.service}.{method.name}": method
    for method in methods().values()
    if not method.service.endswith("AdminService")
}


def demo_file(tmp_path: Path, target: str, **changes: Any) -> Path:
    seed = json.loads(_saved(tmp_path))["private_key"]
    entry = {
        "account": "demo-1",
        "api_key": "tw_test",
        "algorithm": "ed25519",
        "private_key": seed,
        "scopes": ["read", "trade", "transfer"],
    }
    demo = {
        "environment": "sandbox",
        "grpc": target,
        "admin": "127.0.0.1:1",
        "accounts": [entry, {**entry, "account": "demo-2"}],
        "admin_key": {**entry, "account": "admin", "scopes": ["admin"]},
    }
    path = tmp_path / "demo.json"
    path.write_text(json.dumps({**demo, **changes}))
    return path


def _saved(tmp_path: Path) -> str:
    path = tmp_path / "key.json"
    KEY.save(path)
    return path.read_text()


async def test_the_demo_venue_is_found(tmp_path: Path) -> None:
    async with FakeVenue() as venue:
        path = demo_file(tmp_path, venue.target)
        async with tw.Client.from_demo(path, account="demo-2") as client:
            assert client.session.environment == "sandbox"
            assert repr(client) == f"Client({venue.target!r}, account='demo-1')"
        (request,) = venue.requests("CreateSession")
        assert request.signature.api_key == "tw_test"


def test_an_account_that_the_demo_venue_does_not_have_is_named(tmp_path: Path) -> None:
    path = demo_file(tmp_path, "127.0.0.1:1")
    with pytest.raises(tw.ConfigurationError, match="no account 'x', there are demo-1, demo-2"):
        tw.Client.from_demo(path, account="x")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"accounts": 5}', '{"accounts": [{}]}'])
def test_another_file_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    path.write_text(content)
    with pytest.raises(tw.ConfigurationError, match=r"demo\.json"):
        tw.Client.from_demo(path)


async def test_a_channel_of_others_is_used_and_left_open() -> None:
    async with FakeVenue() as venue, grpc.aio.insecure_channel(venue.target) as channel:
        async with tw.Client(channel=channel, key=KEY) as client:
            await client.session.server_time()
        async with tw.Client(channel=channel) as client:
            await client.session.server_time()


async def test_a_client_that_cannot_sign_in_closes_its_channel() -> None:
    async with FakeVenue() as venue:
        venue.on(CreateSession=script(fault("KEY_REVOKED")))
        client = venue.client()
        with pytest.raises(tw.AuthenticationError):
            await client.__aenter__()
        with pytest.raises(tw.ClientClosed):
            await client.market.ticker("BTC-USD")


async def test_closing_during_a_call_is_told_as_what_it_means() -> None:
    arrived = asyncio.Event()

    async def hang(request: Any, context: Any) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with FakeVenue() as venue:
        venue.on(PlaceOrder=hang, GetAccount=hang)
        calls: list[tuple[Any, type[Exception]]] = [
            (lambda client: client.account.get(), tw.ClientClosed),
            (lambda client: client.orders.place(**ARGUMENTS["orders.place"]), tw.UnknownOutcome),
        ]
        for call, expected in calls:
            arrived.clear()
            client = await venue.client().__aenter__()
            waiting = asyncio.create_task(call(client))
            await arrived.wait()
            await client.close()
            with pytest.raises(expected):
                await waiting


async def test_a_call_whose_task_is_canceled_is_canceled() -> None:
    arrived = asyncio.Event()

    async def hang(request: Any, context: Any) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with FakeVenue() as venue, venue.on(GetAccount=hang).client() as client:
        waiting = asyncio.create_task(client.account.get())
        await arrived.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


class Recorder:
    """Stands for a gRPC channel: notes which methods are called, and answers nothing."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def unary_unary(self, path: str, **options: Any) -> Any:
        return self._method(path)

    unary_stream = stream_stream = unary_unary

    def _method(self, path: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(path)
            raise grpc.aio.UsageError("nobody is there")

        return call


ARGUMENTS: dict[str, dict[str, Any]] = {
    "orders.place": {"symbol": "A-B", "side": "buy", "type": "market", "quantity": 1},
    "orders.amend": {"order_id": "1"},
    "orders.cancel": {"order_id": "1"},
    "orders.get": {"order_id": "1"},
    "orders.place_many": {"orders": [{"symbol": "A-B", "side": "buy", "type": "market"}]},
    "orders.cancel_many": {"cancels": ["1"]},
    "market.candles": {"symbol": "A-B", "interval": "1m"},
    "market.books": {"symbols": ["A-B"]},
    "executions.page": {"account": "", "page_size": 1, "after": 0},
    "keys.rotate": {"api_key": "k"},
    "keys.revoke": {"api_key": "k"},
}


async def exercise(client: tw.Client) -> None:
    """Call everything that the parts of a client offer."""
    for part in ("orders", "executions", "market", "account", "keys", "session"):
        for name, member in inspect.getmembers(getattr(client, part), inspect.isroutine):
            if name.startswith("_") or (part == "session" and name != "server_time"):
                continue
            arguments = ARGUMENTS.get(f"{part}.{name}")
            if arguments is None:
                arguments = {"symbol": "A-B"} if part == "market" and name != "instruments" else {}
            await _use(member, arguments)
    await _use(client.create_ticket, {})


async def _use(member: Any, arguments: dict[str, Any]) -> None:
    try:
        result = member(**arguments)
        if isinstance(result, tw.OrderEntry):
            await result.__aenter__()
        elif hasattr(result, "__anext__"):
            await anext(result)
        else:
            await result
    except tw.ClientClosed:
        pass
    except StopAsyncIteration:
        pass


async def test_every_method_of_the_contract_can_be_called() -> None:
    recorder = Recorder()
    channel: Any = recorder
    client = tw.Client(channel=channel)
    await exercise(client)
    # Signing in and out need a key; they are tested with the session.
    client = tw.Client(channel=channel, key=KEY, environment="sandbox")
    with pytest.raises(tw.ClientClosed):
        await client.session.sign_in()

    called = {path.strip("/").replace("/", ".") for path in recorder.calls}
    # The others are for those who write a client of their own.
    assert {name.rpartition(".")[2] for name in set(METHODS) - called} == {
        "EndSession",
        "CheckSignature",
        "GetTokenKeys",
    }
    assert called <= set(METHODS)


async def test_what_is_repeated_is_what_the_contract_calls_idempotent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    effects: dict[str, Effect] = {}
    call = Caller.call

    async def record(self: Caller, method: Any, request: Any, **options: Any) -> Any:
        name = type(request).__name__.removesuffix("Request")
        effects[name] = options.get("effect", Effect.NONE)
        return await call(self, method, request, **options)

    monkeypatch.setattr(Caller, "call", record)
    channel: Any = Recorder()
    await exercise(tw.Client(channel=channel))

    by_name = {method.name: method for method in METHODS.values()}
    assert effects
    for name, effect in effects.items():
        method = by_name[name]
        assert (effect is Effect.ONCE) == (not method.idempotent), name
        reads = method.scope in ("public", "read") and method.idempotent
        assert (effect is Effect.NONE) == reads, name


async def test_that_a_method_will_end_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    announced = (
        ("deprecation", "@1767225600"),
        ("sunset", "Wed, 01 Jul 2026 00:00:00 GMT"),
        ("link", '</docs/versions>; rel="deprecation"'),
    )

    async def get(request: Any, context: Any) -> account_service_pb2.GetAccountResponse:
        await context.send_initial_metadata(announced)
        return account_service_pb2.GetAccountResponse()

    async def limits(request: Any, context: Any) -> account_service_pb2.GetLimitsResponse:
        await context.send_initial_metadata(announced[:1])
        raise fault("SCOPE_MISSING")

    async with FakeVenue() as venue, venue.client() as client:
        venue.on(GetAccount=get, GetLimits=limits)
        for _ in range(2):
            await client.account.get()
            with pytest.raises(tw.PermissionDenied):
                await client.account.limits()
    first, second = (record.getMessage() for record in caplog.records)
    assert first == (
        "GetAccount is deprecated and ends on Wed, 01 Jul 2026 00:00:00 GMT, "
        'see </docs/versions>; rel="deprecation"'
    )
    assert second == "GetLimits is deprecated"


def test_the_generated_stubs_are_those_of_the_contract() -> None:
    services = {method.service.rpartition(".")[2] for method in METHODS.values()}
    assert all(hasattr(stubs, f"{service}Stub") for service in services)


@pytest.mark.parametrize("failure", [bare_fault(grpc.StatusCode.UNAVAILABLE), fault("OVERLOADED")])
async def test_a_key_is_asked_for_once(failure: Exception) -> None:
    async with FakeVenue() as venue:
        venue.on(CreateKey=script(failure), RotateKey=script(failure))
        async with venue.client() as client:
            with pytest.raises((tw.UnknownOutcome, tw.NotServing)):
                await client.keys.create(public_key="x", scopes=["read", tw.Scope.TRADE])
            with pytest.raises((tw.UnknownOutcome, tw.NotServing)):
                await client.keys.rotate("tw_old")
        (request,) = venue.requests("CreateKey")
        assert (request.public_key, list(request.scopes)) == ("x", [2, 3])
        assert len(venue.requests("RotateKey")) == 1


async def test_keys_are_listed_and_revoked() -> None:
    def page(request: Any, context: Any) -> key_service_pb2.ListKeysResponse:
        keys = [key_pb2.ApiKey(api_key=request.page_token or "first")]
        return key_service_pb2.ListKeysResponse(
            keys=keys, next_page_token="" if request.page_token else "second"
        )

    def revoke(request: Any, context: Any) -> key_service_pb2.RevokeKeyResponse:
        key = key_pb2.ApiKey(api_key=request.api_key)
        key.revoke_time.FromNanoseconds(7)
        return key_service_pb2.RevokeKeyResponse(key=key)

    async with FakeVenue() as venue:
        lost = bare_fault(grpc.StatusCode.UNAVAILABLE)
        venue.on(ListKeys=page, RevokeKey=script(lost, revoke))
        async with venue.client() as client:
            assert [key.api_key for key in await client.keys.list()] == ["first", "second"]
            revoked = await client.keys.revoke("first")
            assert (revoked.api_key, revoked.revoke_time_ns) == ("first", 7)
            assert revoked.expire_time is None


async def test_reads_of_the_account_say_up_to_where_they_are_true() -> None:
    account = account_service_pb2

    def ledger(request: Any, context: Any) -> account.ListLedgerEntriesResponse:
        first = request.after_sequence + 1
        return account.ListLedgerEntriesResponse(
            entries=[account_pb2.LedgerEntry(ledger_sequence=n) for n in range(first, first + 2)],
            as_of_ledger_sequence=6,
            journal_id="j",
        )

    async with FakeVenue() as venue:
        venue.on(
            ListBalances=lambda request, context: account.ListBalancesResponse(
                balances=[account_pb2.Balance(asset="BTC", total="1.5")],
                as_of_sequence=3,
                as_of_ledger_sequence=4,
                journal_id="j",
            ),
            ListPositions=lambda request, context: account.ListPositionsResponse(
                positions=[account_pb2.Position(symbol="BTC-USD")], as_of_sequence=3
            ),
            GetLimits=lambda request, context: account.GetLimitsResponse(
                limits=[account.LimitState(name="key", remaining=5)], open_order_limit=9
            ),
            ListLedgerEntries=ledger,
        )
        async with venue.client() as client:
            balances = await client.account.balances()
            assert [str(balance.total) for balance in balances] == ["1.5"]
            assert (balances.as_of_sequence, balances.as_of_ledger_sequence) == (3, 4)
            assert balances.journal_id == "j"
            assert (await client.account.positions()).as_of_sequence == 3
            limits = await client.account.limits()
            assert (limits.limits[0].remaining, limits.open_order_limit) == (5, 9)
            entries = await client.account.ledger(after_sequence=2)
            assert [entry.ledger_sequence for entry in entries] == [3, 4, 5, 6]
