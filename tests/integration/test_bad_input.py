"""Bad input, as a table that the contract itself fills: every field of every request.

Each time the answer is the catalogue's error and names the field, and the venue is as it was: the
state's hash and the journal's last event are unchanged, and the next call is answered.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import grpc.aio
import pytest
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import admin_service_pb2, order_service_pb2, session_service_pb2
from tradewire_contract import Method, methods

from tests.integration.conftest import Floor
from tests.support.bad_values import Spoiled, extremes, spoil
from tests.support.contract_calls import ADMIN_SERVICE, Metadata, call, message_class
from tests.support.failures import Failure, failure, failure_of, failure_of_call
from tests.support.samples import Things, samples
from tests.support.trading import (
    BUY,
    DAY,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    SELL,
    command,
    limit,
    market,
)
from tests.support.venue import SYMBOL

ENTER_ORDERS = "/tradewire.v1.OrderService/EnterOrders"

# In process nothing is serialised.
over_the_network = pytest.mark.parametrize("floor", ["network"], indirect=True)


@dataclass
class Desk:
    """Calls any method as somebody who may, and knows whether the venue is as it was."""

    floor: Floor
    public: grpc.aio.Channel
    admin: grpc.aio.Channel
    samples: dict[str, Message]
    journal_end: int = 0
    state_hash: bytes = b""

    def remember(self) -> None:
        app = self.floor.venue.app
        self.journal_end, self.state_hash = app.journal.last_event(), app.state.state_hash()

    def metadata(self, method: Method) -> Metadata:
        name = "admin" if method.service == ADMIN_SERVICE else "alice"
        return () if method.scope == "public" else self.floor.venue.credentials[name].metadata

    async def call(self, method: Method, request: Message | bytes) -> Any:
        channel = self.admin if method.service == ADMIN_SERVICE else self.public
        return await call(channel, method, request, metadata=self.metadata(method))

    async def refusal(self, method: Method, request: Message | bytes) -> Failure:
        return await failure(self.call(method, request))

    def assert_unchanged(self) -> None:
        app = self.floor.venue.app
        assert app.journal.last_event() == self.journal_end
        assert app.state.state_hash() == self.state_hash
        assert app.failure is None


@pytest.fixture
async def desk(floor: Floor) -> AsyncIterator[Desk]:
    venue = floor.venue
    for account in ("alice", "bob", "admin"):
        venue.app.limiter.set_exempt(account, True)
    placed = await floor.alice.place(limit("working", BUY, "1", "50"))
    await floor.bob.place(limit("other", SELL, "1", "60"))
    things = Things(
        "alice",
        placed.order.order_id,
        "working",
        venue.credentials["alice"].key_id,
        floor.clock(),
    )
    async with AsyncExitStack() as stack:
        public = await stack.enter_async_context(venue.connect(floor.kind))
        admin = await stack.enter_async_context(grpc.aio.insecure_channel(venue.admin_target))
        desk = Desk(floor, public, admin, samples(things))
        desk.remember()
        yield desk
        desk.assert_unchanged()
        await desk.call(
            methods()["/tradewire.v1.OrderService/ListOrders"],
            order_service_pb2.ListOrdersRequest(),
        )


def blames(found: Failure, path: str) -> bool:
    """Tell whether an error names a field, or an item or a part of it."""
    return any(
        field == path or field.startswith((f"{path}[", f"{path}.")) for field in found.fields
    )


async def problem(desk: Desk, method: Method, spoiled: Spoiled) -> str:
    """Send a spoiled request and return what is wrong with the answer."""
    label = f"{method.name}.{spoiled.path} = {spoiled.value!r:.60}"
    try:
        answer = await desk.call(method, spoiled.request)
    except grpc.aio.AioRpcError as error:
        found = failure_of_call(error)
        if (found.reason, found.outcome) != ("FIELD_INVALID", "refused"):
            return f"{label}: {found}"
        return "" if blames(found, spoiled.path) else f"{label}: {found} does not name it"
    return f"{label}: was answered {answer}"


def test_there_is_a_sample_of_every_request() -> None:
    found = samples(Things("alice", "1", "a", "k", 0))
    assert found.keys() == methods().keys()
    for path, request in found.items():
        assert request.DESCRIPTOR is methods()[path].request


def test_the_contract_gives_enough_to_spoil() -> None:
    found = samples(Things("alice", "1", "a", "k", 0))
    counts = {path: len(list(spoil(request))) for path, request in found.items()}
    assert sum(counts.values()) > 1000
    without = {path.rpartition("/")[2] for path, count in counts.items() if not count}
    # These have no field at all, or none with a rule.
    assert without == {
        "EnterOrders",
        "EndSession",
        "GetServerTime",
        "GetTokenKeys",
        "SetKillSwitch",
        "GetVenueStatus",
    }


async def test_a_field_that_breaks_a_rule_is_named_and_changes_nothing(desk: Desk) -> None:
    problems = []
    for path, request in desk.samples.items():
        for spoiled in spoil(request):
            problems.append(await problem(desk, methods()[path], spoiled))
            desk.assert_unchanged()
    assert [found for found in problems if found] == []


async def test_numbers_at_the_end_of_their_type_do_no_harm(desk: Desk) -> None:
    for path, request in desk.samples.items():
        for spoiled in extremes(request):
            try:
                await desk.call(methods()[path], spoiled.request)
            except grpc.aio.AioRpcError as error:
                found = failure_of_call(error)
                assert found.reason != "INTERNAL", (path, spoiled.path)
            desk.assert_unchanged()


@pytest.mark.parametrize("name", ["PlaceOrder", "AmendOrder", "CancelOrder", "CancelAllOrders"])
async def test_a_bad_command_of_a_frame_gets_the_error_of_its_unary_method(
    desk: Desk, name: str
) -> None:
    method = methods()[f"/tradewire.v1.OrderService/{name}"]
    requests = [spoiled.request for spoiled in spoil(desk.samples[method.path])]
    unary = [await desk.refusal(method, request) for request in requests]
    async with desk.floor.alice.enter() as entry:
        results = await entry.do(*requests)
    assert [failure_of(result.error) for result in results] == unary
    for result, alone in zip(results, unary, strict=True):
        assert failure_of(result.error).descriptions == alone.descriptions


@pytest.mark.parametrize("name", ["PlaceOrder", "CancelOrder"])
async def test_a_bad_item_of_a_batch_gets_the_error_of_its_unary_method(
    desk: Desk, name: str
) -> None:
    method = methods()[f"/tradewire.v1.OrderService/{name}"]
    requests = [spoiled.request for spoiled in spoil(desk.samples[method.path])]
    unary = [await desk.refusal(method, request) for request in requests]
    batch = methods()[f"{method.path}s"]
    (field,) = (field.name for field in batch.request.fields if field.is_repeated)
    found = []
    for first in range(0, len(requests), 100):
        request = message_class(batch.request)(**{field: requests[first : first + 100]})
        found += (await desk.call(batch, request)).results
    assert [failure_of(result.error) for result in found] == unary
    for result, alone in zip(found, unary, strict=True):
        assert failure_of(result.error).descriptions == alone.descriptions


VALID = Timestamp(seconds=4_000_000_000)
WRONG_ORDERS: list[tuple[str, tuple[str, ...], order_service_pb2.PlaceOrderRequest]] = [
    ("INSTRUMENT_NOT_FOUND", ("symbol",), limit("x", symbol="BTC-EUR")),
    ("PRICE_OFF_TICK", ("price",), limit("x", price="100.001")),
    ("PRICE_OFF_TICK", ("price",), limit("x", price="0.000000000000000001")),
    ("PRICE_OUT_OF_RANGE", ("price",), limit("x", price="0")),
    ("PRICE_OUT_OF_RANGE", ("price",), limit("x", price="0.00")),
    ("PRICE_OUT_OF_RANGE", ("price",), limit("x", price="9" * 18)),
    ("QUANTITY_OFF_LOT", ("quantity",), limit("x", quantity="1.00001")),
    ("QUANTITY_OUT_OF_RANGE", ("quantity",), limit("x", quantity="0")),
    ("QUANTITY_OUT_OF_RANGE", ("quantity",), limit("x", quantity="0.0000")),
    ("QUANTITY_OUT_OF_RANGE", ("quantity",), limit("x", quantity="1000.0001")),
    ("QUANTITY_OUT_OF_RANGE", ("quantity",), limit("x", quantity="9" * 18)),
    ("NOTIONAL_OUT_OF_RANGE", ("price",), limit("x", quantity="1000", price="10000.01")),
    ("FIELDS_CONFLICT", ("price",), order_service_pb2.PlaceOrderRequest(
        client_order_id="x", symbol=SYMBOL, side=BUY, type=LIMIT, quantity="1")),
    ("FIELDS_CONFLICT", ("quantity",), order_service_pb2.PlaceOrderRequest(
        client_order_id="x", symbol=SYMBOL, side=BUY, type=LIMIT, price="1")),
    ("FIELDS_CONFLICT", ("quote_quantity",), limit("x", quote_quantity="1")),
    ("FIELDS_CONFLICT", ("post_only",), limit("x", post_only=1, time_in_force=IOC)),
    ("FIELDS_CONFLICT", ("post_only",), limit("x", post_only=2, time_in_force=FOK)),
    ("FIELDS_CONFLICT", ("price",), market("x", quantity="1", price="1")),
    ("FIELDS_CONFLICT", ("quantity",), market("x")),
    ("FIELDS_CONFLICT", ("quantity",), market("x", quantity="1", quote_quantity="1")),
    ("FIELDS_CONFLICT", ("time_in_force",), market("x", quantity="1", time_in_force=GTC)),
    ("FIELDS_CONFLICT", ("time_in_force",), market("x", quantity="1", time_in_force=DAY)),
    ("FIELDS_CONFLICT", ("time_in_force",), market("x", quote_quantity="1", time_in_force=FOK)),
    ("FIELDS_CONFLICT", ("post_only",), market("x", quantity="1", post_only=1)),
    ("FIELD_INVALID", ("quote_quantity",), market("x", quote_quantity="0.00000000001")),
    ("NOTIONAL_OUT_OF_RANGE", ("quote_quantity",), market("x", quote_quantity="0")),
    ("NOTIONAL_OUT_OF_RANGE", ("quote_quantity",), market("x", quote_quantity="10000000.01")),
    ("EXPIRE_TIME_INVALID", ("expire_time",), limit("x", time_in_force=GTD)),
    ("EXPIRE_TIME_INVALID", ("expire_time",), limit("x", expire_time=VALID)),
    ("EXPIRE_TIME_INVALID", ("expire_time",), limit("x", expire_time=Timestamp())),
    ("EXPIRE_TIME_INVALID", ("expire_time",), limit("x", time_in_force=DAY, expire_time=VALID)),
    ("EXPIRE_TIME_INVALID", ("expire_time",),
     limit("x", time_in_force=GTD, expire_time=Timestamp(seconds=1))),
    ("EXPIRE_TIME_INVALID", ("expire_time",),
     limit("x", time_in_force=GTD, expire_time=Timestamp(seconds=253_402_300_799))),
]  # fmt: skip


async def test_orders_that_make_no_sense_are_refused_with_their_reason(desk: Desk) -> None:
    place = methods()["/tradewire.v1.OrderService/PlaceOrder"]
    for reason, fields, request in WRONG_ORDERS:
        found = await desk.refusal(place, request)
        assert (found.reason, found.outcome, found.fields) == (reason, "refused", fields), request
    requests = [request for _, _, request in WRONG_ORDERS]
    async with desk.floor.alice.enter() as entry:
        in_frame = await entry.do(*requests)
    in_batch = (await desk.floor.alice.place_many(*requests)).results
    for results in (in_frame, in_batch):
        for (reason, fields, _), result in zip(WRONG_ORDERS, results, strict=True):
            found = failure_of(result.error)
            assert (found.reason, found.outcome, found.fields) == (reason, "refused", fields)


WRONG_AMENDS: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
    ("PRICE_OFF_TICK", ("price",), {"price": "50.001"}),
    ("PRICE_OUT_OF_RANGE", ("price",), {"price": "0"}),
    ("QUANTITY_OFF_LOT", ("quantity",), {"quantity": "1.00001"}),
    ("QUANTITY_OUT_OF_RANGE", ("quantity",), {"quantity": "0"}),
    ("NOTIONAL_OUT_OF_RANGE", ("price",), {"quantity": "1000", "price": "10000.01"}),
    ("ORDER_NOT_AMENDABLE", (), {}),
    ("ORDER_NOT_AMENDABLE", (), {"quantity": "1", "price": "50"}),
]


async def test_amends_that_make_no_sense_are_refused_with_their_reason(desk: Desk) -> None:
    method = methods()["/tradewire.v1.OrderService/AmendOrder"]
    for reason, fields, changes in WRONG_AMENDS:
        request = order_service_pb2.AmendOrderRequest(
            client_order_id="x", original_client_order_id="working", **changes
        )
        found = await desk.refusal(method, request)
        assert (found.reason, found.outcome, found.fields) == (reason, "refused", fields)


WRONG_INSTRUMENTS: list[tuple[str, str, str]] = [
    ("base_asset", "XXX", "ASSET_NOT_FOUND"),
    ("quote_asset", "XXX", "ASSET_NOT_FOUND"),
    ("quote_asset", "ETH", "FIELD_INVALID"),
    ("symbol", "BTC-ETH", "FIELD_INVALID"),
    ("symbol", "", "FIELD_INVALID"),
    *(
        (field, text, "FIELD_INVALID")
        for field in (
            "tick_size",
            "lot_size",
            "minimum_quantity",
            "maximum_quantity",
            "minimum_notional",
            "maximum_notional",
        )
        for text in (
            "",
            "-1",
            "1e3",
            "x",
            "\uff11",
            "1" * 19,
            "0." + "1" * 19,
            "0." + "0" * 17 + "1",
        )
    ),
    *((field, "0", "FIELD_INVALID") for field in ("tick_size", "lot_size", "maximum_quantity")),
    ("price_band_percent", "-1", "FIELD_INVALID"),
    ("price_band_percent", "0.00001", "FIELD_INVALID"),
    ("price_band_percent", "9" * 18, "FIELD_INVALID"),
    ("market_protection_percent", "0", "FIELD_INVALID"),
    ("market_protection_percent", "100.0001", "FIELD_INVALID"),
    ("market_protection_percent", "", "FIELD_INVALID"),
    ("minimum_quantity", "1001", "FIELD_INVALID"),
    ("minimum_notional", "1001", "FIELD_INVALID"),
]


async def test_instruments_that_cannot_be_are_refused_and_the_field_is_named(desk: Desk) -> None:
    method = methods()["/tradewire.v1.AdminService/CreateInstrument"]
    sample: Any = desk.samples[method.path]
    request: Any = admin_service_pb2.CreateInstrumentRequest()
    for field, value, reason in WRONG_INSTRUMENTS:
        request.CopyFrom(sample)
        setattr(request.instrument, field, value)
        found = await desk.refusal(method, request)
        assert (found.reason, found.outcome) == (reason, "refused"), (field, value, found)
        assert found.fields[0].startswith("instrument"), found
    request.CopyFrom(sample)
    request.instrument.status = 99
    found = await desk.refusal(method, request)
    assert (found.reason, found.fields) == ("FIELD_INVALID", ("instrument.status",))


WRONG_OTHERS: list[tuple[str, dict[str, Any], str, tuple[str, ...]]] = [
    ("AdminService/CreateAccount", {"maker_fee_rate": "1"}, "FIELD_INVALID", ("maker_fee_rate",)),
    (
        "AdminService/CreateAccount",
        {"taker_fee_rate": "0.00000001"},
        "FIELD_INVALID",
        ("taker_fee_rate",),
    ),
    ("AdminService/CreateAccount", {"account": "alice"}, "ALREADY_EXISTS", ()),
    ("AdminService/UpdateAccount", {"account": "nobody"}, "ACCOUNT_NOT_FOUND", ("account",)),
    ("AdminService/UpdateAccount", {"maker_fee_rate": "2"}, "FIELD_INVALID", ("maker_fee_rate",)),
    ("AdminService/CreateDeposit", {"account": "nobody"}, "ACCOUNT_NOT_FOUND", ("account",)),
    ("AdminService/CreateDeposit", {"asset": "XXX"}, "ASSET_NOT_FOUND", ("asset",)),
    ("AdminService/CreateDeposit", {"amount": "0"}, "FIELD_INVALID", ("amount",)),
    ("AdminService/CreateDeposit", {"amount": "0.00000000001"}, "FIELD_INVALID", ("amount",)),
    ("AdminService/CreateDeposit", {"amount": "9" * 18}, "FIELD_INVALID", ("amount",)),
    ("AdminService/CreateWithdrawal", {"account": "nobody"}, "ACCOUNT_NOT_FOUND", ("account",)),
    ("AdminService/CreateWithdrawal", {"asset": "XXX"}, "ASSET_NOT_FOUND", ("asset",)),
    ("AdminService/CreateWithdrawal", {"amount": "400000001"}, "INSUFFICIENT_FUNDS", ("amount",)),
    ("AdminService/CreateAsset", {"asset": "BTC"}, "ALREADY_EXISTS", ()),
    (
        "AdminService/SetInstrumentStatus",
        {"symbol": "BTC-EUR"},
        "INSTRUMENT_NOT_FOUND",
        ("symbol",),
    ),
    ("AdminService/CreateAccountKey", {"account": "nobody"}, "ACCOUNT_NOT_FOUND", ("account",)),
    (
        "AdminService/CreateAccountKey",
        {"expire_time": Timestamp(seconds=1)},
        "FIELD_INVALID",
        ("expire_time",),
    ),
    (
        "AdminService/CreateAccountKey",
        {"expire_time": Timestamp()},
        "FIELD_INVALID",
        ("expire_time",),
    ),
    (
        "AdminService/CreateAccountKey",
        {"expire_time": Timestamp(seconds=250_000_000_000)},
        "FIELD_INVALID",
        ("expire_time",),
    ),
    ("AdminService/CreateAccountKey", {"public_key": "AAAA"}, "FIELD_INVALID", ("public_key",)),
    ("AdminService/CreateAccountKey", {"label": "\n"}, "FIELD_INVALID", ("label",)),
    ("AdminService/CreateAccountKey", {"algorithm": 1}, "FIELD_INVALID", ("public_key",)),
    ("AdminService/ListAccountKeys", {"account": "nobody"}, "ACCOUNT_NOT_FOUND", ("account",)),
    ("AdminService/ListAccountKeys", {"page_token": "x"}, "FIELD_INVALID", ("page_token",)),
    ("AdminService/RevokeAccountKey", {"api_key": "nothing"}, "KEY_NOT_FOUND", ("api_key",)),
    ("AdminService/ListAccountBalances", {"account": "nobody"}, "ACCOUNT_NOT_FOUND", ("account",)),
    ("OrderService/ListOrders", {"page_token": "x"}, "FIELD_INVALID", ("page_token",)),
    ("OrderService/ListOrders", {"page_token": "-1"}, "FIELD_INVALID", ("page_token",)),
    ("OrderService/ListOrders", {"page_token": "9" * 200}, "FIELD_INVALID", ("page_token",)),
    ("OrderService/GetOrder", {"order_id": "0"}, "ORDER_NOT_FOUND", ("order_id",)),
    ("OrderService/GetOrder", {"order_id": "9" * 18}, "ORDER_NOT_FOUND", ("order_id",)),
    ("OrderService/AmendOrder", {"order_id": "0"}, "ORDER_NOT_FOUND", ("order_id",)),
    ("OrderService/CancelOrder", {"order_id": "0"}, "ORDER_NOT_FOUND", ("order_id",)),
    ("OrderService/CancelOrder", {"order_id": "9" * 18}, "ORDER_NOT_FOUND", ("order_id",)),
    ("OrderService/CancelAllOrders", {"symbol": "BTC-EUR"}, "INSTRUMENT_NOT_FOUND", ("symbol",)),
    ("OrderService/ListOrders", {"symbol": "BTC-EUR"}, "INSTRUMENT_NOT_FOUND", ("symbol",)),
    ("KeyService/ListKeys", {"page_token": "x"}, "FIELD_INVALID", ("page_token",)),
    ("KeyService/CreateKey", {"public_key": "A" * 43}, "FIELD_INVALID", ("public_key",)),
    ("KeyService/CreateKey", {"addresses": ["nonsense"]}, "FIELD_INVALID", ("addresses",)),
    ("KeyService/CreateKey", {"addresses": ["192.0.2.1/24"]}, "FIELD_INVALID", ("addresses",)),
    ("KeyService/CreateKey", {"scopes": [5]}, "SCOPE_NOT_GRANTABLE", ()),
    ("KeyService/RotateKey", {"api_key": "nothing"}, "KEY_NOT_FOUND", ("api_key",)),
    ("KeyService/RotateKey", {"public_key": "AAAA"}, "FIELD_INVALID", ("public_key",)),
    ("KeyService/RotateKey", {"public_key": ""}, "FIELD_INVALID", ("public_key",)),
    ("KeyService/RevokeKey", {"api_key": "nothing"}, "KEY_NOT_FOUND", ("api_key",)),
]


async def test_requests_that_name_what_is_not_there_are_refused_with_their_reason(
    desk: Desk,
) -> None:
    for name, changes, reason, fields in WRONG_OTHERS:
        method = methods()[f"/tradewire.v1.{name}"]
        request = type(desk.samples[method.path])()
        request.CopyFrom(desk.samples[method.path])
        for field, value in changes.items():
            if isinstance(value, list):
                request.ClearField(field)
                getattr(request, field).extend(value)
            elif isinstance(value, Message):
                getattr(request, field).CopyFrom(value)
            else:
                setattr(request, field, value)
        found = await desk.refusal(method, request)
        assert (found.reason, found.fields) == (reason, fields), (name, changes, str(found))
        assert found.outcome == "refused", name
        desk.assert_unchanged()


async def test_a_command_without_a_kind_is_its_own_error(desk: Desk) -> None:
    async with desk.floor.alice.enter() as entry:
        empty = order_service_pb2.OrderCommand()
        await entry.call.write(order_service_pb2.EnterOrdersRequest(commands=[empty] * 3))
        tape = await entry.until(lambda tape: len(tape.results) == 3)
    for result in tape.results:
        found = failure_of(result.error)
        assert (found.reason, found.fields) == ("FIELD_INVALID", ("command",))


GARBAGE = (b"\xff", b"\x0a\xff", b"\x08", b"\x00", b"\x0a\x02\xc3\x28", b"GET / HTTP/1.1\r\n\r\n")


@over_the_network
async def test_a_message_that_cannot_be_parsed_is_said_to_be_malformed(desk: Desk) -> None:
    for method in methods().values():
        for garbage in GARBAGE:
            if is_valid(method, garbage):
                continue
            found = await desk.refusal(method, garbage)
            assert (found.reason, found.outcome) == ("MESSAGE_MALFORMED", "refused"), method.path


def is_valid(method: Method, data: bytes) -> bool:
    """Tell whether bytes happen to be a message (of unknown fields, say)."""
    try:
        message_class(method.request).FromString(data)
    except DecodeError:
        return False
    return True


@over_the_network
async def test_garbage_in_the_midst_of_a_stream_ends_it_after_what_came_before(
    desk: Desk,
) -> None:
    stream: Any = desk.public.stream_stream(
        ENTER_ORDERS,
        request_serializer=bytes,
        response_deserializer=order_service_pb2.EnterOrdersResponse.FromString,
    )(metadata=desk.floor.alice.credential.metadata)
    good = order_service_pb2.EnterOrdersRequest(commands=[command(limit("bad id"))])
    await stream.write(good.SerializeToString())
    await stream.write(b"\xff\xff")
    kinds, closing = [], None
    while (message := await stream.read()) is not grpc.aio.EOF:
        kinds.append(message.WhichOneof("event"))
        closing = message.closing
    assert "batch" in kinds
    assert kinds[-1] == "closing"
    assert closing is not None
    assert failure_of(closing.status).reason == "MESSAGE_MALFORMED"


@over_the_network
async def test_an_oversized_message_is_refused(desk: Desk) -> None:
    huge = session_service_pb2.CreateSessionRequest(
        signature=session_service_pb2.SessionSignature(api_key="x" * (5 << 20))
    ).SerializeToString()
    method = methods()["/tradewire.v1.SessionService/CreateSession"]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await desk.call(method, huge)
    # The transport says so itself, before anything of the venue has seen it.
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    frame = order_service_pb2.EnterOrdersRequest(account="x" * (5 << 20)).SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await desk.call(methods()[ENTER_ORDERS], frame)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@over_the_network
async def test_what_is_unknown_to_the_contract_is_passed_over(desk: Desk) -> None:
    """A newer client may send fields that this server does not know, as protobuf has it."""
    method = methods()["/tradewire.v1.OrderService/GetOrder"]
    unknown_field = b"\xa2\x06\x03abc"
    request = order_service_pb2.GetOrderRequest(client_order_id="working").SerializeToString()
    answer = await desk.call(method, request + unknown_field)
    assert answer.order.client_order_id == "working"


async def test_an_account_of_any_length_is_one_that_is_not_there(desk: Desk) -> None:
    """The contract has no rule for the account of a stream; the answer is short all the same."""
    for account in ("é", "x" * 40, "x" * 100_000, "\n", "bob"):
        request = order_service_pb2.EnterOrdersRequest(account=account)
        refused = await desk.refusal(methods()[ENTER_ORDERS], request)
        assert (refused.reason, refused.fields) == ("ACCOUNT_NOT_FOUND", ("account",))
        assert len(refused.text) < 200
