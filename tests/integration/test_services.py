"""The services from outside, over blocking gRPC: a client that knows the contract and nothing else.

pytest-grpc's fixtures make the channel; the server is a real venue in a thread with a loop of its
own (and the loop that runs it in production), because its servicers are coroutines.
"""

import asyncio
import itertools
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tradewire.v1 import (
    account_service_pb2,
    admin_service_pb2,
    execution_service_pb2,
    key_pb2,
    key_service_pb2,
    market_data_service_pb2,
    market_pb2,
    options_pb2,
    order_pb2,
    order_service_pb2,
    order_service_pb2_grpc,
    session_service_pb2,
)
from tradewire_contract import methods
from tradewire_server.api.registry import PUBLIC_SERVICES
from tradewire_server.app import Settings

from tests.support.audit import audit
from tests.support.contract_calls import message_class
from tests.support.failures import failure_of, failure_of_call
from tests.support.tape import Tape, sequences
from tests.support.trading import BUY, IOC, SELL, amend, cancel, frame, limit, market
from tests.support.venue import RunningVenue, running_venue

TIMEOUT_S = 20
HMAC = key_pb2.KEY_ALGORITHM_HMAC_SHA256


class VenueThread:
    """A venue whose loop runs in a thread of its own."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.venue: RunningVenue
        self._settings = Settings(data_dir=data_dir, grpc_port=port, admin_port=0, drain_s=0.2)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="venue")

    def start(self) -> None:
        """Return when the venue serves."""
        self._thread.start()
        assert self._started.wait(TIMEOUT_S), "the venue did not start"
        assert self._failure is None, self._failure

    def stop(self) -> None:
        """Drain the venue and end the thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive(), "the venue did not stop"
        assert self._failure is None, self._failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told by `start` or `stop`
            self._failure = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            self.venue = await stack.enter_async_context(
                running_venue(self._settings.data_dir, settings=self._settings)
            )
            await self.venue.provision(["alice", "bob", "carol"], exempt=True)
            self._started.set()
            await self._stop.wait()


# --- pytest-grpc ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grpc_server(grpc_addr: str) -> Iterator[VenueThread]:
    """Replace pytest-grpc's own server, which knows blocking servicers only."""
    with tempfile.TemporaryDirectory() as data_dir:
        server = VenueThread(Path(data_dir), int(grpc_addr.rpartition(":")[2]))
        server.start()
        yield server
        server.stop()
        audit(server.venue.app)


@pytest.fixture(scope="module")
def grpc_stub_cls() -> Any:
    """Name the service of `grpc_stub`."""
    return order_service_pb2_grpc.OrderServiceStub


class Client:
    """Blocking calls with the token of an account."""

    def __init__(self, channel: grpc.Channel, venue: RunningVenue, account: str) -> None:
        self._channel = channel
        self.account = account
        self.metadata = venue.credentials[account].metadata

    def call(self, service: str, name: str, request: Any, **options: Any) -> Any:
        """Call a method of the contract by its name."""
        method = methods()[f"/tradewire.v1.{service}/{name}"]
        kind = "unary_stream" if method.server_streaming else "unary_unary"
        made = getattr(self._channel, kind)(
            method.path,
            request_serializer=message_class(method.request).SerializeToString,
            response_deserializer=message_class(method.response).FromString,
        )
        return made(request, **{"metadata": self.metadata, "timeout": TIMEOUT_S, **options})

    def place(self, request: order_service_pb2.PlaceOrderRequest) -> Any:
        return self.call("OrderService", "PlaceOrder", request)

    def head(self) -> int:
        """Return the newest number of the account."""
        request = execution_service_pb2.ListExecutionsRequest(page_size=1)
        return int(self.call("ExecutionService", "ListExecutions", request).as_of_sequence)


@pytest.fixture
def alice(grpc_channel: grpc.Channel, grpc_server: VenueThread) -> Client:
    return Client(grpc_channel, grpc_server.venue, "alice")


@pytest.fixture
def bob(grpc_channel: grpc.Channel, grpc_server: VenueThread) -> Client:
    return Client(grpc_channel, grpc_server.venue, "bob")


_numbers = itertools.count(1)


@pytest.fixture
def fresh() -> str:
    """Return a prefix for the client order ids of one test: the venue is that of all of them."""
    return f"t{next(_numbers)}"


@pytest.fixture(autouse=True)
def no_orders_left(alice: Client, bob: Client) -> Iterator[None]:
    """Cancel what a test leaves in the book."""
    yield
    for client in (alice, bob):
        client.call("OrderService", "CancelAllOrders", order_service_pb2.CancelAllOrdersRequest())


# --- OrderService ---------------------------------------------------------------------------------


def test_an_order_lives_and_dies(grpc_stub: Any, alice: Client, fresh: str) -> None:
    options = {"metadata": alice.metadata, "timeout": TIMEOUT_S}
    placed = grpc_stub.PlaceOrder(limit(f"{fresh}-1", BUY, "2", "90"), **options)
    assert placed.order.status == order_pb2.ORDER_STATUS_NEW
    amended = grpc_stub.AmendOrder(amend(f"{fresh}-2", f"{fresh}-1", quantity="1"), **options)
    assert amended.priority_kept
    found = grpc_stub.GetOrder(
        order_service_pb2.GetOrderRequest(client_order_id=f"{fresh}-1"), **options
    )
    assert found.order == amended.order
    listed = grpc_stub.ListOrders(order_service_pb2.ListOrdersRequest(), **options)
    assert list(listed.orders) == [amended.order]
    canceled = grpc_stub.CancelOrder(cancel(f"{fresh}-2", f"{fresh}-3"), **options)
    assert canceled.order.status == order_pb2.ORDER_STATUS_CANCELED
    assert canceled.as_of_sequence == placed.as_of_sequence + 2


def test_two_orders_trade(alice: Client, bob: Client, fresh: str) -> None:
    before = bob.head()
    alice.place(limit(f"{fresh}-1", SELL, "1", "100"))
    bought = bob.place(market(f"{fresh}-1", BUY, quantity="0.25"))
    assert bought.order.status == order_pb2.ORDER_STATUS_FILLED
    assert bought.order.average_price == "100"
    assert bought.as_of_sequence == before + 2


def test_a_repeated_order_is_the_first_one(alice: Client, fresh: str) -> None:
    first = alice.place(limit(f"{fresh}-1"))
    assert alice.place(limit(f"{fresh}-1")) == first
    with pytest.raises(grpc.RpcError) as error:
        alice.place(limit(f"{fresh}-1", quantity="2"))
    assert failure_of_call(error.value).reason == "CLIENT_ORDER_ID_REUSED"


def test_an_error_says_what_is_wrong_and_what_to_do(alice: Client, fresh: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        alice.place(limit(f"{fresh}-1", price="1.001"))
    found = failure_of_call(error.value)
    assert (found.reason, found.outcome, found.fields) == ("PRICE_OFF_TICK", "refused", ("price",))
    code: Any = error.value
    assert code.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "0.01" in found.text


def test_a_passed_deadline_has_no_effect(alice: Client, fresh: str) -> None:
    before = alice.head()
    request = limit(f"{fresh}-1")
    request.valid_until.FromNanoseconds(1)
    with pytest.raises(grpc.RpcError) as error:
        alice.place(request)
    found: Any = error.value
    assert found.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert failure_of_call(found).reason == "DEADLINE_PASSED"
    assert alice.head() == before


def test_order_entry_is_a_stream(
    grpc_channel: grpc.Channel, alice: Client, bob: Client, fresh: str
) -> None:
    stub: Any = order_service_pb2_grpc.OrderServiceStub(grpc_channel)  # type: ignore[arg-type]
    before = alice.head()
    frames = [
        frame(cancel_on_disconnect=True),
        frame(limit(f"{fresh}-1", SELL, "2"), limit("bad id"), limit(f"{fresh}-2", SELL, "1")),
        frame(cancel(f"{fresh}-2", f"{fresh}-3")),
    ]
    tape = Tape()
    for message in stub.EnterOrders(iter(frames), metadata=alice.metadata, timeout=TIMEOUT_S):
        tape.take(message)
    assert [result.WhichOneof("outcome") for result in tape.results] == [
        "order",
        "error",
        "order",
        "order",
    ]
    assert failure_of(tape.results[1].error).fields == ("client_order_id",)
    assert sequences(tape.executions) == [before + 1, before + 2, before + 3]
    # The end of the stream cancels what is left of it, and the reader of executions sees that.
    stream = alice.call(
        "ExecutionService",
        "StreamExecutions",
        execution_service_pb2.StreamExecutionsRequest(after_sequence=before + 3),
    )
    seen = Tape()
    for message in stream:
        seen.take(message)
        if seen.executions:
            break
    stream.cancel()
    assert seen.executions[0].order.client_order_id == f"{fresh}-1"
    assert seen.executions[0].type == order_pb2.EXECUTION_TYPE_CANCELED


# --- ExecutionService -----------------------------------------------------------------------------


def test_executions_are_pages_and_a_stream(alice: Client, fresh: str) -> None:
    before = alice.head()
    for number in range(5):
        alice.place(limit(f"{fresh}-{number}"))
    page = alice.call(
        "ExecutionService",
        "ListExecutions",
        execution_service_pb2.ListExecutionsRequest(after_sequence=before, page_size=3),
    )
    assert sequences(list(page.executions)) == [before + 1, before + 2, before + 3]
    tape = Tape()
    stream = alice.call(
        "ExecutionService",
        "StreamExecutions",
        execution_service_pb2.StreamExecutionsRequest(after_sequence=before),
    )
    for message in stream:
        tape.take(message)
        if tape.caught_up is not None:
            break
    stream.cancel()
    assert list(page.executions) == tape.executions[:3]
    assert len(tape.executions) == 5


# --- AccountService -------------------------------------------------------------------------------


def test_an_account_knows_its_money(alice: Client, bob: Client, fresh: str) -> None:
    def usd(client: Client) -> tuple[str, str, str]:
        answer = client.call(
            "AccountService", "ListBalances", account_service_pb2.ListBalancesRequest()
        )
        (found,) = [balance for balance in answer.balances if balance.asset == "USD"]
        return found.total, found.available, found.held

    total, available, held = usd(alice)
    assert (available, held) == (total, "0")
    alice.place(limit(f"{fresh}-1", BUY, "1", "10"))
    assert usd(alice)[2] == "10.02", "price times quantity and the highest fee"
    account = alice.call("AccountService", "GetAccount", account_service_pb2.GetAccountRequest())
    assert (account.account.account, account.account.open_order_count) == ("alice", 1)
    limits = alice.call("AccountService", "GetLimits", account_service_pb2.GetLimitsRequest())
    assert limits.rate_limit_exempt
    positions = bob.call(
        "AccountService", "ListPositions", account_service_pb2.ListPositionsRequest()
    )
    assert positions.journal_id == account.journal_id
    ledger = alice.call(
        "AccountService", "ListLedgerEntries", account_service_pb2.ListLedgerEntriesRequest()
    )
    assert [entry.request_id for entry in ledger.entries][:3] == [
        "alice-USD",
        "alice-BTC",
        "alice-ETH",
    ]


# --- MarketDataService ----------------------------------------------------------------------------


def test_market_data_is_for_everybody(
    grpc_channel: grpc.Channel, grpc_server: VenueThread, alice: Client, bob: Client, fresh: str
) -> None:
    alice.place(limit(f"{fresh}-1", SELL, "2", "120"))
    bob.place(limit(f"{fresh}-1", BUY, "0.5", "120", time_in_force=IOC))
    public = {"metadata": ()}

    def ask(name: str, request: Any) -> Any:
        return alice.call("MarketDataService", name, request, **public)

    book = ask("GetOrderBook", market_data_service_pb2.GetOrderBookRequest(symbol="BTC-USD")).book
    assert [(level.price, level.quantity) for level in book.asks] == [("120", "1.5")]
    trades = ask("ListTrades", market_data_service_pb2.ListTradesRequest(symbol="BTC-USD")).trades
    assert (trades[-1].price, trades[-1].quantity) == ("120", "0.5")
    ticker = ask("GetTicker", market_data_service_pb2.GetTickerRequest(symbol="BTC-USD")).ticker
    assert ticker.last_price == "120"
    candles = ask(
        "ListCandles",
        market_data_service_pb2.ListCandlesRequest(
            symbol="BTC-USD", interval=market_pb2.CANDLE_INTERVAL_1D
        ),
    ).candles
    assert candles[-1].close_price == "120"
    stream = ask(
        "StreamMarketData",
        market_data_service_pb2.StreamMarketDataRequest(symbols=["BTC-USD", "ETH-USD"]),
    )
    tape = Tape()
    for message in stream:
        tape.take(message)
        if tape.caught_up is not None:
            break
    stream.cancel()
    assert {batch.book.symbol for batch in tape.market_data} == {"BTC-USD", "ETH-USD"}


# --- KeyService and SessionService ----------------------------------------------------------------


def test_keys_and_sessions_begin_and_end(
    grpc_channel: grpc.Channel, grpc_server: VenueThread
) -> None:
    carol = Client(grpc_channel, grpc_server.venue, "carol")
    created = carol.call(
        "KeyService", "CreateKey", key_service_pb2.CreateKeyRequest(algorithm=HMAC, label="spare")
    )
    assert list(created.key.scopes) == [options_pb2.SCOPE_READ]
    listed = carol.call("KeyService", "ListKeys", key_service_pb2.ListKeysRequest())
    assert [key.label for key in listed.keys] == ["", "spare"]
    revoked = carol.call(
        "KeyService", "RevokeKey", key_service_pb2.RevokeKeyRequest(api_key=created.key.api_key)
    )
    assert revoked.key.HasField("revoke_time")
    time = carol.call("SessionService", "GetServerTime", session_service_pb2.GetServerTimeRequest())
    assert time.environment == "sandbox"
    carol.call("SessionService", "EndSession", session_service_pb2.EndSessionRequest())
    with pytest.raises(grpc.RpcError) as error:
        carol.head()
    assert failure_of_call(error.value).reason == "TOKEN_INVALID"


# --- AdminService and the standard services -------------------------------------------------------


def test_the_admin_service_is_elsewhere(grpc_server: VenueThread, alice: Client) -> None:
    request = admin_service_pb2.GetVenueStatusRequest(with_state_hash=True)
    with pytest.raises(grpc.RpcError) as error:
        alice.call("AdminService", "GetVenueStatus", request)
    assert failure_of_call(error.value).reason == "METHOD_NOT_FOUND"
    venue = grpc_server.venue
    with grpc.insecure_channel(venue.admin_target) as channel:
        admin = Client(channel, venue, "admin")
        status = admin.call("AdminService", "GetVenueStatus", request)
    assert status.account_count == 5
    assert len(status.state_hash) == 32


def test_health_and_reflection_are_standard(grpc_channel: grpc.Channel) -> None:
    health: Any = health_pb2_grpc.HealthStub(grpc_channel)
    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(grpc_channel)
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    (listed,) = reflection.ServerReflectionInfo(requests, timeout=TIMEOUT_S)
    names = {service.name for service in listed.list_services_response.service}
    assert names >= PUBLIC_SERVICES
    assert "tradewire.v1.AdminService" not in names
